"""What the rigid-body kernel's results must not depend on, to the bit; JAX's transformations; and extreme worlds."""

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rigid_scenes import ODD, levels, odd_worlds, random_worlds

from minicosm import kernels
from minicosm.envs.physics.engine import EngineConfig, Size, query, reference_tick, tick, ticks
from minicosm.envs.physics.engine.build import build, idle, stack
from minicosm.envs.physics.engine.definitions import Circle, Pin, box
from minicosm.envs.physics.engine.size import sides
from minicosm.kernels import rigid

MANY = 100
TICKS = 24
BARE = Size(num_polygons=2, num_circles=0, num_joints=0, num_thrusters=0, num_walls=1)  # whatever can be empty, is

PINNED = Size(num_polygons=1, num_circles=1, num_joints=1, num_thrusters=0, num_walls=0)
BOTH = (tick, reference_tick)


@pytest.fixture(autouse=True)
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


@functools.partial(jax.jit, static_argnames="count")
def rolled(scene, state, controls, count=TICKS):
    step = jax.vmap(tick)
    return jax.lax.scan(lambda s, _: (step(scene, s, controls), None), state, None, length=count)[0]


def some(worlds, index):
    return jax.tree.map(lambda x: x[index], worlds)


def bits(state):
    """Of every world, as bytes: the sign of a zero counts."""
    leaves = [np.ascontiguousarray(x) for x in jax.tree.leaves(state)]
    return [b"".join(x[w].tobytes() for x in leaves) for w in range(len(leaves[0]))]


@functools.cache
def worlds(name):
    made = random_worlds(1, MANY) if name == "random worlds" else odd_worlds(1, MANY)
    scene, state, controls = made
    velocity = state.velocity.at[::7].multiply(-0.0)  # zeros with a sign, that a push of nothing would change
    return scene, dataclasses.replace(state, velocity=velocity), controls


@functools.cache
def expected(name):
    return bits(rolled(*worlds(name)))


@pytest.mark.parametrize("name", ["random worlds", "odd worlds"])
def test_every_instruction_set_gives_the_same_bits(name):
    try:
        for chosen in kernels.instruction_sets():
            kernels.select(chosen)
            assert bits(rolled(*worlds(name))) == expected(name), chosen
    finally:
        kernels.select("")


@pytest.mark.parametrize("count", [1, 7, 16, 31, 64])
@pytest.mark.parametrize("name", ["random worlds", "odd worlds"])
def test_a_world_does_not_depend_on_its_neighbours_or_its_place(name, count):
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(MANY)[:count]
        assert bits(rolled(*some(worlds(name), order))) == [expected(name)[w] for w in order]


def test_a_large_batch_is_the_same_on_all_threads():
    order = np.tile(np.arange(MANY), 30)
    assert bits(rolled(*some(worlds("odd worlds"), order))) == expected("odd worlds") * 30


def test_one_thread_gives_the_same_bits(tmp_path):
    code = f"""
import os
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
import test_rigid_invariance as t
open({str(tmp_path / "bits")!r}, "wb").write(b"".join(t.expected("odd worlds")))
"""
    in_process_of_its_own(code)
    assert (tmp_path / "bits").read_bytes() == b"".join(expected("odd worlds"))


def in_process_of_its_own(code, **environment):
    here = {"PYTHONPATH": str(pathlib.Path(__file__).parent), **environment}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **here}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_vmap_equals_a_loop_however_it_is_nested():
    given = some(worlds("odd worlds"), np.arange(6))
    once = jax.jit(jax.vmap(tick))(*given)
    alone = [bits(jax.tree.map(lambda x: x[None], jax.jit(tick)(*some(given, i))))[0] for i in range(6)]
    assert alone == bits(once)
    nested = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), given)
    twice = jax.jit(jax.vmap(jax.vmap(tick)))(*nested)
    assert bits(jax.tree.map(lambda x: x.reshape(6, *x.shape[2:]), twice)) == alone


def test_the_state_before_a_tick_is_still_there_after_it():
    scene, state, controls = some(worlds("odd worlds"), np.arange(20))
    before = bits(state)
    after = jax.jit(jax.vmap(tick))(scene, state, controls)
    both = jax.jit(lambda s: (jax.vmap(tick)(scene, s, controls), s))(state)
    assert bits(state) == bits(both[1]) == before != bits(after)
    assert bits(after) == bits(both[0])


