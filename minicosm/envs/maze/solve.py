"""The exact optimum of a maze: breadth-first search over (cell, direction), for many mazes at a time.

What has been reached is kept as four sets of cells, one for each direction faced, a bit a cell, so that one tick of
every maze is a few shifts of words: a turn takes a set to its neighbours' sets, a step forward moves a set by a cell.
The worlds lie along the last axis, where the processor's vectors are. Calls under `vmap` are gathered into one search.

With several agents each one's search takes the others to be out of its way, so the answers are lower bounds on the
number of actions and upper bounds on the return.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from minicosm.envs import struct
from minicosm.envs.maze import bits
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.level import STEPS, Level

UNREACHABLE = -1  # in place of a number of actions, where no actions lead to the goal
LEFT, RIGHT, FORWARD = 0, 1, 2  # actions
_BLOCK = 256  # mazes searched together on a CPU: they fit in its cache, and wait only for their own slowest
_FAR = 1 << 14  # actions; more than any state of a 64 x 64 maze needs


@struct.dataclass
class Solution:
    """The optimum of one level for each of A agents."""

    num_actions: jax.Array  # i32[A]  least number that leads onto the goal, UNREACHABLE if none does
    solvable: jax.Array  # bool[A]  within the time limit
    optimal_return: jax.Array  # f32[A]  0 where not solvable


def solve(level: Level, config: MazeConfig) -> Solution:
    """Solve `level` exactly; under `vmap` a batch of levels is solved in one search. Pure; `jit` applies."""
    return solution_of(num_actions(level), config)


def solution_of(actions: jax.Array, config: MazeConfig) -> Solution:
    """What least numbers of actions, i32[A], say of the return."""
    solvable = (actions != UNREACHABLE) & (actions <= config.max_steps)
    best = jnp.where(solvable, success_reward(actions, config), 0.0)
    return Solution(actions, solvable, best)


def success_reward(time: jax.Array, config: MazeConfig) -> jax.Array:
    """f32[...]: what reaching the goal with the `time`-th action earns, 1 − 0.9 t / T, as in MiniGrid."""
    return 1.0 - 0.9 * (time.astype(jnp.float32) / config.max_steps)


def num_actions(level: Level) -> jax.Array:
    """i32[A]: least number of actions from each start onto the goal, UNREACHABLE if none leads there."""
    agents = level.start.shape[0]
    walls = jnp.broadcast_to(level.walls, (agents, *level.walls.shape))
    result: jax.Array = _search(walls, level.start, level.direction, level.goal)
    return result


def distance_field(walls: jax.Array, goal: jax.Array) -> jax.Array:
    """i32[4, H, W]: least number of actions onto `goal` i32[2] from facing each direction in each cell.

    0 on the goal itself; UNREACHABLE in walls and where none leads there. Slower than `num_actions`: it looks at every
    state until nothing gets nearer.
    """
    result: jax.Array = _fields(walls[None], goal[None])[0]
    return result


def optimal_actions(field: jax.Array) -> jax.Array:
    """i32[4, H, W]: an action that leads nearer in each state of `field`, of `distance_field`; 2 where none does.

    Of several, the one earliest in: forward, left, right.
    """
    far = jnp.where(field == UNREACHABLE, _FAR, field).astype(jnp.int32)
    after = jnp.stack([jnp.roll(far, 1, 0), jnp.roll(far, -1, 0), _ahead(far)])  # left, right, forward
    nearest = jnp.min(after, axis=0)
    turn = jnp.where(after[LEFT] == nearest, LEFT, RIGHT)
    action = jnp.where((after[FORWARD] == nearest) | (nearest >= _FAR), FORWARD, turn)
    return action.astype(jnp.int32)


# -- the search for one number --------------------------------------------------------------------------------------


@custom_vmap
def _search(walls: jax.Array, start: jax.Array, direction: jax.Array, goal: jax.Array) -> jax.Array:
    """i32[L] from bool[L, H, W], i32[L, 2], i32[L], i32[L, 2]."""
    levels = walls, start, direction, goal
    if walls.shape[0] <= _BLOCK:
        return _search_block(levels)
    actions: jax.Array = jax.lax.platform_dependent(levels, cpu=_search_in_blocks, default=_search_block)
    return actions


def _search_in_blocks(levels: tuple[jax.Array, jax.Array, jax.Array, jax.Array]) -> jax.Array:
    count = levels[0].shape[0]
    blocks = -(-count // _BLOCK)

    def split(x: jax.Array) -> jax.Array:
        padded = jnp.concatenate([x, jnp.repeat(x[:1], blocks * _BLOCK - count, axis=0)])
        return padded.reshape(blocks, _BLOCK, *x.shape[1:])

    parts: jax.Array = jax.lax.map(_search_block, tuple(split(x) for x in levels))
    return parts.reshape(-1)[:count]


def _search_block(levels: tuple[jax.Array, jax.Array, jax.Array, jax.Array]) -> jax.Array:
    """i32[L]."""
    walls, start, direction, goal = levels
    free = jnp.moveaxis(bits.pack(~walls), 0, -1)  # u32[H, K, L]
    at_start, target = _cell(start, free.shape), _cell(goal, free.shape)
    none = jnp.zeros_like(free)
    planes = tuple(jnp.where(direction == d, at_start, none) & free for d in range(4))
    zero, no = jnp.zeros(direction.shape, jnp.int32), jnp.zeros(direction.shape, bool)

    def tick(now: Any) -> Any:
        planes, count, _, _ = now
        after = _tick(planes, free)
        pairs = [a ^ b for a, b in zip(planes, after, strict=True)]
        changed = jnp.any((pairs[0] | pairs[1]) | (pairs[2] | pairs[3]) != 0, axis=(0, 1))
        found = jnp.any(((after[0] | after[2]) | (after[1] | after[3])) & target != 0, axis=(0, 1))
        return after, count + ~now[2], found, ~changed

    def goes_on(now: Any) -> jax.Array:
        return ~jnp.all(now[2] | now[3])

    last: Any = jax.lax.while_loop(goes_on, tick, (planes, zero, no, no))
    _, count, found, _ = last
    return jnp.where(found, count, UNREACHABLE)


def _tick(planes: Any, free: jax.Array) -> Any:
    """The sets after one more action, of u32[H, K, L] each."""
    right, downward, left, upward = planes
    upright, level = downward | upward, right | left  # a quarter turn away
    return (
        right | upright | (bits.left_to_right(right, 1) & free),
        downward | level | (bits.down(downward, 0) & free),
        left | upright | (bits.right_to_left(left, 1) & free),
        upward | level | (bits.up(upward, 0) & free),
    )


def _cell(place: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """u32[H, K, L] with the bit of `place` i32[L, 2] (column, row) set."""
    row, word = jnp.arange(shape[0])[:, None, None], jnp.arange(shape[1])[:, None]
    bit = jnp.uint32(1) << (place[:, 0] % bits.WORD).astype(jnp.uint32)
    return jnp.where((row == place[:, 1]) & (word == place[:, 0] // bits.WORD), bit, jnp.uint32(0))


@_search.def_vmap
def _search_many(axis_size: int, is_batched: list[bool], *levels: jax.Array) -> tuple[jax.Array, bool]:
    merged = [_merged(x, batched, axis_size) for x, batched in zip(levels, is_batched, strict=True)]
    return _search(*merged).reshape(axis_size, -1), True


def _merged(x: jax.Array, batched: bool, axis_size: int) -> jax.Array:
    """The mapped axis, which is there if `batched`, and the one behind it as one."""
    x = x if batched else jnp.broadcast_to(x, (axis_size, *x.shape))
    return x.reshape(-1, *x.shape[2:])


# -- the search for the distances of all states ---------------------------------------------------------------------


@custom_vmap
def _fields(walls: jax.Array, goal: jax.Array) -> jax.Array:
    """i32[L, 4, H, W] from bool[L, H, W], i32[L, 2]."""
    blocked = jnp.moveaxis(walls, 0, -1)
    row, column = jnp.arange(blocked.shape[0])[:, None, None], jnp.arange(blocked.shape[1])[:, None]
    at_goal = (row == goal[:, 1]) & (column == goal[:, 0]) & ~blocked
    first = jnp.where(at_goal[None], jnp.int16(0), jnp.int16(_FAR)) + jnp.zeros((4, 1, 1, 1), jnp.int16)

    def improve(now: Any) -> Any:
        before, _ = now
        near = jnp.minimum(jnp.minimum(jnp.roll(before, 1, 0), jnp.roll(before, -1, 0)), _ahead(before))
        after = jnp.where(blocked, jnp.int16(_FAR), jnp.minimum(before, near + jnp.int16(1)))
        return after, jnp.any(after != before)

    field, _ = jax.lax.while_loop(lambda now: now[1], improve, (first, jnp.bool_(True)))
    found = jnp.where(field >= _FAR, jnp.int16(UNREACHABLE), field)
    return jnp.moveaxis(found, -1, 0).astype(jnp.int32)


def _ahead(values: jax.Array) -> jax.Array:
    """What `values` [4, H, W, ...] are one step ahead of each state; _FAR beyond the map."""
    results = []
    for plane, (right, below) in zip(values, STEPS, strict=True):
        rest = [(0, 0, 0)] * (plane.ndim - 2)
        padding = [(-below, below, 0), (-right, right, 0), *rest]
        results.append(jax.lax.pad(plane, jnp.asarray(_FAR, plane.dtype), padding))
    return jnp.stack(results)


@_fields.def_vmap
def _fields_many(axis_size: int, is_batched: list[bool], *mazes: jax.Array) -> tuple[jax.Array, bool]:
    merged = [_merged(x, batched, axis_size) for x, batched in zip(mazes, is_batched, strict=True)]
    fields = _fields(*merged)
    return fields.reshape(axis_size, -1, *fields.shape[1:]), True
