"""A kernel and its reference as one function of JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from minicosm.kernels import library


def accelerate(reference: Callable[..., Any], kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that gives what `reference` gives: by `kernel` on the CPU where kernels are available.

    Both take the same arrays (positionally) and return the same pytree of arrays; `kernel` calls `jax.ffi.ffi_call`
    with `vmap_method="broadcast_all"`, so that worlds added by `vmap` become leading axes. The result goes under
    `jit`, `vmap`, `scan` and `shard_map`; it is differentiated by differentiating `reference`. Kernels are written
    for 32 bits: given an array of 64, `reference` runs.

    Where a kernel could run but for the library, a RuntimeWarning says once per process what to do about it.
    """

    def one(*args: Any) -> Any:
        if not library.available():
            if jax.default_backend() == "cpu":
                library.warn_once()
            return reference(*args)
        if any(np.dtype(x.dtype).itemsize > 4 for x in jax.tree.leaves(args)):
            return reference(*args)
        return chosen(*args)

    @jax.custom_jvp
    def chosen(*args: Any) -> Any:
        return jax.lax.platform_dependent(*args, cpu=kernel, default=reference)

    @chosen.defjvp
    def differentiate(primals: Any, tangents: Any) -> Any:
        return jax.jvp(reference, primals, tangents)

    return one
