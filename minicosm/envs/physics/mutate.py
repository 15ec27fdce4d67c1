"""Edits of a level, for curricula that grow their levels: shapes, joints and powers changed one at a time.

An edit is kept only if the level stays valid, by the bound of `clearance` on distances; else the level stays as it was.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.assemble import first_free
from minicosm.envs.physics.clearance import NEAR
from minicosm.envs.physics.config import ROOM, PhysicsConfig
from minicosm.envs.physics.draws import uniform
from minicosm.envs.physics.edits import EDITS, NUMBERS, Draft, Luck, extents, gaps, may_collide
from minicosm.envs.physics.engine.size import pair_index, pairs
from minicosm.envs.physics.level import BLUE, GREEN, RED, Level, cannot_move

_SMALLEST, _LARGEST = 0.04, 2.5  # m, from a shape's centroid to its farthest point
_APART = 0.005  # m, at least, between shapes that an edit brought together
_SAME = 1e-5  # m: rounding


def mutate(key: jax.Array, level: Level, config: PhysicsConfig, num_edits: int) -> Level:
    """`level` after `num_edits` random edits, each made only if the level stays valid.

    An edit adds a shape, loose or on a new joint; removes one with its joints and thrusters; moves and turns, or
    resizes, what hangs together; gives a shape another role, or swaps those of two, or makes it static or free; adds,
    removes, limits or stiffens a joint; or changes a motor or thruster: its strength, direction or binding. What stays
    true of a valid level: shapes that collide do not overlap, green does not touch blue or red, one green or blue shape
    can move and the two can meet, something is driven, and every shape is of a sane size inside the room.

    Raises ValueError if `num_edits` is not a whole number from 0.
    """
    if isinstance(num_edits, bool) or not isinstance(num_edits, int) or num_edits < 0:
        raise ValueError(f"num_edits is {num_edits!r}; expected a whole number, at least 0")
    size = level.size
    random = uniform(key, num_edits * (NUMBERS + 1)).reshape(num_edits, NUMBERS + 1)

    def edit(draft: Draft, random: jax.Array) -> tuple[Draft, None]:
        luck = Luck(random[1:], size, config)
        which = (random[0] * len(EDITS)).astype(jnp.int32)
        changed = _settled(jax.lax.switch(which, [lambda d, e=e: e(d, luck) for e in EDITS], draft))
        is_kept = _is_valid(changed, draft)
        return jax.tree.map(lambda new, old: jnp.where(is_kept, new, old), changed, draft), None

    draft, _ = jax.lax.scan(edit, _opened(level), random)
    return draft.level


def _opened(level: Level) -> Draft:
    scene = level.scene
    collides = jnp.append(scene.collides, False)[pair_index(level.size)]
    return Draft(level, may_collide(level) & ~collides, gaps(level))


def _settled(draft: Draft) -> Draft:
    """The draft with who collides, and how far all are apart, worked out anew."""
    level = draft.level
    a, b = pairs(level.size).T
    collides = (may_collide(level) & ~draft.apart)[a, b]
    level = dataclasses.replace(level, scene=dataclasses.replace(level.scene, collides=collides))
    return Draft(level, draft.apart, gaps(level))


def _is_valid(new: Draft, old: Draft) -> jax.Array:
    level, before = new.level, old.level
    size, scene = level.size, level.scene
    collides = jnp.append(scene.collides, False)[pair_index(size)]
    collided = jnp.append(before.scene.collides, False)[pair_index(size)]
    no_nearer = collided & (new.gaps >= old.gaps - _SAME)
    clear = ~collides | (new.gaps >= _APART) | no_nearer

    def ends(level: Level) -> jax.Array:  # bool[S, S]: pairs whose touch ends the episode
        goal = (level.role == BLUE) | (level.role == RED)
        one_way = (level.role == GREEN)[:, None] & goal
        return one_way | one_way.T

    undecided = ~(collides & ends(level)) | (new.gaps >= NEAR) | (no_nearer & ends(before))
    moves, role = scene.inverse_mass > 0, level.role
    green, blue = level.present & (role == GREEN), level.present & (role == BLUE)
    can_meet = jnp.any(collides & green[:, None] & blue)
    joints = scene.joints
    held = ~joints.active | moves[joints.shape_a] | moves[joints.shape_b]
    extent = extents(level)
    is_free = level.present & (np.arange(size.num_shapes) >= first_free(size))
    is_sane = (extent >= _SMALLEST) & (extent <= _LARGEST) & jnp.all(abs(level.position - ROOM / 2) < ROOM / 2, axis=1)
    is_same = jnp.all(level.position == before.position, axis=1) & (extent == extents(before)) & before.present
    driven = ~cannot_move(level) | cannot_move(before)
    return (
        jnp.all(clear & undecided)
        & jnp.any((green | blue) & moves)
        & can_meet
        & jnp.all(held)
        & jnp.all(~is_free | is_sane | is_same)
        & driven
    )
