"""Scenes in plain dataclasses, that both our engine and native Box2D can step: the parity test's common ground.

SI units, y up, angles anticlockwise. `SCENES` holds them by name; `built` gives a scene to our engine, all of them
in one size. Box2D's answers lie in `box2d_reference.json`, written by `benchmarks/box2d_scenes.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics import engine
from minicosm.envs.physics.engine.build import build, idle, slots
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Shape, Weld
from minicosm.envs.physics.engine.scene import Controls, State
from minicosm.envs.physics.engine.size import Size

Poses = Sequence[Sequence[float]]  # x m, y m, angle rad of each body, in the scene's order

SIZE = Size(num_polygons=17, num_circles=7, num_joints=9, num_thrusters=1, num_walls=2)  # every scene fits


@dataclass(frozen=True)
class Body:
    """A convex polygon, or a disc if it has no vertices."""

    position: tuple[float, float]  # m, of the centroid
    vertices: tuple[tuple[float, float], ...] = ()  # m, about the centroid, anticlockwise
    radius: float = 0.0  # m
    density: float = 1.0  # kg/m²
    friction: float = 0.5
    restitution: float = 0.0
    rotation: float = 0.0  # rad
    velocity: tuple[float, float] = (0.0, 0.0)  # m/s
    angular_velocity: float = 0.0  # rad/s
    is_static: bool = False


@dataclass(frozen=True)
class Joint:
    """A hinge at a world point of the starting pose, or a weld; the starting angle is the angle of rest."""

    body_a: int
    body_b: int
    point: tuple[float, float]  # m
    is_fixed: bool = False
    limits: tuple[float, float] | None = None  # rad, of rotation_b - rotation_a from rest
    motor: tuple[float, float] | None = None  # rad/s of b against a, N m


@dataclass(frozen=True)
class Scene:
    """What is simulated and for how long, in ticks of 1/60 s."""

    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...] = ()
    gravity: tuple[float, float] = (0.0, -9.81)  # m/s²
    duration: float = 5.0  # s
    comes_to_rest: bool = True  # False: compare the path instead, early on where the motion is chaotic
    outcome: Callable[["Scene", Poses], str] = lambda scene, poses: ""  # what the poses at the end come to, in a word


def box(width: float, height: float, position: tuple[float, float], **fields: object) -> Body:
    """A rectangle; `fields` are those of `Body`."""
    w, h = width / 2, height / 2
    return replace(Body(position, ((-w, -h), (w, -h), (w, h), (-w, h))), **fields)  # type: ignore[arg-type]


def disc(radius: float, position: tuple[float, float], **fields: object) -> Body:
    """A disc; `fields` are those of `Body`."""
    return replace(Body(position, radius=radius), **fields)  # type: ignore[arg-type]


def stands(scene: Scene, poses: Poses) -> str:
    """Whether every body is still within 0.2 m of its height and 0.2 rad of its angle."""
    starts = [(body.position[1], body.rotation) for body in scene.bodies]
    kept = [abs(y - s) < 0.2 and abs(a - r) < 0.2 for (_, y, a), (s, r) in zip(poses, starts, strict=True)]
    return "stands" if all(kept) else "falls"


def count_fallen(scene: Scene, poses: Poses) -> str:
    """How many bodies have turned by more than half a radian."""
    turned = [abs(pose[2] - body.rotation) > 0.5 for pose, body in zip(poses, scene.bodies, strict=True)]
    return f"{sum(turned)} fallen"


def moved(scene: Scene, poses: Poses) -> str:
    """Whether body 1 is further than 0.1 m from its start."""
    return "moves" if math.dist(poses[1][:2], scene.bodies[1].position) > 0.1 else "holds"


GROUND = box(60.0, 1.0, (0.0, -0.5), is_static=True)  # its top is y = 0
NAIL = box(0.1, 0.1, (0.0, 4.0), is_static=True)  # what hangs, hangs from here


def stack(count: int, density_on_top: float = 1.0) -> Scene:
    """Boxes of 0.5 m on each other, `count` in all."""
    boxes = [box(0.5, 0.5, (0.0, 0.25 + 0.5 * i)) for i in range(count)]
    boxes[-1] = replace(boxes[-1], density=density_on_top)
    return Scene((GROUND, *boxes), duration=10.0, outcome=stands)


def pyramid(rows: int) -> Scene:
    """Rows of boxes 1 cm apart, one fewer each time."""
    boxes = [
        box(0.5, 0.5, (0.51 * (i - (rows - row - 1) / 2), 0.25 + 0.5 * row))
        for row in range(rows)
        for i in range(rows - row)
    ]
    return Scene((GROUND, *boxes), duration=10.0, outcome=stands)


def incline(degrees: float, duration: float, comes_to_rest: bool) -> Scene:
    """A box lying on a slope, with friction 0.5: holds below atan 0.5 = 26.6°."""
    angle = math.radians(degrees)
    slope = box(40.0, 1.0, (0.5 * math.sin(angle), -0.5 * math.cos(angle)), is_static=True, rotation=angle)
    crate = box(0.6, 0.4, (-0.2 * math.sin(angle), 0.2 * math.cos(angle)), rotation=angle)
    return Scene((slope, crate), duration=duration, comes_to_rest=comes_to_rest, outcome=moved)


def pendulum(angle: float) -> Scene:
    """A small disc 1 m from its hinge, released at `angle` from hanging."""
    bob = disc(0.1, (math.sin(angle), 4.0 - math.cos(angle)))
    return Scene((NAIL, bob), (Joint(0, 1, (0.0, 4.0)),), duration=8.0, comes_to_rest=False)


def double_pendulum() -> Scene:
    """Two rods of 1 m, released level."""
    rods = box(1.0, 0.1, (0.5, 4.0)), box(1.0, 0.1, (1.5, 4.0))
    joints = Joint(0, 1, (0.0, 4.0)), Joint(1, 2, (1.0, 4.0))
    return Scene((NAIL, *rods), joints, duration=4.0, comes_to_rest=False)


def chain(load_ratio: float | None = None) -> Scene:
    """Eight links of 0.5 m released level, with a ball of `load_ratio` times a link's mass at the end if given."""
    links = [box(0.5, 0.1, (0.25 + 0.5 * i, 4.0)) for i in range(8)]
    joints = [Joint(i, i + 1, (0.5 * i, 4.0)) for i in range(8)]
    if load_ratio is not None:
        radius = 0.4
        density = load_ratio * 0.05 / (math.pi * radius**2)
        links.append(disc(radius, (4.0 + radius, 4.0), density=density))
        joints.append(Joint(8, 9, (4.0, 4.0)))
    return Scene((NAIL, *links), tuple(joints), duration=4.0, comes_to_rest=False)


