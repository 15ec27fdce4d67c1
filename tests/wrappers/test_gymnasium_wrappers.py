"""Gymnasium's own wrappers around ours: every vector wrapper in every mode that Gymnasium allows it."""

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import vector

from minicosm.wrappers import GymnasiumVectorEnv, agents_as_envs

B, TICKS = 4, 30
MODES = ("next_step", "same_step", "disabled")
AROUND = {  # which go around which mode; Gymnasium refuses the last four around "same_step"
    "RecordEpisodeStatistics": (vector.RecordEpisodeStatistics, MODES),
    "ClipAction": (vector.ClipAction, MODES),
    "RescaleAction": (lambda env: vector.RescaleAction(env, -2.0, 2.0), MODES),
    "ClipReward": (lambda env: vector.ClipReward(env, -0.1, 0.1), MODES),
    "NormalizeReward": (vector.NormalizeReward, MODES),
    "DictInfoToList": (vector.DictInfoToList, MODES),
    "NormalizeObservation": (vector.NormalizeObservation, ("next_step",)),
    "FlattenObservation": (vector.FlattenObservation, ("next_step", "disabled")),
    "RescaleObservation": (lambda env: vector.RescaleObservation(env, -1.0, 1.0), ("next_step", "disabled")),
    "DtypeObservation": (lambda env: vector.DtypeObservation(env, np.float64), ("next_step", "disabled")),
}
is_recent = tuple(map(int, gymnasium.__version__.split(".")[:2])) >= (1, 4)


def play(env, mode, ticks=TICKS):
    """[(observation, reward, terminated, truncated)] of `ticks` steps; in mode "disabled", worlds are reset by mask."""
    env.reset(seed=0)
    actions, found = np.random.default_rng(0), []
    for _ in range(ticks):
        observation, reward, terminated, truncated, _ = env.step(actions.uniform(-1, 1, (B, 2)).astype(np.float32))
        found.append((observation, reward, terminated, truncated))
        done = terminated | truncated
        if mode == "disabled" and done.any():
            env.reset(options={"reset_mask": done})
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", AROUND)
def test_a_vector_wrapper_in_a_mode(toy, name, mode):
    wrap, modes = AROUND[name]
    env = GymnasiumVectorEnv(toy(actions="even"), B, autoreset_mode=mode)
    if mode not in modes:
        if not is_recent:
            pytest.skip("a rule of Gymnasium 1.4")
        with pytest.raises((ValueError, AssertionError)):
            wrap(env)
        return
    plain = play(GymnasiumVectorEnv(toy(actions="even"), B, autoreset_mode=mode), mode)
    wrapped = play(wrap(env), mode)
    assert sum((terminated | truncated).sum() for _, _, terminated, truncated in wrapped) >= B
    if name == "RescaleAction":
        return  # the same actions mean others
    for (_, _, *flags), (observation, reward, *others) in zip(plain, wrapped, strict=True):
        np.testing.assert_array_equal(flags, others)
        assert np.isfinite(observation).all() and np.isfinite(reward).all()
        assert name != "ClipReward" or abs(reward).max() <= 0.1


def test_a_video_of_many_worlds(toy, tmp_path):
    pytest.importorskip("moviepy")
    env = GymnasiumVectorEnv(toy(actions="even"), B, render_mode="rgb_array")
    recorded = vector.RecordVideo(env, str(tmp_path), video_length=5, step_trigger=lambda step: step == 0)
    recorded.reset(seed=0)
    for _ in range(7):
        recorded.step(np.zeros((B, 2), np.float32))
    recorded.close()
    assert [file.suffix for file in tmp_path.iterdir() if file.stat().st_size > 200] == [".mp4"]


def test_several_at_once_around_agents_as_envs(toy):
    env = agents_as_envs(toy(num_agents=2, actions="even"), B // 2)
    recorded = vector.RecordEpisodeStatistics(env)
    play(vector.NormalizeReward(vector.ClipAction(recorded)), "same_step")
    assert len(recorded.return_queue) >= B
