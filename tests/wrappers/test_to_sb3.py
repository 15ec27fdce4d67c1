"""What Stable-Baselines3 asks of a VecEnv, on a tiny world."""

import numpy as np
import pytest
from fresh_arrays import assert_fresh_and_writable

sb3 = pytest.importorskip("stable_baselines3")

from stable_baselines3.common.evaluation import evaluate_policy  # noqa: E402
from stable_baselines3.common.monitor import Monitor  # noqa: E402
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize  # noqa: E402

from minicosm.wrappers import SB3VecEnv  # noqa: E402

B = 4


def rollout(env, ticks, seed=0):
    env.reset()
    actions = np.random.default_rng(seed)
    for _ in range(ticks):
        low, high = env.action_space.low, env.action_space.high
        yield env.step(actions.uniform(low, high, (env.num_envs, *env.action_space.shape)).astype(np.float32))


def test_infos_tell_of_an_episode_when_it_ends_and_only_then(toy):
    returns, lengths, ended = np.zeros(B), np.zeros(B, int), 0
    for observation, reward, done, infos in rollout(SB3VecEnv(toy(), B, seed=0), 60):
        assert_fresh_and_writable(observation, reward, done)
        assert reward.dtype == np.float32 and done.dtype == bool
        returns += reward
        lengths += 1
        for i, info in enumerate(infos):
            if not done[i]:
                assert info == {}
                continue
            ended += 1
            assert info["episode"]["r"] == pytest.approx(returns[i], abs=1e-5)
            assert info["episode"]["l"] == lengths[i] and info["episode"]["t"] >= 0
            assert info["TimeLimit.truncated"] == (lengths[i] == 12 and not info["is_success"])
            assert info["terminal_observation"][1] == lengths[i] and observation[i][1] == 0
            assert info["is_success"] is bool(info["terminal_observation"][0] > 1)
            returns[i] = lengths[i] = 0
    assert ended > B


def test_infos_of_two_environments_are_never_the_same_object(toy):
    for _, _, _, infos in rollout(SB3VecEnv(toy(), B, seed=0), 3):
        infos[0]["mine"] = 1
        assert infos[1] == {}


def test_a_seed_gives_the_same_episodes_and_sb3s_seed_call_too(toy):
    def seen(env):
        return np.stack([np.concatenate([o.ravel(), r]) for o, r, _, _ in rollout(env, 20)])

    wanted = seen(SB3VecEnv(toy(), B, seed=5))
    called = SB3VecEnv(toy(), B)
    assert called.seed(5) == [5, 6, 7, 8]
    np.testing.assert_array_equal(seen(called), wanted)
    assert not np.array_equal(seen(called), wanted)  # a reset without a seed goes on
    assert not np.array_equal(seen(SB3VecEnv(toy(), B)), seen(SB3VecEnv(toy(), B)))


def test_attributes_methods_and_frames(toy):
    env = SB3VecEnv(toy(), B, render_mode="rgb_array")
    env.reset()
    assert env.get_attr("max_episode_steps", [0, 2]) == [12, 12]
    env.set_attr("nickname", "ann", [1])
    assert env.get_attr("nickname") == [None, "ann", None, None]
    with pytest.raises(ValueError, match="'noise' cannot change once the worlds are compiled"):
        env.set_attr("noise", 0.0)
    with pytest.raises(AttributeError):
        env.get_attr("no_such_thing")
    assert env.has_attr("nickname") and not env.has_attr("no_such_thing")
    assert [frame.shape for frame in env.env_method("render", indices=[0, 3])] == [(6, 8, 3)] * 2
    assert env.render().shape == (12, 16, 3)  # four worlds, tiled
    assert env.env_is_wrapped(Monitor, [0, 1]) == [True, True] and env.env_is_wrapped(VecMonitor) == [False] * B


def test_sb3s_own_wrappers_compose(toy):
    env = VecFrameStack(VecNormalize(SB3VecEnv(toy(), B, seed=0)), 2)
    shapes = {o.shape for o, *_ in rollout(env, 30)}
    assert shapes == {(B, 4)}
    assert 0 < env.venv.obs_rms.var[1] < 50


@pytest.mark.parametrize("settings", [{}, {"actions": "discrete", "as_dict": True}, {"num_agents": 2}], ids=str)
def test_ppo_trains_and_is_evaluated(toy, settings):
    env = SB3VecEnv(toy(**settings), B)
    policy = "MultiInputPolicy" if settings.get("as_dict") else "MlpPolicy"
    model = sb3.PPO(policy, env, n_steps=32, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(2 * 32 * B)
    assert len(model.ep_info_buffer) > B and len(model.ep_success_buffer) > B
    mean, _ = evaluate_policy(model, env, n_eval_episodes=4)
    assert np.isfinite(mean)


def test_agents_that_end_at_different_times_count_their_own_steps(toy):
    lengths = []
    for _, _, done, infos in rollout(SB3VecEnv(toy(num_agents=2), B, seed=0), 60):
        lengths += [info["episode"]["l"] == info["terminal_observation"][1] for i, info in enumerate(infos) if done[i]]
    assert len(lengths) > 8 and all(lengths)  # the second number observed is the world's clock


def test_what_is_refused(toy):
    with pytest.raises(ValueError, match="num_envs is 3; expected a multiple of the 2 agents of a world"):
        SB3VecEnv(toy(num_agents=2), 3)
    env = SB3VecEnv(toy(), B)
    with pytest.raises(ValueError, match="call reset first"):
        env.step(np.zeros((B, 2)))
    env.reset()
    with pytest.raises(ValueError, match="step_wait came before step_async"):
        env.step_wait()
    with pytest.raises(ValueError, match=r"shape \(2,\); expected float32\[4, 2\]"):
        env.step(np.zeros(2))
    with pytest.raises(TypeError, match="seed is 'x'"):
        SB3VecEnv(toy(), B, seed="x")
