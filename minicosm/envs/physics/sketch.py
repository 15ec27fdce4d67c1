"""How a family of tasks is written: part by part, with numbers that may be traced, of one level.

What is there in which slot is decided while the program is traced; where and how large it is, and what it means, when
it runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.assemble import NUM_WALLS, Holds, Jets, Parts, Shapes, first_free, num_loose
from minicosm.envs.physics.config import ROOM
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.level import SCENERY

Number = Any  # a float or f32[]
Pair = tuple[Number, Number]  # x, y
DEFAULT_FRICTION = 0.6


@dataclasses.dataclass(frozen=True)
class Part:
    """A shape that was drawn: its place among the polygons or circles, or a wall of the room."""

    kind: str  # "polygon", "circle" or "wall"
    index: int


FLOOR, CEILING, LEFT, RIGHT = (Part("wall", i) for i in range(NUM_WALLS))


@dataclasses.dataclass
class _Shape:
    x: Number
    y: Number
    rotation: Number
    role: Any
    static: bool
    density: Number
    friction: Number
    restitution: Number
    velocity: Pair
    outline: list[Pair]  # empty for a circle
    radius: Number
    present: Any


@dataclasses.dataclass
class _Joint:
    a: Part
    b: Part
    at: Pair
    limits: tuple[Number, Number] | None
    speed: Number
    torque: Number
    binding: int


@dataclasses.dataclass
class _Jet:
    shape: Part
    at: Pair
    angle: Number
    force: Number
    binding: int


class Sketch:
    """A level in the making. Parts are placed in the world, in metres and radians."""

    def __init__(self) -> None:
        self._polygons: list[_Shape] = []
        self._circles: list[_Shape] = []
        self._joints: list[_Joint] = []
        self._jets: list[_Jet] = []
        self._apart: list[tuple[Part, Part]] = []
        self._wall_roles: list[Any] = [SCENERY] * NUM_WALLS
        self._gravity: Pair = (0.0, -9.81)

    def polygon(self, outline: Sequence[Pair], at: Pair = (0.0, 0.0), **fields: Any) -> Part:
        """A convex polygon of corners `outline`, anticlockwise, about `at`; see `_shape` for `fields`."""
        self._polygons.append(_shape(at, outline=list(outline), **fields))
        return Part("polygon", len(self._polygons) - 1)

    def box(self, width: Number, height: Number, at: Pair, **fields: Any) -> Part:
        """A rectangle about `at`."""
        x, y = 0.5 * width, 0.5 * height
        return self.polygon([(-x, -y), (x, -y), (x, y), (-x, y)], at, **fields)

    def bar(self, start: Pair, end: Pair, thickness: Number, **fields: Any) -> Part:
        """A rectangle whose middle line runs from `start` to `end`."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = jnp.sqrt(jnp.asarray(dx * dx + dy * dy, jnp.float32))
        middle = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]))
        return self.box(length, thickness, middle, rotation=jnp.arctan2(dy, dx), **fields)

    def circle(self, radius: Number, at: Pair, **fields: Any) -> Part:
        """A disc about `at`."""
        self._circles.append(_shape(at, radius=radius, **fields))
        return Part("circle", len(self._circles) - 1)

    def wall(self, part: Part, role: Any) -> Part:
        """Give a wall of the room a role."""
        self._wall_roles[part.index] = role
        return part

    def pin(  # noqa: PLR0913  (a motor has this many settings)
        self,
        a: Part,
        b: Part,
        at: Pair,
        *,
        limits: tuple[Number, Number] | None = None,
        speed: Number = 0.0,
        torque: Number = 0.0,
        binding: int = 0,
    ) -> None:
        """Hold `b` on `a` at a point, within `limits` from how they are posed.

        There is a motor where `torque` (N m) is above 0; `speed` is in rad/s.
        """
        self._joints.append(_Joint(a, b, at, limits, speed, torque, binding))

    def weld(self, a: Part, b: Part, at: Pair) -> None:
        """Hold `b` fixed to `a`."""
        self._joints.append(_Joint(a, b, at, (0.0, 0.0), 0.0, 0.0, 0))

    def thruster(self, shape: Part, at: Pair, angle: Number, force: Number, binding: int = 0) -> None:
        """A thruster at a point of the world, which pushes its shape in the direction `angle` with up to `force` N."""
        self._jets.append(_Jet(shape, at, angle, force, binding))

    def ghost(self, *parts: Part) -> None:
        """Let these parts pass through each other."""
        self._apart += [(a, b) for i, a in enumerate(parts) for b in parts[i + 1 :]]

    def gravity(self, x: Number, y: Number) -> None:
        """In m/s^2."""
        self._gravity = (x, y)

    def needs(self) -> Size:
        """The smallest size that holds what was drawn so far."""
        corners = max([4, *(len(shape.outline) for shape in self._polygons)])
        walls, circles = NUM_WALLS, len(self._circles)
        polygons = walls + len(self._polygons)
        return Size(polygons, circles, len(self._joints), len(self._jets), walls, corners)

    def parts(self, size: Size) -> tuple[Parts, jax.Array]:
        """The level's parts in slots of `size`, in the order in which they were drawn.

        Also returns what `mirrored` needs, i32[Q, V]: which corner takes each place when an outline is walked the other
        way round. Raises ValueError where the size has no room.
        """
        num_loose_shapes, num_polygons = num_loose(size)
        num_circles = num_loose_shapes - num_polygons
        check_room(self.needs(), size, "this sketch")
        polygons = self._polygons + [_nothing()] * (num_polygons - len(self._polygons))
        circles = self._circles + [_nothing()] * (num_circles - len(self._circles))
        everything = [*polygons, *circles]
        outlines = [_filled(shape.outline, size.max_vertices) for shape in polygons]
        count = len(everything)
        flat = _stacked([c for outline in outlines for corner in outline for c in corner])
        zero = jnp.zeros(count)
        shapes = Shapes(
            vertices=flat.reshape(num_polygons, size.max_vertices, 2),
            radius=_stacked([shape.radius for shape in circles]),
            position=_stacked([c for s in everything for c in (s.x, s.y)]).reshape(count, 2),
            rotation=_stacked([s.rotation for s in everything]),
            velocity=_stacked([c for s in everything for c in s.velocity]).reshape(count, 2),
            angular_velocity=zero,
            density=_stacked([s.density for s in everything]),
            friction=_stacked([s.friction for s in everything]),
            restitution=_stacked([s.restitution for s in everything]),
            role=_stacked([s.role for s in everything], jnp.int32),
            static=jnp.asarray(np.array([s.static for s in everything], bool)),
            present=_stacked([s.present for s in everything], bool),
            wall_role=_stacked(self._wall_roles, jnp.int32),
        )
        first = first_free(size)
        apart = np.zeros((count, count), bool)
        for a, b in self._apart:
            i, j = _slot(a, size) - first, _slot(b, size) - first
            if min(i, j) >= 0:
                apart[i, j] = apart[j, i] = True
        gravity = _stacked(list(self._gravity))
        turns = np.array([_backwards(len(shape.outline), size.max_vertices) for shape in polygons], np.int32)
        parts = Parts(shapes, self._holds(size), self._thrust(size), gravity, jnp.asarray(apart))
        return parts, jnp.asarray(turns.reshape(-1, size.max_vertices))

    def _holds(self, size: Size) -> Holds:
        joints, empty = self._joints, size.num_joints - len(self._joints)

        def column(values: list[Any], dtype: Any = jnp.float32) -> jax.Array:
            return _stacked([*values, *([0] * empty)], dtype)

        ends = np.array([(_slot(j.a, size), _slot(j.b, size)) for j in joints] + [(0, 0)] * empty, np.int32)
        ends = ends.reshape(-1, 2)
        limits = [j.limits or (0.0, 0.0) for j in joints]
        return Holds(
            active=jnp.asarray(np.arange(size.num_joints) < len(joints)),
            shape_a=jnp.asarray(ends[:, 0]),
            shape_b=jnp.asarray(ends[:, 1]),
            at=_stacked([c for j in joints for c in j.at] + [0.0] * (2 * empty)).reshape(-1, 2),
            has_limit=jnp.asarray(np.array([j.limits is not None for j in joints] + [False] * empty, bool)),
            lower=column([low for low, _ in limits]),
            upper=column([high for _, high in limits]),
            motor_speed=column([j.speed for j in joints]),
            motor_torque=column([j.torque for j in joints]),
            motor_binding=column([j.binding for j in joints], jnp.int32),
        )

    def _thrust(self, size: Size) -> Jets:
        jets, empty = self._jets, size.num_thrusters - len(self._jets)
        return Jets(
            shape=jnp.asarray(np.array([_slot(j.shape, size) for j in jets] + [0] * empty, np.int32)),
            at=_stacked([c for j in jets for c in j.at] + [0.0] * (2 * empty)).reshape(-1, 2),
            angle=_stacked([j.angle for j in jets] + [0.0] * empty),
            force=_stacked([j.force for j in jets] + [0.0] * empty),
            binding=_stacked([j.binding for j in jets] + [0] * empty, jnp.int32),
        )


