"""Many worlds as gymnasium.vector.VectorEnv."""

import itertools
import warnings

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fresh_arrays import assert_fresh_and_writable
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics, TransformObservation

from minicosm.wrappers import GymnasiumEnv, GymnasiumVectorEnv

B = 5


@pytest.fixture(scope="module")
def envs(toy):
    return {mode: GymnasiumVectorEnv(toy(), B, autoreset_mode=mode) for mode in ("next_step", "same_step", "disabled")}


def steps(env, seed, count=30):
    """The reset's (observation, info), then `count` steps of random actions."""
    env.action_space.seed(seed)
    yield env.reset(seed=seed)
    for _ in range(count):
        yield env.step(env.action_space.sample())


def test_it_is_a_plain_vector_env(envs):  # Gymnasium 4, 11
    for mode, env in envs.items():
        assert VectorEnv in type(env).__bases__
        assert env.metadata["autoreset_mode"] is env.autoreset_mode is getattr(AutoresetMode, mode.upper())
        assert isinstance(env.metadata["autoreset_mode"], AutoresetMode)
        assert env.observation_space is env.observation_space
        assert env.single_action_space is env.single_action_space
        assert env.observation_space.shape == (B, 2) and env.single_observation_space.shape == (2,)
        assert env.num_envs == B and env.max_episode_steps == 12
    assert GymnasiumVectorEnv.metadata is not envs["next_step"].metadata


def test_next_step_resets_in_the_step_after_the_last(envs):  # Gymnasium 5
    env = envs["next_step"]
    ended, seen = np.zeros(B, bool), 0
    _, *rest = steps(env, 0, 60)
    for observation, reward, terminated, truncated, info in rest:
        np.testing.assert_array_equal(info["reset"], ended)
        assert (reward[ended] == 0).all() and not terminated[ended].any() and not truncated[ended].any()
        assert (observation[ended, 1] == 0).all()  # the time of a new episode
        assert not {"final_obs", "final_info", "_final_obs", "_final_info"} & set(info)
        ended, seen = terminated | truncated, seen + ended.sum()
    assert seen > 2 * B


def test_next_step_ignores_the_action_of_the_reset(toy):
    first = []
    for pull in (-1.0, 1.0):
        env = GymnasiumVectorEnv(toy(), 1)
        env.reset(seed=0)
        while not np.any(env.step(np.ones((1, 2)))[2:4]):
            pass
        first.append(env.step(np.full((1, 2), pull))[0])
    np.testing.assert_array_equal(*first)


def test_same_step_hands_out_both_observations(envs):  # Gymnasium 5, 7, 12
    env = envs["same_step"]
    (_, info), *rest = steps(env, 0, 60)
    level, quiet, seen = info["level_index"], 0, 0
    for observation, _, terminated, truncated, info in rest:
        done = terminated | truncated
        np.testing.assert_array_equal(info["reset"], done)
        np.testing.assert_array_equal(info["level_index"], level + done)
        if not done.any():
            assert not {"final_obs", "final_info", "_final_obs", "_final_info"} & set(info)
            quiet += 1
            continue
        np.testing.assert_array_equal(info["_final_obs"], done)
        np.testing.assert_array_equal(info["_final_info"], done)
        final, final_info = info["final_obs"], info["final_info"]
        assert final.dtype == np.float32 and final.shape == observation.shape  # dense, no objects
        assert (observation[done, 1] == 0).all() and (final[done, 1] > 0).all()
        np.testing.assert_array_equal(observation[~done], final[~done])
        np.testing.assert_array_equal(final_info["success"], terminated)
        np.testing.assert_array_equal(final_info["_success"], done)
        np.testing.assert_array_equal(final_info["clock"], np.where(done, final[:, 1], 0))
        np.testing.assert_array_equal(final_info["level_index"], np.where(done, level, 0))
        np.testing.assert_array_equal(info["_clock"], ~done)
        np.testing.assert_array_equal(info["clock"], np.where(done, 0, final[:, 1]))
        level, seen = info["level_index"], seen + done.sum()
    assert seen > 2 * B and quiet > 5


