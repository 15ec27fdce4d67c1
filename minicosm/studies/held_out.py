"""Levels that a run has not trained on: the hand-made ones of its world's family, and fresh ones that can be solved."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import maze, nav, physics
from minicosm.envs.environment import Environment
from minicosm.envs.maze import library as maze_library
from minicosm.envs.maze import solve
from minicosm.envs.nav import library as nav_library
from minicosm.envs.physics import distributions, filters
from minicosm.envs.physics import library as physics_library
from minicosm.envs.physics.level import cannot_move

_MEMORY = 4 * 1024**3  # bytes that fresh levels may take
_LEAST_SHARE = 0.01  # of the levels drawn that must be solvable, after
_TRIED = 5_000  # levels


@dataclasses.dataclass(frozen=True, eq=False)
class Library:
    """The hand-made levels that fit a world."""

    names: tuple[str, ...]  # L
    levels: Any  # led by L; None where none fits
    left_out: Mapping[str, str]  # why, by name
    note: str = ""  # what a reader of the results must know


def library_of(env: Environment[Any, Any]) -> Library:
    """The library of `env`'s family, in arrays of `env`'s sizes; levels that do not fit it are left out, with reasons.

    Smaller levels fit: in `nav` and `maze` walls fill what is left of the map (everything outside is wall anyhow) and
    in `nav` robots that a level lacks are inactive; in `physics` the slots left over stay empty. A world of another
    family has no library.
    """
    if isinstance(env, nav.Nav):
        return _fitting(nav_library.names(), functools.partial(nav_library.load, config=env.config))
    if isinstance(env, maze.Maze):
        return _fitting(maze_library.names(), functools.partial(_maze, config=env.config))
    if isinstance(env, physics.Physics):
        fitting = _fitting(physics_library.names(), functools.partial(physics_library.load, config=env.config))
        trained_on = sorted(
            set(distributions.mixture(env.config)) & {*distributions.LIBRARIES, *physics_library.names()}
        )
        if trained_on:
            told = f"not held out: the world's own levels are of the library ({', '.join(trained_on)})"
            fitting = dataclasses.replace(fitting, note=told)
        return fitting
    return Library((), None, {}, f"{type(env).__name__} has no library of hand-made levels")


def _fitting(names: tuple[str, ...], load: Callable[[str], Any]) -> Library:
    levels, loaded, left_out = [], [], {}
    for name in names:
        try:
            levels.append(jax.tree.map(np.asarray, load(name)))
            loaded.append(name)
        except ValueError as error:
            left_out[name] = str(error)
    return Library(tuple(loaded), _stacked(levels) if levels else None, left_out)


def _maze(name: str, config: maze.MazeConfig) -> maze.Level:
    """The maze called `name` in the upper left of a map of `config`'s size. Raises ValueError where it does not fit."""
    level = maze_library.load(name)
    height, width = level.walls.shape
    if config.num_agents != 1:
        raise ValueError(f"maze {name!r} is for 1 agent, and the world has {config.num_agents}")
    if height > config.height or width > config.width:
        raise ValueError(
            f"maze {name!r} has {width} x {height} cells, more than the world's {config.width} x {config.height}"
        )
    actions = int(solve.num_actions(level)[0])
    if actions > config.max_steps:
        raise ValueError(f"maze {name!r} needs {actions} actions, more than the world's max_steps, {config.max_steps}")
    margin = ((0, config.height - height), (0, config.width - width))
    return dataclasses.replace(level, walls=jnp.pad(level.walls, margin, constant_values=True))


def what_is_fresh(env: Environment[Any, Any]) -> str:
    """How far the levels of `fresh_levels` are known to be solvable, in a few words."""
    if isinstance(env, nav.Nav):
        return "all solvable, by construction"
    if isinstance(env, maze.Maze):
        alone = " by each agent alone" if env.num_agents > 1 else ""
        return f"all solvable{alone} within the time limit, by search"
    if isinstance(env, physics.Physics):
        return "not won by doing nothing, and something can be driven; some may still be impossible"
    return "as the world draws them; some may be impossible"


def fresh_levels(env: Environment[Any, Any], key: jax.Array, count: int, chunk: int = 1000) -> Any:
    """`count` levels of `env`'s own distribution that `what_is_fresh` says it of, led by them, in the host's memory.

    Levels are drawn `chunk` at a time by one compiled program, which of them a `key` gives does not depend on `chunk`,
    and the first `count` solvable ones stay. Raises ValueError where they would not fit in memory, or where hardly any
    that is drawn can be solved.
    """
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(env.sample_level, key)))
    if count * size > _MEMORY:
        raise ValueError(
            f"{count} fresh levels of {size} bytes take {count * size / 1024**3:.0f} GiB; expected at most"
            f" {_MEMORY / 1024**3:.0f} GiB: ask for at most {_MEMORY // size} fresh levels"
        )
    kept: list[Any] = []
    found = 0
    for first in itertools.count(0, chunk):
        levels, is_good = jax.device_get(_drawn(env, key, jnp.arange(first, first + chunk)))
        chosen = np.flatnonzero(is_good)[: count - found]
        kept.append(jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], levels))
        found += len(chosen)
        drawn = first + chunk
        if found == count:
            return jax.tree.map(lambda *leaves: np.concatenate(leaves), *kept)
        if drawn >= _TRIED and found < _LEAST_SHARE * drawn:
            raise ValueError(
                f"only {found} of {drawn} levels drawn can be solved ({what_is_fresh(env)}); expected 1 in"
                f" {1 / _LEAST_SHARE:.0f} at least: evaluate without fresh levels, or train in a world of other levels"
            )
    raise AssertionError  # the loop has no end of its own


@functools.partial(jax.jit, static_argnums=0)
def _drawn(env: Environment[Any, Any], key: jax.Array, indices: jax.Array) -> tuple[Any, jax.Array]:
    """The levels that `key` gives at `indices` i32[N], and bool[N], whether they are worth playing."""
    levels = jax.vmap(lambda index: env.sample_level(jax.random.fold_in(key, index)))(indices)
    return levels, jax.vmap(functools.partial(_is_good, env))(levels)


def _is_good(env: Environment[Any, Any], level: Any) -> jax.Array:
    if isinstance(env, maze.Maze):
        return jnp.all(solve.solve(level, env.config).solvable)
    if isinstance(env, physics.Physics):
        return ~filters.is_won_by_doing_nothing(level, env.config) & ~cannot_move(level)
    return jnp.ones((), bool)


def _stacked(levels: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *levels)
