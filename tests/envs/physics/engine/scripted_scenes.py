"""Scenes in plain dataclasses, that both our engine and native Box2D can step: the parity test's common ground.

SI units, y up, angles anticlockwise. `SCENES` holds them by name; `padded` gives a scene as arrays of one size, with
the names and meanings of the level files that `benchmarks/kinetix_scenes.py` writes. Box2D's answers lie beside this
file in `box2d_reference.json`, written by `benchmarks/box2d_scenes.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

Poses = Sequence[Sequence[float]]  # x m, y m, angle rad of each body, in the scene's order

NUM_WALLS, NUM_POLYGONS, NUM_CIRCLES, NUM_JOINTS, NUM_THRUSTERS = 4, 20, 8, 10, 1  # every scene fits


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


def slots(scene: Scene) -> list[int]:
    """The padded slot of each body: walls from 0, other polygons from NUM_WALLS, discs from NUM_POLYGONS."""
    free = {"wall": 0, "polygon": NUM_WALLS, "disc": NUM_POLYGONS}
    places = []
    for body in scene.bodies:
        kind = "disc" if not body.vertices else "wall" if body.is_static else "polygon"
        places.append(free[kind])
        free[kind] += 1
    if free["wall"] > NUM_WALLS or free["polygon"] > NUM_POLYGONS or free["disc"] > NUM_POLYGONS + NUM_CIRCLES:
        raise ValueError(f"the scene needs up to slots {free}, more than the padded size has: enlarge it")
    return places


def anchor(body: Body, point: tuple[float, float]) -> tuple[float, float]:
    """A world point of the starting pose in the body's frame."""
    cos, sin = math.cos(body.rotation), math.sin(body.rotation)
    x, y = point[0] - body.position[0], point[1] - body.position[1]
    return cos * x + sin * y, cos * y - sin * x


def mass_properties(body: Body) -> tuple[float, float]:
    """Mass, kg, and moment of inertia about the centroid, kg m², in closed form."""
    if not body.vertices:
        mass = body.density * math.pi * body.radius**2
        return mass, mass * body.radius**2 / 2
    v, w = np.array(body.vertices), np.roll(body.vertices, -1, axis=0)
    double_area = v[:, 0] * w[:, 1] - v[:, 1] * w[:, 0]
    squares = (v * v).sum(1) + (v * w).sum(1) + (w * w).sum(1)
    return body.density * double_area.sum() / 2, body.density * (double_area * squares).sum() / 12


def padded(scene: Scene) -> dict[str, np.ndarray]:
    """The scene as arrays of the one size that all of them fit, without a level axis."""
    num_shapes = NUM_POLYGONS + NUM_CIRCLES
    zeros = lambda *shape: np.zeros(shape, np.float32)
    arrays = {name: zeros(num_shapes, 2) for name in ("position", "velocity")}
    names = ("rotation", "angular_velocity", "density", "inverse_mass", "inverse_inertia", "friction", "restitution")
    arrays |= {name: zeros(num_shapes) for name in names}
    square = np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]], np.float32)  # in empty slots
    arrays["active"] = np.zeros(num_shapes, bool)
    arrays["vertices"] = np.tile(square, (NUM_POLYGONS, 1, 1))
    arrays["num_vertices"] = np.full(NUM_POLYGONS, 4, np.int32)
    arrays["radius"] = np.full(NUM_CIRCLES, 0.1, np.float32)
    arrays["gravity"] = np.array(scene.gravity, np.float32)
    places = slots(scene)
    for place, body in zip(places, scene.bodies, strict=True):
        for name in ("position", "velocity", "rotation", "angular_velocity", "density", "friction", "restitution"):
            arrays[name][place] = getattr(body, name)
        arrays["active"][place] = True
        if not body.is_static:
            mass, inertia = mass_properties(body)
            arrays["inverse_mass"][place], arrays["inverse_inertia"][place] = 1.0 / mass, 1.0 / inertia
        if body.vertices:
            count = len(body.vertices)
            arrays["vertices"][place] = body.vertices + body.vertices[-1:] * (4 - count)
            arrays["num_vertices"][place] = count
        else:
            arrays["radius"][place - NUM_POLYGONS] = body.radius
    moves = arrays["inverse_mass"] > 0.0
    collides = arrays["active"][:, None] & arrays["active"][None, :] & (moves[:, None] | moves[None, :])
    np.fill_diagonal(collides, False)
    arrays["collides"] = collides
    return arrays | padded_joints(scene, places, collides) | padded_thrusters()


def padded_joints(scene: Scene, places: list[int], collides: np.ndarray) -> dict[str, np.ndarray]:
    """The joints' arrays; what they join ceases to collide, in `collides` itself."""
    zeros = lambda *shape: np.zeros((NUM_JOINTS, *shape), np.float32)
    arrays = {"shape_a": np.zeros(NUM_JOINTS, np.int32), "shape_b": np.ones(NUM_JOINTS, np.int32)}
    arrays |= {"anchor_a": zeros(2), "anchor_b": zeros(2)}
    arrays |= {name: zeros() for name in ("rest_angle", "lower", "upper", "motor_speed", "motor_torque")}
    arrays |= {name: np.zeros(NUM_JOINTS, bool) for name in ("is_fixed", "has_limit", "motor_on", "active")}
    for i, joint in enumerate(scene.joints):
        a, b = scene.bodies[joint.body_a], scene.bodies[joint.body_b]
        place_a, place_b = places[joint.body_a], places[joint.body_b]
        collides[place_a, place_b] = collides[place_b, place_a] = False
        arrays["shape_a"][i], arrays["shape_b"][i] = place_a, place_b
        arrays["anchor_a"][i], arrays["anchor_b"][i] = anchor(a, joint.point), anchor(b, joint.point)
        arrays["rest_angle"][i] = b.rotation - a.rotation
        arrays["active"][i], arrays["is_fixed"][i] = True, joint.is_fixed
        if joint.limits is not None:
            arrays["has_limit"][i], (arrays["lower"][i], arrays["upper"][i]) = True, joint.limits
        if joint.motor is not None:
            arrays["motor_on"][i], (arrays["motor_speed"][i], arrays["motor_torque"][i]) = True, joint.motor
    return {f"joint_{name}": array for name, array in arrays.items()}


def padded_thrusters() -> dict[str, np.ndarray]:
    """Empty thruster slots."""
    count = NUM_THRUSTERS
    return {
        "thruster_shape": np.zeros(count, np.int32),
        "thruster_point": np.zeros((count, 2), np.float32),
        "thruster_angle": np.zeros(count, np.float32),
        "thruster_force": np.zeros(count, np.float32),
        "thruster_active": np.zeros(count, bool),
    }
