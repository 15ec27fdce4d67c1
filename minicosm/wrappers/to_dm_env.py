"""Worlds of one agent as `dm_env.Environment`."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import Box, Dict, Discrete, Space
from minicosm.wrappers import edges
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver


class DmEnv(dm_env.Environment):  # type: ignore[misc]
    """One world of `env`, which must have one agent.

    The last step of an episode has discount 0 where the task ended it and 1 where the time limit did, all others 1.
    As dm_env has it, `step` after a LAST step, or on a new environment, ignores its action and returns a FIRST step.
    With `seed` s the episodes are those of the other adapters under s; None takes fresh entropy. Observations are
    NumPy arrays, new at each step; rewards and discounts are floats (specs: float64 scalars).

    Raises ValueError for a world of several agents, TypeError or ValueError for a seed that is no whole number from 0.
    """

    def __init__(
        self, env: Environment[Any, Any], *, seed: int | None = None, level_source: LevelSource | None = None
    ) -> None:
        edges.require_one_agent(env.num_agents, "dm_env.Environment")
        self.world = env
        self._seeds = edges.spread_seeds(seed, 1)
        self._driver = Driver(AutoReset(env, 1, "disabled", level_source), "numpy", agents="alone", batched=False)
        self._edge = edges.ActionEdge(env.action_space, (), "numpy")
        self._entropy = np.random.default_rng()
        self._in_episode = False

    @override
    def reset(self) -> dm_env.TimeStep:
        """Start the next episode."""
        seeds = [None] if self._driver.started else self._seeds
        observation, _ = self._driver.reset(seeds, None, self._entropy)
        self._in_episode = True
        return dm_env.restart(observation)

    @override
    def step(self, action: Any) -> dm_env.TimeStep:
        """See dm_env.Environment. Raises ValueError or TypeError for an action that does not fit the spec."""
        if not self._in_episode:
            return self.reset()
        observation, signals, _ = self._driver.step(self._edge(action))
        reward = float(signals.reward)
        if signals.terminated:
            self._in_episode = False
            return dm_env.termination(reward, observation)
        if signals.truncated:
            self._in_episode = False
            return dm_env.truncation(reward, observation)
        return dm_env.transition(reward, observation)

    @override
    def observation_spec(self) -> Any:
        """A spec, or a dict of them."""
        return to_spec(self.world.observation_space, "observation")

    @override
    def action_spec(self) -> Any:
        """A spec, or a dict of them."""
        return to_spec(self.world.action_space, "action")


def to_spec(space: Space, name: str) -> Any:
    """The dm_env spec of the same values, or a dict of specs for a Dict space."""
    if isinstance(space, Dict):
        return {part: to_spec(inner, part) for part, inner in space.items}
    dtype = np.dtype(space.dtype)
    if isinstance(space, Discrete):
        return specs.DiscreteArray(space.n, dtype, name)
    if isinstance(space, Box):
        low, high = space.bounds
    else:
        low, high = np.zeros(space.shape, dtype), np.asarray(space.n, dtype) - 1
    return specs.BoundedArray(space.shape, dtype, low, high, name)
