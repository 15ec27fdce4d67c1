"""Writes a file of results row by row, so that what was measured there of other settings stays."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from results_files import ORIGIN

SIZES = ("s", "m", "l")


def write_rows(
    path: pathlib.Path, head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], settings: Sequence[str]
) -> None:
    """Write `rows` to `path` in the place of its rows with the same `settings`; the others stay, and say their commit.

    What else the file held is replaced by `head`.
    """
    kept: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        said = {name: before.get(name, "unknown") for name in ORIGIN}
        origin = {name: value for name, value in said.items() if value != head.get(name)}
        kept = {_values(row, settings): {**origin, **row} for row in before["rows"]}
    found = kept | {_values(row, settings): row for row in rows}
    ordered = [found[values] for values in sorted(found, key=_rank)]
    path.write_text(json.dumps({**head, "rows": ordered}, indent=1) + "\n", encoding="utf-8")


def _values(row: Mapping[str, Any], settings: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in settings)


def _rank(values: tuple[Any, ...]) -> tuple[float, ...]:
    """Sizes from small to large, numbers upwards, other names as they came."""
    return tuple(SIZES.index(x) if x in SIZES else 0 if isinstance(x, str) or x is None else x for x in values)
