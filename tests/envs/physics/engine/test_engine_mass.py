"""Exact masses, against closed forms and against an independent sum over triangles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass


def regular(count, radius):
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def turned(vertices, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return vertices @ np.array([[cos, sin], [-sin, cos]])


def random_convex(rng, count):
    """A polygon inscribed in a random ellipse, turned and moved: convex by construction."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    corners = np.stack([np.cos(angle), np.sin(angle)], -1) * rng.uniform(0.2, 2.0, 2)
    return turned(corners, rng.uniform(0, 6)) + rng.uniform(-5, 5, 2)


def fan(vertices, density):
    """Mass, centroid and inertia as a sum over a fan of triangles, each by its own closed form."""
    parts = []
    for k in range(1, len(vertices) - 1):
        p, q, r = vertices[0], vertices[k], vertices[k + 1]
        area = 0.5 * ((q - p)[0] * (r - p)[1] - (q - p)[1] * (r - p)[0])
        sides = sum(((u - v) ** 2).sum() for u, v in ((p, q), (q, r), (r, p)))
        parts.append((density * area, (p + q + r) / 3, density * area * sides / 36))
    mass = sum(m for m, _, _ in parts)
    centroid = sum(m * c for m, c, _ in parts) / mass
    return mass, centroid, sum(i + m * ((c - centroid) ** 2).sum() for m, c, i in parts)


def test_disc():
    mass, inertia = disc_mass(np.array(0.7), 2.5)
    np.testing.assert_allclose(mass, 2.5 * np.pi * 0.49, rtol=1e-14)
    np.testing.assert_allclose(inertia, 0.5 * 2.5 * np.pi * 0.7**4, rtol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_box(angle):
    width, height, density = 1.3, 0.4, 3.0
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    mass, centroid, inertia = polygon_mass(turned(corners, angle) + np.array([5.0, -7.0]), density)
    np.testing.assert_allclose(mass, density * width * height, rtol=1e-5)
    np.testing.assert_allclose(centroid, [5.0, -7.0], rtol=1e-5)
    np.testing.assert_allclose(inertia, mass * (width**2 + height**2) / 12, rtol=1e-5)


def test_triangle():
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.5]])
    mass, centroid, inertia = polygon_mass(corners, 1.0)
    np.testing.assert_allclose(mass, 2.25, rtol=1e-5)
    np.testing.assert_allclose(centroid, [1.0, 0.5], rtol=1e-5)
    np.testing.assert_allclose(inertia, 2.25 * (9.0 + 2.25 + 11.25) / 36, rtol=1e-5)  # m (a² + b² + c²) / 36


def test_many_sides_approach_the_disc():
    mass, _, inertia = polygon_mass(regular(2000, 0.5), 1.0)
    disc = disc_mass(np.array(0.5), 1.0)
    np.testing.assert_allclose([mass, inertia], disc, rtol=1e-5)


def test_random_convex_polygons():
    rng = np.random.default_rng(0)
    for _ in range(200):
        corners = random_convex(rng, rng.integers(3, 9))
        mass, centroid, inertia = polygon_mass(corners, 1.7)
        expected = fan(corners, 1.7)
        np.testing.assert_allclose(mass, expected[0], rtol=1e-5)
        np.testing.assert_allclose(centroid, expected[1], rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(inertia, expected[2], rtol=1e-5)


def test_repeated_vertices_add_nothing():
    corners = random_convex(np.random.default_rng(1), 3)
    padded = np.concatenate([corners, corners[-1:], corners[-1:]])
    for one, other in zip(polygon_mass(corners, 2.0), polygon_mass(padded, 2.0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_on_the_device_in_its_own_precision_and_in_bulk():
    rng = np.random.default_rng(2)
    corners = np.stack([random_convex(rng, 4) for _ in range(64)])
    mass, centroid, inertia = jax.jit(polygon_mass)(jnp.asarray(corners, jnp.float32), jnp.full(64, 1.5, jnp.float32))
    assert {x.dtype for x in (mass, centroid, inertia)} == {jnp.dtype("float32")}
    for i in range(64):
        expected = fan(corners[i], 1.5)
        np.testing.assert_allclose(mass[i], expected[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(centroid[i], expected[1], atol=2e-4)
        np.testing.assert_allclose(inertia[i], expected[2], rtol=2e-3, atol=1e-5)
