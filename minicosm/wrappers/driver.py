"""What every adapter does between a caller's `reset` and `step` and the compiled worlds.

One compiled call per step, and one small transfer besides the observation: whatever is reshaping, squeezing an axis,
masking `info` or splitting agents happens inside that call.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.wrappers.auto_reset import AutoReset, AutoResetState
from minicosm.wrappers.edges import Output, keys_from_seeds, require_output
from minicosm.wrappers.packing import Packed, pack

_CACHED_PROGRAMS = 64


@dataclasses.dataclass(frozen=True)
class Form:
    """How the adapter's interface wants arrays that the core leads with B, A."""

    by_agent: bool  # a dict with an entry per agent; else the axis A, of length 1, is dropped
    batched: bool  # keep the axis B, and give `info` Gymnasium's masks; else B, of length 1, is dropped
    on_host: bool  # arrays are packed for one transfer to the host


@struct.dataclass
class Signals:
    """All that a step hands out, save the observations, in the form's layout."""

    reward: Any  # f32
    terminated: Any  # bool
    truncated: Any  # bool
    done: Any  # bool[B]  a world's episode ended in this step
    info: Any
    final_info: Any  # of the episodes that ended in this step ("same_step"); else None


class Driver:
    """`worlds` as an adapter plays them: seeds in, arrays of the kind `output` out.

    `reset` and `step` hand out trees in the layout of `by_agent` and `batched` (see `Form`): NumPy arrays are writable
    and new at each call; torch tensors on the CPU too. JAX arrays, and torch tensors on an accelerator, are handed out
    without waiting for the device; hence `step` cannot know whether a world has ended, and always hands out the final
    observations.
    """

    def __init__(self, worlds: AutoReset, output: Output, *, by_agent: bool, batched: bool) -> None:
        on_host = require_output(output) == "numpy" or (output == "torch" and jax.default_backend() == "cpu")
        self._programs = _programs(worlds, Form(by_agent, batched, on_host))
        self._worlds = worlds
        self._state: AutoResetState | None = None
        self._observation: Any = None  # of the last call, on the device
        self._split: Callable[[Any], Any] | None = None
        self._clone: Callable[[Any], Any] | None = None
        if output == "torch":
            self._split, self._clone = _torch_converters()

    @property
    def started(self) -> bool:
        """Whether there is a state to step, draw or reset in part."""
        return self._state is not None

    def reset(
        self, seeds: Sequence[int | None], mask: np.ndarray[Any, Any] | None, entropy: np.random.Generator
    ) -> tuple[Any, Any]:
        """Reset the worlds of `mask` bool[B] (None: all), with `seeds`; (observations, info) of all worlds.

        A world whose seed is None plays its next episode, or at the very start takes a seed from `entropy`.
        Raises ValueError for a mask before the first whole reset.
        """
        if mask is None and (self._state is None or None not in seeds):
            seeds = [int(entropy.integers(2**63)) if seed is None else seed for seed in seeds]
            self._state, (observation, info) = self._programs.reset(keys_from_seeds(seeds))  # type: ignore[arg-type]
        else:
            if self._state is None:
                raise ValueError("options['reset_mask'] came before the first reset; first reset every world")
            chosen = np.ones(len(seeds), np.bool_) if mask is None else mask
            seeded = chosen & np.array([seed is not None for seed in seeds])
            keys = keys_from_seeds([seed or 0 for seed in seeds])
            program = self._programs.reseed if seeded.any() else self._programs.restart
            previous = self._observation
            self._state, (observation, info) = program(self._state, previous, chosen & ~seeded, seeded, keys)
        self._observation = observation
        return self._convert(observation), self._convert(info)

    def step(self, action: Any) -> tuple[Any, Signals, Any]:
        """Advance every world: (observations, signals, final observations or None).

        `action` leads as the form's layout does; with `by_agent` it is a dict of arrays, or one array of [B, A, ...].
        """
        self._state, (observation, signals, final) = self._programs.step(self._state, action)
        self._observation = observation
        signals = self._convert(signals)
        if isinstance(final, Packed) and not signals.done.any():
            final, signals = None, dataclasses.replace(signals, final_info=None)
        return self._convert(observation), signals, None if final is None else self._convert(final)

    def draw(self) -> np.ndarray[Any, Any]:
        """u8[B, height, width, 3]: a picture of each world."""
        return np.array(self._programs.draw(self._state))

    def global_observation(self) -> Any:
        """The world's state as a centralised critic sees it: [B, ...], or [...] where B is dropped."""
        return self._convert(self._programs.global_observation(self._state))

    def _convert(self, tree: Any) -> Any:
        if isinstance(tree, Packed):
            return tree.fetch(self._split)
        return tree if self._clone is None else jax.tree.map(self._clone, tree)


