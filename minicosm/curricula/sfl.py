"""Sampling for learnability (SFL): train on levels that the policy solves sometimes but not always.

Every so often the current policy is tried out on many fresh levels, and those with the highest p (1 - p) are kept,
p being the share of episodes that succeed. Source: Rutherford et al., No Regrets: Investigating and Improving Regret
Approximations for Curriculum Discovery (2024).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula.base import Outcome, Player, Proposal, fresh
from minicosm.curricula.buffer import is_whole
from minicosm.curricula.scores import learnability
from minicosm.envs import struct
from minicosm.envs.environment import Environment


@dataclasses.dataclass(frozen=True)
class SFLConfig:
    """Settings of `SFL`; the defaults are those published for `nav`. Raises ValueError, naming the field."""

    num_batches: int = 5  # N, of fresh levels tried out at a refresh
    batch_size: int = 1000  # levels in each
    num_steps: int = 1000  # ticks played on each level: several episodes, most of the time
    num_kept: int = 100  # K, levels kept
    refresh: int = 50  # proposals from one refresh to the next
    share: float = 0.5  # of the worlds play kept levels, the others fresh ones

    def __post_init__(self) -> None:
        for name in ("num_batches", "batch_size", "num_steps", "num_kept", "refresh"):
            if not is_whole(getattr(self, name), 1):
                raise ValueError(f"SFLConfig.{name} is {getattr(self, name)!r}; expected a whole number from 1")
        if not 0 <= self.share <= 1:
            raise ValueError(f"SFLConfig.share is {self.share!r}; expected 0 to 1")
        if self.num_kept > self.num_batches * self.batch_size:
            raise ValueError(
                f"SFLConfig.num_kept is {self.num_kept}, more than the num_batches x batch_size = "
                f"{self.num_batches * self.batch_size} levels tried out"
            )


@struct.dataclass
class SFLState:
    """Between two proposals."""

    levels: Any  # kept ones, led by K
    learnability: jax.Array  # f32[K]
    num_scored: jax.Array  # i32[]  levels tried out so far


@dataclasses.dataclass(frozen=True)
class SFL:
    """Sampling for learnability for `num_envs` worlds of `env`.

    Raises ValueError where a level is tried out for less than an episode.
    """

    env: Environment[Any, Any]
    num_envs: int
    config: SFLConfig = SFLConfig()

    def __post_init__(self) -> None:
        if self.config.num_steps < self.env.max_episode_steps:
            raise ValueError(
                f"SFLConfig.num_steps is {self.config.num_steps}; expected at least {self.env.max_episode_steps}, the "
                "length of the longest episode, so that each level is played to the end"
            )

    @property
    def num_from_buffer(self) -> int:
        """Worlds that play kept levels."""
        return round(self.config.share * self.num_envs)

    def init(self, key: jax.Array) -> SFLState:
        """No levels yet: the first proposal finds some."""
        count = self.config.num_kept
        levels = jax.eval_shape(lambda: fresh(key, self.env, count))
        return SFLState(
            levels=jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), levels),
            learnability=jnp.full((count,), -1.0, jnp.float32),
            num_scored=jnp.zeros((), jnp.int32),
        )

    def propose(self, key: jax.Array, index: jax.Array, state: SFLState, play: Player) -> tuple[SFLState, Proposal]:
        """See `Curriculum`."""
        config, count = self.config, self.num_from_buffer
        fresh_key, draw_key = jax.random.split(key)
        state, others = self._refreshed(fresh_key, index % config.refresh == 0, state, play)
        slot = jax.random.randint(draw_key, (count,), 0, config.num_kept)
        kept = jax.tree.map(lambda x: x[slot], state.levels)
        levels = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), kept, others)
        nowhere = jnp.full((self.num_envs - count,), -1, jnp.int32)
        learn = jnp.ones((self.num_envs,), bool)
        return state, Proposal(levels, jnp.concatenate([slot, nowhere]), learn)

    def update(self, state: SFLState, proposal: Proposal, outcome: Outcome) -> SFLState:
        """Nothing: levels are chosen at a refresh alone."""
        del proposal, outcome
        return state

    def report(self, state: SFLState) -> dict[str, jax.Array]:
        """See `Curriculum`."""
        return {
            "kept_learnability": jnp.mean(state.learnability),
            "scored_levels": state.num_scored.astype(jnp.float32),
        }

    def _refreshed(self, key: jax.Array, is_due: jax.Array, state: SFLState, play: Player) -> tuple[SFLState, Any]:
        """The state, with the best of N batches of fresh levels if `is_due`, and fresh levels for the other worlds.

        The latter are drawn in a round of their own, so that the program holds the generator, which is large, once. A
        round draws few levels at a time, and memory holds one batch.
        """
        config, others = self.config, self.num_envs - self.num_from_buffer
        piece = max(1, others)
        pieces = -(-config.batch_size // piece)
        blank = jax.eval_shape(lambda: fresh(key, self.env, pieces * piece))

        def drawn(key: jax.Array, count: jax.Array) -> Any:
            """The first `count` pieces of a batch."""

            def one(i: jax.Array, levels: Any) -> Any:
                new = fresh(jax.random.fold_in(key, i), self.env, piece)
                return jax.tree.map(
                    lambda all_, some: jax.lax.dynamic_update_slice_in_dim(all_, some, i * piece, 0), levels, new
                )

            return jax.lax.fori_loop(0, count, one, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), blank))

        def turn(i: jax.Array, now: tuple[Any, jax.Array, Any]) -> tuple[Any, jax.Array, Any]:
            kept, score, for_others = now
            level_key, play_key = jax.random.split(jax.random.fold_in(key, i))
            levels = drawn(level_key, jnp.where(i == 0, 1, pieces))

            def choose() -> tuple[Any, jax.Array, Any]:
                batch = jax.tree.map(lambda x: x[: config.batch_size], levels)
                found = learnability(play(play_key, batch, config.num_steps))
                best, chosen = jax.lax.top_k(jnp.concatenate([score, found]), config.num_kept)
                both = jax.tree.map(lambda a, b: jnp.concatenate([a, b])[chosen], kept, batch)
                return both, best, for_others

            chosen: tuple[Any, jax.Array, Any] = jax.lax.cond(
                i == 0, lambda: (kept, score, jax.tree.map(lambda x: x[:piece], levels)), choose
            )
            return chosen

        score = jnp.where(is_due, -1.0, state.learnability)
        nothing = jax.tree.map(lambda x: jnp.zeros((piece, *x.shape[1:]), x.dtype), blank)
        rounds = 1 + jnp.where(is_due, config.num_batches, 0)
        levels, score, for_others = jax.lax.fori_loop(0, rounds, turn, (state.levels, score, nothing))
        num_scored = state.num_scored + jnp.where(is_due, config.num_batches * config.batch_size, 0)
        return SFLState(levels, score, num_scored), jax.tree.map(lambda x: x[:others], for_others)
