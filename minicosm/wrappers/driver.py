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

from minicosm.envs.environment import TimeStep
from minicosm.wrappers.auto_reset import AutoReset, AutoResetState, with_keys, with_plain_keys
from minicosm.wrappers.edges import Output, keys_from_seeds, require_output
from minicosm.wrappers.forks import refuse_forked_jax
from minicosm.wrappers.layout import Agents, Form, Layout, Signals
from minicosm.wrappers.packing import Packed

_CACHED_PROGRAMS = 64


class Driver:
    """`worlds` as an adapter plays them: seeds in, arrays of the kind `output` out.

    `reset` and `step` hand out trees in the layout of `agents` and `batched` (see `Form`): NumPy arrays are writable
    and new at each call; torch tensors on the CPU too. JAX arrays, and torch tensors on an accelerator, are handed out
    without waiting for the device; hence `step` cannot know whether a world has ended, and always hands out the final
    observations.
    """

    def __init__(self, worlds: AutoReset, output: Output, *, agents: Agents, batched: bool) -> None:
        on_host = require_output(output) == "numpy" or (output == "torch" and jax.default_backend() == "cpu")
        self._programs = _programs(worlds, Form(agents, batched, on_host))
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
        Raises ValueError for a mask before the first whole reset, RuntimeError in a process that was forked from one in
        which JAX had started.
        """
        refuse_forked_jax()
        if mask is None and (self._state is None or None not in seeds):
            seeds = [int(entropy.integers(2**63)) if seed is None else seed for seed in seeds]
            self._state, (observation, info) = self._programs.reset(keys_from_seeds(seeds))  # type: ignore[arg-type]
        else:
            if self._state is None:
                raise ValueError("options['reset_mask'] came before the first reset; first reset every world")
            chosen = np.ones(len(seeds), np.bool_) if mask is None else mask
            seeded = chosen & np.array([seed is not None for seed in seeds])
            if seeded.any():
                keys = keys_from_seeds([seed or 0 for seed in seeds])
                reseed = self._programs.reseed
                self._state, (observation, info) = reseed(
                    self._state, self._observation, chosen & ~seeded, chosen & seeded, keys
                )
            else:  # hashing seeds that no one asked for would cost more than all the rest
                self._state, (observation, info) = self._programs.restart(self._state, self._observation, chosen)
        self._observation = observation
        return self._convert(observation), self._convert(info)

    def step(self, action: Any, mask: np.ndarray[Any, Any] | None = None) -> tuple[Any, Signals, Any]:
        """Advance every world: (observations, signals, final observations or None).

        With `mask` bool[B], in mode "disabled", only its worlds; what is handed out of the others means nothing.

        `action` leads as the form's layout does; with "dict" it is a dict of arrays, or one array of [B, A, ...].
        """
        if mask is None:
            self._state, (observation, signals, final) = self._programs.step(self._state, action)
        else:
            self._state, (observation, signals, final) = self._programs.step_where(self._state, action, mask)
        self._observation = observation
        seen, signals = self._convert(observation), self._convert(signals)  # the larger first: a few per cent faster
        if isinstance(final, Packed) and not signals.done.any():
            final, signals = None, dataclasses.replace(signals, final_info=None)
        return seen, signals, None if final is None else self._convert(final)

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
    restart: Callable[..., Any]  # state, last observation, worlds to restart -> the same
    reseed: Callable[..., Any]  # state, last observation, worlds to restart, to reseed, keys -> the same
    step: Callable[[Any, Any], Any]  # state, action -> state, (observation, signals, final observation)
    step_where: Callable[..., Any]  # state, action, worlds to step -> the same
    draw: Callable[[Any], jax.Array]
    global_observation: Callable[[Any], Any]


@functools.lru_cache(maxsize=_CACHED_PROGRAMS)
def _programs(worlds: AutoReset, form: Form) -> _Programs:
    """Cached, so that a second adapter of the same kind compiles nothing."""
    layout = Layout(worlds, form)
    env = worlds.env

    def first(state: AutoResetState, observation: Any, changed: jax.Array) -> Any:
        info = layout.first_info(state.episode, changed)
        return with_plain_keys(state), (layout.observation(observation), layout.signals(info))

    def reset(keys: jax.Array) -> Any:
        state, observation = worlds.reset(keys)
        return first(state, observation, jnp.ones((worlds.num_envs,), bool))

    def restart(state: AutoResetState, previous: Any, again: jax.Array) -> Any:
        state, observation = worlds.reset_where(with_keys(state), again, layout.core_observation(previous))
        return first(state, observation, again)

    def reseed(state: AutoResetState, previous: Any, again: jax.Array, seeded: jax.Array, keys: jax.Array) -> Any:
        state, observation = worlds.reset_where(with_keys(state), again, layout.core_observation(previous))
        state, observation = worlds.reseed_where(state, seeded, keys, observation)
        return first(state, observation, again | seeded)

    def step(state: AutoResetState, action: Any) -> Any:
        return handed_out(*worlds.step(with_keys(state), layout.core_action(action)))

    def step_where(state: AutoResetState, action: Any, mask: jax.Array) -> Any:
        return handed_out(*worlds.step_where(with_keys(state), mask, layout.core_action(action)))

    def handed_out(state: AutoResetState, timestep: TimeStep) -> Any:
        final = timestep.info.get("final_observation")
        final = None if final is None else layout.observation(final)
        seen = layout.observation(timestep.observation)
        return with_plain_keys(state), (seen, layout.signals(layout.step(timestep)), final)

    def global_observation(state: AutoResetState) -> Any:
        seen = jax.vmap(env.global_observation)(state.env_state)
        return layout.packed(seen if form.batched else seen[0], as_bytes=False)

    return _Programs(
        reset=jax.jit(reset),
        restart=jax.jit(restart, donate_argnums=0),
        reseed=jax.jit(reseed, donate_argnums=0),
        step=jax.jit(step, donate_argnums=0),
        step_where=jax.jit(step_where, donate_argnums=0),
        draw=jax.jit(lambda state: jax.vmap(env.draw)(state.env_state)),
        global_observation=jax.jit(global_observation),
    )