def test_one_scene_for_all_states():
    scene, states, controls = some(worlds("odd worlds"), np.arange(4))
    first = some(scene, 0)
    shared = jax.vmap(tick, in_axes=(None, 0, 0))(first, states, controls)
    repeated = jax.tree.map(lambda x: jnp.stack([x] * 4), first)
    assert bits(shared) == bits(jax.vmap(tick)(repeated, states, controls))


def test_scan_equals_a_loop():
    given = scene, state, controls = some(worlds("odd worlds"), np.arange(5))
    step = jax.jit(jax.vmap(tick))
    for _ in range(TICKS):
        state = step(scene, state, controls)
    assert bits(state) == bits(rolled(*given))


def one_by_one(step, given, count):
    """The state after `count` ticks, and in which of them each pair first touched; `step` is of as many worlds."""
    scene, state, controls = given
    touch = np.full(scene.collides.shape, count)
    for k in range(count):
        state = step(scene, state, controls)
        touch = np.minimum(touch, np.where(jax.vmap(query.touching_pairs)(scene, state), k, count))
    return state, touch


@pytest.mark.parametrize("name", ["random worlds", "odd worlds"])
def test_several_ticks_at_once_are_those_one_by_one(name):
    given = worlds(name)
    after, touch = jax.jit(jax.vmap(functools.partial(ticks, num_ticks=6)))(*given)
    expected_after, expected_touch = one_by_one(jax.jit(jax.vmap(tick)), given, 6)
    assert bits(after) == bits(expected_after)
    np.testing.assert_array_equal(touch, expected_touch)
    assert touch.dtype == np.int32 and set(np.unique(touch)) == set(range(7))


def test_several_ticks_of_the_reference_are_those_one_by_one():
    with jax.enable_x64(True):
        made = [build(BARE, [box(1, 1, position=(0, y))], walls=[box(9, 1, static=True)]) for y in (1.0, 1.01, 9.0)]
        scene, state = stack(made)
        given = scene, state, idle(scene)
        after, touch = jax.jit(jax.vmap(functools.partial(ticks, num_ticks=4)))(*given)
        expected_after, expected_touch = one_by_one(jax.jit(jax.vmap(reference_tick)), given, 4)
        for mine, theirs in zip(jax.tree.leaves(after), jax.tree.leaves(expected_after), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(touch, expected_touch)
        assert touch[0].min() == 0 < touch[1].min() < touch[2].min() == 4


@pytest.mark.parametrize("count", [0, -1, 2.0, True])
def test_what_is_no_number_of_ticks_is_refused(count):
    with pytest.raises(ValueError, match=f"num_ticks is {count}; expected a whole number of ticks, at least 1"):
        ticks(*some(worlds("odd worlds"), 0), num_ticks=count)


def test_worlds_spread_over_devices_by_shard_map_stay_there():
    code = "import test_rigid_invariance; test_rigid_invariance.spread_over_four_devices()"
    in_process_of_its_own(code, XLA_FLAGS="--xla_force_host_platform_device_count=4")


def spread_over_four_devices():
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("worlds",))
    assert mesh.size == 4
    spec = jax.sharding.PartitionSpec("worlds")
    given = some(worlds("odd worlds"), np.arange(20))
    spread = jax.device_put(given, jax.sharding.NamedSharding(mesh, spec))
    step = jax.jit(jax.shard_map(lambda *w: jax.vmap(tick)(*w), mesh=mesh, in_specs=spec, out_specs=spec))
    assert bits(step(*spread)) == bits(jax.jit(jax.vmap(tick))(*given))
    program = step.lower(*spread).compile().as_text()
    assert "minicosm_rigid_tick" in program and "all-gather" not in program


def test_an_empty_batch():
    after = jax.jit(jax.vmap(tick))(*some(worlds("odd worlds"), np.arange(0)))
    assert after.position.shape == (0, ODD.num_shapes, 2)


