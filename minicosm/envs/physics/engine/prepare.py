"""What is found once per tick: contact rows from where the shapes lie, joints from how they hang, forces.

Arrays are batch-last.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine.collide import (
    Manifold,
    Polygons,
    circle_circle,
    polygon_circle,
    polygon_polygon,
    with_normals,
)
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.contact import Impulses, Rows, coupling, couplings
from minicosm.envs.physics.engine.fuse import greatest, least, total
from minicosm.envs.physics.engine.joint import Pin
from minicosm.envs.physics.engine.scene import Controls, Scene, State
from minicosm.envs.physics.engine.size import Size, pairs, rounds, sides
from minicosm.envs.physics.engine.soft import softness

Tree = TypeVar("Tree")


def world_polygons(scene: Scene, state: State) -> Polygons:
    """The polygons where they lie, f32[V, P, B]."""
    num_polygons = scene.size.num_polygons
    angle, place = state.rotation[:num_polygons], state.position[:num_polygons]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = jnp.swapaxes(scene.vertices[:, :, 0], 0, 1), jnp.swapaxes(scene.vertices[:, :, 1], 0, 1)
    return with_normals(place[:, 0] + cos * x - sin * y, place[:, 1] + sin * x + cos * y)


def manifolds(scene: Scene, state: State) -> tuple[Manifold, jax.Array]:
    """How the shapes of every pair face each other, f32[..., K, B], normals from the left shape to the right one.

    And how far apart their bounding boxes are along the axes, f32[K, B] m.
    """
    size = scene.size
    num_polygons = size.num_polygons
    polygons = world_polygons(scene, state)
    x, y, radius = state.position[num_polygons:, 0], state.position[num_polygons:, 1], scene.radius
    low = jnp.stack([jnp.concatenate([least(c, 0), m - radius]) for c, m in ((polygons.x, x), (polygons.y, y))])
    high = jnp.stack([jnp.concatenate([greatest(c, 0), m + radius]) for c, m in ((polygons.x, x), (polygons.y, y))])
    a, b = pairs(size).T
    kinds = (b < num_polygons, (a < num_polygons) & (b >= num_polygons), a >= num_polygons)

    def polygon(index: np.ndarray) -> Polygons:
        return Polygons(*(field[:, index] for field in polygons))

    def circle(index: np.ndarray) -> tuple[jax.Array, jax.Array, jax.Array]:
        return x[index - num_polygons], y[index - num_polygons], radius[index - num_polygons]

    parts = []
    if kinds[0].any():
        parts.append(polygon_polygon(polygon(a[kinds[0]]), polygon(b[kinds[0]])))
    if kinds[1].any():
        parts.append(polygon_circle(polygon(a[kinds[1]]), *circle(b[kinds[1]])))
    if kinds[2].any():
        parts.append(circle_circle(circle(a[kinds[2]]), circle(b[kinds[2]])))
    where = np.argsort(np.concatenate([np.flatnonzero(kind) for kind in kinds]))
    found = Manifold(*(jnp.concatenate(fields, axis=-2)[..., where, :] for fields in zip(*parts, strict=True)))
    flip = jnp.asarray(np.where(sides(size)[0] == a, 1.0, -1.0), x.dtype)[:, None]
    between_boxes = greatest(jnp.maximum(low[:, b] - high[:, a], low[:, a] - high[:, b]), 0)
    return found._replace(normal_x=flip * found.normal_x, normal_y=flip * found.normal_y), between_boxes


def accelerations(scene: Scene, state: State, controls: Controls) -> jax.Array:
    """f32[3 (x, y, turn), S, B] m/s^2, m/s^2, rad/s^2: of gravity and thrusters, through the tick."""
    thrusters, num_shapes = scene.thrusters, scene.size.num_shapes
    is_at = (jnp.arange(num_shapes)[:, None] == thrusters.shape[:, None]).astype(state.rotation.dtype)  # [T, S, B]
    angle = total(is_at * state.rotation, 1)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    px, py = thrusters.point[:, 0], thrusters.point[:, 1]
    force_x = controls.thrust * jnp.cos(angle + thrusters.angle)
    force_y = controls.thrust * jnp.sin(angle + thrusters.angle)
    torque = (cos * px - sin * py) * force_y - (sin * px + cos * py) * force_x
    push = total(is_at[None] * jnp.stack([force_x, force_y, torque])[:, :, None], 1)
    weight = jnp.where(scene.inverse_mass > 0.0, 1.0, 0.0)
    return jnp.stack(
        [
            weight * scene.gravity[0] + scene.inverse_mass * push[0],
            weight * scene.gravity[1] + scene.inverse_mass * push[1],
            scene.inverse_inertia * push[2],
        ]
    )


def contact_rows(scene: Scene, state: State, acceleration: jax.Array, config: EngineConfig) -> tuple[Rows, Impulses]:
    """Rows and warm impulses of every pair, f32[K, B], from where the shapes lie."""
    found, between_boxes = manifolds(scene, state)
    nx, ny = found.normal_x, found.normal_y
    sides_of_pairs = sides(scene.size)
    arms, inverse = [], []
    for side in sides_of_pairs:
        centre_x, centre_y = state.position[side, 0], state.position[side, 1]
        arms.append([(found.x[p] - centre_x, found.y[p] - centre_y) for p in (0, 1)])
        inverse.append((scene.inverse_mass[side], scene.inverse_inertia[side]))
    turn = [(tuple(x * ny - y * nx for x, y in arm), tuple(-x * nx - y * ny for x, y in arm)) for arm in arms]
    jacobian = [
        tuple((x, y, of_side[line][point]) for of_side in turn)
        for line, (x, y) in enumerate(((nx, ny), (ny, -nx)))
        for point in (0, 1)
    ]
    motion_inverse = tuple((mass, mass, inertia) for mass, inertia in inverse)
    margin = _margins(scene, state, acceleration, config)
    is_found = scene.collides & (between_boxes < margin) & (found.separation < margin)
    compliance = [coupling(row, row, motion_inverse) for row in jacobian]
    mass = [
        jnp.where(is_found[row % 2] & (c > 0.0), 1.0 / jnp.where(c > 0.0, c, 1.0), 0.0)
        for row, c in enumerate(compliance)
    ]
    left, right = sides_of_pairs
    pull = acceleration[:2, right] - acceleration[:2, left]
    normal, tangent, slip = (
        tuple(jnp.where(is_found[p], state.contacts[:, p, k], 0.0) for p in (0, 1)) for k in range(3)
    )
    rows = Rows(
        normal=(nx, ny),
        turn=tuple(turn),
        inverse=tuple(inverse),
        mass=((mass[0], mass[1]), (mass[2], mass[3])),
        coupling=couplings(jacobian, motion_inverse),
        separation=(found.separation[0], found.separation[1]),
        slip=slip,
        friction=_root(scene.friction[left] * scene.friction[right]),
        restitution=jnp.maximum(scene.restitution[left], scene.restitution[right]),
        pull=0.5 * config.substep * (nx * pull[0] + ny * pull[1]),
        is_static=(inverse[0][0] == 0.0) | (inverse[1][0] == 0.0),
    )
    none = jnp.zeros_like(nx)
    return rows, Impulses(normal, tangent, (none, none))


def _margins(scene: Scene, state: State, acceleration: jax.Array, config: EngineConfig) -> jax.Array:
    """f32[K, B] m: how far ahead of a touch a contact counts. Walls see as far as a shape can come in one tick."""
    size = scene.size
    reach = jnp.concatenate([jnp.sqrt(greatest(total(scene.vertices**2, 2), 1)), scene.radius])
    pull_x, pull_y, _ = acceleration
    speed = _root(state.velocity[:, 0] ** 2 + state.velocity[:, 1] ** 2) + config.dt * _root(pull_x**2 + pull_y**2)
    ahead = config.dt * (speed + jnp.abs(state.angular_velocity) * reach)
    a, b = pairs(size).T
    is_wall = jnp.asarray(a < size.num_walls)[:, None]
    return config.margin + jnp.where(is_wall, ahead[b], 0.0)


def _root(squared: jax.Array) -> jax.Array:
    """The square root, with derivative 0 at 0."""
    return jnp.where(squared > 0.0, jnp.sqrt(jnp.where(squared > 0.0, squared, 1.0)), 0.0)


class Pins(NamedTuple):
    """All joints: pins led by J, whom they hold, and their warm impulses."""

    pin: Pin  # fields f32[J, B]
    holds: tuple[jax.Array, jax.Array]  # of a and b, f32[J, seats, B]: 1 at the shape's seat; a wall has none
    impulses: tuple[jax.Array, ...]  # f32[J, B] each, of the six rows


def joint_pins(scene: Scene, state: State, controls: Controls, config: EngineConfig, seats: int) -> Pins:
    """The joints as they hang at the start of the tick."""
    joints, step = scene.joints, config.substep
    dtype = state.rotation.dtype
    shapes = jnp.arange(scene.size.num_shapes)[:, None]
    is_end = tuple((shapes == end[:, None]).astype(dtype) for end in (joints.shape_a, joints.shape_b))  # [J, S, B]

    def of_ends(field: jax.Array) -> tuple[jax.Array, jax.Array]:  # f32[S, B] -> f32[J, B] of a and b
        a, b = (total(is_it * field, 1) for is_it in is_end)
        return a, b

    active = joints.active.astype(dtype)
    mass, inertia = (tuple(active * m for m in of_ends(f)) for f in (scene.inverse_mass, scene.inverse_inertia))
    angle, x, y = of_ends(state.rotation), of_ends(state.position[:, 0]), of_ends(state.position[:, 1])
    arm = []
    for of_end, anchor in zip(angle, (joints.anchor_a, joints.anchor_b), strict=True):
        cos, sin, along, across = jnp.cos(of_end), jnp.sin(of_end), anchor[:, 0], anchor[:, 1]
        arm.append((cos * along - sin * across, sin * along + cos * across))
    turning = inertia[0] + inertia[1]
    spring = softness(joints.spring_hertz, joints.spring_damping, step)
    has_spring = (joints.spring_hertz > 0.0).astype(dtype)
    pin = Pin(
        mass=(mass[0], mass[1]),
        inertia=(inertia[0], inertia[1]),
        arm=(arm[0], arm[1]),
        between=(x[1] - x[0], y[1] - y[0]),
        angle=angle[1] - angle[0] - joints.rest_angle,
        torsion=jnp.where(turning > 0.0, 1.0 / jnp.where(turning > 0.0, turning, 1.0), 0.0),
        spring=spring._replace(
            mass_scale=has_spring * spring.mass_scale, impulse_scale=1.0 - has_spring * (1.0 - spring.impulse_scale)
        ),
        has_limit=active * joints.has_limit.astype(dtype),
        lower=joints.lower,
        upper=joints.upper,
        motor_speed=controls.motor_speed,
        motor_impulse=active * step * controls.motor_torque,
    )
    empty = seats - scene.size.num_free
    a, b = (jnp.pad(end[:, scene.size.num_walls :], ((0, 0), (0, empty), (0, 0))) for end in is_end)
    return Pins(pin, (a, b), tuple(active * state.joint_impulses[:, row] for row in range(6)))


def by_round(fields: Tree, size: Size) -> tuple[Tree, Tree]:
    """Fields f32[..., K, B] as f32[rounds, ..., tables, B] of the free shapes, and f32[walls, ..., seats, B]."""
    table = rounds(size)

    def gather(field: jax.Array, index: np.ndarray) -> jax.Array:
        padded = jnp.concatenate([field, jnp.zeros_like(field[..., :1, :])], axis=-2)
        chosen = padded[..., index.reshape(-1), :]
        return jnp.moveaxis(chosen.reshape(*field.shape[:-2], *index.shape, field.shape[-1]), -3, 0)

    free: Tree = jax.tree.map(lambda f: gather(f, table.free), fields)
    walls: Tree = jax.tree.map(lambda f: gather(f, table.walls), fields)
    return free, walls


def by_pair(free: jax.Array, walls: jax.Array, size: Size) -> jax.Array:
    """The inverse of `by_round` for one field: f32[..., K, B]."""
    table = rounds(size)
    flat = [jnp.moveaxis(f, 0, -3).reshape(*f.shape[1:-2], -1, f.shape[-1]) for f in (free, walls)]
    where = np.zeros(size.num_pairs + 1, np.int32)
    place = np.concatenate([table.free.reshape(-1), table.walls.reshape(-1)])
    where[place] = np.arange(len(place))
    return jnp.concatenate(flat, axis=-2)[..., where[: size.num_pairs], :]
