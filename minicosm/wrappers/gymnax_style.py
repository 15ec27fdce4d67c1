"""Worlds of one agent in the functional convention of gymnax and PureJaxRL."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation
from minicosm.envs.spaces import Discrete, Space
from minicosm.wrappers.auto_reset import AutoResetState, LevelSource
from minicosm.wrappers.one_world import OneWorld, as_action


@struct.dataclass
class EnvParams:
    """What code in this convention hands around; the world's settings are compiled in, so there is nothing to set."""

    max_steps_in_episode: int = struct.static()


@dataclasses.dataclass(frozen=True)
class GymnaxStyle:
    """One world of `env` as `reset(key, params)` and `step(key, state, action, params)`, for you to `vmap`.

    The step that ends an episode returns the first observation of the next one; the last one is in
    `info["final_observation"]`, for bootstrapping where `info["truncated"]`. The levels of a world follow from the key
    of its `reset`, what happens by chance in a step from that step's key. `info` holds what the world says of the step
    (`success`, …), `terminated`, `truncated`, `discount` (0 where terminated), and `level_index`, how many episodes the
    world had played before this one.

    `step` returns five things, with `done` for both kinds of end, as PureJaxRL and gymnax before 1.0 have it; with
    `split_done` six, `terminated` and `truncated` apart, as gymnax has it since. `level_source`, key -> level, replaces
    the task distribution. Raises ValueError for a world of several agents.
    """

    env: Environment[Any, Any]
    split_done: bool = False
    level_source: LevelSource | None = None

    def __post_init__(self) -> None:
        if self.env.num_agents != 1:
            raise ValueError(
                f"this world has {self.env.num_agents} agents and gymnax's interface addresses one; use "
                "minicosm.wrappers.JaxMARLStyle, or ask for one agent (num_robots=1 or num_agents=1)"
            )

    @property
    def name(self) -> str:
        """Of the world's family."""
        return type(self.env).__name__

    @property
    def default_params(self) -> EnvParams:
        """The only params there are."""
        return EnvParams(self.env.max_episode_steps)

    @property
    def num_actions(self) -> int:
        """The number of choices of a Discrete action, of numbers in any other."""
        space = self.env.action_space
        return space.n if isinstance(space, Discrete) else math.prod(space.shape)  # type: ignore[union-attr]

    def observation_space(self, params: EnvParams | None = None) -> Space:
        """Of one observation."""
        return self.env.observation_space

    def action_space(self, params: EnvParams | None = None) -> Space:
        """Of one action."""
        return self.env.action_space

    def reset(self, key: jax.Array, params: EnvParams | None = None) -> tuple[Observation, AutoResetState]:
        """Start the first episode: (observation, state). Raises ValueError for params other than the default ones."""
        self._require_default(params)
        state, observation = OneWorld(self.env, self.level_source).reset(key)
        return _alone(observation), state

    def step(
        self, key: jax.Array, state: AutoResetState, action: Any, params: EnvParams | None = None
    ) -> tuple[Any, ...]:
        """Advance by one tick: (observation, state, reward f32[], done bool[], info); see the class.

        Raises TypeError or ValueError for an action of the wrong kind or shape, or params other than the default ones.
        """
        self._require_default(params)
        action = as_action(action, self.env.action_space)[None]
        state, timestep = OneWorld(self.env, self.level_source).step(key, state, action)
        terminated, truncated = timestep.terminated[0], timestep.truncated[0]
        about = dict(timestep.info)
        about.pop("reset")
        final, episode = _alone(about.pop("final_observation")), about.pop("level_index")
        info = {name: x[0] if x.shape[:1] == (1,) else x for name, x in about.items()} | {
            "level_index": episode,
            "terminated": terminated,
            "truncated": truncated,
            "discount": 1.0 - terminated.astype(jnp.float32),
            "final_observation": final,
        }
        ended = (terminated, truncated) if self.split_done else (terminated | truncated,)
        return _alone(timestep.observation), state, timestep.reward[0], *ended, info

    def _require_default(self, params: EnvParams | None) -> None:
        if params is not None and params != self.default_params:
            raise ValueError(
                f"params is {params!r}; expected {self.default_params!r} or None: settings are compiled in, make a "
                "world with them (minicosm.make(name, max_steps=...))"
            )


def _alone(observation: Observation) -> Observation:
    return jax.tree.map(lambda x: x[0], observation)
