"""Bodies that walk, roll, crawl and swim to a blue goal."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.families.family import Dice, Draw, Family
from minicosm.envs.physics.level import BLUE, GREEN, RED
from minicosm.envs.physics.sketch import Part, Sketch

_GAP = 0.03  # m, between what must not touch at the start


def _goal(dice: Dice, sketch: Sketch, nearest: float) -> jax.Array:
    """A blue disc at the floor's right, farther away the harder the level is; returns where its left edge is (m)."""
    radius, x = dice.between(0.15, 0.22), dice.graded(nearest + 0.25, 4.7)
    sketch.circle(radius, (x, dice.between(radius + 0.01, 0.35)), static=True, role=BLUE)
    return x - radius


def _steps(dice: Dice, sketch: Sketch, count: int, start: jax.Array | float, end: jax.Array) -> None:
    """Flat bumps on the floor from `start` to `end` (m), each higher the harder the level is."""
    width = jnp.maximum(end - start, 0.1) / count
    for i in range(count):
        height = dice.graded(0.02, 0.14)
        half = 0.5 * width * dice.between(0.3, 0.8)
        middle = start + (i + 0.5) * width
        outline = [(-half, 0.0), (half, 0.0), (0.6 * half, height), (-0.6 * half, height)]
        sketch.polygon(outline, (middle, 0.0), static=True, friction=1.0)


def _unicycle(dice: Dice, sketch: Sketch) -> None:
    radius, height, x = dice.between(0.18, 0.28), dice.between(0.35, 0.8), 0.8
    wheel = sketch.circle(radius, (x, radius + 0.01), friction=1.0)
    hub = (x, radius + 0.01)
    pole = sketch.bar(hub, (x, radius + height), 0.12, role=GREEN)
    sketch.pin(pole, wheel, hub, speed=dice.between(6, 12), torque=dice.between(0.6, 1.5))
    _goal(dice, sketch, 1.6)


def _car(dice: Dice, sketch: Sketch) -> None:
    _rolling(dice, sketch, 0.95)
    end = _goal(dice, sketch, 2.6)
    height = dice.graded(0.03, 0.22)
    half = height * dice.between(2.2, 3.5)
    place = jnp.minimum(1.75 + half + dice.between(0.0, 0.3), end - half - 0.1)
    sketch.polygon([(-half, 0.0), (half, 0.0), (0.0, height)], (place, 0.0), static=True, friction=1.0)


def _hills(dice: Dice, sketch: Sketch) -> None:
    _rolling(dice, sketch, 0.95)
    end = _goal(dice, sketch, 4.4)
    _steps(dice, sketch, 5, 1.75, end - 0.1)


def _rolling(dice: Dice, sketch: Sketch, x: float) -> None:
    """A car, green, 1.5 m long at most, with its middle at `x`; drives on bindings 0 and 1."""
    radius, base = dice.between(0.15, 0.24), dice.between(0.3, 0.5)
    y = radius + 0.01
    chassis = sketch.box(2 * base + 0.2, 0.18, (x, y + 0.1), role=GREEN)
    wheels = [sketch.circle(radius, (x + side * base, y), friction=1.2) for side in (-1, 1)]
    for binding, (wheel, side) in enumerate(zip(wheels, (-1, 1), strict=True)):
        sketch.pin(chassis, wheel, (x + side * base, y), speed=12.0, torque=dice.between(0.5, 1.0), binding=binding)
    sketch.ghost(chassis, *wheels)


def _crawler(dice: Dice, sketch: Sketch) -> None:
    length, reach, x = dice.between(0.5, 0.8), dice.between(0.4, 0.6), 0.5
    y = 0.1
    body = sketch.box(length, 0.16, (x + 0.5 * length, y), role=GREEN, friction=0.5)
    hip = (x + length - 0.06, y + 0.02)
    arm = sketch.bar(hip, (hip[0] + 0.7 * reach, hip[1] + 0.7 * reach), 0.09, friction=1.5, density=2.0)
    sketch.pin(body, arm, hip, speed=6.0, torque=dice.between(2.0, 4.0))
    _goal(dice, sketch, 2.2)


def _leg(
    sketch: Sketch, dice: Dice, body: Part, hip: tuple[jax.Array, jax.Array], bindings: tuple[int, int]
) -> list[Part]:
    """Thigh and shin under a hip; the foot ends just above the floor."""
    bend = dice.between(0.1, 0.35)
    knee = (hip[0] + bend * 0.5, 0.52 * hip[1])
    foot = (hip[0], jnp.float32(0.07))
    thigh = sketch.bar(hip, knee, 0.11)
    shin = sketch.bar(knee, foot, 0.09, friction=1.5)
    sketch.pin(body, thigh, hip, limits=(-0.9, 0.9), speed=6.0, torque=5.0, binding=bindings[0])
    sketch.pin(thigh, shin, knee, limits=(-1.2, 0.4), speed=6.0, torque=3.0, binding=bindings[1])
    return [thigh, shin]


