"""From parts in the room, as generators place them, to a `Level`: masses, body frames and who collides with whom.

Everything here is traced and works on one level; `jax.vmap` makes a batch. Axis letters: N slots that are not part of
the room (the free polygons, then the circles), Q of them polygons; otherwise as in `engine.scene`.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.physics.config import ROOM
from minicosm.envs.physics.engine.definitions import box_walls
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.engine.scene import Joints, Scene, Thrusters
from minicosm.envs.physics.engine.size import Size, pairs
from minicosm.envs.physics.level import SCENERY, Level

NUM_WALLS = 4  # of the room: floor, ceiling, left, right, in the first slots
WALL_FRICTION = 0.6
_EMPTY = np.array([[-0.5, -1 / 3], [0.5, -1 / 3], [0.0, 2 / 3]], np.float32)  # what `build` leaves in an empty slot


@struct.dataclass
class Shapes:
    """The N shapes of a level that are not walls of the room."""

    vertices: jax.Array  # f32[Q, V, 2]  m, anticlockwise, about `position` before turning; unused ones repeat the last
    radius: jax.Array  # f32[N - Q]  m
    position: jax.Array  # f32[N, 2]  m
    rotation: jax.Array  # f32[N]  rad
    velocity: jax.Array  # f32[N, 2]  m/s
    angular_velocity: jax.Array  # f32[N]  rad/s
    density: jax.Array  # f32[N]  kg/m^2
    friction: jax.Array  # f32[N]
    restitution: jax.Array  # f32[N]
    role: jax.Array  # i32[N]
    static: jax.Array  # bool[N]
    present: jax.Array  # bool[N]
    wall_role: jax.Array  # i32[4]


@struct.dataclass
class Holds:
    """The J joints, by slots of the level."""

    active: jax.Array  # bool[J]
    shape_a: jax.Array  # i32[J]
    shape_b: jax.Array  # i32[J]
    at: jax.Array  # f32[J, 2]  m, world
    has_limit: jax.Array  # bool[J]
    lower: jax.Array  # f32[J]  rad, from how the shapes are posed
    upper: jax.Array  # f32[J]  rad
    motor_speed: jax.Array  # f32[J]  rad/s
    motor_torque: jax.Array  # f32[J]  N m
    motor_binding: jax.Array  # i32[J]


@struct.dataclass
class Jets:
    """The T thrusters, by slots of the level."""

    shape: jax.Array  # i32[T]
    at: jax.Array  # f32[T, 2]  m, world
    angle: jax.Array  # f32[T]  rad, of the force, world
    force: jax.Array  # f32[T]  N; 0 where there is none
    binding: jax.Array  # i32[T]


@struct.dataclass
class Parts:
    """All that generators say about a level."""

    shapes: Shapes
    holds: Holds
    jets: Jets
    gravity: jax.Array  # f32[2]  m/s^2
    apart: jax.Array  # bool[N, N], symmetric: which shapes never collide; jointed ones do not anyway


def first_free(size: Size) -> int:
    """The first polygon slot behind the room's walls. Raises ValueError where the room does not fit `size`."""
    if size.num_polygons < NUM_WALLS:
        raise ValueError(
            f"a room has {NUM_WALLS} walls, but the size has num_polygons {size.num_polygons}: raise num_polygons"
        )
    return max(NUM_WALLS, size.num_walls)


def num_loose(size: Size) -> tuple[int, int]:
    """N and Q: how many shapes, and how many of them polygons, there is room for beside the walls."""
    polygons = size.num_polygons - first_free(size)
    return polygons + size.num_circles, polygons


