"""Many random numbers from one key, cheaply: generators draw hundreds for each level."""

from __future__ import annotations

import jax
import jax.numpy as jnp

_GOLDEN = 0x9E3779B9  # 2^32 over the golden ratio: steps that spread evenly


def uniform(key: jax.Array, count: int) -> jax.Array:
    """f32[count] in [0, 1), in steps of 2^-24.

    A hash of a counter under two words of the key, which vectorises where JAX's own generator does not (a tenth of its
    time on a CPU). The hash is C. Wellons' lowbias32 ("Prospecting for hash functions", 2018), applied twice.
    """
    words = jax.random.bits(key, (2,))
    counter = jnp.arange(1, count + 1, dtype=jnp.uint32) * jnp.uint32(_GOLDEN)
    mixed = _mix(_mix(counter + words[0]) ^ words[1])
    return (mixed >> 8).astype(jnp.float32) * (1.0 / (1 << 24))


def _mix(x: jax.Array) -> jax.Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