def car() -> Scene:
    """A chassis on two driven wheels, rolling to the right."""
    chassis = box(2.0, 0.4, (0.0, 0.6))
    wheels = [disc(0.3, (x, 0.3), friction=0.9) for x in (-0.7, 0.7)]
    joints = [Joint(1, 2 + i, wheel.position, motor=(-6.0, 5.0)) for i, wheel in enumerate(wheels)]
    return Scene((GROUND, chassis, *wheels), tuple(joints), duration=4.0, comes_to_rest=False, outcome=moved)


def seesaw() -> Scene:
    """A plank on a hinge with a light box on one end and a heavy one on the other."""
    stand = replace(Body((0.0, 0.4 / 3), ((-0.3, -0.4 / 3), (0.3, -0.4 / 3), (0.0, 0.8 / 3))), is_static=True)
    plank = box(3.0, 0.1, (0.0, 0.5), friction=0.8)
    light = box(0.3, 0.3, (-1.2, 0.7), friction=0.8)
    heavy = box(0.4, 0.4, (1.2, 0.75), friction=0.8, density=3.0)
    which = lambda scene, poses: "heavy end down" if poses[4][1] < poses[3][1] else "light end down"
    return Scene((GROUND, stand, plank, light, heavy), (Joint(1, 2, (0.0, 0.5)),), duration=6.0, outcome=which)


def limited_arm() -> Scene:
    """A rod that falls from level against its limit, half a radian below."""
    rod = box(1.0, 0.1, (0.5, 4.0))
    return Scene((NAIL, rod), (Joint(0, 1, (0.0, 4.0), limits=(-0.5, 0.5)),), duration=6.0)


