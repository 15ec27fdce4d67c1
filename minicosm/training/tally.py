"""What a policy does on each of the levels in play, added up tick by tick for curricula to judge."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula import Outcome
from minicosm.envs import struct
from minicosm.training.rollout import Samples


@struct.dataclass
class Tally:
    """Sums in N lanes since the levels were handed out, f32[N] each."""

    # of the episode that goes on
    length: jax.Array  # ticks
    reward: jax.Array
    value: jax.Array
    value_loss: jax.Array  # of max(advantage, 0)
    # over the episodes that ended; means over ticks for value and value_loss
    episodes: jax.Array
    successes: jax.Array
    returns: jax.Array
    max_return: jax.Array  # the largest, not a sum
    values: jax.Array
    value_losses: jax.Array


def empty(num_lanes: int) -> Tally:
    """Nothing has happened yet."""
    none = jnp.zeros((num_lanes,))
    return Tally(
        **{field.name: none for field in dataclasses.fields(Tally) if field.name != "max_return"},
        max_return=jnp.full((num_lanes,), -jnp.inf, jnp.float32),
    )


def add(tally: Tally, samples: Samples, advantage: jax.Array) -> Tally:
    """`tally` after T more ticks; `advantage` is f32[T, N]."""

    def tick(now: Tally, seen: tuple[jax.Array, ...]) -> tuple[Tally, None]:
        reward, value, advantage, valid, ended, success = seen
        length = now.length + valid
        episode = {
            "reward": now.reward + reward,
            "value": now.value + value,
            "value_loss": now.value_loss + jnp.maximum(advantage, 0.0),
        }
        episode = {name: jnp.where(valid, new, getattr(now, name)) for name, new in episode.items()}
        ticks = jnp.maximum(length, 1)
        return Tally(
            length=jnp.where(ended, 0.0, length),
            **{name: jnp.where(ended, 0.0, total) for name, total in episode.items()},
            episodes=now.episodes + ended,
            successes=now.successes + (ended & success),
            returns=now.returns + jnp.where(ended, episode["reward"], 0.0),
            max_return=jnp.where(ended, jnp.maximum(now.max_return, episode["reward"]), now.max_return),
            values=now.values + jnp.where(ended, episode["value"] / ticks, 0.0),
            value_losses=now.value_losses + jnp.where(ended, episode["value_loss"] / ticks, 0.0),
        ), None

    ended = samples.valid & samples.last
    seen = (samples.reward, samples.value, advantage, samples.valid, ended, samples.success)
    result: Tally = jax.lax.scan(tick, tally, seen)[0]
    return result


def outcome(tally: Tally, levels: Any, num_agents: int) -> Outcome:
    """What happened on each of `levels`, led by L; lanes are levels x agents.

    Where no episode has ended, the one that goes on counts as one that failed.
    """
    none = tally.episodes == 0
    episodes = jnp.maximum(tally.episodes, 1)
    ticks = jnp.maximum(tally.length, 1)

    def each(values: jax.Array) -> jax.Array:
        return values.reshape(-1, num_agents)

    returns = each(jnp.where(none, tally.reward, tally.returns / episodes))
    return Outcome(
        episodes=each(episodes),
        success=each(tally.successes / episodes),
        returns=returns,
        max_return=each(jnp.where(none, tally.reward, tally.max_return)),
        value=each(jnp.where(none, tally.value / ticks, tally.values / episodes)),
        value_loss=each(jnp.where(none, tally.value_loss / ticks, tally.value_losses / episodes)),
        active=jnp.broadcast_to(getattr(levels, "active", True), returns.shape),
    )
