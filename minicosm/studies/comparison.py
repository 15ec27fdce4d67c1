"""Two measurements of speed beside each other: what `minicosm bench` wrote before a change, and after it."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from rich import box
from rich.console import Console
from rich.table import Table

import minicosm
from minicosm import kernels
from minicosm.studies.files import write_whole
from minicosm.studies.throughput import Speed

_FORMAT = "minicosm-bench"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one call of `minicosm bench` found."""

    world: str
    settings: Mapping[str, Any]  # of the world, as given
    conditions: Mapping[str, str]  # machine, versions, kernels: what should be equal in a fair comparison
    speeds: tuple[Speed, ...]


@dataclasses.dataclass(frozen=True)
class Change:
    """One way of stepping, before and after."""

    name: str
    num_envs: int
    old: float  # env-steps per second
    new: float

    @property
    def ratio(self) -> float:
        """New over old: below 1 is slower."""
        return self.new / self.old


def conditions() -> dict[str, str]:
    """Of this process: the machine, the versions and the kernels."""
    return {
        "machine": f"{platform.machine()} {platform.node()}, {os.cpu_count()} cores",
        "device": jax.devices()[0].device_kind,
        "minicosm": minicosm.__version__,
        "jax": version("jax"),
        "kernels": (kernels.instruction_set() or "on") if kernels.available() else "off",
    }


def write(measured: Measurement, path: Path) -> Path:
    """Keep `measured` as JSON, whole or not at all. Raises OSError where it cannot be written."""
    content = json.dumps({"format": _FORMAT, **dataclasses.asdict(measured)}, indent=1) + "\n"
    return write_whole(path, lambda part: part.write_text(content, encoding="utf-8"))


def read(path: Path) -> Measurement:
    """What `write` kept. Raises ValueError for a file that it did not write, OSError for one that is not there."""
    try:
        text = path.read_bytes()
    except OSError as error:
        wanted = "expected a file that minicosm bench --out wrote"
        raise OSError(f"cannot read {str(path)!r} ({error.strerror or error}); {wanted}") from error
    try:
        content = json.loads(text)
        if content.pop("format") != _FORMAT:
            raise ValueError("it says another format")
        speeds = tuple(Speed(**speed) for speed in content.pop("speeds"))
        return Measurement(**content, speeds=speeds)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} was not written by minicosm bench --out ({error}): measure again") from error


def changes(old: Measurement, new: Measurement) -> list[Change]:
    """Every way and number of worlds that both measured.

    Raises ValueError where the worlds differ, or nothing was measured by both.
    """
    for name in ("world", "settings"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise ValueError(f"the first file is of {name} {was!r}, the second of {now!r}: compare the same world")
    before = {(speed.name, speed.num_envs): speed.steps_per_second for speed in old.speeds}
    both = [
        Change(speed.name, speed.num_envs, before[speed.name, speed.num_envs], speed.steps_per_second)
        for speed in new.speeds
        if (speed.name, speed.num_envs) in before
    ]
    if not both:
        raise ValueError("the two files have no way of stepping in common: measure with the same --num-envs")
    return both


def regressions(found: Sequence[Change], threshold: float) -> list[Change]:
    """Those that lost more than the share `threshold` of their speed. Raises ValueError unless it is in 0 … 1."""
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is {threshold!r}; expected a share of the speed, at least 0 and below 1")
    return [change for change in found if change.ratio < 1 - threshold]


def show(old: Measurement, new: Measurement, found: Sequence[Change], slower: Sequence[Change]) -> None:
    """Print the table, and what else differs between the two measurements."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("env-steps/s, random actions", no_wrap=True)
    for column in ("worlds", "old", "new", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("")
    for change in found:
        flag = "[red]slower[/]" if change in slower else ""
        cells = (f"{change.old:,.0f}", f"{change.new:,.0f}", f"{change.ratio:.2f}", flag)
        table.add_row(change.name, f"{change.num_envs}", *cells)
    console = Console()
    console.print(table)
    for name in old.conditions.keys() | new.conditions.keys():
        was, now = old.conditions.get(name), new.conditions.get(name)
        if was != now:
            console.print(f"{name} differs: {was}, then {now}", markup=False)
