"""Worlds that play one given level over and over: what a curriculum hands out."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.wrappers.batch import require_num_envs, swap_in


@struct.dataclass
class AutoReplayState:
    """B worlds, and where each of them starts again."""

    env_state: Any  # batched state of the environment
    first: Any  # (state, observation) at the start of each world's level
    key: jax.Array  # key[B]
    steps: jax.Array  # i32[]  since the levels were handed out
    episode: jax.Array  # i32[B]  episodes played before this one


@dataclasses.dataclass(frozen=True)
class AutoReplay:
    """B worlds of `env`, each of which starts its own level again, from the same first state, when an episode ends.

    As with `AutoReset` in mode "same_step", the step that ends an episode hands out the next one's first observation,
    and the last one is in `info["final_observation"]`. A reset is a select.
    """

    env: Environment[Any, Any]
    num_envs: int

    def __post_init__(self) -> None:
        require_num_envs(self.num_envs)

    def reset(self, key: jax.Array, levels: Any = None) -> tuple[AutoReplayState, Observation]:
        """Start the first episode on each of `levels`, led by B; by default on levels of the world's own distribution.

        `key` is one key, or key[B] for a key per world.
        """
        level_keys, reset_keys, keys = self._keys(key)
        if levels is None:
            levels = jax.vmap(self.env.sample_level)(level_keys)
        first = jax.vmap(self.env.reset)(reset_keys, levels)
        none = jnp.zeros((self.num_envs,), jnp.int32)
        return AutoReplayState(first[0], first, keys, jnp.zeros((), jnp.int32), none), first[1]

    def step(self, state: AutoReplayState, action: jax.Array) -> tuple[AutoReplayState, TimeStep]:
        """Advance every world by one tick; `action` leads with B, A.

        `info` gains `level_index` i32[B], episodes that the world had played before the one that this step belonged to,
        `reset` bool[B], whether `observation` is the first of a new episode, and `final_observation`.
        """
        step_key = jax.vmap(jax.random.fold_in, in_axes=(0, None))(state.key, state.steps)
        env_state, timestep = jax.vmap(self.env.step)(step_key, state.env_state, action)
        restart = timestep.done
        info = {**timestep.info, "level_index": state.episode, "final_observation": timestep.observation}
        info["reset"] = restart
        env_state, observation = swap_in(restart, state.first, (env_state, timestep.observation))
        after = dataclasses.replace(state, env_state=env_state, steps=state.steps + 1, episode=state.episode + restart)
        return after, dataclasses.replace(timestep, observation=observation, info=info)

    def _keys(self, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """key[B] each: for the worlds' levels, resets and steps."""
        if key.ndim == 0:
            level_key, reset_key, key = (jax.random.split(k, self.num_envs) for k in jax.random.split(key, 3))
            return level_key, reset_key, key
        each = jax.vmap(lambda k: jax.random.split(k, 3))(key)
        return each[:, 0], each[:, 1], each[:, 2]
