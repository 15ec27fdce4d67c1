"""Edits of a level, for curricula that grow their levels: walls flipped, starts and goals moved."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.nav import bitboard
from minicosm.envs.nav.bitboard import Board
from minicosm.envs.nav.carving import uniform
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level

_MOVE_START, _MOVE_GOAL = 0.1, 0.1  # shares of the edits; the others flip walls


@struct.dataclass
class _Draft:
    free: Board
    start: jax.Array  # f32[A, 2]  m
    start_heading: jax.Array  # f32[A]
    goals: jax.Array  # f32[A, G, 2]  m


def mutate(key: jax.Array, level: Level, config: NavConfig, num_edits: int) -> Level:
    """`level` after `num_edits` random edits, each made only if every robot can still reach all of its goals.

    An edit turns a wall free or a free place into wall, inside the border and as wide as a robot needs (one cell
    where a robot fits into a cell), or moves a robot's start, with a new heading, or one of its goals to another
    cell with clearance that it can reach. Starts stay apart from each other, so do first goals, and a goal stays
    farther than the goal radius from the start or goal before it. An edit that would break this is left out.
    `level` itself must keep these rules, as generated levels and those of the library do.

    Raises ValueError if `num_edits` is not a whole number from 0.
    """
    if isinstance(num_edits, bool) or not isinstance(num_edits, int) or num_edits < 0:
        raise ValueError(f"num_edits is {num_edits!r}; expected a whole number, at least 0")
    random = uniform(jax.random.bits(key, (num_edits, 6 + level.active.shape[0])))

    def edit(draft: _Draft, random: jax.Array) -> tuple[_Draft, None]:
        is_move = random[0] < _MOVE_START + _MOVE_GOAL
        free = jnp.where(is_move, draft.free, _flip(draft.free, random[1:], config))
        stand = bitboard.erode(free, config.clearance)
        seeds = jax.vmap(lambda cell: bitboard.from_cells(cell[None], *level.walls.shape))(_cells(draft.start, config))
        reached = jax.vmap(bitboard.flood, in_axes=(None, 0))(stand, seeds)
        arrives = jax.vmap(bitboard.contains)(reached, _cells(draft.goals, config))  # bool[A, G]
        is_solvable = jnp.all(arrives | ~level.active[:, None])
        moved = _move(draft, reached, level.active, random, config)
        draft = dataclasses.replace(draft, free=jnp.where(is_solvable, free, draft.free))
        return jax.tree.map(lambda new, old: jnp.where(is_move, new, old), moved, draft), None

    draft = _Draft(bitboard.pack(~level.walls), level.start, level.start_heading, level.goals)
    draft, _ = jax.lax.scan(edit, draft, random)
    return dataclasses.replace(
        level,
        walls=~bitboard.unpack(draft.free, level.walls.shape[1]),
        start=draft.start,
        start_heading=draft.start_heading,
        goals=draft.goals,
    )


def _cells(positions: jax.Array, config: NavConfig) -> jax.Array:
    """i32[..., 2] (column, row) of the cells that hold `positions` f32[..., 2] m."""
    return jnp.floor(positions / config.cell_size).astype(jnp.int32)


def _flip(free: Board, random: jax.Array, config: NavConfig) -> Board:
    """`free` with a square as wide as a robot needs, about a random inner cell, turned to what that cell was not."""
    column = 1 + (random[0] * (config.width - 2)).astype(jnp.int32)
    row = 1 + (random[1] * (config.height - 2)).astype(jnp.int32)
    x, y, side = jnp.arange(config.width), jnp.arange(config.height), config.clearance
    in_columns = (abs(x - column) <= side) & (x > 0) & (x < config.width - 1)
    in_rows = (abs(y - row) <= side) & (y > 0) & (y < config.height - 1)
    square = bitboard.pack(in_rows[:, None] & in_columns[None])
    is_free = bitboard.contains(free, jnp.stack([column, row]))
    return jnp.where(is_free, free & ~square, free | square)


def _move(draft: _Draft, reached: Board, active: jax.Array, random: jax.Array, config: NavConfig) -> _Draft:
    """The draft with the start or a goal of a random active robot moved within its cells of `reached` u32[A, h, w]."""
    of_start, random = random[0] < _MOVE_START, random[1:]
    num_robots, num_goals = draft.goals.shape[:2]
    robot = jnp.argmax(jnp.where(active, random[-num_robots:], -1.0))
    goal = (random[2] * num_goals).astype(jnp.int32)
    is_first = of_start | (goal == 0)
    others = active & (jnp.arange(num_robots) != robot) & is_first
    other_places = jnp.where(of_start, draft.start, draft.goals[:, 0])
    own = draft.goals[robot]
    # what the moved place must not come near: the places before and after it in the robot's tour
    before = jnp.where(goal == 0, draft.start[robot], own[goal - 1])
    tour = jnp.stack([jnp.where(of_start, own[0], before), own[(goal + 1) % num_goals], own[(goal - 1) % num_goals]])
    on_tour = jnp.array([True, num_goals > 1, num_goals > 1]) & (jnp.array([True, False, False]) | ~of_start)

    shape = (config.height, config.width)
    nowhere = jnp.int32(-1)
    apart = bitboard.from_cells(jnp.where(others[:, None], _cells(other_places, config), nowhere), *shape)
    away = bitboard.from_cells(jnp.where(on_tour[:, None], _cells(tour, config), nowhere), *shape)
    barred = bitboard.dilate(apart, config.spacing - 1)
    barred = barred | bitboard.dilate(away, math.floor(config.goal_radius / config.cell_size + 1e-9))
    choices = reached[robot] & ~barred
    size = bitboard.count(choices)
    rank = jnp.minimum((random[3] * size).astype(jnp.int32), size - 1)
    place = (bitboard.cell_of_rank(choices, rank[None])[0] + 0.5) * config.cell_size
    # what stands off the cells' centres may be nearer than its cell says
    is_apart = jnp.all((jnp.sum((other_places - place) ** 2, axis=-1) >= (2 * config.radius) ** 2) | ~others)
    is_away = jnp.all((jnp.sum((tour - place) ** 2, axis=-1) > config.goal_radius**2) | ~on_tour)
    is_done = (size > 0) & is_apart & is_away
    start_index = jnp.where(is_done & of_start, robot, num_robots)  # an index out of bounds writes nothing
    goal_index = jnp.where(is_done & ~of_start, robot, num_robots)
    return dataclasses.replace(
        draft,
        start=draft.start.at[start_index].set(place, mode="drop"),
        start_heading=draft.start_heading.at[start_index].set((2 * random[4] - 1) * jnp.pi, mode="drop"),
        goals=draft.goals.at[goal_index, goal].set(place, mode="drop"),
    )
