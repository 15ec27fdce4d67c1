"""Which shapes of a random contraption hang on which, before anything has a size or a place.

The shapes that are present are ranked at random, and each of higher rank may hang on one of lower rank.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.assemble import num_loose
from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.draws import uniform
from minicosm.envs.physics.engine.fuse import fence
from minicosm.envs.physics.engine.size import Size

MOST = 40  # shapes in one level: more would have to be tiny
_PER_SHAPE, _PER_THRUSTER, _PER_LEVEL = 40, 8, 12  # numbers drawn, at least as many as are used


class Controls(NamedTuple):
    """What a level of some config can have driven."""

    motor: bool  # whether a motor can be driven
    thruster: bool


def controls_of(config: PhysicsConfig) -> Controls:
    """What levels of `config` have room for; a driven motor needs a third shape."""
    size = config.slots
    shapes, _ = num_loose(size)
    return Controls(
        motor=size.num_joints > 0 and config.num_motor_bindings > 0 and shapes > 2,
        thruster=size.num_thrusters > 0 and config.num_thruster_bindings > 0,
    )


class Draws:
    """Numbers in [0, 1), drawn once and handed out row by row while the program is traced."""

    def __init__(self, key: jax.Array, size: Size) -> None:
        shapes, _ = num_loose(size)
        counts = {"shape": (_PER_SHAPE, shapes), "thruster": (_PER_THRUSTER, size.num_thrusters)}
        total = sum(math.prod(c) for c in counts.values()) + _PER_LEVEL + shapes * size.max_vertices
        flat = uniform(key, total)
        probe = jax.random.key_data(key).reshape(-1)[0].astype(jnp.float32)
        self.once = fence(probe)  # keeps the compiler from working out a value anew wherever it is used
        flat = self.once(flat)
        self._rows = {}
        for name, count in counts.items():
            self._rows[name] = iter(flat[: math.prod(count)].reshape(count))
            flat = flat[math.prod(count) :]
        self._rows["level"] = iter(flat[:_PER_LEVEL])
        self.jitter = flat[_PER_LEVEL:].reshape(shapes, size.max_vertices)  # f32[N, V]

    def once_whole(self, values: jax.Array) -> jax.Array:
        """`once` for i32[...] below 2^24."""
        return self.once(values.astype(jnp.float32)).astype(jnp.int32)

    def shape(self, low: float = 0.0, high: float = 1.0) -> jax.Array:
        """f32[N]."""
        return _between(low, high, next(self._rows["shape"]))

    def thruster(self, low: float = 0.0, high: float = 1.0) -> jax.Array:
        """f32[T]."""
        return _between(low, high, next(self._rows["thruster"]))

    def level(self, low: float = 0.0, high: float = 1.0) -> jax.Array:
        """f32[]."""
        return _between(low, high, next(self._rows["level"]))


def _between(low: float, high: float, fraction: jax.Array) -> jax.Array:
    return low + (high - low) * fraction


class Trees(NamedTuple):
    """N shapes, by their ranks and by what holds them."""

    rank: jax.Array  # i32[N], each number once; those from the number of shapes on are not present
    present: jax.Array  # bool[N]
    child: jax.Array  # bool[N]  held by a joint to its parent
    parent: jax.Array  # i32[N]  its own number where there is none
    joint: jax.Array  # i32[N]  which joint holds a child
    ancestors: tuple[jax.Array, ...]  # i32[N] each: parent, grandparent, their grandparent's grandparent, ...
    together: jax.Array  # bool[N, N]  of one tree
    to_root: jax.Array  # i32[N]
    has_motor: jax.Array  # bool[]  rank 2 hangs on rank 0 and is driven
    has_thruster: jax.Array  # bool[]  something of the tree of rank 0 is driven by a thruster
    static: jax.Array  # bool[N]


def trees_of(draws: Draws, size: Size, controls: Controls) -> Trees:
    """Rank 0 is the root of the tree that holds green, rank 1 that of blue's; rank 2 hangs on rank 0 by a motor."""
    num_shapes, _ = num_loose(size)
    number = np.arange(num_shapes)
    order = draws.shape()
    before = (order[:, None] > order) | ((order[:, None] == order) & (number[:, None] > number))
    rank = draws.once_whole(jnp.sum(before, axis=1))

    forced = draws.level()  # a third each: motor, thruster, both
    has_motor = (forced > 1 / 3) & controls.motor if controls.thruster else jnp.array(True)
    has_thruster = (forced < 2 / 3) & controls.thruster if controls.motor else jnp.array(True)
    fewest = jnp.where(has_motor, 3, 2)
    most = min(num_shapes, MOST)
    count = jnp.maximum(fewest, most - (0.7 * most * draws.level() ** 2).astype(jnp.int32))
    present = rank < count

    wants = (rank > 2) & (draws.shape() < draws.level(0.3, 0.9))
    wants = present & (wants | ((rank == 2) & has_motor))
    joint = draws.once_whole(jnp.sum(wants & (rank < rank[:, None]), axis=1))
    child = wants & (joint < size.num_joints)

    habit, place = draws.shape(), draws.shape()
    any_lower = jnp.floor(place * rank).astype(jnp.int32)
    parent_rank = jnp.where(habit < 0.25, 0, jnp.where(habit < 0.6, rank - 1, any_lower))
    parent_rank = jnp.where(rank == 2, 0, parent_rank)
    parent_rank = jnp.where(child, parent_rank, rank)
    parent = draws.once_whole(jnp.sum(jnp.where(parent_rank[:, None] == rank, number, 0), axis=1))
    ancestors, to_root = [], parent
    for _ in range(max(1, math.ceil(math.log2(1 + min(size.num_joints, most))))):
        ancestors.append(to_root)
        to_root = draws.once_whole(to_root[to_root])
    together = (to_root[:, None] == to_root) & present[:, None] & present

    fixed = draws.shape()
    static = jnp.where(rank == 0, has_motor & (fixed < 0.25), jnp.where(rank == 1, fixed < 0.65, fixed < 0.45))
    return Trees(
        rank=rank,
        present=present,
        child=child,
        parent=parent,
        joint=joint,
        ancestors=tuple(ancestors),
        together=together,
        to_root=to_root,
        has_motor=has_motor,
        has_thruster=has_thruster,
        static=static & ~child,
    )
