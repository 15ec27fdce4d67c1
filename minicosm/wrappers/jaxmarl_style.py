"""Worlds of any number of agents in the functional convention of JaxMARL."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs.environment import Environment, Observation
from minicosm.envs.spaces import Discrete, Space
from minicosm.wrappers.auto_reset import AutoResetState, LevelSource
from minicosm.wrappers.edges import require_agents
from minicosm.wrappers.one_world import OneWorld, as_action


@dataclasses.dataclass(frozen=True)
class JaxMARLStyle:
    """One world of `env` as `reset(key)` and `step(key, state, actions)` with a dict per agent, for you to `vmap`.

    `dones[agent]` is True from the step that ends the agent until its world is reset, with reward 0 after the first,
    and its actions are ignored. `dones["__all__"]` is the end of the world's episode, whose step returns the first
    observations of the next one. The levels of a world follow from the key of its `reset`, what happens by chance in a
    step from that step's key.

    Everything in `infos` is one number per agent, [A], as JaxMARL's training loops need it: what the world says of the
    step (`success`, …), `terminated`, `truncated` and `level_index`. With `final_observation`, `infos` also holds the
    last observations under that name, agent -> array, for bootstrapping at a time limit. `level_source`, key -> level,
    replaces the task distribution.
    """

    env: Environment[Any, Any]
    final_observation: bool = False
    level_source: LevelSource | None = None

    @property
    def name(self) -> str:
        """Of the world's family."""
        return type(self.env).__name__

    @property
    def agents(self) -> list[str]:
        """Their names."""
        return list(self.env.agents)

    @property
    def num_agents(self) -> int:
        """A."""
        return self.env.num_agents

    @property
    def observation_spaces(self) -> dict[str, Space]:
        """Of each agent."""
        return {agent: self.env.observation_space for agent in self.env.agents}

    @property
    def action_spaces(self) -> dict[str, Space]:
        """Of each agent."""
        return {agent: self.env.action_space for agent in self.env.agents}

    def observation_space(self, agent: str) -> Space:
        """Of one agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        """Of one agent."""
        return self.action_spaces[agent]

    def reset(self, key: jax.Array) -> tuple[dict[str, Observation], AutoResetState]:
        """Start the first episode: (observations, state)."""
        state, observation = OneWorld(self.env, self.level_source).reset(key)
        return self._by_agent(observation), state

    def step(
        self, key: jax.Array, state: AutoResetState, actions: dict[str, Any]
    ) -> tuple[dict[str, Observation], AutoResetState, dict[str, jax.Array], dict[str, jax.Array], dict[str, Any]]:
        """Advance by one tick: (observations, state, rewards, dones, infos); see the class.

        Raises TypeError or ValueError for actions that are missing, or of the wrong kind or shape.
        """
        require_agents(actions, self.env.agents, self.env.agents)
        space = self.env.action_space
        action = jnp.stack([as_action(actions[a], space, f"the action of {a}") for a in self.env.agents])
        state, timestep = OneWorld(self.env, self.level_source).step(key, state, action)
        done = timestep.terminated | timestep.truncated
        about = dict(timestep.info) | {"terminated": timestep.terminated, "truncated": timestep.truncated}
        about.pop("reset")
        final = about.pop("final_observation")
        shape = (self.num_agents,)
        infos: dict[str, Any] = {
            name: jnp.broadcast_to(x, shape) for name, x in about.items() if x.shape in ((), shape)
        }
        if self.final_observation:
            infos["final_observation"] = self._by_agent(final)
        dones = self._by_agent(done) | {"__all__": timestep.done}
        return self._by_agent(timestep.observation), state, self._by_agent(timestep.reward), dones, infos

    def get_avail_actions(self, state: AutoResetState) -> dict[str, jax.Array]:
        """Ones for each choice of each agent: all are always allowed. Raises ValueError unless actions are Discrete."""
        space = self.env.action_space
        if not isinstance(space, Discrete):
            raise ValueError(f"the action space is {space}; only Discrete choices can be available or not")
        return {agent: jnp.ones((space.n,), jnp.float32) for agent in self.env.agents}

    def global_observation(self, state: AutoResetState) -> jax.Array:
        """f32[...]: what a centralised critic sees. Raises ValueError where the world has no global observation."""
        return self.env.global_observation(state.env_state)

    def _by_agent(self, tree: Any) -> dict[str, Any]:
        return {agent: jax.tree.map(lambda x, a=a: x[a], tree) for a, agent in enumerate(self.env.agents)}
