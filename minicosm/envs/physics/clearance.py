"""How far shapes are from each other: a lower bound for all pairs at once, without gathers.

Every shape is a convex outline grown by a radius; a disc is one point grown by its own. Two shapes are at least as far
apart as along any direction; those of the edges' normals and of the line between the centres are tried. The bound tells
exactly whether two polygons overlap, or two discs, and is a distance between discs; a polygon and a disc that meets
only its corner may be farther apart than it says.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.assemble import turned
from minicosm.envs.physics.engine.fuse import fence, greatest, least

NEAR = 0.03  # m: what is farther apart than this does not touch at the start (the engine's margin is 0.02 m)
_FAR = 1e9


def separations(vertices: jax.Array, radius: jax.Array, position: jax.Array, rotation: jax.Array) -> jax.Array:
    """f32[n, n] m, symmetric: a lower bound on the distance of each two shapes, below zero where they overlap.

    `vertices` f32[q, V, 2] and `radius` f32[n - q] are of polygons and then discs, `position` f32[n, 2] and `rotation`
    f32[n] of all.
    """
    once = fence(rotation[0])
    corners = once(outlines(vertices, position, rotation))  # [n, V, 2]
    growth = jnp.pad(radius, (vertices.shape[0], 0))
    x, y = corners[..., 0].T, corners[..., 1].T  # [V, n]
    edge_x, edge_y = jnp.roll(x, -1, axis=0) - x, jnp.roll(y, -1, axis=0) - y
    length = jnp.sqrt(edge_x**2 + edge_y**2)
    is_edge = length > 1e-6
    scale = jnp.where(is_edge, 1.0 / jnp.where(is_edge, length, 1.0), 0.0)
    normal_x, normal_y = once(edge_y * scale), once(-edge_x * scale)
    foot = normal_x * x + normal_y * y  # where each edge's line lies along its normal
    reach = normal_x[:, None, :, None] * x[None, :, None, :] + normal_y[:, None, :, None] * y[None, :, None, :]
    beyond = once(least(reach, 1)) - foot[:, :, None]  # [edges of a, a, b]
    by_edges = greatest(jnp.where(is_edge[:, :, None], beyond, -_FAR), 0)
    along = position[None] - position[:, None]  # [a, b, 2]: from a to b
    distance = jnp.sqrt(along[..., 0] ** 2 + along[..., 1] ** 2)
    way = along / jnp.maximum(distance, 1e-9)[..., None]
    away_x, away_y = x - position[:, 0], y - position[:, 1]  # [V, n]
    ahead = greatest(away_x[:, :, None] * way[..., 0] + away_y[:, :, None] * way[..., 1], 0)  # of a, towards b
    by_edges, ahead = once(by_edges), once(ahead)
    by_centres = distance - ahead - ahead.T
    bound = jnp.maximum(jnp.maximum(by_edges, by_edges.T), by_centres)
    return once(bound - growth[:, None] - growth)


def outlines(vertices: jax.Array, position: jax.Array, rotation: jax.Array) -> jax.Array:
    """f32[n, V, 2] m, world: the corners of polygons, and of discs their centre V times."""
    num_polygons, num_vertices = vertices.shape[:2]
    cos, sin = jnp.cos(rotation[:num_polygons, None]), jnp.sin(rotation[:num_polygons, None])
    polygons = position[:num_polygons, None] + turned(vertices, cos, sin)
    discs = jnp.broadcast_to(position[num_polygons:, None], (position.shape[0] - num_polygons, num_vertices, 2))
    return jnp.concatenate([polygons, discs])
