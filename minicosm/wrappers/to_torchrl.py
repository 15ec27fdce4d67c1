"""Worlds of any number of agents as `torchrl.envs.EnvBase`."""

from __future__ import annotations

import importlib.util
from typing import Any

import jax
import numpy as np
from typing_extensions import override

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import Box, Dict, Discrete, Space
from minicosm.wrappers import edges
from minicosm.wrappers.auto_reset import AutoReset, LevelSource
from minicosm.wrappers.driver import Driver
from minicosm.wrappers.layout import Signals

if importlib.util.find_spec("torchrl") is None:
    raise ImportError('TorchRLEnv needs TorchRL: pip install "minicosm[torchrl]"')
import torch
from tensordict import TensorDict
from torchrl.data import Bounded, Categorical, Composite, MultiCategorical, Unbounded
from torchrl.envs import EnvBase

GROUP = "agents"
_ENDINGS = ("done", "terminated", "truncated")


class TorchRLEnv(EnvBase):  # type: ignore[misc]
    """`num_envs` worlds of `env` as a batch-locked environment of batch size [num_envs], stepped by one compiled call.

    A world of one agent has `observation` (or the names of a Dict space), `action`, `reward`, `done`, `terminated`,
    `truncated` and `success` at the root. A world of A agents has them in the group "agents", shaped
    [num_envs, A, ...] (`group_map` names the agents), and at the root the `done`, `terminated` and `truncated` of the
    world, which is done when its last agent is. An agent that has ended keeps its `done` True with reward 0, and its
    actions are ignored, until its world is reset; steps that it starts with `done` True are none of its own.

    Nothing resets by itself: `rollout` and the collectors reset the worlds that are done, and `reset` takes a partial
    "_reset". Tensors are on the worlds' device, and cross by DLPack without passing through the host.

    `seed` (or `set_seed`) s gives the episodes that the other adapters play under s, at the next reset. `level_source`,
    key -> level, replaces the task distribution. Raises ValueError for a number of worlds below 1.
    """

    def __init__(
        self,
        env: Environment[Any, Any],
        num_envs: int,
        *,
        seed: int | None = None,
        level_source: LevelSource | None = None,
    ) -> None:
        worlds = AutoReset(env, num_envs, "disabled", level_source)
        device = jax.local_devices()[0]
        name = "cpu" if device.platform == "cpu" else f"cuda:{device.local_hardware_id or 0}"
        super().__init__(device=torch.device(name), batch_size=torch.Size([num_envs]))
        self.world = env
        self.is_multi_agent = env.num_agents > 1
        self._lead: tuple[int, ...] = (num_envs, env.num_agents) if self.is_multi_agent else (num_envs,)
        self._driver = Driver(worlds, "torch", agents="stacked" if self.is_multi_agent else "alone", batched=True)
        self._edge = edges.ActionEdge(env.action_space, self._lead, "torch")
        self._entropy = np.random.default_rng()
        self._seed = None if seed is None else edges.require_seed(seed)
        self._endings: dict[str, Any] = {}  # of the agents, [*lead, 1], as last handed out
        self._make_specs()

    @property
    def group_map(self) -> dict[str, list[str]]:
        """The agents of each group; empty for a world of one agent."""
        return {GROUP: list(self.world.agents)} if self.is_multi_agent else {}

    def _make_specs(self) -> None:
        lead = self._lead
        flags = {name: self._flag(lead) for name in _ENDINGS}
        observations = {name: to_spec(space, lead, self.device) for name, space in _named(self.world.observation_space)}
        observations["success"] = self._flag(lead)
        parts = {
            "observation_spec": observations,
            "action_spec": {"action": to_spec(self.world.action_space, lead, self.device, integers=torch.int64)},
            "reward_spec": {"reward": Unbounded((*lead, 1), device=self.device)},
            "done_spec": flags,
        }
        for name, entries in parts.items():
            spec: dict[str, Any] = entries
            if self.is_multi_agent:
                root = {flag: self._flag(lead[:1]) for flag in _ENDINGS} if name == "done_spec" else {}
                spec = {GROUP: Composite(entries, shape=lead), **root}
            setattr(self, name, Composite(spec, shape=self.batch_size))

    def _flag(self, lead: tuple[int, ...]) -> Any:
        return Categorical(2, shape=(*lead, 1), dtype=torch.bool, device=self.device)

    @override
    def _set_seed(self, seed: int | None) -> None:
        self._seed = None if seed is None else edges.require_seed(seed)

    @override
    def _reset(self, tensordict: Any = None, **kwargs: Any) -> Any:
        mask = self._mask(tensordict)
        seed, num_envs = None, self._lead[0]
        if mask is None:
            seed, self._seed = self._seed, None
        observation, _ = self._driver.reset(edges.spread_seeds(seed, num_envs), mask, self._entropy)
        flags = {name: torch.zeros((*self._lead, 1), dtype=torch.bool, device=self.device) for name in _ENDINGS}
        if mask is not None:
            kept = torch.as_tensor(~mask, device=self.device).reshape(-1, *[1] * len(self._lead))
            flags = {name: self._endings[name] & kept for name in _ENDINGS}
        self._endings = flags
        return self._tensordict(observation, {"success": torch.zeros_like(flags["done"]), **flags})

    @override
    def _step(self, tensordict: Any) -> Any:
        if not self._driver.started:
            raise ValueError("step came before reset; call reset first")
        action = tensordict.get((GROUP, "action") if self.is_multi_agent else "action")
        observation, signals, _ = self._driver.step(self._edge(action))
        ended = self._signals(signals)
        self._endings = {name: ended[name] for name in _ENDINGS}
        return self._tensordict(observation, ended)

    def _signals(self, signals: Signals) -> dict[str, Any]:
        given = {
            "reward": signals.reward,
            "success": signals.info["success"],
            "done": signals.terminated | signals.truncated,
            "terminated": signals.terminated,
            "truncated": signals.truncated,
        }
        return {name: value.unsqueeze(-1) for name, value in given.items()}

    def _tensordict(self, observation: Any, others: dict[str, Any]) -> Any:
        names = dict(_named(self.world.observation_space))
        entries = {**(observation if "observation" not in names else {"observation": observation}), **others}
        if not self.is_multi_agent:
            return TensorDict(entries, batch_size=self.batch_size, device=self.device)
        done = others["done"].all(1)
        # the world is terminated where its task ended for all, else truncated: there is something to bootstrap from
        terminated = others["terminated"].all(1)
        root = {"done": done, "terminated": terminated, "truncated": done & ~terminated}
        group = TensorDict(entries, batch_size=torch.Size(self._lead), device=self.device)
        return TensorDict({GROUP: group, **root}, batch_size=self.batch_size, device=self.device)

    def _mask(self, tensordict: Any) -> np.ndarray[Any, Any] | None:
        """bool[B] of the worlds to reset, or None for all."""
        if tensordict is None:
            return None
        mask = tensordict.get("_reset", None)
        if mask is None and self.is_multi_agent:
            mask = tensordict.get((GROUP, "_reset"), None)
        if mask is None or bool(mask.all()):
            return None
        flags: np.ndarray[Any, Any] = mask.reshape(self._lead[0], -1).cpu().numpy()
        if (flags.any(1) != flags.all(1)).any():
            raise ValueError('"_reset" chooses some agents of a world only; the agents of a world are reset together')
        return flags[:, 0]


def to_spec(space: Space, lead: tuple[int, ...], device: Any, *, integers: Any = torch.int32) -> Any:
    """The TorchRL spec of `space`, led by `lead`; choices have the dtype `integers`."""
    if isinstance(space, Dict):
        return Composite({name: to_spec(part, lead, device) for name, part in space.items}, shape=lead)
    if isinstance(space, Discrete):
        return Categorical(space.n, shape=lead, dtype=integers, device=device)
    shape = (*lead, *space.shape)
    if not isinstance(space, Box):
        return MultiCategorical(list(space.n), shape=shape, dtype=integers, device=device)
    low, high = (torch.as_tensor(bound.copy(), device=device) for bound in space.bounds)
    if bool(torch.isfinite(low).all() and torch.isfinite(high).all()):
        return Bounded(low.expand(shape), high.expand(shape), shape, device=device, dtype=low.dtype)
    return Unbounded(shape, device=device, dtype=low.dtype)


def _named(space: Space) -> tuple[tuple[str, Space], ...]:
    return space.items if isinstance(space, Dict) else (("observation", space),)
