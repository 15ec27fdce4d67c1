"""Flat pictures: a list of polygons and discs, each with an outline, laid over one another in order.

Lengths are in pixels as in `canvas`. The list is made once a picture; what each pixel costs is in `picture` alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm import kernels
from minicosm.envs.physics.canvas import Canvas, cover, plain
from minicosm.kernels import picture as kernel

ALWAYS = 1e6  # pixels inside of what is everywhere

# Floats of a figure before its edges: the lowest and highest y of it, the width of its outline, the colours of its
# inside and of its outline. Then, for each edge, (a, b, c) such that a x + b y + c is how far (x, y) is inside of it,
# or, for a disc, (x, y, radius).
HEAD = kernel.HEAD


Corners = tuple[jax.Array, jax.Array]  # f32[N, V] each, x and y


class Figures(NamedTuple):
    """N figures of one kind."""

    data: jax.Array  # f32[N, HEAD + 3 E]
    are_discs: bool


class Paint(NamedTuple):
    """Of N figures."""

    shown: jax.Array  # bool[N]
    fill: jax.Array  # f32[N, 3]  0 to 255
    edge: jax.Array  # f32[N, 3]
    rim: float | jax.Array  # f32[N]  width of the outline


def edges(corner_x: jax.Array, corner_y: jax.Array) -> jax.Array:
    """f32[N, V, 3]: (a, b, c) of each edge of convex anticlockwise polygons; a repeated corner is inside of no edge."""
    along_x, along_y = (jnp.roll(c, -1, axis=1) - c for c in (corner_x, corner_y))
    length = jnp.sqrt(along_x**2 + along_y**2)
    is_edge = length > 1e-5
    a, b = (jnp.where(is_edge, n / jnp.maximum(length, 1e-5), 0.0) for n in (-along_y, along_x))
    return jnp.stack([a, b, jnp.where(is_edge, -(a * corner_x + b * corner_y), ALWAYS)], axis=-1)


def polygons(corners: Corners, paint: Paint, num_edges: int) -> Figures:
    """Convex and anticlockwise ones of at most `num_edges` corners."""
    sides = edges(*corners)
    spare = jnp.broadcast_to(jnp.array([0.0, 0.0, ALWAYS]), (len(sides), num_edges - sides.shape[1], 3))
    reach = corners[1].min(axis=1), corners[1].max(axis=1)
    return Figures(_rows(reach, paint, jnp.concatenate([sides, spare], axis=1)), are_discs=False)


def discs(centre: tuple[jax.Array, jax.Array], radius: jax.Array, paint: Paint, num_edges: int) -> Figures:
    """Discs about f32[N], f32[N]; as large in memory as polygons of `num_edges`."""
    x, y = centre
    spare = jnp.zeros((len(x), num_edges - 1, 3))
    data = jnp.concatenate([jnp.stack([x, y, radius], axis=-1)[:, None], spare], axis=1)
    return Figures(_rows((y - radius, y + radius), paint, data), are_discs=True)


def _rows(reach: tuple[jax.Array, jax.Array], paint: Paint, data: jax.Array) -> jax.Array:
    low, high = jnp.where(paint.shown, reach[0], ALWAYS), jnp.where(paint.shown, reach[1], -ALWAYS)
    rim = jnp.broadcast_to(jnp.asarray(paint.rim, jnp.float32), low.shape)
    head = jnp.stack([low, high, rim], axis=-1)
    return jnp.concatenate([head, paint.fill, paint.edge, data.reshape(len(data), -1)], axis=-1)


def picture(figures: list[Figures], size: tuple[int, int], ground: tuple[int, int, int]) -> jax.Array:
    """u8[height, width, 3] of `size` (height, width): the figures, first to last, over the colour `ground`.

    Drawn by a kernel on the CPU where there is one (docs/kernels.md), to within one step of 255 of what `_laid` draws.
    """
    data = jnp.concatenate([group.data for group in figures])
    are_discs = tuple(group.are_discs for group in figures for _ in range(group.data.shape[0]))
    drawn: jax.Array = _drawing(are_discs, size, ground, data.shape[1])(data)
    return drawn


@functools.cache
def _drawing(
    are_discs: tuple[bool, ...], size: tuple[int, int], ground: tuple[int, int, int], num_floats: int
) -> Callable[[jax.Array], jax.Array]:
    """A function from f32[N, HEAD + 3 E] to the picture."""

    def by_reference(data: jax.Array) -> jax.Array:
        return _laid(data, are_discs, size, ground)

    def by_kernel(data: jax.Array) -> jax.Array:
        return kernel.draw(data, are_discs, size, ground)

    if not kernel.fits(len(are_discs), (num_floats - HEAD) // 3, size):
        return by_reference
    return kernels.accelerate(by_reference, by_kernel)


def _laid(
    data: jax.Array, are_discs: tuple[bool, ...], size: tuple[int, int], ground: tuple[int, int, int]
) -> jax.Array:
    """The picture in pure JAX: what is right, by definition."""
    canvas = plain(size[1], size[0], ground)
    for i, is_disc in enumerate(are_discs):
        canvas = _over(canvas, data[i], is_disc)
    return canvas.bytes()


def _over(canvas: Canvas, figure: jax.Array, is_disc: bool) -> Canvas:
    low, high, rim = figure[0], figure[1], figure[2]
    depth = jnp.minimum(canvas.y - low, high - canvas.y)
    if is_disc:
        x, y, radius = canvas.x - figure[HEAD], canvas.y - figure[HEAD + 1], figure[HEAD + 2]
        half_inverse = 0.5 / radius
        inside = (0.5 * radius - y * y * half_inverse) - x * x * half_inverse  # right at the rim, and needs no root
        depth = jnp.minimum(depth, inside)
    else:
        sides = figure[HEAD:].reshape(-1, 3)
        depth = functools.reduce(jnp.minimum, [s[0] * canvas.x + (s[1] * canvas.y + s[2]) for s in sides], depth)
    canvas = canvas.over(figure[6:9], cover(depth))
    return canvas.over(figure[3:6], cover(depth - rim))
