import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Nav, NavConfig
from minicosm.training import (
    NetworkConfig,
    PPOConfig,
    as_policy,
    evaluate,
    random_policy,
    sample_levels,
    untrained_policy,
)
from minicosm.training.networks import Agent
from minicosm.training.record import rollout

NAV = Nav(NavConfig(num_robots=2, num_beams=8, height=7, width=7, max_fill=0.1, max_steps=40))


def test_episodes_run_to_their_own_ends(leavers):
    levels = jnp.array([[1, 3], [7, 7], [9, 2], [20, 20]])
    found = evaluate(leavers, random_policy(leavers), levels, jax.random.key(0))
    np.testing.assert_array_equal(found.length, [3, 7, 7, 7])
    np.testing.assert_array_equal(found.success, [[True, True], [True, True], [False, True], [False, False]])
    ticks = np.minimum(levels, 7)
    np.testing.assert_array_equal(found.returns, ticks * (ticks + 1) / 2 + ticks * np.arange(2))
    assert (found.solve_rate, found.level_solve_rate, found.collision_rate) == (5 / 8, 1 / 2, 0.0)
    assert found.mean_length == 6.0


def test_navigation_agrees_with_a_recorded_rollout_of_the_same_levels():
    """A policy without randomness must fare the same in both."""
    config = PPOConfig(network=NetworkConfig(hidden=(8,), recurrent=True, memory=4))
    params = Agent.of(NAV, config.network).init(jax.random.key(0))
    policy = as_policy(params, config, NAV, 12, greedy=True)
    levels = sample_levels(NAV, jax.random.key(1), 12)
    found = evaluate(NAV, policy, levels, jax.random.key(2))
    played = rollout(NAV, policy, jax.random.key(3), levels, 40)
    np.testing.assert_array_equal(found.success, played.success)
    np.testing.assert_array_equal(found.length, np.argmax(played.done, axis=0))


def test_robots_that_a_level_leaves_out_do_not_count():
    levels = sample_levels(NAV, jax.random.key(1), 6)
    levels = dataclasses.replace(levels, active=levels.active.at[:3, 1].set(False))
    found = evaluate(NAV, random_policy(NAV), levels, jax.random.key(2))
    counted = np.asarray(found.active)
    assert counted.sum() == 9
    assert found.collision_rate == pytest.approx(np.asarray(found.collision)[counted].mean())
    by_hand = [
        all(s for s, a in zip(row, there, strict=True) if a) for row, there in zip(found.success, counted, strict=True)
    ]
    assert found.level_solve_rate == pytest.approx(np.mean(by_hand))


def test_memory_is_carried_and_starts_anew_with_each_policy(recall):
    """What was seen in the first tick sways the later ones, and only there."""
    config = PPOConfig(network=NetworkConfig(hidden=(8,), recurrent=True, memory=4))
    params = Agent.of(recall, config.network).init(jax.random.key(0))
    policy = as_policy(params, config, recall, 2)
    seen = jnp.array([[[1.0, 0.0]], [[-1.0, 0.0]]])
    same = jnp.zeros((2, 1, 2))
    _, carry = policy.act(jax.random.key(0), seen, policy.initial_carry)
    _, memory, first = policy.act(jax.random.key(0), same, carry)[1]
    assert np.max(np.abs(memory[0] - memory[1])) > 1e-3
    assert not np.any(first)
    _, memory, _ = policy.act(jax.random.key(0), same, policy.initial_carry)[1]
    np.testing.assert_array_equal(memory[0], memory[1])


def test_drawn_actions_differ_by_key_and_greedy_ones_do_not():
    config = PPOConfig(network=NetworkConfig(hidden=(8,)))
    observation = jnp.zeros((3, 2, 14))
    for greedy in (False, True):
        params = Agent.of(NAV, config.network).init(jax.random.key(0))
        policy = as_policy(params, config, NAV, 3, greedy)
        one, other = (policy.act(jax.random.key(k), observation, policy.initial_carry)[0] for k in (0, 1))
        assert one.shape == (3, 2, 2) and np.all(np.abs(one) <= 1)
        assert np.array_equal(one, other) == greedy


def test_untrained_policies_are_as_many_as_keys():
    config = PPOConfig(network=NetworkConfig(hidden=(8,)))
    observation = jax.random.normal(jax.random.key(9), (3, 2, 14))
    actions = [
        policy.act(jax.random.key(0), observation, policy.initial_carry)[0]
        for policy in (untrained_policy(config, NAV, 3, jax.random.key(k)) for k in (0, 0, 1))
    ]
    np.testing.assert_array_equal(actions[0], actions[1])
    assert not np.array_equal(actions[0], actions[2])
