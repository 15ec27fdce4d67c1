"""Edits of a level, for curricula that grow their levels: walls flipped, starts and goals moved."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from minicosm.envs.maze import bits
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.level import Level

_MOVE_START, _MOVE_GOAL = 0.2, 0.2  # shares of the edits; the others flip walls


def mutate(
    key: jax.Array, level: Level, config: MazeConfig, num_edits: int, keep_solvable: bool | None = None
) -> Level:
    """`level` after `num_edits` random edits, as ACCEL (Parker-Holder et al. 2022) makes them.

    An edit flips a cell between wall and free, one that is no start or goal, or moves one agent's start, with a new
    direction, or its goal to another free cell. Starts stay different from each other, goals too, and each goal from
    its agent's start. With `keep_solvable` an edit that would part an agent from its goal is left out or made where it
    does not; None: where the levels of `config.level_kind` are solvable, that is but for "uniform".

    Raises ValueError if `num_edits` is not a whole number from 0.
    """
    if isinstance(num_edits, bool) or not isinstance(num_edits, int) or num_edits < 0:
        raise ValueError(f"num_edits is {num_edits!r}; expected a whole number, at least 0")
    solvable = config.level_kind != "uniform" if keep_solvable is None else keep_solvable
    words = jax.random.bits(key, (num_edits, 5))

    def edit(level: Level, word: jax.Array) -> tuple[Level, None]:
        lot = bits.chance(word[0])
        moved = _move(level, word, lot < _MOVE_START, solvable)
        flipped = _flip(level, word, solvable)
        is_move = lot < _MOVE_START + _MOVE_GOAL
        return jax.tree.map(lambda a, b: jnp.where(is_move, a, b), moved, flipped), None

    strong = jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), level)
    edited: Level = jax.lax.scan(edit, strong, words)[0]
    return edited


def _flip(level: Level, word: jax.Array, solvable: bool) -> Level:
    """A cell that is no start or goal made wall or free."""
    height, width = level.walls.shape
    places = jnp.concatenate([level.start, level.goal])
    taken = _set(places, height, width)
    everywhere = bits.pack(jnp.ones((height, width), bool))
    cell = bits.pick(everywhere & ~taken, word[1])
    is_free_to = jnp.any(everywhere & ~taken != 0)
    walls = level.walls.at[cell[1], cell[0]].set(~level.walls[cell[1], cell[0]])
    keeps = is_free_to
    if solvable:
        free = bits.pack(~walls)
        here, there = (_each(x, height, width) for x in (level.start, level.goal))
        reached = jax.vmap(lambda start: bits.flood(free, start))(here)
        keeps = keeps & jnp.all(jnp.any(reached & there != 0, axis=(1, 2)))
    return dataclasses.replace(level, walls=jnp.where(keeps, walls, level.walls))


def _move(level: Level, word: jax.Array, is_start: jax.Array, solvable: bool) -> Level:
    """One agent's start or goal on another free cell."""
    height, width = level.walls.shape
    agent = bits.below(word[2], level.start.shape[0])
    here, other = (jnp.where(is_start, a, b) for a, b in ((level.start, level.goal), (level.goal, level.start)))
    free = bits.pack(~level.walls)
    end = bits.one(other[agent], height, free.shape[1])
    choices = (bits.flood(free, end) if solvable else free) & ~end & ~_set(here, height, width)
    any_choice = jnp.any(choices != 0)
    place = jnp.where(any_choice, bits.pick(choices, word[3]), here[agent])
    turned = jnp.where(is_start & any_choice, bits.below(word[4], 4), level.direction[agent])
    return dataclasses.replace(
        level,
        start=level.start.at[agent].set(jnp.where(is_start, place, level.start[agent])),
        goal=level.goal.at[agent].set(jnp.where(is_start, level.goal[agent], place)),
        direction=level.direction.at[agent].set(turned),
    )


def _each(places: jax.Array, height: int, width: int) -> jax.Array:
    """u32[N, H, K]: the set of each of `places` i32[N, 2] alone."""
    return jax.vmap(lambda place: bits.one(place, height, bits.num_words(width)))(places)


def _set(places: jax.Array, height: int, width: int) -> jax.Array:
    """u32[H, K]: the set of all `places` i32[N, 2]."""
    return jnp.bitwise_or.reduce(_each(places, height, width), axis=0)
