"""Settings given as words: `name=value`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

Settings = tuple[str, ...]


def world_settings(pairs: Sequence[str], flag: str = "--set") -> dict[str, Any]:
    """Settings from `name=value` texts; values are Python literals, other words stay texts.

    Raises ValueError for a text that is not of that form.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{flag} {pair!r} is not of the form name=value, e.g. {flag} num_robots=4")
        try:
            settings[name.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name.strip()] = value
    return settings
