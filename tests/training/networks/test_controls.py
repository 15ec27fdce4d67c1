"""The policy's layers that know which links each control drives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs.physics import Physics, PhysicsConfig, library
from minicosm.training import NetworkConfig
from minicosm.training.networks import Agent

KINDS = {kind: NetworkConfig(kind=kind, width=8, hidden=(16,), by_control=True) for kind in ("set", "transformer")}


def world(**settings):
    return Physics(PhysicsConfig(**{"observation_kind": "entities", "action_kind": "multi_discrete", **settings}))


def parameters_on(env, agent, params, level):
    """f32[K] at the start of a level."""
    _, observation = env.reset(jax.random.key(0), level)
    features = agent.features(observation, 1)
    lanes = len(features)
    return np.asarray(agent.think(params, features, jnp.ones((lanes,), bool), agent.initial_memory(lanes))[0][0])


@pytest.fixture(scope="module", params=KINDS)
def walker(request):
    """A world, its agent with parameters large enough to tell, and a level with two motors on bindings of their own."""
    env = world(size="m")
    agent = Agent.of(env, KINDS[request.param])
    params = jax.tree.map(lambda x: 3.0 * x + 0.1, agent.init(jax.random.key(0)))
    level = library.load("hopper_one_leg", env.config)
    return env, agent, params, level


def test_a_control_that_drives_nothing_is_told_nothing(walker):
    env, agent, params, level = walker
    found = parameters_on(env, agent, params, level)
    used = set(np.asarray(level.motor_binding)[np.asarray(level.motor_torque) > 0].tolist())
    motors = found[:12].reshape(4, 3)
    assert used and used != {0, 1, 2, 3}
    for binding in range(4):
        assert np.any(motors[binding] != 0) == (binding in used)


def test_bindings_that_change_places_change_what_they_are_told(walker):
    env, agent, params, level = walker
    swapped = {0: 1, 1: 0}
    binding = np.asarray(level.motor_binding)
    other = dataclasses.replace(level, motor_binding=jnp.array([swapped.get(b, b) for b in binding.tolist()], jnp.int32))
    motors, after = (parameters_on(env, agent, params, x)[:12].reshape(4, 3) for x in (level, other))
    assert np.abs(motors[0] - motors[1]).max() > 1e-3
    # the encodings of rows know their binding's number too, as does the plain net: all but that is shared
    kernel = params["params"]["head"]["driven_0"]["kernel"]
    assert kernel.shape == (8, 16)
    assert np.abs(after[0] - motors[1]).max() < np.abs(after[0] - motors[0]).max()


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_fit_every_size(kind):
    shapes = [
        jax.tree.map(jnp.shape, jax.eval_shape(Agent.of(world(size=size), KINDS[kind]).init, jax.random.key(0)))
        for size in "sml"
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_continuous_controls_have_a_mean_each():
    agent = Agent.of(world(action_kind="continuous"), KINDS["set"])
    params = agent.init(jax.random.key(0))["params"]
    assert params["head"]["policy_0"]["kernel"].shape[1] == params["head"]["policy_1"]["kernel"].shape[1] == 1


@pytest.mark.parametrize(
    "env",
    [world(action_kind="discrete"), world(num_agents=2), minicosm.make("physics-m-2agents", observation_kind="entities")],
)
def test_a_world_that_does_not_tell_is_refused(env):
    with pytest.raises(ValueError, match="by_control is True, but the world does not tell"):
        Agent.of(env, KINDS["set"])


def test_nets_without_sets_are_refused():
    with pytest.raises(ValueError, match="by_control is True; expected False, as the net is of kind 'mlp'"):
        NetworkConfig(by_control=True)
