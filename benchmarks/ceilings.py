"""What this machine can do at best, measured: float32 arithmetic, matrix products, and memory."""

import statistics
import time

import jax
import jax.numpy as jnp


def seconds(function, argument, repeats=7):
    """Median wall time of a compiled function that gives back its argument anew."""
    argument = function(argument)
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        argument = jax.block_until_ready(function(argument))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def arithmetic_rate() -> float:
    """Float32 operations per second on this machine, all cores: 64 multiply-adds an element, in one fused loop."""
    x = jnp.linspace(0.1, 0.9, 1 << 16)

    @jax.jit
    def chains(x):
        parts = [x + 0.01 * i for i in range(8)]  # eight independent chains hide the latency
        for _ in range(8):
            parts = [p * 0.99 + x for p in parts]
        return sum(parts)

    jax.block_until_ready(chains(x))
    best = 0.0
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(50):
            y = chains(x)
        jax.block_until_ready(y)
        best = max(best, 50 * x.size * (8 + 8 * 8 * 2 + 8) / (time.perf_counter() - start))
    return best


def matrix_rate() -> float:
    """Multiplications and additions per second of float32 matrix products here, the best of a few square ones."""
    best = 0.0
    for rows, width in ((4096, 256), (1024, 1024), (16384, 128)):
        weights = jnp.eye(width)
        product = jax.jit(lambda a, weights=weights: a @ weights)
        best = max(best, 2 * rows * width * width / seconds(product, jnp.ones((rows, width)), 15))
    return best


def bandwidth(size: int = 1 << 25) -> float:
    """Bytes per second to and from memory, the best of a few triads a = b + 3 c of `size` float32 (128 MiB each).

    Arrays are updated in place, so that no fresh memory is asked of the system; b and a are the same.
    """
    triad = jax.jit(lambda b, c: b + 3.0 * c, donate_argnums=0)
    b, c = jnp.zeros(size), jnp.ones(size)
    best = 0.0
    for _ in range(12):
        start = time.perf_counter()
        b = jax.block_until_ready(triad(b, c))
        best = max(best, 3 * 4 * size / (time.perf_counter() - start))
    return best
