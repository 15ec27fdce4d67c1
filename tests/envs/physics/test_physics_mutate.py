"""Edited levels keep every promise of generated ones."""

import jax
import numpy as np
import pytest
from generated import CUSTOM, batch, config_of, flaws, one

from minicosm.envs.physics.mutate import mutate

CHAINS = {"s": 500, "l": 350, CUSTOM: 150}  # size: chains of 20 edits


@pytest.fixture(scope="module", params=CHAINS, ids=str)
def edited(request):
    config = config_of(request.param)
    before = batch(config, CHAINS[request.param], seed=5)
    keys = jax.random.split(jax.random.key(6), CHAINS[request.param])
    edit = jax.jit(jax.vmap(lambda key, level: mutate(key, level, config, 20)))
    return config, before, jax.tree.map(np.asarray, edit(keys, before)), edit


def test_edited_levels_are_sound(edited):
    config, _, after, _ = edited
    assert flaws(after, config) == []


def test_edits_change_everything(edited):
    config, before, after, _ = edited
    joints, edited_joints = before.scene.joints, after.scene.joints

    def share(changed):
        return np.mean(changed.reshape(len(changed), -1).any(axis=1))

    assert share(before.position != after.position) > 0.7
    assert share(before.role != after.role) > 0.2
    assert share(before.motor_torque != after.motor_torque) > 0.3
    assert share(before.thruster_force != after.thruster_force) > 0.5
    assert share(joints.active & ~edited_joints.active) > 0.1
    assert share(joints.active & edited_joints.active & (joints.has_limit != edited_joints.has_limit)) > 0.03
    assert share(before.present & ~after.present) > 0.1
    assert share(~before.present & after.present) > 0.04  # size S has little room
    assert share((before.scene.inverse_mass == 0) & (after.scene.inverse_mass > 0) & before.present) > 0.1
    first = max(4, config.slots.num_walls)
    np.testing.assert_array_equal(before.position[:, :first], after.position[:, :first])  # the room stays
    np.testing.assert_array_equal(before.scene.gravity, after.scene.gravity)


def test_no_edits_change_nothing():
    config = config_of("s")
    level = one(batch(config, CHAINS["s"], seed=5), 0)
    same = mutate(jax.random.key(0), level, config, 0)
    jax.tree.map(np.testing.assert_array_equal, level, same)
    with pytest.raises(ValueError, match="num_edits is -1"):
        mutate(jax.random.key(0), level, config, -1)
