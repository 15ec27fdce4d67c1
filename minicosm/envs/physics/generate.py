"""Random contraptions: shapes held together by joints, driven by motors and thrusters, in the usual room.

One pass, all slots at once. The shapes that are present are ranked at random; each of higher rank may hang on one of
lower rank, so that they form trees. Every tree is built about its own root, the room is cut into as many boxes, and
each tree is shrunk to fit its box: nothing of one tree touches another, whatever was drawn. Within a tree, shapes that
touch do not collide. Rank 0 is the root of the tree that holds green, rank 1 that of the tree that holds blue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.assemble import NUM_WALLS, Holds, Jets, Parts, Shapes, assemble, first_free, num_loose
from minicosm.envs.physics.clearance import NEAR, outlines, separations
from minicosm.envs.physics.config import ROOM, PhysicsConfig
from minicosm.envs.physics.engine.fuse import greatest, least
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED, SCENERY, Level
from minicosm.envs.physics.trees import MOST, Draws, Trees, controls_of, trees_of

GRAVITY = 9.81  # m/s^2
_MARGIN = 0.04  # m, between a tree and the border of its box


def generate(key: jax.Array, config: PhysicsConfig) -> Level:
    """Draw a random level of `config.slots`.

    It holds one green and one blue shape that do not touch at the start and of which one can move, something that a
    binding drives, and up to as many shapes, joints and thrusters as there is room for. Nothing overlaps but shapes of
    one tree, which then do not collide.

    Raises ValueError where the size has no room for two shapes beside the walls, or nothing could be driven.
    """
    return assemble(config.slots, parts(key, config))


def parts(key: jax.Array, config: PhysicsConfig) -> Parts:
    """What the level that `generate` draws is made of."""
    check_size(config)
    size, controls = config.slots, controls_of(config)
    draws = Draws(key, size)
    tree = trees_of(draws, size, controls)
    bodies = _bodies(draws, tree, size)
    posed = _pose(draws, tree, bodies, size)
    placed = _place(draws, tree, posed, bodies)
    roles = _roles(draws, tree)
    gravity = _gravity(draws)
    return _parts(draws, tree, bodies, placed, roles, gravity, config)


def check_size(config: PhysicsConfig) -> None:
    """Raise ValueError, saying what to change, where `generate` has no room to draw."""
    size = config.slots
    shapes, _ = num_loose(size)
    if shapes < 2:
        raise ValueError(
            f"random levels need two shapes beside the walls, but {size} has {shapes}:"
            " raise num_polygons or num_circles"
        )
    if not any(controls_of(config)):
        raise ValueError(
            f"random levels need something to drive, but {size} with num_motor_bindings {config.num_motor_bindings} and"
            f" num_thruster_bindings {config.num_thruster_bindings} has no thruster, nor a third shape on a joint:"
            " raise num_thrusters and num_thruster_bindings, or num_joints and num_motor_bindings"
        )


class _Bodies(NamedTuple):
    """Shapes about their centroids, of density 1, before they are shrunk."""

    vertices: jax.Array  # f32[Q, V, 2]
    radius: jax.Array  # f32[N - Q]
    rotation: jax.Array  # f32[N]
    mass: jax.Array  # f32[N]
    outward: jax.Array  # f32[N]  rad, world, where a child is from its parent


def _bodies(draws: Draws, tree: Trees, size: Size) -> _Bodies:
    num_shapes, num_polygons = num_loose(size)
    scale = float(np.clip(math.sqrt(14 / min(num_shapes, MOST)), 0.5, 1.5))
    kind, is_long, is_tidy = draws.shape(), draws.shape(), draws.shape() < 0.5
    is_platform = tree.static & (tree.rank > 0) & (is_long < 0.7)
    is_bar = ~is_platform & (is_long < jnp.where(tree.child, 0.55, 0.25))
    width, height = _log(draws.shape(), 0.11, 0.4), _log(draws.shape(), 0.11, 0.4)
    length, thickness = draws.shape(), draws.shape()
    width = jnp.where(is_platform, 0.3 + 0.6 * length, jnp.where(is_bar, 0.2 + 0.4 * length, width))
    height = jnp.where(is_platform | is_bar, 0.045 + 0.05 * thickness, height)
    is_box = (kind < 0.5) | is_platform | (is_bar & (kind < 0.9))
    fewest_corners = jnp.where(kind < 0.75, 3, 4)
    if size.max_vertices > 4:
        fewest_corners = jnp.where(
            kind > 0.85, jnp.floor(4 + (size.max_vertices - 3) * (kind - 0.85) / 0.15), fewest_corners
        )
    corners = jnp.where(is_box, 4, fewest_corners.astype(jnp.int32))
    index = np.arange(size.max_vertices)
    jitter = jnp.where(is_box[:, None] | is_tidy[:, None], 0.0, 0.4 * (draws.jitter - 0.5))
    angle = 2 * jnp.pi * (index + 0.5 + jitter) / corners[:, None]
    stretch = scale * jnp.where(is_box, math.sqrt(2.0), 1.25)
    vertices = jnp.stack([width, height], axis=-1)[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    vertices = draws.once(stretch[:, None, None] * vertices)
    last = jnp.sum(jnp.where((index == corners[:, None] - 1)[..., None], vertices, 0.0), axis=1, keepdims=True)
    vertices = jnp.where((index < corners[:, None])[..., None], vertices, last)[:num_polygons]
    mass, centroid, _ = polygon_mass(vertices)
    radius = scale * _log(draws.shape(), 0.09, 0.32)[num_polygons:]

    turn = jnp.where(is_tidy, 0.0, draws.shape(-1.0, 1.0) * jnp.where(is_platform, 0.6, jnp.pi))
    way, noise = draws.shape(-jnp.pi, jnp.pi), draws.shape(-0.9, 0.9)
    is_disc = np.arange(num_shapes) >= num_polygons
    below = -jnp.pi / 2 + jnp.sign(way) * (0.4 + 0.5 * jnp.abs(noise))
    outward = jnp.where(
        is_disc & (is_long < 0.6), below, jnp.where(is_tidy, jnp.round(way * 2 / jnp.pi) * jnp.pi / 2, way)
    )
    hangs = outward + jnp.where(is_tidy, 0.0, noise)  # a child's long side points away from its parent
    return _Bodies(
        vertices=draws.once(vertices - centroid[:, None]),
        radius=draws.once(radius),
        rotation=draws.once(jnp.where(tree.child, hangs, turn)),
        mass=draws.once(jnp.concatenate([mass, disc_mass(radius)[0]])),
        outward=draws.once(outward),
    )


def _log(fraction: jax.Array, low: float, high: float) -> jax.Array:
    """From `low` to `high`, evenly on a logarithmic scale."""
    return low * jnp.exp(fraction * math.log(high / low))


class _Posed(NamedTuple):
    """Trees about their roots."""

    position: jax.Array  # f32[N, 2]  m, of centroids
    pin: jax.Array  # f32[N, 2]  m, of the joint that holds a child
    low: jax.Array  # f32[N, 2]  m, lower left corner of the box round the tree
    high: jax.Array  # f32[N, 2]


def _pose(draws: Draws, tree: Trees, bodies: _Bodies, size: Size) -> _Posed:
    num_shapes, num_polygons = num_loose(size)
    is_disc = np.arange(num_shapes) >= num_polygons
    centre_pin, depth = draws.shape(), draws.shape()
    grip = jnp.where(centre_pin < 0.12, 0.0, 0.5 + 0.45 * depth)  # how far out on the parent
    own = jnp.where(is_disc, jnp.where(depth < 0.8, 0.0, 0.7), jnp.where(centre_pin > 0.85, 0.0, 0.88))
    vertices, parent = bodies.vertices, tree.parent
    padded = jnp.pad(vertices, ((0, num_shapes - num_polygons), (0, 0), (0, 0)))
    radius = jnp.pad(bodies.radius, (num_polygons, 0))
    rotation = bodies.rotation
    on_parent = grip * _reach(padded[parent], radius[parent], bodies.outward - rotation[parent])
    back = jnp.full(num_shapes, jnp.pi)  # a child is held at the end of its own -x axis
    on_child = own * _reach(padded, radius, back)
    outward, away = _direction(bodies.outward), _direction(rotation)
    arm = on_parent[:, None] * outward
    step = jnp.where(tree.child[:, None], arm + on_child[:, None] * away, 0.0)
    for ancestor in tree.ancestors:  # a sum over all ancestors, by doubling
        step = draws.once(step + step[ancestor])
    pin = step[parent] + arm
    corners = outlines(vertices, step, rotation)
    low, high = least(corners, 1) - radius[:, None], greatest(corners, 1) + radius[:, None]
    together = tree.together[:, :, None]
    return _Posed(
        position=step,
        pin=pin,
        low=draws.once(least(jnp.where(together, low, jnp.inf), 1)),
        high=draws.once(greatest(jnp.where(together, high, -jnp.inf), 1)),
    )


def _direction(angle: jax.Array) -> jax.Array:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _reach(vertices: jax.Array, radius: jax.Array, angle: jax.Array) -> jax.Array:
    """f32[n] m: how far it is from the centroid to the edge, in the direction `angle` f32[n] of the body frame.

    `vertices` f32[n, V, 2]; all zero for a disc of `radius` f32[n].
    """
    edge = jnp.roll(vertices, -1, axis=1) - vertices
    x, y = edge[..., 1], -edge[..., 0]  # outward, not of unit length
    along = x * jnp.cos(angle)[:, None] + y * jnp.sin(angle)[:, None]
    foot = x * vertices[..., 0] + y * vertices[..., 1]
    ahead = along > 1e-6 * (jnp.abs(x) + jnp.abs(y)) + 1e-9
    reach = jnp.min(jnp.where(ahead, foot / jnp.where(ahead, along, 1.0), 1e3), axis=1)
    return jnp.where(reach < 1e3, reach, 0.0) + radius


class _Placed(NamedTuple):
    scale: jax.Array  # f32[N]  by which each shape is shrunk or grown
    position: jax.Array  # f32[N, 2]  m, world
    pin: jax.Array  # f32[N, 2]  m, world
    extent: jax.Array  # f32[N]  m, of the shape's tree


def _place(draws: Draws, tree: Trees, posed: _Posed, bodies: _Bodies) -> _Placed:
    """Columns of boxes, one for each tree, as wide and high as the trees ask for; each tree somewhere in its box."""
    rank, is_root = tree.rank, tree.present & ~tree.child
    count = jnp.sum(is_root)
    natural = jnp.where(is_root[:, None], posed.high - posed.low + 2 * _MARGIN, 0.0)
    shuffle = draws.shape()
    # The trees of green and blue come first and last, so that they mostly lie in different columns.
    spread = draws.level() < 0.75
    shuffle = jnp.where(spread & (rank == 0), shuffle - 1, jnp.where(spread & (rank == 1), shuffle + 1, shuffle))
    order = draws.once_whole(jnp.sum(is_root & (shuffle < shuffle[:, None]), axis=1))
    columns = jnp.floor(jnp.sqrt(count.astype(jnp.float32)) + draws.level(0.3, 1.8)).astype(jnp.int32)
    columns = jnp.clip(columns, 1, jnp.minimum(count, 6))
    column = order * columns // jnp.maximum(count, 1)
    column = jnp.where(draws.level() < 0.5, column, columns - 1 - column)  # green left or right
    column = draws.once_whole(column)
    alike = (column[:, None] == column) & is_root & is_root[:, None]
    width = jnp.max(jnp.where(alike, natural[:, 0], 0.0), axis=1)
    share = width / jnp.maximum(jnp.sum(alike, axis=1), 1)  # a column's width, dealt out to its boxes
    total_width = jnp.sum(jnp.where(is_root, share, 0.0))
    left = jnp.sum(jnp.where(is_root & (column < column[:, None]), share, 0.0), axis=1)
    total_height = jnp.sum(jnp.where(alike, natural[:, 1], 0.0), axis=1)
    climb = draws.shape()
    under = alike & ((climb < climb[:, None]) | ((climb == climb[:, None]) & (order < order[:, None])))
    below = jnp.sum(jnp.where(under, natural[:, 1], 0.0), axis=1)
    stretch_x, stretch_y = ROOM / total_width, ROOM / jnp.maximum(total_height, 1e-3)
    left, below, width = draws.once(left), draws.once(below), draws.once(width)
    corner = jnp.stack([left * stretch_x, below * stretch_y], axis=-1)
    box = jnp.stack([width * stretch_x, natural[:, 1] * stretch_y], axis=-1)

    size = jnp.maximum(natural - 2 * _MARGIN, 1e-3)
    limit = jnp.min((box - 2 * _MARGIN) / size, axis=-1)
    is_base = jnp.any(tree.together & (rank == 0), axis=1) & tree.static
    growth = jnp.where(is_base, 2.5, draws.shape(1.0, 1.7))  # what hangs on a fixed base must be able to reach
    scale = jnp.minimum(growth, limit)
    slack = box - 2 * _MARGIN - scale[:, None] * size
    aside, up = draws.shape(), draws.shape()
    rests = ~tree.static & (draws.shape() < 0.6)
    up = jnp.where(rests, 0.0, up)
    origin = corner + _MARGIN + slack * jnp.stack([aside, up], axis=-1)  # of the tree's lower left corner

    root = tree.to_root
    scale, origin = draws.once(scale)[root], draws.once(origin)[root]
    position = origin + scale[:, None] * (posed.position - posed.low)
    pin = origin + scale[:, None] * (posed.pin - posed.low)
    extent = scale * jnp.max(posed.high - posed.low, axis=-1)
    return _Placed(*(draws.once(field) for field in (scale, position, pin, extent)))


class _Roles(NamedTuple):
    role: jax.Array  # i32[N]
    wall_role: jax.Array  # i32[4]


def _roles(draws: Draws, tree: Trees) -> _Roles:
    rank = tree.rank
    base_static = jnp.any(tree.static & (rank == 0))
    green_rank = jnp.where(tree.has_motor & (base_static | (draws.level() < 0.4)), 2, 0)
    red = draws.shape() < draws.level(-0.1, 0.4)
    in_first = tree.together & (rank == 0)  # [N, N]: shape i is of the tree of rank 0
    loose = tree.present & ~jnp.any(in_first, axis=1) & (rank > 1)
    is_green, is_blue = rank == green_rank, rank == 1
    swaps = draws.level() < 0.25
    green, blue = jnp.where(swaps, BLUE, GREEN), jnp.where(swaps, GREEN, BLUE)
    held_up = base_static & ~swaps  # green hangs on something, so it need not fall on the floor
    wall = draws.level()
    red_floor = held_up & (wall < 0.3)
    role = jnp.where(is_green, green, jnp.where(is_blue, blue, jnp.where(red & loose, RED, SCENERY)))
    is_floor = np.arange(NUM_WALLS) == 0
    return _Roles(role, jnp.where(red_floor & is_floor, RED, SCENERY))


def _gravity(draws: Draws) -> jax.Array:
    """f32[2]: mostly the earth's, at times less or none."""
    kind = draws.level()
    down = jnp.where(kind < 0.8, GRAVITY, jnp.where(kind < 0.9, 0.0, GRAVITY * (kind - 0.9) / 0.1))
    return jnp.stack([jnp.zeros(()), -down])


