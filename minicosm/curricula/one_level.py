"""One given level for all worlds, as data: what a study trains on level after level by a single compiled program."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula.base import Outcome, Player, Proposal, not_in_buffer
from minicosm.envs.environment import Environment


@dataclasses.dataclass(frozen=True)
class OneLevel:
    """`num_envs` worlds of `env` all play the level that is the state; `training.Start` puts it there."""

    env: Environment[Any, Any]
    num_envs: int

    def init(self, key: jax.Array) -> Any:
        """A level of zeros, which nobody can play: another must take its place."""
        shapes = jax.eval_shape(self.env.sample_level, key)
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def propose(self, key: jax.Array, index: jax.Array, state: Any, play: Player) -> tuple[Any, Proposal]:
        """See `Curriculum`."""
        del key, index, play
        levels = jax.tree.map(lambda x: jnp.broadcast_to(x, (self.num_envs, *x.shape)), state)
        return state, not_in_buffer(levels, self.num_envs)

    def update(self, state: Any, proposal: Proposal, outcome: Outcome) -> Any:
        """Nothing: the level stays."""
        del proposal, outcome
        return state

    def report(self, state: Any) -> dict[str, jax.Array]:
        """Nothing to tell."""
        del state
        return {}
