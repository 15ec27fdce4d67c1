"""Encoders of sets of entities: what they make of a set does not depend on the order in which it is listed.

An observation of entities is a Dict of sets. A set `things` f32[n, k] comes with `thing_mask` f32[n], 1 where a row
holds something. One set is of nodes; the others are of links, each of which names, in the integers `thing_…` [n] or
[n, ends], the rows of the nodes on which it hangs, and in `thing_control` i[n] may name the element of the action that
drives it. What is left of the Dict describes the whole. No parameter's shape depends on a set's number of rows, so that
one net serves scenes of every size.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.spaces import ACTION_MASK, Box, Dict, Space
from minicosm.training.networks.dense import Dense
from minicosm.training.networks.layout import Part, parts_of

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_orthogonal = nn.initializers.orthogonal
Activation = Callable[[jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class EntitySet:
    """A set of entities of one kind."""

    rows: Part  # [n, k]
    mask: Part  # [n]
    ends: Part | None  # i[n] or i[n, ends]: rows of the nodes on which each hangs
    control: Part | None = None  # i[n]: the element of the action that drives it, one beyond the last for none


@dataclasses.dataclass(frozen=True)
class EntityLayout:
    """The sets of an observation."""

    nodes: EntitySet
    links: tuple[EntitySet, ...]
    others: tuple[Part, ...]


def entity_layout(space: Space) -> EntityLayout:
    """Find the sets in an observation space. Raises ValueError, saying what is missing, where it is not of entities."""
    if not isinstance(space, Dict):
        raise ValueError("it is not a Dict")
    parts = {part.name: part for part in parts_of(space)}
    sets = [_set_of(part, parts) for part in parts.values() if isinstance(part.space, Box) and _is_rows(part)]
    used = [p for found in sets for p in (found.rows, found.mask, found.ends, found.control)]
    taken = {ACTION_MASK} | {p.name for p in used if p is not None}
    nodes = [found for found in sets if found.ends is None]
    if len(nodes) != 1:
        names = ", ".join(repr(found.rows.name) for found in nodes) or "none"
        raise ValueError(f"it needs just one set whose rows do not name rows of another, and has {names}")
    links = tuple(found for found in sets if found.ends is not None)
    return EntityLayout(nodes[0], links, tuple(part for name, part in parts.items() if name not in taken))


def _is_rows(part: Part) -> bool:
    return len(part.space.shape) == 2 and not part.is_whole


def _set_of(rows: Part, parts: dict[str, Part]) -> EntitySet:
    one = rows.name.removesuffix("s")
    mask = parts.get(f"{one}_mask")
    if mask is None or mask.space.shape != rows.space.shape[:1]:
        raise ValueError(f"its set {rows.name!r} has no mask {one}_mask of shape {rows.space.shape[:1]}")
    control = parts.get(f"{one}_control")
    ends = [
        part for name, part in parts.items() if name.startswith(f"{one}_") and part.is_whole and part is not control
    ]
    if len(ends) > 1:
        raise ValueError(f"its set {rows.name!r} has more than one array of row numbers")
    return EntitySet(rows, mask, ends[0] if ends else None, control)


class Encoded(NamedTuple):
    """What an encoder makes of an observation."""

    seen: jax.Array  # f32[..., D]
    controls: jax.Array | None = None  # f32[..., E, W]  of each element of the action, of the links that it drives


class SetEncoder(nn.Module):
    """Each entity by itself through two layers, links beside the nodes on which they hang; then pooled by kind.

    Pools alone blur who is where. So `queries` of attention (J. Lee et al., "Set Transformer", 2019) pick nodes out,
    such as the one that shall be reached, and what is known of these is told to the layers and to each entity.
    """

    layout: EntityLayout
    width: int  # W, of an entity's encoding
    queries: int  # Q, nodes that are picked out; 0: pools alone
    num_controls: int  # E, elements of the action that are told apart; 0: none
    activate: Activation

    @nn.compact
    def __call__(self, features: jax.Array) -> Encoded:
        """Of flat features f32[..., F]. Seen are picked nodes, each kind's mean and greatest, and what is left."""
        layout = self.layout
        there = layout.nodes.mask.read(features)
        rows = layout.nodes.rows.read(features)
        picked = self._picked(rows, there) if self.queries > 0 else None
        nodes = self._encoded(rows, picked, layout.nodes.rows.name)
        pooled = [*([] if picked is None else [picked]), pool(nodes, there)]
        encoded = []
        for link in layout.links:
            rows = link.rows.read(features)
            ends = jnp.einsum("...les,...sw->...lew", incidence(link, layout.nodes, features), nodes)
            rows = jnp.concatenate([rows, ends.reshape(*rows.shape[:-1], -1)], axis=-1)
            encoded.append(self._encoded(rows, picked, link.rows.name))
            pooled.append(pool(encoded[-1], link.mask.read(features)))
        seen = jnp.concatenate([*pooled, *(part.numbers(features) for part in layout.others)], axis=-1)
        return Encoded(seen, by_control(layout, encoded, features, self.num_controls))

    def _picked(self, rows: jax.Array, there: jax.Array) -> jax.Array:
        """f32[..., Q k]: for each query, the mean of the rows f32[..., n, k] that are there, as it weighs them."""
        score = Dense(self.queries, kernel_init=_orthogonal(1.0), name="query")(rows)
        share = jax.nn.softmax(jnp.where(there[..., None] > 0, score, -1e9), axis=-2)
        picked = jnp.einsum("...nq,...nk->...qk", share, rows)
        return picked.reshape(*picked.shape[:-2], -1)

    def _encoded(self, rows: jax.Array, picked: jax.Array | None, name: str) -> jax.Array:
        """f32[..., n, W] of rows f32[..., n, k], each of which is told of the nodes that are picked."""
        rows = self._dense(rows, f"{name}_0")
        if picked is not None:
            told = Dense(self.width, use_bias=False, kernel_init=_orthogonal(1.0), name=f"{name}_told")(picked)
            rows += told[..., None, :]
        return self.activate(self._dense(self.activate(rows), f"{name}_1"))

    def _dense(self, x: jax.Array, name: str) -> jax.Array:
        dense: jax.Array = Dense(self.width, kernel_init=_orthogonal(2**0.5), name=name)(x)
        return dense


