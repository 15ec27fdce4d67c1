"""The levels of the library, by name, and those of a user's own files."""

from __future__ import annotations

import functools
import importlib.resources
import os
import pathlib

import jax
import jax.numpy as jnp

from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level
from minicosm.envs.nav.library.text_level import TextLevel, parse

_SUFFIX = ".txt"


@functools.cache
def names() -> tuple[str, ...]:
    """The names of the library's levels, in alphabetical order."""
    files = importlib.resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


@functools.cache
def text(name: str) -> TextLevel:
    """The level `name` as its file says, with its title, description and number of robots.

    Raises ValueError for an unknown name.
    """
    if name not in names():
        raise ValueError(f"there is no library level {name!r}; expected one of {', '.join(names())}")
    file = importlib.resources.files(__package__) / f"{name}{_SUFFIX}"
    return parse(file.read_text(encoding="utf-8"), f"library level {name!r}")


def load(name: str, config: NavConfig) -> Level:
    """The level `name` in arrays of `config` (see `TextLevel.to_level`).

    Raises ValueError, in one sentence, for an unknown name, or where the level does not fit the config.
    """
    return text(name).to_level(config)


def load_all(config: NavConfig, num_robots: int | None = None) -> tuple[Level, tuple[str, ...]]:
    """Every level of the library that fits `config`, stacked along a leading axis L, and their L names.

    With `num_robots`, only those that are for exactly so many robots. Raises ValueError if none is left.
    """
    levels, loaded, misfit = [], [], ""
    for name in names():
        if num_robots is not None and text(name).num_robots != num_robots:
            continue
        try:
            levels.append(load(name, config))
        except ValueError as error:
            misfit = f": {error}"
            continue
        loaded.append(name)
    if not levels:
        wanted = "" if num_robots is None else f" of {num_robots} robots"
        raise ValueError(
            f"no library level{wanted} fits a map of {config.width} x {config.height} cells of {config.cell_size:g} m"
            f" with {config.num_robots} robots of radius {config.radius:g} m{misfit}"
        )
    stacked: Level = jax.tree.map(lambda *leaves: jnp.stack(leaves), *levels)
    return stacked, tuple(loaded)


def load_file(path: str | os.PathLike[str], config: NavConfig) -> Level:
    """The level in the text file at `path`, in arrays of `config`.

    Raises FileNotFoundError, or ValueError in one sentence that begins with the path.
    """
    file = pathlib.Path(path)
    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a text file in UTF-8 ({error.reason}); expected a level as text") from None
    return parse(content, str(file)).to_level(config)
