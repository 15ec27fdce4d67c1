"""Continuous controls as one discrete choice."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import override

from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.envs.spaces import Box, Discrete, Space


@dataclasses.dataclass(frozen=True)
class DiscretizeActions(Environment[Any, Any]):
    """`env` with its bounded vector of controls replaced by Discrete: every combination of `bins` values each.

    `bins[i]` values, evenly spaced from the lower to the upper bound, for control i; the last control varies fastest.
    Raises ValueError when the action space is not a bounded vector of as many controls.
    """

    env: Environment[Any, Any]
    bins: tuple[int, ...]

    def __post_init__(self) -> None:
        space = self.env.action_space
        if not (isinstance(space, Box) and len(space.shape) == 1 and np.isfinite(space.bounds).all()):
            raise ValueError(f"DiscretizeActions needs a bounded vector action space, got {space}")
        if len(self.bins) != space.shape[0] or any(not isinstance(n, int) or n < 1 for n in self.bins):
            raise ValueError(f"bins is {self.bins!r}; expected {space.shape[0]} whole numbers, each at least 1")

    @property
    @override
    def agents(self) -> tuple[str, ...]:
        return self.env.agents

    @property
    @override
    def max_episode_steps(self) -> int:
        return self.env.max_episode_steps

    @property
    @override
    def observation_space(self) -> Space:
        return self.env.observation_space

    @property
    @override
    def action_space(self) -> Space:
        return Discrete(math.prod(self.bins))

    @override
    def sample_level(self, key: jax.Array) -> Any:
        return self.env.sample_level(key)

    @override
    def reset(self, key: jax.Array, level: Any) -> tuple[Any, Observation]:
        return self.env.reset(key, level)

    @override
    def step(self, key: jax.Array, state: Any, action: jax.Array) -> tuple[Any, TimeStep]:
        return self.env.step(key, state, self._controls()[action])

    @override
    def global_observation(self, state: Any) -> jax.Array:
        return self.env.global_observation(state)

    @override
    def draw(self, state: Any) -> jax.Array:
        return self.env.draw(state)

    def _controls(self) -> jax.Array:
        """f32[number of actions, number of controls]."""
        low, high = self.env.action_space.bounds  # type: ignore[union-attr]
        axes = [
            np.linspace(a, b, n) if n > 1 else np.array([(a + b) / 2])
            for a, b, n in zip(low, high, self.bins, strict=True)
        ]
        grid = np.meshgrid(*axes, indexing="ij")
        return jnp.asarray(np.stack([g.ravel() for g in grid], axis=-1), jnp.float32)
