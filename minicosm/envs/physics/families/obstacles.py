"""Courses of shelves, doors and mills that something green must find its way through."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED
from minicosm.envs.physics.sketch import CEILING, FLOOR, LEFT, RIGHT, Part, Sketch


def _flyer(dice: Dice, sketch: Sketch, at: tuple[float, float]) -> Part:
    """A small craft with two thrusters that lift it by turns; bindings 0 and 1."""
    half, height = dice.between(0.14, 0.2), dice.between(0.07, 0.1)
    hull = sketch.box(2 * half, 2 * height, at, role=GREEN)
    gravity = dice.graded(2.0, 5.0)
    sketch.gravity(0.0, -gravity)
    force = 4 * half * height * gravity * dice.between(0.9, 1.3)
    for binding, side in enumerate((-1.0, 1.0)):
        angle = jnp.pi / 2 + side * 0.1
        sketch.thruster(hull, (at[0] + 0.8 * side * half, at[1] - height), angle, force, binding)
    return hull


def _shelves(dice: Dice, sketch: Sketch, count: int, role: jax.Array | int) -> float:
    """Shelves from the left and right wall in turn, from the second storey up; returns how high a storey is."""
    storey = 5.0 / (count + 1)
    for i in range(count):
        length = 5.0 - dice.graded(2.2, 1.1)
        middle = 0.5 * length if i % 2 == 0 else 5.0 - 0.5 * length
        sketch.box(length, 0.14, (middle, storey * (i + 1)), static=True, role=role)
    return storey


def _zigzag(count: int) -> Draw:
    def draw(dice: Dice, sketch: Sketch) -> None:
        """Up through all storeys by thrusters."""
        role = jnp.where(dice.chance(0.5 * dice.difficulty), RED, 0)
        storey = _shelves(dice, sketch, count, role)
        _flyer(dice, sketch, (0.6, 0.3))
        x = 0.6 if count % 2 else 4.4  # above the last shelf, at the end that is not open
        sketch.circle(dice.graded(0.35, 0.2), (x, 5.0 - 0.5 * storey), static=True, role=BLUE)

    return draw


def _gap_wall(dice: Dice, sketch: Sketch) -> None:
    """Over or under walls with gaps, as in flappy games; walls may be red."""
    _flyer(dice, sketch, (0.6, 2.0))
    for i in range(2):
        x, gap, middle = 2.0 + 1.2 * i, dice.graded(1.8, 0.9), dice.between(1.4, 3.6)
        role = jnp.where(dice.chance(0.5 * dice.difficulty), RED, 0)
        low, high = middle - 0.5 * gap, middle + 0.5 * gap
        sketch.box(0.2, low, (x, 0.5 * low), static=True, role=role)
        sketch.box(0.2, 5.0 - high, (x, 0.5 * (5.0 + high)), static=True, role=role)
    sketch.circle(dice.graded(0.35, 0.2), (4.5, dice.between(1.0, 4.0)), static=True, role=BLUE)
    sketch.wall(FLOOR, jnp.where(dice.difficulty > 0.7, RED, 0))


def _ledge(dice: Dice, sketch: Sketch) -> None:
    """A driven wheel with an arm that must climb or throw itself over a block."""
    radius, x = dice.between(0.2, 0.28), 0.8
    hub = (x, radius + 0.01)
    wheel = sketch.circle(radius, hub, role=GREEN, friction=1.5)
    height = dice.graded(0.06, 0.26)
    reach = radius + dice.between(0.25, 0.4)
    arm = sketch.bar(hub, (x, radius + reach), 0.1, friction=1.5)
    sketch.pin(wheel, arm, hub, speed=10.0, torque=dice.between(3.0, 5.0))
    sketch.box(dice.between(0.4, 1.2), height, (2.3, 0.5 * height), static=True, friction=1.0)
    sketch.circle(0.2, (dice.graded(3.4, 4.6), 0.2), static=True, role=BLUE)


def _mills(dice: Dice, sketch: Sketch) -> None:
    """A car that passes under two mills, whose sails are red where the level is hard."""
    radius, base, x = dice.between(0.13, 0.18), dice.between(0.2, 0.28), 0.6
    y = radius + 0.01
    body = sketch.box(2 * base + 0.15, 0.14, (x, y + 0.06), role=GREEN)
    wheels = []
    for binding, side in enumerate((-1, 1)):
        at = (x + side * base, y)
        wheels.append(sketch.circle(radius, at, friction=1.2))
        sketch.pin(body, wheels[-1], at, speed=12.0, torque=0.7, binding=binding)
    sketch.ghost(body, *wheels)
    role = jnp.where(dice.difficulty > 0.5, RED, 0)
    for i in range(2):
        middle, half = (2.0 + 1.25 * i, dice.between(0.95, 1.05)), dice.between(0.45, 0.55)
        turn = dice.between(0.0, jnp.pi)
        sail = sketch.box(2 * half, 0.09, middle, rotation=turn, role=role, density=2.0)
        speed = dice.graded(0.8, 2.5) * jnp.where(dice.chance(0.5), 1.0, -1.0)
        sketch.pin(CEILING, sail, middle, speed=speed, torque=6.0, binding=AUTOMATIC)
    sketch.circle(0.2, (4.5, 0.25), static=True, role=BLUE)


def _drawbridge(dice: Dice, sketch: Sketch) -> None:
    """A ball at the top of a slope, and a bridge over a red pit that must be let down first."""
    left, right, deck = 1.7, dice.between(3.1, 3.4), dice.between(0.9, 1.1)
    span = right - left - 0.16
    sketch.polygon([(0.0, 0.0), (left, 0.0), (left, deck), (0.0, deck + dice.between(0.25, 0.5))], static=True)
    sketch.box(5.0 - right, deck, (0.5 * (5.0 + right), 0.5 * deck), static=True)
    hinge = (jnp.float32(left) + 0.1, deck - 0.04)
    lean = 1.85  # rad: past upright, so that it does not fall by itself
    end = (hinge[0] + span * jnp.cos(lean), hinge[1] + span * jnp.sin(lean))
    bridge = sketch.bar(hinge, end, 0.08, density=3.0)
    sketch.pin(LEFT, bridge, hinge, limits=(-lean - 0.02, 0.02), speed=3.0, torque=30.0)
    radius = dice.between(0.15, 0.2)
    sketch.circle(radius, (0.4, deck + 0.5 + radius + 0.05), role=GREEN, density=0.6)
    sketch.circle(0.25, (dice.between(4.2, 4.6), deck + 0.25), static=True, role=BLUE)
    sketch.wall(FLOOR, RED)
    sketch.wall(RIGHT, 0)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("ledge", _ledge),
    ("one_shelf", _zigzag(1)),
    ("zigzag", _zigzag(3)),
    ("gap_walls", _gap_wall),
    ("mills", _mills),
    ("drawbridge", _drawbridge),
)
OBSTACLES = Family("obstacles", "find the way through a course to the blue goal", VARIANTS)
