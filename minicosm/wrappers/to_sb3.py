"""Worlds as `stable_baselines3.common.vec_env.VecEnv`."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.wrappers import edges
from minicosm.wrappers.agent_episodes import AgentEpisodes
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver
from minicosm.wrappers.gymnasium_spaces import to_gymnasium_space

if importlib.util.find_spec("stable_baselines3") is None:
    raise ImportError('SB3VecEnv needs Stable-Baselines3: pip install "minicosm[sb3]"')
from stable_baselines3.common.vec_env import VecEnv

RENDER_MODES = ("rgb_array",)
_SUCCESS = "success"


class SB3VecEnv(VecEnv):  # type: ignore[misc]
    """`num_envs` worlds of `env`, stepped by one compiled call, for Stable-Baselines3.

    A world resets itself in the step that ends its episode. That step's info then holds `terminal_observation`,
    `TimeLimit.truncated`, `episode` (`r` return, `l` length, `t` seconds since the worlds were made: what SB3's Monitor
    adds, so no VecMonitor is needed), `is_success`, and what else the world says of an episode; infos of other steps
    are empty. Arrays are NumPy's, writable, and new at each step.

    A world of A agents becomes A environments, agent a of world w at w A + a, for a policy that they share; `num_envs`
    is then a multiple of A. An agent that ends before its world waits, as `agents_as_envs` tells; SB3 knows no mask, so
    it learns from these steps too, which have reward 0 and do not reach back beyond the end of the episode.

    `seed` s gives the episodes that the other adapters play under s; without it they are fresh. `level_source`,
    key -> level, replaces the task distribution. Raises ValueError for an unknown render mode or number of worlds.
    """

    def __init__(
        self,
        env: Environment[Any, Any],
        num_envs: int,
        *,
        seed: int | None = None,
        render_mode: str | None = None,
        level_source: LevelSource | None = None,
    ) -> None:
        num_worlds = edges.worlds_of(num_envs, env.num_agents)
        self.world = env
        self.num_worlds = num_worlds
        self._attributes: dict[str, list[Any]] = {
            "render_mode": [edges.require_render_mode(render_mode, RENDER_MODES)] * num_envs
        }
        super().__init__(num_envs, to_gymnasium_space(env.observation_space), to_gymnasium_space(env.action_space))
        if env.num_agents > 1:
            self._driver = Driver(
                AgentEpisodes(env, num_worlds, "same_step", level_source), "numpy", agents="rows", batched=True
            )
        else:
            worlds = AutoReset(env, num_worlds, "same_step", level_source)
            self._driver = Driver(worlds, "numpy", agents="alone", batched=True)
        self._edge = edges.ActionEdge(env.action_space, (num_envs,), "numpy")
        self._entropy = np.random.default_rng()
        self._pending: Any = None
        self._start = time.time()
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)
        if seed is not None:
            self.seed(edges.require_seed(seed))

    @override
    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed world w with `seed` + w at the next reset; None takes fresh entropy. Returns the seed of each env.

        SB3's algorithms call this with their own `seed`.
        """
        first = int(self._entropy.integers(2**32)) if seed is None else edges.require_seed(seed)
        self._seeds = [first + i // self.world.num_agents for i in range(self.num_envs)]
        return self._seeds

    @override
    def reset(self) -> Any:
        """First observations of new episodes, of newly seeded worlds after `seed`, else the worlds' next ones."""
        observation, _ = self._driver.reset(self._seeds[:: self.world.num_agents], None, self._entropy)
        self._reset_seeds()
        self._reset_options()
        self._pending = None
        self._returns[:], self._lengths[:] = 0, 0
        return observation

    @override
    def step_async(self, actions: Any) -> None:
        """Take `actions`, [num_envs, ...]. Raises ValueError or TypeError for actions that are not in the space."""
        if not self._driver.started:
            raise ValueError("step came before reset; call reset first")
        self._pending = self._edge(actions)

    @override
    def step_wait(self) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any], list[dict[str, Any]]]:
        """(observations, rewards f32[num_envs], dones bool[num_envs], infos)."""
        if self._pending is None:
            raise ValueError("step_wait came before step_async; call step_async with actions first")
        observation, signals, final = self._driver.step(self._pending)
        self._pending = None
        dones = signals.terminated | signals.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self._returns += signals.reward
        self._lengths += signals.info.get("active", 1)
        if final is not None:
            elapsed = round(time.time() - self._start, 6)
            truncated = signals.truncated & ~signals.terminated
            told = {name: x for name, x in signals.final_info.items() if not name.startswith("_") and x.ndim == 1}
            for i in np.nonzero(dones)[0]:
                about = {name: x[i].item() for name, x in told.items()}
                about["is_success"] = about.pop(_SUCCESS)
                about["terminal_observation"] = jax.tree.map(lambda x, i=i: x[i].copy(), final)
                about["TimeLimit.truncated"] = bool(truncated[i])
                about["episode"] = {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": elapsed}
                infos[i] = about
            self._returns[dones], self._lengths[dones] = 0, 0
        return observation, signals.reward, dones, infos

    @override
    def close(self) -> None:
        """Nothing is held that needs closing."""

    @override
    def get_images(self) -> list[np.ndarray[Any, Any] | None]:
        """A frame u8[height, width, 3] for each environment in render mode "rgb_array", else None."""
        if self.render_mode is None:
            return [None] * self.num_envs
        return list(np.repeat(self._driver.draw(), self.world.num_agents, axis=0))

    @override
    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of each environment: as set, of this class, or of `world`."""
        chosen = self._chosen(indices)
        if attr_name in self._attributes:
            return [self._attributes[attr_name][i] for i in chosen]
        owner = self if hasattr(self, attr_name) else self.world
        return [getattr(owner, attr_name)] * len(chosen)

    @override
    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute for `get_attr` to find. Raises ValueError for what the worlds were compiled with."""
        if hasattr(self, attr_name) or hasattr(getattr(self.world, "config", self.world), attr_name):
            raise ValueError(f"{attr_name!r} cannot change once the worlds are compiled; make new ones with it instead")
        values = self._attributes.setdefault(attr_name, [None] * self.num_envs)
        for i in self._chosen(indices):
            values[i] = value

    @override
    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """What the method gives for each environment: "render", or a method of this class or of `world`."""
        chosen = self._chosen(indices)
        if method_name == "render":
            images = self.get_images()
            return [images[i] for i in chosen]
        return [method(*method_args, **method_kwargs) for method in self.get_attr(method_name, chosen)]

    @override
    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Whether each has the wrapper: SB3's Monitor yes, since these worlds keep its statistics; all others no."""
        from stable_baselines3.common.monitor import Monitor

        return [isinstance(wrapper_class, type) and issubclass(wrapper_class, Monitor)] * len(self._chosen(indices))

    def _chosen(self, indices: Any) -> list[int]:
        return [int(i) for i in self._get_indices(indices)]
