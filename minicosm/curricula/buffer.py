"""A buffer of levels with their scores: which stay, and which are drawn to be played again.

It follows prioritised level replay (Jiang et al. 2021): a level is drawn by its score, mixed with how long ago it was
last played. All of a batch goes in at once, by one sort.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from minicosm.envs import struct

Priority = Literal["rank", "proportional", "topk"]
EMPTY = -jnp.inf  # score of a place that holds no level


@struct.dataclass
class LevelBuffer:
    """K places. A place is empty where its score is -inf."""

    levels: Any  # led by K
    score: jax.Array  # f32[K]
    best_return: jax.Array  # f32[K, A]  best return known of the level
    last_played: jax.Array  # i32[K]  the value of `clock` then
    print: jax.Array  # u32[K, 2]  two hashes of the level
    clock: jax.Array  # i32[]  levels played since the buffer was made

    @property
    def filled(self) -> jax.Array:
        """bool[K]."""
        return self.score > EMPTY

    @property
    def share_filled(self) -> jax.Array:
        """f32[]: of all places."""
        return jnp.mean(self.filled, dtype=jnp.float32)


@dataclasses.dataclass(frozen=True)
class Prioritisation:
    """How levels are drawn. Raises ValueError, naming the field, for a value that cannot work."""

    kind: Priority = "rank"  # by 1 / rank of the score, by the score itself, or evenly among the `topk` best
    temperature: float = 1.0  # weights are taken to the power of 1 / temperature
    staleness: float = 0.3  # share of the weight that goes by how long a level was not played
    topk: int = 8

    def __post_init__(self) -> None:
        if self.kind not in ("rank", "proportional", "topk"):
            raise ValueError(f"kind is {self.kind!r}; expected 'rank', 'proportional' or 'topk'")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature!r}; expected a number above 0")
        if not 0 <= self.staleness <= 1:
            raise ValueError(f"staleness is {self.staleness!r}; expected 0 to 1")
        if not is_whole(self.topk, 1):
            raise ValueError(f"topk is {self.topk!r}; expected a whole number from 1")

    def weights(self, buffer: LevelBuffer) -> jax.Array:
        """f32[K]: the chance of each place to be drawn first, 0 where it is empty; they add up to 1."""
        by_score = _normalised(self._by_score(buffer.score), buffer.filled)
        age = jnp.where(buffer.filled, buffer.clock - buffer.last_played, 0).astype(jnp.float32)
        by_age = _normalised(age, buffer.filled)
        return (1 - self.staleness) * by_score + self.staleness * by_age

    def draw(self, key: jax.Array, buffer: LevelBuffer, count: int) -> jax.Array:
        """i32[count]: different places by their weights, as long as there are enough that hold a level."""
        # the largest of log weights plus Gumbel noise are a draw without replacement (Yellott 1977)
        weights = self.weights(buffer)
        noisy = jnp.where(weights > 0, jnp.log(weights), -jnp.inf) + jax.random.gumbel(key, weights.shape)
        noisy = jnp.where(buffer.filled & (weights == 0), -1e9, noisy)  # holds a level, though one of no weight
        _, chosen = jax.lax.top_k(noisy, min(count, weights.shape[0]))
        num_filled = jnp.maximum(jnp.sum(buffer.filled), 1)
        return chosen[jnp.arange(count) % jnp.minimum(num_filled, chosen.shape[0])].astype(jnp.int32)

    def _by_score(self, score: jax.Array) -> jax.Array:
        rank = 1 + ranks(score)
        if self.kind == "proportional":
            weight = jnp.maximum(score, 0.0)
        elif self.kind == "rank":
            weight = 1.0 / rank
        else:
            weight = (rank <= self.topk).astype(jnp.float32)
        return weight ** (1.0 / self.temperature)


def is_whole(value: Any, least: int) -> bool:
    """Whether `value` is a whole number from `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def empty(like: Any, capacity: int, num_agents: int) -> LevelBuffer:
    """A buffer of `capacity` places for levels such as `like`, one level, abstract or not."""
    return LevelBuffer(
        levels=jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), like),
        score=jnp.full((capacity,), EMPTY, jnp.float32),
        best_return=jnp.full((capacity, num_agents), -jnp.inf, jnp.float32),
        last_played=jnp.zeros((capacity,), jnp.int32),
        print=jnp.zeros((capacity, 2), jnp.uint32),
        clock=jnp.zeros((), jnp.int32),
    )


def rescore(buffer: LevelBuffer, slot: jax.Array, score: jax.Array, best_return: jax.Array) -> LevelBuffer:
    """New scores f32[B] and best returns f32[B, A] of the levels at `slot` i32[B], just played; -1: nowhere."""
    place = jnp.where(slot < 0, buffer.score.shape[0], slot)  # out of bounds: dropped
    clock = buffer.clock + jnp.sum(slot >= 0, dtype=jnp.int32)
    return dataclasses.replace(
        buffer,
        score=buffer.score.at[place].set(score, mode="drop"),
        best_return=buffer.best_return.at[place].max(best_return, mode="drop"),
        last_played=buffer.last_played.at[place].set(clock, mode="drop"),
        clock=clock,
    )


def insert(
    buffer: LevelBuffer, levels: Any, score: jax.Array, best_return: jax.Array, drop_duplicates: bool = True
) -> LevelBuffer:
    """The buffer with the best, by score, of what it holds and of `levels`, led by B.

    `score` f32[B], -inf for a level that is not to go in, and `best_return` f32[B, A] are of `levels`. With
    `drop_duplicates`, a level that is there already, or comes twice, takes no second place.
    """
    capacity = buffer.score.shape[0]
    prints = jax.vmap(fingerprint)(levels)
    offered = score > EMPTY
    if drop_duplicates:
        there = _same(prints, buffer.print) & buffer.filled
        earlier = _same(prints, prints) & offered & jnp.tri(score.shape[0], k=-1, dtype=bool)
        score = jnp.where(jnp.any(there, axis=1) | jnp.any(earlier, axis=1), EMPTY, score)
    clock = buffer.clock + jnp.sum(offered, dtype=jnp.int32)
    _, kept = jax.lax.top_k(jnp.concatenate([buffer.score, score]), capacity)
    # What stays keeps its place; new ones take the places of those that go. So few levels move, and slots stay valid.
    stays = jnp.zeros((capacity + score.shape[0],), bool).at[kept].set(True)
    leaves = ~(stays[:capacity] & buffer.filled)
    comes = stays[capacity:] & (score > EMPTY)
    places = jnp.nonzero(leaves, size=score.shape[0], fill_value=capacity)[0]  # free places, first ones first
    number = jnp.cumsum(comes) - 1  # which of the free places each new level takes
    target = jnp.where(comes, places[number], capacity)

    def put(old: jax.Array, new: jax.Array) -> jax.Array:
        return old.at[target].set(new, mode="drop")

    return LevelBuffer(
        levels=jax.tree.map(put, buffer.levels, levels),
        score=put(buffer.score, score),
        best_return=put(buffer.best_return, best_return),
        last_played=put(buffer.last_played, jnp.broadcast_to(clock, score.shape)),
        print=put(buffer.print, prints),
        clock=clock,
    )


def at(buffer: LevelBuffer, slot: jax.Array) -> Any:
    """The levels at `slot` i32[B]."""
    return jax.tree.map(lambda x: x[slot], buffer.levels)


def ranks(score: jax.Array) -> jax.Array:
    """i32[K]: how many scores are higher, or equal and before."""
    order = jnp.argsort(-score, stable=True)
    return jnp.zeros(score.shape, jnp.int32).at[order].set(jnp.arange(score.shape[0]))


def fingerprint(level: Any) -> jax.Array:
    """u32[2]: two hashes of all bits of one level; equal levels have equal ones, others hardly ever."""
    words = jnp.concatenate([_words(leaf) for leaf in jax.tree.leaves(level)])
    place = jnp.arange(words.shape[0], dtype=jnp.uint32)
    salted = jnp.stack([_mixed(words + _mixed(place + salt)) for salt in (jnp.uint32(0x9E3779B9), jnp.uint32(1))])
    return jnp.sum(salted, axis=1, dtype=jnp.uint32)


def _words(leaf: jax.Array) -> jax.Array:
    flat = leaf.reshape(-1)
    if flat.dtype.itemsize == 4:
        return jax.lax.bitcast_convert_type(flat, jnp.uint32)
    if jnp.issubdtype(flat.dtype, jnp.floating):
        return jax.lax.bitcast_convert_type(flat.astype(jnp.float32), jnp.uint32)
    return flat.astype(jnp.uint32)


def _mixed(x: jax.Array) -> jax.Array:
    """C. Wellons' integer hash lowbias32."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _same(some: jax.Array, others: jax.Array) -> jax.Array:
    """bool[B, K]: which prints u32[B, 2] and u32[K, 2] are equal."""
    return jnp.all(some[:, None] == others, axis=-1)


def _normalised(weight: jax.Array, filled: jax.Array) -> jax.Array:
    """Shares of the sum over filled places; even where all weights are 0."""
    weight = jnp.where(filled, weight, 0.0)
    total = jnp.sum(weight)
    even = filled / jnp.maximum(jnp.sum(filled), 1)
    return jnp.where(total > 0, weight / jnp.where(total > 0, total, 1.0), even)
