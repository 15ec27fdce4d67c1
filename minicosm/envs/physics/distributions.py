"""Task distributions by name: what `PhysicsConfig.levels` may say."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax

from minicosm.envs.physics import library
from minicosm.envs.physics.generate import generate
from minicosm.envs.physics.level import Level

if TYPE_CHECKING:
    from minicosm.envs.physics.config import PhysicsConfig

Distribution = Callable[[jax.Array, "PhysicsConfig"], Level]
DISTRIBUTIONS: dict[str, Distribution] = {"random": generate}


def names() -> tuple[str, ...]:
    """What `PhysicsConfig.levels` may be, beside the names of library levels."""
    return (*DISTRIBUTIONS, "library")


def sample(key: jax.Array, config: PhysicsConfig) -> Level:
    """A level from the distribution that `config.levels` names: "library" draws evenly from the levels of its size.

    Raises ValueError for an unknown name, or a library level that does not fit `config`.
    """
    if config.levels in DISTRIBUTIONS:
        return DISTRIBUTIONS[config.levels](key, config)
    if config.levels == "library" or config.levels in library.names():
        levels = _library(config)
        index = jax.random.randint(key, (), 0, levels.role.shape[0])
        chosen: Level = jax.tree.map(lambda leaf: leaf[index], levels)
        return chosen
    known = (*names(), *library.names())
    close = difflib.get_close_matches(config.levels, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"PhysicsConfig.levels is {config.levels!r}{hint}; expected one of {', '.join(names())}, or a library level"
    )


@functools.cache
def _library(config: PhysicsConfig) -> Level:
    """The library levels that `config` asks for, led by L."""
    with jax.ensure_compile_time_eval():  # also when traced
        if config.levels == "library":
            size = config.size if isinstance(config.size, str) else None
            return library.load_all(config, size)[0]
        one: Level = jax.tree.map(lambda leaf: leaf[None], library.load(config.levels, config))
        return one
