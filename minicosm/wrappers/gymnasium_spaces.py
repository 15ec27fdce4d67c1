"""Gymnasium's spaces for ours, which PettingZoo uses too, and what else both ask of a world."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import Box, Dict, Discrete, Space
from minicosm.wrappers.auto_reset import Mode

AUTORESET_MODES: dict[Mode, AutoresetMode] = {
    "next_step": AutoresetMode.NEXT_STEP,
    "same_step": AutoresetMode.SAME_STEP,
    "disabled": AutoresetMode.DISABLED,
}
_DEFAULT_FPS = 30


def to_gymnasium_space(space: Space) -> spaces.Space[Any]:
    """The Gymnasium space of the same values."""
    if isinstance(space, Box):
        low, high = space.bounds
        return spaces.Box(low, high, space.shape, np.dtype(space.dtype).type)
    if isinstance(space, Discrete):
        return spaces.Discrete(space.n)
    if isinstance(space, Dict):
        return spaces.Dict({name: to_gymnasium_space(part) for name, part in space.items})
    return spaces.MultiDiscrete(list(space.n), dtype=space.dtype)


def as_member(space: Space, observation: Any) -> Any:
    """`observation`, NumPy's, of one agent in one world, with the wide integers that Gymnasium's Discrete asks for."""
    if isinstance(space, Dict):
        return {name: as_member(part, observation[name]) for name, part in space.items}
    return np.int64(observation) if isinstance(observation, np.integer) else observation


def state_space(env: Environment[Any, Any]) -> spaces.Box:
    """Of `env.global_observation`, f32[...], bounded by nothing. AttributeError where there is none."""

    def look(key: jax.Array) -> jax.Array:
        state, _ = env.reset(key, env.sample_level(key))
        return env.global_observation(state)

    try:
        seen = jax.eval_shape(look, jax.random.key(0))
    except ValueError as error:
        raise AttributeError(f"no state space: {error}") from None
    return spaces.Box(-np.inf, np.inf, seen.shape, np.float32)


def render_fps(env: Environment[Any, Any]) -> int:
    """Frames per second at which a world that knows its time step plays in real time."""
    dt = getattr(getattr(env, "config", None), "dt", None)
    return max(1, round(1 / dt)) if dt else _DEFAULT_FPS
