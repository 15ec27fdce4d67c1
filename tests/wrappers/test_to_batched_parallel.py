"""Many worlds of several agents, agent -> [num_envs, ...]."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fresh_arrays import assert_fresh_and_writable

from minicosm.wrappers import BatchedParallelEnv, PettingZooEnv

A, B = 3, 4


@pytest.fixture(scope="module")
def env(toy):
    return BatchedParallelEnv(toy(num_agents=A), B, render_mode="rgb_array")


def actions_at(t, env):
    generator = np.random.default_rng(t)
    return {agent: generator.uniform(-1, 1, (env.num_envs, 2)).astype(np.float32) for agent in env.agents}


def steps(env, seed, count=40):
    yield env.reset(seed=seed)
    for t in range(count):
        yield env.step(actions_at(t, env))


def test_what_the_libraries_ask_for(env):
    assert env.num_envs == B and env.num_agents == env.max_num_agents == A and env.device == "cpu"
    assert env.agents == env.possible_agents == [f"walker_{a}" for a in range(A)]
    assert env.unwrapped is env
    for agent in env.agents:
        assert env.observation_space(agent) is env.observation_spaces[agent] is env.single_observation_space(agent)
        assert env.action_space(agent) is env.action_spaces[agent] is env.single_action_space(agent)
        assert env.observation_space(agent).shape == (2,)
    env.reset(seed=0)
    assert env.state().shape == (B, *env.state_space.shape) == (B, A + 1)
    frames = env.render()
    assert isinstance(frames, tuple) and [frame.shape for frame in frames] == [(6, 8, 3)] * B


def test_agents_that_ended_wait_for_their_world(env):
    (_, _), *rest = steps(env, 0, 60)
    gone = {agent: np.zeros(B, bool) for agent in env.agents}
    waited = restarted = 0
    for observations, rewards, terminated, truncated, infos in rest:
        done = np.all([terminated[a] | truncated[a] for a in env.agents], axis=0)
        for agent in env.agents:
            assert observations[agent].shape == (B, 2) and rewards[agent].dtype == np.float32
            assert terminated[agent].dtype == truncated[agent].dtype == bool
            assert (terminated[agent] | truncated[agent])[gone[agent]].all()  # latched
            assert (rewards[agent][gone[agent]] == 0).all()
            np.testing.assert_array_equal(infos[agent]["reset"], done)
            if done.any():
                np.testing.assert_array_equal(infos[agent]["_final_obs"], done)
                assert (infos[agent]["final_obs"][done, 1] > 0).all() and (observations[agent][done, 1] == 0).all()
                final = infos[agent]["final_info"]
                np.testing.assert_array_equal(final["success"], terminated[agent] & done)
                np.testing.assert_array_equal(final["_success"], done)
            else:
                assert not {"final_obs", "final_info"} & set(infos[agent])
            waited += gone[agent].sum()
            gone[agent] = (terminated[agent] | truncated[agent]) & ~done
        restarted += done.sum()
    assert waited > 20 and restarted > 2 * B


def test_each_world_is_pettingzoos_of_seed_plus_i(env, toy):
    histories = list(steps(env, 7, 12))
    for world in range(B):
        single = PettingZooEnv(toy(num_agents=A))
        observations, _ = single.reset(seed=7 + world)
        for agent in env.agents:
            np.testing.assert_allclose(histories[0][0][agent][world], observations[agent], atol=1e-6)
        for t in range(12):
            actions = {agent: action[world] for agent, action in actions_at(t, env).items()}
            observations, rewards, terminated, truncated, infos = single.step({a: actions[a] for a in single.agents})
            batch = histories[t + 1]
            for agent in rewards:
                assert batch[1][agent][world] == pytest.approx(rewards[agent], abs=1e-6)
                assert batch[2][agent][world] == terminated[agent] and batch[3][agent][world] == truncated[agent]
                over = bool(batch[4][agent]["reset"][world])
                last = batch[4][agent]["final_obs"] if over else batch[0][agent]
                np.testing.assert_allclose(last[world], observations[agent], atol=1e-6)
                said = batch[4][agent]["final_info"] if over else batch[4][agent]
                assert said["clock"][world] == infos[agent]["clock"]
            if not single.agents:
                break
        assert not single.agents


@pytest.mark.parametrize("mode", ["next_step", "disabled"])
def test_the_other_modes(toy, mode):
    env = BatchedParallelEnv(toy(num_agents=A), B, autoreset_mode=mode)
    (_, _), *rest = steps(env, 0, 30)
    done = np.zeros(B, bool)
    for observations, rewards, terminated, truncated, infos in rest:
        for agent in env.agents:
            np.testing.assert_array_equal(infos[agent]["reset"], done if mode == "next_step" else np.zeros(B, bool))
            assert (rewards[agent][done] == 0).all() and "final_obs" not in infos[agent]
            if mode == "next_step":
                assert not terminated[agent][done].any() and (observations[agent][done, 1] == 0).all()
        done = np.all([terminated[a] | truncated[a] for a in env.agents], axis=0)
    if mode == "disabled":
        assert done.all()
        mask = np.array([False, True, False, True])
        fresh, infos = env.reset(options={"reset_mask": mask})
        for agent in env.agents:
            np.testing.assert_array_equal(fresh[agent][~mask], observations[agent][~mask])
            assert (fresh[agent][mask, 1] == 0).all()
            np.testing.assert_array_equal(infos[agent]["level_index"], mask)


@pytest.mark.parametrize("output", ["jax", "torch"])
def test_other_kinds_of_array_are_the_same_values(env, toy, output):
    kind = jax.Array if output == "jax" else pytest.importorskip("torch").Tensor
    other = BatchedParallelEnv(toy(num_agents=A), B, output=output)
    for got, expected in zip(list(steps(other, 3, 20)), steps(env, 3, 20), strict=True):
        assert all(isinstance(leaf, kind) for leaf in jax.tree.leaves(got))
        for a, b in zip(got[:4], expected[:4], strict=True):
            for agent in a:
                for name in a[agent] if isinstance(a[agent], dict) else [None]:
                    x, y = (a[agent], b[agent]) if name is None else (a[agent][name], b[agent][name])
                    np.testing.assert_allclose(np.asarray(x), y, atol=1e-6)
        if len(got) == 5:
            assert jax.tree.structure(got[:4]) == jax.tree.structure(expected[:4])
    np.testing.assert_allclose(np.asarray(other.state()), env.state(), atol=1e-6)


def test_actions_on_the_device_need_no_host(toy):
    env = BatchedParallelEnv(toy(num_agents=A), B, output="jax")
    env.reset(seed=0)
    action = {agent: jnp.ones((B, 2)) for agent in env.agents}
    env.step(action)
    env.reset(seed=0)
    with jax.transfer_guard("disallow"):
        handed = env.step(action)
    with pytest.raises(Exception, match="transfer"), jax.transfer_guard("disallow"):  # the guard does guard
        env.step(actions_at(0, env))
    host = BatchedParallelEnv(toy(num_agents=A), B)
    host.reset(seed=0)
    for got, expected in zip(handed[:4], host.step(action)[:4], strict=True):
        for agent in env.agents:
            np.testing.assert_allclose(np.asarray(got[agent]), expected[agent], atol=1e-6)


def test_numpy_arrays_are_new_and_writable(env):
    for result in steps(env, 4, 15):
        assert_fresh_and_writable(result)


def test_no_seed_goes_on_with_the_streams(env):
    env.reset(seed=1)
    second, infos = env.reset()
    assert infos["walker_0"]["level_index"].tolist() == [1] * B
    env.reset(seed=1)
    for agent, observation in env.reset()[0].items():
        np.testing.assert_array_equal(observation, second[agent])


def test_bad_input_is_one_clear_sentence(env, toy):
    env.reset(seed=0)
    good = actions_at(0, env)
    for actions, message in (
        (
            {**good, "walker_1": np.zeros((B, 3))},
            r"the action of walker_1 has shape \(4, 3\); expected float32\[4, 2\]",
        ),
        ({**good, "walker_1": np.full((B, 2), 7.0)}, "the action of walker_1 is 7.0 at index"),
        ({"walker_0": good["walker_0"]}, "actions lacks walker_1, walker_2"),
    ):
        with pytest.raises(ValueError, match=message):
            env.step(actions)
    with pytest.raises(ValueError, match="step came before reset"):
        BatchedParallelEnv(toy(num_agents=A), B).step(good)
    with pytest.raises(ValueError, match="num_envs is -1"):
        BatchedParallelEnv(toy(), -1)