def _parts(  # noqa: PLR0913, PLR0917  (the parts of a level)
    draws: Draws,
    tree: Trees,
    bodies: _Bodies,
    placed: _Placed,
    roles: _Roles,
    gravity: jax.Array,
    config: PhysicsConfig,
) -> Parts:
    num_polygons = bodies.vertices.shape[0]
    scale = placed.scale
    vertices = scale[:num_polygons, None, None] * bodies.vertices
    radius = scale[num_polygons:] * bodies.radius
    apart = tree.together & (separations(vertices, radius, placed.position, bodies.rotation) < NEAR)
    density = jnp.where(draws.shape() < 0.7, 1.0, _log(draws.shape(), 0.4, 3.0))
    mass = jnp.where(tree.present & ~tree.static, density * scale**2 * bodies.mass, 0.0)
    load = jnp.sum(jnp.where(tree.together, mass, 0.0), axis=1)  # kg, of the shape's tree
    still = jnp.zeros_like(placed.position)
    shapes = Shapes(
        vertices=vertices,
        radius=radius,
        position=placed.position,
        rotation=bodies.rotation,
        velocity=still,
        angular_velocity=still[:, 0],
        density=density,
        friction=jnp.where(draws.shape() < 0.6, 0.6, draws.shape(0.2, 1.2)),
        restitution=jnp.maximum(draws.shape(-2.0, 0.8), 0.0),
        role=roles.role,
        static=tree.static,
        present=tree.present,
        wall_role=roles.wall_role,
    )
    holds = _holds(draws, tree, placed, load, config)
    jets = _jets(draws, tree, bodies, placed, load, config)
    return Parts(shapes, holds, jets, gravity, apart)


