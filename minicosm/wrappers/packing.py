"""Many small arrays as one buffer, so that they cross from the device to the host together."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct


@dataclasses.dataclass(frozen=True)
class Group:
    """Leaves of one dtype and shape, stacked."""

    dtype: str
    shape: tuple[int, ...]
    leaves: tuple[int, ...]  # their places in the flattened tree

    @functools.cached_property
    def num_bytes(self) -> int:
        """Of all of them together."""
        return len(self.leaves) * math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a tree lies in its buffers."""

    treedef: Any  # PyTreeDef
    groups: tuple[Group, ...]
    as_bytes: bool  # all groups in one u8 buffer, or each in a buffer of its own

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """Where each leaf of the flattened tree is among the groups' leaves in turn."""
        grouped = [place for group in self.groups for place in group.leaves]
        return tuple(sorted(range(len(grouped)), key=grouped.__getitem__))


@struct.dataclass
class Packed:
    """A tree of arrays in few buffers. The plan is structure, so a packed tree passes in and out of `jit`."""

    buffers: tuple[jax.Array, ...]
    plan: Plan = struct.static()

    def unpack(self) -> Any:
        """The tree, on the device. Only for trees that were not packed as bytes."""
        blocks = [b.reshape(len(g.leaves), *g.shape) for b, g in zip(self.buffers, self.plan.groups, strict=True)]
        return _rebuilt(self.plan, blocks)

    def fetch(self, convert: Callable[[np.ndarray[Any, Any]], Any] | None = None) -> Any:
        """The tree on the host, as writable NumPy arrays that share one new piece of memory for each buffer.

        `convert`, NumPy to another kind of array, is applied to few large arrays, before they are split.
        """
        plan = self.plan
        copies = [np.array(buffer) for buffer in self.buffers]
        if plan.as_bytes:
            (memory,), copies, start = copies, [], 0
            for group in plan.groups:
                stop = start + group.num_bytes
                copies.append(memory[start:stop].view(group.dtype))
                start = stop
        blocks: list[Any] = [c.reshape(len(g.leaves), *g.shape) for c, g in zip(copies, plan.groups, strict=True)]
        if convert is not None:
            blocks = [convert(block) for block in blocks]
        return _rebuilt(plan, blocks)


def pack(tree: Any, *, as_bytes: bool) -> Packed:
    """Pack `tree`; under `jit`, XLA fuses this into what computes the leaves."""
    leaves, treedef = jax.tree.flatten(tree)
    places: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for place, leaf in enumerate(leaves):
        places.setdefault((str(leaf.dtype), leaf.shape), []).append(place)
    # widest first, so that each group is aligned in the bytes
    order = sorted(places, key=lambda form: -np.dtype(form[0]).itemsize)
    groups = tuple(Group(dtype, shape, tuple(places[dtype, shape])) for dtype, shape in order)
    blocks = [jnp.stack([leaves[place] for place in group.leaves]) for group in groups]
    if as_bytes:
        blocks = [jnp.concatenate([_bytes(block) for block in blocks])] if blocks else [jnp.zeros(0, jnp.uint8)]
    return Packed(tuple(blocks), Plan(treedef, groups, as_bytes))


def _bytes(block: jax.Array) -> jax.Array:
    if block.dtype.itemsize == 1:
        return block.ravel().astype(jnp.uint8) if block.dtype == jnp.bool_ else block.ravel().view(jnp.uint8)
    return jax.lax.bitcast_convert_type(block.ravel(), jnp.uint8).ravel()


def _rebuilt(plan: Plan, blocks: list[Any]) -> Any:
    leaves = [leaf for block in blocks for leaf in block]
    return jax.tree.unflatten(plan.treedef, [leaves[place] for place in plan.order])
