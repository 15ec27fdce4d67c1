"""The functional conventions of gymnax and JaxMARL: the core's worlds, one by one, under vmap, scan and both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.wrappers import AutoReset, GymnaxStyle, JaxMARLStyle

B, T = 40, 50
KEYS = jax.random.split(jax.random.key(3), B)
ACTIONS = jax.random.uniform(jax.random.key(4), (T, B, 2), minval=-0.5)


@pytest.fixture(scope="module")
def world(toy):
    return toy(noise=0.0, actions="even")


@pytest.fixture(scope="module")
def played(world):
    """Observations, rewards, dones and infos [T, B, ...], and how many places of the pool each step left used up."""
    env = GymnaxStyle(world)

    def tick(state, action):
        observation, state, reward, done, info = jax.vmap(env.step)(KEYS, state, action)
        return state, (observation, reward, done, info, state.used.sum())

    first, state = jax.vmap(env.reset)(KEYS)
    return first, jax.jit(lambda s: jax.lax.scan(tick, s, ACTIONS)[1])(state)


def test_vmapped_it_plays_the_cores_episodes(world, played):
    first, (observation, reward, done, info, _) = played
    worlds = AutoReset(world, B)
    state, start = jax.jit(worlds.reset)(KEYS)
    step = jax.jit(worlds.step)
    np.testing.assert_array_equal(first, start[:, 0])
    for t in range(T):
        state, timestep = step(state, ACTIONS[t][:, None])
        np.testing.assert_allclose(observation[t], timestep.observation[:, 0], atol=1e-6)
        np.testing.assert_allclose(reward[t], timestep.reward[:, 0], atol=1e-6)
        np.testing.assert_array_equal(done[t], timestep.done)
        np.testing.assert_array_equal(info["terminated"][t], timestep.terminated[:, 0])
        np.testing.assert_array_equal(info["truncated"][t], timestep.truncated[:, 0])
        np.testing.assert_array_equal(info["level_index"][t], timestep.info["level_index"])
        final = timestep.info["final_observation"][:, 0]
        np.testing.assert_allclose(info["final_observation"][t], final, atol=1e-6)
    assert done.sum() > 3 * B


def test_levels_are_drawn_in_bulk(played):
    _, (_, _, done, _, used) = played
    used = np.concatenate([[0], used])
    drawn = used[:-1] + done.sum(1) - used[1:]
    ticks_with_ends = (done.sum(1) > 0).sum()
    assert ticks_with_ends > 30 and 0 < (drawn > 0).sum() < ticks_with_ends / 2
    assert drawn.sum() > done.sum() - B


def test_one_world_alone_and_seeds_of_many_worlds_play_the_same(world, played):
    env = GymnaxStyle(world)

    def play(key, actions):
        def tick(state, action):
            observation, state, reward, done, _ = env.step(key, state, action)
            return state, (observation, reward, done)

        return jax.lax.scan(tick, env.reset(key)[1], actions)[1]

    _, (observation, reward, done, _, _) = played
    alone = jax.jit(play)(KEYS[5], ACTIONS[:, 5])
    for got, wanted in zip(alone, (observation, reward, done), strict=True):
        np.testing.assert_allclose(got, wanted[:, 5], atol=1e-6)
    twice = jax.jit(jax.vmap(jax.vmap(play, (0, 1), 1), (0, None)))(jnp.stack([KEYS, KEYS[::-1]]), ACTIONS)
    for got, wanted in zip(twice, (observation, reward, done), strict=True):
        np.testing.assert_allclose(got[0], wanted, atol=1e-6)
    assert not np.allclose(twice[0][0], twice[0][1])


def test_levels_follow_the_key_of_the_reset_and_chance_that_of_the_step(toy):
    env = GymnaxStyle(toy(noise=0.5, max_steps=3))
    step = jax.jit(env.step)

    def places(reset_seed, step_seed):
        observation, state = env.reset(jax.random.PRNGKey(reset_seed))  # the old kind of key
        found = [observation[0]]
        for t in range(4):
            observation, state, *_ = step(jax.random.fold_in(jax.random.PRNGKey(step_seed), t), state, jnp.zeros(2))
            found.append(observation[0])
        return np.array(found)

    base, other_chance, other_levels = places(0, 0), places(0, 1), places(1, 0)
    assert np.array_equal(base, places(0, 0))
    assert base[0] == other_chance[0] and base[1] != other_chance[1]
    assert base[3] == other_chance[3]  # the first of the second episode
    assert base[0] != other_levels[0] and base[3] != other_levels[3]


def test_what_gymnaxs_users_ask_for(world, toy):
    env = GymnaxStyle(world)
    params = env.default_params
    assert params.max_steps_in_episode == 12 and env.name == "Toy"
    assert env.observation_space(params).shape == (2,) and env.action_space(params).shape == (2,)
    assert env.num_actions == 2 and GymnaxStyle(toy(actions="discrete")).num_actions == 5
    _, state = jax.vmap(env.reset, in_axes=(0, None))(KEYS, params)
    out = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))(KEYS, state, ACTIONS[0], params)
    assert len(out) == 5 and out[2].shape == out[3].shape == (B,)
    apart = GymnaxStyle(world, split_done=True)
    _, state = apart.reset(KEYS[0])
    *_, terminated, truncated, info = apart.step(KEYS[0], state, jnp.zeros(2), params)
    assert terminated.dtype == truncated.dtype == bool and info["discount"] == 1


def test_agents_end_one_by_one_in_jaxmarls_dicts(toy):
    env = JaxMARLStyle(toy(num_agents=3, actions="even"), final_observation=True)
    assert env.agents == ["walker_0", "walker_1", "walker_2"] and env.num_agents == 3
    keys = KEYS[:8]

    def tick(state, key):
        actions = {agent: jax.random.uniform(jax.random.fold_in(key, a), (8, 2)) for a, agent in enumerate(env.agents)}
        observations, after, rewards, dones, infos = jax.vmap(env.step)(jax.random.split(key, 8), state, actions)
        return after, (observations, rewards, dones, infos)

    _, state = jax.vmap(env.reset)(keys)
    _, (observations, rewards, dones, infos) = jax.jit(lambda s: jax.lax.scan(tick, s, jax.random.split(KEYS[0], T)))(
        state
    )
    ended = np.stack([dones[agent] for agent in env.agents], -1)  # [T, 8, A]
    every = np.asarray(dones["__all__"])
    np.testing.assert_array_equal(every, ended.all(-1))
    assert (ended.any(-1) & ~every).sum() > 8
    stays = ended[:-1] & ~every[:-1, :, None]
    assert ended[1:][stays].all()
    earned = np.stack([rewards[agent] for agent in env.agents], -1)
    assert (earned[1:][stays] == 0).all()
    clock = np.asarray(observations["walker_0"])[..., 1]
    assert (clock[every] == 0).all() and (clock[~every] > 0).all()
    assert (np.asarray(infos["final_observation"]["walker_0"])[..., 1] > 0).all()
    assert {infos[name].shape for name in infos if name != "final_observation"} == {(T, 8, 3)}
    assert {"success", "terminated", "truncated", "level_index"} <= set(infos)


def test_jaxmarls_other_questions(toy):
    env = JaxMARLStyle(toy(num_agents=2, actions="discrete"))
    _, state = env.reset(KEYS[0])
    assert env.get_avail_actions(state)["walker_1"].shape == (5,)
    assert env.global_observation(state).shape == (3,)
    with pytest.raises(ValueError, match="only Discrete choices"):
        JaxMARLStyle(toy(num_agents=2)).get_avail_actions(state)


def test_what_is_refused(toy, world):
    with pytest.raises(ValueError, match="has 2 agents and gymnax's interface addresses one; use .*JaxMARLStyle"):
        GymnaxStyle(toy(num_agents=2))
    env = GymnaxStyle(world)
    with pytest.raises(TypeError, match="key is 3; expected a key of jax.random.key"):
        env.reset(3)
    _, state = env.reset(KEYS[0])
    with pytest.raises(ValueError, match=r"shape \(40, 2\); expected float32\[2\] \(this is one world"):
        env.step(KEYS[0], state, ACTIONS[0])
    with pytest.raises(ValueError, match="settings are compiled in"):
        env.step(KEYS[0], state, ACTIONS[0, 0], type(env.default_params)(7))
    with pytest.raises(TypeError, match="action has dtype float32; expected int32"):
        GymnaxStyle(toy(actions="discrete")).step(KEYS[0], state, 1.5)
    many = JaxMARLStyle(toy(num_agents=2))
    with pytest.raises(ValueError, match="actions lacks walker_1"):
        many.step(KEYS[0], state, {"walker_0": jnp.zeros(2)})
