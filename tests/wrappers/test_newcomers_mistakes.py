"""What people try first: it works, or the error says what to do instead."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.wrappers import (
    AutoReset,
    BatchedParallelEnv,
    DmEnv,
    GymnasiumEnv,
    GymnasiumVectorEnv,
    GymnaxStyle,
    PettingZooEnv,
    agents_as_envs,
    keys_from_seeds,
)

B = 3


def test_stepping_the_core_without_jit_and_with_numpy_gives_the_same(toy):
    worlds = AutoReset(toy(), B)
    state, _ = worlds.reset(keys_from_seeds(range(B)))
    actions = np.full((B, 1, 2), 0.5, np.float32)
    _, eager = worlds.step(state, actions)
    _, jitted = jax.jit(worlds.step)(state, jnp.asarray(actions))
    for a, b in zip(jax.tree.leaves(eager), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    with jax.disable_jit():
        _, slow = worlds.step(state, actions)
    np.testing.assert_allclose(slow.observation, jitted.observation, atol=1e-6)


def test_adapters_take_whatever_holds_numbers(toy):
    expected = None
    for actions in ([[0.5, 0.5]] * B, np.full((B, 2), 0.5), jnp.full((B, 2), 0.5), np.full((B, 2), 0.5, np.float16)):
        for output in ("numpy", "jax"):
            env = GymnasiumVectorEnv(toy(), B, output=output)
            env.reset(seed=0)
            observation = np.asarray(env.step(actions)[0])
            expected = observation if expected is None else expected
            np.testing.assert_allclose(observation, expected, atol=1e-6)


def makers(toy):
    """name -> (an environment, a first step that forgets the reset, a step of `n` zeros)."""
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("torchrl")
    import torch
    from tensordict import TensorDict

    from minicosm.wrappers import SB3VecEnv, TorchRLEnv

    def torchrl_step(env, n):
        return env.step(TensorDict({"action": torch.zeros(B, n)}, batch_size=[B]))

    return {
        "gymnasium": (GymnasiumEnv(toy()), lambda env, n: env.step(np.zeros(n))),
        "vector": (GymnasiumVectorEnv(toy(), B), lambda env, n: env.step(np.zeros((B, n)))),
        "agents": (agents_as_envs(toy(), B), lambda env, n: env.step(np.zeros((B, n)))),
        "pettingzoo": (PettingZooEnv(toy()), lambda env, n: env.step({"walker_0": np.zeros(n)})),
        "batched": (BatchedParallelEnv(toy(), B), lambda env, n: env.step({"walker_0": np.zeros((B, n))})),
        "sb3": (SB3VecEnv(toy(), B), lambda env, n: env.step(np.zeros((B, n)))),
        "torchrl": (TorchRLEnv(toy(), B), torchrl_step),
    }


def test_a_step_before_the_reset_says_so(toy):
    for name, (env, step) in makers(toy).items():
        with pytest.raises((ValueError, gymnasium.error.ResetNeeded), match="step came before reset; call reset first"):
            step(env, 2)
        assert name


def test_a_wrong_shape_says_what_was_expected(toy):
    for name, (env, step) in makers(toy).items():
        env.reset()
        expected = r"\[2\]" if name in ("gymnasium", "pettingzoo") else r"\[3, 2\]"
        with pytest.raises(ValueError, match=rf"has shape \(.*3,?\); expected float32{expected} with values in"):
            step(env, 3)


def test_a_step_after_the_end_is_harmless(toy):
    def end(step):
        while not step():
            pass

    env = GymnasiumEnv(toy())
    env.reset(seed=0)
    end(lambda: any(env.step(np.zeros(2))[2:4]))
    last = env.step(np.zeros(2))
    again = env.step(np.zeros(2))
    np.testing.assert_array_equal(last[0], again[0])
    assert again[1] == 0.0 and any(again[2:4])

    parallel = PettingZooEnv(toy())
    parallel.reset(seed=0)
    end(lambda: not parallel.step({"walker_0": np.zeros(2)}) or not parallel.agents)
    assert parallel.step({}) == ({}, {}, {}, {}, {})

    dm = DmEnv(toy(), seed=0)
    dm.reset()
    end(lambda: dm.step(np.zeros(2)).last())
    assert dm.step(np.zeros(2)).first()


def test_real_numbers_where_choices_are_wanted_and_too_large_ones(toy):
    env = GymnasiumVectorEnv(toy(actions="discrete"), B)
    env.reset(seed=0)
    with pytest.raises(TypeError, match=r"action has dtype float64; expected int32\[3\] with values in \[0, 4\]"):
        env.step(np.zeros(B))
    with pytest.raises(ValueError, match=r"action is 5 at index \(1,\); expected int32\[3\]"):
        env.step(np.array([0, 5, 0]))
    env.step(np.array([0, 4, 0], np.uint8))


def test_one_world_functions_called_with_a_batch_name_vmap(toy):
    env = GymnaxStyle(toy())
    _, state = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), B))
    with pytest.raises(ValueError, match="many are jax.vmap of it"):
        env.step(jax.random.key(0), state, jnp.zeros((B, 2)))


def test_gymnasiums_processes_forked_after_jax_started_say_what_to_do(toy):
    jnp.zeros(1).block_until_ready()  # JAX has started
    env = gymnasium.vector.AsyncVectorEnv([lambda: GymnasiumEnv(toy())] * 2, context="fork")
    try:
        with pytest.raises(RuntimeError, match="forked after JAX had started.*make_vec.*spawn"):
            env.reset(seed=0)
    finally:
        env.close(terminate=True)
