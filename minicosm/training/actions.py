"""Distributions over actions: what the numbers that the policy's net puts out mean in each kind of action space."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.spaces import Box, Discrete, MultiDiscrete, Space

_LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)


class ActionDistribution(Protocol):
    """A family of distributions with K parameters. Leading axes are free; log-probabilities are summed over one action.

    A *draw* is what the distribution is over and what learning keeps; `to_action` makes the environment's action of it.
    """

    @property
    def num_parameters(self) -> int:
        """K, numbers that the net puts out for each agent."""

    @property
    def elements(self) -> tuple[int, ...]:
        """How many of them each element of the action has."""

    @property
    def num_scales(self) -> int:
        """Learned numbers that do not depend on the observation."""

    def sample(self, key: jax.Array, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """Draw from the distribution of `parameters` f32[..., K] and `log_std` f32[num_scales]."""

    def mode(self, parameters: jax.Array) -> jax.Array:
        """The likeliest draw."""

    def log_prob(self, parameters: jax.Array, log_std: jax.Array, draw: jax.Array) -> jax.Array:
        """f32[...]: logarithm of the probability (density) of `draw`."""

    def entropy(self, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """f32[...]: in nats."""

    def to_action(self, draw: jax.Array) -> jax.Array:
        """The environment's action."""

    def to_draw(self, action: jax.Array) -> jax.Array:
        """The draw that `to_action` makes `action` of."""


@dataclasses.dataclass(frozen=True)
class Categorical:
    """Independent choices, the i-th among `counts[i]`; the parameters are all choices' logits in a row."""

    counts: tuple[int, ...]
    scalar: bool  # the action is one number rather than a vector
    dtype: str

    @property
    def num_parameters(self) -> int:
        """K, one logit for each option of each choice."""
        return sum(self.counts)

    @property
    def elements(self) -> tuple[int, ...]:
        """The options of each choice."""
        return self.counts

    @property
    def num_scales(self) -> int:
        """None."""
        return 0

    def sample(self, key: jax.Array, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """i32[..., choices]."""
        del log_std
        # one uniform number per choice, against the cumulative probabilities, is cheaper than a Gumbel per logit
        uniform = jax.random.uniform(key, (*parameters.shape[:-1], len(self.counts)))
        chosen = []
        for i, logits in enumerate(self._split(parameters)):
            cumulative = jnp.cumsum(jax.nn.softmax(logits), axis=-1)
            below = cumulative[..., :-1] <= uniform[..., i : i + 1] * cumulative[..., -1:]
            chosen.append(jnp.sum(below, axis=-1, dtype=jnp.int32))
        return jnp.stack(chosen, axis=-1)

    def mode(self, parameters: jax.Array) -> jax.Array:
        """i32[..., choices]."""
        return jnp.stack([jnp.argmax(logits, axis=-1) for logits in self._split(parameters)], axis=-1)

    def log_prob(self, parameters: jax.Array, log_std: jax.Array, draw: jax.Array) -> jax.Array:
        """f32[...]."""
        del log_std
        total = jnp.zeros(draw.shape[:-1])
        for i, logits in enumerate(self._split(parameters)):
            chosen = jax.nn.one_hot(
                draw[..., i], logits.shape[-1]
            )  # a product, where a gather's gradient would scatter
            total += jnp.sum(jax.nn.log_softmax(logits) * chosen, axis=-1)
        return total

    def entropy(self, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """f32[...], in nats."""
        del log_std
        total = jnp.zeros(parameters.shape[:-1])
        for logits in self._split(parameters):
            log = jax.nn.log_softmax(logits)
            total -= jnp.sum(jnp.exp(log) * log, axis=-1)
        return total

    def to_action(self, draw: jax.Array) -> jax.Array:
        """The choices, or the one choice."""
        action = draw[..., 0] if self.scalar else draw
        return action.astype(self.dtype)

    def to_draw(self, action: jax.Array) -> jax.Array:
        """i32[..., choices]."""
        return (action[..., None] if self.scalar else action).astype(jnp.int32)

    def _split(self, parameters: jax.Array) -> list[jax.Array]:
        return jnp.split(parameters, np.cumsum(self.counts)[:-1].tolist(), axis=-1)


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Independent normal distributions; the parameters are the means.

    Bounded elements are in half ranges, −1 … 1 from `low` to `high`, and draws beyond are clipped on their way out;
    unbounded ones are as they are.
    """

    space: Box

    @property
    def num_parameters(self) -> int:
        """K, a mean for each element."""
        return self.space.size

    @property
    def elements(self) -> tuple[int, ...]:
        """One each."""
        return (1,) * self.space.size

    @property
    def num_scales(self) -> int:
        """A logarithmic standard deviation for each element."""
        return self.space.size

    def sample(self, key: jax.Array, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """f32[..., K]."""
        return parameters + jnp.exp(log_std) * jax.random.normal(key, parameters.shape)

    def mode(self, parameters: jax.Array) -> jax.Array:
        """f32[..., K]."""
        return parameters

    def log_prob(self, parameters: jax.Array, log_std: jax.Array, draw: jax.Array) -> jax.Array:
        """f32[...]."""
        scaled = (draw - parameters) * jnp.exp(-log_std)
        return jnp.sum(-0.5 * scaled**2 - log_std - _LOG_ROOT_2_PI, axis=-1)

    def entropy(self, parameters: jax.Array, log_std: jax.Array) -> jax.Array:
        """f32[...], in nats."""
        return jnp.broadcast_to(jnp.sum(log_std + 0.5 + _LOG_ROOT_2_PI), parameters.shape[:-1])

    def to_action(self, draw: jax.Array) -> jax.Array:
        """The environment's action, within the bounds."""
        low, high = (bound.ravel() for bound in self.space.bounds)
        centre, half = self._scale
        action = jnp.clip(centre + half * draw, low, high)
        return action.reshape(*draw.shape[:-1], *self.space.shape).astype(self.space.dtype)

    def to_draw(self, action: jax.Array) -> jax.Array:
        """f32[..., K]: of an action at a bound, which many draws are clipped to, the nearest."""
        centre, half = self._scale
        leading = action.shape[: action.ndim - len(self.space.shape)]
        flat = action.reshape(*leading, -1).astype(jnp.float32)
        return (flat - centre) / np.where(half > 0, half, 1.0)

    @property
    def _scale(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Of each element, the middle of its range and half of its width; 0 and 1 where it has no bounds."""
        low, high = (bound.ravel() for bound in self.space.bounds)
        bounded = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
        return (low + high) / 2, (high - low) / 2


def distribution_for(space: Space) -> ActionDistribution:
    """The distribution over a space's actions. Raises ValueError for a space that has none."""
    if isinstance(space, Discrete):
        return Categorical((space.n,), True, space.dtype)
    if isinstance(space, MultiDiscrete):
        return Categorical(tuple(space.n), False, space.dtype)
    if isinstance(space, Box) and np.issubdtype(np.dtype(space.dtype), np.floating):
        return Gaussian(space)
    raise ValueError(
        f"the trainer cannot act in {space}: it knows Discrete, MultiDiscrete and Box of floats; "
        "wrap the world so that its actions are one of these"
    )


def flatten_observation(observation: Any, num_leading: int) -> jax.Array:
    """f32[..., F]: an observation's leaves in a row, behind `num_leading` leading axes."""
    leaves = [leaf.reshape(*leaf.shape[:num_leading], -1) for leaf in jax.tree.leaves(observation)]
    leaves = [leaf.astype(jnp.float32) for leaf in leaves]
    return leaves[0] if len(leaves) == 1 else jnp.concatenate(leaves, axis=-1)