def _holds(draws: Draws, tree: Trees, placed: _Placed, load: jax.Array, config: PhysicsConfig) -> Holds:
    num_joints, first = config.slots.num_joints, first_free(config.slots)
    kind, speed, torque = draws.shape(), draws.shape(), draws.shape()
    is_driven = (tree.rank == 2) & tree.has_motor
    is_weld = (kind < 0.2) & ~is_driven
    has_motor = is_driven | (~is_weld & (draws.shape() < 0.75))
    limits = draws.shape()
    has_limit = is_weld | (limits < 0.35)
    lower, upper = jnp.where(is_weld, 0.0, draws.shape(-2.2, -0.2)), jnp.where(is_weld, 0.0, draws.shape(0.2, 2.2))
    is_automatic = ~is_driven & ~jnp.any(tree.together & (tree.rank < 2), axis=1) & (kind > 0.8)
    binding = jnp.floor(draws.shape() * config.num_motor_bindings).astype(jnp.int32)
    binding = jnp.where(is_automatic, AUTOMATIC, binding)
    if config.num_motor_bindings == 0:
        has_motor = has_motor & is_automatic
    strength = load * GRAVITY * placed.extent * _log(torque, 0.1, 0.8)
    is_of = tree.child & (tree.joint == np.arange(num_joints)[:, None])  # [J, N]
    child = jnp.argmax(is_of, axis=1)
    active = jnp.any(is_of, axis=1)

    return Holds(
        active=active,
        shape_a=first + tree.parent[child],
        shape_b=first + child,
        at=placed.pin[child],
        has_limit=has_limit[child],
        lower=lower[child],
        upper=upper[child],
        motor_speed=(jnp.sign(speed - 0.5) * _log(jnp.abs(2 * speed - 1), 3.0, 12.0))[child],
        motor_torque=jnp.where(has_motor, strength, 0.0)[child],
        motor_binding=binding[child],
    )