class EntityTransformer(nn.Module):
    """Nodes are tokens; in each block they hear from their links, attend to each other, and pass a layer by themselves.

    Normalisation comes first in each of the three, and what they find is added (Xiong et al. 2020). Links as messages,
    and the published size of 2 layers with 8 heads of 16 columns, are those of Kinetix (M. Matthews et al. 2025).
    """

    layout: EntityLayout
    width: int  # W, of a token, a multiple of `heads`
    heads: int
    layers: int
    num_controls: int  # E, elements of the action that are told apart; 0: none
    activate: Activation

    @nn.compact
    def __call__(self, features: jax.Array) -> Encoded:
        """Of flat features f32[..., F]. Seen are the tokens' mean and greatest in W columns, and what is left."""
        layout = self.layout
        there = layout.nodes.mask.read(features)
        tokens = self._dense(layout.nodes.rows.read(features), self.width, layout.nodes.rows.name)
        links = [
            (self._dense(link.rows.read(features), self.width, link.rows.name), incidence(link, layout.nodes, features))
            for link in layout.links
        ]
        for i in range(self.layers):
            normal = self._normal(tokens, f"heard_normal_{i}")
            for link, (rows, hangs_on) in zip(layout.links, links, strict=True):
                tokens += self._heard(normal, rows, hangs_on, f"{link.rows.name}_{i}")
            tokens += self._attended(self._normal(tokens, f"attended_normal_{i}"), there, f"attended_{i}")
            inner = self._dense(self._normal(tokens, f"inner_normal_{i}"), 2 * self.width, f"inner_{i}")
            tokens += self._dense(self.activate(inner), self.width, f"outer_{i}")
        normal = self._normal(tokens, "normal")
        seen = jnp.concatenate([pool(normal, there), *(part.numbers(features) for part in layout.others)], axis=-1)
        if self.num_controls == 0:
            return Encoded(seen)
        encoded = [
            self._told(normal, rows, hangs_on, f"{link.rows.name}_last")
            for link, (rows, hangs_on) in zip(layout.links, links, strict=True)
        ]
        return Encoded(seen, by_control(layout, encoded, features, self.num_controls))

    def _told(self, tokens: jax.Array, rows: jax.Array, hangs_on: jax.Array, name: str) -> jax.Array:
        """f32[..., L, W]: the links f32[..., L, W], told of the nodes at their ends."""
        ends = jnp.einsum("...les,...sw->...lew", hangs_on, tokens)
        return self.activate(rows + self._dense(ends.reshape(*rows.shape[:-1], -1), self.width, f"{name}_ends"))

    def _heard(self, tokens: jax.Array, rows: jax.Array, hangs_on: jax.Array, name: str) -> jax.Array:
        """f32[..., S, W]: what the links f32[..., L, W], told of the nodes at their ends, say to each of these."""
        num_ends = hangs_on.shape[-2]
        said = self._dense(self._told(tokens, rows, hangs_on, name), num_ends * self.width, f"{name}_said")
        said = said.reshape(*rows.shape[:-1], num_ends, self.width)
        return jnp.einsum("...les,...lew->...sw", hangs_on, said)

    def _attended(self, tokens: jax.Array, there: jax.Array, name: str) -> jax.Array:
        """f32[..., S, W]: what tokens f32[..., S, W] read off those that are `there` f32[..., S]."""
        column = self.width // self.heads
        asked, known, told = jnp.split(self._dense(tokens, 3 * self.width, f"{name}_read"), 3, axis=-1)
        by_head = (*tokens.shape[:-1], self.heads, column)
        match = jnp.einsum("...qhc,...khc->...hqk", asked.reshape(by_head), known.reshape(by_head)) / np.sqrt(column)
        share = jax.nn.softmax(jnp.where(there[..., None, None, :] > 0, match, -1e9))
        told = jnp.einsum("...hqk,...khc->...qhc", share, told.reshape(by_head))
        return self._dense(told.reshape(tokens.shape), self.width, f"{name}_out")

    def _dense(self, x: jax.Array, width: int, name: str) -> jax.Array:
        dense: jax.Array = Dense(width, kernel_init=_orthogonal(1.0), name=name)(x)
        return dense

    def _normal(self, x: jax.Array, name: str) -> jax.Array:
        normal: jax.Array = nn.LayerNorm(name=name)(x)
        return normal