def _torch_converters() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """From a stack of NumPy arrays to tensors that share its memory, and from a JAX array to a tensor of its own.

    Its own, since in-place operations must not reach the worlds' arrays.
    """
    from torch import from_numpy  # only known to be there when asked for
    from torch.utils.dlpack import from_dlpack

    return lambda stack: from_numpy(stack).unbind(0), lambda array: from_dlpack(array).clone()


def as_python(info: dict[str, Any]) -> dict[str, Any]:
    """`info` with single numbers as Python's own."""
    return {name: value.item() if value.ndim == 0 else value for name, value in info.items()}


@dataclasses.dataclass(frozen=True)
class _Programs:
    """Compiled functions of one kind of worlds and one form; observation and info come packed if `form.on_host`."""

    reset: Callable[[jax.Array], Any]  # keys -> state, (observation, info)
    restart: Callable[..., Any]  # state, last observation, worlds to restart, to reseed, keys -> the same
    reseed: Callable[..., Any]  # alike, where some worlds are to be seeded
    step: Callable[[Any, Any], Any]  # state, action -> state, (observation, signals, final observation)
    draw: Callable[[Any], jax.Array]
    global_observation: Callable[[Any], Any]


@functools.lru_cache(maxsize=_CACHED_PROGRAMS)
def _programs(worlds: AutoReset, form: Form) -> _Programs:
    """Cached, so that a second adapter of the same kind compiles nothing."""
    layout = _Layout(worlds, form)
    env = worlds.env

    def first(state: AutoResetState, observation: Any, changed: jax.Array) -> Any:
        info = layout.info({}, {"level_index": state.episode, "reset": changed}, jnp.ones_like(changed))
        return _stored(state), (layout.observation(observation), layout.signals(info))

    def reset(keys: jax.Array) -> Any:
        state, observation = worlds.reset(keys)
        return first(state, observation, jnp.ones((worlds.num_envs,), bool))

    def restart(state: AutoResetState, previous: Any, again: jax.Array, seeded: jax.Array, keys: jax.Array) -> Any:
        state, observation = worlds.reset_where(_usable(state), again, layout.core_observation(previous))
        return first(state, observation, again | seeded)

    def reseed(state: AutoResetState, previous: Any, again: jax.Array, seeded: jax.Array, keys: jax.Array) -> Any:
        state, observation = worlds.reset_where(_usable(state), again, layout.core_observation(previous))
        state, observation = worlds.reseed_where(state, seeded, keys, observation)
        return first(state, observation, again | seeded)

    def step(state: AutoResetState, action: Any) -> Any:
        state, timestep = worlds.step(_usable(state), layout.core_action(action))
        final = timestep.info.get("final_observation")
        final = None if final is None else layout.observation(final)
        seen = layout.observation(timestep.observation)
        return _stored(state), (seen, layout.signals(layout.step(timestep)), final)

    def global_observation(state: AutoResetState) -> Any:
        seen = jax.vmap(env.global_observation)(state.env_state)
        return layout.packed(seen if form.batched else seen[0], as_bytes=False)

    return _Programs(
        reset=jax.jit(reset),
        restart=jax.jit(restart, donate_argnums=0),
        reseed=jax.jit(reseed, donate_argnums=0),
        step=jax.jit(step, donate_argnums=0),
        draw=jax.jit(lambda state: jax.vmap(env.draw)(state.env_state)),
        global_observation=jax.jit(global_observation),
    )


