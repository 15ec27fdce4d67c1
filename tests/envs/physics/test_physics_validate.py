"""What is wrong with a level is said in words."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated import batch, config_of, one

from minicosm.envs.physics.level import BLUE, GREEN, Level
from minicosm.envs.physics.validate import distance, problems

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.fixture(scope="module")
def level() -> Level:
    levels = batch(config_of("s"), 1000)
    good = np.flatnonzero(
        levels.scene.joints.active[:, 0] & (levels.motor_torque[:, 0] > 0) & (levels.thruster_force[:, 0] > 0)
    )
    return one(levels, int(good[0]))


def changed(level, **fields):
    return dataclasses.replace(level, **{name: jnp.asarray(value) for name, value in fields.items()})


def in_scene(level, **fields):
    return dataclasses.replace(level, scene=dataclasses.replace(level.scene, **fields))


def test_flaws_are_named(level):
    config = config_of("s")
    assert problems(level, config) == []
    goal = int(np.flatnonzero(level.role == BLUE)[0])
    green = int(np.flatnonzero(level.role == GREEN)[0])
    other = 4 + int(np.flatnonzero(~np.isin(np.arange(4, 7), (goal, green)))[0])
    cases = {
        "no shape is green": changed(level, role=np.where(level.role == GREEN, 0, level.role)),
        "overlap by": changed(
            level, position=np.where(np.arange(7)[:, None] == goal, level.position[green], level.position)
        ),
        "not finite": changed(level, rotation=level.rotation + np.nan),
        "no green and no blue shape can move": in_scene(
            level, inverse_mass=0 * level.scene.inverse_mass, inverse_inertia=0 * level.scene.inverse_inertia
        ),
        "moment of inertia": in_scene(level, inverse_inertia=2 * level.scene.inverse_inertia),
        "density": in_scene(level, inverse_mass=1e7 * level.scene.inverse_mass),
        "anchors of joint 0": in_scene(
            level, joints=dataclasses.replace(level.scene.joints, anchor_a=level.scene.joints.anchor_a + 0.1)
        ),
        "motor 0 has binding 9 of 4": changed(level, motor_binding=np.array([9])),
        "thruster 0 has binding 7 of 2": changed(level, thruster_binding=np.array([7])),
        "which is none": changed(level, role=np.where(np.arange(7) == other, 7, level.role)),
        "pass through each other": in_scene(level, collides=np.zeros_like(level.scene.collides)),
    }
    for message, flawed in cases.items():
        assert any(message in problem for problem in problems(flawed, config)), message
    assert any("the config of" in problem for problem in problems(level, config_of("m")))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((SQUARE, 0.0), (SQUARE + np.array([1.5, 0.0]), 0.0), 0.5),
        ((SQUARE, 0.0), (SQUARE + np.array([0.9, 0.0]), 0.0), -0.1),
        ((SQUARE, 0.0), (SQUARE + np.array([4.0, 5.0]), 0.0), 5.0),
        ((SQUARE, 0.0), (np.array([[4.0, 5.0]]), 1.0), 4.0),
        ((SQUARE, 0.0), (np.array([[0.5, 1.2]]), 0.5), -0.3),
        ((np.array([[0.0, 0.0]]), 0.5), (np.array([[3.0, 4.0]]), 1.0), 3.5),
    ],
)
def test_distances(one, other, expected):
    assert distance(one, other) == pytest.approx(expected)
    assert distance(other, one) == pytest.approx(expected)


def test_a_joint_that_starts_outside_its_limits_is_named(level):
    joints = dataclasses.replace(
        level.scene.joints, has_limit=jnp.array([True]), lower=jnp.array([0.5]), upper=jnp.array([1.0])
    )
    assert any("outside its limits" in problem for problem in problems(in_scene(level, joints=joints)))
    jax.block_until_ready(joints)
