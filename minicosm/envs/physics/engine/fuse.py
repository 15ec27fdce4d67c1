"""Arithmetic in the form that XLA:CPU makes few and fast loops of.

It fuses elementwise operations, but leaves reductions over short leading axes to routines ten times slower; and it
fuses a chain of operations into each of its users, and so computes it once per user.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

Fence: TypeAlias = Callable[[jax.Array], jax.Array]
_LONGEST = 64  # axis that is unrolled


def fence(probe: jax.Array, size: int = 0) -> Fence:
    """A function that returns its argument, of one axis or more, unchanged: computed once however often it is used.

    It divides by one: divisions count as expensive, and are never computed twice. So that the compiler does not see
    the one, it is told from `probe`, any float of the program's input; and one for each row, since a division by one
    number becomes a multiplication. So does a division by one number for each row, in a loop: arguments of up to `size`
    entries are divided by one for each entry, all of which are made here.
    """
    num_wrong = jnp.where(jnp.isnan(probe), 1, 0)

    def hidden_ones(shape: tuple[int, ...], dtype: DTypeLike) -> jax.Array:
        is_wrong = jax.lax.broadcasted_iota(jnp.int32, shape, 0) < num_wrong
        return jnp.where(is_wrong, jnp.asarray(2.0, dtype), jnp.asarray(1.0, dtype))

    ones = hidden_ones((size,), probe.dtype)

    def once(values: jax.Array) -> jax.Array:
        if values.size > size:
            return values / hidden_ones(values.shape, values.dtype)
        return values / ones[: values.size].reshape(values.shape)

    return once


def total(values: jax.Array, axis: int) -> jax.Array:
    """Sum over a short axis, in order."""
    return _fold(jnp.add, jnp.sum, values, axis)


def least(values: jax.Array, axis: int) -> jax.Array:
    """Minimum over a short axis."""
    return _fold(jnp.minimum, jnp.min, values, axis)


def greatest(values: jax.Array, axis: int) -> jax.Array:
    """Maximum over a short axis."""
    return _fold(jnp.maximum, jnp.max, values, axis)


def first_greatest(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Maximum over the leading axis, and the first index where it is."""
    best, index = values[0], jnp.zeros(values.shape[1:], jnp.int32)
    for k in range(1, values.shape[0]):
        is_better = values[k] > best
        best, index = jnp.where(is_better, values[k], best), jnp.where(is_better, k, index)
    return best, index


def _fold(
    operation: Callable[[jax.Array, jax.Array], jax.Array],
    reduce: Callable[..., jax.Array],
    values: jax.Array,
    axis: int,
) -> jax.Array:
    length = values.shape[axis]
    if not 0 < length <= _LONGEST:
        return reduce(values, axis=axis)
    return functools.reduce(operation, (jax.lax.index_in_dim(values, k, axis, keepdims=False) for k in range(length)))
