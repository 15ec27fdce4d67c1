"""A function that is traced only where it is lowered: most programs never need the reference that stands by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

_deferred = Primitive("minicosm_deferred")  # parameters: the function of flat arrays, and what it returns
_deferred.multiple_results = True


def defer(function: Callable[..., Any], like: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, traced when a program with it is lowered, and then only for the platforms for which it is needed.

    `like` takes the same arrays and returns the same pytree of shapes and types: it is asked for those instead. The
    result goes under `jit` and `vmap`; it has no derivative.
    """

    def later(*args: Any) -> Any:
        flat, inside = jax.tree.flatten(args)
        out, outside = jax.tree.flatten(jax.eval_shape(like, *args))

        def of_leaves(*leaves: Any) -> list[Any]:
            return jax.tree.leaves(function(*jax.tree.unflatten(inside, leaves)))

        results = _deferred.bind(*flat, function=of_leaves, out=tuple((x.shape, x.dtype) for x in out))  # type: ignore[no-untyped-call]
        return jax.tree.unflatten(outside, results)

    return later


def _shapes(*_: Any, function: Callable[..., Any], out: Any) -> list[Any]:
    return [jax.core.ShapedArray(shape, dtype) for shape, dtype in out]


def _call(*args: Any, function: Callable[..., Any], out: Any) -> Any:
    return function(*args)


def _batch(args: Sequence[Any], axes: Sequence[Any], *, function: Callable[..., Any], out: Any) -> tuple[Any, Any]:
    size = next(x.shape[axis] for x, axis in zip(args, axes, strict=True) if axis is not None)
    many = jax.vmap(function, in_axes=tuple(axes), axis_size=size)
    wider = tuple(((size, *shape), dtype) for shape, dtype in out)
    return _deferred.bind(*args, function=many, out=wider), [0] * len(out)  # type: ignore[no-untyped-call]


_deferred.def_abstract_eval(_shapes)  # type: ignore[no-untyped-call]
_deferred.def_impl(_call)  # type: ignore[no-untyped-call]
batching.primitive_batchers[_deferred] = _batch
mlir.register_lowering(_deferred, mlir.lower_fun(_call, multiple_results=True))
