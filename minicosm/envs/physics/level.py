"""What is played: a scene, how it starts, what each shape means and what the controls drive.

Axis letters as in `engine.scene`: S shapes (polygons, then circles), K pairs, J joints, T thrusters.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.physics.engine.build import build
from minicosm.envs.physics.engine.scene import Scene
from minicosm.envs.physics.engine.size import Size, pair_index, pairs

SCENERY, GREEN, BLUE, RED = range(4)  # roles: green must touch blue, and never red
ROLES = ("scenery", "green", "blue", "red")
AUTOMATIC = -1  # the binding of a motor or thruster that no action drives: it is always fully on


@struct.dataclass
class Level:
    """A task as data. Slots in which nothing is present collide with nothing and never move."""

    scene: Scene
    position: jax.Array  # f32[S, 2]  m, of centroids, at the start
    rotation: jax.Array  # f32[S]  rad
    velocity: jax.Array  # f32[S, 2]  m/s
    angular_velocity: jax.Array  # f32[S]  rad/s
    present: jax.Array  # bool[S]  whether the slot holds a shape
    role: jax.Array  # i32[S]  index into ROLES; 0 where nothing is present
    motor_speed: jax.Array  # f32[J]  rad/s of shape b against shape a that a full action asks for
    motor_torque: jax.Array  # f32[J]  N m, the most that the motor may use; 0 where the joint has no motor
    motor_binding: jax.Array  # i32[J]  which motor action drives it, or AUTOMATIC
    thruster_force: jax.Array  # f32[T]  N at full action; 0 where there is no thruster
    thruster_binding: jax.Array  # i32[T]  which thruster action drives it, or AUTOMATIC

    @property
    def size(self) -> Size:
        """How many slots of everything there are."""
        return self.scene.size


def blank(size: Size) -> Level:
    """A level of `size` in which nothing is present: no shape, joint or thruster."""
    scene, state = build(size, [])
    joints, thrusters = jnp.zeros(size.num_joints), jnp.zeros(size.num_thrusters)
    return Level(
        scene=scene,
        position=state.position,
        rotation=state.rotation,
        velocity=state.velocity,
        angular_velocity=state.angular_velocity,
        present=jnp.zeros(size.num_shapes, bool),
        role=jnp.zeros(size.num_shapes, jnp.int32),
        motor_speed=joints,
        motor_torque=joints,
        motor_binding=joints.astype(jnp.int32),
        thruster_force=thrusters,
        thruster_binding=thrusters.astype(jnp.int32),
    )


def role_pairs(level: Level, one: int, other: int) -> jax.Array:
    """bool[K]: which pairs of shapes are of these two roles."""
    first, second = level.role[pairs(level.size)].T
    both: jax.Array = ((first == one) & (second == other)) | ((first == other) & (second == one))
    return both


def cannot_move(level: Level) -> jax.Array:
    """bool[]: nothing that a binding drives can move anything, or no green and no blue shape can move.

    A shape can move that is not static. The levels that this passes over may still be impossible.
    """
    scene = level.scene
    moves = scene.inverse_mass > 0
    joints, thrusters = scene.joints, scene.thrusters
    motor = joints.active & (level.motor_torque > 0) & (level.motor_binding != AUTOMATIC)
    is_stiff = joints.has_limit & (joints.lower >= joints.upper)
    motor &= ~is_stiff & (moves[joints.shape_a] | moves[joints.shape_b])
    thruster = (level.thruster_force > 0) & (level.thruster_binding != AUTOMATIC) & moves[thrusters.shape]
    goal = (level.role == GREEN) | (level.role == BLUE)
    return ~(jnp.any(motor) | jnp.any(thruster)) | ~jnp.any(goal & moves)


def fit(level: Level, size: Size) -> Level:
    """`level` (one, not a batch) in the slots of a larger `size`; it behaves the same there.

    Not for traced arrays: what is in use decides whether it fits. Raises ValueError, naming what does not fit.
    """
    old = level.size
    if size == old:
        return level
    _check_fits(level, size)
    polygons = np.arange(min(old.num_polygons, size.num_polygons))
    circles = np.arange(min(old.num_circles, size.num_circles))
    if size.num_walls != old.num_walls:
        polygons = _polygon_slots(level, size)
    source = np.full(size.num_shapes, -1)  # the old slot of each new one
    for new, slot in enumerate(polygons):
        source[new] = slot
    source[size.num_polygons + circles] = old.num_polygons + circles
    return _moved(level, size, source)


def _polygon_slots(level: Level, size: Size) -> np.ndarray:
    """The old slot of each new polygon where the number of wall slots differs: walls first, then the others."""
    old, used = level.size, np.asarray(level.present)
    walls = [i for i in range(old.num_walls) if used[i]]
    others = [i for i in range(old.num_walls, old.num_polygons) if used[i]]
    head = walls[: size.num_walls] + [-1] * (size.num_walls - len(walls))
    return np.array((head + walls[size.num_walls :] + others + [-1] * size.num_polygons)[: size.num_polygons])


def _check_fits(level: Level, size: Size) -> None:
    old, present = level.size, np.asarray(level.present)
    needs = {
        "num_polygons": _last(present[: old.num_polygons]),
        "num_circles": _last(present[old.num_polygons :]),
        "num_joints": _last(np.asarray(level.scene.joints.active)),
        "num_thrusters": _last(np.asarray(level.thruster_force) > 0),
        "max_vertices": max([3, *(_num_vertices(level, i) for i in np.flatnonzero(present[: old.num_polygons]))]),
    }
    if size.num_walls != old.num_walls:
        walls = int(present[: old.num_walls].sum())
        others = int(present[old.num_walls : old.num_polygons].sum())
        needs["num_polygons"] = size.num_walls + max(0, walls - size.num_walls) + others
    for name, need in needs.items():
        room = getattr(size, name)
        if need > room:
            raise ValueError(f"the level needs {name} {need}, but the size has room for {room}: choose a larger size")


def _last(used: np.ndarray) -> int:
    """How many slots it takes to keep everything where it is."""
    indices = np.flatnonzero(used)
    return int(indices[-1]) + 1 if len(indices) else 0


def _num_vertices(level: Level, polygon: int | np.integer[Any]) -> int:
    return len(np.unique(np.asarray(level.scene.vertices[polygon]), axis=0))


def _moved(level: Level, size: Size, source: np.ndarray) -> Level:
    """`level` in `size`, whose shape i is the old shape source[i], or nothing where that is -1."""
    empty, scene = blank(size), level.scene
    is_kept = source >= 0
    target = np.zeros(level.size.num_shapes, np.int32)
    target[source[is_kept]] = np.flatnonzero(is_kept)

    def shapes(new: jax.Array, old: jax.Array) -> jax.Array:
        return new.at[np.flatnonzero(is_kept)].set(old[source[is_kept]])

    def slots(new: jax.Array, old: jax.Array) -> jax.Array:
        kept = min(len(new), len(old))
        return new.at[:kept].set(old[:kept])

    num_polygons = size.num_polygons
    kept_polygons = np.flatnonzero(is_kept[:num_polygons])
    vertices = _with_vertices(scene.vertices[source[kept_polygons]], size.max_vertices)
    kept_circles = np.flatnonzero(is_kept[num_polygons:])
    radius = scene.radius[source[num_polygons + kept_circles] - level.size.num_polygons]
    matrix = np.zeros((size.num_shapes, size.num_shapes), bool)
    index = pair_index(level.size)
    collides = np.append(np.asarray(scene.collides), False)[index]
    kept = np.flatnonzero(is_kept)
    matrix[np.ix_(kept, kept)] = collides[np.ix_(source[kept], source[kept])]
    joints: Any = jax.tree.map(slots, empty.scene.joints, scene.joints)
    has_joint = np.asarray(joints.active)
    joints = dataclasses.replace(
        joints,
        shape_a=jnp.where(has_joint, target[np.asarray(joints.shape_a)], empty.scene.joints.shape_a),
        shape_b=jnp.where(has_joint, target[np.asarray(joints.shape_b)], empty.scene.joints.shape_b),
    )
    thrusters: Any = jax.tree.map(slots, empty.scene.thrusters, scene.thrusters)
    thrusters = dataclasses.replace(thrusters, shape=jnp.asarray(target[np.asarray(thrusters.shape)]))
    new_scene = Scene(
        vertices=empty.scene.vertices.at[kept_polygons].set(vertices),
        radius=empty.scene.radius.at[kept_circles].set(radius),
        **{
            name: shapes(getattr(empty.scene, name), getattr(scene, name))
            for name in ("inverse_mass", "inverse_inertia", "friction", "restitution")
        },
        collides=jnp.asarray(matrix[tuple(pairs(size).T)]),
        gravity=scene.gravity,
        joints=joints,
        thrusters=thrusters,
        size=size,
    )
    of_shapes = ("position", "rotation", "velocity", "angular_velocity", "present", "role")
    of_slots = ("motor_speed", "motor_torque", "motor_binding", "thruster_force", "thruster_binding")
    return Level(
        scene=new_scene,
        **{name: shapes(getattr(empty, name), getattr(level, name)) for name in of_shapes},
        **{name: slots(getattr(empty, name), getattr(level, name)) for name in of_slots},
    )


def _with_vertices(vertices: jax.Array, count: int) -> jax.Array:
    """f32[n, V, 2] -> f32[n, count, 2]: repeated last vertices cut off or added; anything cut repeats one kept."""
    kept = vertices[:, :count]
    return jnp.concatenate([kept, jnp.repeat(kept[:, -1:], count - kept.shape[1], axis=1)], axis=1)
