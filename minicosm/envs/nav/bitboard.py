"""Sets of grid cells as bits, 32 cells of a row to a word, so that one instruction treats a whole row.

A board is u32[h, words]: bit x mod 32 of word x // 32 in row y is the cell (row y, column x). Bits beyond the
width are zero; operations that move bits leave it to the caller to intersect with a board of valid cells.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_WORD = 32
Board = jax.Array  # u32[h, words]


def num_words(width: int) -> int:
    """Words of a row of `width` cells."""
    return -(-width // _WORD)


def full(height: int, width: int) -> Board:
    """Every cell of a height x width grid."""
    return jnp.asarray(_packed(np.ones((height, width), bool)))


def where(cells: np.ndarray) -> Board:
    """The constant board of `cells`, a NumPy bool[h, w]."""
    return jnp.asarray(_packed(cells))


def _packed(cells: np.ndarray) -> np.ndarray:
    height, width = cells.shape
    padded = np.zeros((height, num_words(width) * _WORD), np.uint32)
    padded[:, :width] = cells
    weights = np.uint32(1) << np.arange(_WORD, dtype=np.uint32)
    packed: np.ndarray = (padded.reshape(height, -1, _WORD) * weights).sum(axis=-1, dtype=np.uint32)
    return packed


def pack(cells: jax.Array) -> Board:
    """Board from bool[h, w]."""
    height, width = cells.shape
    padded = jnp.pad(cells, ((0, 0), (0, num_words(width) * _WORD - width)))
    weights = jnp.uint32(1) << jnp.arange(_WORD, dtype=jnp.uint32)
    return jnp.sum(padded.reshape(height, -1, _WORD) * weights, axis=-1, dtype=jnp.uint32)


def unpack(board: Board, width: int) -> jax.Array:
    """bool[h, w] from a board."""
    bits = (board[:, :, None] >> jnp.arange(_WORD, dtype=jnp.uint32)) & 1
    return bits.reshape(board.shape[0], -1)[:, :width].astype(bool)


def east(board: Board) -> Board:
    """Every cell moved one column up: a set bit says that the neighbour to the west was in the set."""
    return slide(board, 1)


def west(board: Board) -> Board:
    """Every cell moved one column down."""
    return slide(board, -1)


def north(board: Board) -> Board:
    """Every cell moved one row up."""
    return jnp.concatenate([jnp.zeros_like(board[:1]), board[:-1]], axis=0)


def south(board: Board) -> Board:
    """Every cell moved one row down."""
    return jnp.concatenate([board[1:], jnp.zeros_like(board[:1])], axis=0)


def _pad_words(carry: jax.Array, before: int, after: int) -> jax.Array:
    """What leaves one word enters the next."""
    if carry.shape[1] == 1:
        return jnp.zeros_like(carry)
    edge = jnp.zeros_like(carry[:, :1])
    kept = carry[:, : carry.shape[1] - 1] if before else carry[:, 1:]
    return jnp.concatenate([edge] * before + [kept] + [edge] * after, axis=1)


def slide(board: Board, places: int) -> Board:
    """Every cell of each row moved `places` up, or down where negative; bits that leave the words are lost."""
    skipped, shift = divmod(abs(places), _WORD)
    number = board.shape[1]
    if skipped >= number:
        return jnp.zeros_like(board)
    if places >= 0:
        moved = jnp.pad(board[:, : number - skipped], ((0, 0), (skipped, 0)))
        return moved if shift == 0 else (moved << shift) | _pad_words(moved >> (_WORD - shift), 1, 0)
    moved = jnp.pad(board[:, skipped:], ((0, 0), (0, skipped)))
    return moved if shift == 0 else (moved >> shift) | _pad_words(moved << (_WORD - shift), 0, 1)


def neighbours(board: Board) -> Board:
    """Cells with a 4-neighbour in the set."""
    return east(board) | west(board) | north(board) | south(board)


def dilate(board: Board, steps: int) -> Board:
    """Cells within `steps` of the set, diagonals included (Chebyshev)."""
    for _ in range(steps):
        board = board | east(board) | west(board)
        board = board | north(board) | south(board)
    return board


def erode(board: Board, steps: int) -> Board:
    """Cells that have only cells of the set within `steps` of them, diagonals included; beyond the board is none."""
    for _ in range(steps):
        board = board & east(board) & west(board)
        board = board & north(board) & south(board)
    return board


def from_cells(cells: jax.Array, height: int, width: int) -> Board:
    """The board of `cells` i32[K, 2] (column, row)."""
    column, row = cells[:, 0, None, None], cells[:, 1, None, None]
    words = jnp.arange(num_words(width))[None, None]
    here = (jnp.arange(height)[None, :, None] == row) & (words == column // _WORD)
    bit = jnp.uint32(1) << (column % _WORD).astype(jnp.uint32)
    board: Board = jax.lax.reduce(jnp.where(here, bit, jnp.uint32(0)), jnp.uint32(0), jax.lax.bitwise_or, (0,))
    return board


def flood(free: Board, seed: Board) -> Board:
    """The cells of `free` that a 4-connected path within `free` joins to a cell of `seed`."""

    def grow(carry: tuple[Board, jax.Array]) -> tuple[Board, jax.Array]:
        reached, _ = carry
        grown = reached
        for _ in range(4):  # fewer tests of the loop's condition
            grown = grown | (neighbours(grown) & free)
        return grown, jnp.any(grown != reached)

    reached, _ = jax.lax.while_loop(lambda carry: carry[1], grow, (seed & free, jnp.bool_(True)))
    return reached


def crossings(board: Board) -> tuple[Board, Board]:
    """Cells with at least one, and with at least two, 8-neighbourhood links (Yokoi's number for 4-connectivity).

    The number counts the 4-neighbours in the set that the ring of 8 neighbours does not join to the next
    4-neighbour. Removing a cell whose number is at most 1 leaves the rest as connected as it was. Where no
    4-neighbour, or each of them and all diagonals are in the set, the number is 0.
    """
    up, down = south(board), north(board)  # the neighbours in rows y + 1 and y - 1
    right, left = west(board), east(board)
    up_right, up_left, down_left, down_right = west(up), east(up), east(down), west(down)
    a = right & ~(up_right & up)
    b = up & ~(up_left & left)
    c = left & ~(down_left & down)
    d = down & ~(down_right & right)
    return a | b | c | d, (a & b) | (c & d) | ((a | b) & (c | d))


def bernoulli(words: jax.Array, probability: jax.Array | float) -> Board:
    """A board in which each bit is set with `probability`, to 1/256, from `words` u32[8, h, words] of random bits."""
    threshold = jnp.round(jnp.asarray(probability) * 256).astype(jnp.int32)
    board = jnp.zeros_like(words[0])
    for bit in range(words.shape[0]):
        board = jnp.where((threshold >> bit) & 1, board | words[bit], board & words[bit])
    return jnp.where(threshold >= 256, jnp.uint32(0xFFFFFFFF), board)


def pick(board: Board, word: jax.Array) -> Board:
    """One cell of the set, chosen by the random `word` u32[]; empty if the set is.

    The set is cut down to a random part of itself, three times unless nothing would be left, which favours no
    cell. If several are left, the first after a random bit is taken, which favours those behind a gap.
    """
    flat = board.ravel()
    number = flat.shape[0]
    index = jnp.arange(number, dtype=jnp.uint32)
    random = word ^ (index * jnp.uint32(0x9E3779B9))
    for _ in range(3):
        random = _mix(random)
        part = flat & random
        flat = jnp.where(jnp.any(part != 0), part, flat)
    offset = ((word >> 16) * jnp.uint32(number)) >> 16
    turned = jnp.where(index >= offset, index - offset, index + jnp.uint32(number) - offset)
    order = jnp.where(flat != 0, turned, jnp.uint32(number))
    chosen = order == jnp.min(order)
    turn = word & (_WORD - 1)
    back = (_WORD - turn) & (_WORD - 1)
    rotated = (flat >> turn) | (flat << back)
    lowest = rotated & (~rotated + 1)
    bit = (lowest << turn) | (lowest >> back)
    return jnp.where(chosen, bit, jnp.uint32(0)).reshape(board.shape)


def _mix(words: jax.Array) -> jax.Array:
    """Other words, each bit of which depends on every bit of the given ones (MurmurHash3's last step)."""
    words = (words ^ (words >> 16)) * jnp.uint32(0x85EBCA6B)
    words = (words ^ (words >> 13)) * jnp.uint32(0xC2B2AE35)
    return words ^ (words >> 16)


def count(board: Board) -> jax.Array:
    """i32[], the number of cells in the set."""
    return jnp.sum(jax.lax.population_count(board)).astype(jnp.int32)


def cell_of_rank(board: Board, rank: jax.Array) -> jax.Array:
    """i32[K, 2] (column, row) of the cells that come `rank` i32[K]-th in the set, counted row by row from 0.

    Ranks must lie below `count(board)`; others give some cell of the board.
    """
    words = board.ravel()
    sizes = jax.lax.population_count(words).astype(jnp.int32)
    ends = jnp.cumsum(sizes)
    index = jnp.sum(ends[None, :] <= rank[:, None], axis=1)
    index = jnp.minimum(index, words.shape[0] - 1)
    word, left = words[index], rank - (ends - sizes)[index]
    column = jnp.zeros_like(rank)
    for half in (16, 8, 4, 2, 1):
        low = word & jnp.uint32((1 << half) - 1)
        below = jax.lax.population_count(low).astype(jnp.int32)
        high = left >= below
        word = jnp.where(high, word >> half, low)
        left = jnp.where(high, left - below, left)
        column = jnp.where(high, column + half, column)
    per_row = board.shape[1]
    return jnp.stack([index % per_row * _WORD + column, index // per_row], axis=-1)


def rank_of_cell(board: Board, cells: jax.Array) -> jax.Array:
    """i32[K]: how many cells of the set come before each of `cells` i32[K, 2] (column, row), which lie on the board."""
    words = board.ravel()
    sizes = jax.lax.population_count(words).astype(jnp.int32)
    index = cells[:, 1] * board.shape[1] + cells[:, 0] // _WORD
    before = (jnp.cumsum(sizes) - sizes)[index]
    low = (jnp.uint32(1) << (cells[:, 0] % _WORD).astype(jnp.uint32)) - 1
    return before + jax.lax.population_count(words[index] & low).astype(jnp.int32)


def contains(board: Board, cells: jax.Array) -> jax.Array:
    """bool[...]: whether the cells i32[..., 2] (column, row) are in the set; those off the board are not."""
    column, row = cells[..., 0], cells[..., 1]
    inside = (column >= 0) & (row >= 0) & (row < board.shape[0]) & (column < board.shape[1] * _WORD)
    column, row = jnp.where(inside, column, 0), jnp.where(inside, row, 0)
    word = board[row, column // _WORD]
    return inside & (((word >> (column % _WORD).astype(jnp.uint32)) & 1) == 1)
