"""What every curriculum is to the trainer: it proposes levels, is told what happened on them, and goes on.

Axis letters: B levels proposed at a time, one for each world; L levels in general; K places of a buffer; A agents.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from minicosm.envs import struct


@struct.dataclass
class Proposal:
    """Levels for the worlds to play until the next proposal."""

    levels: Any  # led by B
    slot: jax.Array  # i32[B]  where the level lies in the curriculum's buffer, -1 for one that is not there
    learn: jax.Array  # bool[B]  the policy is to learn from it, not only to be scored on it


@struct.dataclass
class Outcome:
    """What a policy did on L levels, over all the episodes that it finished on each."""

    episodes: jax.Array  # f32[L, A]  finished, at least 1
    success: jax.Array  # f32[L, A]  share of them that succeeded
    returns: jax.Array  # f32[L, A]  their mean return, undiscounted
    max_return: jax.Array  # f32[L, A]  their best
    value: jax.Array  # f32[L, A]  mean over episodes of the mean over ticks of the predicted value
    value_loss: jax.Array  # f32[L, A]  the same of max(advantage, 0), generalised advantages
    active: jax.Array  # bool[L, A]  False for agents that the level leaves out


class Player(Protocol):
    """The policy as it is now, on levels that are not for learning."""

    def __call__(self, key: jax.Array, levels: Any, num_steps: int) -> Outcome:
        """Play `num_steps` ticks on each of `levels`, again and again from its start."""


class Curriculum(Protocol):
    """A frozen dataclass of settings, with pure functions of its state.

    `index` counts proposals from 0. It is the same for all seeds of a run, so what a curriculum does by `index` alone,
    under `jax.lax.cond`, is done only when due also where seeds run side by side.
    """

    def init(self, key: jax.Array) -> Any:
        """The state before the first proposal."""

    def propose(self, key: jax.Array, index: jax.Array, state: Any, play: Player) -> tuple[Any, Proposal]:
        """Levels to go on with. `play` tries the current policy out on any levels."""

    def update(self, state: Any, proposal: Proposal, outcome: Outcome) -> Any:
        """Take note of what happened on `proposal`."""

    def report(self, state: Any) -> dict[str, jax.Array]:
        """f32[] each, by name: what the learning curve is to show of the state."""


def fresh(key: jax.Array, env: Any, count: int) -> Any:
    """`count` levels from the distribution of `env`."""
    return jax.vmap(env.sample_level)(jax.random.split(key, count))


def not_in_buffer(levels: Any, count: int) -> Proposal:
    """A proposal of `count` levels that lie in no buffer, to learn from."""
    return Proposal(levels, jnp.full((count,), -1, jnp.int32), jnp.ones((count,), bool))
