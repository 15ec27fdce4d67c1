"""Random edits of a level: each takes a draft and the luck of the edit, and changes one thing, valid or not.

Moving and resizing take all shapes along that joints hold together, so that anchors stay where they coincide. Which
pairs collide, and whether the level is still valid, is for `mutate` to say.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.physics.assemble import body_point, first_free, turned
from minicosm.envs.physics.clearance import NEAR, separations
from minicosm.envs.physics.config import ROOM, PhysicsConfig
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.engine.size import Size, pair_index
from minicosm.envs.physics.level import SCENERY, Level

NUMBERS = 24  # drawn for each edit, beside what picks it
_SCALARS = ("inverse_mass", "inverse_inertia", "friction", "restitution")


@struct.dataclass
class Draft:
    """A level between two edits."""

    level: Level
    apart: jax.Array  # bool[S, S]  pairs that would collide, but are told not to
    gaps: jax.Array  # f32[S, S]  m, the bound on distances


class Luck:
    """The random numbers of one edit, handed out while it is traced."""

    def __init__(self, numbers: jax.Array, size: Size, config: PhysicsConfig) -> None:
        self._numbers = numbers
        self.size, self.config = size, config

    def pick(self, index: int, mask: jax.Array) -> jax.Array:
        """i32[]: one of those that `mask` bool[n] has, all alike; any where it has none."""
        count = jnp.cumsum(mask)
        nth = (self._numbers[index] * count[-1]).astype(jnp.int32) + 1
        return jnp.argmax(mask & (count == nth)).astype(jnp.int32)

    def at(self, index: int, low: float = 0.0, high: float = 1.0) -> jax.Array:
        """f32[]: number `index` of the edit, stretched."""
        return low + (high - low) * self._numbers[index]


def gaps(level: Level) -> jax.Array:
    """f32[S, S] m: the bound on the distance of each two shapes."""
    return separations(level.scene.vertices, level.scene.radius, level.position, level.rotation)


def may_collide(level: Level) -> jax.Array:
    """bool[S, S]: pairs that would collide if nobody said otherwise."""
    scene, present = level.scene, level.present
    moves = scene.inverse_mass > 0
    is_pair = jnp.asarray(pair_index(level.size) >= 0)
    return is_pair & present[:, None] & present & (moves[:, None] | moves) & ~_held(level)


def _held(level: Level) -> jax.Array:
    """bool[S, S]: pairs that a joint holds together."""
    joints, slot = level.scene.joints, np.arange(level.size.num_shapes)
    is_a, is_b = joints.shape_a[:, None] == slot, joints.shape_b[:, None] == slot
    held = is_a[:, :, None] & is_b[:, None] & joints.active[:, None, None]
    return jnp.any(held | jnp.swapaxes(held, 1, 2), axis=0)


def extents(level: Level) -> jax.Array:
    """f32[S] m: from the centroid to the farthest point."""
    polygons = jnp.sqrt(jnp.max(jnp.sum(level.scene.vertices**2, axis=-1), axis=-1))
    return jnp.concatenate([polygons, level.scene.radius])


def _loose(level: Level) -> jax.Array:
    """bool[S]: the shapes that edits may change: all but the walls."""
    return level.present & (jnp.arange(level.size.num_shapes) >= first_free(level.size))


def _is(index: jax.Array, count: int) -> jax.Array:
    return jnp.arange(count) == index


def _add(draft: Draft, luck: Luck) -> Draft:
    level, size = draft.level, luck.size
    scene, num_shapes = level.scene, size.num_shapes
    is_slot = np.arange(num_shapes) >= first_free(size)
    new = luck.pick(0, ~level.present & is_slot)
    is_new = _is(new, num_shapes) & ~level.present & is_slot
    host = luck.pick(1, _loose(level))
    joint = luck.pick(2, ~scene.joints.active) if size.num_joints else jnp.int32(0)
    hangs = (luck.at(3) < 0.5) & jnp.any(~scene.joints.active) & jnp.any(_loose(level))
    is_static = ~hangs & (luck.at(4) < 0.4)

    width, height = luck.at(5, 0.08, 0.5), luck.at(6, 0.05, 0.25)
    corners = jnp.where(luck.at(7) < 0.3, 3, 4)
    count = np.arange(size.max_vertices)
    angle = 2 * jnp.pi * (jnp.minimum(count, corners - 1) + 0.5) / corners
    outline = jnp.stack([width * jnp.cos(angle), height * jnp.sin(angle)], axis=-1) * math.sqrt(2.0)
    outline = jnp.where((count < corners)[:, None], outline, outline[jnp.minimum(corners, size.max_vertices) - 1])
    radius = luck.at(5, 0.08, 0.35)
    mass, centroid, inertia = polygon_mass(outline)
    is_disc = new >= size.num_polygons
    disc = disc_mass(radius)
    mass, inertia = jnp.where(is_disc, disc[0], mass), jnp.where(is_disc, disc[1], inertia)

    turn = luck.at(8, -jnp.pi, jnp.pi)
    way = luck.at(9, -jnp.pi, jnp.pi)
    reach = 0.7 * luck.at(10) * extents(level)[host]
    at = level.position[host] + reach * jnp.stack([jnp.cos(way), jnp.sin(way)])  # where the new joint is
    own = jnp.where(is_disc, 0.0, 0.7 * width) * jnp.stack([jnp.cos(turn), jnp.sin(turn)])
    anywhere = jnp.stack([luck.at(11, 0.1, ROOM - 0.1), luck.at(12, 0.1, ROOM - 0.1)])
    position = jnp.where(hangs, at + own, anywhere)

    def put(values: jax.Array, value: jax.Array) -> jax.Array:
        mask = is_new.reshape(-1, *(1,) * (values.ndim - 1))
        return jnp.where(mask, value, values)

    is_polygon, is_circle = is_new[: size.num_polygons], is_new[size.num_polygons :]
    weight = jnp.where(is_static, 0.0, 1.0)
    scene = dataclasses.replace(
        scene,
        vertices=jnp.where(is_polygon[:, None, None], outline - centroid, scene.vertices),
        radius=jnp.where(is_circle, radius, scene.radius),
        inverse_mass=put(scene.inverse_mass, weight / mass),
        inverse_inertia=put(scene.inverse_inertia, weight / inertia),
        friction=put(scene.friction, luck.at(13, 0.3, 1.2)),
        restitution=put(scene.restitution, jnp.maximum(luck.at(14, -1.5, 0.7), 0.0)),
    )
    role = jnp.where(luck.at(15) < 0.7, SCENERY, jnp.floor(luck.at(16, 1, 4)).astype(jnp.int32))
    level = dataclasses.replace(
        level,
        scene=scene,
        position=put(level.position, position),
        rotation=put(level.rotation, turn),
        velocity=put(level.velocity, jnp.zeros(2)),
        angular_velocity=put(level.angular_velocity, jnp.zeros(())),
        present=level.present | is_new,
        role=put(level.role, role),
    )
    is_joint = _is(joint, size.num_joints) & hangs & jnp.any(is_new)
    level = _joined(level, is_joint, host, new, at, luck)
    # it passes through those of its contraption that it touches
    touches = (gaps(level) < NEAR) & _together(level)
    beside = touches & (is_new[:, None] | is_new)
    forgotten = draft.apart & ~(is_new[:, None] | is_new)
    return Draft(level, forgotten | (beside & hangs), draft.gaps)


def _joined(  # noqa: PLR0913, PLR0917  (what and where)
    level: Level, is_joint: jax.Array, a: jax.Array, b: jax.Array, at: jax.Array, luck: Luck
) -> Level:
    """`level` with joint slot `is_joint` bool[J] holding shape `b` on shape `a` at a point of the world."""
    joints = level.scene.joints
    has_limit, has_motor = luck.at(17) < 0.4, luck.at(18) < 0.7
    is_weld = luck.at(17) < 0.1
    turn = level.rotation[b] - level.rotation[a]
    points = [body_point(at[None], s[None], level.position, level.rotation)[0] for s in (a, b)]

    def put(values: jax.Array, value: jax.Array | float) -> jax.Array:
        mask = is_joint.reshape(-1, *(1,) * (values.ndim - 1))
        return jnp.where(mask, jnp.asarray(value, values.dtype), values)

    joints = dataclasses.replace(
        joints,
        shape_a=put(joints.shape_a, a),
        shape_b=put(joints.shape_b, b),
        anchor_a=put(joints.anchor_a, points[0]),
        anchor_b=put(joints.anchor_b, points[1]),
        rest_angle=put(joints.rest_angle, turn),
        has_limit=put(joints.has_limit, has_limit),
        lower=put(joints.lower, jnp.where(has_limit & ~is_weld, luck.at(19, -2.0, -0.2), 0.0)),
        upper=put(joints.upper, jnp.where(has_limit & ~is_weld, luck.at(20, 0.2, 2.0), 0.0)),
        spring_hertz=put(joints.spring_hertz, 0.0),
        spring_damping=put(joints.spring_damping, 1.0),
        active=joints.active | is_joint,
    )
    count = luck.config.num_motor_bindings
    binding = (luck.at(21) * count).astype(jnp.int32)
    torque = jnp.where(has_motor & ~is_weld & (count > 0), 0.5 * 40 ** luck.at(22), 0.0)
    return dataclasses.replace(
        level,
        scene=dataclasses.replace(level.scene, joints=joints),
        motor_speed=put(level.motor_speed, jnp.where(torque > 0, 6.0, 0.0)),
        motor_torque=put(level.motor_torque, torque),
        motor_binding=put(level.motor_binding, jnp.where(torque > 0, binding, 0)),
    )


def _without_joints(level: Level, is_gone: jax.Array) -> Level:
    """`level` with the joints of `is_gone` bool[J] as they are where there is none."""
    joints, size = level.scene.joints, level.size

    def clear(values: jax.Array, value: float = 0.0) -> jax.Array:
        mask = is_gone.reshape(-1, *(1,) * (values.ndim - 1))
        return jnp.where(mask, jnp.asarray(value, values.dtype), values)

    cleared = dataclasses.replace(
        joints, **{field.name: clear(getattr(joints, field.name)) for field in dataclasses.fields(joints)}
    )
    cleared = dataclasses.replace(
        cleared,
        shape_b=clear(joints.shape_b, min(1, size.num_shapes - 1)),
        spring_damping=clear(joints.spring_damping, 1.0),
    )
    return dataclasses.replace(
        level,
        scene=dataclasses.replace(level.scene, joints=cleared),
        **{name: clear(getattr(level, name)) for name in ("motor_speed", "motor_torque", "motor_binding")},
    )


def _remove(draft: Draft, luck: Luck) -> Draft:
    level, size = draft.level, luck.size
    gone = luck.pick(0, _loose(level))
    is_gone = _is(gone, size.num_shapes) & _loose(level)
    joints, thrusters = level.scene.joints, level.scene.thrusters
    level = _without_joints(level, joints.active & (is_gone[joints.shape_a] | is_gone[joints.shape_b]))
    is_jet = is_gone[thrusters.shape]

    def clear(values: jax.Array, mask: jax.Array = is_gone) -> jax.Array:
        return jnp.where(mask.reshape(-1, *(1,) * (values.ndim - 1)), jnp.zeros((), values.dtype), values)

    scalars: dict[str, Any] = {name: clear(getattr(level.scene, name)) for name in _SCALARS}
    scene = dataclasses.replace(
        level.scene,
        **scalars,
        thrusters=jax.tree.map(lambda field: clear(field, is_jet), thrusters),
    )
    of_shapes = ("position", "rotation", "velocity", "angular_velocity", "present", "role")
    level = dataclasses.replace(
        level,
        scene=scene,
        **{name: clear(getattr(level, name)) for name in of_shapes},
        thruster_force=clear(level.thruster_force, is_jet),
        thruster_binding=clear(level.thruster_binding, is_jet),
    )
    return Draft(level, draft.apart & ~(is_gone[:, None] | is_gone), draft.gaps)


def _together(level: Level) -> jax.Array:
    """bool[S, S]: shapes that joints hold together, over others if need be, but not over a wall."""
    is_free = np.arange(level.size.num_shapes) >= first_free(level.size)
    reach = (_held(level) & is_free[:, None] & is_free) | jnp.eye(level.size.num_shapes, dtype=bool)
    for _ in range(math.ceil(math.log2(level.size.num_joints + 1))):
        reach = (reach.astype(jnp.float32) @ reach.astype(jnp.float32)) > 0.5
    return reach


def _moved(draft: Draft, luck: Luck, shift: jax.Array, turn: jax.Array, scale: jax.Array) -> Draft:
    """A random shape and what hangs together with it, shifted, and turned and scaled about that shape's centroid."""
    level = draft.level
    scene = level.scene
    target = luck.pick(0, _loose(level))
    moves = _together(level)[target] & _loose(level)
    pivot, cos, sin = level.position[target], jnp.cos(turn), jnp.sin(turn)

    def carried(points: jax.Array) -> jax.Array:
        return pivot + shift + scale * turned(points - pivot, cos, sin)

    position = jnp.where(moves[:, None], carried(level.position), level.position)
    rotation = jnp.where(moves, level.rotation + turn, level.rotation)
    size, joints, thrusters = luck.size, scene.joints, scene.thrusters
    factor = jnp.where(moves, scale, 1.0)
    ends_move = moves[joints.shape_a], moves[joints.shape_b]
    a = joints.shape_a
    angle = level.rotation[a]
    pin = carried(level.position[a] + turned(joints.anchor_a, jnp.cos(angle), jnp.sin(angle)))
    moved_pin = ends_move[0] | ends_move[1]
    b_angle = level.rotation[joints.shape_b]
    b_pin = carried(level.position[joints.shape_b] + turned(joints.anchor_b, jnp.cos(b_angle), jnp.sin(b_angle)))

    def anchor(old: jax.Array, inside: jax.Array, shape: jax.Array, place: jax.Array) -> jax.Array:
        """Scaled with its shape, or on a wall where the other end has gone."""
        on_wall = body_point(place, shape, position, rotation)
        new = jnp.where(inside[:, None], scale * old, on_wall)
        return jnp.where((joints.active & moved_pin)[:, None], new, old)

    joints = dataclasses.replace(
        joints,
        anchor_a=anchor(joints.anchor_a, ends_move[0], joints.shape_a, b_pin),
        anchor_b=anchor(joints.anchor_b, ends_move[1], joints.shape_b, pin),
        rest_angle=joints.rest_angle
        + jnp.where(joints.active, turn * (ends_move[1].astype(jnp.float32) - ends_move[0].astype(jnp.float32)), 0.0),
    )
    scene = dataclasses.replace(
        scene,
        vertices=scene.vertices * factor[: size.num_polygons, None, None],
        radius=scene.radius * factor[size.num_polygons :],
        inverse_mass=scene.inverse_mass / factor**2,
        inverse_inertia=scene.inverse_inertia / factor**4,
        joints=joints,
        thrusters=dataclasses.replace(thrusters, point=thrusters.point * factor[thrusters.shape][:, None]),
    )
    level = dataclasses.replace(level, scene=scene, position=position, rotation=rotation)
    return dataclasses.replace(draft, level=level)


