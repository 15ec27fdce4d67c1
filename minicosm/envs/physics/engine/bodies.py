"""From a shape as a person wrote it to the numbers of a rigid body, refusing what cannot be simulated.

What is accepted is bounded so that float32 holds it: lengths and positions to a millimetre, and no product of the
solver's overflows.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from minicosm.envs.physics.engine.definitions import Circle, Polygon, Shape
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass

LARGEST = 1e4  # of any number of a scene, in SI units
SMALLEST_LENGTH = 1e-3  # m, of a radius or a polygon's extent
SMALLEST_MASS, LARGEST_MASS = 1e-6, 1e9  # kg
SMALLEST_INERTIA, LARGEST_INERTIA = 1e-9, 1e12  # kg m^2
SHORTEST_EDGE = 1e-4  # m
SLENDEREST = 1e-4  # least area over squared extent, and least distance of two vertices over extent


@dataclasses.dataclass(frozen=True)
class Body:
    """A shape about its centroid, in float64."""

    vertices: np.ndarray | None  # [n, 2]  m, body frame, anticlockwise; None for a disc
    radius: float | None  # m; None for a polygon
    centroid: np.ndarray  # [2]  m, drawing frame
    position: np.ndarray  # [2]  m, of the centroid
    rotation: float
    velocity: np.ndarray  # [2]  m/s
    angular_velocity: float
    inverse_mass: float
    inverse_inertia: float
    friction: float
    restitution: float

    @property
    def is_static(self) -> bool:
        """It never moves."""
        return self.inverse_mass == 0.0


def body_of(shape: Shape, name: str, max_vertices: int) -> Body:
    """The body that `shape` describes; `name` stands for it in errors.

    Raises TypeError for what is no shape, and ValueError for one that cannot be simulated.
    """
    if isinstance(shape, Polygon):
        vertices, radius = outline(shape.vertices, name, max_vertices), None
    elif isinstance(shape, Circle):
        vertices, radius = None, scalar(shape.radius, f"radius of {name}", low=SMALLEST_LENGTH)
    else:
        raise TypeError(f"{name} is {shape!r}: it must be a Polygon or a Circle")
    density = scalar(shape.density, f"density of {name}", low=0.0, high=LARGEST_MASS)
    position, rotation = point(shape.position, f"position of {name}"), scalar(shape.rotation, f"rotation of {name}")
    velocity = point(shape.velocity, f"velocity of {name}")
    angular_velocity = scalar(shape.angular_velocity, f"angular_velocity of {name}")
    is_static = shape.static or density == 0.0
    if is_static and (velocity.any() or angular_velocity):
        raise ValueError(f"{name} is static but has velocity {velocity.tolist()}, {angular_velocity}: leave both at 0")
    if vertices is None:
        centroid = np.zeros(2)
        mass, inertia = disc_mass(np.array(radius), density)
    else:
        mass, centroid, inertia = polygon_mass(vertices, density)
        vertices = vertices - centroid
    if not is_static:
        _check_mass(float(mass), float(inertia), name)
    return Body(
        vertices=vertices,
        radius=radius,
        centroid=centroid,
        position=position + turned(centroid, rotation),
        rotation=rotation,
        velocity=velocity,
        angular_velocity=angular_velocity,
        inverse_mass=0.0 if is_static else 1.0 / float(mass),
        inverse_inertia=0.0 if is_static else 1.0 / float(inertia),
        friction=scalar(shape.friction, f"friction of {name}", low=0.0),
        restitution=scalar(shape.restitution, f"restitution of {name}", low=0.0, high=1.0),
    )


def outline(vertices: Any, name: str, max_vertices: int) -> np.ndarray:
    """`vertices` as f64[n, 2], anticlockwise. Raises ValueError where they are not those of a convex polygon."""
    try:
        corners = np.array(vertices, np.float64)
    except (TypeError, ValueError):
        corners = np.zeros(0)
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise ValueError(f"vertices of {name} are {vertices!r}: they must be a list of points x, y")
    count = len(corners)
    if not 3 <= count <= max_vertices:
        raise ValueError(
            f"{name} has {count} vertices: this size holds polygons of 3 to {max_vertices}; "
            "raise its max_vertices or split the polygon"
        )
    if not (np.abs(corners) <= LARGEST).all():
        raise ValueError(f"vertices of {name} are {corners.tolist()}: they must be finite, within {LARGEST:g} m")
    extent = float(np.ptp(corners, axis=0).max())
    if extent < SMALLEST_LENGTH:
        raise ValueError(f"{name} is {extent:g} m across: it must be at least {SMALLEST_LENGTH:g} m")
    distance = np.linalg.norm(corners[:, None] - corners[None], axis=-1) + extent * np.eye(count)
    nearest = max(SHORTEST_EDGE, SLENDEREST * extent)
    if distance.min() < nearest:
        i, j = sorted(int(k) for k in np.argwhere(distance == distance.min())[0])
        raise ValueError(
            f"vertices {i} and {j} of {name} coincide at {corners[i].tolist()}: give each corner once, "
            f"at least {nearest:g} m from every other"
        )
    if _crosses_itself(corners):
        raise ValueError(f"edges of {name} cross, with vertices {corners.tolist()}: give its corners in order round it")
    area = float(np.sum(_cross(corners, np.roll(corners, -1, axis=0)))) / 2
    if abs(area) < SLENDEREST * extent**2:
        raise ValueError(
            f"{name} has area {abs(area):g} m^2 at {extent:g} m across: its corners must not lie on a line"
        )
    corners = corners if area > 0 else corners[::-1]
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    turns = np.arctan2(_cross(edges, following), np.sum(edges * following, axis=-1))
    if turns.min() < -1e-6 or turns.max() > np.pi - 1e-6:
        raise ValueError(f"{name} is not convex, with vertices {corners.tolist()}: split it into convex polygons")
    return corners


def point(value: Any, what: str) -> np.ndarray:
    """`value` as f64[2]. Raises ValueError where it is not two finite numbers within `LARGEST`."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape != (2,) or not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"{what} is {value!r}: it must be two finite numbers x, y within {LARGEST:g}")
    return array


def scalar(value: Any, what: str, low: float = -LARGEST, high: float = LARGEST) -> float:
    """`value` as a float. Raises ValueError where it is not a number from `low` to `high`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not low <= number <= high:
        raise ValueError(f"{what} is {value!r}: it must be a number from {low:g} to {high:g}")
    return number


def turned(vector: np.ndarray, angle: float) -> np.ndarray:
    """`vector` f64[2] turned anticlockwise by `angle` (rad)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])


def _check_mass(mass: float, inertia: float, name: str) -> None:
    if not (SMALLEST_MASS <= mass <= LARGEST_MASS and SMALLEST_INERTIA <= inertia <= LARGEST_INERTIA):
        raise ValueError(
            f"{name} has mass {mass:g} kg and moment of inertia {inertia:g} kg m^2: they must be from "
            f"{SMALLEST_MASS:g} to {LARGEST_MASS:g} and from {SMALLEST_INERTIA:g} to {LARGEST_INERTIA:g}; "
            "change its density or its dimensions"
        )


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product: np.ndarray = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product


def _crosses_itself(corners: np.ndarray) -> bool:
    """Whether two edges of the polygon f64[n, 2] cross between their ends."""
    start, end = corners, np.roll(corners, -1, axis=0)
    # side_of[i, j]: the sides of edge i's line on which edge j starts and ends
    starts = _cross((end - start)[:, None], start[None] - start[:, None])
    ends = _cross((end - start)[:, None], end[None] - start[:, None])
    parted = starts * ends < 0
    return bool((parted & parted.T).any())
