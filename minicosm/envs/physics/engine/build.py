"""The loader: from shapes, joints and thrusters as a person wrote them to a scene and its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine.bodies import Body, body_of, point, scalar, turned
from minicosm.envs.physics.engine.definitions import Joint, Pin, Point, Polygon, Shape, Thruster, Weld
from minicosm.envs.physics.engine.scene import Controls, Joints, Scene, State, Thrusters
from minicosm.envs.physics.engine.size import Size, pairs

Tree = TypeVar("Tree")

# What an empty polygon slot holds, about its centroid, so that nothing divides by the length of an edge that is none.
_PLACEHOLDER = np.array([[-0.5, -1 / 3], [0.5, -1 / 3], [0.0, 2 / 3]])


def slots(size: Size, shapes: Sequence[Shape], walls: Sequence[Shape] = ()) -> tuple[int, ...]:
    """In which slot `build` puts each of `shapes`, and then each of `walls`.

    Kinds keep their order: the n-th wall is slot n, the n-th other polygon `num_walls + n`, the n-th circle
    `num_polygons + n`. Raises ValueError where they do not fit.
    """
    is_polygon = [isinstance(shape, Polygon) for shape in shapes]
    room = size.num_polygons - size.num_walls
    _check_room("polygons beside the walls", sum(is_polygon), room, "num_polygons")
    _check_room("circles", len(shapes) - sum(is_polygon), size.num_circles, "num_circles")
    _check_room("walls", len(walls), size.num_walls, "num_walls")
    polygon_slots = iter(range(size.num_walls, size.num_polygons))
    circle_slots = iter(range(size.num_polygons, size.num_shapes))
    return (*(next(polygon_slots if polygon else circle_slots) for polygon in is_polygon), *range(len(walls)))


def build(  # noqa: PLR0913  (a scene has this many parts)
    size: Size,
    shapes: Sequence[Shape],
    joints: Sequence[Joint] = (),
    thrusters: Sequence[Thruster] = (),
    *,
    gravity: Point = (0.0, -9.81),
    walls: Sequence[Polygon] = (),
    no_collision: Any = (),
) -> tuple[Scene, State]:
    """The scene of these parts in slots of `size`, and its state at the start.

    `shapes` come in any order; `slots` says where each goes. `joints[j]` goes to slot j, as do `thrusters`. Indices of
    shapes (of joints, thrusters and `no_collision`) count `shapes` first and then `walls`, which must be static.
    `gravity` is in m/s^2. `no_collision` says which shapes pass through each other: pairs of indices, or a symmetric
    matrix bool[n, n] that is True where two of the n shapes and walls do. Jointed shapes do so anyway, and static ones.
    Arrays are float32, or float64 under `jax_enable_x64`.

    Raises ValueError for a part that does not fit `size` or cannot be simulated, and TypeError for one of a wrong type.
    """
    slot_of = slots(size, shapes, walls)
    names = [f"shape {i}" for i in range(len(shapes))] + [f"wall {i}" for i in range(len(walls))]
    bodies = [body_of(shape, name, size.max_vertices) for shape, name in zip([*shapes, *walls], names, strict=True)]
    for body, name in zip(bodies[len(shapes) :], names[len(shapes) :], strict=True):
        if body.vertices is None or not body.is_static:
            raise ValueError(f"{name} is not a static polygon: set its static=True, or list it among the shapes")
    kept_apart = _apart(bodies, joints, no_collision)
    scene = Scene(
        **_shape_arrays(size, bodies, slot_of),
        collides=_collides(size, slot_of, kept_apart),
        gravity=point(gravity, "gravity"),  # type: ignore[arg-type]
        joints=_joint_arrays(size, bodies, slot_of, joints),
        thrusters=_thruster_arrays(size, bodies, slot_of, thrusters),
        size=size,
    )
    return _on_device(scene), _on_device(_first_state(size, bodies, slot_of))


def start(
    scene: Scene, position: jax.Array, rotation: jax.Array, velocity: jax.Array, angular_velocity: jax.Array
) -> State:
    """The state of a scene that nothing has touched yet, from f32[S, 2], f32[S], f32[S, 2], f32[S]; on the device."""
    dtype, size = scene.gravity.dtype, scene.size
    contacts = jnp.zeros((size.num_pairs, 2, 4), dtype)
    return State(position, rotation, velocity, angular_velocity, contacts, jnp.zeros((size.num_joints, 6), dtype))


def idle(scene: Scene) -> Controls:
    """Controls with every motor and thruster off. A batched scene gives batched controls."""
    torque = jnp.zeros_like(scene.joints.rest_angle)
    return Controls(torque, torque, jnp.zeros_like(scene.thrusters.angle))


def stack(worlds: Sequence[tuple[Scene, State]]) -> tuple[Scene, State]:
    """One batch of worlds of one size: every array gains a leading axis B."""
    if not worlds:
        raise ValueError("stack was given no worlds: it needs at least one")
    sizes = {scene.size for scene, _ in worlds}
    if len(sizes) > 1:
        raise ValueError(f"worlds of {len(sizes)} sizes do not stack ({sizes}): build them all with one size")
    batch: tuple[Scene, State] = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *worlds)
    return batch


def _check_room(what: str, count: int, room: int, field: str) -> None:
    if count > room:
        raise ValueError(f"{count} {what} do not fit this size, which has room for {room}: raise its {field}")


def _on_device(tree: Tree) -> Tree:
    """Floats in JAX's default precision, on the default device."""
    dtype = jnp.result_type(float)
    moved: Tree = jax.tree.map(lambda x: jnp.asarray(x, dtype if x.dtype == np.float64 else x.dtype), tree)
    return moved


