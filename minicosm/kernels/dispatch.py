"""A kernel and its reference as one function of JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from minicosm.kernels import cuda, library
from minicosm.kernels.deferred import defer


def accelerate(
    reference: Callable[..., Any], kernel: Callable[..., Any], platforms: Sequence[str] = ("cpu",)
) -> Callable[..., Any]:
    """A function of arrays that gives what `reference` gives: by `kernel` on those `platforms` where it is available.

    `platforms` are those for which the kernel has a handler, of "cpu" and "cuda". Both functions take the same arrays
    (positionally) and return the same pytree of arrays; `kernel` calls `jax.ffi.ffi_call` with
    `vmap_method="broadcast_all"`, so that worlds added by `vmap` become leading axes. The result goes under `jit`,
    `vmap`, `scan` and `shard_map`; it is differentiated by differentiating `reference`, which is not even traced in a
    program that does not need it. Kernels are written for 32 bits: given an array of 64, `reference` runs.

    Where a kernel could run but for the library, a RuntimeWarning says once per process what to do about it.
    """

    def one(*args: Any) -> Any:
        runnable = tuple(name for name in platforms if library.available(name))
        here = "cuda" if cuda.is_default() else jax.default_backend()
        if here in platforms and here not in runnable:
            library.warn_once(here)
        if not runnable:
            return reference(*args)
        if any(np.dtype(x.dtype).itemsize > 4 for x in jax.tree.leaves(args)):
            return reference(*args)
        return chosen(runnable)(*args)

    chosen = functools.cache(functools.partial(_chosen, reference, kernel))
    return one


def _chosen(
    reference: Callable[..., Any], kernel: Callable[..., Any], platforms: tuple[str, ...]
) -> Callable[..., Any]:
    """`kernel` on `platforms`, `reference` elsewhere and under differentiation."""

    @jax.custom_jvp
    def choose(*args: Any) -> Any:
        axes = frozenset[str]().union(*(_varying(x) for x in jax.tree.leaves(args)))
        kernels = dict.fromkeys(platforms, _vary(kernel, axes))
        return jax.lax.platform_dependent(*args, **kernels, default=_vary(defer(reference, kernel), axes))

    @choose.defjvp
    def differentiate(primals: Any, tangents: Any) -> Any:
        return jax.jvp(reference, primals, tangents)

    return choose


def _varying(x: Any) -> frozenset[str]:
    """The axes of the mesh, inside `shard_map`, along which `x` differs."""
    kind = jax.typeof(x)
    axes = kind.manual_axis_type.varying if hasattr(kind, "manual_axis_type") else getattr(kind, "vma", ())
    return frozenset(axes)


def _vary(function: Callable[..., Any], axes: frozenset[str]) -> Callable[..., Any]:
    """`function`, its results declared to differ along `axes`: what a foreign call makes says nothing of it."""

    def declare(x: Any) -> Any:
        missing = tuple(sorted(axes - _varying(x)))
        if not missing:
            return x
        if hasattr(jax.lax, "pcast"):
            return jax.lax.pcast(x, missing, to="varying")
        return jax.lax.pvary(x, missing)  # type: ignore[attr-defined]  # its name before jax 0.8

    return lambda *args: jax.tree.map(declare, function(*args))