@functools.cache
def room(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """f32[P - Q, V, 2] outlines and f32[P - Q, 2] places of the room's walls, and of slots left empty behind them."""
    outlines = np.tile(_padded(_EMPTY, size.max_vertices), (first_free(size), 1, 1))
    places = np.zeros((first_free(size), 2), np.float32)
    for slot, wall in enumerate(box_walls(ROOM, ROOM)):
        corners = np.array(wall.vertices, np.float32)
        if size.max_vertices < len(corners):
            raise ValueError(f"walls have 4 corners, but the size has max_vertices {size.max_vertices}: raise it to 4")
        outlines[slot], places[slot] = _padded(corners, size.max_vertices), wall.position
    return outlines, places


def _padded(vertices: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([vertices, np.repeat(vertices[-1:], count - len(vertices), axis=0)])


def assemble(size: Size, parts: Parts) -> Level:
    """The level of these parts in the usual room."""
    shapes, holds, jets = parts.shapes, parts.holds, parts.jets
    present, num_polygons = shapes.present, shapes.vertices.shape[0]
    outlines = jnp.where(present[:num_polygons, None, None], shapes.vertices, _padded(_EMPTY, size.max_vertices))
    radius = jnp.where(present[num_polygons:], shapes.radius, 1.0)
    cos, sin = jnp.cos(shapes.rotation), jnp.sin(shapes.rotation)
    mass, centroid, inertia = polygon_mass(outlines, shapes.density[:num_polygons])
    disc = disc_mass(radius, shapes.density[num_polygons:])
    offset = jnp.pad(centroid, ((0, present.shape[0] - num_polygons), (0, 0)))
    position = jnp.where(present[:, None], shapes.position + turned(offset, cos, sin), 0.0)
    moves = present & ~shapes.static

    def with_walls(free: jax.Array, walls: float = 0.0) -> jax.Array:
        return jnp.pad(free, ((first, 0),) + ((0, 0),) * (free.ndim - 1), constant_values=walls)

    def inverse(polygons: jax.Array, discs: jax.Array) -> jax.Array:
        return with_walls(jnp.where(moves, 1.0 / jnp.concatenate([polygons, discs]), 0.0))

    walls, places = room(size)
    first = len(walls)
    is_wall = np.arange(first) < NUM_WALLS
    all_present = jnp.concatenate([is_wall, present])
    all_position = jnp.concatenate([places, position])
    rotation = with_walls(jnp.where(present, shapes.rotation, 0.0))
    friction = jnp.concatenate([WALL_FRICTION * is_wall, jnp.where(present, shapes.friction, 0.0)])
    moving = jnp.concatenate([jnp.zeros(first, bool), moves])
    scene = Scene(
        vertices=jnp.concatenate([walls, outlines - jnp.where(present[:num_polygons, None], centroid, 0.0)[:, None]]),
        radius=radius,
        inverse_mass=inverse(mass, disc[0]),
        inverse_inertia=inverse(inertia, disc[1]),
        friction=friction,
        restitution=with_walls(jnp.where(present, shapes.restitution, 0.0)),
        collides=_collides(size, all_present, moving, holds, parts.apart),
        gravity=parts.gravity,
        joints=_joints(size, holds, all_position, rotation),
        thrusters=_thrusters(jets, all_position, rotation),
        size=size,
    )
    wall_role = jnp.pad(shapes.wall_role, (0, first - NUM_WALLS))
    has_motor, has_jet = holds.active & (holds.motor_torque > 0), jets.force > 0
    return Level(
        scene=scene,
        position=all_position,
        rotation=rotation,
        velocity=with_walls(jnp.where(moves[:, None], shapes.velocity, 0.0)),
        angular_velocity=with_walls(jnp.where(moves, shapes.angular_velocity, 0.0)),
        present=all_present,
        role=jnp.concatenate([wall_role, jnp.where(present, shapes.role, SCENERY)]).astype(jnp.int32),
        motor_speed=jnp.where(has_motor, holds.motor_speed, 0.0),
        motor_torque=jnp.where(has_motor, holds.motor_torque, 0.0),
        motor_binding=jnp.where(has_motor, holds.motor_binding, 0).astype(jnp.int32),
        thruster_force=jnp.where(has_jet, jets.force, 0.0),
        thruster_binding=jnp.where(has_jet, jets.binding, 0).astype(jnp.int32),
    )


def turned(vector: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """f32[..., 2] turned anticlockwise by angles of these cosines and sines f32[...]."""
    x, y = vector[..., 0], vector[..., 1]
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _collides(size: Size, present: jax.Array, moving: jax.Array, holds: Holds, apart: jax.Array) -> jax.Array:
    """bool[K]."""
    a, b = pairs(size).T
    num_shapes, first = size.num_shapes, present.shape[0] - apart.shape[0]
    meets = ~jnp.pad(apart, ((first, 0), (first, 0)))
    meets &= (present[:, None] & present) & (moving[:, None] | moving)
    slot = np.arange(num_shapes)
    is_a, is_b = holds.shape_a[:, None] == slot, holds.shape_b[:, None] == slot  # [J, S]
    held = is_a[:, :, None] & is_b[:, None, :] & holds.active[:, None, None]
    held = jnp.any(held | jnp.swapaxes(held, 1, 2), axis=0)
    return (meets & ~held).reshape(-1)[a * num_shapes + b]


def _joints(size: Size, holds: Holds, position: jax.Array, rotation: jax.Array) -> Joints:
    active, zero = holds.active, jnp.zeros_like(holds.lower)
    other = min(1, size.num_shapes - 1)
    shape_a, shape_b = jnp.where(active, holds.shape_a, 0), jnp.where(active, holds.shape_b, other)
    anchors = (jnp.where(active[:, None], body_point(holds.at, s, position, rotation), 0.0) for s in (shape_a, shape_b))
    anchor_a, anchor_b = anchors
    has_limit = active & holds.has_limit
    return Joints(
        shape_a=shape_a.astype(jnp.int32),
        shape_b=shape_b.astype(jnp.int32),
        anchor_a=anchor_a,
        anchor_b=anchor_b,
        rest_angle=jnp.where(active, rotation[shape_b] - rotation[shape_a], 0.0),
        has_limit=has_limit,
        lower=jnp.where(has_limit, holds.lower, 0.0),
        upper=jnp.where(has_limit, holds.upper, 0.0),
        spring_hertz=zero,
        spring_damping=zero + 1.0,
        active=active,
    )


def _thrusters(jets: Jets, position: jax.Array, rotation: jax.Array) -> Thrusters:
    on = jets.force > 0
    shape = jnp.where(on, jets.shape, 0).astype(jnp.int32)
    return Thrusters(
        shape=shape,
        point=jnp.where(on[:, None], body_point(jets.at, shape, position, rotation), 0.0),
        angle=jnp.where(on, jets.angle - rotation[shape], 0.0),
    )


def body_point(at: jax.Array, shape: jax.Array, position: jax.Array, rotation: jax.Array) -> jax.Array:
    """f32[n, 2]: world points `at` in the body frames of shapes `shape` i32[n], which lie at these places."""
    angle = rotation[shape]
    return turned(at - position[shape], jnp.cos(angle), -jnp.sin(angle))
