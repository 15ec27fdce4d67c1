"""Every agent as an environment of its own: who ends when, and what waiting agents are handed."""

import gymnasium
import numpy as np
import pytest

from minicosm.wrappers import BatchedParallelEnv, GymnasiumVectorEnv, agents_as_envs

W, A, TICKS = 5, 3, 40


@pytest.fixture(scope="module")
def world(toy):
    return toy(num_agents=A, actions="even")


def rollout(env, ticks=TICKS):
    actions = np.random.default_rng(1)
    for _ in range(ticks):
        yield env.step(actions.uniform(-0.2, 1, (W * A, 2)).astype(np.float32))


@pytest.fixture(scope="module")
def wanted(world):
    """What the batched parallel form hands out, agents merged into rows: the same worlds, where agents never leave."""
    env = BatchedParallelEnv(world, W)
    env.reset(seed=0)
    actions, steps = np.random.default_rng(1), []
    for _ in range(TICKS):
        by_row = actions.uniform(-0.2, 1, (W * A, 2)).astype(np.float32).reshape(W, A, 2)
        handed = env.step({agent: by_row[:, a] for a, agent in enumerate(env.agents)})
        *arrays, infos = handed
        rows = [np.stack([part[agent] for agent in env.agents], 1).reshape(W * A, -1).squeeze() for part in arrays]
        steps.append((*rows, np.repeat(infos["walker_0"]["reset"], A)))
    return steps


def test_each_agent_ends_once_and_then_waits_for_its_world(world, wanted):
    env = agents_as_envs(world, W)
    env.reset(seed=0)
    over, waited = np.zeros(W * A, bool), 0
    for got, (observation, reward, terminated, truncated, reset) in zip(rollout(env), wanted, strict=True):
        info = got[4]
        np.testing.assert_array_equal(info["active"], ~over)
        np.testing.assert_array_equal(info["reset"], reset)
        np.testing.assert_array_equal(got[0], observation)
        np.testing.assert_array_equal(got[1], reward)
        np.testing.assert_array_equal(got[2], terminated & ~over)
        np.testing.assert_array_equal(got[3], truncated & ~over)
        assert (got[1][over] == 0).all()
        waited += over.sum()
        over = (over | terminated | truncated) & ~reset
    assert waited > W


def test_last_observations_and_infos_are_of_the_agents_that_ended(world):
    env = agents_as_envs(world, W)
    observation, _ = env.reset(seed=0)
    alone = 0
    for observation, _, terminated, truncated, info in rollout(env):
        ended = terminated | truncated
        if not ended.any():
            assert "final_obs" not in info
            continue
        np.testing.assert_array_equal(info["_final_obs"], ended)
        np.testing.assert_array_equal(info["_final_info"], ended)
        np.testing.assert_array_equal(info["final_info"]["success"], terminated)
        np.testing.assert_array_equal(info["_success"], info["active"] & ~ended)
        early = ended & ~info["reset"]
        alone += early.sum()
        np.testing.assert_array_equal(info["final_obs"][early], observation[early])
        # the world's clock, which a world that was reset has set back
        assert (info["final_obs"][ended & info["reset"], 1] > 0).all() and (observation[info["reset"], 1] == 0).all()
    assert alone > W


def test_next_step_plays_the_same_episodes(world):
    def returns(mode):
        """Return and number of steps of each agent's first two episodes."""
        env = agents_as_envs(world, W, autoreset_mode=mode)
        env.reset(seed=3)
        sums, lengths = np.zeros(W * A), np.zeros(W * A, int)
        found = [[] for _ in range(W * A)]
        for _ in range(60):
            _, reward, terminated, truncated, info = env.step(np.full((W * A, 2), 0.4, np.float32))
            sums, lengths = sums + reward, lengths + info["active"]
            for i in np.nonzero(terminated | truncated)[0]:
                found[i].append((round(float(sums[i]), 4), int(lengths[i])))
                sums[i] = lengths[i] = 0
        return [episodes[:2] for episodes in found]

    assert returns("same_step") == returns("next_step")
    assert min(len(episodes) for episodes in returns("next_step")) == 2


def test_gymnasiums_statistics_count_each_agents_return(world):
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(agents_as_envs(world, W))
    env.reset(seed=0)
    sums, found = np.zeros(W * A), 0
    for _, reward, terminated, truncated, info in rollout(env):
        sums += reward
        ended = terminated | truncated
        if "episode" in info:
            np.testing.assert_allclose(info["episode"]["r"][ended], sums[ended], atol=1e-5)
            found += ended.sum()
        sums[ended] = 0
    assert found > W * A


def test_spaces_seeds_frames_and_resets(world):
    env = agents_as_envs(world, W, render_mode="rgb_array", output="numpy")
    assert isinstance(env, GymnasiumVectorEnv) and env.num_envs == W * A and env.num_worlds == W
    assert env.observation_space.shape == (W * A, 2) and env.action_space.shape == (W * A, 2)
    first, info = env.reset(seed=list(range(7, 7 + W)))
    np.testing.assert_array_equal(first, env.reset(seed=7)[0])
    assert info["reset"].all() and info["reset"].shape == (W * A,)
    frames = env.render()
    assert len(frames) == W * A and (frames[0] == frames[A - 1]).all() and (frames[0] != frames[A]).any()
    env.step(np.zeros((W * A, 2)))
    mask = np.repeat([True] + [False] * (W - 1), A)
    again, info = env.reset(options={"reset_mask": mask})
    assert (again[:A, 1] == 0).all() and (again[A:, 1] == 1).all()
    np.testing.assert_array_equal(info["reset"], mask)


def test_what_is_refused(world):
    with pytest.raises(ValueError, match="agents of a world are reset together; use 'same_step' or 'next_step'"):
        agents_as_envs(world, W, autoreset_mode="disabled")
    with pytest.raises(ValueError, match="num_envs is 7; expected a multiple of the 3 agents of a world"):
        GymnasiumVectorEnv(world, 7, agents_as_envs=True)
    env = agents_as_envs(world, W)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="has some agents of world 1 only"):
        env.reset(options={"reset_mask": np.arange(W * A) == A})
    with pytest.raises(ValueError, match=r"BatchedParallelEnv or agents_as_envs"):
        GymnasiumVectorEnv(world, W)