def _move(draft: Draft, luck: Luck) -> Draft:
    way, far = luck.at(1, -jnp.pi, jnp.pi), luck.at(2) ** 2 * 2.0
    turn = jnp.where(luck.at(3) < 0.5, luck.at(4, -1.0, 1.0), 0.0)
    return _moved(draft, luck, far * jnp.stack([jnp.cos(way), jnp.sin(way)]), turn, jnp.ones(()))


def _resize(draft: Draft, luck: Luck) -> Draft:
    return _moved(draft, luck, jnp.zeros(2), jnp.zeros(()), 0.65 * (1.55 / 0.65) ** luck.at(1))


def _recast(draft: Draft, luck: Luck) -> Draft:
    """Another role, two roles swapped, or static made free and the reverse."""
    level, size, scene = draft.level, luck.size, draft.level.scene
    one, other = luck.pick(0, _loose(level)), luck.pick(1, _loose(level))
    is_one, is_other = _is(one, size.num_shapes) & _loose(level), _is(other, size.num_shapes) & _loose(level)
    fresh = (luck.at(2) * 4).astype(jnp.int32)
    set_one = jnp.where(is_one, fresh, level.role)
    swapped = jnp.where(is_one, level.role[other], jnp.where(is_other, level.role[one], level.role))
    kind = luck.at(3)
    role = jnp.where(kind < 0.3, set_one, jnp.where(kind < 0.7, swapped, level.role))
    flips = is_one & (kind >= 0.7)
    mass, _, inertia = polygon_mass(scene.vertices)
    discs = disc_mass(scene.radius)
    mass, inertia = jnp.concatenate([mass, discs[0]]), jnp.concatenate([inertia, discs[1]])
    to_static = scene.inverse_mass > 0
    scene = dataclasses.replace(
        scene,
        inverse_mass=jnp.where(flips, jnp.where(to_static, 0.0, 1.0 / mass), scene.inverse_mass),
        inverse_inertia=jnp.where(flips, jnp.where(to_static, 0.0, 1.0 / inertia), scene.inverse_inertia),
    )
    still = flips & to_static
    level = dataclasses.replace(
        level,
        scene=scene,
        role=role,
        velocity=jnp.where(still[:, None], 0.0, level.velocity),
        angular_velocity=jnp.where(still, 0.0, level.angular_velocity),
    )
    return dataclasses.replace(draft, level=level)


