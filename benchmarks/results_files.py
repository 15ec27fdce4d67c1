"""What the files under benchmarks/results say, whichever script wrote them, in one form.

A row is a dict. Its plain values are settings, such as {"robots": 4, "batch": 512}. What was measured is a dict for
each implementation with a rate such as "env_steps_per_s", or one dict of rates called "steps_per_s", or a rate of the
row itself.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

RATES = ("env_steps_per_s", "ticks_per_s", "steps_per_s", "agent_steps_per_s")
WORLDS = ("batch", "worlds", "num_envs")  # names by which scripts call the number of worlds
OWN = "minicosm"  # the implementation of a row that has a rate of its own
ORIGIN = ("commit", "kernels")  # what a row says of itself, where it is not what the head says
_NO_SETTING = ("ratio", "compile_s", "seconds", "bytes", "gathers", "_per_")  # in the names of what was measured


@dataclasses.dataclass(frozen=True)
class Figure:
    """What one implementation did."""

    rate: float  # per second of wall time
    per_cpu_second: float | None
    compile_s: float | None
    jax: str | None  # its version, where it differs from ours
    memory_mib: float | None = None  # peak of its processes


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting, and what was measured there."""

    settings: Mapping[str, Any]  # without the number of worlds
    worlds: int | None
    figures: Mapping[str, Figure]  # by implementation, ours first
    floor: Mapping[str, Any]  # operations_per_env_step, gap, …; empty where nothing was counted
    memory_bytes_per_world: float | None  # of memory, while it runs
    measured: Mapping[str, Any]  # everything that the file says of it
    origin: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of ORIGIN, where it is not the head's


@dataclasses.dataclass(frozen=True)
class Results:
    """One file."""

    machine: str  # name of its folder
    name: str  # of the file, without .json
    head: Mapping[str, Any]  # machine, versions, commit, kernels, …
    unit: str  # what a rate counts, such as "env-steps/s"
    rows: tuple[Row, ...]

    @property
    def implementations(self) -> tuple[str, ...]:
        """Every one that occurs, in the order in which they appear."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.figures))


def read_all(folder: pathlib.Path) -> list[Results]:
    """Every file with rates under `folder`, which has a folder for each machine, sorted.

    Raises ValueError for a file that is damaged.
    """
    found = []
    for path in sorted(folder.glob("*/*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            results = _results(path, content) if isinstance(content.get("rows"), list) else None
        except (json.JSONDecodeError, AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is no file of results ({error!r}): measure again, or restore it") from error
        if results and results.rows:
            found.append(results)
    return found


def _results(path: pathlib.Path, content: Mapping[str, Any]) -> Results:
    rows, unit = [], ""
    for raw in content["rows"]:
        rate, figures = _figures(raw)
        if figures:
            unit = unit or rate.removesuffix("_per_s").replace("_", "-") + "/s"
            rows.append(_row(raw, figures, content))
    head = {key: value for key, value in content.items() if key != "rows"}
    return Results(path.parent.name, path.stem, head, unit, tuple(rows))


def _row(raw: Mapping[str, Any], figures: Mapping[str, Figure], head: Mapping[str, Any]) -> Row:
    plain = {key: value for key, value in raw.items() if isinstance(value, str | int | float)}
    settings = {
        key: value
        for key, value in plain.items()
        if key not in (*WORLDS, *ORIGIN)
        and not any(part in key for part in _NO_SETTING)
        and not isinstance(value, float)
    }
    setup = raw.get("setup") if isinstance(raw.get("setup"), dict) else {}
    worlds = next((source[key] for source in (plain, setup) for key in WORLDS if key in source), None)
    origin = {name: raw[name] for name in ORIGIN if name in raw and raw[name] != head.get(name)}
    return Row(settings, worlds, figures, raw.get("floor") or {}, raw.get("memory_bytes_per_world"), raw, origin)


def _figures(raw: Mapping[str, Any]) -> tuple[str, dict[str, Figure]]:
    """The rate's name and the figures of a row; no figures where nothing was timed."""
    for rate in RATES:
        if isinstance(raw.get(rate), dict):
            return rate, {name: Figure(value, None, None, None) for name, value in raw[rate].items()}
        if isinstance(raw.get(rate), int | float):
            return rate, {OWN: _figure(raw, rate)}
        measured = {name: part for name, part in raw.items() if isinstance(part, dict) and rate in part}
        if measured:
            # of a row that is named after a world of ours, what has that name is ours
            return rate, {OWN if name == raw.get("world") else name: _figure(x, rate) for name, x in measured.items()}
    return "", {}


def _figure(part: Mapping[str, Any], rate: str) -> Figure:
    per_cpu = part.get(rate.removesuffix("_per_s") + "_per_cpu_s")
    return Figure(part[rate], per_cpu, part.get("compile_s"), part.get("jax"), part.get("peak_memory_mib"))