def test_disabled_waits_for_the_mask(envs):  # Gymnasium 5, 6
    env = envs["disabled"]
    for convert in (np.asarray, jnp.asarray):
        *_, (observation, reward, terminated, truncated, _) = steps(env, 3, 14)
        assert (terminated | truncated).all() and (reward == 0).all()
        mask = np.array([True, False, True, False, False])
        options = {"reset_mask": convert(mask)}
        fresh, info = env.reset(options=options)
        assert "reset_mask" in options
        np.testing.assert_array_equal(fresh[~mask], observation[~mask])
        assert (fresh[mask, 1] == 0).all() and (observation[mask, 1] > 0).all()
        np.testing.assert_array_equal(info["reset"], mask)
        np.testing.assert_array_equal(info["level_index"], mask)
        _, _, terminated, truncated, _ = env.step(np.zeros((B, 2)))
        np.testing.assert_array_equal(terminated | truncated, ~mask)


def test_a_mask_works_in_every_mode(envs):
    for env in envs.values():
        *_, (before, *_) = steps(env, 1, 3)
        mask = np.array([False, True, False, False, True])
        after, info = env.reset(options={"reset_mask": mask})
        np.testing.assert_array_equal(after[~mask], before[~mask])
        assert (after[mask] != before[mask]).any(axis=1).all() and (info["level_index"][mask] > 0).all()


def test_a_mask_with_seeds_reseeds_those_worlds_only(envs):
    env = envs["disabled"]
    first, _ = env.reset(seed=[50, 51, 52, 53, 54])
    *_, (before, *_) = steps(env, 1, 3)
    mask = np.array([True, True, True, False, False])
    after, info = env.reset(seed=[50, None, 52, 53, None], options={"reset_mask": mask})
    np.testing.assert_array_equal(after[[0, 2]], first[[0, 2]])
    np.testing.assert_array_equal(after[[3, 4]], before[[3, 4]])
    assert not np.array_equal(after[1], first[1]) and not np.array_equal(after[1], before[1])
    assert info["level_index"].tolist() == [0, 1, 0, 0, 0]


def test_info_is_dense_with_masks_and_has_no_key_episode(envs):  # Gymnasium 7
    for env in envs.values():
        for result in steps(env, 2, 30):
            info = result[-1]
            infos = [info] + ([info["final_info"]] if "final_info" in info else [])
            for one in infos:
                assert "episode" not in one
                for name, value in one.items():
                    if name.startswith("_"):
                        assert value.dtype == bool and value.shape == (B,)
                    elif name != "final_info":
                        assert value.dtype != object and value.shape[0] == B and f"_{name}" in one
            assert result[0].dtype == np.float32


def test_numpy_arrays_are_new_and_writable(envs):  # Gymnasium 12
    for env in envs.values():
        kept = []
        for result in steps(env, 4, 20):
            assert_fresh_and_writable(result)
            kept.append((result, jax.tree.map(np.copy, result)))
        for result, copy in kept:  # nothing handed out changed later
            jax.tree.map(np.testing.assert_array_equal, result, copy)
        for a, b in itertools.pairwise(kept):
            assert not np.shares_memory(a[0][0], b[0][0])


def test_a_reward_that_is_kept_keeps_no_observations_alive(envs):
    env = envs["next_step"]
    env.reset(seed=0)
    observation, reward, *_ = env.step(np.zeros((B, 2)))
    assert not np.shares_memory(observation, reward) and reward.base is not observation.base


@pytest.mark.parametrize("output", ["jax", "torch"])
@pytest.mark.parametrize("mode", ["next_step", "same_step", "disabled"])
def test_other_kinds_of_array_are_the_same_values(toy, envs, mode, output):  # dlpack
    kind = jax.Array if output == "jax" else pytest.importorskip("torch").Tensor
    env = GymnasiumVectorEnv(toy(), B, autoreset_mode=mode, output=output)
    assert env.metadata[output] is True
    kept = list(steps(env, 7, 25))  # looked at only in the end: later steps must not have touched them
    for got, expected in zip(kept, steps(envs[mode], 7, 25), strict=True):
        assert all(isinstance(leaf, kind) for leaf in jax.tree.leaves(got))
        if output == "jax" and len(got) == 5 and mode == "same_step" and "final_obs" not in expected[4]:
            assert not got[4].pop("_final_obs").any() and not got[4].pop("_final_info").any()
            del got[4]["final_obs"], got[4]["final_info"]
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            assert np.asarray(a).dtype == b.dtype
            np.testing.assert_allclose(np.asarray(a), b, atol=1e-6)


