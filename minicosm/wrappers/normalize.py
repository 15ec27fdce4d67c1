"""Observations to zero mean and unit variance, by running statistics."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box
from minicosm.wrappers.batch import Worlds


@struct.dataclass
class Moments:
    """Running mean and variance of observations, shared by all worlds and agents."""

    mean: jax.Array  # f32[...]  shape of one agent's observation
    variance: jax.Array  # f32[...]
    count: jax.Array  # f32[]  observations seen

    def update(self, batch: jax.Array) -> Moments:
        """Include `batch` f32[N, ...]; Chan, Golub and LeVeque's pairwise update (1983)."""
        size = jnp.float32(batch.shape[0])
        total = self.count + size
        delta = jnp.mean(batch, axis=0) - self.mean
        squares = self.variance * self.count + jnp.var(batch, axis=0) * size + delta**2 * (self.count * size / total)
        return Moments(self.mean + delta * (size / total), squares / total, total)


@struct.dataclass
class NormalizeObservationState:
    """The wrapped worlds' state, and the statistics."""

    inner: Any
    moments: Moments


@dataclasses.dataclass(frozen=True)
class NormalizeObservation:
    """Hands out (observation − mean) / √(variance + ε), clipped; the statistics grow with every step.

    `final_observation` in `info` is normalised alike. Raises ValueError when observations are not one Box.
    Since all worlds feed one mean, a world's normalised observations do depend on its neighbours.
    """

    worlds: Worlds
    clip: float = 10.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        space = self.worlds.env.observation_space
        if not isinstance(space, Box):
            raise ValueError(f"NormalizeObservation needs a Box observation space, got {type(space).__name__}")

    @property
    def env(self) -> Environment[Any, Any]:
        """The environment that is played."""
        return self.worlds.env

    @property
    def num_envs(self) -> int:
        """B."""
        return self.worlds.num_envs

    def reset(self, key: jax.Array) -> tuple[NormalizeObservationState, jax.Array]:
        """See the wrapped worlds."""
        inner, observation = self.worlds.reset(key)
        shape = self.env.observation_space.shape  # type: ignore[union-attr]
        moments = Moments(jnp.zeros(shape), jnp.ones(shape), jnp.float32(1e-4))
        moments = moments.update(observation.reshape(-1, *shape))
        return NormalizeObservationState(inner, moments), self._normalize(moments, observation)

    def step(self, state: NormalizeObservationState, action: jax.Array) -> tuple[NormalizeObservationState, TimeStep]:
        """See the wrapped worlds."""
        inner, timestep = self.worlds.step(state.inner, action)
        moments = state.moments.update(timestep.observation.reshape(-1, *state.moments.mean.shape))
        info = dict(timestep.info)
        if "final_observation" in info:
            info["final_observation"] = self._normalize(moments, info["final_observation"])
        observation = self._normalize(moments, timestep.observation)
        timestep = dataclasses.replace(timestep, observation=observation, info=info)
        return NormalizeObservationState(inner, moments), timestep

    def _normalize(self, moments: Moments, observation: jax.Array) -> jax.Array:
        scaled = (observation - moments.mean) * jax.lax.rsqrt(moments.variance + self.epsilon)
        return jnp.clip(scaled, -self.clip, self.clip)
