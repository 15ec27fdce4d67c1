"""Frozen dataclasses that are JAX pytrees."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import jax
from typing_extensions import dataclass_transform

T = TypeVar("T")


def static(**kwargs: Any) -> Any:
    """Declare a field that is part of the tree's structure (hashable, compared at trace time), not a leaf."""
    return dataclasses.field(metadata={"static": True}, **kwargs)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static))
def dataclass(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose fields are pytree children (or structure, where declared `static()`)."""
    frozen = dataclasses.dataclass(frozen=True)(cls)
    return jax.tree_util.register_dataclass(
        frozen,
        data_fields=[f.name for f in dataclasses.fields(frozen) if not f.metadata.get("static", False)],  # type: ignore[arg-type]
        meta_fields=[f.name for f in dataclasses.fields(frozen) if f.metadata.get("static", False)],  # type: ignore[arg-type]
    )