def test_torch_tensors_that_stay_on_an_accelerator(toy, envs, monkeypatch):  # dlpack
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # the path without the host; the arrays are still here
    for mode, reference in envs.items():
        env = GymnasiumVectorEnv(toy(), B, autoreset_mode=mode, output="torch")
        assert env._driver._programs.reset is not reference._driver._programs.reset
        for got, expected in zip(list(steps(env, 7, 25)), steps(reference, 7, 25), strict=True):
            assert all(isinstance(leaf, torch.Tensor) for leaf in jax.tree.leaves(got))
            for a, b in zip(got[:4], expected[:4], strict=True):
                if not isinstance(a, dict):
                    np.testing.assert_allclose(a.numpy(), b, atol=1e-6)
            if mode == "same_step" and len(got) == 5:  # at every step, since looking whether one ended would wait
                np.testing.assert_array_equal(got[4]["_final_obs"].numpy(), got[4]["reset"].numpy())
            got[0].fill_(99.0)


def test_writing_into_torch_tensors_harms_nothing(toy):  # dlpack
    torch = pytest.importorskip("torch")
    plain, scribbled = (GymnasiumVectorEnv(toy(), B, autoreset_mode="disabled", output="torch") for _ in range(2))
    for env in (plain, scribbled):
        env.action_space.seed(0)
        env.reset(seed=0)
    for _ in range(10):
        expected = plain.step(torch.zeros((B, 2), requires_grad=True))
        got = scribbled.step(torch.zeros((B, 2)))
        assert torch.equal(got[0], expected[0])
        got[0].fill_(99.0), got[1].zero_(), got[4]["level_index"].add_(5)
    mask = np.array([True, False, False, False, False])
    again = [env.reset(options={"reset_mask": mask})[0] for env in (plain, scribbled)]
    assert torch.equal(*again)


def test_jax_and_torch_actions_pass(toy, envs):
    torch = pytest.importorskip("torch")
    expected = None
    for env in (envs["next_step"], GymnasiumVectorEnv(toy(), B, output="jax")):
        for action in (np.full((B, 2), 0.5), jnp.full((B, 2), 0.5), torch.full((B, 2), 0.5), [[0.5, 0.5]] * B):
            env.reset(seed=8)
            observation = np.asarray(env.step(action)[0])
            expected = observation if expected is None else expected
            np.testing.assert_allclose(observation, expected, atol=1e-6)


def test_world_i_is_the_single_world_of_seed_plus_i(toy, envs):
    first, _ = envs["same_step"].reset(seed=2**32 + 10)
    for i in range(B):
        np.testing.assert_array_equal(GymnasiumEnv(toy()).reset(seed=2**32 + 10 + i)[0], first[i])
    listed, _ = envs["same_step"].reset(seed=[2**32 + 10 + i for i in range(B)])
    np.testing.assert_array_equal(listed, first)


def test_no_seed_goes_on_with_the_streams(envs, toy):  # Gymnasium 10
    env = envs["next_step"]
    a, _ = env.reset(seed=1)
    b, info = env.reset()
    assert info["level_index"].tolist() == [1] * B and info["reset"].all()
    assert not (a == b).all(axis=1).any()
    env.reset(seed=1)
    np.testing.assert_array_equal(env.reset()[0], b)
    fresh = [GymnasiumVectorEnv(toy(), B).reset()[0] for _ in range(2)]
    assert not (fresh[0] == fresh[1]).all(axis=1).any()
    assert len(np.unique(fresh[0], axis=0)) == B


def test_a_second_env_of_the_same_kind_compiles_nothing(toy, envs):
    again = GymnasiumVectorEnv(toy(), B, autoreset_mode="same_step")
    step = again._driver._programs.step
    assert step is envs["same_step"]._driver._programs.step
    before = step._cache_size()
    list(steps(again, 0, 3))
    assert step._cache_size() == before == 1