def _walker(dice: Dice, sketch: Sketch) -> None:
    x, height = 0.7, dice.between(0.55, 0.75)
    torso = sketch.box(0.24, 0.45, (x, height + 0.2), role=GREEN)
    hip = (jnp.float32(x), height)
    parts = [torso, *_leg(sketch, dice, torso, hip, (0, 1)), *_leg(sketch, dice, torso, hip, (2, 3))]
    sketch.ghost(*parts)
    end = _goal(dice, sketch, 2.4)
    _steps(dice, sketch, 2, 1.3, end - 0.1)


def _cheetah(dice: Dice, sketch: Sketch) -> None:
    length, height, x = dice.between(0.8, 1.1), dice.between(0.42, 0.55), 0.45
    torso = sketch.box(length, 0.2, (x + 0.5 * length, height), role=GREEN)
    hips = [(x + 0.08, height), (x + length - 0.12, height)]
    parts = [torso]
    for i, hip in enumerate(hips):
        parts += _leg(sketch, dice, torso, (jnp.float32(hip[0]), hip[1]), (2 * i, 2 * i + 1))
    sketch.ghost(*parts)
    end = _goal(dice, sketch, 3.0)
    _steps(dice, sketch, 2, 1.9, end - 0.1)


def _hopper(dice: Dice, sketch: Sketch) -> None:
    x, height = 0.7, dice.between(0.6, 0.8)
    torso = sketch.box(0.2, 0.5, (x, height + 0.2), role=GREEN)
    hip, knee, ankle = (x, height), (x + 0.2, 0.55 * height), (x, 0.1)
    thigh, shin = sketch.bar(hip, knee, 0.11), sketch.bar(knee, ankle, 0.1)
    foot = sketch.box(0.4, 0.1, (x + 0.08, 0.07), friction=1.5)
    sketch.pin(torso, thigh, hip, limits=(-1.2, 0.6), speed=6.0, torque=6.0, binding=0)
    sketch.pin(thigh, shin, knee, limits=(-0.6, 1.2), speed=8.0, torque=6.0, binding=1)
    sketch.pin(shin, foot, ankle, limits=(-0.8, 0.8), speed=6.0, torque=3.0, binding=2)
    sketch.ghost(torso, thigh, shin, foot)
    end = _goal(dice, sketch, 2.4)
    _steps(dice, sketch, 3, 1.3, end - 0.1)


def _snake(dice: Dice, sketch: Sketch) -> None:
    link, x, y = dice.between(0.3, 0.4), 0.4, 0.09
    links = [
        sketch.box(link, 0.14, (x + (i + 0.5) * link, y), role=GREEN if i == 4 else 0, friction=1.0) for i in range(5)
    ]
    for i in range(4):
        at = (x + (i + 1) * link, y)
        sketch.pin(links[i], links[i + 1], at, limits=(-1.4, 1.4), speed=5.0, torque=4.0, binding=i)
    sketch.ghost(*links)
    end = _goal(dice, sketch, 3.4)
    _steps(dice, sketch, 2, 2.5, end - 0.1)


def _swimmer(dice: Dice, sketch: Sketch) -> None:
    """Weightless: a hull with a hinged tail that pushes; it steers by swinging the tail."""
    sketch.gravity(0.0, 0.0)
    radius, tail, x, y = dice.between(0.16, 0.26), dice.between(0.3, 0.5), 1.0, dice.between(1.5, 3.5)
    hull = sketch.circle(radius, (x, y), role=GREEN)
    joint, end = (x - 0.8 * radius, y), (x - radius - tail, y)
    fin = sketch.bar(joint, end, 0.1)
    sketch.pin(hull, fin, joint, limits=(-0.9, 0.9), speed=4.0, torque=1.0)
    sketch.thruster(fin, end, 0.0, dice.between(0.4, 0.9))
    away = dice.graded(0.2, 1.4) * jnp.where(dice.chance(0.5), 1.0, -1.0)
    sketch.circle(dice.between(0.2, 0.3), (dice.graded(2.4, 4.6), jnp.clip(y + away, 0.4, 4.6)), static=True, role=BLUE)


def _eel(dice: Dice, sketch: Sketch) -> None:
    """The swimmer among red rocks."""
    _swimmer(dice, sketch)
    for i in range(3):
        x, y = 1.9 + 0.35 * i, dice.between(0.5, 4.5)
        size = dice.graded(0.06, 0.15)
        sketch.polygon([(-size, -size), (size, -0.6 * size), (0.2 * size, size)], (x, y), static=True, role=RED)


VARIANTS: tuple[tuple[str, Draw], ...] = (
    ("unicycle", _unicycle),
    ("car", _car),
    ("hills", _hills),
    ("crawler", _crawler),
    ("walker", _walker),
    ("cheetah", _cheetah),
    ("hopper", _hopper),
    ("snake", _snake),
    ("swimmer", _swimmer),
    ("eel", _eel),
)
LOCOMOTION = Family("locomotion", "walk, roll, crawl or swim to a blue goal", VARIANTS)
