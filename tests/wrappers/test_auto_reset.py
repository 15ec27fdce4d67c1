"""Pooled auto-reset against worlds reset one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.wrappers import AutoReset, Batch, DiscretizeActions, EpisodeStats, NormalizeObservation

ENV = minicosm.make("nav", num_beams=6, max_steps=25, height=7, width=7)
STEPS = 80


@functools.cache
def runner(num_envs, mode):
    worlds = AutoReset(ENV, num_envs, mode)

    def run(key):
        state, first = worlds.reset(key)

        def tick(state, t):
            action = jax.vmap(lambda k: action_of(k, t))(state.world_key)
            return worlds.step(state, action)

        state, history = jax.lax.scan(tick, state, jnp.arange(STEPS))
        return first, history, state

    return worlds, jax.jit(run)


def action_of(world_key, t):
    """Random, and a function of the world and the time alone."""
    return jax.random.uniform(jax.random.fold_in(world_key, 1000 + t), (1, 2), minval=-1.0)


def test_same_step_equals_resetting_each_world_by_hand():
    worlds, run = runner(3, "same_step")
    key = jax.random.key(4)
    first, history, _ = run(key)
    reset, step = jax.jit(worlds._prepare), jax.jit(ENV.step)
    episodes = 0
    for world in range(3):
        world_key = jax.random.fold_in(key, world)
        episode = 0
        state, observation = reset(world_key, jnp.int32(0))
        np.testing.assert_allclose(first[world], observation, atol=1e-6)
        for t in range(STEPS):
            step_key = jax.random.fold_in(jax.random.fold_in(world_key, 2), t)
            state, timestep = step(step_key, state, action_of(world_key, t))
            assert int(history.info["level_index"][t, world]) == episode
            np.testing.assert_allclose(history.reward[t, world], timestep.reward, atol=1e-4)
            np.testing.assert_allclose(history.info["final_observation"][t, world], timestep.observation, atol=1e-4)
            assert bool(history.info["reset"][t, world]) == bool(timestep.done)
            observation = timestep.observation
            if timestep.done:
                episode += 1
                state, observation = reset(world_key, jnp.int32(episode))
            np.testing.assert_allclose(history.observation[t, world], observation, atol=1e-4)
        episodes += episode
    assert episodes > 6


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_a_world_does_not_depend_on_its_neighbours_or_their_number(mode):
    key = jax.random.key(11)
    _, few, _ = runner(2, mode)[1](key)
    _, many, _ = runner(40, mode)[1](key)
    for name in ("level_index", "reset", "success"):
        np.testing.assert_array_equal(few.info[name], many.info[name][:, :2])
    np.testing.assert_allclose(few.reward, many.reward[:, :2], atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    _, run = runner(40, "same_step")
    a, b = run(jax.random.key(2))[1], run(jax.random.key(2))[1]
    c = run(jax.random.key(3))[1]
    assert all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    assert not np.array_equal(a.observation, c.observation)


def test_every_episode_plays_a_level_of_its_own_that_can_be_drawn_again():
    worlds, run = runner(40, "same_step")
    key = jax.random.key(0)
    _, history, state = run(key)
    levels = jax.jit(jax.vmap(worlds.level_of))(state.world_key, state.episode)
    np.testing.assert_array_equal(levels.walls, state.env_state.level.walls)
    np.testing.assert_allclose(levels.goals, state.env_state.level.goals)
    assert int(jnp.max(state.episode)) > 2
    assert len(np.unique(np.asarray(levels.start_heading))) == 40
    np.testing.assert_array_equal(state.episode, history.info["reset"].sum(axis=0))


def test_next_step_resets_in_the_step_after_the_last():
    _, run = runner(40, "next_step")
    _, history, _ = run(jax.random.key(1))
    done = np.asarray(history.done)
    reset = np.asarray(history.info["reset"])
    np.testing.assert_array_equal(reset[1:], done[:-1])
    assert done.any() and not (done & reset).any()
    at_reset = np.nonzero(reset)
    assert (np.asarray(history.reward)[at_reset] == 0).all()
    assert not np.asarray(history.terminated)[at_reset].any() and not np.asarray(history.truncated)[at_reset].any()
    index = np.asarray(history.info["level_index"])
    assert (index[1:][reset[1:]] == index[:-1][reset[1:]] + 1).all()


def test_disabled_waits_for_the_caller():
    worlds = AutoReset(ENV, 4, "disabled")
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    step = jax.jit(worlds.step)
    for _ in range(30):
        state, timestep = step(state, jnp.ones((4, 1, 2)))
    assert bool(timestep.done.all()) and bool(state.ended.all())
    assert not bool(state.episode.any()) and float(jnp.abs(timestep.reward).sum()) == 0.0
    mask = jnp.array([True, False, True, False])
    ended_at = np.asarray(state.env_state.time)
    assert (ended_at > 0).all() and (ended_at <= 25).all()
    state, after = jax.jit(worlds.reset_where)(state, mask, timestep.observation)
    assert state.episode.tolist() == [1, 0, 1, 0] and state.ended.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(after[1], timestep.observation[1])
    assert not np.array_equal(after[0], timestep.observation[0])
    np.testing.assert_array_equal(state.env_state.time, np.where(mask, 0, ended_at))


def test_reseeding_some_worlds_leaves_the_others():
    worlds = AutoReset(ENV, 3, "disabled")
    reset = jax.jit(worlds.reset)
    state, observation = reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(9), 3)
    _, first = reset(keys)
    _, mixed = jax.jit(worlds.reseed_where)(state, jnp.array([False, True, False]), keys, observation)
    np.testing.assert_array_equal(mixed[1], first[1])
    np.testing.assert_array_equal(mixed[0], observation[0])


def test_a_level_source_replaces_the_task_distribution():
    one = ENV.sample_level(jax.random.key(123))
    worlds = AutoReset(ENV, 5, level_source=lambda key: one)
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    step = jax.jit(worlds.step)
    for _ in range(30):
        state, _ = step(state, jnp.ones((5, 1, 2)))
    assert int(state.episode.min()) >= 1
    assert all(np.array_equal(w, one.walls) for w in state.env_state.level.walls)


def test_episode_statistics_add_up_in_both_modes():
    for mode in ("same_step", "next_step"):
        worlds = EpisodeStats(AutoReset(ENV, 8, mode))
        state, _ = jax.jit(worlds.reset)(jax.random.key(0))
        step = jax.jit(worlds.step)
        returns, lengths, checked = np.zeros(8), np.zeros(8, int), 0
        for t in range(60):
            state, timestep = step(state, jax.random.uniform(jax.random.key(t), (8, 1, 2), minval=-1))
            resets = np.asarray(timestep.info["reset"]) & (mode == "next_step")
            returns, lengths = returns + np.asarray(timestep.reward)[:, 0], lengths + ~resets
            for world in np.nonzero(np.asarray(timestep.done))[0]:
                assert timestep.info["episode_return"][world, 0] == pytest.approx(returns[world], abs=1e-4)
                assert timestep.info["episode_length"][world] == lengths[world] <= 25
                returns[world], lengths[world], checked = 0.0, 0, checked + 1
        assert checked > 8


def test_normalised_observations_have_zero_mean_and_unit_variance():
    worlds = NormalizeObservation(AutoReset(ENV, 32))
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    step, seen = jax.jit(worlds.step), []
    for t in range(100):
        state, timestep = step(state, jax.random.uniform(jax.random.key(t), (32, 1, 2), minval=-1))
        seen.append(np.asarray(timestep.observation))
        assert "final_observation" in timestep.info
    late = np.concatenate(seen[50:]).reshape(-1, seen[0].shape[-1])[:, :-1]  # the last field is constant
    assert np.abs(late.mean(axis=0)).max() < 0.35
    assert late.std(axis=0).min() > 0.6 and late.std(axis=0).max() < 1.5


def test_running_moments_equal_those_of_all_the_data():
    from minicosm.wrappers.normalize import Moments

    data = np.random.default_rng(0).normal(3.0, 2.0, (500, 4)).astype(np.float32)
    moments = Moments(jnp.zeros(4), jnp.ones(4), jnp.float32(1e-4))
    for part in np.split(data, 5):
        moments = moments.update(jnp.asarray(part))
    np.testing.assert_allclose(moments.mean, data.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(moments.variance, data.var(axis=0), rtol=1e-3)


def test_discretised_actions_span_the_box():
    env = DiscretizeActions(ENV, (3, 5))
    assert env.action_space.n == 15
    controls = np.asarray(env._controls())
    np.testing.assert_allclose(controls[0], [-1, -1])
    np.testing.assert_allclose(controls[7], [0, 0])
    np.testing.assert_allclose(controls[14], [1, 1])
    key = jax.random.key(0)
    state, _ = env.reset(key, env.sample_level(key))
    a, _ = env.step(key, state, jnp.array([13]))
    b, _ = ENV.step(key, state, jnp.array([[1.0, 0.5]]))
    np.testing.assert_array_equal(a.robots.position, b.robots.position)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AutoReset(ENV, 0), "num_envs is 0; expected"),
        (lambda: Batch(ENV, -3), "num_envs is -3"),
        (lambda: AutoReset(ENV, 2.0), "num_envs is 2.0"),
        (lambda: AutoReset(ENV, 2, "sometimes"), "mode is 'sometimes'"),
        (lambda: DiscretizeActions(ENV, (3,)), "bins is"),
        (lambda: DiscretizeActions(DiscretizeActions(ENV, (3, 3)), (3,)), "bounded vector"),
        (lambda: EpisodeStats(AutoReset(ENV, 2, "disabled")), "reset themselves"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_step_of_some_worlds_leaves_the_others_where_they_are(toy):
    worlds = AutoReset(toy(), 3, "disabled")
    state, _ = worlds.reset(jax.random.key(0))
    action = jnp.full((3, 1, 2), 0.5)
    mask = jnp.array([True, False, True])
    step_where = jax.jit(worlds.step_where)
    for _ in range(2):
        state, timestep = step_where(state, mask, action)
        assert timestep.reward[1, 0] == 0.0
    assert state.env_state.time.tolist() == [2, 0, 2] and state.steps.tolist() == [2, 0, 2]
    for _ in range(10):
        state, timestep = step_where(state, mask, action)
    assert state.ended.tolist() == [True, False, True]
    state, _ = step_where(state, ~mask, action)
    assert state.ended.tolist() == [True, False, True]  # an end is kept while others are stepped
    assert state.env_state.time.tolist()[1] == 1
    with pytest.raises(ValueError, match="step_where needs mode 'disabled'"):
        AutoReset(toy(), 3).step_where(state, mask, action)
