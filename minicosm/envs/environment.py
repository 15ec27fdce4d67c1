"""The contract that every world keeps: one world, as pure functions of arrays.

Axis letters, the same everywhere: B worlds, A agents, T time, L levels, R lidar beams, H, W map cells.
"""

from __future__ import annotations

import abc
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.spaces import Space

LevelT = TypeVar("LevelT")
StateT = TypeVar("StateT")
Observation = Any  # a pytree matching the observation space, each leaf led by A


@struct.dataclass
class TimeStep:
    """What the agents are handed after a step. Every per-agent array leads with A, also when A = 1."""

    observation: Observation  # pytree of f32[A, ...], see Environment.observation_space
    reward: jax.Array  # f32[A]
    terminated: jax.Array  # bool[A]  the task ended this agent's episode; stays True until the reset
    truncated: jax.Array  # bool[A]  the time limit did: bootstrap from `observation`
    info: dict[str, jax.Array]  # fixed keys and shapes; always holds "success": bool[A]

    @property
    def done(self) -> jax.Array:
        """bool[]: every agent has ended, one way or the other; the world waits for a reset."""
        return jnp.all(self.terminated | self.truncated, axis=-1)


class Environment(abc.ABC, Generic[LevelT, StateT]):
    """One world, as pure functions; `jax.vmap`, `jit`, `scan` and `shard_map` apply to all of them.

    Subclasses are frozen dataclasses over a static config, hence hashable, comparable and usable as
    `static_argnums`. The level is an argument: a task distribution is a function that makes levels, and a
    held-out set is a stacked pytree of them. `step` never resets; `minicosm.wrappers.AutoReset` does.
    """

    @property
    @abc.abstractmethod
    def agents(self) -> tuple[str, ...]:
        """Names of the agents, `[a-z]+_[0-9]+`, in the order of the A axis."""

    @property
    def num_agents(self) -> int:
        """A, the length of every per-agent array's first axis."""
        return len(self.agents)

    @property
    @abc.abstractmethod
    def max_episode_steps(self) -> int:
        """Steps after which a world that has not ended is truncated."""

    @property
    @abc.abstractmethod
    def observation_space(self) -> Space:
        """Space of one agent's observation."""

    @property
    @abc.abstractmethod
    def action_space(self) -> Space:
        """Space of one agent's action."""

    @abc.abstractmethod
    def sample_level(self, key: jax.Array) -> LevelT:
        """Draw a level from the world's task distribution."""

    @abc.abstractmethod
    def reset(self, key: jax.Array, level: LevelT) -> tuple[StateT, Observation]:
        """Start an episode on `level`; returns the state and the first observation, led by A."""

    @abc.abstractmethod
    def step(self, key: jax.Array, state: StateT, action: jax.Array) -> tuple[StateT, TimeStep]:
        """Advance one tick. `action` leads with A; actions of agents that have ended are ignored."""

    def mutate_level(self, key: jax.Array, level: LevelT, num_edits: int) -> LevelT:
        """`level` after `num_edits` random edits: a valid level of the same shapes."""
        raise ValueError(f"{type(self).__name__} has no edits: use a curriculum that does not mutate levels")

    def optimal_return(self, level: LevelT) -> jax.Array:
        """f32[A]: the best undiscounted return that `level` allows each agent, 0 where its task cannot be done."""
        raise ValueError(f"{type(self).__name__} knows no optimum: use a score that needs none")

    def global_observation(self, state: StateT) -> jax.Array:
        """f32[...]: what a centralised critic sees, of fixed shape; bounded by nothing."""
        raise ValueError(f"{type(self).__name__} has no global observation: use the agents' own observations")

    def draw(self, state: StateT) -> jax.Array:
        """u8[height, width, 3]: a picture of the state, made on the device."""
        raise ValueError(f"{type(self).__name__} cannot be drawn")