def welded_corner() -> Scene:
    """Two boxes welded to an L, dropped on its foot from 0.1 m."""
    parts = box(1.0, 0.2, (0.0, 0.2)), box(0.2, 0.8, (-0.4, 0.7))
    joint = Joint(1, 2, (-0.4, 0.3), is_fixed=True)
    return Scene((GROUND, *parts), (joint,), duration=6.0, outcome=stands)


def cradle() -> Scene:
    """Five discs that touch, each on its own hinge; the first one swings in."""
    angle, length, radius = -0.8, 1.0, 0.1
    hinges = [(2 * radius * i, 4.0) for i in range(5)]
    nail = box(1.2, 0.1, (4 * radius, 4.3), is_static=True)
    discs = [disc(radius, (x, y - length), restitution=1.0, friction=0.0) for x, y in hinges]
    first = (hinges[0][0] + length * math.sin(angle), hinges[0][1] - length * math.cos(angle))
    discs[0] = replace(discs[0], position=first)
    joints = [Joint(0, i + 1, hinge) for i, hinge in enumerate(hinges)]
    out = lambda scene, poses: "last one swings out" if poses[5][0] > hinges[4][0] + 0.1 else "last one stays"
    return Scene((nail, *discs), tuple(joints), duration=1.0, comes_to_rest=False, outcome=out)


def billiards() -> Scene:
    """A rack of six discs and the cue ball, no gravity, no friction, nothing lost."""
    radius, gap = 0.1, 0.001
    pitch = 2 * radius + gap
    rack = [(pitch * math.sqrt(3) / 2 * row, pitch * (i - row / 2)) for row in range(3) for i in range(row + 1)]
    balls = [disc(radius, place, friction=0.0, restitution=1.0) for place in rack]
    cue = disc(radius, (-1.0, 0.02), friction=0.0, restitution=1.0, velocity=(5.0, 0.0))
    return Scene((cue, *balls), gravity=(0.0, 0.0), duration=1.0, comes_to_rest=False)


def bullet() -> Scene:
    """A box at 100 m/s against a wall of 0.1 m."""
    wall = box(0.1, 4.0, (3.0, 0.0), is_static=True)
    crate = box(0.2, 0.2, (0.0, 0.0), velocity=(100.0, 0.0))
    side = lambda scene, poses: "stopped" if poses[1][0] < 2.95 else "through"
    return Scene((wall, crate), gravity=(0.0, 0.0), duration=0.5, comes_to_rest=False, outcome=side)


def sliding_disc() -> Scene:
    """A disc that slides at 2 m/s until it rolls, at two thirds of that."""
    ball = disc(0.25, (0.0, 0.25), velocity=(2.0, 0.0))
    return Scene((GROUND, ball), duration=3.0, comes_to_rest=False)


def dominoes() -> Scene:
    """Ten tiles 0.4 m apart; the first one is pushed."""
    tiles = [box(0.1, 0.8, (0.4 * i, 0.4)) for i in range(10)]
    tiles[0] = replace(tiles[0], angular_velocity=-3.0, velocity=(1.2, 0.0))
    return Scene((GROUND, *tiles), duration=8.0, outcome=count_fallen)


def heavy_on_light() -> Scene:
    """A box on one of a hundredth of its weight."""
    return stack(2, density_on_top=100.0)


SCENES: dict[str, Callable[[], Scene]] = {
    "box_at_rest": lambda: Scene((GROUND, box(1.0, 1.0, (0.0, 0.5)))),
    "box_drop": lambda: Scene((GROUND, box(0.6, 0.4, (0.0, 1.5), rotation=0.3))),
    "ball_drop": lambda: Scene((GROUND, disc(0.25, (0.0, 2.25), restitution=0.5))),
    "incline_sticks": lambda: incline(24.0, 4.0, comes_to_rest=True),
    "incline_slips": lambda: incline(35.0, 2.0, comes_to_rest=False),
    "stack_5": lambda: stack(5),
    "stack_10": lambda: stack(10),
    "pyramid_15": lambda: pyramid(5),
    "pendulum": lambda: pendulum(1.0),
    "double_pendulum": double_pendulum,
    "chain_8": chain,
    "chain_100x_load": lambda: chain(load_ratio=100.0),
    "car": car,
    "seesaw": seesaw,
    "limited_arm": limited_arm,
    "welded_corner": welded_corner,
    "heavy_on_light_100x": heavy_on_light,
    "heavy_on_stack_30x": lambda: stack(5, density_on_top=30.0),
    "cradle": cradle,
    "billiards": billiards,
    "bullet": bullet,
    "sliding_disc": sliding_disc,
    "dominoes": dominoes,
}


