"""Reductions over short axes and the fence, against NumPy: lengths that are unrolled, and longer."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from xla_options import OPTIMISED

from minicosm.envs.physics.engine import fuse

LENGTHS = [1, 2, 3, 4, 7, 16, 33, 63, 64, 65]


def drawn(length, axis):
    """f32[..., 3, 2] with `length` entries on `axis`, many of them equal."""
    shape = [3, 2]
    shape.insert(axis, length)
    rng = np.random.default_rng(length)
    return rng.integers(-3, 4, shape).astype(np.float32) / 3


@functools.partial(jax.jit, static_argnums=1)
def reduced(values, axis):
    return fuse.total(values, axis), fuse.least(values, axis), fuse.greatest(values, axis)


@pytest.mark.parametrize(("length", "axis"), [*((length, 1) for length in LENGTHS), (7, 0), (65, 0), (7, 2), (65, 2)])
def test_reductions_are_those_of_numpy(length, axis):
    values = drawn(length, axis)
    total, least, greatest = reduced(values, axis)
    np.testing.assert_allclose(total, values.sum(axis, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(least, values.min(axis))
    np.testing.assert_array_equal(greatest, values.max(axis))


@pytest.mark.parametrize("length", LENGTHS)
def test_the_first_of_equals_is_found(length):
    values = drawn(length, 0)
    best, index = jax.jit(fuse.first_greatest)(values)
    np.testing.assert_array_equal(best, values.max(0))
    np.testing.assert_array_equal(index, values.argmax(0))
    assert index.dtype == jnp.int32


@pytest.mark.parametrize("length", [2, 64])
def test_short_sums_are_taken_in_order(length):
    values = (np.random.default_rng(0).normal(size=(length, 5)) * 10.0 ** np.arange(5)).astype(np.float32)
    expected = values[0]
    for row in values[1:]:
        expected = expected + row
    np.testing.assert_array_equal(jax.jit(lambda v: fuse.total(v, 0))(values), expected)


def test_an_empty_sum_is_zero():
    np.testing.assert_array_equal(fuse.total(jnp.ones((0, 3)), 0), np.zeros(3))


def test_greatest_and_least_take_truth_values():
    values = jnp.array([[False, True], [False, False]])
    np.testing.assert_array_equal(fuse.greatest(values, 0), [False, True])
    np.testing.assert_array_equal(fuse.least(values, 1), [False, False])


@pytest.mark.parametrize("size", [0, 56, 100])
@pytest.mark.parametrize("probe", [0.0, -9.81, np.inf, np.nan])
def test_a_fence_returns_what_it_is_given_and_halves_the_first_if_the_probe_is_no_number(probe, size):
    values = np.random.default_rng(1).normal(size=50).astype(np.float32)
    values = np.concatenate([values, np.array([0.0, -0.0, np.inf, np.nan, 1e-37, 3e38], np.float32)])
    fenced = jax.jit(lambda p, v: fuse.fence(p, size)(v), compiler_options=OPTIMISED)(jnp.float32(probe), values)
    expected = values.copy()
    expected[0] /= 2 if np.isnan(probe) else 1
    np.testing.assert_array_equal(fenced, expected)
    np.testing.assert_array_equal(np.signbit(fenced), np.signbit(expected))


def test_the_compiler_keeps_the_fence():
    """A division by a one that it could see would be gone."""
    fenced = jax.jit(lambda p, v: fuse.fence(p)(v), compiler_options=OPTIMISED)
    assert "divide" in fenced.lower(jnp.float32(0), jnp.ones(8)).compile().as_text()


def test_a_fence_is_transparent_to_derivatives():
    gradient = jax.grad(lambda v: (fuse.fence(jnp.float32(0))(v) ** 2).sum())(jnp.arange(3.0))
    np.testing.assert_array_equal(gradient, [0.0, 2.0, 4.0])
