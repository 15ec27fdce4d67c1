"""Return and length of each episode, as `info`."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.wrappers.auto_replay import AutoReplay
from minicosm.wrappers.auto_reset import AutoReset
from minicosm.wrappers.batch import Worlds


@struct.dataclass
class EpisodeStatsState:
    """The wrapped worlds' state, and the running sums."""

    inner: Any
    returns: jax.Array  # f32[B, A]
    length: jax.Array  # i32[B]
    over: jax.Array  # bool[B]  the sums belong to an episode that has ended


@dataclasses.dataclass(frozen=True)
class EpisodeStats:
    """Adds to `info` the undiscounted `episode_return` f32[B, A] and `episode_length` i32[B] so far.

    In the step where `timestep.done`, they are the whole episode's. Raises ValueError over an `AutoReset` whose mode is
    "disabled", where it cannot see the resets.
    """

    worlds: Worlds

    def __post_init__(self) -> None:
        if isinstance(self.worlds, AutoReset) and self.worlds.mode == "disabled":
            raise ValueError("EpisodeStats needs worlds that reset themselves: use mode 'same_step' or 'next_step'")

    @property
    def env(self) -> Environment[Any, Any]:
        """The environment that is played."""
        return self.worlds.env

    @property
    def num_envs(self) -> int:
        """B."""
        return self.worlds.num_envs

    def reset(self, key: jax.Array, levels: Any = None) -> tuple[EpisodeStatsState, Observation]:
        """See the wrapped worlds; `levels`, led by B, are for `AutoReplay`. Raises ValueError for others."""
        if isinstance(self.worlds, AutoReplay):
            inner, observation = self.worlds.reset(key, levels)
        elif levels is None:
            inner, observation = self.worlds.reset(key)
        else:
            raise ValueError(f"{type(self.worlds).__name__} draws its own levels: hand out levels with AutoReplay")
        zeros = jnp.zeros((self.num_envs,), jnp.int32)
        returns = jnp.zeros((self.num_envs, self.env.num_agents))
        return EpisodeStatsState(inner, returns, zeros, zeros.astype(bool)), observation

    def step(self, state: EpisodeStatsState, action: jax.Array) -> tuple[EpisodeStatsState, TimeStep]:
        """See the wrapped worlds."""
        inner, timestep = self.worlds.step(state.inner, action)
        # under "next_step" the step after the last is the reset itself: neither a reward nor a step of the new episode
        is_reset_step = timestep.info["reset"] & ~timestep.done
        returns = jnp.where(state.over[:, None], 0.0, state.returns) + timestep.reward
        length = jnp.where(state.over, 0, state.length) + ~is_reset_step
        info = {**timestep.info, "episode_return": returns, "episode_length": length}
        over = timestep.done
        return EpisodeStatsState(inner, returns, length, over), dataclasses.replace(timestep, info=info)
