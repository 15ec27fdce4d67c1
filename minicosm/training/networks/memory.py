"""Memories over time that forget at resets.

The input's share of the gates is one product for all of time; only the memory's own share is a loop.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.training.config import NetworkConfig
from minicosm.training.networks.dense import Dense

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_orthogonal = nn.initializers.orthogonal


class GRU(nn.Module):
    """A gated recurrent unit (Cho et al. 2014)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, reset: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """f32[T, N, width], the memory after each tick, and f32[N, width], the last one.

        `x` f32[T, N, F]; `reset` bool[T, N], the tick is an episode's first; `memory` f32[N, width].
        """
        inputs = Dense(3 * self.width, kernel_init=_orthogonal(1.0), name="inputs")(x)
        weights = self.param("weights", _orthogonal(1.0), (self.width, 3 * self.width))
        bias = self.param("bias", nn.initializers.zeros, (self.width,))

        def tick(memory: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            given, reset = now
            memory = jnp.where(reset[:, None], 0.0, memory)
            given_read, given_keep, given_new = jnp.split(given, 3, axis=-1)
            own_read, own_keep, own_new = jnp.split(memory @ weights, 3, axis=-1)
            read, keep = nn.sigmoid(given_read + own_read), nn.sigmoid(given_keep + own_keep)
            new = jnp.tanh(given_new + read * (own_new + bias))
            memory = keep * memory + (1 - keep) * new
            return memory, memory

        last, all_of_them = jax.lax.scan(tick, memory, (inputs, reset))
        return all_of_them, last


class LSTM(nn.Module):
    """A long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates that begin open (Gers et al. 2000).

    It remembers what it last put out, then its cell.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, reset: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """f32[T, N, width], the output of each tick, and f32[N, 2 width], the memory after the last one.

        `x` f32[T, N, F]; `reset` bool[T, N], the tick is an episode's first; `memory` f32[N, 2 width].
        """
        inputs = Dense(4 * self.width, kernel_init=_orthogonal(1.0), name="inputs")(x)
        weights = self.param("weights", _orthogonal(1.0), (self.width, 4 * self.width))

        def tick(memory: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            given, reset = now
            output, cell = jnp.split(jnp.where(reset[:, None], 0.0, memory), 2, axis=-1)
            take, keep, show, new = jnp.split(given + output @ weights, 4, axis=-1)
            cell = nn.sigmoid(keep + 1.0) * cell + nn.sigmoid(take) * jnp.tanh(new)
            output = nn.sigmoid(show) * jnp.tanh(cell)
            return jnp.concatenate([output, cell], axis=-1), output

        last, outputs = jax.lax.scan(tick, memory, (inputs, reset))
        return outputs, last


CELLS = {"gru": GRU, "lstm": LSTM}


def memory_size(config: NetworkConfig) -> int:
    """M, numbers that each lane carries from tick to tick; 0 when feed-forward."""
    if not config.recurrent:
        return 0
    one = config.memory * {"gru": 1, "lstm": 2}[config.cell]
    return one * (2 if config.critic == "central" else 1)
