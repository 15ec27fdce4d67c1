"""The kinds of map, bool[H, W] of walls each, drawn in one pass."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.maze import bits
from minicosm.envs.maze.config import MazeConfig

_UNSEEN, _ROOT = 4, 5  # in place of the direction in which a node was entered
_LOOPS = 0.3  # chance of a way round, for each pair of neighbours that a tree leaves apart
_ROCK = 0.45  # chance of a wall before the caves' automaton runs
_ROUNDS = 3


def scattered(key: jax.Array, config: MazeConfig) -> jax.Array:
    """Walls in cells drawn uniformly with replacement, as JaxUED's generator draws them: at most as many as drawn."""
    cells, number = config.height * config.width, config.walls_drawn
    if number == 0:
        return jnp.zeros((config.height, config.width), bool)
    place_key, number_key = jax.random.split(key)
    place = bits.below(jax.random.bits(place_key, (number,)), cells)
    if config.vary_walls:
        drawn = bits.below(jax.random.bits(number_key), number + 1)
        place = jnp.where(jnp.arange(number) < drawn, place, cells)  # out of bounds: dropped
    return jnp.zeros((cells,), bool).at[place].set(True, mode="drop").reshape(config.height, config.width)


def perfect(key: jax.Array, config: MazeConfig) -> jax.Array:
    """A perfect maze, one way between any two cells, over the cells of even row and column.

    Along an axis of even size the last row or column stays wall.
    """
    rows, columns = node_counts(config, "perfect")
    free = tree(key, rows, columns)
    spare = (config.height - free.shape[0], config.width - free.shape[1])
    return ~jnp.pad(free, ((0, spare[0]), (0, spare[1])))


def rooms(key: jax.Array, config: MazeConfig) -> jax.Array:
    """Rooms of different sizes, every two joined through doors one cell wide."""
    rows, columns = node_counts(config, "rooms")
    key_plan, key_row, key_column, key_door = jax.random.split(key, 4)
    plan = _network(key_plan, rows, columns)
    row, first_row, row_count = _between_walls(key_row, config.height, rows)
    column, first_column, column_count = _between_walls(key_column, config.width, columns)
    door = jax.random.bits(key_door, plan.shape)[row][:, column]
    row_wall, column_wall = (row % 2 == 1)[:, None], (column % 2 == 1)[None]
    y, x = np.arange(config.height)[:, None], np.arange(config.width)[None]
    # one cell of each stretch of wall between two rooms is its door
    at_door = jnp.where(
        row_wall,
        x == first_column[None] + bits.below(door, column_count[None]),
        y == first_row[:, None] + bits.below(door, row_count[:, None]),
    )
    is_door = (row_wall ^ column_wall) & at_door & plan[row][:, column]
    return ~((~row_wall & ~column_wall) | is_door)


def corridors(key: jax.Array, config: MazeConfig) -> jax.Array:
    """A network of corridors one cell wide, with dead ends and some ways round, between blocks of wall."""
    rows, columns = node_counts(config, "corridors")
    key_plan, key_row, key_column = jax.random.split(key, 3)
    plan = jnp.pad(_network(key_plan, rows, columns), 1)
    row, column = (
        _along_lines(_lines(k, n, 0, 2, size), size)
        for k, n, size in ((key_row, rows, config.height), (key_column, columns, config.width))
    )
    return ~plan[row][:, column]


def caves(key: jax.Array, config: MazeConfig) -> jax.Array:
    """Caves from a cellular automaton, with a winding tunnel from the left edge to the right; some may be cut off."""
    shape = (config.height, config.width)
    words = jax.random.bits(key, (shape[0] * shape[1] + shape[1] + 1,))
    walls = bits.chance(words[: shape[0] * shape[1]]).reshape(shape) < _ROCK
    for _ in range(_ROUNDS):
        around = jnp.pad(walls, 1, constant_values=True).astype(jnp.int8)
        rows = around[:-2] + around[1:-1] + around[2:]
        walls = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5
    steps = bits.below(words[-shape[1] :], 3) - 1
    first = bits.below(words[-shape[1] - 1], shape[0])
    # the tunnel's row in each column: a random walk, folded back at the edges
    walk = jnp.abs(first + jnp.cumsum(steps))
    walk = shape[0] - 1 - jnp.abs(shape[0] - 1 - walk % (2 * shape[0] - 1))
    walk = jnp.clip(walk, 0, shape[0] - 1)
    before = jnp.concatenate([walk[:1], walk[:-1]])
    row = jnp.arange(shape[0])[:, None]
    return walls & ~((row >= jnp.minimum(walk, before)) & (row <= jnp.maximum(walk, before)))


