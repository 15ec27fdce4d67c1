"""What the tests of the maze world share: compiled functions, and levels from text."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Level, Maze, MazeConfig


@functools.cache
def _levels(count, config):
    return jax.jit(jax.vmap(Maze(config).sample_level))(jax.random.split(jax.random.key(7), count))


@functools.cache
def _compiled(config):
    env = Maze(config)
    return env, jax.jit(env.reset), jax.jit(env.step)


@pytest.fixture(scope="session")
def sample():
    """`sample(count, **settings)`: so many levels of a config, drawn once."""
    return lambda count, **settings: _levels(count, MazeConfig(**settings))


@pytest.fixture(scope="session")
def compiled():
    """`compiled(config)`: the world, and its reset and step, compiled once."""
    return _compiled


@pytest.fixture(scope="session")
def level_of():
    """`level_of(text)`: a level from rows of `#`, `.`, an arrow for each agent and `G`, `H`, … for their goals."""

    def make(text):
        rows = [row.strip() for row in text.strip().splitlines()]
        agents = {}
        goals = {}
        for y, row in enumerate(rows):
            for x, c in enumerate(row):
                if c in ">v<^":
                    agents[len(agents)] = (x, y, ">v<^".index(c))
                elif c in "GHIJ":
                    goals["GHIJ".index(c)] = (x, y)
        places = np.array([agents[i] for i in range(len(agents))], np.int32)
        return Level(
            walls=jnp.array([[c == "#" for c in row] for row in rows]),
            start=jnp.asarray(places[:, :2]),
            direction=jnp.asarray(places[:, 2]),
            goal=jnp.asarray(np.array([goals[i] for i in range(len(agents))], np.int32)),
        )

    return make
