"""The kernel for flat pictures: see src/picture.h. Its reference is `_laid` of `minicosm.envs.physics.flat`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

MAX_WIDTH, MAX_FIGURES, MAX_EDGES = 1024, 1024, 16  # for which the kernel has room
HEAD = 9  # floats of a figure before its edges


def fits(num_figures: int, num_edges: int, size: tuple[int, int]) -> bool:
    """Whether the kernel can draw so many figures of at most `num_edges` edges at `size` (height, width)."""
    return num_figures <= MAX_FIGURES and num_edges <= MAX_EDGES and size[1] <= MAX_WIDTH and size[0] <= MAX_WIDTH


def draw(
    figures: jax.Array, is_disc: tuple[bool, ...], size: tuple[int, int], ground: tuple[float, float, float]
) -> jax.Array:
    """u8[height, width, 3]: `figures` f32[N, HEAD + 3 E], first to last, over the colour `ground` (0 to 255).

    The worlds of a batch are leading axes.
    """
    out = jax.ShapeDtypeStruct((*figures.shape[:-2], *size, 3), jnp.uint8)  # type: ignore[no-untyped-call]
    drawn: jax.Array = jax.ffi.ffi_call("minicosm_picture", out, vmap_method="broadcast_all")(
        figures, is_disc=np.array(is_disc, np.int32), ground=np.array(ground, np.float32)
    )
    return drawn
