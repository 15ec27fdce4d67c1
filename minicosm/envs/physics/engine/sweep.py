"""Nothing passes through what stands still: a shape's core never enters a static shape.

The core is a disc about the centroid, of half the shape's inner radius. Contacts are found at a tick's start, so a fast
shape could begin a tick before a thin wall and end it behind: where a path is longer than the core's radius, the core
is swept along it, and the shape stops where it touches. On a shorter path, joints at odds with each other or a heavy
shape can press a light one into a wall: it goes on beside the wall, no deeper than its core. Arrays are batch-last.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.collide import FAR
from minicosm.envs.physics.engine.fuse import first_greatest, greatest, least, total
from minicosm.envs.physics.engine.prepare import world_polygons
from minicosm.envs.physics.engine.scene import Scene, State
from minicosm.envs.physics.engine.size import pair_index

CORE = 0.5  # of the inner radius
SHORT = 0.01  # of the core: so far ahead of the surface it stops, and so far within it has not entered
TOUCH = 1e-6  # m: so much deeper is no deeper
INSIDE = -1e9  # m

_Pair = tuple[jax.Array, jax.Array]  # x and y, f32[..., F, B] m each


def inner_radius(scene: Scene) -> jax.Array:
    """f32[S, B] m: the greatest disc about the centroid that lies in the shape."""
    x, y = scene.vertices[:, :, 0], scene.vertices[:, :, 1]
    edge_x, edge_y = jnp.roll(x, -1, axis=1) - x, jnp.roll(y, -1, axis=1) - y
    length = jnp.sqrt(jnp.maximum(edge_x**2 + edge_y**2, 1e-12))
    distance = jnp.where(edge_x**2 + edge_y**2 > 1e-12, (x * edge_y - y * edge_x) / length, jnp.inf)
    return jnp.concatenate([least(distance, 1), scene.radius])


def stop_at_statics(scene: Scene, state: State, moved: jax.Array) -> jax.Array:
    """Mend `moved` f32[3 (x, y, turn), F, B] of the free shapes where a core would enter a static shape.

    A core that starts inside a static shape comes no deeper: a slow one goes on beside it, or stays where it is if that
    would bring it deeper into another; a fast one stays where it is. All are let go where the centroid is inside.
    """
    size = scene.size
    free = slice(size.num_walls, None)
    core = CORE * inner_radius(scene)[free]
    path = (moved[0], moved[1])
    nearness = _near(scene, state, core)
    now, nx, ny = nearness.now, nearness.normal_x, nearness.normal_y
    blocks = (scene.inverse_mass == 0.0)[:, None] & _meets(scene)
    is_fast = path[0] ** 2 + path[1] ** 2 > core**2
    reached = jnp.concatenate([_into_polygons(nearness, path, core), _into_circles(scene, nearness, path, core)])
    fraction = least(jnp.where(blocks & is_fast, reached, 1.0), 0)
    short = SHORT * core / jnp.sqrt(jnp.maximum(path[0] ** 2 + path[1] ** 2, 1e-12))
    fraction = jnp.where(fraction < 1.0, jnp.maximum(fraction - short, 0.0), fraction)

    deepest = jnp.minimum(now, 0.0)
    can_hold = blocks & ~is_fast & (now > -core)
    push = deepest - (now + (nx * path[0] + ny * path[1]))
    push = jnp.where(can_hold & (_most_above(nearness, path) < deepest), push, 0.0)
    held_x, held_y = (least(jnp.minimum(push * n, 0.0), 0) + greatest(jnp.maximum(push * n, 0.0), 0) for n in (nx, ny))
    beside = (path[0] * fraction + held_x, path[1] * fraction + held_y)
    is_held = greatest(push, 0) > 0.0
    is_wedged = is_held & greatest(can_hold & (_most_above(nearness, beside) < deepest - TOUCH), 0)
    return jnp.concatenate([jnp.where(is_wedged, 0.0, jnp.stack(beside)), moved[2:]])


def _meets(scene: Scene) -> jax.Array:
    """bool[S, F, B]: whether shapes collide."""
    nobody = jnp.zeros_like(scene.collides[:1])
    index = pair_index(scene.size)[:, scene.size.num_walls :]  # -1, the last row, where two shapes never meet
    return jnp.concatenate([scene.collides, nobody])[index]


class Planes(NamedTuple):
    """Half-planes round each polygon, f32[2 V, P, B]: where normal . (x, y) is at most the extent."""

    normal_x: jax.Array
    normal_y: jax.Array
    extent: jax.Array  # m
    is_plane: jax.Array  # bool[2 V, P, B]


def _outlines(scene: Scene, state: State) -> Planes:
    """Of the edges, and across each corner: with a core round them, edges alone would meet far ahead of a sharp one."""
    polygons = world_polygons(scene, state)
    at = state.position[: scene.size.num_polygons]
    out_x, out_y = polygons.x - at[:, 0], polygons.y - at[:, 1]
    squared = out_x**2 + out_y**2
    length = jnp.sqrt(jnp.maximum(squared, 1e-12))
    across_x, across_y = out_x / length, out_y / length
    extent = greatest(across_x[:, None] * out_x + across_y[:, None] * out_y, 1)
    return Planes(
        jnp.concatenate([polygons.normal_x, across_x]),
        jnp.concatenate([polygons.normal_y, across_y]),
        jnp.concatenate(
            [
                polygons.normal_x * polygons.x + polygons.normal_y * polygons.y,
                extent + across_x * at[:, 0] + across_y * at[:, 1],
            ]
        ),
        jnp.concatenate([polygons.is_edge, squared > 1e-12]),
    )


class _Nearness(NamedTuple):
    """How near cores are to shapes, polygons first, when a tick begins."""

    now: jax.Array  # f32[S, F, B] m: how far each core is above the plane that it is furthest above
    normal_x: jax.Array  # f32[S, F, B], of that plane
    normal_y: jax.Array
    planes: Planes  # with one more axis for the cores: f32[2 V, P, 1, B]
    above: jax.Array  # f32[2 V, P, F, B] m: how far each core is above each plane
    offset: _Pair  # f32[C, F, B] m, from the centre of each circle


def _near(scene: Scene, state: State, core: jax.Array) -> _Nearness:
    free, circles = slice(scene.size.num_walls, None), slice(scene.size.num_polygons, None)
    start = (state.position[free, 0], state.position[free, 1])
    planes = Planes(*(field[:, :, None] for field in _outlines(scene, state)))
    above = planes.normal_x * start[0] + planes.normal_y * start[1] - planes.extent - core
    now, nearest = first_greatest(jnp.where(planes.is_plane, above, INSIDE))
    is_nearest = jnp.arange(len(above))[:, None, None, None] == nearest
    normal_x, normal_y = (total(jnp.where(is_nearest, n, 0.0), 0) for n in (planes.normal_x, planes.normal_y))
    x, y = (start[axis] - state.position[circles, axis][:, None] for axis in range(2))
    squared = x**2 + y**2
    distance = jnp.sqrt(jnp.maximum(squared, 1e-12))
    from_circle = jnp.where(squared > 1e-12, distance - scene.radius[:, None] - core, INSIDE)
    return _Nearness(
        jnp.concatenate([now, from_circle]),
        jnp.concatenate([normal_x, x / distance]),
        jnp.concatenate([normal_y, y / distance]),
        planes,
        above,
        (x, y),
    )


def _most_above(nearness: _Nearness, path: _Pair) -> jax.Array:
    """f32[S, F, B] m: how far each core is above any plane round each shape at its path's end."""
    planes, split = nearness.planes, nearness.planes.normal_x.shape[1]
    then = nearness.above + (planes.normal_x * path[0] + planes.normal_y * path[1])
    of_polygons = greatest(jnp.where(planes.is_plane, then, INSIDE), 0)
    nx, ny = nearness.normal_x[split:], nearness.normal_y[split:]
    return jnp.concatenate([of_polygons, nearness.now[split:] + (nx * path[0] + ny * path[1])])


