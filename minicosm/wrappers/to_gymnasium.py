"""Worlds of one agent as `gymnasium.Env` and `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.envs.registry import make
from minicosm.wrappers import edges
from minicosm.wrappers.agent_episodes import AgentEpisodes
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver, as_python
from minicosm.wrappers.gymnasium_spaces import AUTORESET_MODES, as_member, render_fps, to_gymnasium_space

RENDER_MODES = ("rgb_array",)


class GymnasiumEnv(gymnasium.Env[Any, Any]):
    """One world of `env`, which must have one agent.

    `reset(seed=s)` plays the same episodes as world i of a `GymnasiumVectorEnv` reset with seed s − i, and as
    `AutoReset(env, 1)` reset with `keys_from_seeds([s])`; without a seed it goes on to the world's next episode.
    `output` is the kind of the observation and of arrays in `info`: "numpy" (new, writable), "jax" or "torch"; rewards,
    flags and single numbers in `info` are Python's. `level_source`, key -> level, replaces the task distribution.
    The world truncates its own episodes, after `max_episode_steps`. Once one has ended, the world stands still until
    the reset.

    Raises ValueError for a world of several agents or an unknown option, ImportError where torch is missing.
    """

    def __init__(
        self,
        env: Environment[Any, Any],
        *,
        output: edges.Output = "numpy",
        render_mode: str | None = None,
        level_source: LevelSource | None = None,
    ) -> None:
        edges.require_one_agent(env.num_agents, "gymnasium.Env")
        self.render_mode = edges.require_render_mode(render_mode, RENDER_MODES)
        self.metadata = _metadata(env, output)
        self.observation_space = to_gymnasium_space(env.observation_space)
        self.action_space = to_gymnasium_space(env.action_space)
        self.max_episode_steps = env.max_episode_steps
        self.world = env
        worlds = AutoReset(env, 1, "disabled", level_source)
        self._driver = Driver(worlds, output, agents="alone", batched=False)
        self._edge = edges.ActionEdge(env.action_space, (), output)

    @override
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """See gymnasium.Env. `info` holds `level_index`: how many episodes this world played before, since its seed."""
        seeds = edges.spread_seeds(seed, 1)
        super().reset(seed=seeds[0])
        observation, info = self._driver.reset(seeds, None, self.np_random)
        return as_member(self.world.observation_space, observation), as_python(info)

    @override
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See gymnasium.Env. Raises ValueError or TypeError for an action that is not in the space."""
        if not self._driver.started:
            raise ResetNeeded("step came before reset; call reset first")
        observation, signals, _ = self._driver.step(self._edge(action))
        observation = as_member(self.world.observation_space, observation)
        info = as_python(signals.info)
        return observation, float(signals.reward), bool(signals.terminated), bool(signals.truncated), info

    @override
    def render(self) -> np.ndarray[Any, Any] | None:
        """u8[height, width, 3] in render mode "rgb_array", else None."""
        if self.render_mode is None:
            return None
        if not self._driver.started:
            raise ResetNeeded("render came before reset; call reset first")
        frame: np.ndarray[Any, Any] = self._driver.draw()[0]
        return frame


class GymnasiumVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` worlds of `env`, which must have one agent, stepped by one compiled call.

    With `agents_as_envs` the world may have any number A of agents, and `num_envs` is a multiple of A: see the function
    of that name.

    `autoreset_mode` is a `gymnasium.vector.AutoresetMode`, its value, or "next_step", "same_step" or "disabled";
    `output` is "numpy" (new, writable arrays), "jax" or "torch". World i of seed s is the world of `GymnasiumEnv` of
    seed s + i. `info` holds dense arrays, each with its mask `_name`: what a step says of its episode (`success`, …);
    `level_index` i32[B], how many episodes the world played before that of the observation; `reset` bool[B], whether
    the observation is an episode's first. Where a mask is False the value is zero.

    With "same_step", `info` also holds `final_obs`, `final_info` and their masks when some world has ended; arrays that
    stay on a device hold them at every step, since looking whether one has ended would wait for the device.

    Raises ValueError for a world of several agents or an unknown option, ImportError where torch is missing.
    """

    def __init__(  # noqa: PLR0913
        self,
        env: Environment[Any, Any],
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        output: edges.Output = "numpy",
        render_mode: str | None = None,
        level_source: LevelSource | None = None,
        agents_as_envs: bool = False,
    ) -> None:
        mode = edges.require_mode(autoreset_mode)
        if agents_as_envs:
            worlds: AutoReset = AgentEpisodes(env, edges.worlds_of(num_envs, env.num_agents), mode, level_source)
        else:
            edges.require_one_agent(env.num_agents, "gymnasium.vector.VectorEnv")
            worlds = AutoReset(env, num_envs, mode, level_source)
        self.world = env
        self.num_envs = num_envs
        self.render_mode = edges.require_render_mode(render_mode, RENDER_MODES)
        self.autoreset_mode = AUTORESET_MODES[mode]
        self.metadata = {**_metadata(env, output), "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = to_gymnasium_space(env.observation_space)
        self.single_action_space = to_gymnasium_space(env.action_space)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.max_episode_steps = env.max_episode_steps
        self.num_worlds = worlds.num_envs
        self._driver = Driver(worlds, output, agents="rows" if agents_as_envs else "alone", batched=True)
        self._edge = edges.ActionEdge(env.action_space, (num_envs,), output)
        self._attributes: dict[str, tuple[Any, ...]] = {}

    @override
    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """See gymnasium.vector.VectorEnv; `options["reset_mask"]` bool[B] resets some worlds only, in any mode.

        Worlds without a seed go on to their next episode; at the first reset they take one from fresh entropy.
        Raises TypeError or ValueError for a seed or mask of the wrong kind.
        """
        seeds = edges.spread_seeds(seed, self.num_worlds)
        mask = edges.reset_mask(options, self.num_envs, self.num_envs // self.num_worlds)
        super().reset(seed=seeds[0])
        observation, info = self._driver.reset(seeds, mask, self.np_random)
        return observation, info

    @override
    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """See gymnasium.vector.VectorEnv. Raises ValueError or TypeError for actions that are not in the space."""
        self._require_started("step")
        observation, signals, final = self._driver.step(self._edge(actions))
        info: dict[str, Any] = signals.info
        if final is not None:
            info["final_obs"], info["_final_obs"] = final, signals.done
            info["final_info"], info["_final_info"] = signals.final_info, signals.final_info["_level_index"]
        return observation, signals.reward, signals.terminated, signals.truncated, info

    @override
    def render(self) -> tuple[np.ndarray[Any, Any], ...] | None:
        """A frame u8[height, width, 3] for each of `num_envs` in render mode "rgb_array", else None."""
        if self.render_mode is None:
            return None
        self._require_started("render")
        return tuple(np.repeat(self._driver.draw(), self.num_envs // self.num_worlds, axis=0))

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What `name` gives for each world: "render", or an attribute or method of the world."""
        if name == "render":
            return self.render() or (None,) * self.num_envs
        value = self.get_attr(name)
        return tuple(v(*args, **kwargs) if callable(v) else v for v in value)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute `name` of each world: of this class, the spaces being a single world's, or of `world`."""
        if name in self._attributes:
            return self._attributes[name]
        if name in ("observation_space", "action_space"):
            name = f"single_{name}"
        owner = self if hasattr(self, name) else self.world
        return (getattr(owner, name),) * self.num_envs

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of each world, for `get_attr` to find: one value for all, or a list of one for each.

        Raises ValueError for a setting of the world, which is compiled in, and for a list of another length.
        """
        if hasattr(self, name) or hasattr(getattr(self.world, "config", self.world), name):
            raise ValueError(f"{name!r} cannot change once the worlds are compiled; make new ones with it instead")
        if not isinstance(values, list | tuple):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(
                f"set_attr was given {len(values)} values; expected one for each of {self.num_envs} worlds"
            )
        self._attributes[name] = tuple(values)

    def _require_started(self, what: str) -> None:
        if self.closed:
            raise ClosedEnvironmentError(f"{what} came after close; make the worlds again")
        if not self._driver.started:
            raise ResetNeeded(f"{what} came before reset; call reset first")


def agents_as_envs(
    env: Environment[Any, Any],
    num_worlds: int,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    output: edges.Output = "numpy",
    render_mode: str | None = None,
) -> GymnasiumVectorEnv:
    """`num_worlds` worlds of `env` with every agent as an environment of its own, for learners of one shared policy.

    Agent a of world w is environment w A + a. Its episode ends when the agent's does: `terminated` or `truncated` is
    True in that step only, and under "same_step" `info["final_obs"]` holds its last observation. Its world goes on
    until the last of its agents ends; so long the agent waits, with its actions ignored, reward 0, both flags False and
    `info["active"]` False. `info["reset"]` is True where the world was reset, and the observation is the first of a new
    episode. Leave steps whose `active` is False out of what is learned from (they carry no reward, and no value flows
    from them into steps before the end; but they are no experience).

    Seeds are the worlds': a list holds `num_worlds` of them. Raises ValueError for mode "disabled".
    """
    return GymnasiumVectorEnv(
        env,
        num_worlds * env.num_agents,
        autoreset_mode=autoreset_mode,
        output=output,
        render_mode=render_mode,
        agents_as_envs=True,
    )


def make_env(
    name: str, *, output: edges.Output = "numpy", render_mode: str | None = None, **settings: Any
) -> GymnasiumEnv:
    """Entry point of `gymnasium.make`: the world called `name`, with `settings` as `minicosm.make` takes them."""
    return GymnasiumEnv(make(name, **settings), output=output, render_mode=render_mode)


# `gymnasium.make` looks here for the modes that it may build "human" and "rgb_array_list" upon
make_env.metadata = {"render_modes": list(RENDER_MODES)}  # type: ignore[attr-defined]


def make_vector_env(
    name: str,
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    output: edges.Output = "numpy",
    render_mode: str | None = None,
    **settings: Any,
) -> GymnasiumVectorEnv:
    """Entry point of `gymnasium.make_vec`: as `make_env`; its `max_episode_steps` is the setting `max_steps`."""
    if "max_episode_steps" in settings:
        settings["max_steps"] = settings.pop("max_episode_steps")
    world = make(name, **settings)
    return GymnasiumVectorEnv(world, num_envs, autoreset_mode=autoreset_mode, output=output, render_mode=render_mode)


def _metadata(env: Environment[Any, Any], output: edges.Output) -> dict[str, Any]:
    metadata = {"render_modes": list(RENDER_MODES), "render_fps": render_fps(env)}
    return metadata if output == "numpy" else {**metadata, output: True}
