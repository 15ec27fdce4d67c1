"""Landers: come down on the blue pad, and on nothing red."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import BLUE, GREEN, RED, SCENERY
from minicosm.envs.physics.sketch import FLOOR, Part, Sketch

_GRAVITY = 9.81


def _start(dice: Dice) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
    """Where a lander starts, x, y, and how fast it is."""
    x, y = dice.between(0.9, 2.2), dice.between(3.6, 4.4)
    drift = dice.graded(0.0, 1.0) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    return x, y, (drift, dice.graded(0.0, -0.8))


def _pad(dice: Dice) -> tuple[jax.Array, jax.Array]:
    """Where the pad's middle is, and half of its width; to the right of where the lander starts."""
    return dice.between(3.2, 4.1), dice.graded(0.6, 0.25)


def _gimbal(dice: Dice, sketch: Sketch) -> None:
    """A tall rocket on a nozzle that swivels; the pad is a dome."""
    x, y, velocity = _start(dice)
    sketch.gravity(0.0, -dice.graded(1.5, 5.0))
    width, height = dice.between(0.22, 0.34), dice.between(0.5, 0.75)
    hull = sketch.box(width, height, (x, y), role=GREEN, velocity=velocity)
    bottom = (x, y - 0.5 * height)
    nozzle = sketch.circle(0.09, bottom, velocity=velocity, density=0.5)
    sketch.pin(hull, nozzle, bottom, limits=(-0.5, 0.5), speed=3.0, torque=0.5)
    mass = width * height
    sketch.thruster(nozzle, bottom, jnp.pi / 2, mass * dice.between(12.0, 16.0))
    middle, half = _pad(dice)
    sketch.circle(half, (middle, -0.2 * half), static=True, role=BLUE)
    sketch.wall(FLOOR, jnp.where(dice.difficulty > 0.4, RED, SCENERY))


def _hull(dice: Dice, sketch: Sketch) -> Part:
    """A lander with a thruster under each side, tilted inwards; bindings 0 and 1."""
    x, y, velocity = _start(dice)
    gravity = dice.graded(3.0, _GRAVITY)
    sketch.gravity(0.0, -gravity)
    half, height = dice.between(0.2, 0.3), dice.between(0.18, 0.28)
    outline = [(-half, -height), (half, -height), (0.55 * half, height), (-0.55 * half, height)]
    hull = sketch.polygon(outline, (x, y), role=GREEN, velocity=velocity)
    force = 0.775 * 2 * half * 2 * height * gravity * dice.between(0.9, 1.3)
    tilt = dice.between(0.05, 0.3)
    for binding, side in enumerate((-1.0, 1.0)):
        angle = jnp.pi / 2 + side * tilt  # pushes inwards: the left one to the right
        sketch.thruster(hull, (x + 0.85 * side * half, y - height), angle, force, binding)
    return hull


def _lander(dice: Dice, sketch: Sketch) -> None:
    _hull(dice, sketch)
    middle, half = _pad(dice)
    sketch.box(2 * half, 0.16, (middle, 0.12), static=True, role=BLUE)
    sketch.wall(FLOOR, RED)
    for x in (0.8, 2.4):
        radius = dice.graded(0.1, 0.3)
        sketch.circle(radius, (x + dice.between(-0.3, 0.3), 0.3 * radius), static=True, role=RED)


def _mountains(dice: Dice, sketch: Sketch) -> None:
    _hull(dice, sketch)
    middle, half = _pad(dice)
    height = dice.graded(0.2, 1.4)
    sketch.box(2 * half, 0.16, (middle, height), static=True, role=BLUE)
    sketch.box(0.25, height - 0.08, (middle, 0.5 * (height - 0.08)), static=True)
    for x in (0.45, 1.2, 2.0):
        top, wide = dice.graded(0.3, 1.5), dice.between(0.35, 0.6)
        sketch.polygon([(-wide, 0.0), (wide, 0.0), (dice.between(-0.2, 0.2), top)], (x, 0.0), static=True, role=RED)
    sketch.polygon([(-0.3, 0.0), (0.1, 0.0), (0.1, dice.graded(0.5, 2.2))], (4.9, 0.0), static=True, role=RED)
    sketch.wall(FLOOR, RED)


def _cavern(dice: Dice, sketch: Sketch) -> None:
    """Under a red overhang with one gap."""
    _hull(dice, sketch)
    middle, half = dice.between(0.9, 4.1), dice.graded(0.6, 0.3)
    sketch.box(2 * half, 0.16, (middle, 0.12), static=True, role=BLUE)
    gap, width = dice.between(2.6, 3.6), dice.graded(1.9, 1.1)
    y = dice.between(1.4, 2.2)
    left, right = gap - 0.5 * width, gap + 0.5 * width
    for start, end in ((0.0, left), (right, 5.0)):
        span = jnp.maximum(end - start, 0.1)
        sketch.box(span, 0.2, (0.5 * (start + end), y), static=True, role=RED)
    sketch.wall(FLOOR, RED)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("gimbal", _gimbal),
    ("lander", _lander),
    ("mountains", _mountains),
    ("cavern", _cavern),
)
LANDING = Family("landing", "land on the blue pad with thrusters", VARIANTS)
