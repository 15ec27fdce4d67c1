"""Random levels and families: valid, reproducible, varied, and of every size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated import CUSTOM, batch, config_of, flaws, one

from minicosm.envs.physics import filters
from minicosm.envs.physics.clearance import separations
from minicosm.envs.physics.distributions import mixture, sample, validate_name
from minicosm.envs.physics.draws import uniform
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.families import FAMILIES, Knobs
from minicosm.envs.physics.generate import generate
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED, cannot_move
from minicosm.envs.physics.validate import distance

RANDOM = {"s": 1000, "m": 700, "l": 400, CUSTOM: 200}  # size: how many levels are looked at


@pytest.mark.parametrize("size", RANDOM, ids=str)
def test_random_levels_are_sound(size):
    config = config_of(size)
    assert flaws(batch(config, RANDOM[size]), config) == []


@pytest.mark.parametrize("size", ["s", "m", "l"])
def test_random_levels_have_one_green_and_one_blue_and_something_to_drive(size):
    levels = batch(config_of(size), RANDOM[size])
    assert ((levels.role == GREEN).sum(axis=1) == 1).all()
    assert ((levels.role == BLUE).sum(axis=1) == 1).all()
    assert not np.asarray(jax.vmap(cannot_move)(levels)).any()


def test_random_levels_are_varied():
    levels = batch(config_of("l"), RANDOM["l"])
    joints = levels.scene.joints
    shapes, count = levels.present.sum(axis=1) - 4, joints.active.sum(axis=1)
    assert len(np.unique(shapes)) >= 8 and shapes.max() == 12
    assert set(np.unique(count)) == set(range(7))
    is_weld = joints.active & joints.has_limit & (joints.lower == joints.upper)
    has_motor = levels.motor_torque > 0
    for share in (
        is_weld[joints.active].mean(),
        (joints.has_limit & ~is_weld)[joints.active].mean(),
        has_motor[joints.active].mean(),
        (levels.thruster_force > 0).mean(),
        (levels.role == RED).any(axis=1).mean(),
        (levels.scene.inverse_mass[:, 4:] == 0)[levels.present[:, 4:]].mean(),
    ):
        assert 0.1 < share < 0.9
    assert np.mean(levels.scene.gravity[:, 1] == np.float32(-9.81)) == pytest.approx(0.8, abs=0.06)
    assert set(np.unique(levels.motor_binding[has_motor])) == {AUTOMATIC, 0, 1, 2, 3}
    assert set(np.unique(levels.thruster_binding[levels.thruster_force > 0])) == {0, 1}
    triangles = np.abs(levels.scene.vertices[:, 4:, 3] - levels.scene.vertices[:, 4:, 2]).max(axis=-1) == 0
    assert 0.1 < triangles[levels.present[:, 4:12]].mean() < 0.5


def test_a_key_gives_the_same_level_alone_and_in_a_batch():
    config = config_of("m")
    levels = batch(config, RANDOM["m"])
    alone = jax.jit(lambda key: generate(key, config))
    keys = jax.random.split(jax.random.key(0), RANDOM["m"])
    for index in range(10):
        level = alone(keys[index])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5), level, one(levels, index))
    assert alone._cache_size() == 1


@pytest.mark.parametrize("shapes", [2, 3, 70])
def test_every_number_of_shapes_works(shapes):
    config = config_of(Size(4 + shapes // 2, shapes - shapes // 2, min(shapes, 20), 1, num_walls=0))
    assert flaws(batch(config, 12), config) == []


def test_what_has_no_room_is_refused():
    with pytest.raises(ValueError, match="raise num_polygons"):
        validate_name(config_of(Size(4, 1, 1, 1)))
    with pytest.raises(ValueError, match="something to drive"):
        validate_name(config_of(Size(6, 2, 0, 0)))
    with pytest.raises(ValueError, match="something to drive"):
        validate_name(
            config_of("s", num_motor_bindings=0, num_thruster_bindings=1).__class__(
                size=Size(6, 2, 3, 0), num_motor_bindings=0
            )
        )
    with pytest.raises(ValueError, match="4 walls"):
        validate_name(config_of(Size(3, 4, 1, 1, num_walls=0)))
    with pytest.raises(ValueError, match="one_shelf.*needs at least Size.*num_joints=0, num_thrusters=2"):
        validate_name(config_of(Size(6, 1, 0, 1), "obstacles"))


@pytest.mark.parametrize(("name", "size"), [(name, "l") for name in FAMILIES] + [("families", "s"), ("mixed", "m")])
def test_families_are_sound(name, size):
    config = config_of(size, name)
    assert flaws(batch(config, 120), config) == []


def test_a_knob_sets_the_difficulty_and_the_variant():
    config = config_of("s")
    throw = FAMILIES["throwing"]
    keys = jax.random.split(jax.random.key(1), 64)
    for difficulty, radius in ((0.0, (0.29, 0.41)), (1.0, (0.19, 0.3))):
        knobs = Knobs(difficulty=difficulty, variant="flick", mirrored=False)
        levels = jax.vmap(lambda key, knobs=knobs: throw.sample(key, config, knobs))(keys)
        target = np.asarray(levels.scene.radius[:, 1])
        assert radius[0] <= target.min() and target.max() <= radius[1]
        assert (levels.position[:, 6, 0] > 2.5).all()
    with pytest.raises(ValueError, match="did you mean 'flick'"):
        throw.sample(keys[0], config, Knobs(variant="flik"))
    with pytest.raises(ValueError, match="from 0 to 1"):
        Knobs(difficulty=2.0)


def test_families_shuffle_what_drives_what_and_which_way_is_forwards():
    keys = jax.random.split(jax.random.key(2), 256)

    def walkers(num_agents=1, **knobs):
        config = dataclasses.replace(config_of("l"), num_agents=num_agents)
        knobs = Knobs(variant="walker", mirrored=False, difficulty=0.5, **knobs)
        levels = jax.jit(jax.vmap(lambda key: FAMILIES["locomotion"].sample(key, config, knobs)))(keys)
        return np.asarray(levels.motor_binding[:, :4]), np.asarray(levels.motor_speed[:, :4]), levels

    drawn, speed, plain = walkers(shuffled=False)
    assert (drawn == drawn[0]).all() and (speed == speed[0]).all()
    binding, turned, levels = walkers()
    assert all(set(row) == {0, 1, 2, 3} for row in binding)
    assert len(np.unique(binding, axis=0)) == 24  # every order of four
    np.testing.assert_array_equal(np.abs(turned), np.abs(speed))
    assert (np.abs(np.mean(np.sign(turned), axis=0)) < 0.25).all()
    np.testing.assert_array_equal(levels.scene.vertices, plain.scene.vertices)
    np.testing.assert_array_equal(levels.position, plain.position)
    of_legs, turned, _ = walkers(num_agents=2)  # each agent keeps its leg
    assert (of_legs == drawn).all() and (np.sign(turned) != np.sign(speed)).any()


def test_mixtures_have_the_shares_that_they_name():
    config = config_of("s", "random:3, reaching:1")
    assert mixture(config) == {"random": 0.75, "reaching": 0.25}
    levels = batch(config, 2000)
    arms = (
        (levels.scene.joints.shape_a[:, 0] == 5) & (levels.scene.inverse_mass[:, 5] == 0) & (levels.role[:, 4] == GREEN)
    )
    still = np.asarray(levels.thruster_force[:, 0] == 0) & arms  # an arm on a fixed hub, without a thruster
    assert 0.2 < still.mean() < 0.33
    assert sum(mixture(config_of("l", "mixed")).values()) == pytest.approx(1.0)
    assert mixture(config_of("l", "families")) == dict.fromkeys(FAMILIES, pytest.approx(1 / 6))


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("locomtion", "did you mean 'locomotion'"),
        ("random:0.5,balanse:0.5", "'balanse' is unknown; did you mean 'balance'"),
        ("random:-1", "weight '-1'; expected a number above 0"),
        ("random:x,balance", "weight 'x'"),
        ("", "expected one of random, locomotion"),
    ],
)
def test_a_name_that_is_unknown_is_refused(levels, message):
    with pytest.raises(ValueError, match=message):
        validate_name(config_of("m", levels))
    with pytest.raises(ValueError, match=message):
        sample(jax.random.key(0), config_of("m", levels))


def test_the_bound_on_distances_never_says_too_much():
    levels = batch(config_of("l"), RANDOM["l"])
    moved = np.random.default_rng(0).uniform(0.5, 4.5, levels.position.shape).astype(np.float32)
    scene = levels.scene
    bound = np.asarray(jax.jit(jax.vmap(separations))(scene.vertices, scene.radius, moved, levels.rotation))
    found = []
    for world in range(30):
        corners, discs = scene.vertices[world], scene.radius[world]
        cos, sin = np.cos(levels.rotation[world]), np.sin(levels.rotation[world])
        places = [
            (moved[world, i] + corners[i] @ np.array([[cos[i], sin[i]], [-sin[i], cos[i]]]), 0.0) for i in range(12)
        ]
        places = [(np.unique(p, axis=0)[_round_order(np.unique(p, axis=0))], 0.0) for p, _ in places]
        places += [(moved[world, 12 + i][None], discs[i]) for i in range(4)]
        for i in range(16):
            for j in range(i):
                exact = distance(places[i], places[j])
                found.append((bound[world, i, j], exact, i < 12 and j < 12))
    bound, exact, polygons = (np.array(column) for column in zip(*found, strict=True))
    assert (bound <= exact + 1e-4).all()
    overlapping = np.abs(exact) > 1e-3
    assert ((bound < 0) == (exact < 0))[overlapping & polygons].all()  # exact in that polygons overlap or not
    assert (bound > 0)[exact > 0.3].mean() > 0.98


def _round_order(points):
    from_middle = points - points.mean(axis=0)
    return np.argsort(np.arctan2(from_middle[:, 1], from_middle[:, 0]))


def test_numbers_are_even_and_independent():
    keys = jax.random.split(jax.random.key(3), 4096)
    numbers = np.asarray(jax.vmap(lambda key: uniform(key, 64))(keys), float)
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.histogram(numbers, 64, (0, 1))[0]
    assert np.abs(counts / counts.mean() - 1).max() < 0.06  # five deviations
    assert np.abs(np.corrcoef(numbers.T) - np.eye(64)).max() < 0.09
    neighbours = np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_filtered_levels_are_not_won_by_doing_nothing():
    config = config_of("s", max_steps=64)
    levels = filters.filtered(jax.random.key(0), config, 64)
    assert levels.role.shape == (64, 7)
    idle = jax.jit(jax.vmap(lambda level: filters.is_won_by_doing_nothing(level, config)))
    assert not np.asarray(idle(levels)).any()
    assert flaws(jax.tree.map(np.asarray, levels), config) == []
    with pytest.raises(ValueError, match="count is 0"):
        filters.filtered(jax.random.key(0), config, 0)


def test_cannot_move_finds_what_nothing_drives():
    level = jax.tree.map(jnp.asarray, one(batch(config_of("s"), RANDOM["s"]), 0))
    still = level.__class__(
        **{**vars(level), "motor_torque": 0 * level.motor_torque, "thruster_force": 0 * level.thruster_force}
    )
    assert not cannot_move(level) and cannot_move(still)
