"""Many worlds of any number of agents, each agent's arrays led by the number of worlds."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from minicosm.envs.environment import Environment
from minicosm.wrappers import edges
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver
from minicosm.wrappers.gymnasium_spaces import AUTORESET_MODES, render_fps, state_space, to_gymnasium_space

RENDER_MODES = ("rgb_array",)


class BatchedParallelEnv:
    """`num_envs` worlds of `env`, in PettingZoo's terms: each dict is agent -> an array of [num_envs, ...].

    There is no standard for this. It is the interface of Isaac Lab's `DirectMARLEnv`, which skrl takes
    (`wrap_env(env, wrapper="isaaclab-multi-agent")`, with `output="torch"`), and has AgileRL's names besides
    (`single_observation_space(agent)`).

    All agents stay in all dicts: one that has ended keeps `terminated` (or `truncated`) True with reward 0, and its
    actions are ignored, until all agents of its world have ended and the world is reset. `autoreset_mode` and `info`
    are as for `GymnasiumVectorEnv`, with `final_obs` and `final_info` in each agent's `info`; `reset`, `level_index`
    and the masks are the world's, the same in each. Worlds and seeds are also those of the other adapters.

    Raises ValueError for an unknown option, ImportError where torch is missing.
    """

    def __init__(  # noqa: PLR0913
        self,
        env: Environment[Any, Any],
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        output: edges.Output = "numpy",
        render_mode: str | None = None,
        level_source: LevelSource | None = None,
    ) -> None:
        mode = edges.require_mode(autoreset_mode)
        worlds = AutoReset(env, num_envs, mode, level_source)
        self.render_mode = edges.require_render_mode(render_mode, RENDER_MODES)
        self.world = env
        self.num_envs = num_envs
        self.autoreset_mode = AUTORESET_MODES[mode]
        self.metadata = {
            "name": type(env).__name__.lower(),
            "render_modes": list(RENDER_MODES),
            "render_fps": render_fps(env),
            "autoreset_mode": self.autoreset_mode,
        }
        self.possible_agents = list(env.agents)
        self.agents = list(env.agents)
        self.observation_spaces = {agent: to_gymnasium_space(env.observation_space) for agent in env.agents}
        self.action_spaces = {agent: to_gymnasium_space(env.action_space) for agent in env.agents}
        self.max_episode_steps = env.max_episode_steps
        self._driver = Driver(worlds, output, agents="dict", batched=True)
        self._edge = edges.ActionEdge(env.action_space, (num_envs,), output)
        self._entropy = np.random.default_rng()

    @property
    def unwrapped(self) -> BatchedParallelEnv:
        """Itself."""
        return self

    @property
    def num_agents(self) -> int:
        """A; agents never leave."""
        return len(self.agents)

    @property
    def max_num_agents(self) -> int:
        """A."""
        return len(self.possible_agents)

    @property
    def device(self) -> str:
        """The worlds' device, in torch's words."""
        device = jax.local_devices()[0]
        return "cpu" if device.platform == "cpu" else f"cuda:{device.local_hardware_id or 0}"

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Of one agent in one world; the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Of one agent in one world; the same object at every call."""
        return self.action_spaces[agent]

    single_observation_space = observation_space
    single_action_space = action_space

    @functools.cached_property
    def state_space(self) -> spaces.Box:
        """Of one world's `state()`. AttributeError where the world has no global observation."""
        return state_space(self.world)

    def reset(
        self, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """(observations, infos). World i of seed s is seeded with s + i; a list gives each world its own.

        Without a seed worlds go on to their next episode. `options["reset_mask"]` bool[num_envs] resets some only.
        Raises TypeError or ValueError for a seed or mask of the wrong kind.
        """
        seeds = edges.spread_seeds(seed, self.num_envs)
        observations, infos = self._driver.reset(seeds, edges.reset_mask(options, self.num_envs), self._entropy)
        return observations, infos

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
        """(observations, rewards, terminated, truncated, infos) for `actions`, agent -> [num_envs, ...].

        Raises ValueError or TypeError for actions that are missing or not in the space.
        """
        self._require_started("step")
        edges.require_agents(actions, self.agents, self.possible_agents)
        checked = {agent: self._edge(actions[agent], f"the action of {agent}") for agent in self.agents}
        if all(isinstance(action, np.ndarray) for action in checked.values()):
            observations, signals, final = self._driver.step(np.stack(list(checked.values()), axis=1))
        else:
            observations, signals, final = self._driver.step(checked)
        infos: dict[str, dict[str, Any]] = signals.info
        if final is not None:
            for agent, info in infos.items():
                ended = signals.final_info[agent]
                info["final_obs"], info["_final_obs"] = final[agent], signals.done
                info["final_info"], info["_final_info"] = ended, ended["_level_index"]
        return observations, signals.reward, signals.terminated, signals.truncated, infos

    def state(self) -> Any:
        """[num_envs, ...]: each world as a centralised critic sees it, in `state_space`."""
        self._require_started("state")
        return self._driver.global_observation()

    def render(self) -> tuple[np.ndarray[Any, Any], ...] | None:
        """A frame u8[height, width, 3] for each world in render mode "rgb_array", else None."""
        if self.render_mode is None:
            return None
        self._require_started("render")
        return tuple(self._driver.draw())

    def close(self) -> None:
        """Nothing is held that needs closing."""

    def _require_started(self, what: str) -> None:
        if not self._driver.started:
            raise ValueError(f"{what} came before reset; call reset first")
