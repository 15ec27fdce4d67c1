"""A view told in one word against the view found cell by cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig, glance, observe

COUNT = 1000


@pytest.mark.parametrize(
    "settings",
    [
        {"height": 5, "width": 6, "num_walls": 10},
        {"height": 5, "width": 6, "num_walls": 10, "view_size": 3},
        {"height": 3, "width": 40, "num_walls": 40},  # rows of two words
    ],
)
def test_a_word_tells_the_whole_view(settings):
    config = MazeConfig(**settings)
    env = Maze(config)

    def both(key):
        level_key, place_key, direction_key = jax.random.split(key, 3)
        state, _ = env.reset(key, env.sample_level(level_key))
        anywhere = jax.random.randint(place_key, (1, 2), 0, jnp.array([config.width, config.height]))
        direction = jax.random.randint(direction_key, (1,), 0, 4)
        agents = observe.Agents(anywhere, direction, state.goal, state.success)
        seen, facing = observe.objects(state.rows, agents, config)
        word = glance.look(state.rows, agents, config)
        expected = observe.symbolic(seen, facing), observe.flat(seen, facing, direction, config)
        return expected, (glance.symbolic(word, config), glance.flat(word, config)), agents

    expected, found, agents = jax.jit(jax.vmap(both))(jax.random.split(jax.random.key(0), COUNT))
    for a, b in zip(expected, found, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(a, b)
    on_goal = jnp.all(agents.position == agents.goal, axis=-1)
    assert jnp.any(on_goal) and jnp.any(expected[0][..., 0] == observe.GOAL)


@pytest.mark.parametrize(
    "settings", [{"view_size": 7}, {"see_through_walls": False}, {"num_agents": 2, "level_kind": "solvable"}]
)
def test_views_that_a_word_does_not_hold_are_left_to_the_rest(settings):
    assert glance.fits(MazeConfig())
    assert not glance.fits(MazeConfig(**settings))
