"""Ways to make one 4-connected set of cells: laying walls that cut nothing off, growing trees, stretching them."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.nav import bitboard
from minicosm.envs.nav.bitboard import Board

PASSES = 3  # scattered walls are laid in this many rounds; a cell refused in one may be filled in the next
PLANES = 8  # random words that make one word of biased bits
_Walk = tuple[Board, Board, Board, Board]  # unvisited, here, edges to the right, edges up
_LOOPS = 0.35  # chance of a way round, per edge that a tree left closed


def uniform(word: jax.Array) -> jax.Array:
    """f32[...] in [0, 1) from random words."""
    return (word >> 8).astype(jnp.float32) * (1.0 / (1 << 24))


def below(word: jax.Array, bound: jax.Array | int) -> jax.Array:
    """i32[...] in [0, bound), for a bound of at most 65536, from random words."""
    return (((word >> 16) * jnp.asarray(bound, jnp.uint32)) >> 16).astype(jnp.int32)


def draw(key: jax.Array, *shapes: tuple[int, ...]) -> list[jax.Array]:
    """Random words u32[shape] for each of `shapes`, from one call of the generator: compiles faster than many."""
    sizes = [math.prod(shape) for shape in shapes]
    words = jax.random.bits(key, (sum(sizes),))
    ends = np.cumsum(sizes)
    return [words[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes, strict=True)]


def spread(board: Board, number: int, word: jax.Array) -> Board:
    """`number` different cells of `board`, which must hold as many, spread evenly over it from a random one."""
    size = bitboard.count(board)
    rank = (below(word, size) + jnp.arange(number) * size // number) % size
    return bitboard.from_cells(bitboard.cell_of_rank(board, rank), board.shape[0], board.shape[1] * 32)


def parity_classes(height: int, width: int) -> jax.Array:
    """u32[4, h, words]: the cells by parity of row and column; no two of one class are 8-neighbours."""
    row, column = np.arange(height)[:, None] % 2, np.arange(width)[None] % 2
    return jnp.stack([bitboard.where((row == i) & (column == j)) for i in (0, 1) for j in (0, 1)])


def fill(free: Board, keep: Board, words: jax.Array, share: jax.Array) -> Board:
    """Fill about `share` of the cells at random, but for those of `keep` and those that would cut `free` in two.

    `words` u32[PASSES * PLANES, h, words] are random bits. A cell may be filled when its free 4-neighbours stay
    joined among its 8 neighbours; the cells of a parity class do not see each other and are filled together.
    """
    lots = jax.vmap(lambda planes: bitboard.bernoulli(planes, share / PASSES))(
        words.reshape(PASSES, PLANES, *free.shape)
    )
    classes = parity_classes(free.shape[0], free.shape[1] * 32)
    lots = (lots[:, None] & classes[None] & ~keep).reshape(-1, *free.shape)

    def lay(free: Board, lot: Board) -> tuple[Board, None]:
        _, many = bitboard.crossings(free)
        return free & ~(lot & ~many & bitboard.neighbours(free)), None

    free, _ = jax.lax.scan(lay, free, lots)
    return free


def tree_nodes(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the nodes that `tree` joins."""
    return -(-height // 2), -(-width // 2)


def tree_shape(height: int, width: int) -> tuple[int, int]:
    """Shape of the random words that `tree` takes."""
    return math.prod(tree_nodes(height, width)), 2


def tree(words: jax.Array, height: int, width: int) -> jax.Array:
    """bool[h, w], a perfect maze: the cells of even row and column, joined into a tree by cells between two of them.

    Grown by walking to a random unvisited neighbour until there is none, then walking on from somewhere on the
    rim of what has been visited ("hunt and kill"). The nodes are kept row after row in one string of bits, each
    row followed by an empty bit, so that a step up is a shift by one row's length.
    """
    rows, columns = tree_nodes(height, width)
    row = columns + 1
    nodes = bitboard.where(np.tile(np.arange(row) < columns, rows)[None])

    def beside(cells: Board) -> Board:
        steps = (1, -1, row, -row)
        return functools.reduce(jnp.bitwise_or, (bitboard.slide(cells, step) for step in steps))

    def walk(carry: _Walk, word: jax.Array) -> tuple[_Walk, None]:
        unvisited, here, right, up = carry
        ahead = beside(here) & unvisited
        stuck = ~jnp.any(ahead != 0)
        visited = nodes & ~unvisited
        new = bitboard.pick(jnp.where(stuck, beside(visited) & unvisited, ahead), word[0])
        parent = bitboard.pick(jnp.where(stuck, beside(new) & visited, here), word[1])
        right = right | (new & bitboard.slide(parent, -1)) | (parent & bitboard.slide(new, -1))
        up = up | (new & bitboard.slide(parent, -row)) | (parent & bitboard.slide(new, -row))
        return (unvisited & ~new, new, right, up), None

    first = bitboard.pick(nodes, words[0, 0])
    none = jnp.zeros_like(nodes)
    (_, _, right, up), _ = jax.lax.scan(walk, (nodes & ~first, first, none, none), words[1:])
    is_right, is_up = (bitboard.unpack(edges, rows * row).reshape(rows, row)[:, :columns] for edges in (right, up))
    across = jnp.stack([jnp.ones_like(is_right), is_right], axis=-1).reshape(rows, -1)
    between = jnp.stack([is_up, jnp.zeros_like(is_up)], axis=-1).reshape(rows, -1)
    carved: jax.Array = jnp.stack([across, between], axis=1).reshape(2 * rows, -1)[:height, :width]
    return carved


def network(tree_words: jax.Array, loop_words: jax.Array) -> jax.Array:
    """bool[h, w]: nodes at even places and, between two, the open edges: those of a tree and some ways round.

    `loop_words` is u32[h, w]; `tree_words` is as `tree` takes for that size.
    """
    height, width = loop_words.shape
    row, column = np.arange(height)[:, None], np.arange(width)[None]
    extra = (uniform(loop_words) < _LOOPS) & ((row + column) % 2 == 1)
    plan: jax.Array = tree(tree_words, height, width) | extra
    return plan


def lines(words: jax.Array, size: int) -> jax.Array:
    """i32[N] increasing places in [0, size), evenly spread but for chance, no two adjacent; `words` is u32[N + 1]."""
    number = words.shape[0] - 1
    if number == 0:
        return jnp.zeros((0,), jnp.int32)
    free = max(1, size // number - 1)
    even = np.arange(number) * size // number
    spare = size - int(even[-1]) - free
    return jnp.asarray(even, jnp.int32) + below(words[1:], free) + below(words[0], spare + 1)
