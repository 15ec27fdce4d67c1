import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig
from minicosm.wrappers import AutoReplay, AutoReset, Batch, EpisodeStats

MAZE = Maze(MazeConfig(height=5, width=5, num_walls=4, max_steps=6, view_kind="flat"))
B, STEPS = 4, 20


@pytest.fixture(scope="module")
def played():
    """Levels, and what B worlds that replay them do in STEPS random ticks, led by STEPS."""
    levels = jax.vmap(MAZE.sample_level)(jax.random.split(jax.random.key(3), B))
    worlds = AutoReplay(MAZE, B)
    actions = jax.random.randint(jax.random.key(4), (STEPS, B, 1), 0, 3)
    state, first = jax.jit(worlds.reset)(jax.random.key(5), levels)

    def tick(state, action):
        state, timestep = worlds.step(state, action)
        return state, (timestep, state.env_state.goal, state.env_state.rows)

    state, seen = jax.jit(lambda state: jax.lax.scan(tick, state, actions))(state)
    return levels, actions, first, state, seen


def test_every_episode_starts_the_same_level_again(played):
    levels, _, first, _, (timestep, goal, rows) = played
    reset = np.asarray(timestep.info["reset"])
    assert reset.sum(axis=0).min() >= STEPS // 6
    np.testing.assert_array_equal(reset, timestep.done)
    for t, b in zip(*np.nonzero(reset), strict=True):
        np.testing.assert_array_equal(timestep.observation[t, b], first[b])
    np.testing.assert_array_equal(goal, np.broadcast_to(levels.goal, goal.shape))
    np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))


def test_it_plays_as_the_world_itself_does_and_counts_episodes(played):
    levels, actions, first, state, (timestep, _, _) = played
    plain = Batch(MAZE, B)
    world, _ = plain.reset(jax.random.key(0), levels)
    step, start, episode = jax.jit(plain.step), world, np.zeros(B, int)
    for t in range(STEPS):
        world, expected = step(jax.random.key(t), world, actions[t])
        for name in ("reward", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(timestep, name)[t], getattr(expected, name))
        np.testing.assert_array_equal(timestep.info["final_observation"][t], expected.observation)
        np.testing.assert_array_equal(timestep.info["level_index"][t], episode)
        done = np.asarray(expected.done)
        shown = np.where(done[:, None, None], first, expected.observation)
        np.testing.assert_array_equal(timestep.observation[t], shown)
        episode += done
        each = lambda new, old, done=done: jnp.where(done.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        world = jax.tree.map(each, start, world)
    np.testing.assert_array_equal(state.episode, episode)


def test_a_world_with_a_key_of_its_own_does_not_depend_on_the_others():
    keys = jax.random.split(jax.random.key(6), B)
    all_of_them, _ = AutoReplay(MAZE, B).reset(keys)
    some, _ = AutoReplay(MAZE, 2).reset(keys[2:])
    for found, expected in ((some.env_state, all_of_them.env_state), (some.first, all_of_them.first)):
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[2:]), found, expected)
    drawn = np.asarray(jax.random.key_data(all_of_them.key))
    np.testing.assert_array_equal(jax.random.key_data(some.key), drawn[2:])
    assert len(np.unique(drawn, axis=0)) == B
    assert len(np.unique(np.asarray(all_of_them.env_state.rows), axis=0)) > 1


def test_only_worlds_that_replay_take_levels():
    with pytest.raises(ValueError, match="AutoReset draws its own levels"):
        EpisodeStats(AutoReset(MAZE, B)).reset(jax.random.key(0), "levels")
