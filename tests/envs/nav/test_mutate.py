"""Edited levels keep every promise of generated ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Level, NavConfig
from minicosm.envs.nav.generate import generate
from minicosm.envs.nav.mutate import mutate
from minicosm.envs.nav.validate import validate

LEVELS, EDITS = 40, 20
CONFIGS = {
    "one robot": NavConfig(),
    "maze, tours": NavConfig(num_robots=3, level_kind="maze", lifelong=True, num_goals=4),
    "fine cells": NavConfig(height=27, width=24, cell_size=0.25, num_robots=2, level_kind="rooms", goal_radius=0.5),
}


def one(levels, index):
    return jax.tree.map(lambda leaf: np.asarray(leaf[index]), levels)


@pytest.fixture(scope="module", params=CONFIGS)
def edited(request):
    config = CONFIGS[request.param]
    keys = jax.random.split(jax.random.key(5), LEVELS)
    before = jax.jit(jax.vmap(lambda key: generate(key, config)))(keys)
    step = jax.jit(jax.vmap(lambda key, level: mutate(key, level, config, EDITS)))
    after = step(keys, before)
    return config, before, after, step


def test_edited_levels_are_sound(edited):
    config, _, levels, step = edited
    for generation in range(3):
        for index in range(LEVELS):
            validate(one(levels, index), config)  # by breadth-first search in plain Python
        levels = step(jax.random.split(jax.random.key(generation), LEVELS), levels)


def test_edits_change_walls_starts_and_goals(edited):
    _, before, after, _ = edited
    flipped = np.asarray(before.walls != after.walls)
    assert flipped.sum(axis=(1, 2)).mean() > 3
    assert (flipped & np.asarray(before.walls)).sum() > LEVELS  # walls taken out
    assert (flipped & ~np.asarray(before.walls)).sum() > LEVELS / 2  # and put in
    assert not flipped[:, [0, -1]].any() and not flipped[:, :, [0, -1]].any()
    moved_start = np.asarray(before.start != after.start).any(axis=-1)
    assert 0.2 < moved_start.mean() < 1
    assert np.asarray(before.goals != after.goals).any(axis=(1, 2, 3)).mean() > 0.3
    turned = np.asarray(before.start_heading != after.start_heading)
    assert (turned == moved_start).mean() > 0.95  # a start may be moved away and back
    np.testing.assert_array_equal(before.sharing, after.sharing)
    np.testing.assert_array_equal(before.active, after.active)


def test_moved_places_are_cells_centres(edited):
    config, _, after, _ = edited
    for places in (after.start, after.goals):
        np.testing.assert_allclose(np.asarray(places) / config.cell_size % 1, 0.5, atol=1e-3)


def test_no_edit_changes_nothing():
    config = CONFIGS["one robot"]
    level = generate(jax.random.key(0), config)
    jax.tree.map(np.testing.assert_array_equal, mutate(jax.random.key(1), level, config, 0), level)


def test_the_only_way_is_never_walled_up():
    config = NavConfig(height=5, width=9)
    walls = np.ones((5, 9), bool)
    walls[2, 1:8] = False
    level = Level(
        walls=jnp.asarray(walls),
        start=jnp.array([[1.5, 2.5]]),
        start_heading=jnp.zeros((1,)),
        goals=jnp.array([[[7.5, 2.5]]]),
        active=jnp.ones((1,), bool),
        sharing=jnp.zeros((1,)),
    )
    edit = jax.jit(jax.vmap(lambda key: mutate(key, level, config, 1)))
    after = edit(jax.random.split(jax.random.key(0), 300))
    still = np.asarray((after.start == level.start).all((1, 2)) & (after.goals == level.goals).all((1, 2, 3)))
    assert still.mean() > 0.7
    assert not np.asarray(after.walls)[still][:, 2, 1:8].any()


def test_inactive_robots_stay_where_they_are():
    config = dataclasses.replace(CONFIGS["one robot"], num_robots=3)
    levels = jax.vmap(lambda key: generate(key, config))(jax.random.split(jax.random.key(0), 20))
    levels = dataclasses.replace(levels, active=jnp.array([[True, False, True]] * 20))
    after = jax.jit(jax.vmap(lambda key, level: mutate(key, level, config, EDITS)))(
        jax.random.split(jax.random.key(1), 20), levels
    )
    np.testing.assert_array_equal(after.start[:, 1], levels.start[:, 1])
    np.testing.assert_array_equal(after.goals[:, 1], levels.goals[:, 1])
    assert (after.start[:, [0, 2]] != levels.start[:, [0, 2]]).any()


@pytest.mark.parametrize("num_edits", [-1, 2.5, True])
def test_a_bad_number_of_edits_is_refused(num_edits):
    config = CONFIGS["one robot"]
    with pytest.raises(ValueError, match="num_edits is .*; expected a whole number"):
        mutate(jax.random.key(0), generate(jax.random.key(0), config), config, num_edits)