def check_room(needed: Size, size: Size, what: str) -> None:
    """Raise ValueError, naming the smallest size that works, where `what` does not fit `size`."""
    loose, loose_polygons = num_loose(size)
    free = needed.num_polygons - NUM_WALLS
    fits = (
        free <= loose_polygons
        and needed.num_circles <= loose - loose_polygons
        and needed.num_joints <= size.num_joints
        and needed.num_thrusters <= size.num_thrusters
        and needed.max_vertices <= size.max_vertices
    )
    if not fits:
        raise ValueError(f"{what} needs at least {needed}, but the size is {size}: choose a larger size")


def _backwards(corners: int, count: int) -> list[int]:
    return [max(corners - 1 - k, 0) for k in range(count)]


def mirrored(parts: Parts, turns: jax.Array) -> Parts:
    """`parts` with left and right swapped; for `turns` see `Sketch.parts`."""
    flip, middle = jnp.array([-1.0, 1.0]), jnp.array([ROOM, 0.0])
    shapes, holds, jets = parts.shapes, parts.holds, parts.jets
    return Parts(
        shapes=dataclasses.replace(
            shapes,
            vertices=flip * jnp.take_along_axis(shapes.vertices, turns[..., None], axis=1),
            position=middle + flip * shapes.position,
            rotation=-shapes.rotation,
            velocity=flip * shapes.velocity,
            angular_velocity=-shapes.angular_velocity,
            wall_role=shapes.wall_role[np.array([0, 1, 3, 2])],
        ),
        holds=dataclasses.replace(
            holds, at=middle + flip * holds.at, lower=-holds.upper, upper=-holds.lower, motor_speed=-holds.motor_speed
        ),
        jets=dataclasses.replace(jets, at=middle + flip * jets.at, angle=jnp.pi - jets.angle),
        gravity=flip * parts.gravity,
        apart=parts.apart,
    )


