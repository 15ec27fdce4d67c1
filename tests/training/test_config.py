import dataclasses
import math

import pytest

import minicosm
from minicosm.envs.nav import Nav
from minicosm.training.config import NetworkConfig, PPOConfig, default_config
from minicosm.training.networks import Agent


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_envs": 0}, "PPOConfig.num_envs is 0; expected a whole number from 1"),
        ({"num_steps": 1.5}, "PPOConfig.num_steps is 1.5; expected a whole number from 1"),
        ({"num_seeds": True}, "PPOConfig.num_seeds is True; expected a whole number"),
        ({"seed": -1}, "PPOConfig.seed is -1"),
        ({"gamma": 1.2}, "PPOConfig.gamma is 1.2; expected 0 to 1"),
        ({"learning_rate": math.nan}, "PPOConfig.learning_rate is nan; expected a finite number above 0"),
        ({"entropy": -0.1}, "PPOConfig.entropy is -0.1"),
        ({"final_entropy": -0.1}, "PPOConfig.final_entropy is -0.1; expected None or a finite number from 0"),
        ({"value_clip": 0.0}, "PPOConfig.value_clip is 0.0; expected None or a finite number above 0"),
    ],
)
def test_values_that_cannot_work_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        PPOConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden": ()}, "NetworkConfig.hidden is (); expected widths from 1"),
        ({"hidden": (4, 0)}, "expected widths from 1"),
        ({"activation": "gelu"}, "NetworkConfig.activation is 'gelu'; expected 'tanh' or 'relu'"),
        ({"scan": 7, "pool": 2}, "NetworkConfig.scan is 7; expected a multiple of pool, 2"),
        ({"near": 0.0}, "NetworkConfig.near is 0.0"),
        ({"kind": "gnn"}, "NetworkConfig.kind is 'gnn'; expected one of ('mlp', 'set', 'transformer', 'cnn')"),
        ({"cell": "rnn"}, "NetworkConfig.cell is 'rnn'; expected one of ('gru', 'lstm')"),
        ({"critic": "all"}, "NetworkConfig.critic is 'all'; expected one of ('own', 'central')"),
        ({"channels": ()}, "NetworkConfig.channels is (); expected widths from 1"),
        ({"width": 0}, "NetworkConfig.width is 0; expected a whole number from 1"),
        ({"layers": True}, "NetworkConfig.layers is True; expected a whole number from 1"),
        ({"width": 20, "heads": 3}, "NetworkConfig.width is 20; expected a multiple of heads, 3"),
        ({"kind": "cnn", "scan": 5}, "NetworkConfig.scan is 5; expected 0, as the net is of kind 'cnn'"),
    ],
)
def test_nets_that_cannot_work_are_refused(settings, said):
    with pytest.raises(ValueError) as refused:
        NetworkConfig(**settings)
    assert said in str(refused.value)


def test_a_central_critic_needs_whole_worlds_in_a_minibatch():
    config = PPOConfig(num_envs=6, minibatches=4, network=NetworkConfig(critic="central"))
    with pytest.raises(ValueError, match=r"minibatches is 4; expected a divisor of num_envs, 6, as a central critic"):
        config.for_agents(2)
    assert dataclasses.replace(config, minibatches=3).for_agents(2).minibatches == 3


def test_updates_cover_the_steps_asked_for():
    config = PPOConfig(num_envs=10, num_steps=10, total_steps=1001)
    assert (config.steps_per_update, config.num_updates) == (100, 11)


def test_defaults_fit_every_world():
    for name in minicosm.names():
        env = minicosm.make(name)
        config = default_config(env).for_agents(env.num_agents)
        Agent.of(env, config.network)
        if isinstance(env, Nav):
            assert config.network.scan == env.config.num_beams == 200
            assert config.network.pool == 5
            assert config.network.near == pytest.approx(0.05)


def test_defaults_fit_any_lidar_and_any_number_of_robots():
    for beams in (1, 7, 16, 31, 360, 512):
        network = default_config(minicosm.make("nav", num_beams=beams)).network
        assert beams % network.pool == 0 and network.scan == beams
    for robots in (1, 2, 3, 5, 8, 20, 32):
        config = default_config(minicosm.make("nav", num_robots=robots)).for_agents(robots)
        assert 64 <= config.num_envs * robots <= 512


def test_defaults_give_mazes_a_memory_and_fit_any_number_of_agents():
    for agents in range(1, 17):
        config = default_config(minicosm.make("maze-multi", num_agents=agents, num_walls=20)).for_agents(agents)
        assert config.network.recurrent
        assert 192 <= config.num_envs * agents <= 256


def test_defaults_take_settings_over(leavers):
    config = default_config(leavers, gamma=0.5)
    assert config == dataclasses.replace(default_config(leavers), gamma=0.5)
    with pytest.raises(ValueError, match=r"PPOConfig has no setting 'gama'"):
        default_config(leavers, gama=0.5)
