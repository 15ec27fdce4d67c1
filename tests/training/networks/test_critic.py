import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.training import train
from minicosm.training.config import NetworkConfig, PPOConfig
from minicosm.training.networks import Agent

WORLDS, AGENTS, TICKS = 3, 2, 4
NETS = {
    "feed-forward": NetworkConfig(hidden=(8,)),
    "gru": NetworkConfig(hidden=(8,), recurrent=True, memory=5),
    "lstm": NetworkConfig(hidden=(8,), recurrent=True, cell="lstm", memory=5),
}


def unrolled(agent, params, features):
    lanes = WORLDS * AGENTS
    reset = jnp.zeros((TICKS, lanes), bool)
    parameters, _, values, memory = agent.unroll(params, features, reset, agent.initial_memory(lanes))
    return np.asarray(parameters), np.asarray(values), np.asarray(memory)


@pytest.mark.parametrize("critic", ["own", "central"])
@pytest.mark.parametrize("net", NETS)
def test_only_a_central_critic_sees_what_the_other_agent_sees(leavers, net, critic):
    agent = Agent.of(leavers, dataclasses.replace(NETS[net], critic=critic))
    params = agent.init(jax.random.key(0))
    features = jax.random.normal(jax.random.key(1), (TICKS, WORLDS * AGENTS, 3))
    parameters, values, _ = unrolled(agent, params, features)
    moved_parameters, moved_values, _ = unrolled(agent, params, features.at[1, 2].add(1.0))  # world 1, agent 0, tick 1
    moved = np.abs(moved_values - values) > 1e-6
    of_later = np.arange(TICKS)[:, None] >= 1 if NETS[net].recurrent else np.arange(TICKS)[:, None] == 1
    lane = np.arange(WORLDS * AGENTS)
    np.testing.assert_array_equal(moved, of_later & ((lane == 2) | (critic == "central") & (lane == 3)))
    np.testing.assert_array_equal(np.any(moved_parameters != parameters, axis=-1), of_later & (lane == 2))


def test_a_central_critic_knows_whom_it_judges(leavers):
    """Two agents who see the same are valued apart, and act alike."""
    agent = Agent.of(leavers, NetworkConfig(hidden=(8,), critic="central"))
    features = jnp.broadcast_to(jax.random.normal(jax.random.key(1), (TICKS, 1, 3)), (TICKS, WORLDS * AGENTS, 3))
    parameters, values, _ = unrolled(agent, agent.init(jax.random.key(0)), features)
    np.testing.assert_array_equal(parameters[:, 0], parameters[:, 1])
    assert np.all(np.abs(values[:, 0] - values[:, 1]) > 1e-4)
    np.testing.assert_allclose(values[:, 0], values[:, 2], rtol=1e-6)


@pytest.mark.parametrize("net", ["feed-forward", "lstm"])
def test_training_with_a_central_critic_keeps_worlds_whole(leavers, net):
    config = PPOConfig(
        num_envs=6, num_steps=8, minibatches=3, epochs=1, total_steps=6 * 8 * 2, updates_per_chunk=1,
        network=dataclasses.replace(NETS[net], critic="central"), learning_rate=1e-9,
    )  # fmt: skip
    (first, second) = train(leavers, config).curve
    assert all(math.isfinite(v[0]) for point in (first, second) for v in point.values.values())
    assert first.mean("kl") < 1e-6  # what was played is understood again, and with it the memory's lanes


def test_a_central_critic_sees_encodings_where_there_is_an_encoder():
    env = minicosm.make("physics-m-2agents", observation_kind="entities")
    agent = Agent.of(env, NetworkConfig(kind="set", width=4, queries=2, hidden=(6,), critic="central"))
    params = agent.init(jax.random.key(0))["params"]
    actor, critic = (params[name]["kernel"].shape[0] for name in ("actor_0", "critic_0"))
    shape = env.observation_space["shapes"].shape[-1]
    # two shapes that are picked out; three kinds, mean and greatest; gravity; which agent
    assert actor == 2 * shape + 3 * 2 * 4 + 2 + 2
    assert critic == 2 * actor + 2
