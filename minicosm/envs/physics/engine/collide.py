"""Where shapes touch: a normal and up to two points per pair, found once per tick.

Arrays are batch-last: `n` pairs by `B` scenes, with coordinates and vertices on leading axes. Polygon against polygon
is the separating-axis test with the incident edge clipped against the reference edge (D. Gregorius, "The separating
axis test between convex polyhedra", GDC 2013, in two dimensions); a pair of edges thus yields two points, ordered
along the tangent from right to left as seen along the normal, so that a point keeps its number from tick to tick.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.fuse import first_greatest, least, total

FAR = 1e9  # m: a separation that stands for "no such edge"
_PREFER_A = 1e-3  # m: the second polygon's edge must be this much better, so that rounding does not swap them
_TINY = 1e-12


class Polygons(NamedTuple):
    """Convex polygons in the world frame, anticlockwise."""

    x: jax.Array  # f32[V, n, B]  m
    y: jax.Array
    normal_x: jax.Array  # f32[V, n, B]  outward, of the edge from vertex k to the next
    normal_y: jax.Array
    is_edge: jax.Array  # bool[V, n, B]  False for the padding's edges of no length


class Manifold(NamedTuple):
    """How two shapes a and b face each other. The second point may be absent: its separation is then FAR."""

    normal_x: jax.Array  # f32[n, B]  from a to b
    normal_y: jax.Array
    x: jax.Array  # f32[2, n, B]  m, half-way between the surfaces
    y: jax.Array
    separation: jax.Array  # f32[2, n, B]  m, negative where they overlap


def with_normals(x: jax.Array, y: jax.Array) -> Polygons:
    """Polygons of vertices f32[V, n, B], anticlockwise; trailing vertices that repeat the last are padding."""
    edge_x, edge_y = jnp.roll(x, -1, axis=0) - x, jnp.roll(y, -1, axis=0) - y
    length_squared = edge_x**2 + edge_y**2
    is_edge = length_squared > _TINY
    scale = jnp.where(is_edge, 1.0 / jnp.sqrt(jnp.maximum(length_squared, _TINY)), 0.0)
    return Polygons(x, y, edge_y * scale, -edge_x * scale, is_edge)


def polygon_polygon(a: Polygons, b: Polygons) -> Manifold:
    """Manifolds of n pairs of polygons. Separations are those along the best edge normal of either."""
    separation_a, edge_a = _best_edge(a, b)
    separation_b, edge_b = _best_edge(b, a)
    use_b = separation_b > separation_a + _PREFER_A
    reference = Polygons(*(jnp.where(use_b, q, p) for p, q in zip(a, b, strict=True)))
    incident = Polygons(*(jnp.where(use_b, p, q) for p, q in zip(a, b, strict=True)))
    edge = jnp.where(use_b, edge_b, edge_a)
    nx, ny = _at(reference.normal_x, edge), _at(reference.normal_y, edge)
    x0, y0 = _at(reference.x, edge), _at(reference.y, edge)
    x1, y1 = _at(reference.x, edge, 1), _at(reference.y, edge, 1)
    facing = jnp.where(incident.is_edge, incident.normal_x * nx + incident.normal_y * ny, FAR)
    _, opposite = first_greatest(-facing)
    ux, uy = _at(incident.x, opposite), _at(incident.y, opposite)
    wx, wy = _at(incident.x, opposite, 1), _at(incident.y, opposite, 1)
    length = (y1 - y0) * nx - (x1 - x0) * ny  # along the tangent (-ny, nx)
    along_u = (uy - y0) * nx - (ux - x0) * ny
    along_w = (wy - y0) * nx - (wx - x0) * ny
    span = along_u - along_w
    span = jnp.where(jnp.abs(span) > 1e-9, span, 1.0)
    points = []
    for along in (along_w, along_u):
        kept = jnp.clip(along, 0.0, length)
        fraction = jnp.clip((kept - along_w) / span, 0.0, 1.0)
        x, y = wx + fraction * (ux - wx), wy + fraction * (uy - wy)
        separation = (x - x0) * nx + (y - y0) * ny
        points.append((x - 0.5 * separation * nx, y - 0.5 * separation * ny, separation))
    x, y, separation = (
        jnp.stack([jnp.where(use_b, q, p), jnp.where(use_b, p, q)]) for p, q in zip(*points, strict=True)
    )
    sign = jnp.where(use_b, -1.0, 1.0).astype(nx.dtype)
    return Manifold(sign * nx, sign * ny, x, y, separation)


def polygon_circle(a: Polygons, x: jax.Array, y: jax.Array, radius: jax.Array) -> Manifold:
    """Manifolds of n polygons and circles of centre (x, y) f32[n, B] and `radius` f32[n, B]."""
    to_x, to_y = x - a.x, y - a.y
    outside = jnp.where(a.is_edge, to_x * a.normal_x + to_y * a.normal_y, -FAR)
    depth, deepest = first_greatest(outside)
    edge_x, edge_y = jnp.roll(a.x, -1, axis=0) - a.x, jnp.roll(a.y, -1, axis=0) - a.y
    length_squared = jnp.maximum(edge_x**2 + edge_y**2, _TINY)
    fraction = jnp.clip((to_x * edge_x + to_y * edge_y) / length_squared, 0.0, 1.0)
    gap_x, gap_y = to_x - fraction * edge_x, to_y - fraction * edge_y
    distance_squared = jnp.where(a.is_edge, gap_x**2 + gap_y**2, FAR)
    nearness, nearest = first_greatest(-distance_squared)
    distance = jnp.sqrt(jnp.maximum(-nearness, _TINY))
    is_outside = depth > 1e-6
    nx = jnp.where(is_outside, _at(gap_x, nearest) / distance, _at(a.normal_x, deepest))
    ny = jnp.where(is_outside, _at(gap_y, nearest) / distance, _at(a.normal_y, deepest))
    separation = jnp.where(is_outside, distance, depth) - radius
    back = radius + 0.5 * separation
    return _one_point(nx, ny, x - back * nx, y - back * ny, separation)


def circle_circle(a: tuple[jax.Array, jax.Array, jax.Array], b: tuple[jax.Array, jax.Array, jax.Array]) -> Manifold:
    """Manifolds of n pairs of circles, each (x, y, radius) of f32[n, B]."""
    (ax, ay, radius_a), (bx, by, radius_b) = a, b
    dx, dy = bx - ax, by - ay
    distance_squared = dx**2 + dy**2
    apart = distance_squared > _TINY  # else one centre lies on the other: up is as good as any direction
    distance = jnp.sqrt(jnp.maximum(distance_squared, _TINY))
    nx, ny = jnp.where(apart, dx / distance, 0.0), jnp.where(apart, dy / distance, 1.0)
    separation = distance - radius_a - radius_b
    ahead = radius_a + 0.5 * separation
    return _one_point(nx, ny, ax + ahead * nx, ay + ahead * ny, separation)


def _one_point(nx: jax.Array, ny: jax.Array, x: jax.Array, y: jax.Array, separation: jax.Array) -> Manifold:
    far = jnp.full_like(separation, FAR)
    return Manifold(nx, ny, jnp.stack([x, x]), jnp.stack([y, y]), jnp.stack([separation, far]))


def _best_edge(a: Polygons, b: Polygons) -> tuple[jax.Array, jax.Array]:
    """The greatest separation of `b` along an edge normal of `a`, f32[n, B], and that edge's number."""
    reach_x = b.x[None] - a.x[:, None]  # [edges of a, vertices of b, n, B]
    reach_y = b.y[None] - a.y[:, None]
    nearest = least(reach_x * a.normal_x[:, None] + reach_y * a.normal_y[:, None], axis=1)
    separations = jnp.where(a.is_edge, nearest, -FAR)
    return first_greatest(separations)


def _at(values: jax.Array, index: jax.Array, offset: int = 0) -> jax.Array:
    """values[index + offset mod V] per pair, by masks rather than by a gather: f32[V, n, B], i32[n, B] -> f32[n, B]."""
    chosen = jnp.arange(values.shape[0])[:, None, None] == index
    return total(jnp.where(chosen, jnp.roll(values, -offset, axis=0), 0.0), axis=0)