def _shape(  # noqa: PLR0913  (the fields of a shape)
    at: Pair,
    *,
    outline: list[Pair] | None = None,
    radius: Number = 1.0,
    rotation: Number = 0.0,
    role: Any = SCENERY,
    static: bool = False,
    density: Number = 1.0,
    friction: Number = DEFAULT_FRICTION,
    restitution: Number = 0.0,
    velocity: Pair = (0.0, 0.0),
    present: Any = True,
) -> _Shape:
    return _Shape(
        at[0], at[1], rotation, role, static, density, friction, restitution, velocity, outline or [], radius, present
    )


def _nothing() -> _Shape:
    return _shape((0.0, 0.0), outline=[(-0.5, -1 / 3), (0.5, -1 / 3), (0.0, 2 / 3)], present=False)


def _filled(outline: list[Pair], count: int) -> list[Pair]:
    return outline + [outline[-1]] * (count - len(outline))


def _stacked(values: Sequence[Any], dtype: Any = jnp.float32) -> jax.Array:
    """`values`, numbers or traced scalars, as one array; the numbers in one constant."""
    fixed = np.array([0 if isinstance(v, jax.Array) else v for v in values], dtype)
    array = jnp.asarray(fixed)
    traced = [(i, v) for i, v in enumerate(values) if isinstance(v, jax.Array)]
    if not traced:
        return array
    moved = jnp.stack([jnp.asarray(v, dtype) for _, v in traced])
    where = np.zeros(len(values), np.int32)
    is_traced = np.zeros(len(values), bool)
    for k, (i, _) in enumerate(traced):
        where[i], is_traced[i] = k, True
    return jnp.where(is_traced, moved[where], array)


def _slot(part: Part, size: Size) -> int:
    start = {"wall": 0, "polygon": first_free(size), "circle": size.num_polygons}[part.kind]
    return start + part.index
