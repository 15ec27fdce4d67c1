"""How a person writes a scene: shapes, joints and thrusters one by one, in SI units, y up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

Point = Sequence[float]  # x, y


@dataclasses.dataclass(frozen=True)
class Polygon:
    """A convex polygon. Vertices, and points of joints and thrusters, are in the shape's own drawing frame."""

    vertices: Any  # [3 to max_vertices, 2]  m, drawing frame, either way round
    position: Point = (0.0, 0.0)  # m, where the origin of the drawing frame is
    rotation: float = 0.0  # rad, anticlockwise
    density: float = 1.0  # kg/m^2; 0 is static
    static: bool = False  # True: never moves, whatever its density
    friction: float = 0.6
    restitution: float = 0.0
    velocity: Point = (0.0, 0.0)  # m/s, of the centroid
    angular_velocity: float = 0.0  # rad/s


@dataclasses.dataclass(frozen=True)
class Circle:
    """A disc about the origin of its drawing frame."""

    radius: float  # m
    position: Point = (0.0, 0.0)  # m
    rotation: float = 0.0  # rad, anticlockwise
    density: float = 1.0  # kg/m^2; 0 is static
    static: bool = False  # True: never moves, whatever its density
    friction: float = 0.6
    restitution: float = 0.0
    velocity: Point = (0.0, 0.0)  # m/s
    angular_velocity: float = 0.0  # rad/s


Shape = Polygon | Circle


def box(width: float, height: float, **fields: Any) -> Polygon:
    """A rectangle of `width` by `height` metres about the origin of its drawing frame, with `fields` of `Polygon`.

    Raises ValueError where a side is not above zero.
    """
    if not (width > 0 and height > 0):
        raise ValueError(f"a box has width {width!r} and height {height!r}: both must be above 0 m")
    x, y = 0.5 * width, 0.5 * height
    return Polygon(((-x, -y), (x, -y), (x, y), (-x, y)), **fields)


def box_walls(width: float, height: float, thickness: float = 1.0, **fields: Any) -> tuple[Polygon, ...]:
    """Four static walls (floor, ceiling, left, right) round the room from (0, 0) to (`width`, `height`), in metres.

    Floor and ceiling reach over the ends of the other two, so that no corner is open. `fields` are `Polygon`'s.
    """
    across, middle = width + 2 * thickness, (0.5 * width, 0.5 * height)
    return (
        box(across, thickness, position=(middle[0], -0.5 * thickness), static=True, **fields),
        box(across, thickness, position=(middle[0], height + 0.5 * thickness), static=True, **fields),
        box(thickness, height, position=(-0.5 * thickness, middle[1]), static=True, **fields),
        box(thickness, height, position=(width + 0.5 * thickness, middle[1]), static=True, **fields),
    )


@dataclasses.dataclass(frozen=True)
class Pin:
    """A revolute joint: it holds a point of shape `a` on a point of shape `b`.

    Say where it is either by `at` or by both anchors. Its angle is the rotation of `b` less that of `a` less
    `rest_angle`.
    """

    a: int  # index of a shape in the list given to `build`; walls follow the shapes
    b: int
    at: Point | None = None  # m, world
    anchor_a: Point | None = None  # m, drawing frame of shape a
    anchor_b: Point | None = None  # m, drawing frame of shape b
    limits: tuple[float, float] | None = None  # rad, least and greatest angle
    rest_angle: float | None = None  # rad; None: the angle is zero as the shapes are posed
    spring_hertz: float = 0.0  # Hz, of a torsion spring towards angle zero; 0 for none
    spring_damping: float = 0.7  # damping ratio of that spring


@dataclasses.dataclass(frozen=True)
class Weld:
    """A fixed joint: it holds two shapes together as they are posed. Say where it is as for a `Pin`."""

    a: int
    b: int
    at: Point | None = None  # m, world
    anchor_a: Point | None = None  # m, drawing frame of shape a
    anchor_b: Point | None = None  # m, drawing frame of shape b
    rest_angle: float | None = None  # rad, rotation b - rotation a; None: as posed


Joint = Pin | Weld


@dataclasses.dataclass(frozen=True)
class Thruster:
    """A point of a shape at which a force can act."""

    shape: int  # index as for a `Pin`
    point: Point = (0.0, 0.0)  # m, drawing frame
    angle: float = 0.0  # rad, direction of the force, from the shape's own x axis
