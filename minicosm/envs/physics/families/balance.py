"""Poles and beams that must be held up until a slow blue hand comes round and touches them.

What falls over touches the red floor. The hand turns on an automatic motor: it meets green where green is while it is
balanced, and not before the time that the level asks for.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED
from minicosm.envs.physics.sketch import CEILING, FLOOR, Sketch

_EPISODE = 256 / 30  # s, of the usual 256 steps


def _hand(dice: Dice, sketch: Sketch, x: float, top: jax.Array) -> None:
    """A blue hand on a pivot above (x, top), which comes down on it late in the episode."""
    pivot = (jnp.float32(x), top + 1.15)
    reach = 1.35  # a little farther than from the pivot to the green tip, which it thus pushes over
    turn = dice.between(2.0, 2.4)  # rad, from where it starts to straight down
    angle = -jnp.pi / 2 + turn
    tip = (pivot[0] + reach * jnp.cos(angle), pivot[1] + reach * jnp.sin(angle))
    hand = sketch.bar(pivot, tip, 0.1, role=BLUE)
    time = _EPISODE * dice.graded(0.25, 0.8)
    sketch.pin(CEILING, hand, pivot, speed=-turn / time, torque=20.0, binding=AUTOMATIC)


def _wheel_and_pole(dice: Dice, sketch: Sketch) -> None:
    """A pole that stands on a driven wheel."""
    radius, height = dice.between(0.2, 0.28), dice.graded(1.1, 0.7)
    x = 2.5
    hub = (jnp.float32(x), radius + 0.01)
    lean = dice.graded(0.0, 0.06) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    wheel = sketch.circle(radius, hub, friction=1.5, density=2.0)
    pole = sketch.bar(hub, (hub[0] + height * jnp.sin(lean), hub[1] + height * jnp.cos(lean)), 0.08, role=GREEN)
    sketch.pin(pole, wheel, hub, speed=12.0, torque=dice.between(1.5, 2.5))
    sketch.wall(FLOOR, RED)
    _hand(dice, sketch, x, hub[1] + height)


def _cart_pole(dice: Dice, sketch: Sketch) -> None:
    radius, x = 0.14, 2.5
    cart = sketch.box(0.7, 0.2, (x, radius + 0.1), density=2.0)
    wheels = []
    for side in (-1, 1):
        at = (x + 0.25 * side, radius + 0.01)
        wheels.append(sketch.circle(radius, at, friction=1.5))
        sketch.pin(cart, wheels[-1], at, speed=14.0, torque=1.5, binding=0)
    foot = (jnp.float32(x), jnp.float32(radius + 0.2))
    height = dice.graded(1.2, 0.75)
    lean = dice.graded(0.0, 0.06) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    tip = (foot[0] + height * jnp.sin(lean), foot[1] + height * jnp.cos(lean))
    pole = sketch.bar(foot, tip, 0.08, role=GREEN)
    sketch.pin(cart, pole, foot)
    sketch.ghost(cart, pole, *wheels)
    sketch.wall(FLOOR, RED)
    _hand(dice, sketch, x, foot[1] + height)


def _beam(dice: Dice, sketch: Sketch) -> None:
    """A ball on a beam; the goal is past one end of the beam, and the floor is red."""
    pivot, half = (jnp.float32(2.5), dice.between(1.0, 1.8)), dice.between(1.1, 1.5)
    tilt = dice.graded(0.0, 0.12) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    cos, sin = jnp.cos(tilt), jnp.sin(tilt)
    left, right = (pivot[0] - half * cos, pivot[1] - half * sin), (pivot[0] + half * cos, pivot[1] + half * sin)
    beam = sketch.bar(left, right, 0.1, friction=0.8)
    sketch.pin(FLOOR, beam, pivot, limits=(-0.5, 0.5), speed=2.0, torque=dice.between(8.0, 14.0))
    radius = dice.between(0.12, 0.18)
    along, lift = dice.between(-0.5, 0.1) * half, 0.05 + radius + 0.005
    sketch.circle(
        radius, (pivot[0] + along * cos - lift * sin, pivot[1] + along * sin + lift * cos), role=GREEN, density=0.6
    )
    goal = dice.graded(0.3, 0.16)
    x = right[0] + goal + dice.graded(0.05, 0.3)
    sketch.circle(goal, (x, pivot[1] + dice.graded(-0.4, 0.3)), static=True, role=BLUE)
    sketch.wall(FLOOR, RED)


def _held_ball(dice: Dice, sketch: Sketch) -> None:
    """A ball on a beam that must stay on it until the hand comes."""
    pivot, half = (jnp.float32(2.5), dice.between(0.9, 1.2)), dice.graded(1.3, 0.8)
    beam = sketch.box(2 * half, 0.1, pivot, friction=0.8)
    sketch.pin(FLOOR, beam, pivot, limits=(-0.4, 0.4), speed=2.0, torque=dice.between(8.0, 14.0))
    radius = dice.between(0.15, 0.2)
    offset = dice.between(0.1, 0.3) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    sketch.circle(radius, (2.5 + offset, pivot[1] + 0.055 + radius), role=GREEN, density=0.6)
    sketch.wall(FLOOR, RED)
    _hand(dice, sketch, 2.5, pivot[1] + 0.1 + 2 * radius)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("beam", _beam),
    ("held_ball", _held_ball),
    ("wheel_and_pole", _wheel_and_pole),
    ("cart_pole", _cart_pole),
)
BALANCE = Family("balance", "hold up the green one until blue comes", VARIANTS)