@dataclasses.dataclass(frozen=True)
class _Layout:
    """From the core's arrays to the form's, inside compiled code."""

    worlds: AutoReset
    form: Form

    @property
    def env(self) -> Environment[Any, Any]:
        return self.worlds.env

    def packed(self, tree: Any, *, as_bytes: bool) -> Any:
        return pack(tree, as_bytes=as_bytes) if self.form.on_host else tree

    def observation(self, observation: Any) -> Any:
        return self.packed(self._per_agent(observation), as_bytes=False)

    def signals(self, tree: Any) -> Any:
        return self.packed(tree, as_bytes=True)

    def core_observation(self, observation: Any) -> Any:
        """The inverse of `observation`."""
        tree = observation.unpack() if isinstance(observation, Packed) else observation
        if not self.form.batched:
            tree = jax.tree.map(lambda x: x[None], tree)
        if not self.form.by_agent:
            return jax.tree.map(lambda x: x[:, None], tree)
        return jax.tree.map(lambda *xs: jnp.stack(xs, axis=1), *(tree[agent] for agent in self.env.agents))

    def core_action(self, action: Any) -> jax.Array:
        """[B, A, ...] from an array of the form's layout, or a dict of them."""
        if isinstance(action, dict):
            action = jnp.stack([action[agent] for agent in self.env.agents], axis=1 if self.form.batched else 0)
        shape = self.env.action_space.shape  # type: ignore[union-attr]
        return jnp.reshape(action, (self.worlds.num_envs, self.env.num_agents, *shape))

    def step(self, timestep: TimeStep) -> Signals:
        """`timestep` in the form's layout, with `info` told apart by episode as Gymnasium has it.

        A world that was reset in this step has no step's info of its new episode: zeros, its mask False. Under
        "same_step" the old episode's is in `final_info`.
        """
        about = dict(timestep.info)
        about.pop("final_observation", None)
        reset, episode = about.pop("reset"), about.pop("level_index")
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

    def info(
        self, masked: dict[str, Any], by_world: dict[str, Any], mask: jax.Array, *, everywhere: bool = True
    ) -> dict[str, Any]:
        """`masked` holds in the worlds of `mask` bool[B], as does `by_world` unless it holds `everywhere`."""
        if not self.form.batched:
            by_world = {name: x for name, x in by_world.items() if name != "reset"}
            return self._split_info({**masked, **by_world})
        whole = {name: _where(mask, x) for name, x in masked.items()}
        whole |= {f"_{name}": mask for name in masked}
        whole |= by_world if everywhere else {name: _where(mask, x) for name, x in by_world.items()}
        whole |= {f"_{name}": jnp.ones_like(mask) if everywhere else mask for name in by_world}
        return self._split_info(whole)

    def _split_info(self, info: dict[str, Any]) -> dict[str, Any]:
        """Entries that lead with B, A are the agents'; others are the world's, told to each agent."""
        num_agents = self.env.num_agents
        agents: dict[str, dict[str, Any]] = {agent: {} for agent in self.env.agents}
        for name, value in info.items():
            for a, mine in enumerate(agents.values()):
                x = value[:, a] if value.shape[1:2] == (num_agents,) else value
                mine[name] = x if self.form.batched else x[0]
        return agents if self.form.by_agent else agents[self.env.agents[0]]

    def _per_agent(self, tree: Any) -> Any:
        where: Any = slice(None) if self.form.batched else 0
        if not self.form.by_agent:
            return jax.tree.map(lambda x: x[where, 0], tree)
        return {agent: jax.tree.map(lambda x, a=a: x[where, a], tree) for a, agent in enumerate(self.env.agents)}


def _stored(state: AutoResetState) -> AutoResetState:
    """`state` with its keys as plain numbers: JAX takes 10 microseconds a call to check arrays of keys."""
    return dataclasses.replace(state, world_key=jax.random.key_data(state.world_key))


def _usable(state: AutoResetState) -> AutoResetState:
    """The inverse of `_stored`."""
    return dataclasses.replace(state, world_key=jax.random.wrap_key_data(state.world_key))


def _where(mask: jax.Array, x: jax.Array) -> jax.Array:
    """`x` in the worlds of `mask` bool[B], zeros elsewhere."""
    return jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.zeros_like(x))
