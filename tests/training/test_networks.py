import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs.spaces import Box, Dict, Discrete
from minicosm.training.actions import Categorical
from minicosm.training.config import NetworkConfig, default_config
from minicosm.training.networks import Agent

TICKS, LANES, FEATURES = 7, 3, 4


@pytest.fixture(scope="module")
def recurrent():
    agent = Agent(NetworkConfig(hidden=(8,), recurrent=True, memory=6), Box(-1.0, 1.0, (FEATURES,)), _choices())
    return agent, agent.init(jax.random.key(0))


def _choices():
    return Categorical((3,), True, "int32")


def _features(key):
    return jax.random.normal(jax.random.key(key), (TICKS, LANES, FEATURES))


def test_a_reset_forgets_all_that_was_before(recurrent):
    agent, params = recurrent
    features = _features(1)
    reset = jnp.zeros((TICKS, LANES), bool).at[3, 1].set(True)
    started = jax.random.normal(jax.random.key(5), (LANES, 6))
    whole = agent.unroll(params, features, reset, started)
    fresh = agent.unroll(params, features[3:], reset[3:], agent.initial_memory(LANES))
    for long, short in (
        (whole[0][3:, 1], fresh[0][:, 1]),
        (whole[2][3:, 1], fresh[2][:, 1]),
        (whole[3][1], fresh[3][1]),
    ):
        np.testing.assert_allclose(long, short, rtol=1e-6, atol=1e-7)
    # the lane beside it, without a reset, does remember
    assert np.max(np.abs(whole[2][3:, 0] - fresh[2][:, 0])) > 1e-3


def test_unrolling_equals_thinking_tick_by_tick(recurrent):
    agent, params = recurrent
    features = _features(2)
    reset = jax.random.bernoulli(jax.random.key(9), 0.3, (TICKS, LANES))
    parameters, _, values, last = agent.unroll(params, features, reset, agent.initial_memory(LANES))
    memory = agent.initial_memory(LANES)
    for t in range(TICKS):
        now, _, value, memory = agent.think(params, features[t], reset[t], memory)
        np.testing.assert_allclose(now, parameters[t], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(value, values[t], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(memory, last, rtol=1e-5, atol=1e-6)


def test_the_gated_unit_follows_its_equations(recurrent):
    agent, params = recurrent
    weights = jax.tree.map(lambda x: np.asarray(x, np.float64), params["params"])
    x = np.asarray(_features(3)[0], np.float64)
    before = np.random.default_rng(0).normal(size=(LANES, 6))
    hidden = np.tanh(x @ weights["layer_0"]["kernel"] + weights["layer_0"]["bias"])
    given = hidden @ weights["memory"]["inputs"]["kernel"] + weights["memory"]["inputs"]["bias"]
    own = before @ weights["memory"]["weights"]
    read, keep = (1 / (1 + np.exp(-(given[:, i : i + 6] + own[:, i : i + 6]))) for i in (0, 6))
    new = np.tanh(given[:, 12:] + read * (own[:, 12:] + weights["memory"]["bias"]))
    wanted = keep * before + (1 - keep) * new
    memory = agent.think(params, _features(3)[0], jnp.zeros((LANES,), bool), jnp.asarray(before, jnp.float32))[3]
    np.testing.assert_allclose(memory, wanted, rtol=1e-5, atol=1e-6)


def test_scans_are_thinned_out_and_shown_near():
    env = minicosm.make("nav", num_beams=12)
    agent = Agent.of(env, NetworkConfig(scan=12, pool=3, near=0.05))
    assert agent.num_features == 4 + 4 + 6
    metres = np.array([6, 6, 6, 0.3, 2, 3, 3, 0.6, 3, 1, 2, 3], np.float32)
    rest = np.arange(6, dtype=np.float32) / 10
    features = agent.features(jnp.concatenate([jnp.asarray(metres) / 6 - 0.5, rest])[None], 1)[0]
    shortest = np.array([6, 0.3, 0.6, 1])
    np.testing.assert_allclose(features[:4], shortest / 6 - 0.5, atol=1e-6)
    np.testing.assert_allclose(features[4:8], np.exp(1 - shortest / 0.3), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(features[8:], rest)


def test_observations_in_parts_are_laid_in_a_row():
    space = Dict.of({"a": Box(0.0, 1.0, (2, 2)), "b": Discrete(4)})
    agent = Agent(NetworkConfig(), space, _choices())
    observation = {"a": jnp.arange(20.0).reshape(5, 2, 2), "b": jnp.arange(5)}
    features = agent.features(observation, 1)
    assert features.shape == (5, agent.num_features) == (5, 5)
    np.testing.assert_array_equal(features[2], [8, 9, 10, 11, 2])


def test_what_does_not_fit_is_told():
    env = minicosm.make("nav", num_beams=10)
    with pytest.raises(ValueError, match=r"scan is 20; an observation has 16 numbers"):
        Agent.of(env, NetworkConfig(scan=20))
    with pytest.raises(ValueError, match=r"first 15 numbers of an observation have no bounds in common"):
        Agent.of(env, NetworkConfig(scan=15))
    assert default_config(env).network.scan == 10
