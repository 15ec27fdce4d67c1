"""A picture in the making, as arithmetic per pixel, and the frames in which things are measured on it.

Lengths are in pixels, x to the right and y up, from the middle of the picture. A layer is laid over the picture by
its coverage, the share of each pixel that it covers, from a signed distance: pixels inside the outline.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

RGB = Any  # three numbers, 0 to 255: of a theme, or arrays


class Canvas(NamedTuple):
    """Nothing is computed before it is `stored` or made `bytes`, so that XLA makes one loop of what comes before."""

    rgb: tuple[jax.Array, jax.Array, jax.Array]  # f32[height, width] each, 0 to 255
    x: jax.Array  # f32[1, width]  of the middle of each pixel
    y: jax.Array  # f32[height, 1]

    def over(self, colour: RGB, cover: jax.Array) -> Canvas:
        """With `colour` laid over it, as opaque as `cover`."""
        red, green, blue = (c + (new - c) * cover for c, new in zip(self.rgb, colour, strict=True))
        return self._replace(rgb=(red, green, blue))

    def stored(self) -> jax.Array:
        """i32[height, width]: the colours to a quarter of a step, one number a pixel, so that one loop makes it."""
        red, green, blue = ((4.0 * c + 0.5).astype(jnp.int32) for c in self.rgb)
        return red | (green << 10) | (blue << 20)

    def with_stored(self, colours: jax.Array) -> Canvas:
        """With the colours of what was `stored`."""
        red, green, blue = (0.25 * ((colours >> shift) & 1023).astype(jnp.float32) for shift in (0, 10, 20))
        return self._replace(rgb=(red, green, blue))

    def bytes(self) -> jax.Array:
        """u8[height, width, 3], the row at the top first."""
        red, green, blue = ((c + 0.5).astype(jnp.int32) for c in self.rgb)
        packed = red | (green << 8) | (blue << 16)  # one number a pixel: three would be three loops
        return jax.lax.bitcast_convert_type(packed, jnp.uint8)[..., :3]


def plain(width: int, height: int, colour: RGB) -> Canvas:
    """A canvas of one colour."""
    rows = 0.5 * height - 0.5 - jnp.arange(height, dtype=jnp.float32)
    columns = jnp.arange(width, dtype=jnp.float32) + 0.5 - 0.5 * width
    red, green, blue = (jnp.full((height, width), c, jnp.float32) for c in colour)
    return Canvas((red, green, blue), columns[None, :], rows[:, None])


class Frame(NamedTuple):
    """Where something's own axes are in the picture. Scalars; vmap over them for many."""

    x: jax.Array
    y: jax.Array
    cos: jax.Array
    sin: jax.Array

    def local(self, canvas: Canvas) -> tuple[jax.Array, jax.Array]:
        """f32[height, width] twice: each pixel's place along both axes."""
        x, y = canvas.x - self.x, canvas.y - self.y
        return x * self.cos + y * self.sin, y * self.cos - x * self.sin

    def distance(self, canvas: Canvas) -> jax.Array:
        """Of each pixel from the origin."""
        x, y = canvas.x - self.x, canvas.y - self.y
        return jnp.sqrt(x * x + y * y)


def cover(inside: jax.Array) -> jax.Array:
    """Share of a pixel that is covered, by how far inside the outline its middle is."""
    return jnp.clip(inside + 0.5, 0.0, 1.0)


def smooth(share: jax.Array) -> jax.Array:
    """0 below 0, 1 above 1, with level ends (Hermite's cubic)."""
    share = jnp.clip(share, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def dimmed(colour: RGB, factor: float) -> RGB:
    """`colour`, darker."""
    return tuple(factor * c for c in colour)
