"""The worlds by name. Entries are strings until used, so that listing names imports no JAX."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minicosm.envs.environment import Environment


@dataclasses.dataclass(frozen=True)
class Entry:
    """One registered world: the class and config class behind a name, and the settings that the name stands for."""

    name: str
    env: str  # "module:Class", a frozen dataclass with one field `config`
    config: str  # "module:Class", a frozen dataclass
    settings: Mapping[str, Any]  # config fields that differ from the config's defaults
    summary: str  # one line
    gymnasium_id: str | None = None  # e.g. "minicosm/Nav-v0", for worlds of one agent
    pettingzoo_id: str | None = None  # e.g. "minicosm/Nav-v0", for worlds of several agents
    is_single_level: bool = False  # one hand-made level, and not a distribution of tasks


_entries: dict[str, Entry] = {}


def register(entry: Entry) -> None:
    """Add a world. Raises ValueError when the name is taken by another entry."""
    if _entries.get(entry.name, entry) != entry:
        raise ValueError(f"a world named {entry.name!r} is registered already; choose another name")
    _entries[entry.name] = entry


def entries() -> tuple[Entry, ...]:
    """Every registered world, in the order of registration."""
    return tuple(_entries.values())


def names() -> tuple[str, ...]:
    """Names that `make` accepts."""
    return tuple(_entries)


def make(name: str, **settings: Any) -> Environment[Any, Any]:
    """Make the world called `name`, with `settings` over the fields of its config.

    Raises ValueError for an unknown name or field, or a value that the config refuses.
    """
    if name not in _entries:
        close = difflib.get_close_matches(str(name), _entries, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no world is named {name!r}{hint} (known: {', '.join(_entries)})")
    entry = _entries[name]
    env_class, config_class = _load(entry.env), _load(entry.config)
    fields = [field.name for field in dataclasses.fields(config_class)]
    for setting in settings:
        if setting not in fields:
            close = difflib.get_close_matches(setting, fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{name!r} has no setting {setting!r}{hint} (settings: {', '.join(fields)})")
    env: Environment[Any, Any] = env_class(config_class(**{**entry.settings, **settings}))
    return env


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _register_nav(
    name: str, summary: str, gymnasium_id: str | None, pettingzoo_id: str | None, **settings: Any
) -> None:
    module = "minicosm.envs.nav"
    register(Entry(name, f"{module}:Nav", f"{module}:NavConfig", settings, summary, gymnasium_id, pettingzoo_id))


_register_nav("nav", "one robot crosses random clutter to its goal", "minicosm/Nav-v0", None)
_register_nav(
    "nav-multi", "four robots cross random clutter, each to its own goal", None, "minicosm/Nav-v0", num_robots=4
)
_register_nav("nav-mixed", "one robot, maps of every kind", "minicosm/NavMixed-v0", None, level_kind="mixed")
_register_nav(
    "nav-swap", "eight robots swap places across an open circle", None, "minicosm/NavSwap-v0",
    num_robots=8, level_kind="swap", height=13, width=13,
)  # fmt: skip
_register_nav(
    "nav-warehouse", "eight robots in aisles deliver goal after goal until time runs out", None,
    "minicosm/NavWarehouse-v0", num_robots=8, level_kind="warehouse", height=17, width=17, lifelong=True, num_goals=64,
)  # fmt: skip


def _register_maze(
    name: str, summary: str, gymnasium_id: str | None, pettingzoo_id: str | None, **settings: Any
) -> None:
    module = "minicosm.envs.maze"
    register(Entry(name, f"{module}:Maze", f"{module}:MazeConfig", settings, summary, gymnasium_id, pettingzoo_id))


_register_maze("maze", "find the goal among random walls, seeing only the cells ahead", "minicosm/Maze-v0", None)
_register_maze(
    "maze-solvable", "the same walls, and always a way to the goal", "minicosm/MazeSolvable-v0", None,
    level_kind="solvable",
)  # fmt: skip
_register_maze(
    "maze-multi", "four agents among random walls, each bound for its own goal, in each other's way", None,
    "minicosm/Maze-v0", num_agents=4, level_kind="solvable",
)  # fmt: skip


def _register_physics(
    name: str, summary: str, gymnasium_id: str | None, pettingzoo_id: str | None, **settings: Any
) -> None:
    module = "minicosm.envs.physics"
    env, config = f"{module}:Physics", f"{module}:PhysicsConfig"
    is_single = settings.get("levels") == name != "library-all"
    register(Entry(name, env, config, settings, summary, gymnasium_id, pettingzoo_id, is_single))


for _size, _contents in (("s", "one body"), ("m", "a machine of two"), ("l", "whole contraptions")):
    _register_physics(
        f"physics-{_size}",
        f"random levels of rigid bodies, size {_size.upper()}: {_contents}",
        f"minicosm/Physics-{_size.upper()}-v0",
        None,
        size=_size,
    )
for _size in "sml":
    _register_physics(
        f"library-{_size}",
        f"the hand-made levels of size {_size.upper()}, all in one batch",
        f"minicosm/Library-{_size.upper()}-v0",
        None,
        size=_size,
        levels="library",
    )
_register_physics(
    "library-all", "all hand-made levels of the sizes S, M and L, in one batch", "minicosm/LibraryAll-v0", None,
    size="l", levels="library-all",
)  # fmt: skip
for _size, _agents in (("m", 2), ("l", 2), ("l", 4)):
    _register_physics(
        f"physics-{_size}-{_agents}agents",
        f"random levels of size {_size.upper()}, whose controls {_agents} agents share",
        None,
        f"minicosm/Physics-{_size.upper()}-{_agents}agents-v0",
        size=_size,
        num_agents=_agents,
    )
_register_physics(
    "library-l-2agents", "the hand-made levels of size L, whose controls two agents share", None,
    "minicosm/Library-L-2agents-v0", size="l", levels="library", num_agents=2,
)  # fmt: skip

# One world for each hand-made level. The files lie in folders named after the size that they need.
for _file in sorted((pathlib.Path(__file__).parent / "physics" / "library").glob("[sml]/*.json")):
    _register_physics(
        _file.stem,
        f"the hand-made level {_file.stem.replace('_', ' ')!r}",
        f"minicosm/{''.join(word.capitalize() for word in _file.stem.split('_'))}-v0",
        None,
        size=_file.parent.name,
        levels=_file.stem,
    )
