"""Which levels are worth playing: not won by themselves, and not beyond anybody's influence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.env import Physics, State
from minicosm.envs.physics.level import Level, cannot_move
from minicosm.envs.spaces import Dict


class Outcome(NamedTuple):
    """How an episode ended."""

    success: jax.Array  # bool[]
    failure: jax.Array  # bool[]
    steps: jax.Array  # i32[]  until it ended, or the limit


Act = Callable[[jax.Array], jax.Array]  # a key -> f32[A, ...]: the actions of all agents


def rollout(key: jax.Array, level: Level, config: PhysicsConfig, act: Act) -> Outcome:
    """Play one episode by `act`, which sees nothing."""
    env = Physics(config)
    state, _ = env.reset(key, level)

    def step(carry: tuple[State, jax.Array], key: jax.Array) -> tuple[tuple[State, jax.Array], None]:
        state, steps = carry
        state, _ = env.step(key, state, act(key))
        return (state, steps + ~(state.success | state.failure)), None

    steps = jnp.zeros((), jnp.int32)
    (state, steps), _ = jax.lax.scan(step, (state, steps), jax.random.split(key, config.max_steps))
    ended = state.success | state.failure
    return Outcome(state.success, state.failure, steps + ended)


def doing_nothing(config: PhysicsConfig) -> Act:
    """No motor on, no thruster."""
    space = Physics(config).action_space
    assert not isinstance(space, Dict)
    still = jnp.zeros((config.num_agents, *space.shape), space.dtype)
    return lambda _: still


def is_won_by_doing_nothing(level: Level, config: PhysicsConfig) -> jax.Array:
    """bool[]: whether the level is won with no motor on and no thruster, but for automatic ones."""
    return rollout(jax.random.key(0), level, config, doing_nothing(config)).success


def filtered(key: jax.Array, config: PhysicsConfig, count: int, rounds: int = 8) -> Level:
    """`count` levels of the distribution `config.levels`, stacked, that something drives and nothing wins by itself.

    Levels are drawn and tried out in bulk, on the device, by at most `rounds` calls of one compiled program; not for
    use under `jit`. Raises RuntimeError where that many do not suffice.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count is {count!r}; expected a whole number, at least 1")
    kept: list[Level] = []
    missing = count
    for round_key in jax.random.split(key, rounds):
        levels, is_good = _tried(jax.random.split(round_key, count), config)
        chosen = np.flatnonzero(np.asarray(is_good))[:missing]
        kept.append(jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], levels))
        missing -= len(chosen)
        if not missing:
            stacked: Level = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *kept)
            return stacked
    raise RuntimeError(
        f"only {count - missing} of {rounds * count} levels of {config.levels!r} were of use, but {count} are wanted:"
        " raise `rounds` or choose another distribution"
    )


@functools.partial(jax.jit, static_argnums=1)
def _tried(keys: jax.Array, config: PhysicsConfig) -> tuple[Level, jax.Array]:
    env = Physics(config)
    levels = jax.vmap(env.sample_level)(keys)
    is_idle = jax.vmap(lambda level: is_won_by_doing_nothing(level, config))(levels)
    return levels, ~is_idle & ~jax.vmap(cannot_move)(levels)
