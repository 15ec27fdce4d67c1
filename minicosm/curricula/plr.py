"""Prioritised level replay (PLR), robust PLR and ACCEL: levels that scored high are played again, or edited.

Each proposal is of one kind. New levels are scored and may enter the buffer; a replay draws levels from the buffer and
scores them anew; ACCEL edits the levels of each replay, and scores what comes of it. Robust PLR and ACCEL learn from
replays alone, PLR from all.

Sources: Jiang et al., Prioritized Level Replay (2021) and Replay-Guided Adversarial Environment Design (2021);
Parker-Holder et al., Evolving Curricula with Regret-Based Environment Design (2022).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula import buffer as buffers
from minicosm.curricula import scores
from minicosm.curricula.base import Outcome, Player, Proposal, fresh
from minicosm.curricula.buffer import LevelBuffer, Prioritisation, is_whole
from minicosm.envs import struct
from minicosm.envs.environment import Environment

NEW, REPLAY, MUTATE = 0, 1, 2  # kinds of proposals


@dataclasses.dataclass(frozen=True)
class PLRConfig:
    """Settings of `PLR`; the defaults are published ones. Raises ValueError, naming the field, for what cannot work."""

    capacity: int = 4000  # K, levels in the buffer
    replay_probability: float = 0.5  # of a replay, once the buffer is full enough
    min_filled: float = 0.5  # share of the buffer that has to be filled before the first replay
    score: str = "max_mc"  # see `scores`
    prioritisation: Prioritisation = Prioritisation()
    learn_from_new: bool = False  # also learn from levels that are played to be scored: PLR, where robust PLR does not
    drop_duplicates: bool = True
    num_edits: int = 0  # ACCEL: edits of each level after its replay; 0 for none

    def __post_init__(self) -> None:
        scores.require(self.score)
        for name, ok, expected in (
            ("capacity", is_whole(self.capacity, 1), "a whole number from 1"),
            ("replay_probability", 0 <= self.replay_probability <= 1, "0 to 1"),
            ("min_filled", 0 < self.min_filled <= 1, "above 0, at most 1"),
            ("num_edits", is_whole(self.num_edits, 0), "a whole number from 0"),
        ):
            if not ok:
                raise ValueError(f"PLRConfig.{name} is {getattr(self, name)!r}; expected {expected}")


@struct.dataclass
class PLRState:
    """Between two proposals."""

    buffer: LevelBuffer
    kind: jax.Array  # i32[]  of the last proposal
    parents: Any  # the levels of the last proposal
    num_replays: jax.Array  # i32[]


@dataclasses.dataclass(frozen=True)
class PLR:
    """Prioritised level replay for `num_envs` worlds of `env`.

    Raises ValueError where the buffer has fewer places than there are worlds, or `env` lacks what the settings need.
    """

    env: Environment[Any, Any]
    num_envs: int
    config: PLRConfig = PLRConfig()

    def __post_init__(self) -> None:
        if self.config.capacity < self.num_envs:
            raise ValueError(
                f"PLRConfig.capacity is {self.config.capacity}, fewer than the {self.num_envs} worlds that replay at a "
                "time: raise it, or lower num_envs"
            )
        level = jax.eval_shape(self.env.sample_level, jax.random.key(0))
        if self.config.score == "regret":
            jax.eval_shape(self.env.optimal_return, level)  # says so where there is none
        if self.config.num_edits > 0:
            jax.eval_shape(lambda key: self.env.mutate_level(key, self.env.sample_level(key), 1), jax.random.key(0))

    def init(self, key: jax.Array) -> PLRState:
        """An empty buffer."""
        levels = jax.eval_shape(lambda: fresh(key, self.env, self.num_envs))
        one = jax.eval_shape(self.env.sample_level, key)
        return PLRState(
            buffer=buffers.empty(one, self.config.capacity, self.env.num_agents),
            kind=jnp.full((), NEW, jnp.int32),
            parents=jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), levels),
            num_replays=jnp.zeros((), jnp.int32),
        )

    def propose(self, key: jax.Array, index: jax.Array, state: PLRState, play: Player) -> tuple[PLRState, Proposal]:
        """See `Curriculum`."""
        del index, play
        config, count = self.config, self.num_envs
        coin_key, key = jax.random.split(key)
        is_full_enough = state.buffer.share_filled >= config.min_filled
        is_replay = is_full_enough & jax.random.bernoulli(coin_key, config.replay_probability)
        kind = jnp.where(is_replay, REPLAY, NEW)
        if config.num_edits > 0:
            kind = jnp.where(state.kind == REPLAY, MUTATE, kind)

        def new() -> tuple[Any, jax.Array]:
            return fresh(key, self.env, count), jnp.full((count,), -1, jnp.int32)

        def replay() -> tuple[Any, jax.Array]:
            slot = config.prioritisation.draw(key, state.buffer, count)
            return buffers.at(state.buffer, slot), slot

        def mutate() -> tuple[Any, jax.Array]:
            keys = jax.random.split(key, count)

            def edit(key: jax.Array, level: Any) -> Any:
                return self.env.mutate_level(key, level, config.num_edits)

            return jax.vmap(edit)(keys, state.parents), jnp.full((count,), -1, jnp.int32)

        branches = [new, replay, *([mutate] if config.num_edits > 0 else [])]
        levels, slot = jax.lax.switch(kind, branches)
        learn = jnp.broadcast_to((kind == REPLAY) | config.learn_from_new, (count,))
        state = dataclasses.replace(
            state, kind=kind.astype(jnp.int32), parents=levels, num_replays=state.num_replays + (kind == REPLAY)
        )
        return state, Proposal(levels, slot, learn)

    def update(self, state: PLRState, proposal: Proposal, outcome: Outcome) -> PLRState:
        """See `Curriculum`."""
        name, slot, buffer = self.config.score, proposal.slot, state.buffer
        is_there = slot >= 0
        known = jnp.where(is_there[:, None], buffer.best_return[slot], -jnp.inf)
        known = jnp.maximum(known, outcome.max_return)
        score = scores.of(name, outcome, scores.optimum(name, self.env, proposal.levels, known))
        buffer = buffers.rescore(buffer, slot, score, known)
        offered = jnp.where(is_there, buffers.EMPTY, score)
        buffer = buffers.insert(buffer, proposal.levels, offered, known, self.config.drop_duplicates)
        return dataclasses.replace(state, buffer=buffer)

    def report(self, state: PLRState) -> dict[str, jax.Array]:
        """See `Curriculum`."""
        filled = state.buffer.filled
        mean = jnp.sum(jnp.where(filled, state.buffer.score, 0.0)) / jnp.maximum(jnp.sum(filled), 1)
        return {
            "buffer_filled": state.buffer.share_filled,
            "buffer_score": mean,
            "replays": state.num_replays.astype(jnp.float32),
        }
