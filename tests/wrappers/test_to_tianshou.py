"""What Tianshou asks of a vector environment, on a tiny world."""

import numpy as np
import pytest

pytest.importorskip("tianshou")

from tianshou.data import Collector, CollectStats, VectorReplayBuffer

from minicosm.wrappers import GymnasiumVectorEnv, TianshouVectorEnv

B = 4


def test_worlds_that_are_not_named_stand_still(toy):
    env = TianshouVectorEnv(toy(), B, seed=0)
    observation, infos = env.reset()
    assert observation.shape == (B, 2) and [info["env_id"] for info in infos] == [0, 1, 2, 3]
    for tick in range(1, 4):
        moved, reward, _, _, infos = env.step(np.zeros((2, 2)), id=[3, 1])
        assert moved[:, 1].tolist() == [tick, tick] and reward.shape == (2,)
        assert [info["env_id"] for info in infos] == [3, 1]
    rest, *_ = env.step(np.zeros((B, 2)))
    assert rest[:, 1].tolist() == [1, 4, 1, 4]  # the world's clock
    again, _ = env.reset([2])
    assert again.tolist()[0][1] == 0
    assert env.step(np.zeros((B, 2)))[0][:, 1].tolist() == [2, 5, 1, 5]


def test_it_plays_the_episodes_of_the_other_adapters(toy):
    mine, other = TianshouVectorEnv(toy(), B), GymnasiumVectorEnv(toy(), B, autoreset_mode="disabled")
    assert mine.seed(3) == [[3], [4], [5], [6]]
    np.testing.assert_array_equal(mine.reset()[0], other.reset(seed=3)[0])
    actions = np.random.default_rng(0)
    for _ in range(40):
        action = actions.uniform(-1, 1, (B, 2)).astype(np.float32)
        a, b = mine.step(action), other.step(action)
        for x, y in zip(a[:4], b[:4], strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)
        done = a[2] | a[3]
        if done.any():
            fresh, _ = mine.reset(np.nonzero(done)[0])
            np.testing.assert_array_equal(fresh, other.reset(options={"reset_mask": done})[0][done])


@pytest.mark.parametrize("settings", [{"actions": "even"}, {"actions": "even", "as_dict": True}], ids=str)
def test_tianshous_collector_counts_steps_and_episodes(toy, settings):
    from tianshou.algorithm.algorithm_base import RandomActionPolicy

    env = TianshouVectorEnv(toy(**settings), B, seed=0)
    policy = RandomActionPolicy(env.action_space[0])
    collector = Collector[CollectStats](policy, env, VectorReplayBuffer(400, B))
    collector.reset()
    stats = collector.collect(n_step=40)
    assert stats.n_collected_steps == 40
    collector.reset()
    stats = collector.collect(n_episode=10)
    assert stats.n_collected_episodes == 10 and stats.lens.max() <= 12


def test_attributes_frames_and_what_is_refused(toy):
    env = TianshouVectorEnv(toy(), B, render_mode="rgb_array")
    assert len(env) == B and env.action_space[0].shape == (2,) and env.get_env_attr("max_episode_steps", [1]) == [12]
    with pytest.raises(ValueError, match="step came before reset"):
        env.step(np.zeros((B, 2)))
    env.reset()
    assert [frame.shape for frame in env.render()] == [(6, 8, 3)] * B
    with pytest.raises(ValueError, match="action holds 3 actions; expected one for each of 2 worlds"):
        env.step(np.zeros((3, 2)), id=[0, 1])
    with pytest.raises(ValueError, match="cannot change once the worlds are compiled"):
        env.set_env_attr("noise", 1.0)
    with pytest.raises(ValueError, match="2 agents and tianshou's vector environment addresses one"):
        TianshouVectorEnv(toy(num_agents=2), B)