def test_one_trace_whatever_the_kind_of_action(toy, monkeypatch):
    world, traces = toy(max_steps=13), []
    step = type(world).step
    monkeypatch.setattr(type(world), "step", lambda *args: traces.append(1) or step(*args))
    env = GymnasiumVectorEnv(world, 2, output="jax")
    env.reset(seed=0)
    host = np.zeros((2, 2))
    for action in (host, host.astype(np.float32), [[0, 0], [1, 1]], jnp.zeros((2, 2)), jnp.full((2, 2), 0.5)):
        env.step(action)
    assert len(traces) == 1


def test_frames_calls_and_attributes(toy):  # Gymnasium 9
    env = GymnasiumVectorEnv(toy(), 3, render_mode="rgb_array")
    env.reset(seed=0)
    for frames in (env.render(), env.call("render")):
        assert isinstance(frames, tuple) and len(frames) == 3
        assert all(frame.shape == (6, 8, 3) and frame.dtype == np.uint8 for frame in frames)
    assert env.get_attr("render_mode") == ("rgb_array",) * 3
    assert env.get_attr("action_space") == (env.single_action_space,) * 3
    assert env.call("agents") == (("walker_0",),) * 3  # of the world
    assert env.call("global_observation", toy_state(toy()))[0].shape == (2,)
    env.set_attr("tag", "x")
    env.set_attr("number", [1, 2, 3])
    assert env.get_attr("tag") == ("x",) * 3 and env.call("number") == (1, 2, 3)
    with pytest.raises(ValueError, match="set_attr was given 2 values; expected one for each of 3 worlds"):
        env.set_attr("number", [1, 2])
    with pytest.raises(ValueError, match="'max_steps' cannot change once the worlds are compiled"):
        env.set_attr("max_steps", 5)
    with pytest.raises(AttributeError, match="nothing_such"):
        env.get_attr("nothing_such")
    silent = GymnasiumVectorEnv(toy(), 3)
    silent.reset(seed=0)
    assert silent.render() is None and silent.call("render") == (None,) * 3


def toy_state(world):
    key = jax.random.key(0)
    return world.reset(key, world.sample_level(key))[0]


def test_episode_statistics_add_up_in_every_mode(toy):
    for mode in ("next_step", "same_step", "disabled"):
        wrapped = RecordEpisodeStatistics(GymnasiumVectorEnv(toy(), B, autoreset_mode=mode))
        if mode != "next_step" and tuple(map(int, gymnasium.__version__.split(".")[:2])) < (1, 4):
            continue  # before 1.4, Gymnasium counts as under "next_step" in every mode
        total, length, seen = np.zeros(B), np.zeros(B, int), 0
        wrapped.action_space.seed(0)
        wrapped.reset(seed=0)
        ended = np.zeros(B, bool)
        for _ in range(40):
            _, reward, terminated, truncated, info = wrapped.step(wrapped.action_space.sample())
            counts = ~ended if mode == "next_step" else np.ones(B, bool)
            total, length = np.where(counts, total + reward, 0), np.where(counts, length + 1, 0)
            ended = terminated | truncated
            if ended.any():
                np.testing.assert_allclose(info["episode"]["r"][ended], total[ended], atol=1e-4)
                np.testing.assert_array_equal(info["episode"]["l"][ended], length[ended])
                seen += ended.sum()
                if mode == "disabled":
                    wrapped.reset(options={"reset_mask": ended.copy()})
                if mode != "next_step":
                    total[ended], length[ended] = 0, 0
        assert seen > 2 * B


def test_a_masked_reset_leaves_the_statistics_of_the_other_worlds(toy):  # Gymnasium 6
    wrapped = RecordEpisodeStatistics(GymnasiumVectorEnv(toy(), B, autoreset_mode="disabled"))
    wrapped.reset(seed=0)
    for _ in range(3):
        wrapped.step(np.zeros((B, 2)))
    wrapped.reset(options={"reset_mask": np.array([True, False, False, False, False])})
    assert wrapped.episode_lengths.tolist() == [0, 3, 3, 3, 3]