def test_a_size_without_circles_joints_and_thrusters():
    scene, state = build(BARE, [box(1, 1, position=(0, 0.49), velocity=(1, 0))], walls=[box(9, 1, static=True)])
    given = scene, state, idle(scene)
    by_kernel, by_reference = jax.jit(tick)(*given), jax.jit(reference_tick)(*given)
    for mine, theirs in zip(jax.tree.leaves(by_kernel), jax.tree.leaves(by_reference), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert by_kernel.contacts[..., 3].max() > 0 and by_kernel.joint_impulses.shape == (0, 6)


def test_64_bits_go_to_the_reference():
    with jax.enable_x64(True):
        scene, state = build(BARE, [box(1, 1, position=(0, 5))])
        after = jax.jit(tick).lower(scene, state, idle(scene)).compile()
        assert "minicosm_rigid_tick" not in after.as_text()
        assert after(scene, state, idle(scene)).position.dtype == np.float64


def test_off_gives_the_reference():
    code = """
import jax
import test_rigid_invariance as t
scene, state = t.build(t.BARE, [t.box(1, 1, position=(0, 5))])
print("minicosm_rigid_tick" in jax.jit(t.tick).lower(scene, state, t.idle(scene)).as_text())
"""
    assert in_process_of_its_own(code, MINICOSM_KERNELS="off") == "False"
    assert in_process_of_its_own(code, MINICOSM_KERNELS="on") == "True"


def test_derivatives_are_those_of_the_reference():
    shapes = [box(0.5, 0.5, position=(1, 2), velocity=(1, 0.5)), Circle(0.2, position=(2, 2))]
    scene, state = build(PINNED, shapes, [Pin(0, 1, at=(1.6, 2))])
    config = EngineConfig(num_substeps=1, num_joint_sweeps=1)

    def moved(velocity, implementation):
        after = implementation(scene, dataclasses.replace(state, velocity=velocity), idle(scene), config)
        return (after.position**2).sum() + after.rotation.sum()

    by_kernel, by_reference = (
        jax.jit(jax.grad(functools.partial(moved, implementation=f)))(state.velocity) for f in BOTH
    )
    np.testing.assert_allclose(by_kernel, by_reference, rtol=1e-5, atol=1e-6)
    assert np.isfinite(by_kernel).all() and np.abs(by_kernel).max() > 0.01


def test_arrays_of_another_size_are_refused():
    scene, state = build(BARE, [box(1, 1)])
    layout = rigid.Layout(1, 2, 0, 0, 0, BARE.max_vertices, *sides(BARE))
    soft = (0.0, 1.0, 0.0)
    settings = rigid.Settings(1 / 60, 1 / 240, soft, soft, soft, soft, 3.0, 10.0, 1.0, 0.02, 100.0, 50.0, 4, 2)
    arrays = jax.tree.leaves((scene, state, idle(scene)))
    rigid.ticks(arrays, layout, settings, 1)
    with pytest.raises(ValueError, match=r"thrust is float32\[1\]; expected float32\[0\]"):
        rigid.ticks([*arrays[:-1], jnp.zeros(1)], layout, settings, 1)
    with pytest.raises(ValueError, match=r"vertices is bfloat16\[2, 4, 2\]; expected float32\[2, 4, 2\]"):
        rigid.ticks([arrays[0].astype(jnp.bfloat16), *arrays[1:]], layout, settings, 1)
    with pytest.raises(ValueError, match="shorter"):
        rigid.ticks(arrays[:-1], layout, settings, 1)


KINDS = {
    "everything": {"max_speed": 100.0},
    "as fast as may be": {"max_speed": 1e4},
    "a thousand million to one": {"densities": (3e-5, 3e4)},
    "crushing": {"gravity": 1e4},
}


@pytest.mark.parametrize("kind", KINDS)
def test_finite_worlds_stay_finite(kind):
    last = rolled(*random_worlds(11, 2048, **KINDS[kind]), count=64)
    for leaf in jax.tree.leaves(last):
        assert jnp.isfinite(leaf).all()
    assert float(jnp.abs(last.contacts).max()) > 0


@pytest.mark.parametrize("size", ["s", "l"])
def test_levels_of_every_size_stay_finite(size):
    for leaf in jax.tree.leaves(rolled(*levels(size, 1), count=256)):
        assert jnp.isfinite(leaf).all()


def test_stacked_worlds_are_those_that_were_built():
    """`worlds` would hide a batch of one world many times over."""
    assert len(set(expected("random worlds"))) == len(set(expected("odd worlds"))) == MANY
    assert stack([build(BARE, [box(1, 1)])])[1].position.shape == (1, 2, 2)
