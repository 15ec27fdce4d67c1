"""The lidar kernel beside its reference, and every instruction set beside the others."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import kernels
from minicosm.envs.nav import Nav, NavConfig
from minicosm.envs.nav.lidar import _lidar, _scan
from minicosm.kernels import lidar as kernel

WORLDS = 48
CONFIGS = {
    "one robot": NavConfig(num_beams=64, height=9, width=9),
    "few beams": NavConfig(num_beams=3, height=9, width=9),
    "odd number of beams": NavConfig(num_beams=37, num_robots=2, height=9, width=11),
    "crowd": NavConfig(num_beams=40, num_robots=6, height=13, width=13, max_fill=0.1),
    "fine cells, several words": NavConfig(num_beams=24, num_robots=2, height=70, width=50, cell_size=0.2, radius=0.25),
    "range within a cell": NavConfig(num_beams=20, height=7, width=7, lidar_range=0.8),
}


@pytest.fixture(autouse=True)
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


@functools.cache
def scene(name):
    """What the scan of `WORLDS` worlds is given: robots anywhere on the map, also inside walls and each other."""
    config = CONFIGS[name]
    env = Nav(config)
    keys = jax.random.split(jax.random.key(3), WORLDS)
    states, _ = jax.jit(jax.vmap(env.reset))(keys, jax.jit(jax.vmap(env.sample_level))(keys))
    rng = np.random.default_rng(5)
    shape = (WORLDS, config.num_robots)
    extent = np.array([config.width, config.height]) * config.cell_size
    position = jnp.asarray(rng.random((*shape, 2)) * extent, jnp.float32)
    angle = rng.uniform(-np.pi, np.pi, shape)
    heading = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=-1), jnp.float32)
    present = jnp.asarray(rng.random(shape) < 0.8)
    tail = jnp.asarray(rng.random((*shape, 3)), jnp.float32)
    return states.packed.columns, states.packed.rows, position, heading, present, tail


def by_kernel(name):
    chosen = _lidar(CONFIGS[name], 0.5, -0.5)
    return jax.jit(jax.vmap(lambda *given: kernel.scan(given, chosen)))(*scene(name))


@pytest.mark.parametrize("name", CONFIGS)
def test_kernel_and_reference_agree(name):
    chosen = _lidar(CONFIGS[name], 0.5, -0.5)
    rows, shortest = by_kernel(name)
    expected_rows, expected_shortest = jax.jit(jax.vmap(lambda *given: _scan(given, chosen)))(*scene(name))
    np.testing.assert_array_equal(rows[..., -3:], expected_rows[..., -3:])
    # where a beam passes a corner within rounding, either answer is right: at most one beam in five thousand
    gap = np.abs(np.asarray(rows) - np.asarray(expected_rows))
    assert np.mean(gap > 2e-6 * CONFIGS[name].lidar_range) < 2e-4
    assert np.mean(np.abs(np.asarray(shortest) - np.asarray(expected_shortest)) > 1e-5) < 2e-4
    assert np.asarray(rows)[..., :-3].std() > 0.05  # it saw something


@pytest.mark.parametrize("name", CONFIGS)
def test_every_instruction_set_gives_the_same_bits(name):
    results = {}
    try:
        for chosen in kernels.instruction_sets():
            kernels.select(chosen)
            results[chosen] = jax.tree.map(lambda x: np.asarray(x).tobytes(), by_kernel(name))
    finally:
        kernels.select("")
    assert len(set(results.values())) == 1, f"{sorted(results)} differ"


def test_a_world_does_not_depend_on_its_neighbours_or_its_place():
    name = "crowd"
    rows, _ = by_kernel(name)
    order = np.random.default_rng(0).permutation(WORLDS)[:7]
    chosen = _lidar(CONFIGS[name], 0.5, -0.5)
    some = jax.vmap(lambda *given: kernel.scan(given, chosen))(*[x[order] for x in scene(name)])[0]
    np.testing.assert_array_equal(some, np.asarray(rows)[order])


def test_a_large_batch_is_the_same_on_all_threads():
    name = "one robot"  # 100 times over: blocks for several threads
    chosen = _lidar(CONFIGS[name], 0.5, -0.5)
    many = [jnp.tile(x, (100, *[1] * (x.ndim - 1))) for x in scene(name)]
    rows = np.asarray(jax.jit(jax.vmap(lambda *given: kernel.scan(given, chosen)))(*many)[0])
    np.testing.assert_array_equal(rows, np.tile(np.asarray(by_kernel(name)[0]), (100, 1, 1)))


def test_the_gradient_is_that_of_the_reference():
    chosen = _lidar(CONFIGS["one robot"], 1.0, 0.0)
    given = [x[0] for x in scene("one robot")]
    whole = kernels.accelerate(lambda *arrays: _scan(arrays, chosen), lambda *arrays: kernel.scan(arrays, chosen))

    def total(scan, position):
        return scan(*given[:2], position, *given[3:])[0].sum()

    gradient = jax.grad(lambda p: total(whole, p))(given[2])
    expected = jax.grad(lambda p: total(lambda *arrays: _scan(arrays, chosen), p))(given[2])
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    assert bool(jnp.isfinite(gradient).all()) and float(jnp.abs(gradient).max()) > 0