def _jets(  # noqa: PLR0913, PLR0917  (the parts of a level)
    draws: Draws, tree: Trees, bodies: _Bodies, placed: _Placed, load: jax.Array, config: PhysicsConfig
) -> Jets:
    size = config.slots
    num_shapes, num_polygons = num_loose(size)
    first = first_free(size)
    which, place, tilt = draws.thruster(), draws.thruster(), draws.thruster(-0.7, 0.7)
    force, wanted, is_up = draws.thruster(), draws.thruster(), draws.thruster() < 0.6
    is_first = (np.arange(size.num_thrusters) == 0) & tree.has_thruster
    fits = tree.present & ~tree.static
    in_first = jnp.any(tree.together & (tree.rank == 0), axis=1)
    near = fits & in_first
    choose = jnp.where((is_first | (which < 0.3))[:, None], near, fits)  # [T, N]
    sequence = jnp.cumsum(choose, axis=1)
    nth = jnp.floor(place * sequence[:, -1:].T[0]).astype(jnp.int32) + 1
    shape = jnp.argmax(choose & (sequence == nth[:, None]), axis=1)
    on = (is_first | (wanted < 0.4)) & (sequence[:, -1] > 0) & (config.num_thruster_bindings > 0)
    from_below = jnp.where(is_up, -jnp.pi / 2 + 0.5 * tilt, 2 * jnp.pi * which)  # world
    padded = jnp.pad(bodies.vertices, ((0, num_shapes - num_polygons), (0, 0), (0, 0)))
    radius = jnp.pad(bodies.radius, (num_polygons, 0))
    out = 0.9 * placed.scale[shape] * _reach(padded[shape], radius[shape], from_below - bodies.rotation[shape])
    return Jets(
        shape=first + shape,
        at=placed.position[shape] + out[:, None] * _direction(from_below),
        angle=from_below + jnp.pi + tilt,
        force=jnp.where(on, load[shape] * GRAVITY * _log(force, 0.8, 3.0), 0.0),
        binding=jnp.floor(draws.thruster() * config.num_thruster_bindings).astype(jnp.int32),
    )
