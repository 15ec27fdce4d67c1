"""Frozen dataclasses as JSON and back: what a run keeps of its world and its settings."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any


def to_json(value: Any) -> Any:
    """`value`, made of dataclasses, tuples, numbers and texts, as JSON; dataclasses by class and fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{value!r} cannot be kept in a file: expected dataclasses, tuples, numbers and texts")


def from_json(described: Any) -> Any:
    """What `to_json` was given. Raises ValueError for JSON that it cannot have made, or a class that is not there."""
    if isinstance(described, list):
        return tuple(from_json(item) for item in described)
    if not isinstance(described, dict):
        return described
    try:
        module, _, name = described["class"].partition(":")
        made: Any = getattr(importlib.import_module(module), name)
        if not (isinstance(made, type) and dataclasses.is_dataclass(made)):
            raise ValueError(f"{described['class']!r} is not a dataclass")
        return made(**{name: from_json(value) for name, value in described["fields"].items()})
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(f"a description is damaged, or of another version of minicosm ({error})") from error


def to_text(described: Any) -> str:
    """What `to_json` made, as Python would show it; nothing is made from it."""
    if isinstance(described, list):
        return f"({', '.join(to_text(item) for item in described)})"
    if isinstance(described, dict):
        name = str(described.get("class", "?")).rpartition(":")[2].rpartition(".")[2]
        fields = described.get("fields", {})
        return f"{name}({', '.join(f'{key}={to_text(value)}' for key, value in fields.items())})"
    return repr(described)
