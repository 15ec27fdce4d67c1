"""What can be asked of a state, on states written by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine import query
from minicosm.envs.physics.engine.build import build
from minicosm.envs.physics.engine.definitions import Circle, box
from minicosm.envs.physics.engine.size import Size, pair_index

SIZE = Size(num_polygons=3, num_circles=2, num_joints=0, num_thrusters=0, num_walls=1)
# A box of 2 kg (inertia 2 (1 + 4) / 12 kg m²) in slot 1, a disc of 0.5 kg (inertia 0.5 · 0.25 / 2) in slot 3.
SHAPES = [
    box(1, 2, position=(3, 4), velocity=(1, -2), angular_velocity=3),
    Circle(0.5, position=(-1, 2), density=0.5 / (np.pi * 0.25), velocity=(0, 4), angular_velocity=-8),
]
SCENE, STATE = build(SIZE, SHAPES, gravity=(0.5, -10), walls=[box(9, 1, static=True, position=(0, 7))])
INERTIA = (2 * 5 / 12, 0.5 * 0.25 / 2)


def pressed(pair, points, collides=True):
    k = pair_index(SIZE)[pair]
    contacts = STATE.contacts.at[k, :, 3].set(jnp.array(points))
    scene = dataclasses.replace(SCENE, collides=SCENE.collides.at[k].set(collides))
    return scene, dataclasses.replace(STATE, contacts=contacts)


def test_kinetic_energy():
    expected = 0.5 * (2 * 5 + INERTIA[0] * 9) + 0.5 * (0.5 * 16 + INERTIA[1] * 64)
    np.testing.assert_allclose(query.kinetic_energy(SCENE, STATE), expected, rtol=1e-6)


def test_potential_energy():
    expected = -2 * (0.5 * 3 - 10 * 4) - 0.5 * (0.5 * -1 - 10 * 2)
    np.testing.assert_allclose(query.potential_energy(SCENE, STATE), expected, rtol=1e-6)


def test_momentum():
    linear, angular = query.momentum(SCENE, STATE)
    np.testing.assert_allclose(linear, [2 * 1 + 0, 2 * -2 + 0.5 * 4], rtol=1e-6)
    expected = 2 * (3 * -2 - 4 * 1) + INERTIA[0] * 3 + 0.5 * (-1 * 4 - 0) + INERTIA[1] * -8
    np.testing.assert_allclose(angular, expected, rtol=1e-6)


def test_masses_of_what_cannot_move_are_zero():
    mass, inertia = query.masses(SCENE)
    np.testing.assert_allclose(mass, [0, 2, 0, 0.5, 0], rtol=1e-6)
    np.testing.assert_allclose(inertia, [0, INERTIA[0], 0, INERTIA[1], 0], rtol=1e-6)


def test_touching_is_where_something_pressed():
    scene, state = pressed((1, 3), [0.0, 0.25])
    matrix = query.touching(scene, state)
    assert matrix.dtype == bool and (matrix == matrix.T).all() and matrix.sum() == 2
    assert matrix[1, 3] and query.touching_pairs(scene, state).sum() == 1


def test_impulses_of_both_points_add_up():
    scene, state = pressed((0, 1), [0.5, 0.25])
    impulses = query.contact_impulses(scene, state)
    assert impulses[0, 1] == impulses[1, 0] == 0.75 and impulses.sum() == 1.5


def test_nothing_touches_without_an_impulse_or_where_a_filter_says_so():
    assert not query.touching(SCENE, STATE).any()
    scene, state = pressed((1, 3), [1.0, 1.0], collides=False)
    assert not query.touching(scene, state).any() and not query.contact_impulses(scene, state).any()


def test_queries_map_over_worlds():
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), (SCENE, STATE))
    assert jax.vmap(query.touching)(*batch).shape == (2, 5, 5)
    np.testing.assert_allclose(
        jax.vmap(query.kinetic_energy)(*batch), [query.kinetic_energy(SCENE, STATE)] * 2, rtol=1e-6
    )
