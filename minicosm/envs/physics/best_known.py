"""The best return known of levels: by the library's replays, or by as much search as one asks for.

A return is the undiscounted sum of rewards to the end of an episode; by the default rewards +1 for success, -1 for
failure and 0 when time runs out, whenever that is. So a level that can be won has an optimum of 1 exactly, known as
soon as one way to win is; where none is known, what is known is a lower bound on the optimum.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics import library
from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.env import Physics
from minicosm.envs.physics.level import Level
from minicosm.envs.physics.plan import PlanConfig, plan


def best_known(levels: Level, config: PhysicsConfig, search: PlanConfig | None = None) -> jax.Array:
    """f32[L]: what the best actions known of each of `levels`, led by L, earn by the rewards of `config`.

    Those are the library's replay, where the level is one of the library and the replay is for the time limit, the
    frame-skip and the bindings of `config`; else what `plan` finds with `search`. They are played to the end in
    `config`, with nothing done after the last of them. Not for traced arrays.

    Raises ValueError, naming the level, where there is no such replay and `search` is None, and where the actions of
    `config` are not continuous, since what replays and plans do could not be done then.
    """
    if config.action_kind != "continuous":
        raise ValueError(
            f"PhysicsConfig.action_kind is {config.action_kind!r}, but best returns are known of continuous actions,"
            " which may not be matched by others; make the env with action_kind='continuous'"
        )
    count = levels.role.shape[0]
    each: list[Level] = [jax.tree.map(lambda leaf, i=i: leaf[i], levels) for i in range(count)]
    actions = [_actions(level, i, config, search) for i, level in enumerate(each)]
    longest = max((len(found) for found in actions), default=0)
    padded = np.zeros((longest + 1, count, config.num_motor_bindings + config.num_thruster_bindings), np.float32)
    for i, found in enumerate(actions):
        padded[: len(found), i] = found
    env = Physics(dataclasses.replace(config, num_agents=1, observation_kind="flat"))
    returns: jax.Array = _returns(env, levels, jnp.asarray(padded))
    return returns


def _actions(level: Level, index: int, config: PhysicsConfig, search: PlanConfig | None) -> np.ndarray:
    """f32[T, signals] of one level, which errors call levels[`index`]."""
    name = _library_names(config).get(_fingerprint(level))
    if name is not None and _replay_is_for(name, config):
        return library.replay(name).actions
    if search is None:
        if name is None:
            why = "it is none of the library's levels"
        else:
            kept = library.replay(name)
            why = (
                f"the replay of {name!r} is for frame_skip {kept.frame_skip}, {kept.num_motor_bindings} motor and"
                f" {kept.num_thruster_bindings} thruster bindings and {len(kept.actions)} steps or more"
            )
        raise ValueError(
            f"no best return is known of levels[{index}], since {why}; to look for a way to win, give"
            " search=PlanConfig(...) of minicosm.envs.physics.plan"
        )
    return plan(level, config, search).actions


def _replay_is_for(name: str, config: PhysicsConfig) -> bool:
    return library.replay(name).config(config) == config


@functools.lru_cache(maxsize=4)
def _library_names(config: PhysicsConfig) -> dict[bytes, str]:
    """The names of the library's levels that fit `config`, by fingerprint."""
    try:
        levels, names = library.load_all(config)
    except ValueError:  # none fits
        return {}
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(levels)]
    return {b"".join(leaf[i].tobytes() for leaf in leaves): name for i, name in enumerate(names)}


def _fingerprint(level: Level) -> bytes:
    """Equal for levels that are equal bit for bit."""
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(level))


@functools.partial(jax.jit, static_argnums=0)
def _returns(env: Physics, levels: Level, actions: jax.Array) -> jax.Array:
    """f32[L]: undiscounted, of one episode of each level under f32[T + 1, L, signals]; the last row goes on."""
    count, key = levels.role.shape[0], jax.random.key(0)
    state, _ = jax.vmap(env.reset, in_axes=(None, 0))(key, levels)

    def goes_on(now: Any) -> jax.Array:
        _, _, done, time = now
        more: jax.Array = (time < env.config.max_steps) & ~jnp.all(done)
        return more

    def step(now: Any) -> Any:
        state, total, done, time = now
        action = actions[jnp.minimum(time, actions.shape[0] - 1)]
        state, timestep = jax.vmap(env.step, in_axes=(None, 0, 0))(key, state, action[:, None])
        return state, total + jnp.where(done, 0.0, timestep.reward[:, 0]), done | timestep.done, time + 1

    first = (state, jnp.zeros(count), jnp.zeros(count, bool), jnp.int32(0))
    total: jax.Array = jax.lax.while_loop(goes_on, step, first)[1]
    return total
