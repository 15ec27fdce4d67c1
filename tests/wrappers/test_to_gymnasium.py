"""One world as gymnasium.Env."""

import warnings

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fresh_arrays import assert_fresh_and_writable
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import NormalizeObservation, RecordEpisodeStatistics, TimeLimit

from minicosm.wrappers import GymnasiumEnv

NAV = {"num_beams": 8, "height": 7, "width": 7, "max_steps": 20}


@pytest.fixture(scope="module")
def env(toy):
    return GymnasiumEnv(toy(), render_mode="rgb_array")


def play(env, seed, steps=40, resets=True):
    """Observations, rewards, flags and info, over several episodes."""
    env.action_space.seed(seed)
    history = [env.reset(seed=seed)]
    for _ in range(steps):
        history.append(env.step(env.action_space.sample()))
        if resets and (history[-1][2] or history[-1][3]):
            history.append(env.reset())
    return history


@pytest.mark.parametrize("settings", [NAV, {**NAV, "action_kind": "discrete"}], ids=["continuous", "discrete"])
def test_gymnasiums_own_checker_is_silent(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("minicosm/Nav-v0", **settings)
        # without the picture here, whose drawing compiles for a while: the next test has it
        check_env(env.unwrapped, skip_render_check=True)


def test_gymnasiums_own_checker_is_silent_with_pictures(toy, monkeypatch):
    world = toy(actions="even")
    gymnasium.register(
        "minicosm-tests/Toy-v0", entry_point=lambda render_mode=None: GymnasiumEnv(world, render_mode=render_mode)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("minicosm-tests/Toy-v0", render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("settings", [{"as_dict": True}, {"actions": "discrete"}, {"actions": "multi"}])
def test_every_kind_of_space_passes_the_checker(toy, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(GymnasiumEnv(toy(**{"actions": "even", **settings})), skip_render_check=True, skip_close_check=True)


def test_values_are_pythons_and_arrays_are_new(env):  # Gymnasium, "Env"
    observation, info = env.reset(seed=0)
    assert info == {"level_index": 0}
    for _ in range(3):
        before = observation
        observation, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
        assert type(reward) is float and type(terminated) is bool and type(truncated) is bool
        assert type(info["success"]) is bool and type(info["clock"]) is int and info["place"].shape == (2,)
        assert "episode" not in info  # Gymnasium 7
        assert observation.dtype == np.float32 and not np.shares_memory(before, observation)
        assert_fresh_and_writable(observation, info["place"])


def test_whole_episodes_repeat_with_their_seed(env):
    first, again, other = play(env, 5), play(env, 5), play(env, 6)
    for a, b in zip(first, again, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    assert sum(len(step) == 2 for step in first) > 3  # several episodes
    assert not np.array_equal(first[1][0], other[1][0])


def test_no_seed_goes_on_with_the_stream(env):  # Gymnasium 10
    a, _ = env.reset(seed=3)
    b, info = env.reset()
    c, _ = env.reset()
    assert info == {"level_index": 1}
    assert len({x.tobytes() for x in (a, b, c)}) == 3
    env.reset(seed=3)
    np.testing.assert_array_equal(env.reset()[0], b)


def test_the_first_reset_without_a_seed_is_random_not_seed_0(toy):  # Gymnasium 10
    starts = [GymnasiumEnv(toy()).reset()[0].tobytes() for _ in range(3)]
    starts.append(GymnasiumEnv(toy()).reset(seed=0)[0].tobytes())
    assert len(set(starts)) == 4


def test_a_numpy_generator_given_beforehand_decides_the_first_seed(toy):
    starts = []
    for _ in range(2):
        env = GymnasiumEnv(toy())
        env.np_random = np.random.default_rng(11)
        starts.append(env.reset()[0])
    np.testing.assert_array_equal(*starts)


def test_termination_and_truncation_are_apart(env):
    kinds = set()
    for seed in range(6):
        for step in play(env, seed, steps=30):
            if len(step) == 5:
                kinds.add(step[2:4])
    assert kinds == {(False, False), (True, False), (False, True)}


def test_a_world_that_has_ended_stands_still(env):
    env.reset(seed=0)
    while not any(env.step(np.ones(2))[2:4]):
        pass
    last = env.step(np.ones(2))
    again = env.step(-np.ones(2))
    np.testing.assert_array_equal(last[0], again[0])
    assert again[1] == 0.0 and again[2:4] == last[2:4]


def test_spaces_are_the_same_objects(env):  # Gymnasium 11
    assert env.observation_space is env.observation_space and env.action_space is env.action_space


def test_the_picture_is_one_frame(env, toy):
    env.reset(seed=0)
    frame = env.render()
    assert frame.shape == (6, 8, 3) and frame.dtype == np.uint8
    env.step(np.ones(2))
    assert (env.render() != frame).any()
    silent = GymnasiumEnv(toy())
    silent.reset(seed=0)
    assert silent.render() is None
    assert env.metadata["render_fps"] == 20  # 1 / dt


def test_other_kinds_of_array(toy):
    torch = pytest.importorskip("torch")
    expected = play(GymnasiumEnv(toy()), 2)
    for output, kind in (("jax", jax.Array), ("torch", torch.Tensor)):
        env = GymnasiumEnv(toy(), output=output)
        assert env.metadata[output] is True
        for a, b in zip(play(env, 2), expected, strict=True):
            assert isinstance(a[0], kind)
            np.testing.assert_allclose(np.asarray(a[0]), b[0], atol=1e-6)
            if len(a) == 5:
                assert type(a[1]) is float and a[1] == pytest.approx(b[1], abs=1e-6) and a[2:4] == b[2:4]
                assert isinstance(a[4]["place"], kind)


def test_gymnasiums_converter_takes_the_jax_form(toy):
    pytest.importorskip("array_api_compat")
    pytest.importorskip("gymnasium.wrappers.array_conversion", reason="before 1.2 its converter took jax arrays apart")
    env = gymnasium.wrappers.JaxToNumpy(GymnasiumEnv(toy(), output="jax"))
    observation, _ = env.reset(seed=0)
    assert isinstance(observation, np.ndarray)
    assert isinstance(env.step(np.zeros(2, np.float32))[0], np.ndarray)


def test_gymnasiums_wrappers_go_around_it(toy):
    env = TimeLimit(NormalizeObservation(RecordEpisodeStatistics(GymnasiumEnv(toy(noise=0.0)))), 7)
    env.reset(seed=1)
    for t in range(1, 8):
        _, _, terminated, truncated, info = env.step(np.zeros(2))
        assert not terminated and truncated == (t == 7)  # TimeLimit's own, shorter than the world's
    env = RecordEpisodeStatistics(GymnasiumEnv(toy()))
    env.reset(seed=1)
    total, steps, over = 0.0, 0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(np.zeros(2))
        total, steps, over = total + reward, steps + 1, terminated or truncated
    assert info["episode"]["r"] == pytest.approx(total, abs=1e-5) and info["episode"]["l"] == steps <= 12


def test_a_video_is_recorded(toy, tmp_path):
    pytest.importorskip("moviepy")
    env = GymnasiumEnv(toy(), render_mode="rgb_array")
    recorded = gymnasium.wrappers.RecordVideo(
        env, str(tmp_path / "videos"), episode_trigger=lambda n: True, disable_logger=True
    )
    recorded.reset(seed=0)
    while not any(recorded.step(np.zeros(2))[2:4]):
        pass
    recorded.close()
    assert [f.suffix for f in (tmp_path / "videos").iterdir() if f.stat().st_size > 200] == [".mp4"]


def test_a_source_of_levels_replaces_the_task_distribution(toy):
    world = toy(noise=0.0)
    level = jax.tree.map(lambda x: jnp.full_like(x, 0.25), world.sample_level(jax.random.key(0)))
    env = GymnasiumEnv(world, level_source=lambda key: level)
    assert env.reset(seed=0)[0][0] == env.reset()[0][0] == 0.25


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda env: env.step(np.full(2, np.nan)), ValueError, "action is nan at index"),
        (lambda env: env.step([3.0, 0.0]), ValueError, "action is 3.0 at index"),
        (lambda env: env.step(np.zeros(3)), ValueError, r"action has shape \(3,\)"),
        (lambda env: env.step("left"), TypeError, "action has dtype <U4"),
        (lambda env: env.reset(seed=-4), ValueError, "seed is -4"),
        (lambda env: env.reset(seed="4"), TypeError, "seed is '4'"),
    ],
)
def test_bad_input_is_one_clear_sentence(env, act, error, message):
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        act(env)


def test_bad_construction_is_one_clear_sentence(toy):
    with pytest.raises(
        ValueError, match=r"this world has 3 agents and gymnasium.Env addresses one; use .*PettingZooEnv"
    ):
        GymnasiumEnv(toy(num_agents=3))
    with pytest.raises(ValueError, match="output is 'tf'"):
        GymnasiumEnv(toy(), output="tf")
    with pytest.raises(ValueError, match="render_mode is 'ansi'"):
        GymnasiumEnv(toy(), render_mode="ansi")
    for early in (lambda env: env.step(np.zeros(2)), lambda env: env.render()):
        with pytest.raises(gymnasium.error.ResetNeeded, match="came before reset"):
            early(GymnasiumEnv(toy(), render_mode="rgb_array"))
