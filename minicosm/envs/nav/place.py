"""Where robots start and where they go, among the free blocks of a sketched map."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.nav import bitboard
from minicosm.envs.nav.patterns import Grid, Sketch, opposite

_NEVER = 2**31 - 1  # above every rank
_UNROLLED_ROBOTS = 4  # beyond, a loop: keeps the program small


def place(random: jax.Array, sketch: Sketch, grid: Grid) -> tuple[jax.Array, jax.Array]:
    """Blocks, (column, row), of the starts i32[A, 2] and of the goals i32[A, G, 2], from f32[1 + G, A] in [0, 1).

    Starts differ from each other, so do first goals, and no robot's goal is its start; later goals differ from
    the one before, and the last from the first. The map must have more than A blocks to choose from (with
    `near` and `far`, each more than half of A rounded up), and at least 3 when there are several goals.
    """
    num_robots, num_goals = grid.num_robots, random.shape[0] - 1
    if sketch.near is None or sketch.far is None:
        board, middle = sketch.free, None
    else:
        board, middle = jnp.concatenate([sketch.near, sketch.far]), bitboard.count(sketch.near)
    total = bitboard.count(board)
    low, high = _ranges(num_robots, total, middle, False)
    start = _distinct(random[0], low, high, jnp.full((num_robots,), -1))
    low, high = _ranges(num_robots, total, middle, True)
    goal = _distinct(random[1], low, high, start)
    if sketch.start is not None:
        is_given = sketch.start[:, 0] >= 0
        start = jnp.where(is_given, bitboard.rank_of_cell(board, sketch.start), start)
        goal = jnp.where(is_given, bitboard.rank_of_cell(board, opposite(sketch.start, grid)), goal)
    ranks = jnp.concatenate([start[:, None], _later_goals(random[2:], goal, total)], axis=1)
    cells = bitboard.cell_of_rank(board, ranks.ravel()).reshape(num_robots, 1 + num_goals, 2)
    cells = cells % jnp.array([1 << 16, grid.height])  # the rows of `far` come after those of `near`
    return cells[:, 0], cells[:, 1:]


def _ranges(num_robots: int, total: jax.Array, middle: jax.Array | None, far: bool) -> tuple[jax.Array, jax.Array]:
    """First and last-but-one rank, i32[A] each, among which each robot chooses."""
    zero = jnp.zeros((num_robots,), jnp.int32)
    if middle is None:
        return zero, zero + total
    in_far = ((jnp.arange(num_robots) % 2 == 1) ^ far) & (middle < total)  # nothing in `far`: all is near
    return jnp.where(in_far, middle, 0), jnp.where(in_far, total, middle)


def _distinct(random: jax.Array, low: jax.Array, high: jax.Array, avoid: jax.Array) -> jax.Array:
    """i32[A] different ranks, one in low ... high - 1 for each robot and never its `avoid`, uniformly drawn."""
    num_robots = random.shape[0]
    index = jnp.arange(num_robots)
    none = jnp.full((num_robots,), _NEVER, jnp.int32)

    def draw(taken: jax.Array, robot: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        """`taken` i32[A] holds the ranks given away, in increasing order."""
        random, low, high, avoid = robot
        before_low = jnp.sum(taken < low)
        excluded = (avoid >= low) & (avoid < high) & ~jnp.any(taken == avoid)
        available = (high - jnp.sum(taken < high)) - (low - before_low) - excluded
        rank = jnp.minimum((random * available).astype(jnp.int32), available - 1) + low - before_low
        rank = rank + (excluded & (rank >= avoid - jnp.sum(taken < avoid)))
        rank = rank + jnp.sum(taken - index <= rank)  # from a rank among those left to a rank among all
        place = jnp.sum(taken < rank)
        inserted = jnp.where(index == place, rank, jnp.roll(taken, 1))
        return jnp.where(index < place, taken, inserted), rank

    _, ranks = jax.lax.scan(draw, none, (random, low, high, avoid), unroll=num_robots <= _UNROLLED_ROBOTS)
    return ranks


def _later_goals(random: jax.Array, first: jax.Array, total: jax.Array) -> jax.Array:
    """i32[A, G] ranks below `total`, the `first` i32[A] and then one per row of `random` f32[G - 1, A]."""
    if random.shape[0] == 0:
        return first[:, None]
    leaps = 1 + jnp.minimum((random * (total - 1)).astype(jnp.int32), total - 2)
    ranks = (first + jnp.cumsum(leaps, axis=0)) % total
    if random.shape[0] > 1:  # the last must differ from the one before and from the first, which follows it
        before = ranks[-2]
        gap = (first - before) % total
        leap = 1 + jnp.minimum((random[-1] * (total - 2)).astype(jnp.int32), total - 3)
        same = gap == 0
        leap = jnp.where(same, leaps[-1], leap + (leap >= gap))
        ranks = ranks.at[-1].set((before + leap) % total)
    return jnp.concatenate([first[None], ranks]).T