def node_counts(config: MazeConfig, kind: str) -> tuple[int, int]:
    """Rows and columns of the nodes (cells, rooms or crossings) that a kind of map joins."""

    def along(size: int) -> int:
        return {"perfect": (size + 1) // 2, "rooms": max(2, (size + 1) // 4), "corridors": max(2, (size + 2) // 3)}[
            kind
        ]

    return along(config.height), along(config.width)


def tree(key: jax.Array, rows: int, columns: int) -> jax.Array:
    """bool[2 rows − 1, 2 columns − 1]: nodes at even places, and the passages of a random spanning tree between them.

    By recursive backtracking: walk to a random node not yet seen, and back the way where there is none. What is kept
    of each node is the direction in which it was entered, which is both the map and the way back.
    """
    count = rows * columns
    offset = jnp.array([1, columns, -1, -columns])  # right, down, left, up
    words = jax.random.bits(key, (2 * count,))
    root = bits.below(words[0], count)

    def walk(carry: tuple[jax.Array, jax.Array], word: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        entered, here = carry
        row, column = here // columns, here % columns
        inside = jnp.stack([column < columns - 1, row < rows - 1, column > 0, row > 0])
        beside = jnp.where(inside, here + offset, here)
        is_open = inside & (entered[beside] == _UNSEEN)
        number = jnp.cumsum(is_open)
        way = jnp.argmax(is_open & (number == bits.below(word, number[-1]) + 1))
        goes_on = number[-1] > 0
        back = entered[here]
        is_root = back == _ROOT
        previous = jnp.where(is_root, here, here - offset[jnp.where(is_root, 0, back)])
        following = jnp.where(goes_on, beside[way], previous)
        mark = jnp.where(goes_on, way.astype(jnp.int8), entered[following])
        return (entered.at[following].set(mark), following), None

    start = jnp.full((count,), _UNSEEN, jnp.int8).at[root].set(_ROOT)
    (entered, _), _ = jax.lax.scan(walk, (start, root), words[2:])
    entered = entered.reshape(rows, columns)
    right = (entered[:, 1:] == 0) | (entered[:, :-1] == 2)
    below = (entered[1:] == 1) | (entered[:-1] == 3)
    plan = jnp.zeros((2 * rows - 1, 2 * columns - 1), bool)
    carved: jax.Array = plan.at[::2, ::2].set(True).at[::2, 1::2].set(right).at[1::2, ::2].set(below)
    return carved


def _network(key: jax.Array, rows: int, columns: int) -> jax.Array:
    """A `tree` with some ways round."""
    key_tree, key_loops = jax.random.split(key)
    plan = tree(key_tree, rows, columns)
    row, column = np.arange(plan.shape[0])[:, None], np.arange(plan.shape[1])[None]
    loops = bits.chance(jax.random.bits(key_loops, plan.shape)) < _LOOPS
    joined: jax.Array = plan | (loops & ((row + column) % 2 == 1))
    return joined


def _lines(key: jax.Array, number: int, first: int, apart: int, size: int) -> jax.Array:
    """i32[N], increasing, at random in [first, size − first), at least `apart` from one to the next."""
    slack = size - 1 - 2 * first - apart * (number - 1)
    moved = jnp.sort(bits.below(jax.random.bits(key, (number,)), slack + 1))
    return first + apart * jnp.arange(number) + moved


def _between_walls(key: jax.Array, size: int, rooms: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """For each of `size` rows: its place in the plan, odd on a wall, and the first row and the length of its room."""
    least = 2 if size + 1 >= 3 * rooms else 1  # rows in a room
    walls = _lines(key, rooms - 1, least, least + 1, size)
    at = jnp.arange(size)
    room = jnp.sum(walls[None] < at[:, None], axis=1)
    on_wall = jnp.any(walls[None] == at[:, None], axis=1)
    edges = jnp.concatenate([jnp.array([-1]), walls, jnp.array([size])])
    first = edges[room] + 1
    return 2 * room + on_wall, first, edges[room + 1] - first


def _along_lines(lines: jax.Array, size: int) -> jax.Array:
    """Place, i32[size], in the plan within a margin of 1, of each row: odd on the lines, even between and outside."""
    at = jnp.arange(size)
    return 2 * jnp.sum(lines[None] < at[:, None], axis=1) + jnp.any(lines[None] == at[:, None], axis=1)
