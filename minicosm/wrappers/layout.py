"""From the core's arrays, led by worlds and agents, to the layout that an adapter's interface wants.

All of it happens inside the compiled step.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.wrappers.auto_reset import AutoReset
from minicosm.wrappers.packing import Packed, pack

# "dict": an entry per agent; "alone": the axis A, of length 1, is dropped; "rows": worlds and agents are one axis,
# B × A, agent a of world b at b A + a (needs `AgentEpisodes`); "stacked": [B, A, ...], as the core has it
Agents = Literal["dict", "alone", "rows", "stacked"]


@dataclasses.dataclass(frozen=True)
class Form:
    """How the adapter's interface wants arrays that the core leads with B, A."""

    agents: Agents
    batched: bool  # keep the axis B, and give `info` Gymnasium's masks; else B, of length 1, is dropped
    on_host: bool  # arrays are packed for one transfer to the host


@struct.dataclass
class Signals:
    """All that a step hands out, save the observations, in the form's layout."""

    reward: Any  # f32
    terminated: Any  # bool
    truncated: Any  # bool
    done: Any  # bool[B]  a world's episode ended in this step; of "rows" bool[B A], an agent's did
    info: Any
    final_info: Any  # of the episodes that ended in this step ("same_step"); else None


@dataclasses.dataclass(frozen=True)
class Layout:
    """From the core's arrays to the form's, inside compiled code."""

    worlds: AutoReset
    form: Form

    @property
    def env(self) -> Environment[Any, Any]:
        """The environment that is played."""
        return self.worlds.env

    def packed(self, tree: Any, *, as_bytes: bool) -> Any:
        """`tree`, in few buffers where it goes to the host."""
        return pack(tree, as_bytes=as_bytes) if self.form.on_host else tree

    def observation(self, observation: Any) -> Any:
        """From the core's, led by B, A."""
        return self.packed(self._per_agent(observation), as_bytes=False)

    def signals(self, tree: Any) -> Any:
        """A tree of small arrays, all in one buffer where it goes from an accelerator to the host.

        On the CPU cutting numbers into bytes takes longer than fetching two buffers more.
        """
        return self.packed(tree, as_bytes=jax.default_backend() != "cpu")

    def core_observation(self, observation: Any) -> Any:
        """The inverse of `observation`."""
        tree = observation.unpack() if isinstance(observation, Packed) else observation
        if not self.form.batched:
            tree = jax.tree.map(lambda x: x[None], tree)
        if self.form.agents == "stacked":
            return tree
        if self.form.agents != "dict":
            return jax.tree.map(lambda x: x.reshape(-1, self.env.num_agents, *x.shape[1:]), tree)
        return jax.tree.map(lambda *xs: jnp.stack(xs, axis=1), *(tree[agent] for agent in self.env.agents))

    def core_action(self, action: Any) -> jax.Array:
        """[B, A, ...] from an array of the form's layout, or a dict of them."""
        if isinstance(action, dict):
            action = jnp.stack([action[agent] for agent in self.env.agents], axis=1 if self.form.batched else 0)
        shape = self.env.action_space.shape  # type: ignore[union-attr]
        return jnp.reshape(action, (self.worlds.num_envs, self.env.num_agents, *shape))

    def first_info(self, episode: jax.Array, changed: jax.Array) -> Any:
        """`info` of a reset that changed some worlds, bool[B]; `episode` i32[B] as in `AutoResetState`."""
        by_world = {"level_index": episode, "reset": changed}
        if self.form.agents == "rows":
            by_world = {name: self._row(x) for name, x in by_world.items()}
            return _masked(by_world, jnp.ones_like(by_world["reset"]))
        return self.info({}, by_world, jnp.ones_like(changed))

    def step(self, timestep: TimeStep) -> Signals:
        """`timestep` in the form's layout, with `info` told apart by episode as Gymnasium has it.

        A world that was reset in this step has no step's info of its new episode: zeros, its mask False. Under
        "same_step" the old episode's is in `final_info`.
        """
        about = dict(timestep.info)
        about.pop("final_observation", None)
        reset, episode = about.pop("reset"), about.pop("level_index")
        if self.form.agents == "rows":
            return self._step_of_rows(timestep, about, reset, episode)
        final_info = None
        if self.worlds.mode == "same_step":
            final_info = self.info(about, {"level_index": episode}, reset, everywhere=False)
            episode = episode + reset
        return Signals(
            reward=self._per_agent(timestep.reward),
            terminated=self._per_agent(timestep.terminated),
            truncated=self._per_agent(timestep.truncated),
            done=timestep.done,
            info=self.info(about, {"level_index": episode, "reset": reset}, ~reset),
            final_info=final_info,
        )

    def _step_of_rows(self, timestep: TimeStep, about: dict[str, Any], reset: jax.Array, episode: jax.Array) -> Signals:
        """As `step`, where each agent's episode ends by itself."""
        active = self._row(about.pop("active"))
        about = {name: self._row(x) for name, x in about.items()}
        terminated, truncated = self._row(timestep.terminated), self._row(timestep.truncated)
        ended, final_info, told = terminated | truncated, None, active
        if self.worlds.mode == "same_step":
            final_info = _masked({**about, "level_index": self._row(episode)}, ended)
            told, episode = active & ~ended, episode + reset
        by_world = {"level_index": self._row(episode), "reset": self._row(reset), "active": active}
        info = _masked(about, told) | _masked(by_world, jnp.ones_like(active))
        return Signals(self._row(timestep.reward), terminated, truncated, ended, info, final_info)

    def info(
        self, masked: dict[str, Any], by_world: dict[str, Any], mask: jax.Array, *, everywhere: bool = True
    ) -> dict[str, Any]:
        """`masked` holds in the worlds of `mask` bool[B], as does `by_world` unless it holds `everywhere`."""
        if not self.form.batched:
            by_world = {name: x for name, x in by_world.items() if name != "reset"}
            return self._split_info({**masked, **by_world})
        whole = _masked(masked, mask) | _masked(by_world, jnp.ones_like(mask) if everywhere else mask)
        return self._split_info(whole)

    def _split_info(self, info: dict[str, Any]) -> dict[str, Any]:
        """Entries that lead with B, A are the agents'; others are the world's, told to each agent."""
        if self.form.agents == "stacked":
            return info
        num_agents = self.env.num_agents
        agents: dict[str, dict[str, Any]] = {agent: {} for agent in self.env.agents}
        for name, value in info.items():
            for a, mine in enumerate(agents.values()):
                x = value[:, a] if value.shape[1:2] == (num_agents,) else value
                mine[name] = x if self.form.batched else x[0]
        return agents if self.form.agents == "dict" else agents[self.env.agents[0]]

    def _row(self, x: jax.Array) -> jax.Array:
        """[B A, ...] of what leads with B, A, or is the world's and told to each agent."""
        num_agents = self.env.num_agents
        if x.shape[1:2] == (num_agents,):
            return x.reshape(-1, *x.shape[2:])
        return jnp.repeat(x, num_agents, axis=0)

    def _per_agent(self, tree: Any) -> Any:
        if self.form.agents == "stacked":
            return tree
        if self.form.agents == "rows":
            return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)
        where: Any = slice(None) if self.form.batched else 0
        if self.form.agents == "alone":
            return jax.tree.map(lambda x: x[where, 0], tree)
        return {agent: jax.tree.map(lambda x, a=a: x[where, a], tree) for a, agent in enumerate(self.env.agents)}


def _masked(entries: dict[str, jax.Array], mask: jax.Array) -> dict[str, jax.Array]:
    """`entries`, zero where `mask` is False, each with the mask beside it under Gymnasium's name."""

    def hold(x: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.zeros_like(x))

    return {name: hold(x) for name, x in entries.items()} | {f"_{name}": mask for name in entries}