def _rejoint(draft: Draft, luck: Luck) -> Draft:
    """A joint removed, limited, stiffened or freed; or a new one between a shape and its nearest neighbour."""
    level, size = draft.level, luck.size
    if not size.num_joints:
        return draft
    joints, kind = level.scene.joints, luck.at(0)
    is_old = _is(luck.pick(1, joints.active), size.num_joints) & joints.active
    removed = _without_joints(level, is_old)
    parted = draft.apart | (_held(level) & ~_held(removed) & (draft.gaps < NEAR))

    limit, is_weld = luck.at(2) < 0.5, luck.at(2) < 0.15
    angle = level.rotation[joints.shape_b] - level.rotation[joints.shape_a] - joints.rest_angle
    has_limit = jnp.where(is_old, limit, joints.has_limit)
    bounds = [jnp.where(is_weld, 0.0, luck.at(i, *span)) for i, span in ((3, (-2.2, -0.1)), (4, (0.1, 2.2)))]
    lower, upper = (
        jnp.where(is_old, jnp.where(limit, angle + d, 0.0), v)
        for d, v in zip(bounds, (joints.lower, joints.upper), strict=True)
    )
    limited = dataclasses.replace(joints, has_limit=has_limit, lower=lower, upper=upper)
    changed = dataclasses.replace(level, scene=dataclasses.replace(level.scene, joints=limited))

    one = luck.pick(5, _loose(level))
    can_hold = _loose(level) & ~_is(one, size.num_shapes) & ~_held(level)[one]
    gap = jnp.where(can_hold, draft.gaps[one], jnp.inf)
    other = jnp.argmin(gap)
    is_new = _is(luck.pick(6, ~joints.active), size.num_joints) & ~joints.active & (gap[other] < 0.3)
    joined = _joined(level, is_new, one, other, 0.5 * (level.position[one] + level.position[other]), luck)
    chosen = jnp.where(kind < 0.2, 0, jnp.where(kind < 0.6, 1, 2))
    level = jax.tree.map(lambda a, b, c: jnp.select([chosen == 0, chosen == 1], [a, b], c), removed, changed, joined)
    return Draft(level, jnp.where(chosen == 0, parted, draft.apart), draft.gaps)


