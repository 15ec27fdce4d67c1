"""True regret: none for the oracle, all of it for one that stands still, the rest in between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs.maze import Maze, MazeConfig, library, solve
from minicosm.studies.regret import oracle_policy
from minicosm.training.record import Policy, random_policy


def turn(key, observation, carry):
    return jnp.zeros(observation["direction"].shape, jnp.int32), carry


def test_the_oracle_reaches_the_optimal_return_on_every_level():
    env = Maze(MazeConfig(level_kind="solvable"))
    drawn = jax.jit(jax.vmap(env.sample_level))(jax.random.split(jax.random.key(0), 200))
    levels = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), drawn, library.load_all())
    left = minicosm.regret(levels, oracle_policy(levels), env)
    assert left.shape == (200 + len(library.names()), 1)
    np.testing.assert_allclose(left, 0.0, atol=1e-6)


def test_one_that_never_arrives_regrets_the_optimal_return():
    level = library.load("labyrinth")
    left = minicosm.regret(level, Policy(turn))
    best = solve.solve(level, MazeConfig()).optimal_return
    assert left.shape == (1,) and float(left[0]) == pytest.approx(float(best[0])) and best[0] > 0.7


def test_chance_lies_between_and_its_mean_settles():
    level = library.load("pillars")
    env = Maze()
    left = [
        float(minicosm.regret(level, random_policy(env), env, num_episodes=64, key=jax.random.key(k))[0])
        for k in (1, 2)
    ]
    best = float(solve.solve(level, env.config).optimal_return[0])
    assert all(0.2 < value < best for value in left)
    assert left[0] != left[1] and abs(left[0] - left[1]) < 0.25


def test_what_does_not_fit_is_refused():
    level = library.load("pillars")
    with pytest.raises(ValueError, match="13 x 13 cells and 1 agents, but the env 9 x 13"):
        minicosm.regret(level, Policy(turn), Maze(MazeConfig(width=9)))
    with pytest.raises(ValueError, match="num_episodes is 0"):
        minicosm.regret(level, Policy(turn), num_episodes=0)
