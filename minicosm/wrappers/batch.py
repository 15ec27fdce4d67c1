"""Many worlds at once: `vmap` over an environment, with the calls named as they are for one."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from minicosm.envs.environment import Environment, Observation, TimeStep


class Worlds(Protocol):
    """B worlds that carry their own randomness and reset themselves: `AutoReset`, and wrappers over it."""

    @property
    def env(self) -> Environment[Any, Any]:
        """The environment that is played."""

    @property
    def num_envs(self) -> int:
        """B."""

    def reset(self, key: jax.Array) -> tuple[Any, Observation]:
        """Seed the worlds and start their first episodes."""

    def step(self, state: Any, action: jax.Array) -> tuple[Any, TimeStep]:
        """Advance every world by one tick; `action` leads with B, A."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """`num_envs` worlds of `env` side by side; every array gains a leading axis B. Nothing resets by itself."""

    env: Environment[Any, Any]
    num_envs: int

    def __post_init__(self) -> None:
        require_num_envs(self.num_envs)

    def sample_levels(self, key: jax.Array) -> Any:
        """B levels from the world's task distribution."""
        return jax.vmap(self.env.sample_level)(jax.random.split(key, self.num_envs))

    def reset(self, key: jax.Array, levels: Any) -> tuple[Any, Observation]:
        """Start an episode on each of B `levels`."""
        return jax.vmap(self.env.reset)(jax.random.split(key, self.num_envs), levels)

    def step(self, key: jax.Array, state: Any, action: jax.Array) -> tuple[Any, TimeStep]:
        """Advance every world by one tick; `action` leads with B, A."""
        return jax.vmap(self.env.step)(jax.random.split(key, self.num_envs), state, action)


def require_num_envs(num_envs: int) -> None:
    """Raise ValueError unless `num_envs` is a whole number from 1."""
    if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
        raise ValueError(f"num_envs is {num_envs!r}; expected a whole number of worlds, at least 1")


def select(mask: jax.Array, new: Any, old: Any) -> Any:
    """Per world, `new` where `mask` bool[B]; both are trees of arrays led by B."""

    def pick(n: jax.Array, o: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, o)

    return jax.tree.map(pick, new, old)


def swap_in(mask: jax.Array, new: Any, old: Any) -> Any:
    """As `select`, for a `mask` that is mostly all False: then it costs next to nothing."""
    shapes = jax.tree.map(jnp.shape, old)

    def is_due(carry: Any) -> jax.Array:
        return jnp.any(carry[1])

    def swap(carry: Any) -> Any:
        now, due = carry
        return select(due, _flat(new), now), jnp.zeros_like(due)

    # a loop of one turn at most, and of none in the many ticks in which no world ends
    now, _ = jax.lax.while_loop(is_due, swap, (_flat(old), mask))
    return jax.tree.map(lambda x, shape: x.reshape(shape), now, shapes)


def _flat(tree: Any) -> Any:
    """Every array as [B, ...] with at most two axes: a CPU's vectors need a long last one."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0], -1) if x.ndim > 2 else x, tree)
