"""Sets of cells as bits: the rows of a map in words of 32 cells, the lowest bit the leftmost cell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

WORD = 32


def num_words(width: int) -> int:
    """Words in a row of `width` cells."""
    return -(-width // WORD)


def pack(cells: jax.Array) -> jax.Array:
    """u32[..., H, K] from bool[..., H, W]; bits beyond the row's end are 0."""
    width = cells.shape[-1]
    words = num_words(width)
    padded = jnp.pad(cells, [(0, 0)] * (cells.ndim - 1) + [(0, words * WORD - width)])
    weights = jnp.asarray(np.uint32(1) << np.arange(WORD, dtype=np.uint32))
    bits = padded.reshape(*cells.shape[:-1], words, WORD).astype(jnp.uint32) * weights
    return jnp.sum(bits, axis=-1, dtype=jnp.uint32)


def unpack(words: jax.Array, width: int) -> jax.Array:
    """bool[..., H, W] from u32[..., H, K]."""
    column = np.arange(width)
    bits = words[..., column // WORD] >> jnp.asarray(column % WORD, jnp.uint32)
    return (bits & 1) == 1


def left_to_right(rows: jax.Array, axis: int = -1) -> jax.Array:
    """Every cell moved one column to the right, `axis` being that of a row's words; may leave the map."""
    moved = rows << 1
    return moved if rows.shape[axis] == 1 else moved | _neighbour(rows >> (WORD - 1), 1, axis)


def right_to_left(rows: jax.Array, axis: int = -1) -> jax.Array:
    """Every cell moved one column to the left; those of the first column are lost."""
    moved = rows >> 1
    return moved if rows.shape[axis] == 1 else moved | _neighbour(rows << (WORD - 1), -1, axis)


def down(rows: jax.Array, axis: int = -2) -> jax.Array:
    """Every cell moved one row down, `axis` being that of the rows; those of the last row are lost."""
    return _neighbour(rows, 1, axis)


def up(rows: jax.Array, axis: int = -2) -> jax.Array:
    """Every cell moved one row up; those of the first row are lost."""
    return _neighbour(rows, -1, axis)


def beside(rows: jax.Array) -> jax.Array:
    """The cells with a 4-neighbour among `rows` u32[..., H, K], and cells beyond the row's end: mask the result."""
    return left_to_right(rows) | right_to_left(rows) | down(rows) | up(rows)


def flood(free: jax.Array, seeds: jax.Array) -> jax.Array:
    """u32[H, K]: the cells of `free` that 4-connected paths of free cells join to those of `seeds` in `free`."""

    def grow(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        before, _ = carry
        after = before
        for _ in range(4):  # few tests of whether anything changed
            after = (after | beside(after)) & free
        return after, jnp.any(after != before)

    reached, _ = jax.lax.while_loop(lambda carry: carry[1], grow, (seeds & free, jnp.bool_(True)))
    return reached


def _neighbour(x: jax.Array, shift: int, axis: int) -> jax.Array:
    """`x` moved by `shift`, 1 or -1, along `axis`, with zeros coming in."""
    axis %= x.ndim
    padding = [(0, 0, 0)] * x.ndim
    padding[axis] = (shift, -shift, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), padding)


def one(place: jax.Array, height: int, words: int) -> jax.Array:
    """u32[H, K] with the bit of `place` i32[2] (column, row) set."""
    is_word = (jnp.arange(height) == place[1])[:, None] & (jnp.arange(words) == place[0] // WORD)
    return jnp.where(is_word, jnp.uint32(1) << (place[0] % WORD).astype(jnp.uint32), jnp.uint32(0))


def pick(cells: jax.Array, word: jax.Array) -> jax.Array:
    """i32[2] (column, row): a cell of `cells` u32[H, K], chosen uniformly by the random `word` u32[].

    An empty set gives some cell that is not in it.
    """
    sizes = jax.lax.population_count(cells.ravel()).astype(jnp.int32)
    ends = jnp.cumsum(sizes)
    rank = below(word, ends[-1])
    index = jnp.minimum(jnp.sum(ends <= rank), sizes.shape[0] - 1)
    set_bits = ((cells.ravel()[index] >> np.arange(WORD, dtype=np.uint32)) & 1).astype(jnp.int32)
    column = jnp.argmax((jnp.cumsum(set_bits) == rank - (ends - sizes)[index] + 1) & (set_bits == 1))
    words = cells.shape[1]
    return jnp.stack([index % words * WORD + column, index // words]).astype(jnp.int32)


def below(word: jax.Array, bound: jax.Array | int) -> jax.Array:
    """i32[...] in [0, bound), for a bound of at most 65536, from random words."""
    return (((word >> 16) * jnp.asarray(bound, jnp.uint32)) >> 16).astype(jnp.int32)


def chance(word: jax.Array) -> jax.Array:
    """f32[...] in [0, 1) from random words."""
    return (word >> 8).astype(jnp.float32) * (1.0 / (1 << 24))
