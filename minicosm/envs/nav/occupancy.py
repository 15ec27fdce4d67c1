"""Occupancy maps packed one bit a cell, and the window of bits around a robot.

A lidar beam asks "is the cell that I enter at this grid line occupied?" a dozen times. With one 32-bit word
per grid line and robot, that is a shift and a mask with no memory access, so the whole lidar is one fused
elementwise loop. Everything outside the map counts as wall.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs import struct

_WORD = 32


@struct.dataclass
class PackedMap:
    """The map with a margin of walls, once by columns and once by rows, as bits.

    With a margin of N cells, bit b of `columns[c]`, counted across its words, is the cell (row b - N, column c - N).
    """

    columns: jax.Array  # u32[W + 2N, words over H + 2N]
    rows: jax.Array  # u32[H + 2N, words over W + 2N]


@struct.dataclass
class Window:
    """Bits of the (2N + 1) x (2N + 1) cells around each of A robots, its own cell in the middle."""

    columns: jax.Array  # u32[2N + 1, words, A]  bit j: the cell j - N rows above the robot's
    rows: jax.Array  # u32[2N + 1, words, A]  bit j: the cell j - N columns right of the robot's


def pack(walls: jax.Array, margin: int) -> PackedMap:
    """Pack bool[H, W] with `margin` cells of wall on every side."""
    padded = jnp.pad(walls, margin, constant_values=True)
    return PackedMap(columns=_pack_bits(padded.T), rows=_pack_bits(padded))


def window(packed: PackedMap, cell: jax.Array, margin: int) -> Window:
    """The window of `margin` cells around `cell` i32[A, 2] (column, row), which is clipped to the map."""
    column, row = cell[:, 0], cell[:, 1]
    return Window(
        columns=_lines(packed.columns, column, row, margin),
        rows=_lines(packed.rows, row, column, margin),
    )


def num_words(bits: int) -> int:
    """32-bit words that hold `bits`."""
    return -(-bits // _WORD)


def _pack_bits(lines: jax.Array) -> jax.Array:
    """u32[N, words] from bool[N, bits], bit 0 lowest."""
    count, bits = lines.shape
    words = num_words(bits)
    lines = jnp.pad(lines, ((0, 0), (0, words * _WORD - bits)))
    weights = jnp.uint32(1) << jnp.arange(_WORD, dtype=jnp.uint32)
    return jnp.sum(lines.reshape(count, words, _WORD) * weights, axis=-1, dtype=jnp.uint32)


def _lines(lines: jax.Array, line: jax.Array, bit: jax.Array, margin: int) -> jax.Array:
    """u32[2N + 1, words, A]: lines line - N … line + N, shifted so that their bit 0 is bit - N."""
    count, stored = lines.shape
    line = jnp.clip(line, 0, count - 1 - 2 * margin)
    index = line[None, :] + jnp.arange(2 * margin + 1)[:, None]  # [2N + 1, A]; the margin cancels
    needed = num_words(2 * margin + 1)
    if stored == 1:
        words = lines[:, 0].at[index].get(mode="promise_in_bounds")[:, None, :]
        return words >> jnp.clip(bit, 0, _WORD - 1).astype(jnp.uint32)
    bit = jnp.clip(bit, 0, stored * _WORD - 1)
    first, shift = bit // _WORD, (bit % _WORD).astype(jnp.uint32)
    word_index = first + jnp.arange(needed + 1)[:, None]  # [needed + 1, A]
    fetched = lines.at[index[:, None, :], jnp.minimum(word_index, stored - 1)[None]].get(mode="promise_in_bounds")
    fetched = jnp.where(word_index < stored, fetched, jnp.uint32(0xFFFFFFFF))
    low, high = fetched[:, :-1] >> shift, fetched[:, 1:] << ((_WORD - shift) % _WORD)
    return low | jnp.where(shift > 0, high, jnp.uint32(0))