def incidence(link: EntitySet, nodes: EntitySet, features: jax.Array) -> jax.Array:
    """f32[..., L, ends, S]: 1 where the link's end is on the node; all 0 for links that are not there.

    Products with it look rows up and add rows up, which is quicker than gathers, whose gradients scatter.
    """
    assert link.ends is not None
    ends = link.ends.read(features).astype(jnp.int32)
    there = link.mask.read(features)
    ends = ends.reshape(*there.shape, -1)
    return jax.nn.one_hot(ends, nodes.rows.space.shape[0]) * there[..., None, None]


def names_elements(layout: EntityLayout, num_controls: int) -> bool:
    """Whether links name elements of this action; one choice among all controls, say, has a single element."""
    controls = [link.control for link in layout.links if link.control is not None]
    return bool(controls) and all(getattr(part.space, "high", None) == num_controls for part in controls)


def by_control(
    layout: EntityLayout, encoded: Sequence[jax.Array], features: jax.Array, num_controls: int
) -> jax.Array | None:
    """f32[..., E, W]: of each element of the action, the sum of the encoded links f32[..., L, W] that it drives.

    None where there are none to tell apart.
    """
    sums = []
    for link, rows in zip(layout.links, encoded, strict=True):
        if link.control is not None and num_controls > 0:
            drives = jax.nn.one_hot(link.control.read(features).astype(jnp.int32), num_controls)
            drives *= link.mask.read(features)[..., None]
            sums.append(jnp.einsum("...le,...lw->...ew", drives, rows))
    return functools.reduce(jnp.add, sums) if sums else None


def pool(rows: jax.Array, there: jax.Array) -> jax.Array:
    """f32[..., 2 W]: mean and greatest of the rows f32[..., n, W] that are `there` f32[..., n]; 0 where none is."""
    there = there[..., None]
    count = jnp.sum(there, axis=-2)
    mean = jnp.sum(rows * there, axis=-2) / jnp.maximum(count, 1.0)
    most = jnp.max(jnp.where(there > 0, rows, -1e9), axis=-2)
    return jnp.concatenate([mean, jnp.where(count > 0, most, 0.0)], axis=-1)
