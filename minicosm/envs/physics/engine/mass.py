"""Exact mass, centroid and moment of inertia of discs and polygons.

Every function takes NumPy or JAX arrays of any leading axes and answers in the same kind and precision: the loader
works in NumPy's float64, level generation on the device.
"""

from __future__ import annotations

from typing import TypeVar

import jax
import numpy as np

Array = TypeVar("Array", np.ndarray, jax.Array)


def disc_mass(radius: Array, density: Array | float = 1.0) -> tuple[Array, Array]:
    """Mass [...] (kg) and inertia about the centre [...] (kg m^2) of discs: `radius` in m, `density` in kg/m^2."""
    mass = density * np.pi * radius * radius
    return mass, 0.5 * mass * radius * radius


def polygon_mass(vertices: Array, density: Array | float = 1.0) -> tuple[Array, Array, Array]:
    """Mass [...] (kg), centroid [..., 2] (m) and inertia [...] (kg m^2, about the centroid) of polygons.

    `vertices` [..., V, 2] (m) run anticlockwise round a polygon that does not cross itself; repeated ones add nothing.
    `density` is in kg/m^2. The shoelace sums over the triangles that two neighbours v, w make with the mean vertex:
    twice the area D = v x w, centroid (v + w) / 3, second moment about their tip D (v·v + v·w + w·w) / 12; then the
    parallel axis theorem. (Summed about the mean vertex, and not the origin, to keep digits far from the origin.)
    """
    middle = vertices.mean(axis=-2)
    v = vertices - middle[..., None, :]
    w = v[..., np.roll(np.arange(v.shape[-2]), -1), :]
    double_area = v[..., 0] * w[..., 1] - v[..., 1] * w[..., 0]
    area = 0.5 * double_area.sum(axis=-1)
    offset = (double_area[..., None] * (v + w)).sum(axis=-2) / (6 * area)[..., None]
    second_moment = (double_area * (v * v + v * w + w * w).sum(axis=-1)).sum(axis=-1) / 12
    inertia = density * (second_moment - area * (offset * offset).sum(axis=-1))
    return density * area, middle + offset, inertia
