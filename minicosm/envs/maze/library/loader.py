"""The mazes of this folder by name."""

from __future__ import annotations

import difflib
import functools
from importlib import resources
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs.maze.level import Level
from minicosm.envs.maze.library.text_level import from_text


@functools.cache
def names() -> tuple[str, ...]:
    """Names of the mazes, in alphabetical order."""
    return tuple(sorted(file.name[:-4] for file in _folder().iterdir() if file.name.endswith(".txt")))


def text(name: str) -> str:
    """The drawing of the maze called `name`, as `from_text` reads it. Raises ValueError for an unknown name."""
    if name not in names():
        close = difflib.get_close_matches(str(name), names(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no maze of the library is named {name!r}{hint} (known: {', '.join(names())})")
    drawing: str = (_folder() / f"{name}.txt").read_text(encoding="utf-8")
    return drawing


def load(name: str) -> Level:
    """The maze called `name`, of one agent and 13 x 13 cells. Raises ValueError for an unknown name."""
    return from_text(text(name), source=name)


def load_all() -> Level:
    """All of them, stacked in the order of `names()`."""
    stacked: Level = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(load(name) for name in names()))
    return stacked


def _folder() -> Any:  # Traversable, which moved between Python versions
    return resources.files("minicosm.envs.maze.library")
