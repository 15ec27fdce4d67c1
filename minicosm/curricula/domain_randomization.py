"""Domain randomization: fresh levels every time, whatever happened (Tobin et al. 2017). The baseline."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula.base import Outcome, Player, Proposal, fresh, not_in_buffer
from minicosm.curricula.scores import learnability
from minicosm.envs.environment import Environment


@dataclasses.dataclass(frozen=True)
class DomainRandomization:
    """Fresh levels of `env` for all of `num_envs` worlds. The state is the mean learnability of the last ones."""

    env: Environment[Any, Any]
    num_envs: int

    def init(self, key: jax.Array) -> jax.Array:
        """See `Curriculum`."""
        del key
        return jnp.zeros(())

    def propose(self, key: jax.Array, index: jax.Array, state: jax.Array, play: Player) -> tuple[jax.Array, Proposal]:
        """See `Curriculum`."""
        del index, play
        return state, not_in_buffer(fresh(key, self.env, self.num_envs), self.num_envs)

    def update(self, state: jax.Array, proposal: Proposal, outcome: Outcome) -> jax.Array:
        """See `Curriculum`."""
        del state, proposal
        return jnp.mean(learnability(outcome))

    def report(self, state: jax.Array) -> dict[str, jax.Array]:
        """See `Curriculum`."""
        return {"learnability": state}
