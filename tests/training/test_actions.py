import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete
from minicosm.training.actions import distribution_for

NONE = jnp.zeros((0,))


def test_choices_come_as_often_as_their_logits_say():
    distribution = distribution_for(MultiDiscrete((3, 4)))
    logits = jax.random.normal(jax.random.key(1), (7,)) * 1.5
    draws = np.asarray(distribution.sample(jax.random.key(2), jnp.broadcast_to(logits, (40_000, 7)), NONE))
    assert draws.shape == (40_000, 2)
    for i, part in enumerate((logits[:3], logits[3:])):
        wanted = special.softmax(np.asarray(part, np.float64))
        counts = np.bincount(draws[:, i], minlength=len(wanted))
        assert stats.chisquare(counts, wanted * len(draws)).pvalue > 1e-4


def test_log_probabilities_and_entropy_of_choices_match_the_sum_over_all():
    distribution = distribution_for(MultiDiscrete((3, 2)))
    logits = jnp.array([0.3, -1.0, 2.0, 0.5, 0.1])
    everything = jnp.array([[i, j] for i in range(3) for j in range(2)])
    log = np.asarray(distribution.log_prob(jnp.broadcast_to(logits, (6, 5)), NONE, everything), np.float64)
    np.testing.assert_allclose(np.exp(log).sum(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(distribution.entropy(logits, NONE), -(np.exp(log) * log).sum(), rtol=1e-5)
    np.testing.assert_array_equal(distribution.mode(logits), everything[np.argmax(log)])


def test_a_single_choice_is_a_scalar_action():
    distribution = distribution_for(Discrete(5))
    draw = distribution.sample(jax.random.key(0), jnp.zeros((4, 5)), NONE)
    action = distribution.to_action(draw)
    assert draw.shape == (4, 1) and action.shape == (4,) and action.dtype == jnp.int32


def test_extreme_logits_draw_within_range():
    distribution = distribution_for(Discrete(3))
    for logits in ([1e9, 0.0, 0.0], [0.0, 0.0, 1e9], [-1e9, 0.0, -1e9]):
        draws = distribution.sample(jax.random.key(0), jnp.broadcast_to(jnp.array(logits), (1000, 3)), NONE)
        np.testing.assert_array_equal(draws, np.argmax(logits))


def test_gaussian_density_and_entropy_match_scipy():
    distribution = distribution_for(Box(-1.0, 1.0, (2,)))
    mean, log_std = jnp.array([0.2, -0.4]), jnp.array([-0.5, 0.3])
    draw = jnp.array([0.1, 1.7])
    wanted = stats.norm(np.asarray(mean), np.exp(np.asarray(log_std)))
    np.testing.assert_allclose(
        distribution.log_prob(mean, log_std, draw), wanted.logpdf(np.asarray(draw)).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(distribution.entropy(mean, log_std), wanted.entropy().sum(), rtol=1e-5)
    draws = distribution.sample(jax.random.key(0), jnp.broadcast_to(mean, (20_000, 2)), log_std)
    np.testing.assert_allclose(draws.std(0), np.exp(np.asarray(log_std)), rtol=0.03)


def test_bounded_actions_are_in_half_ranges_and_clipped():
    space = Box((0.0, -np.inf, -4.0), (10.0, np.inf, 4.0), (3,))
    distribution = distribution_for(space)
    actions = distribution.to_action(jnp.array([[0.0, 0.0, 0.0], [1.0, 30.0, -0.5], [-7.0, -30.0, 9.0]]))
    np.testing.assert_allclose(actions, [[5, 0, 0], [10, 30, -2], [0, -30, 4]])
    np.testing.assert_allclose(distribution.to_draw(actions), [[0, 0, 0], [1, 30, -0.5], [-1, -30, 1]])
    grid = distribution_for(Box(-2.0, 2.0, (2, 2)))
    np.testing.assert_allclose(grid.to_draw(jnp.full((5, 2, 2), 1.0)), np.full((5, 4), 0.5))


def test_draws_of_choices_are_found_again():
    for space in (Discrete(5), MultiDiscrete((3, 2))):
        distribution = distribution_for(space)
        draw = distribution.sample(jax.random.key(0), jnp.zeros((7, distribution.num_parameters)), NONE)
        np.testing.assert_array_equal(distribution.to_draw(distribution.to_action(draw)), draw)


def test_spaces_without_a_distribution_are_refused():
    with pytest.raises(ValueError, match=r"cannot act in Dict"):
        distribution_for(Dict.of({"a": Discrete(2)}))
    with pytest.raises(ValueError, match=r"wrap the world"):
        distribution_for(Box(0, 3, (2,), "int32"))
