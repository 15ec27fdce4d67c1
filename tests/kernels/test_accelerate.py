"""What `accelerate` makes of a kernel: jit, vmap, scan, shard_map, derivatives, and when the reference runs."""

import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import kernels
from minicosm.kernels.lidar import Lidar, scan

LIDAR = Lidar(num_beams=5, max_range=2.0, radius=0.3, cell_size=1.0, margin=2, gain=1.0, offset=0.0)
ROOM = 5  # cells a side, without walls inside
LINES = ROOM + 2 * LIDAR.margin
MIDDLE = jnp.array([[2.5, 2.5], [3.25, 2.5]])
SHAPES = [(2, LIDAR.num_beams + 1), (2,)]


@pytest.fixture(autouse=True)
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


def arrays(position):
    """Two robots in an empty room, the first looking at the second; the tail is their x."""
    inside = (1 << LIDAR.margin + ROOM) - (1 << LIDAR.margin)
    everything = (1 << LINES) - 1
    lines = [everything ^ inside if LIDAR.margin <= i < LIDAR.margin + ROOM else everything for i in range(LINES)]
    packed = jnp.array(lines, jnp.uint32)[:, None]
    heading = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
    return packed, packed, position, heading, jnp.ones(2, bool), position[:, :1]


def marker(*given):
    """A reference that cannot be mistaken for the kernel, and that has a derivative."""
    return jnp.full(SHAPES[0], 7.0) + given[2][0, 0] ** 2, jnp.full(SHAPES[1], 7.0)


chosen = kernels.accelerate(marker, lambda *given: scan(given, LIDAR))


def both(position):
    return chosen(*arrays(position))


def test_the_kernel_runs_and_the_reference_does_not():
    rows, shortest = jax.jit(both)(MIDDLE)
    # each sees the other's disc ahead at 0.75 - 0.3; the beams at 72 and 144 degrees see nothing within 2 m or the wall
    assert rows[0, 0] == pytest.approx(0.45) and rows[1, 0] == pytest.approx(0.45)
    assert rows[0, 1] == 2.0
    np.testing.assert_array_equal(rows[:, -1], MIDDLE[:, 0])
    np.testing.assert_allclose(shortest, [0.45, 0.45], rtol=1e-6)


def test_vmap_equals_a_loop_however_it_is_nested():
    shifts = jnp.linspace(0.0, 0.4, 6)
    positions = MIDDLE + shifts[:, None, None]
    expected = [both(p) for p in positions]
    once = jax.jit(jax.vmap(both))(positions)
    twice = jax.vmap(jax.vmap(both))(positions.reshape(2, 3, 2, 2))
    for i, (rows, shortest) in enumerate(expected):
        np.testing.assert_array_equal(once[0][i], rows)
        np.testing.assert_array_equal(once[1][i], shortest)
        np.testing.assert_array_equal(twice[0][i // 3, i % 3], rows)


def test_vmap_over_some_arguments_only():
    given = arrays(MIDDLE)
    tails = jnp.arange(6.0).reshape(3, 2, 1)
    rows, _ = jax.vmap(chosen, in_axes=(None, None, None, None, None, 0))(*given[:5], tails)
    np.testing.assert_array_equal(rows[..., -1], tails[..., 0])
    np.testing.assert_array_equal(rows[2, :, :-1], both(MIDDLE)[0][:, :-1])


def test_an_empty_batch():
    rows, shortest = jax.vmap(both)(jnp.zeros((0, 2, 2)))
    assert rows.shape == (0, *SHAPES[0]) and shortest.shape == (0, 2)


def test_scan():
    def step(position, _):
        rows, _ = both(position)
        return position + 0.01, rows

    positions = MIDDLE + 0.01 * jnp.arange(4.0)[:, None, None]
    _, rows = jax.jit(lambda p: jax.lax.scan(step, p, None, length=4))(MIDDLE)
    np.testing.assert_allclose(rows, jax.vmap(both)(positions)[0], atol=1e-6)


def test_worlds_spread_over_devices_by_shard_map_stay_there():
    here = {"PYTHONPATH": str(pathlib.Path(__file__).parent), "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    code = "import test_accelerate; test_accelerate.spread_over_four_devices()"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **here}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def spread_over_four_devices():
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("worlds",))
    assert mesh.size == 4
    spec = jax.sharding.PartitionSpec("worlds")
    positions = MIDDLE + 0.01 * jnp.arange(8.0)[:, None, None]
    expected = np.asarray(jax.vmap(both)(positions)[0])
    spread = jax.device_put(positions, jax.sharding.NamedSharding(mesh, spec))
    by_hand = jax.jit(jax.shard_map(jax.vmap(both), mesh=mesh, in_specs=spec, out_specs=(spec, spec)))
    np.testing.assert_array_equal(by_hand(spread)[0], expected)
    program = by_hand.lower(spread).compile().as_text()
    assert "minicosm_lidar_scan" in program and "all-gather" not in program
    # under automatic sharding XLA brings all worlds to every device: slow, but right
    np.testing.assert_array_equal(jax.jit(jax.vmap(both))(spread)[0], expected)


def test_derivatives_are_those_of_the_reference():
    def total(position):
        return both(position)[0].sum()

    expected = 2 * 2.5 * SHAPES[0][0] * SHAPES[0][1]
    assert jax.grad(total)(MIDDLE)[0, 0] == pytest.approx(expected)
    _, tangent = jax.jvp(total, (MIDDLE,), (jnp.ones_like(MIDDLE),))
    assert tangent == pytest.approx(expected)
    np.testing.assert_allclose(jax.vmap(jax.grad(total))(MIDDLE[None])[0, 0, 0], expected, rtol=1e-6)


def test_the_reference_runs_for_64_bits():
    with jax.enable_x64(True):
        given = list(arrays(MIDDLE))
        given[2] = given[2].astype(jnp.float64)
        assert chosen(*given)[1][0] == 7.0


def test_shapes_that_do_not_go_together_are_refused():
    given = list(arrays(MIDDLE))
    given[4] = jnp.ones(3, bool)
    with pytest.raises(Exception, match="lidar_scan: the shapes do not go together"):
        jax.block_until_ready(chosen(*given))


def test_the_reference_is_traced_only_where_it_is_needed():
    traced = []

    def reference(*given):
        traced.append(len(given))
        return marker(*given)

    function = kernels.accelerate(reference, lambda *given: scan(given, LIDAR))
    step = jax.jit(jax.vmap(lambda position: function(*arrays(position))))
    positions = jnp.stack([MIDDLE] * 3)
    assert step(positions)[0][0, 0, 0] == pytest.approx(0.45) and not traced
    assert "minicosm_lidar_scan" not in step.trace(positions).lower(lowering_platforms=("tpu",)).as_text() and traced
    trusted = [jax.export.DisabledSafetyCheck.custom_call("minicosm_lidar_scan")]
    both_platforms = jax.export.export(step, platforms=("cpu", "tpu"), disabled_checks=trusted)(positions)
    assert "minicosm_lidar_scan" in both_platforms.mlir_module()
    np.testing.assert_array_equal(both_platforms.call(positions)[0], step(positions)[0])


def test_the_reference_is_lowered_under_shard_map():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("worlds",))
    spec = jax.sharding.PartitionSpec("worlds")
    step = jax.jit(jax.shard_map(jax.vmap(both), mesh=mesh, in_specs=spec, out_specs=(spec, spec)))
    program = step.trace(jnp.stack([MIDDLE] * 3)).lower(lowering_platforms=("tpu",)).as_text()
    assert "minicosm_lidar_scan" not in program and "7.0" in program
