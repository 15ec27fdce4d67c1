"""Worlds of any number of agents as `pettingzoo.ParallelEnv`, and as `AECEnv` by PettingZoo's conversion."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.envs.registry import make
from minicosm.wrappers import edges
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver, as_python
from minicosm.wrappers.gymnasium_spaces import as_member, render_fps, state_space, to_gymnasium_space
from minicosm.wrappers.window import Window

RENDER_MODES = ("rgb_array", "human")
_DEFAULT_NAME = "nav-multi"


class PettingZooEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]
    """One world of `env`.

    An agent whose episode ends gets one last entry in all five dicts, then leaves `agents`; when the last has left, the
    world waits for `reset`, and `step` returns empty dicts. `reset(seed=s)` plays the same episodes as the other
    adapters do under s (see `GymnasiumEnv`); without a seed it goes on to the next episode. `state()` is the world's
    `global_observation`; a world that has none has no `state_space` either. Render mode "human" shows a window, at
    every step, and needs pygame.

    Raises ValueError for an unknown render mode.
    """

    def __init__(
        self,
        env: Environment[Any, Any],
        *,
        render_mode: str | None = None,
        level_source: LevelSource | None = None,
        name: str | None = None,
    ) -> None:
        self.render_mode = edges.require_render_mode(render_mode, RENDER_MODES)
        self.metadata: dict[str, Any] = {
            "name": name or type(env).__name__.lower(),
            "render_modes": list(RENDER_MODES),
            "render_fps": render_fps(env),
            "is_parallelizable": True,
        }
        self.world = env
        self.possible_agents = list(env.agents)
        self.agents: list[str] = []
        self.observation_spaces = {agent: to_gymnasium_space(env.observation_space) for agent in env.agents}
        self.action_spaces = {agent: to_gymnasium_space(env.action_space) for agent in env.agents}
        self._driver = Driver(AutoReset(env, 1, "disabled", level_source), "numpy", agents="dict", batched=False)
        self._edge = edges.ActionEdge(env.action_space, (), "numpy")
        self._idle = np.stack([edges.idle_action(env.action_space)] * env.num_agents)  # what agents that have left do
        self._entropy = np.random.default_rng()
        self._window: Window | None = None

    @override
    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.observation_spaces[agent]

    @override
    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.action_spaces[agent]

    @functools.cached_property
    def state_space(self) -> spaces.Box:
        """Of `state()`, f32[...], bounded by nothing. AttributeError where the world has no global observation."""
        return state_space(self.world)

    @override
    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """See pettingzoo.ParallelEnv. Raises TypeError or ValueError for a seed that is no whole number from 0."""
        observations, infos = self._driver.reset(edges.spread_seeds(seed, 1), None, self._entropy)
        self.agents = list(self.possible_agents)
        self._show()
        space = self.world.observation_space
        observations = {agent: as_member(space, observations[agent]) for agent in self.agents}
        return observations, {agent: as_python(info) for agent, info in infos.items()}

    @override
    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """See pettingzoo.ParallelEnv. Raises ValueError for an action that is missing, or not in its space.

        Actions of agents that have left are ignored.
        """
        self._require_started("step")
        if not self.agents:
            return {}, {}, {}, {}, {}
        observations, signals, _ = self._driver.step(self._gather(actions))
        terminated = {agent: bool(signals.terminated[agent]) for agent in self.agents}
        truncated = {agent: bool(signals.truncated[agent]) for agent in self.agents}
        handed = (
            {agent: as_member(self.world.observation_space, observations[agent]) for agent in self.agents},
            {agent: float(signals.reward[agent]) for agent in self.agents},
            terminated,
            truncated,
            {agent: as_python(signals.info[agent]) for agent in self.agents},
        )
        self.agents = [agent for agent in self.agents if not (terminated[agent] or truncated[agent])]
        self._show()
        return handed

    @override
    def state(self) -> np.ndarray[Any, Any]:
        """The world as a centralised critic sees it, in `state_space`."""
        self._require_started("state")
        state: np.ndarray[Any, Any] = self._driver.global_observation()
        return state

    @override
    def render(self) -> np.ndarray[Any, Any] | None:
        """u8[height, width, 3] in render mode "rgb_array"; None, and a picture in the window, in "human"."""
        if self.render_mode is None:
            return None
        self._require_started("render")
        if self.render_mode == "human":
            self._show()
            return None
        frame: np.ndarray[Any, Any] = self._driver.draw()[0]
        return frame

    @override
    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _gather(self, actions: Any) -> np.ndarray[Any, Any]:
        """[A, ...] from a dict of the live agents' actions."""
        edges.require_agents(actions, self.agents, self.possible_agents)
        gathered = self._idle.copy()
        for a, agent in enumerate(self.possible_agents):
            if agent in self.agents:
                gathered[a] = self._edge(actions[agent], f"the action of {agent}")
        return gathered

    def _show(self) -> None:
        if self.render_mode == "human":
            self._window = self._window or Window(self.metadata["name"], self.metadata["render_fps"])
            self._window.show(self._driver.draw()[0])

    def _require_started(self, what: str) -> None:
        if not self._driver.started:
            raise ValueError(f"{what} came before reset; call reset first")


def parallel_env(
    name: str = _DEFAULT_NAME, *, max_cycles: int | None = None, render_mode: str | None = None, **settings: Any
) -> PettingZooEnv:
    """The world called `name`, with `settings` as `minicosm.make` takes them; `max_cycles` is its `max_steps`."""
    if max_cycles is not None:
        settings["max_steps"] = max_cycles
    return PettingZooEnv(make(name, **settings), render_mode=render_mode, name=name)


def env(name: str = _DEFAULT_NAME, **settings: Any) -> AECEnv[str, Any, Any]:
    """The same world with the agents acting in turn; settings as for `parallel_env`."""
    aec: AECEnv[str, Any, Any] = parallel_to_aec(parallel_env(name, **settings))
    return aec
