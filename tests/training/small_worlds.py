"""Small worlds in which everything about an episode is known beforehand.

In a module of their own: a run's description names it, and there is more than one `conftest`.
"""

import dataclasses

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box, Discrete


@struct.dataclass
class Clock:
    ends: jax.Array  # i32[A]  tick after which each agent terminates
    time: jax.Array  # i32[]


@dataclasses.dataclass(frozen=True)
class Leavers(Environment[jax.Array, Clock]):
    """Agents that each leave at their own time, whatever they do; some stay beyond the time limit.

    The level is i32[A], the times. Observation: time / 10, the agent's own end / 10, whether it has left. Reward:
    the tick's number plus the agent's index, for agents that have not left.
    """

    num: int = 2
    limit: int = 7

    @property
    def agents(self):
        return tuple(f"leaver_{a}" for a in range(self.num))

    @property
    def max_episode_steps(self):
        return self.limit

    @property
    def observation_space(self):
        return Box(0.0, 2.0, (3,))

    @property
    def action_space(self):
        return Discrete(3)

    def sample_level(self, key):
        return jax.random.randint(key, (self.num,), 1, self.limit + 4)

    def reset(self, key, level):
        state = Clock(level, jnp.zeros((), jnp.int32))
        return state, self.observe(state)

    def observe(self, state):
        time = jnp.broadcast_to(state.time / 10, (self.num,))
        return jnp.stack([time, state.ends / 10, state.time >= state.ends], axis=-1)

    def step(self, key, state, action):
        present = state.time < state.ends
        state = dataclasses.replace(state, time=state.time + 1)
        terminated = state.time >= state.ends
        return state, TimeStep(
            observation=self.observe(state),
            reward=(state.time + jnp.arange(self.num)) * present.astype(jnp.float32),
            terminated=terminated,
            truncated=~terminated & (state.time >= self.limit),
            info={"success": terminated, "collision": jnp.zeros((self.num,), bool)},
        )


@struct.dataclass
class Cued:
    cue: jax.Array  # i32[1]
    time: jax.Array  # i32[]


@dataclasses.dataclass(frozen=True)
class Recall(Environment[jax.Array, Cued]):
    """One agent is shown a side in its first observation only, and must choose that side in its last tick."""

    ticks: int = 4

    @property
    def agents(self):
        return ("player_0",)

    @property
    def max_episode_steps(self):
        return self.ticks

    @property
    def observation_space(self):
        return Box(-1.0, 1.0, (2,))

    @property
    def action_space(self):
        return Discrete(2)

    def sample_level(self, key):
        return jax.random.randint(key, (1,), 0, 2)

    def reset(self, key, level):
        state = Cued(level, jnp.zeros((), jnp.int32))
        return state, self.observe(state)

    def observe(self, state):
        shown = jnp.where(state.time == 0, 2.0 * state.cue - 1.0, 0.0)
        return jnp.stack([shown, jnp.broadcast_to(state.time / self.ticks, (1,))], axis=-1)

    def step(self, key, state, action):
        state = dataclasses.replace(state, time=state.time + 1)
        over = jnp.broadcast_to(state.time >= self.ticks, (1,))
        right = over & (action == state.cue)
        return state, TimeStep(
            observation=self.observe(state),
            reward=right.astype(jnp.float32),
            terminated=over,
            truncated=jnp.zeros((1,), bool),
            info={"success": right},
        )
