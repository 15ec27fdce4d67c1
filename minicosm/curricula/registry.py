"""Curricula by name, each with the settings published for the family of worlds that it is made for."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any

from minicosm.curricula.base import Curriculum
from minicosm.curricula.buffer import Prioritisation
from minicosm.curricula.domain_randomization import DomainRandomization
from minicosm.curricula.plr import PLR, PLRConfig
from minicosm.curricula.sfl import SFL, SFLConfig
from minicosm.envs.environment import Environment
from minicosm.envs.maze import Maze
from minicosm.envs.physics import Physics

Make = Callable[..., Curriculum]  # (env, num_envs, **settings); TypeError or ValueError for wrong settings
Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One registered curriculum."""

    name: str
    make: Make
    summary: str  # one line
    settings: tuple[str, ...] = ()  # names that `make` takes
    defaults: Callable[[Environment[Any, Any]], Settings] = lambda env: {}


_entries: dict[str, Entry] = {}


def register(entry: Entry) -> None:
    """Add a curriculum. Raises ValueError when the name is taken."""
    if entry.name in _entries:
        raise ValueError(f"a curriculum named {entry.name!r} is registered already; choose another name")
    _entries[entry.name] = entry


def entries() -> tuple[Entry, ...]:
    """Every registered curriculum, in the order of registration."""
    return tuple(_entries.values())


def names() -> tuple[str, ...]:
    """Names that `make` accepts."""
    return tuple(_entries)


def make(name: str, env: Environment[Any, Any], num_envs: int, **settings: Any) -> Curriculum:
    """The curriculum called `name` for `num_envs` worlds of `env`, with `settings` over what is published for `env`.

    Raises ValueError for an unknown name or setting, or a value that cannot work.
    """
    if name not in _entries:
        raise ValueError(f"no curriculum is named {name!r}{_hint(name, _entries)} (known: {', '.join(_entries)})")
    entry = _entries[name]
    for setting in settings:
        if setting not in entry.settings:
            known = ", ".join(entry.settings) or "none"
            raise ValueError(f"{name!r} has no setting {setting!r}{_hint(setting, entry.settings)} (settings: {known})")
    try:
        return entry.make(env, num_envs, **{**entry.defaults(env), **settings})
    except TypeError as error:
        raise ValueError(f"a setting of {name!r} is of the wrong kind: {settings!r} ({error})") from error


def _hint(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _names_of(config: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(config))


# Those of the level buffer's priorities are flat among PLR's settings, so that a command line can give them.
_PRIORITY = ("kind", "temperature", "staleness", "topk")


def _plr(env: Environment[Any, Any], num_envs: int, **settings: Any) -> PLR:
    priority = {name: settings.pop(name) for name in _PRIORITY if name in settings}
    return PLR(env, num_envs, PLRConfig(prioritisation=Prioritisation(**priority), **settings))


def _sfl(env: Environment[Any, Any], num_envs: int, **settings: Any) -> SFL:
    return SFL(env, num_envs, SFLConfig(**settings))


def _plr_published(env: Environment[Any, Any]) -> Settings:
    """Mazes: JaxUED's. Other worlds: those of the SFL paper."""
    if isinstance(env, Maze):
        return {"replay_probability": 0.8, "temperature": 0.3}
    return {"replay_probability": 0.5, "temperature": 1.0}


def _accel_published(env: Environment[Any, Any]) -> Settings:
    return {**_plr_published(env), "num_edits": 5 if isinstance(env, Maze) else 20}


def _sfl_published(env: Environment[Any, Any]) -> Settings:
    """Mazes and nav: the SFL paper's. Physics: Kinetix's."""
    if isinstance(env, Maze):
        return {"batch_size": 5000, "num_steps": 2000, "num_kept": 1000}
    if isinstance(env, Physics):
        return {"num_batches": 3, "batch_size": 4096, "num_steps": 512, "num_kept": 1024, "refresh": 128}
    return {}


_PLR_SETTINGS = (*(n for n in _names_of(PLRConfig) if n not in ("prioritisation", "learn_from_new")), *_PRIORITY)
register(Entry("dr", DomainRandomization, "domain randomization: fresh levels every time"))
register(
    Entry(
        "plr",
        lambda env, num_envs, **settings: _plr(env, num_envs, learn_from_new=True, **settings),
        "prioritised level replay: levels that scored high come again",
        _PLR_SETTINGS,
        _plr_published,
    )
)
register(Entry("robust_plr", _plr, "PLR that learns from replayed levels alone", _PLR_SETTINGS, _plr_published))
register(Entry("accel", _plr, "robust PLR that also edits the levels it replays", _PLR_SETTINGS, _accel_published))
register(
    Entry(
        "sfl",
        _sfl,
        "sampling for learnability: levels solved sometimes but not always",
        _names_of(SFLConfig),
        _sfl_published,
    )
)