def anchor(body: Body, point: tuple[float, float]) -> tuple[float, float]:
    """A world point of the starting pose in the body's frame."""
    cos, sin = math.cos(body.rotation), math.sin(body.rotation)
    x, y = point[0] - body.position[0], point[1] - body.position[1]
    return cos * x + sin * y, cos * y - sin * x


def built(scene: Scene) -> tuple[engine.Scene, State, Controls, tuple[int, ...]]:
    """The scene for our engine in `SIZE`, with its state, its motors' controls, and the slot of each body."""
    is_wall = [body.is_static and bool(body.vertices) for body in scene.bodies]
    order = [i for i, wall in enumerate(is_wall) if not wall] + [i for i, wall in enumerate(is_wall) if wall]
    number = {body: place for place, body in enumerate(order)}  # shapes are counted first, then walls
    shapes = [as_shape(scene.bodies[i]) for i in order]
    split = len(order) - sum(is_wall)
    joints = [as_joint(joint, number) for joint in scene.joints]
    made, state = build(SIZE, shapes[:split], joints, walls=shapes[split:], gravity=scene.gravity)
    places = slots(SIZE, shapes[:split], shapes[split:])
    controls = idle(made)
    for i, joint in enumerate(scene.joints):
        if joint.motor is not None:
            speed, torque = controls.motor_speed.at[i], controls.motor_torque.at[i]
            controls = replace(controls, motor_speed=speed.set(joint.motor[0]), motor_torque=torque.set(joint.motor[1]))
    return made, state, controls, tuple(places[number[i]] for i in range(len(scene.bodies)))


def as_shape(body: Body) -> Shape:
    """A body in our engine's words."""
    names = ("position", "rotation", "density", "friction", "restitution", "velocity", "angular_velocity")
    fields = {name: getattr(body, name) for name in names} | {"static": body.is_static}
    return Polygon(body.vertices, **fields) if body.vertices else Circle(body.radius, **fields)


def as_joint(joint: Joint, number: dict[int, int]) -> Pin | Weld:
    """A joint in our engine's words, which number bodies as `number` says."""
    a, b = number[joint.body_a], number[joint.body_b]
    return Weld(a, b, at=joint.point) if joint.is_fixed else Pin(a, b, at=joint.point, limits=joint.limits)


def joint_gap(scene: Scene, poses: Poses) -> float:
    """Distance, m, between the two anchors of the joint that is worst held; 0 without joints."""
    worst = 0.0
    for joint in scene.joints:
        ends = []
        for i in (joint.body_a, joint.body_b):
            (x, y), (place_x, place_y, angle) = anchor(scene.bodies[i], joint.point), poses[i]
            cos, sin = math.cos(angle), math.sin(angle)
            ends.append((place_x + cos * x - sin * y, place_y + sin * x + cos * y))
        worst = max(worst, math.dist(*ends))
    return worst


def play(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Our engine's poses f32[ticks, bodies, 3] (x m, y m, angle rad) of these scenes, stepped side by side."""
    scenes = [SCENES[name]() for name in names]
    made = [built(scene) for scene in scenes]
    worlds, states, controls = (jax.tree.map(lambda *x: jnp.stack(x), *(m[part] for m in made)) for part in range(3))
    longest = max(round(60 * scene.duration) for scene in scenes)

    def step(state: State, _: None) -> tuple[State, jax.Array]:
        state = jax.vmap(engine.tick)(worlds, state, controls)
        return state, jnp.concatenate([state.position, state.rotation[..., None]], axis=-1)

    poses = np.asarray(jax.jit(lambda state: jax.lax.scan(step, state, None, length=longest)[1])(states))
    places = [np.array(m[3]) for m in made]
    ticks = [round(60 * scene.duration) for scene in scenes]
    return {name: poses[: ticks[i], i][:, places[i]] for i, name in enumerate(names)}