def _into_polygons(nearness: _Nearness, path: _Pair, core: jax.Array) -> jax.Array:
    """f32[P, F, B]: the fraction of each path at which a core touches each polygon or comes deeper; 1 where not."""
    planes, above, split = nearness.planes, nearness.above, nearness.planes.normal_x.shape[1]
    is_plane = planes.is_plane
    rate = planes.normal_x * path[0] + planes.normal_y * path[1]
    is_above = above > -SHORT * core
    fraction = jnp.where(is_above, jnp.maximum(above, 0.0), -above) / jnp.maximum(jnp.abs(rate), 1e-12)
    enter = greatest(jnp.where(is_plane & is_above, jnp.where(rate < 0.0, fraction, FAR), 0.0), 0)
    leave = least(jnp.where(is_plane & ~is_above & (rate > 0.0), fraction, FAR), 0)
    is_outside = greatest(is_plane & is_above, 0)
    outwards = nearness.normal_x[:split] * path[0] + nearness.normal_y[:split] * path[1]
    inside = jnp.where((nearness.now[:split] > -core) & (outwards < 0.0), 0.0, 1.0)
    return jnp.where(is_outside, jnp.where((enter <= leave) & (enter < 1.0), enter, 1.0), inside)


def _into_circles(scene: Scene, nearness: _Nearness, path: _Pair, core: jax.Array) -> jax.Array:
    """f32[C, F, B]: the same of circles."""
    radius, (x, y) = scene.radius[:, None], nearness.offset
    reach = radius + core
    along = x * path[0] + y * path[1]
    length_squared = jnp.maximum(path[0] ** 2 + path[1] ** 2, 1e-12)
    squared = x**2 + y**2
    outside = squared - reach**2
    discriminant = along**2 - length_squared * outside
    root = jnp.sqrt(jnp.where(discriminant > 0.0, discriminant, 1.0))  # read only where it is real
    enter = jnp.maximum((-along - root) / length_squared, 0.0)
    is_outside = squared > (reach - SHORT * core) ** 2
    hits = is_outside & (along < 0.0) & (discriminant > 0.0) & (enter < 1.0)
    goes_deeper = ~is_outside & (squared > radius**2) & (along < 0.0)
    return jnp.where(hits, enter, jnp.where(goes_deeper, 0.0, 1.0))
