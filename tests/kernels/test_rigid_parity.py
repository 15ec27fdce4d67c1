"""The rigid-body kernel beside its reference: random levels, random worlds, odd sizes.

Collisions magnify rounding, so whole paths can agree for some ticks only. Single ticks from states anywhere on the
kernel's path are compared too: there, nothing has had time to grow.
"""

import functools

import jax
import numpy as np
import pytest
import rigid_scenes
from rigid_scenes import COUNT, levels, odd_worlds, random_worlds
from xla_options import OPTIMISED

from minicosm import kernels
from minicosm.envs.physics.engine import MEDIUM, query, reference_tick, tick

TICKS = 64
SOUGHT = (0, 1, 4, 12, 24, 36, 48, 60)  # ticks before which both implementations start from the same state

reference = jax.jit(
    jax.vmap(reference_tick), compiler_options=OPTIMISED
)  # compiles once per size: every batch has COUNT worlds
kernel = jax.jit(jax.vmap(tick))
touching = jax.jit(jax.vmap(query.touching_pairs))

# Random worlds collide at up to 20 m/s, are torn by their joints and lie on top of each other.
WORLDS = {
    "all parts": functools.partial(random_worlds, 3, densities=(0.001, 1000.0)),
    "at top speed": functools.partial(random_worlds, 6, parts=False, max_speed=100.0),
    "apart": functools.partial(random_worlds, 8, piled=True, max_speed=3.0, densities=(0.5, 2.0)),
    "odd size": functools.partial(odd_worlds, 0),
}
LEVELS = {f"levels, controls {seed}": functools.partial(levels, "m", seed) for seed in range(4)}
SCENES = LEVELS | WORLDS


@pytest.fixture(autouse=True)
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


def worst_body(one, other):
    """The greatest distance between a shape's two positions, m, f64[B]."""
    return np.linalg.norm(np.asarray(one.position, float) - np.asarray(other.position, float), axis=-1).max(axis=-1)


def share_off(one, other, least):
    """The greatest difference of two arrays [B, ...] over the world's greatest entry, or over `least`, f64[B]."""
    one, other = (np.asarray(x, float).reshape(COUNT, -1) for x in (one, other))
    if not one.shape[1]:
        return np.zeros(COUNT)
    return np.abs(one - other).max(axis=-1) / np.maximum(np.abs(one).max(axis=-1), least)


@functools.cache
def paths(name):
    """How far apart whole paths are after each tick, f64[TICKS, B]; and ticks from the same state, by the kernel."""
    scene, state, controls = SCENES[name]()
    by_reference = by_kernel = state
    apart, pairs = [], []
    for k in range(TICKS):
        if k in SOUGHT:
            pairs.append((scene, reference(scene, by_kernel, controls), kernel(scene, by_kernel, controls)))
        by_reference, by_kernel = reference(scene, by_reference, controls), kernel(scene, by_kernel, controls)
        apart.append(worst_body(by_reference, by_kernel))
    return np.stack(apart), pairs


def test_a_thousand_levels_follow_the_same_paths():
    apart = np.concatenate([paths(name)[0] for name in LEVELS], axis=1)
    assert apart.shape == (TICKS, 1024)
    for ticks, most in ((1, 2e-6), (2, 2e-6), (4, 5e-6)):
        assert apart[ticks - 1].max() < most
    assert np.median(apart[59]) < 2e-5 and np.median(apart[63]) < 2e-5
    assert np.mean(apart[59] < 1e-3) > 0.9


def test_worlds_of_an_odd_size_follow_the_same_paths():
    apart, _ = paths("odd size")
    assert apart[1].max() < 2e-5
    assert np.median(apart[59]) < 1e-4 and np.mean(apart[59] < 1e-3) > 0.95


@pytest.mark.parametrize("name", WORLDS)
def test_violent_worlds_start_out_on_the_same_path(name):
    apart, _ = paths(name)
    assert np.median(apart[:4], axis=1).max() < 5e-6
    assert np.mean(apart[1] < 1e-4) > 0.9


@pytest.mark.parametrize("name", SCENES)
def test_a_tick_from_anywhere_is_the_same_within_rounding(name):
    _, pairs = paths(name)
    positions = np.concatenate([worst_body(one, other) for _, one, other in pairs])
    speeds = np.concatenate([share_off(one.velocity, other.velocity, 1.0) for _, one, other in pairs])
    contacts = np.concatenate([share_off(one.contacts, other.contacts, 1e-3) for _, one, other in pairs])
    joints = np.concatenate([share_off(one.joint_impulses, other.joint_impulses, 1e-3) for _, one, other in pairs])
    for what, differs, median, rare in (
        ("positions", positions, 1e-7, 1e-5),
        ("velocities", speeds, 2e-6, 1e-3),
        ("contacts", contacts, 2e-6, 1e-2),
        ("joints", joints, 1e-5, 1e-1),
    ):
        assert np.isfinite(differs).all(), what
        assert np.median(differs) < median, what
        assert np.mean(differs < rare) > 0.97, what


@pytest.mark.parametrize("name", SCENES)
def test_the_same_shapes_touch(name):
    """But for pairs that graze: their impulses are of the size of rounding, and may be there or not."""
    found = differing = 0
    for scene, one, other in paths(name)[1]:
        first, second = np.asarray(touching(scene, one)), np.asarray(touching(scene, other))
        impulses = np.maximum(one.contacts[..., 3].max(-1), other.contacts[..., 3].max(-1))
        found += first.sum()
        differing += ((first != second) & (impulses > 1e-5)).sum()
    assert found > 100
    assert differing <= 0.005 * found


def test_the_scenes_have_every_kind_of_part():
    """Or the tests above would say nothing of it."""
    scene, _, controls = random_worlds(3)
    joints = scene.joints
    assert scene.size == MEDIUM
    assert (joints.spring_hertz > 0).any() and (joints.has_limit & (joints.lower == joints.upper)).any()
    assert (joints.has_limit & (joints.lower < joints.upper)).any() and (controls.motor_torque > 0).any()
    assert (controls.thrust != 0).all() and (scene.restitution > 0.5).any()
    assert (np.asarray(scene.inverse_mass)[:, MEDIUM.num_walls :] == 0).any()
    assert rigid_scenes.ODD.num_free % 2 and rigid_scenes.ODD.max_vertices == 8
