"""Levels that nobody drew: random ones of any size, and mutations of one that is there."""

from __future__ import annotations

import functools
import json
from typing import Any, Literal

import jax

from minicosm.envs.physics import Physics, PhysicsConfig, kinetix, level_text
from minicosm.envs.physics.config import SIZES
from minicosm.envs.physics.describe import from_level
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.families import FAMILIES
from minicosm.envs.physics.format import LevelFile, smallest_size

KINDS = ("random", "locomotion", "landing", "reaching", "throwing", "balance", "obstacles")


def random_level(size: Literal["s", "m", "l"], kind: str, seed: int) -> LevelFile:
    """The level that `seed` gives. Raises ValueError for a kind that is none, or needs a larger size."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r:.60}; expected one of {', '.join(KINDS)}")
    if size not in sizes()[kind]:
        raise ValueError(
            f"there are no levels of kind {kind!r} and size {size!r}: ask for {' or '.join(sizes()[kind])}"
        )
    level = _sampler(size, kind)(jax.random.key(seed))
    return from_level(level, name=f"{'Random' if kind == 'random' else kind.capitalize()} {seed}")


@functools.cache
def sizes() -> dict[str, list[str]]:
    """Of each kind, the sizes that have room for it."""
    return {kind: [name for name, size in SIZES.items() if _fits(kind, size)] for kind in KINDS}


def _fits(kind: str, size: Size) -> bool:
    return kind not in FAMILIES or FAMILIES[kind].fits(size)


def mutated(file: LevelFile, seed: int, num_edits: int = 3) -> LevelFile:
    """`file` after some random edits. Raises ValueError where it does not load."""
    size = smallest_size(file)
    if size is None:
        raise ValueError("the level is larger than size L: remove some of it first")
    level = file.to_level(PhysicsConfig(size="l"), file.name or "the level")  # one program for all sizes
    changed = _mutator(num_edits)(jax.random.key(seed), level)
    about = {"name": file.name, "author": file.author, "description": file.description, "difficulty": file.difficulty}
    return from_level(changed, **about)


@functools.cache
def _sampler(size: Literal["s", "m", "l"], kind: str) -> Any:
    env = Physics(PhysicsConfig(size=size, levels=kind))
    return jax.jit(env.sample_level)


@functools.cache
def _mutator(num_edits: int) -> Any:
    env = Physics(PhysicsConfig(size="l"))
    return jax.jit(lambda key, level: env.mutate_level(key, level, num_edits))


def imported(content: bytes, name: str) -> LevelFile:
    """The level in a file of ours or of Kinetix. Raises ValueError in one sentence that begins with `name`."""
    data = level_text.loaded(content, name)
    if isinstance(data, dict) and "env_state" in data:
        return kinetix.parse(json.dumps(data), name, name.removesuffix(".json")[:64])
    return level_text.parse(content, name)
