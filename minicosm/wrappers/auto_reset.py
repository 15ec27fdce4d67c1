"""Automatic reset from a pool of prepared episodes.

Drawing a level for every world at every step, to use it in the one world in fifty that has just ended, is what
dominates the cost of other batched environments. Here each world has its next episode (level, first state,
first observation) lying ready, so that a reset is a select. Used places are filled again in bulk, when enough
have been used or when a world needs one that is not ready.

Which level a world plays is a function of its own seed and of how many episodes it has played, never of its
neighbours, of the batch's size or of when the pool was filled: `level_of` draws it again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.wrappers.batch import require_num_envs, select, swap_in

Mode = Literal["same_step", "next_step", "disabled"]
LevelSource = Callable[[jax.Array], Any]  # key -> level
_LEVEL, _RESET, _STEP = 0, 1, 2  # what a key is for, folded into the world's key
_FEW = 32  # worlds, of which in most steps none ends its episode: then the arrays of episodes are best left alone


@struct.dataclass
class AutoResetState:
    """B worlds, and the next episode of each."""

    env_state: Any  # batched state of the environment
    world_key: jax.Array  # key[B]
    episode: jax.Array  # i32[B]  index, within its world, of the episode being played
    steps: jax.Array  # i32[B]  steps of this world since it was seeded, over all its episodes
    ended: jax.Array  # bool[B]  the episode is over and the world not yet reset
    ready: Any  # (state, observation) of each world's next episode
    used: jax.Array  # bool[B]  that place is used up


@dataclasses.dataclass(frozen=True)
class AutoReset:
    """B worlds of `env` that reset themselves.

    `mode` is Gymnasium's: "same_step" hands out the new episode's first observation in the step that ended the
    old one, whose last observation is in `info["final_observation"]`; "next_step" hands out the last
    observation, and resets in the following step, which ignores the action and has reward 0; "disabled" waits
    for `reset_where`. `level_source` draws levels, by default the world's own task distribution.
    """

    env: Environment[Any, Any]
    num_envs: int
    mode: Mode = "same_step"
    level_source: LevelSource | None = None

    def __post_init__(self) -> None:
        require_num_envs(self.num_envs)
        if self.mode not in ("same_step", "next_step", "disabled"):
            raise ValueError(f"mode is {self.mode!r}; expected 'same_step', 'next_step' or 'disabled'")

    @property
    def refill(self) -> int:
        """Episodes prepared at a time."""
        return max(1, min(self.num_envs, max(self.num_envs // 8, 16)))

    def reset(self, key: jax.Array) -> tuple[AutoResetState, Observation]:
        """Seed the worlds and start their first episodes. `key` is one key, or key[B] for a key per world.

        World b of a single key is the world of `fold_in(key, b)`, whatever the number of worlds.
        """
        if key.ndim == 0:
            key = jax.vmap(lambda b: jax.random.fold_in(key, b))(jnp.arange(self.num_envs))
        first = jnp.zeros((self.num_envs,), jnp.int32)
        env_state, observation = jax.vmap(self._prepare)(key, first)
        ready = jax.vmap(self._prepare)(key, first + 1)
        nothing = jnp.zeros((self.num_envs,), bool)
        return AutoResetState(env_state, key, first, first, nothing, ready, nothing), observation

    def step(self, state: AutoResetState, action: jax.Array) -> tuple[AutoResetState, TimeStep]:
        """Advance every world by one tick, resetting as `mode` says; `action` leads with B, A.

        `info` gains `level_index` i32[B], the episode that this step belonged to (see `level_of`), `reset`
        bool[B], whether `observation` is the first of a new episode, and with "same_step"
        `final_observation`.
        """
        return self.step_with(
            jax.vmap(_key_for, in_axes=(0, None, 0))(state.world_key, _STEP, state.steps), state, action
        )

    def step_with(self, key: jax.Array, state: AutoResetState, action: jax.Array) -> tuple[AutoResetState, TimeStep]:
        """As `step`, with the randomness of the tick from `key` key[B]; levels are the worlds' own as before."""
        env_state, timestep = jax.vmap(self.env.step)(key, state.env_state, action)
        # a world that has ended takes no step, so its stream of randomness is the same in every mode
        state = dataclasses.replace(state, steps=state.steps + ~state.ended)
        info = {**timestep.info, "level_index": state.episode}

        if self.mode == "same_step":
            state = dataclasses.replace(state, env_state=env_state)
            restart = timestep.done
            info["final_observation"] = timestep.observation
            state, observation = self._restart(state, restart, timestep.observation)
            info["reset"] = restart
            return state, dataclasses.replace(timestep, observation=observation, info=info)

        # a world that has ended stands still until it is reset
        env_state = select(state.ended, state.env_state, env_state)
        timestep = dataclasses.replace(
            timestep, reward=jnp.where(state.ended[:, None], 0.0, timestep.reward), info=info
        )
        if self.mode == "disabled":
            info["reset"] = jnp.zeros_like(state.ended)
            state = dataclasses.replace(state, env_state=env_state, ended=state.ended | timestep.done)
            return state, timestep
        restart = state.ended
        state = dataclasses.replace(state, env_state=env_state, ended=timestep.done & ~restart)
        state, observation = self._restart(state, restart, timestep.observation)
        info["reset"], info["level_index"] = restart, state.episode
        return state, dataclasses.replace(
            timestep,
            observation=observation,
            terminated=timestep.terminated & ~restart[:, None],
            truncated=timestep.truncated & ~restart[:, None],
            info=info,
        )

    def step_where(self, state: AutoResetState, mask: jax.Array, action: jax.Array) -> tuple[AutoResetState, TimeStep]:
        """As `step` in the worlds of `mask` bool[B]; the others stand still. Raises ValueError unless "disabled"."""
        if self.mode != "disabled":
            raise ValueError(f"step_where needs mode 'disabled', in which worlds can stand still; got {self.mode!r}")
        after, timestep = self.step(dataclasses.replace(state, ended=state.ended | ~mask), action)
        return dataclasses.replace(after, ended=jnp.where(mask, after.ended, state.ended)), timestep

    def reset_where(
        self, state: AutoResetState, mask: jax.Array, observation: Observation
    ) -> tuple[AutoResetState, Observation]:
        """Start the next episode in the worlds of `mask` bool[B]; `observation` is kept for the others."""
        state, observation = self._restart(state, mask, observation)
        return dataclasses.replace(state, ended=state.ended & ~mask), observation

    def reseed_where(
        self, state: AutoResetState, mask: jax.Array, key: jax.Array, observation: Observation
    ) -> tuple[AutoResetState, Observation]:
        """Start afresh, as `reset` with `key` key[B] does, in the worlds of `mask` bool[B]."""
        fresh, first = self.reset(key)
        return select(mask, fresh, state), select(mask, first, observation)

    def level_of(self, world_key: jax.Array, episode: jax.Array | int) -> Any:
        """The level of episode number `episode` in the world of `world_key` (see `reset`)."""
        source = self.level_source or self.env.sample_level
        return source(_key_for(world_key, _LEVEL, episode))

    def _prepare(self, world_key: jax.Array, episode: jax.Array) -> tuple[Any, Observation]:
        level = self.level_of(world_key, episode)
        return self.env.reset(_key_for(world_key, _RESET, episode), level)

    def _restart(
        self, state: AutoResetState, mask: jax.Array, observation: Observation
    ) -> tuple[AutoResetState, Observation]:
        """Move the worlds of `mask` to their next episodes."""

        def move(state: AutoResetState, observation: Observation) -> tuple[AutoResetState, Observation]:
            state = self._fill(state, mask)
            env_state, observation = swap_in(mask, state.ready, (state.env_state, observation))
            return dataclasses.replace(
                state, env_state=env_state, episode=state.episode + mask, used=state.used | mask
            ), observation

        if self.num_envs > _FEW:
            return move(state, observation)
        is_due = jnp.any(mask) | (jnp.sum(state.used) >= self.refill)
        # a loop of at most one turn: under vmap a branch would be taken always
        done = jnp.zeros((), bool)
        state, observation, _ = jax.lax.while_loop(
            lambda carry: carry[2], lambda carry: (*move(*carry[:2]), done), (state, observation, is_due)
        )
        return state, observation

    def _fill(self, state: AutoResetState, needed: jax.Array) -> AutoResetState:
        """Prepare used places, those of `needed` worlds first, until no needed one and few others are used up."""
        count = self.refill

        def is_short(carry: tuple[Any, jax.Array]) -> jax.Array:
            _, used = carry
            return jnp.any(used & needed) | (jnp.sum(used) >= count)

        def prepare(carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            ready, used = carry
            urgency = used.astype(jnp.int32) + (used & needed)
            _, worlds = jax.lax.top_k(urgency, count)
            fresh = jax.vmap(self._prepare)(state.world_key[worlds], state.episode[worlds] + 1)
            ready = jax.tree.map(lambda pool, new: pool.at[worlds].set(new), ready, fresh)
            return ready, used.at[worlds].set(False)

        ready, used = jax.lax.while_loop(is_short, prepare, (state.ready, state.used))
        return dataclasses.replace(state, ready=ready, used=used)


def _key_for(world_key: jax.Array, purpose: int, index: jax.Array | int) -> jax.Array:
    return jax.random.fold_in(jax.random.fold_in(world_key, purpose), index)


def with_plain_keys(state: AutoResetState) -> AutoResetState:
    """`state` with its keys as plain numbers: JAX takes 10 microseconds a call to check arrays of keys."""
    return dataclasses.replace(state, world_key=jax.random.key_data(state.world_key))


def with_keys(state: AutoResetState) -> AutoResetState:
    """The inverse of `with_plain_keys`."""
    return dataclasses.replace(state, world_key=jax.random.wrap_key_data(state.world_key))
