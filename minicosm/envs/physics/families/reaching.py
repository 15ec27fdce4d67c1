"""Arms that reach for a blue goal, and grippers that carry something green to it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import BLUE, GREEN, RED
from minicosm.envs.physics.sketch import CEILING, FLOOR, Part, Sketch

_Point = tuple[jax.Array, jax.Array]


def _polar(origin: _Point, reach: jax.Array, angle: jax.Array) -> _Point:
    return origin[0] + reach * jnp.cos(angle), origin[1] + reach * jnp.sin(angle)


def _arm(dice: Dice, sketch: Sketch, count: int, base: _Point, total: jax.Array) -> tuple[list[Part], jax.Array]:
    """An arm of `count` links, `total` m long, on a base in mid-air; its last link is green. Also its first angle."""
    hub = sketch.circle(0.16, base, static=True)
    angle = first = dice.between(-jnp.pi, jnp.pi)
    links: list[Part] = [hub]
    start = base
    for i in range(count):
        end = _polar(start, total / count, angle)
        link = sketch.bar(start, end, 0.12 - 0.02 * i, role=GREEN if i == count - 1 else 0)
        torque = 8.0 * total * total / (i + 1)
        limits = None if i == 0 else (-2.4, 2.4)
        sketch.pin(links[-1], link, start, limits=limits, speed=4.0, torque=torque, binding=i)
        links.append(link)
        angle, start = angle + dice.between(-0.9, 0.9), end
    sketch.ghost(*links)
    return links, first


def _goal(dice: Dice, sketch: Sketch, base: _Point, total: jax.Array, first: jax.Array) -> jax.Array:
    """A blue disc within reach, on another side than the arm; returns the angle at which it is."""
    angle = first + jnp.where(dice.chance(0.5), 1.0, -1.0) * dice.between(1.9, jnp.pi)
    radius = dice.graded(0.25, 0.12)
    sketch.circle(radius, _polar(base, total * dice.graded(0.75, 0.95), angle), static=True, role=BLUE)
    return angle


def _base(dice: Dice) -> _Point:
    return dice.between(2.2, 2.8), dice.between(2.2, 2.8)


def _one(dice: Dice, sketch: Sketch) -> None:
    base, total = _base(dice), dice.between(1.1, 1.7)
    _, first = _arm(dice, sketch, 1, base, total)
    _goal(dice, sketch, base, total, first)


def _two(dice: Dice, sketch: Sketch) -> None:
    base, total = _base(dice), dice.between(1.4, 1.8)
    _, first = _arm(dice, sketch, 2, base, total)
    angle = _goal(dice, sketch, base, total, first)
    half = 0.5 * (angle + first)  # a red disc on the way, which the arm must fold to pass
    sketch.circle(dice.graded(0.06, 0.2), _polar(base, total + 0.35, half), static=True, role=RED)


def _three(dice: Dice, sketch: Sketch) -> None:
    base, total = _base(dice), dice.between(1.5, 1.9)
    _, first = _arm(dice, sketch, 3, base, total)
    angle = _goal(dice, sketch, base, total, first)
    for side in (-1.0, 1.0):
        near = _polar(base, total + 0.3, angle + side * dice.between(0.6, 0.9))
        sketch.circle(dice.graded(0.05, 0.18), near, static=True, role=RED)


def _swing(dice: Dice, sketch: Sketch) -> None:
    """A pendulum with a weak motor that must be swung up to the goal."""
    base, total = (dice.between(1.5, 3.5), dice.between(2.0, 3.0)), dice.between(1.0, 1.5)
    hub = sketch.circle(0.14, base, static=True)
    down = jnp.float32(-jnp.pi / 2)
    end = _polar(base, total, down)
    link = sketch.bar(base, end, 0.1, role=GREEN)
    weight = 0.1 * total * 9.81 * 0.5 * total  # N m, of the link held level
    sketch.pin(hub, link, base, speed=8.0, torque=weight * dice.graded(1.1, 0.35))
    angle = down + jnp.where(dice.chance(0.5), 1.0, -1.0) * dice.graded(1.6, 2.9)
    sketch.circle(dice.between(0.12, 0.2), _polar(base, 0.9 * total, angle), static=True, role=BLUE)


def _gripper(dice: Dice, sketch: Sketch) -> None:
    """A crane with two fingers, a green ball on a stand, a blue shelf on the other side."""
    x, ceiling = dice.between(2.3, 2.7), 4.6
    stand = dice.between(0.4, 0.9)
    radius = dice.between(0.14, 0.2)
    target = x - dice.between(0.55, 0.9)
    sketch.box(0.5, stand, (target, 0.5 * stand), static=True)
    sketch.circle(radius, (target, stand + radius + 0.01), role=GREEN, friction=1.5, density=0.5)
    elbow, wrist = (x + 0.55, jnp.float32(3.2)), (x - 0.1, jnp.float32(2.35))
    upper = sketch.bar((x, jnp.float32(ceiling)), elbow, 0.14)
    fore = sketch.bar(elbow, wrist, 0.12)
    sketch.pin(CEILING, upper, (x, jnp.float32(ceiling)), limits=(-1.6, 1.6), speed=2.5, torque=14.0, binding=0)
    sketch.pin(upper, fore, elbow, limits=(-1.8, 1.8), speed=2.5, torque=9.0, binding=1)
    fingers = []
    for side in (-1.0, 1.0):
        tip = (wrist[0] + side * 0.3, wrist[1] - 0.55)
        finger = sketch.bar((wrist[0] + side * 0.05, wrist[1]), tip, 0.08, friction=1.5)
        limits = (-0.7, 0.5) if side < 0 else (-0.5, 0.7)
        at = (wrist[0] + side * 0.05, wrist[1])
        sketch.pin(fore, finger, at, limits=limits, speed=-side * 3.0, torque=3.0, binding=2)
        fingers.append(finger)
    sketch.ghost(upper, fore, *fingers)
    shelf = dice.graded(0.3, 1.1)
    sketch.box(0.7, 0.12, (x + dice.graded(1.0, 1.7), shelf), static=True, role=BLUE)
    sketch.wall(FLOOR, jnp.where(dice.difficulty > 0.6, RED, 0))


def _pusher(dice: Dice, sketch: Sketch) -> None:
    """An arm that must push a green box along the floor to the blue one."""
    base = (dice.between(1.4, 1.7), jnp.float32(1.5))
    hub = sketch.circle(0.14, base, static=True)
    hand = _polar(base, jnp.float32(1.2), dice.between(2.2, 3.6))
    link = sketch.bar(base, hand, 0.14)
    sketch.pin(hub, link, base, speed=4.0, torque=14.0)
    side = dice.between(0.2, 0.32)
    x = base[0] + dice.between(-0.05, 0.35)
    sketch.box(side, side, (x, 0.5 * side + 0.01), role=GREEN, friction=dice.graded(0.3, 0.5))
    sketch.circle(0.2, (x + dice.graded(0.8, 1.3), 0.2), static=True, role=BLUE)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("one_link", _one),
    ("two_links", _two),
    ("three_links", _three),
    ("swing", _swing),
    ("pusher", _pusher),
    ("gripper", _gripper),
)
REACHING = Family("reaching", "reach or carry something to the blue goal", VARIANTS)
