import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.spaces import Box
from minicosm.training.actions import Categorical
from minicosm.training.config import NetworkConfig
from minicosm.training.networks import Agent

TICKS, LANES, WIDTH = 9, 4, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_loop(weights, x, reset, memory):
    """Outputs and last memory of a long short-term memory, gate by gate and lane by lane in float64."""
    outputs = np.zeros((TICKS, LANES, WIDTH))
    memory = memory.copy()
    kernel, bias = weights["inputs"]["kernel"], weights["inputs"]["bias"]
    columns = {gate: slice(i * WIDTH, (i + 1) * WIDTH) for i, gate in enumerate(("take", "keep", "show", "new"))}
    for lane in range(LANES):
        for t in range(TICKS):
            if reset[t, lane]:
                memory[lane] = 0
            output, cell = memory[lane, :WIDTH], memory[lane, WIDTH:]
            gates = {
                gate: x[t, lane] @ kernel[:, c] + bias[c] + output @ weights["weights"][:, c]
                for gate, c in columns.items()
            }
            cell = sigmoid(gates["keep"] + 1) * cell + sigmoid(gates["take"]) * np.tanh(gates["new"])
            memory[lane] = np.concatenate([sigmoid(gates["show"]) * np.tanh(cell), cell])
            outputs[t, lane] = memory[lane, :WIDTH]
    return outputs, memory


def test_the_lstm_follows_its_equations_and_forgets_at_resets():
    config = NetworkConfig(hidden=(6,), recurrent=True, cell="lstm", memory=WIDTH)
    agent = Agent(config, Box(-1.0, 1.0, (3,)), Categorical((3,), True, "int32"))
    params = agent.init(jax.random.key(0))
    random = np.random.default_rng(0)
    features = random.normal(size=(TICKS, LANES, 3)).astype(np.float32)
    reset = random.random((TICKS, LANES)) < 0.25
    before = random.normal(size=(LANES, 2 * WIDTH)).astype(np.float32)
    assert agent.initial_memory(LANES).shape == before.shape

    weights = jax.tree.map(lambda x: np.asarray(x, np.float64), params["params"])

    def layer(x, name):
        return np.tanh(x @ weights[name]["kernel"] + weights[name]["bias"])

    outputs, after = lstm_loop(weights["memory"], layer(features, "layer_0"), reset, before.astype(np.float64))
    wanted = layer(outputs, "critic_0") @ weights["value"]["kernel"][:, 0] + weights["value"]["bias"]
    _, _, values, memory = agent.unroll(params, features, jnp.asarray(reset), jnp.asarray(before))
    np.testing.assert_allclose(memory, after, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("cell", "critic", "size"), [("gru", "own", 5), ("lstm", "own", 10), ("gru", "central", 10)])
def test_memories_are_as_wide_as_cell_and_critic_need(cell, critic, size):
    config = NetworkConfig(recurrent=True, cell=cell, critic=critic, memory=WIDTH)
    agent = Agent(config, Box(-1.0, 1.0, (3,)), Categorical((3,), True, "int32"))
    assert agent.initial_memory(LANES).shape == (LANES, size)
    assert Agent(NetworkConfig(cell=cell, critic=critic), agent.observation_space, agent.distribution).initial_memory(
        LANES
    ).shape == (LANES, 0)
