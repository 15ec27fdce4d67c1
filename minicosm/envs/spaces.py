"""Spaces: what an agent's observations and actions look like. Hashable values that know nothing of Gymnasium."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ACTION_MASK = "action_mask"  # part of a Dict observation, i8[options]: 1 for each that may be chosen of the actions


@dataclasses.dataclass(frozen=True)
class Box:
    """Arrays of `shape` and `dtype` between `low` and `high`, both inclusive, each a number or nested tuple of them."""

    low: Any
    high: Any
    shape: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = np.asarray(getattr(self, name), dtype=self.dtype)
            try:
                np.broadcast_to(bound, self.shape)
            except ValueError:
                raise ValueError(f"Box {name} has shape {bound.shape}, which does not fit shape {self.shape}") from None
        if np.any(self.bounds[0] > self.bounds[1]):
            raise ValueError(f"Box needs low <= high, got low {self.low} and high {self.high}")

    @property
    def bounds(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """`low` and `high` as arrays of the space's shape and dtype."""
        low = np.broadcast_to(np.asarray(self.low, dtype=self.dtype), self.shape)
        high = np.broadcast_to(np.asarray(self.high, dtype=self.dtype), self.shape)
        return low, high

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def sample(self, key: jax.Array) -> jax.Array:
        """Draw uniformly between the bounds; an unbounded side is taken as ±1 from the other bound or from 0."""
        low, high = self.bounds
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            return jax.random.randint(key, self.shape, low, np.asarray(high, np.int64) + 1).astype(self.dtype)
        low = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high - 1.0, -1.0))
        high = np.where(np.isfinite(high), high, low + 1.0)
        return jax.random.uniform(key, self.shape, jnp.dtype(self.dtype), low, high)

    def contains(self, value: Any) -> bool:
        """Whether a concrete `value` has this shape, a castable dtype, and lies within the bounds."""
        array = np.asarray(value)
        low, high = self.bounds
        return (
            array.shape == self.shape
            and np.can_cast(array.dtype, self.dtype, "same_kind")
            and bool(np.all((array >= low) & (array <= high)))
        )


@dataclasses.dataclass(frozen=True)
class Discrete:
    """Integers 0 … n − 1."""

    n: int
    dtype: str = "int32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Always `()`."""
        return ()

    def sample(self, key: jax.Array) -> jax.Array:
        """Draw uniformly."""
        return jax.random.randint(key, (), 0, self.n, self.dtype)

    def contains(self, value: Any) -> bool:
        """Whether a concrete `value` is an integer scalar in range."""
        array = np.asarray(value)
        return array.shape == () and np.issubdtype(array.dtype, np.integer) and bool(0 <= array < self.n)


@dataclasses.dataclass(frozen=True)
class MultiDiscrete:
    """Vectors of integers, element i in 0 … n[i] − 1."""

    n: tuple[int, ...]
    dtype: str = "int32"

    @property
    def shape(self) -> tuple[int, ...]:
        """One axis, of the number of elements."""
        return (len(self.n),)

    def sample(self, key: jax.Array) -> jax.Array:
        """Draw uniformly."""
        return jax.random.randint(key, self.shape, 0, np.asarray(self.n), self.dtype)

    def contains(self, value: Any) -> bool:
        """Whether a concrete `value` is an integer vector in range."""
        array = np.asarray(value)
        return (
            array.shape == self.shape
            and np.issubdtype(array.dtype, np.integer)
            and bool(np.all((array >= 0) & (array < np.asarray(self.n))))
        )


@dataclasses.dataclass(frozen=True)
class Dict:
    """Named spaces, in a fixed order. Build it with `Dict.of({...})`."""

    items: tuple[tuple[str, Space], ...]

    @staticmethod
    def of(spaces: Mapping[str, Space]) -> Dict:
        """A Dict space from a mapping."""
        return Dict(tuple(spaces.items()))

    def __getitem__(self, name: str) -> Space:
        return dict(self.items)[name]

    def sample(self, key: jax.Array) -> dict[str, Any]:
        """Draw each entry uniformly and independently."""
        keys = jax.random.split(key, len(self.items))
        return {name: space.sample(k) for (name, space), k in zip(self.items, keys, strict=True)}

    def contains(self, value: Any) -> bool:
        """Whether a concrete `value` is a mapping with just these names, each in its space."""
        return (
            isinstance(value, Mapping)
            and set(value) == {name for name, _ in self.items}
            and all(space.contains(value[name]) for name, space in self.items)
        )


Space = Box | Discrete | MultiDiscrete | Dict
