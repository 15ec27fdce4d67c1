"""The levels of the library, by name, and those of a user's own files. Folders s, m and l say which size they need."""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from minicosm.envs.physics.config import PhysicsConfig
    from minicosm.envs.physics.format import LevelFile
    from minicosm.envs.physics.level import Level
    from minicosm.envs.physics.replay import Replay

SizeName = Literal["s", "m", "l"]
_SIZES: tuple[SizeName, ...] = ("s", "m", "l")
_SUFFIX = ".json"


@functools.cache
def _sizes() -> dict[str, SizeName]:
    folder = importlib.resources.files(__package__)
    listed = [(one.name, size) for size in _SIZES for one in (folder / size).iterdir() if one.name.endswith(_SUFFIX)]
    return {name.removesuffix(_SUFFIX): size for name, size in sorted(listed)}


def names(size: SizeName | None = None) -> tuple[str, ...]:
    """The names of the library's levels, in alphabetical order; of one `size`, or of all."""
    return tuple(name for name, its in _sizes().items() if size is None or its == size)


def size_of(name: str) -> SizeName:
    """The size that the level `name` is made for. Raises ValueError for an unknown name."""
    if name not in _sizes():
        close = difflib.get_close_matches(str(name), _sizes(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"there is no library level {name!r}{hint} (expected one of {', '.join(names())})")
    return _sizes()[name]


@functools.cache
def file(name: str) -> LevelFile:
    """The level `name` as its file says. Raises ValueError for an unknown name."""
    from minicosm.envs.physics import level_text

    content = importlib.resources.files(__package__) / size_of(name) / f"{name}{_SUFFIX}"
    return level_text.parse(content.read_bytes(), f"library level {name!r}")


def replay(name: str) -> Replay:
    """The actions that are known to win the level `name`. Raises ValueError for an unknown name."""
    from minicosm.envs.physics import replay

    content = importlib.resources.files(__package__) / "replays" / f"{name}{_SUFFIX}"
    size_of(name)
    return replay.parse(content.read_bytes(), f"replay of library level {name!r}")


def load(name: str, config: PhysicsConfig) -> Level:
    """The level `name` in arrays of `config`.

    Raises ValueError, in one sentence, for an unknown name, or where the level does not fit the config.
    """
    return file(name).to_level(config, f"library level {name!r}")


def load_all(config: PhysicsConfig, size: SizeName | None = None) -> tuple[Level, tuple[str, ...]]:
    """Every level of the library that fits `config`, stacked along a leading axis L, and their L names.

    With `size`, only those of that size. Raises ValueError if none is left.
    """
    import jax
    import jax.numpy as jnp

    levels, loaded, misfit = [], [], ""
    for name in names(size):
        try:
            levels.append(load(name, config))
        except ValueError as error:
            misfit = f": {error}"
            continue
        loaded.append(name)
    if not levels:
        raise ValueError(f"no library level fits {config.slots}{misfit}")
    stacked: Level = jax.tree.map(lambda *leaves: jnp.stack(leaves), *levels)
    return stacked, tuple(loaded)


def load_file(path: str | os.PathLike[str], config: PhysicsConfig) -> Level:
    """The level in the file at `path`, in arrays of `config`.

    Raises FileNotFoundError, or ValueError in one sentence that begins with the path.
    """
    from minicosm.envs.physics import level_text

    return level_text.read(path).to_level(config, str(path))