def _repower(draft: Draft, luck: Luck) -> Draft:
    """A motor made stronger or weaker, faster or slower, taken off or put on, or bound to another action."""
    level, size, count = draft.level, luck.size, luck.config.num_motor_bindings
    if not size.num_joints or not count:
        return draft
    joints = level.scene.joints
    stiff = joints.has_limit & (joints.lower >= joints.upper)
    can_drive = joints.active & ~stiff
    chosen = _is(luck.pick(0, can_drive), size.num_joints) & can_drive
    old = level.motor_torque
    kind = luck.at(1)
    stronger = jnp.where(old > 0, jnp.clip(old * 3 ** luck.at(2, -1.0, 1.0), 0.05, 100.0), 0.5 * 40 ** luck.at(2))
    torque = jnp.where((kind < 0.15) & (old > 0), 0.0, stronger)
    speed = jnp.where(level.motor_speed != 0, level.motor_speed, 6.0) * 1.5 ** luck.at(3, -1.0, 1.0)
    speed = jnp.clip(jnp.where(luck.at(4) < 0.2, -speed, speed), -20.0, 20.0)
    fresh = (luck.at(5) * count).astype(jnp.int32)
    binding = jnp.where((luck.at(6) < 0.5) | (old == 0), fresh, level.motor_binding)
    on = torque > 0
    level = dataclasses.replace(
        level,
        motor_torque=jnp.where(chosen, torque, level.motor_torque),
        motor_speed=jnp.where(chosen, jnp.where(on, speed, 0.0), level.motor_speed),
        motor_binding=jnp.where(chosen, jnp.where(on, binding, 0), level.motor_binding),
    )
    return dataclasses.replace(draft, level=level)


