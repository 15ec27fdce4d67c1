"""Worlds of one agent as `tianshou.env.BaseVectorEnv`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.wrappers import edges
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver
from minicosm.wrappers.gymnasium_spaces import to_gymnasium_space

if importlib.util.find_spec("tianshou") is None:
    raise ImportError('TianshouVectorEnv needs Tianshou: pip install "minicosm[tianshou]"')
from tianshou.env import BaseVectorEnv

RENDER_MODES = ("rgb_array",)
_ATTRIBUTES = ("observation_space", "action_space", "metadata", "spec", "reward_range", "render_mode")


class TianshouVectorEnv(BaseVectorEnv):  # type: ignore[misc]
    """`num_envs` worlds of `env`, which must have one agent, stepped by one compiled call, for Tianshou's collectors.

    `step(action, id)` and `reset(id)` touch the worlds of `id` only; the others stand still. Nothing resets by itself.
    Each `info` is a dict of `env_id` and `success`. Attributes that Tianshou asks of each environment
    (`observation_space`, …) are lists. `seed` s, here or by `seed(s)`, gives the episodes that the other adapters play
    under s, at the next whole reset. `level_source`, key -> level, replaces the task distribution.

    Raises ValueError for a world of several agents, an unknown render mode, or a number of worlds below 1.
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
        # Tianshou's own constructor starts a worker for each world; these fields are all that its collectors read
        edges.require_one_agent(env.num_agents, "tianshou's vector environment")
        self._driver = Driver(AutoReset(env, num_envs, "disabled", level_source), "numpy", agents="alone", batched=True)
        self.world = env
        self.env_num = self.wait_num = num_envs
        self.is_async, self.timeout = False, None
        self.ready_id: list[int] = list(range(num_envs))
        self.waiting_id: list[int] = []
        self.is_closed = False
        self._edge = edges.ActionEdge(env.action_space, (num_envs,), "numpy")
        self._entropy = np.random.default_rng()
        self._seeds = edges.spread_seeds(seed, num_envs)
        idle = edges.idle_action(env.action_space)
        self._idle = np.broadcast_to(idle, (num_envs, *idle.shape))
        self._of_each = {
            "observation_space": to_gymnasium_space(env.observation_space),
            "action_space": to_gymnasium_space(env.action_space),
            "metadata": {"render_modes": list(RENDER_MODES)},
            "spec": None,
            "reward_range": (-np.inf, np.inf),
            "render_mode": edges.require_render_mode(render_mode, RENDER_MODES),
        }

    @override
    def get_env_attr(self, key: str, id: Any = None) -> list[Any]:
        """The attribute of each environment, or of the world it plays."""
        value = self._of_each[key] if key in self._of_each else getattr(self.world, key)
        return [value] * len(self._chosen(id))

    @override
    def set_env_attr(self, key: str, value: Any, id: Any = None) -> None:
        """Raises ValueError: worlds are compiled with their settings."""
        raise ValueError(f"{key!r} cannot change once the worlds are compiled; make new ones with it instead")

    @override
    def reset(self, env_id: Any = None, **kwargs: Any) -> tuple[Any, np.ndarray[Any, Any]]:
        """(observations, infos) of the worlds of `env_id`, by default all. `seed=` is as in Gymnasium."""
        chosen = self._chosen(env_id)
        if "seed" in kwargs:
            self._seeds = edges.spread_seeds(kwargs["seed"], self.env_num)
        mask = self._mask(chosen)
        whole = mask is None
        seeds = self._seeds if whole else [None] * self.env_num
        if whole:
            self._seeds = [None] * self.env_num
        observation, _ = self._driver.reset(seeds, mask, self._entropy)
        return self._rows(observation, chosen), self._infos(chosen, np.zeros(self.env_num, bool))

    @override
    def step(self, action: Any, id: Any = None) -> tuple[Any, ...]:
        """(observations, rewards, terminated, truncated, infos) of the worlds of `id`; `action` has one for each.

        Raises ValueError or TypeError for actions that are not in the space, ValueError before the first reset.
        """
        if not self._driver.started:
            raise ValueError("step came before reset; call reset first")
        chosen = self._chosen(id)
        mask = self._mask(chosen)
        if mask is not None or not np.array_equal(chosen, self.ready_id):
            given = np.asarray(action)
            if len(given) != len(chosen):
                raise ValueError(f"action holds {len(given)} actions; expected one for each of {len(chosen)} worlds")
            action = self._idle.astype(given.dtype)
            action[chosen] = given
        observation, signals, _ = self._driver.step(self._edge(action), mask)
        return (
            self._rows(observation, chosen),
            signals.reward[chosen],
            signals.terminated[chosen],
            signals.truncated[chosen],
            self._infos(chosen, signals.info["success"]),
        )

    @override
    def seed(self, seed: int | list[int] | None = None) -> Any:
        """Seed the worlds at the next whole reset; returns the seed of each."""
        self._seeds = edges.spread_seeds(seed, self.env_num)
        return [[s] for s in self._seeds]

    @override
    def render(self, **kwargs: Any) -> list[Any]:
        """A frame u8[height, width, 3] of each world in render mode "rgb_array", else None."""
        if self._of_each["render_mode"] is None:
            return [None] * self.env_num
        return list(self._driver.draw())

    @override
    def close(self) -> None:
        """Nothing is held that needs closing."""
        self.is_closed = True

    def _chosen(self, id: Any) -> np.ndarray[Any, Any]:
        return np.arange(self.env_num) if id is None else np.atleast_1d(np.asarray(id, np.int64))

    def _mask(self, chosen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        """bool[B], or None for all."""
        mask = np.zeros(self.env_num, bool)
        mask[chosen] = True
        return None if mask.all() else mask

    def _rows(self, observation: Any, chosen: np.ndarray[Any, Any]) -> Any:
        """Arrays led by the chosen worlds; of a Dict space, as Tianshou has it, an array of dicts."""
        rows = jax.tree.map(lambda x: x[chosen], observation)
        if not isinstance(rows, dict):
            return rows
        return np.array([{name: part[i] for name, part in rows.items()} for i in range(len(chosen))])

    def _infos(self, chosen: Sequence[int] | np.ndarray[Any, Any], success: Any) -> np.ndarray[Any, Any]:
        return np.array([{"env_id": int(i), "success": bool(success[i])} for i in chosen])
