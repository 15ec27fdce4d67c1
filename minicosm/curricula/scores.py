"""How much a level is worth training on: numbers f32[L] from what a policy did on L levels; higher is better.

| name | what it is | source |
|---|---|---|
| "positive_value_loss" | mean over ticks of the positive part of the advantage | Jiang et al. 2021 (PLR) |
| "max_mc" | best return known of the level, less the value predicted, mean over ticks | Jiang et al. 2021 (PLR⊥) |
| "learnability" | p (1 − p), p the share of episodes that succeed | Rutherford et al. 2024 (SFL) |
| "best_known_regret" | best return known of the level, less the policy's mean return | |
| "regret" | best return that the level allows, less the policy's mean return; exact | Dennis et al. 2020 |

Several agents: means over those that the level has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula.base import Outcome
from minicosm.envs.environment import Environment

Score = Callable[[Outcome, jax.Array], jax.Array]  # outcome, best return known f32[L, A] -> f32[L]


def positive_value_loss(outcome: Outcome, best_return: jax.Array) -> jax.Array:
    """f32[L]."""
    del best_return
    return over_agents(outcome.value_loss, outcome)


def max_mc(outcome: Outcome, best_return: jax.Array) -> jax.Array:
    """f32[L]."""
    return over_agents(best_return - outcome.value, outcome)


def learnability(outcome: Outcome, best_return: jax.Array | None = None) -> jax.Array:
    """f32[L], at most 1/4; per agent, then averaged."""
    del best_return
    return over_agents(outcome.success * (1.0 - outcome.success), outcome)


def return_gap(outcome: Outcome, best_return: jax.Array) -> jax.Array:
    """f32[L]: regret, where `best_return` is the optimum; a lower bound of it where it is the best return known."""
    return over_agents(best_return - outcome.returns, outcome)


_SCORES: dict[str, Score] = {
    "positive_value_loss": positive_value_loss,
    "max_mc": max_mc,
    "learnability": learnability,
    "best_known_regret": return_gap,
    "regret": return_gap,
}


def names() -> tuple[str, ...]:
    """What `of` accepts."""
    return tuple(_SCORES)


def of(name: str, outcome: Outcome, best_return: jax.Array) -> jax.Array:
    """f32[L]: the score called `name`. Raises ValueError for an unknown name."""
    require(name)
    return _SCORES[name](outcome, best_return)


def require(name: str) -> None:
    """Raise ValueError unless there is a score called `name`."""
    if name not in _SCORES:
        raise ValueError(f"no score is named {name!r} (known: {', '.join(_SCORES)})")


def optimum(name: str, env: Environment[Any, Any], levels: Any, known: jax.Array) -> jax.Array:
    """f32[L, A]: the return that the score `name` compares with: the optimum of each level, or the best one `known`.

    Raises ValueError where `env` knows no optimum and the score needs it.
    """
    if name != "regret":
        return known
    best: jax.Array = jax.vmap(env.optimal_return)(levels)
    return best


def over_agents(values: jax.Array, outcome: Outcome) -> jax.Array:
    """f32[L]: mean of f32[L, A] over the agents that take part."""
    count = jnp.maximum(jnp.sum(outcome.active, axis=1), 1)
    return jnp.sum(jnp.where(outcome.active, values, 0.0), axis=1) / count