def _shape_arrays(size: Size, bodies: Sequence[Body], slot_of: Sequence[int]) -> dict[str, Any]:
    vertices = np.tile(_filled(_PLACEHOLDER, size.max_vertices), (size.num_polygons, 1, 1))
    radius = np.ones(size.num_circles)
    per_shape = {name: np.zeros(size.num_shapes) for name in _SCALARS}
    for body, slot in zip(bodies, slot_of, strict=True):
        if body.vertices is not None:
            vertices[slot] = _filled(body.vertices, size.max_vertices)
        if body.radius is not None:
            radius[slot - size.num_polygons] = body.radius
        for name in _SCALARS:
            per_shape[name][slot] = getattr(body, name)
    return {"vertices": vertices, "radius": radius, **per_shape}


_SCALARS = ("inverse_mass", "inverse_inertia", "friction", "restitution")


def _filled(vertices: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([vertices, np.repeat(vertices[-1:], count - len(vertices), axis=0)])


def _first_state(size: Size, bodies: Sequence[Body], slot_of: Sequence[int]) -> State:
    position, velocity = np.zeros((2, size.num_shapes, 2))
    rotation, angular_velocity = np.zeros((2, size.num_shapes))
    for body, slot in zip(bodies, slot_of, strict=True):
        position[slot], velocity[slot] = body.position, body.velocity
        rotation[slot], angular_velocity[slot] = body.rotation, body.angular_velocity
    contacts, impulses = np.zeros((size.num_pairs, 2, 4)), np.zeros((size.num_joints, 6))
    return State(position, rotation, velocity, angular_velocity, contacts, impulses)  # type: ignore[arg-type]


def _apart(bodies: Sequence[Body], joints: Sequence[Joint], no_collision: Any) -> np.ndarray:
    """bool[n, n]: which of the n shapes and walls never collide."""
    is_static = np.array([body.is_static for body in bodies], bool)
    apart: np.ndarray = np.outer(is_static, is_static) | _no_collision_matrix(no_collision, len(bodies))
    for j, joint in enumerate(joints):
        a, b = _ends(joint, f"joint {j}", bodies)
        apart[a, b] = apart[b, a] = True
    return apart


def _no_collision_matrix(no_collision: Any, count: int) -> np.ndarray:
    try:
        given = np.asarray(no_collision)
    except ValueError:  # rows of different lengths: no matrix, and refused pair by pair
        given = np.zeros(0)
    if given.dtype == bool:
        if given.shape != (count, count):
            raise ValueError(f"no_collision is a matrix {given.shape}: it must be {(count, count)}, shapes then walls")
        if (given != given.T).any():
            i, j = np.argwhere(given != given.T)[0].tolist()
            raise ValueError(f"no_collision[{i}, {j}] is {given[i, j]} and [{j}, {i}] is not: it must be symmetric")
        return np.array(given)
    matrix = np.zeros((count, count), bool)
    for pair in no_collision:
        if np.shape(pair) != (2,):
            raise ValueError(f"no_collision holds {pair!r}: it must hold pairs of indices, or be a matrix of bools")
        a, b = (_index(i, "no_collision", count) for i in pair)
        matrix[a, b] = matrix[b, a] = True
    return matrix


def _collides(size: Size, slot_of: Sequence[int], apart: np.ndarray) -> Any:
    collides = np.zeros((size.num_shapes, size.num_shapes), bool)
    collides[np.ix_(slot_of, slot_of)] = ~apart
    return collides[tuple(pairs(size).T)]


def _index(value: Any, what: str, count: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < count:
        raise ValueError(f"{what} names shape {value!r}: there are {count} shapes and walls, so 0 to {count - 1}")
    return int(value)


def _ends(joint: Joint, name: str, bodies: Sequence[Body]) -> tuple[int, int]:
    if not isinstance(joint, (Pin, Weld)):
        raise TypeError(f"{name} is {joint!r}: it must be a Pin or a Weld")
    a, b = _index(joint.a, name, len(bodies)), _index(joint.b, name, len(bodies))
    if a == b:
        raise ValueError(f"{name} joins shape {a} to itself: it needs two shapes")
    if bodies[a].is_static and bodies[b].is_static:
        raise ValueError(f"{name} joins shapes {a} and {b}, which are both static: at least one must be able to move")
    return a, b


def _joint_arrays(size: Size, bodies: Sequence[Body], slot_of: Sequence[int], joints: Sequence[Joint]) -> Joints:
    _check_room("joints", len(joints), size.num_joints, "num_joints")
    shape = np.tile(np.array([[0], [min(1, size.num_shapes - 1)]], np.int32), size.num_joints)
    anchor = np.zeros((2, size.num_joints, 2))
    rest_angle, lower, upper, hertz = np.zeros((4, size.num_joints))
    damping = np.ones(size.num_joints)
    has_limit, active = np.zeros((2, size.num_joints), bool)
    for j, joint in enumerate(joints):
        name = f"joint {j}"
        ends = _ends(joint, name, bodies)
        shape[:, j] = [slot_of[i] for i in ends]
        a, b = (bodies[i] for i in ends)
        anchor[:, j] = _anchors(joint, name, a, b)
        posed = b.rotation - a.rotation
        rest_angle[j] = posed if joint.rest_angle is None else scalar(joint.rest_angle, f"rest_angle of {name}")
        limits = (0.0, 0.0) if isinstance(joint, Weld) else joint.limits
        if limits is not None:
            has_limit[j], (lower[j], upper[j]) = True, _limits(limits, name)
        if isinstance(joint, Pin):
            hertz[j] = scalar(joint.spring_hertz, f"spring_hertz of {name}", low=0.0)
            ratio = scalar(joint.spring_damping, f"spring_damping of {name}", low=0.0)
            damping[j] = ratio if hertz[j] else 1.0  # no spring: one that divides by nothing
        active[j] = True
    arrays = (*shape, *anchor, rest_angle, has_limit, lower, upper, hertz, damping, active)
    return Joints(*arrays)


def _anchors(joint: Joint, name: str, a: Body, b: Body) -> list[np.ndarray]:
    """The anchors in the body frames of both shapes, f64[2] each."""
    given = [joint.anchor_a is not None, joint.anchor_b is not None]
    if joint.at is not None and not any(given):
        at = point(joint.at, f"at of {name}")
        return [turned(at - body.position, -body.rotation) for body in (a, b)]
    if joint.at is None and all(given):
        return [
            point(joint.anchor_a, f"anchor_a of {name}") - a.centroid,
            point(joint.anchor_b, f"anchor_b of {name}") - b.centroid,
        ]
    said = f"at={joint.at}, anchor_a={joint.anchor_a}, anchor_b={joint.anchor_b}"
    raise ValueError(f"{name} has {said}: give either `at` alone or both anchors")


def _limits(limits: Any, name: str) -> np.ndarray:
    lower, upper = point(limits, f"limits of {name}")
    if lower > upper:
        raise ValueError(f"limits of {name} are {lower:g} and {upper:g}: the first must not exceed the second")
    return np.array([lower, upper])


def _thruster_arrays(
    size: Size, bodies: Sequence[Body], slot_of: Sequence[int], thrusters: Sequence[Thruster]
) -> Thrusters:
    _check_room("thrusters", len(thrusters), size.num_thrusters, "num_thrusters")
    shape, at = np.zeros(size.num_thrusters, np.int32), np.zeros((size.num_thrusters, 2))
    angle = np.zeros(size.num_thrusters)
    for t, thruster in enumerate(thrusters):
        name = f"thruster {t}"
        if not isinstance(thruster, Thruster):
            raise TypeError(f"{name} is {thruster!r}: it must be a Thruster")
        index = _index(thruster.shape, name, len(bodies))
        shape[t] = slot_of[index]
        at[t] = point(thruster.point, f"point of {name}") - bodies[index].centroid
        angle[t] = scalar(thruster.angle, f"angle of {name}")
    return Thrusters(shape, at, angle)  # type: ignore[arg-type]