def _rethrust(draft: Draft, luck: Luck) -> Draft:
    """A thruster put on or taken off, turned, made stronger or weaker, or bound to another action."""
    level, size, count = draft.level, luck.size, luck.config.num_thruster_bindings
    if not size.num_thrusters or not count:
        return draft
    thrusters, old = level.scene.thrusters, level.thruster_force
    chosen = _is(luck.pick(0, jnp.ones(size.num_thrusters, bool)), size.num_thrusters)
    is_on = old > 0
    moves = _loose(level) & (level.scene.inverse_mass > 0)
    shape = luck.pick(1, moves)
    goes = is_on & (luck.at(2) < 0.15)
    moved = ~is_on | (luck.at(2) > 0.8)
    way, far = luck.at(3, -jnp.pi, jnp.pi), luck.at(4, 0.0, 0.7) * extents(level)[shape]
    point = far * jnp.stack([jnp.cos(way), jnp.sin(way)])
    weight = 9.81 / jnp.maximum(level.scene.inverse_mass[shape], 1e-3)
    force = jnp.where(is_on & ~moved, old * 2 ** luck.at(5, -1.0, 1.0), weight * 4 ** luck.at(5, 0.0, 1.0))
    force = jnp.where(goes | ~jnp.any(moves), 0.0, jnp.clip(force, 0.01, 1e3))
    angle = jnp.where(moved, luck.at(6, -jnp.pi, jnp.pi), thrusters.angle + luck.at(6, -0.6, 0.6))
    fresh = (luck.at(7) * count).astype(jnp.int32)
    binding = jnp.where((luck.at(8) < 0.4) | ~is_on, fresh, level.thruster_binding)
    on = force > 0
    thrusters = dataclasses.replace(
        thrusters,
        shape=jnp.where(chosen & moved, shape, thrusters.shape) * jnp.where(chosen & ~on, 0, 1),
        point=jnp.where((chosen & moved)[:, None], point, thrusters.point) * jnp.where(chosen & ~on, 0.0, 1.0)[:, None],
        angle=jnp.where(chosen, jnp.where(on, angle, 0.0), thrusters.angle),
    )
    level = dataclasses.replace(
        level,
        scene=dataclasses.replace(level.scene, thrusters=thrusters),
        thruster_force=jnp.where(chosen, force, old),
        thruster_binding=jnp.where(chosen, jnp.where(on, binding, 0), level.thruster_binding),
    )
    return dataclasses.replace(draft, level=level)


EDITS = (_add, _remove, _move, _resize, _recast, _rejoint, _repower, _rethrust)
