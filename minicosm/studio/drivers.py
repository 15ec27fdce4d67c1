"""Who drives: a person's keys, or a trained policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np

from minicosm.envs.physics import Physics, State, control, observe
from minicosm.training import Policy


class Driver(Protocol):
    """Says what every binding is told to do, once in each step of an agent."""

    frame_skip: int  # ticks of such a step

    def restart(self) -> None:
        """An episode begins."""

    def hold(self, signals: list[float]) -> None:
        """What a person holds down."""

    def signals(self, state: State) -> np.ndarray:
        """f32[bindings] for the next step, motors first."""


class Keys:
    """A person."""

    def __init__(self, num_motors: int, num_thrusters: int, frame_skip: int) -> None:
        self.frame_skip = frame_skip
        self._lowest = np.array([-1.0] * num_motors + [0.0] * num_thrusters, np.float32)
        self._held = np.zeros_like(self._lowest)

    def restart(self) -> None:
        """Nothing to forget: keys stay down."""

    def hold(self, signals: list[float]) -> None:
        """Raises ValueError unless there is a signal for each binding."""
        if len(signals) != len(self._lowest):
            raise ValueError(f"signals has {len(signals)} numbers; expected {len(self._lowest)}, one for each binding")
        self._held = np.maximum(np.array(signals, np.float32), self._lowest)

    def signals(self, state: State) -> np.ndarray:
        """What is held down now."""
        return self._held


Act = Callable[[jax.Array, State, Any], tuple[jax.Array, Any, jax.Array]]  # key, state, memory -> signals, memory, key


def acting(env: Physics, policy: Policy) -> Act:
    """The compiled way in which a policy of `env`, for one world, turns a state into the bindings' signals."""
    config = env.config

    def act(key: jax.Array, state: State, memory: Any) -> tuple[jax.Array, Any, jax.Array]:
        act_key, key = jax.random.split(key)
        seen = jax.tree.map(lambda part: part[None], observe.observe(state, config))
        action, memory = policy.act(act_key, seen, memory)
        return control.signals(action[0], config), memory, key

    return jax.jit(act)


class Trained:
    """A policy with its memory of an episode; `act` is of `acting`, which many may share."""

    def __init__(self, act: Act, initial_memory: Any, frame_skip: int, seed: int = 0) -> None:
        self.frame_skip = frame_skip
        self._act, self._initial, self._memory, self._key = act, initial_memory, initial_memory, jax.random.key(seed)

    def restart(self) -> None:
        """The policy remembers nothing of the episode before."""
        self._memory = self._initial

    def hold(self, signals: list[float]) -> None:
        """The policy has the keys."""

    def signals(self, state: State) -> np.ndarray:
        """What the policy does at `state`."""
        signals, self._memory, self._key = self._act(self._key, state, self._memory)
        return np.asarray(signals)
