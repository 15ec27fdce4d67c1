"""Tells, instead of hanging, that a process was forked after JAX had started."""

from __future__ import annotations

import os

_inherited = False  # this process was forked from one in which JAX had threads of its own, which did not come along


def refuse_forked_jax() -> None:
    """Raise RuntimeError in a process that was forked after JAX had started, where its first computation would hang."""
    if _inherited:
        raise RuntimeError(
            "this process was forked after JAX had started, so JAX would hang in it; use "
            "gymnasium.make_vec(id, num_envs=...), which steps all worlds in one process and is faster, or start "
            'processes afresh (AsyncVectorEnv(..., context="spawn"))'
        )


def _look() -> None:
    global _inherited  # noqa: PLW0603  no one else can tell a child what it inherited
    try:
        from jax._src.xla_bridge import backends_are_initialized
    except ImportError:  # not a public name: without it there is no warning, as before
        return
    _inherited = backends_are_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look)
