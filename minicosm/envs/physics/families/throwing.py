"""Catapults, bats and flippers that send a green ball to a blue target."""

from __future__ import annotations

import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import BLUE, GREEN, RED
from minicosm.envs.physics.sketch import FLOOR, LEFT, Sketch


def _catapult_arm(dice: Dice, sketch: Sketch) -> None:
    """A beam pivoted over the floor, its long end down at the left with the ball on it; binding 0."""
    pivot, height = dice.between(1.4, 1.7), dice.between(0.3, 0.4)
    long, short, tilt = dice.between(0.75, 0.95), dice.between(0.3, 0.5), dice.between(0.1, 0.25)
    cos, sin = jnp.cos(tilt), jnp.sin(tilt)
    start = (pivot - long * cos, height - long * sin)
    end = (pivot + short * cos, height + short * sin)
    arm = sketch.bar(start, end, 0.08, friction=1.0)
    speed, torque = dice.between(10.0, 16.0), dice.between(12.0, 20.0)
    sketch.pin(FLOOR, arm, (pivot, height), limits=(-2.2, 0.02), speed=speed, torque=torque)
    radius, back = dice.between(0.1, 0.14), 0.8 * long
    lift = 0.04 + radius + 0.005  # from the middle line of the arm to the ball's centre
    ball = (pivot - back * cos - lift * sin, height - back * sin + lift * cos)
    sketch.circle(radius, ball, role=GREEN, density=0.6, friction=1.0)


def _catapult(dice: Dice, sketch: Sketch) -> None:
    _catapult_arm(dice, sketch)
    sketch.circle(dice.graded(0.4, 0.2), (dice.between(3.4, 4.5), dice.graded(0.5, 2.8)), static=True, role=BLUE)


def _over_a_wall(dice: Dice, sketch: Sketch) -> None:
    _catapult_arm(dice, sketch)
    sketch.circle(dice.graded(0.4, 0.25), (dice.between(4.0, 4.5), dice.between(0.3, 0.6)), static=True, role=BLUE)
    height = dice.graded(0.5, 2.0)
    sketch.box(
        0.16, height, (dice.between(2.75, 3.2), 0.5 * height), static=True, role=jnp.where(dice.chance(0.5), RED, 0)
    )


def _bat(dice: Dice, sketch: Sketch) -> None:
    """A bat that hangs from the left wall and hits a ball on a tee."""
    tee = dice.between(0.8, 1.3)
    x = dice.between(1.3, 1.5)
    sketch.box(0.2, tee, (x, 0.5 * tee), static=True, friction=1.0)
    radius = dice.between(0.1, 0.15)
    sketch.circle(radius, (x, tee + radius + 0.01), role=GREEN, density=0.6)
    pivot = (jnp.float32(0.75), tee + dice.between(0.75, 0.9))
    bat = sketch.bar(pivot, (pivot[0] - 0.25, pivot[1] - 0.85), 0.1, density=2.0)
    sketch.pin(LEFT, bat, pivot, limits=(-0.6, 2.2), speed=12.0, torque=dice.between(10.0, 16.0))
    sketch.circle(dice.graded(0.4, 0.2), (dice.between(3.2, 4.5), dice.graded(0.6, 3.0)), static=True, role=BLUE)


def _flick(dice: Dice, sketch: Sketch) -> None:
    """A golf club on the floor and a ball before it; the target is a disc in the air or on the floor."""
    x, reach = dice.between(0.9, 1.2), dice.between(0.6, 0.8)
    pivot = (x, reach + 0.09)
    club = sketch.bar(pivot, (x - 0.7 * reach, pivot[1] - 0.7 * reach), 0.1, density=2.0)
    sketch.pin(FLOOR, club, pivot, limits=(-0.6, 2.6), speed=12.0, torque=dice.between(8.0, 14.0))
    radius = dice.between(0.12, 0.17)
    sketch.circle(radius, (x + 0.12, radius + 0.01), role=GREEN, density=0.6)
    sketch.circle(dice.graded(0.4, 0.2), (dice.between(3.0, 4.5), dice.graded(0.25, 1.0)), static=True, role=BLUE)


def _flippers(dice: Dice, sketch: Sketch) -> None:
    """A pinball table: two flippers over a red floor, bumpers, and a blue target above."""
    sketch.wall(FLOOR, RED)
    sketch.gravity(0.0, -dice.graded(3.0, 6.0))
    y, gap = 0.9, dice.graded(0.12, 0.3)
    for binding, side in enumerate((-1.0, 1.0)):
        hinge = (2.5 + side * 0.95, jnp.float32(y))
        tip = (2.5 + side * gap, jnp.float32(y - 0.25))
        flipper = sketch.bar(hinge, tip, 0.1, restitution=0.3)
        limits = (-0.1, 1.0) if side < 0 else (-1.0, 0.1)
        sketch.pin(FLOOR, flipper, hinge, limits=limits, speed=-side * 14.0, torque=12.0, binding=binding)
        outer = 2.5 + side * 2.5
        outline = [(-0.72, 0.0), (0.72, 0.0), (0.72, 0.75)] if side > 0 else [(-0.72, 0.0), (0.72, 0.0), (-0.72, 0.75)]
        sketch.polygon(outline, (outer - side * 0.72, y + 0.03), static=True)
    sketch.circle(0.12, (dice.between(1.7, 3.3), dice.between(2.2, 2.6)), role=GREEN, restitution=0.4)
    for x in (1.4, 3.6):
        at = (x + dice.between(-0.3, 0.3), dice.between(2.2, 3.2) + 0.4)
        sketch.circle(dice.between(0.15, 0.25), at, static=True, restitution=0.9)
    width = dice.graded(1.4, 0.5)
    sketch.box(width, 0.14, (dice.between(1.2, 3.8), 4.6), static=True, role=BLUE)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("flick", _flick),
    ("catapult", _catapult),
    ("over_a_wall", _over_a_wall),
    ("bat", _bat),
    ("flippers", _flippers),
)
THROWING = Family("throwing", "send the green ball to the blue target", VARIANTS)