def test_observation_wrappers_go_around_next_step_but_not_same_step(toy):  # Gymnasium 5, 8
    normal = NormalizeObservation(GymnasiumVectorEnv(toy(), B))
    seen = [result[0] for result in steps(normal, 0, 60)]
    assert np.abs(np.mean(seen[20:])) < 1.0
    # Gymnasium's own rule, first an assertion, now an error; when it goes, docs/adapters.md is to change
    with pytest.raises((ValueError, AssertionError)):
        TransformObservation(GymnasiumVectorEnv(toy(), B, autoreset_mode="same_step"), lambda observation: observation)


def test_gymnasiums_own_vectorisers_take_the_single_world(toy):
    mine = GymnasiumVectorEnv(toy(), 3)
    theirs = gymnasium.vector.SyncVectorEnv([lambda: GymnasiumEnv(toy()) for _ in range(3)])
    for a, b in zip(steps(mine, 3, 40), steps(theirs, 3, 40), strict=True):
        for x, y in zip(a[:4] if len(a) == 5 else a[:1], b[:4] if len(b) == 5 else b[:1], strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)
        if len(a) == 5:
            mask = b[4].get("_success", np.zeros(3, bool))
            np.testing.assert_array_equal(a[4]["_success"], mask)
            np.testing.assert_array_equal(a[4]["success"][mask], b[4]["success"][mask] if mask.any() else [])


def test_reset_by_numpy_generator_and_close(toy):
    env = GymnasiumVectorEnv(toy(), 2)
    env.np_random = np.random.default_rng(3)
    a, _ = env.reset()
    twin = GymnasiumVectorEnv(toy(), 2)
    twin.np_random = np.random.default_rng(3)
    np.testing.assert_array_equal(twin.reset()[0], a)
    env.close()
    env.close()
    with pytest.raises(ClosedEnvironmentError, match="step came after close"):
        env.step(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda env: env.step(np.full((B, 2), np.nan)), ValueError, r"action is nan at index \(0, 0\)"),
        (lambda env: env.step(np.full((B, 2), 9.0)), ValueError, "action is 9.0"),
        (
            lambda env: env.step(np.zeros((B + 1, 2))),
            ValueError,
            r"action has shape \(6, 2\); expected float32\[5, 2\]",
        ),
        (lambda env: env.step(np.zeros((B, 2), bool)), TypeError, "action has dtype bool"),
        (lambda env: env.reset(seed=-1), ValueError, "seed is -1"),
        (lambda env: env.reset(seed=0.5), TypeError, "seed is 0.5"),
        (lambda env: env.reset(seed=[1]), ValueError, "seed lists 1 seeds; expected one for each of the 5 worlds"),
        (
            lambda env: env.reset(options={"reset_mask": np.ones(2, bool)}),
            ValueError,
            r"is bool\[2\]; expected bool\[5\]",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence(envs, act, error, message):
    envs["next_step"].reset(seed=0)
    with pytest.raises(error, match=message):
        act(envs["next_step"])


def test_bad_construction_is_one_clear_sentence(toy):
    for make, message in (
        (lambda: GymnasiumVectorEnv(toy(num_agents=2), 3), "2 agents and gymnasium.vector.VectorEnv addresses one"),
        (lambda: GymnasiumVectorEnv(toy(), 0), "num_envs is 0; expected a whole number of worlds, at least 1"),
        (lambda: GymnasiumVectorEnv(toy(), 2.5), "num_envs is 2.5"),
        (lambda: GymnasiumVectorEnv(toy(), 2, autoreset_mode="later"), "autoreset_mode is 'later'"),
        (lambda: GymnasiumVectorEnv(toy(), 2, output="list"), "output is 'list'"),
        (
            lambda: GymnasiumVectorEnv(toy(), 2, render_mode="human"),
            "render_mode is 'human'; expected None or 'rgb_array'",
        ),
        (
            lambda: GymnasiumVectorEnv(toy(), 2).reset(options={"reset_mask": np.ones(2, bool)}),
            "before the first reset",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(ResetNeeded, match="step came before reset"):
        GymnasiumVectorEnv(toy(), 2).step(np.zeros((2, 2)))


def test_it_warns_of_nothing(toy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mode in ("next_step", "same_step", "disabled"):
            list(steps(GymnasiumVectorEnv(toy(), B, autoreset_mode=mode), 0, 15))
