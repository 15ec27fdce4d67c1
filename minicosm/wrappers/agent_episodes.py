"""Episodes that end agent by agent, for learners to whom every agent is an environment of its own."""

from __future__ import annotations

import dataclasses
from typing import cast

import jax
import jax.numpy as jnp
from typing_extensions import override

from minicosm.envs import struct
from minicosm.envs.environment import Observation, TimeStep
from minicosm.wrappers.auto_reset import AutoReset, AutoResetState


@struct.dataclass
class AgentEpisodesState(AutoResetState):
    """B worlds, the next episode of each, and who has ended."""

    over: jax.Array  # bool[B, A]  this agent's episode has ended; it waits for its world's reset


@dataclasses.dataclass(frozen=True)
class AgentEpisodes(AutoReset):
    """`AutoReset` whose `terminated` and `truncated` are True in one step only, the one in which that agent ended.

    An agent that has ended waits, with both flags False and reward 0, until the last of its world ends and the world is
    reset. `info["active"]` bool[B, A] is whether the step was the agent's: False where it waited, or its world was
    reset ("next_step"). `TimeStep.done` is thus no longer the end of the world's episode. Mode "disabled" is refused,
    since agents of one world cannot be reset one by one.
    """

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == "disabled":
            raise ValueError(
                "autoreset_mode is 'disabled', but the agents of a world are reset together; use 'same_step' or "
                "'next_step', or BatchedParallelEnv, whose agents stay in their world"
            )

    @override
    def reset(self, key: jax.Array) -> tuple[AgentEpisodesState, Observation]:
        state, observation = super().reset(key)
        parts = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
        return AgentEpisodesState(**parts, over=jnp.zeros((self.num_envs, self.env.num_agents), bool)), observation

    @override
    def step(self, state: AutoResetState, action: jax.Array) -> tuple[AutoResetState, TimeStep]:
        over = cast(AgentEpisodesState, state).over
        state, timestep = super().step(state, action)
        restart = timestep.info["reset"][:, None]
        active = ~over & ~restart if self.mode == "next_step" else ~over
        terminated, truncated = timestep.terminated & active, timestep.truncated & active
        state = dataclasses.replace(state, over=~restart & (over | terminated | truncated))  # type: ignore[call-arg]
        info = {**timestep.info, "active": active}
        return state, dataclasses.replace(timestep, terminated=terminated, truncated=truncated, info=info)
