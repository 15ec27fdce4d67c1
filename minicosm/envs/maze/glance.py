"""A small view in one word of 32 bits.

Where an agent is alone and walls hide nothing, a view of at most 25 cells is told by which of them are wall, which of
them, if any, is the goal, and which way the agent faces: so much fits a word. Finding the word is the same work for
every world, and what the agent is handed is then spelled out from it, element by element, without a branch or a gather.
`observe` does the same for any view, and says what the elements mean.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.maze import observe
from minicosm.envs.maze.config import MazeConfig

_GOAL, _DIRECTION = 25, 30  # first bits of the goal's cell and of the direction; below are the walls
_NOWHERE = 31  # the goal's cell when it is out of sight

Array = np.ndarray[Any, np.dtype[Any]]


def fits(config: MazeConfig) -> bool:
    """Whether a word holds all that an agent sees."""
    return config.num_agents == 1 and config.view_size**2 <= _GOAL and config.see_through_walls


def look(rows: jax.Array, agents: observe.Agents, config: MazeConfig) -> jax.Array:
    """u32[A]: the view of each agent, its cells numbered by row and column of the map; the own cell counts as empty."""
    size = config.view_size

    def one(position: jax.Array, direction: jax.Array, goal: jax.Array) -> jax.Array:
        column, row = observe.corner(position, direction, config)

        def number(place: jax.Array) -> jax.Array:
            return (place[1] - row) * size + place[0] - column

        across, along = goal[0] - column, goal[1] - row
        is_seen = (across >= 0) & (across < size) & (along >= 0) & (along < size) & jnp.any(goal != position)
        goal_cell = jnp.where(is_seen, number(goal), _NOWHERE)
        rest = goal_cell.astype(jnp.uint32) << _GOAL | direction.astype(jnp.uint32) << _DIRECTION
        window = observe.window(rows, column, row, config) & np.uint32((1 << size) - 1)
        parts = window << np.arange(0, size * size, size, dtype=np.uint32)
        # a sum over an axis is worked out once for each world, whatever number of elements is made from it
        walls = jnp.sum(parts, dtype=jnp.uint32)
        word: jax.Array = walls & ~(jnp.uint32(1) << number(position).astype(jnp.uint32)) | rest
        return word

    words: jax.Array = jax.vmap(one)(agents.position, agents.direction, agents.goal)
    return words


def symbolic(word: jax.Array, config: MazeConfig) -> jax.Array:
    """u8[A, V, V, 3]: see `observe.symbolic`."""
    size = config.view_size
    is_wall, is_goal = _told(word, np.repeat(_cells(size), 3))
    kinds = ((observe.EMPTY, 0, 0), (observe.WALL, observe.GREY, 0), (observe.GOAL, observe.GREEN, 0))
    empty, wall, goal = (np.tile(np.array(kind, np.uint8), size * size) for kind in kinds)
    return jnp.where(is_goal, goal, jnp.where(is_wall, wall, empty)).reshape(-1, size, size, 3)


def flat(word: jax.Array, config: MazeConfig) -> jax.Array:
    """f32[A, F]: see `observe.flat`."""
    is_wall, is_goal = _told(word, _cells(config.view_size))
    facing = (word >> _DIRECTION)[:, None] == np.arange(4, dtype=np.uint32)
    return jnp.concatenate([is_wall & ~is_goal, is_goal, facing], axis=-1).astype(jnp.float32)


def _told(word: jax.Array, cells: Array) -> tuple[jax.Array, jax.Array]:
    """bool[A, N]: whether each of N elements is wall, and whether it is the goal; `cells` u32[N] is of `_cells`."""
    number = (cells >> (8 * (word >> _DIRECTION))[:, None]) & np.uint32(31)
    is_wall = ((word[:, None] >> number) & 1) == 1
    return is_wall, ((word >> _GOAL) & 31)[:, None] == number


def _cells(size: int) -> Array:
    """u32[V V]: for each cell of the view, in its own order, its number in `look` by direction, 8 bits each."""
    number = np.arange(size * size, dtype=np.uint32).reshape(size, size)  # [row, column]
    # [cells from the left, cells from the farthest row]
    turned = (number[:, ::-1], number[::-1, ::-1].T, number[::-1], number.T)
    packed = sum((cells << np.uint32(8 * d) for d, cells in enumerate(turned)), np.zeros_like(number))
    return packed.ravel()
