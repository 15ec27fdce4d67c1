"""The kernel for flat pictures beside its reference, and every instruction set beside the others."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import kernels
from minicosm.envs.physics import flat
from minicosm.kernels import picture as kernel

WORLDS = 12
GROUND = (250, 249, 246)
SIZES = {"square": (64, 64), "wide": (17, 133), "narrow": (40, 3)}
ARE_DISCS = (True, False, False, True, False, True, False, False)
EDGES = 5


@pytest.fixture(autouse=True)
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


@functools.cache
def figures(name):
    """f32[WORLDS, N, HEAD + 3 EDGES]: of all sizes, some hidden, cut off, slivers or of repeated corners."""
    rng = np.random.default_rng(5)
    height, width = SIZES[name]
    shape = (WORLDS, len(ARE_DISCS))
    centre = rng.uniform(-0.6, 0.6, (*shape, 2)) * [width, height]
    radius = rng.uniform(0.3, 0.7 * max(height, width), shape) * rng.choice([0.1, 1.0], shape)
    colours = rng.uniform(0, 255, (*shape, 6))
    rim, shown = rng.choice([0.0, 1.0, 2.7], shape), rng.random(shape) < 0.85
    count = rng.integers(3, EDGES + 1, (*shape, 1))
    angle = 2 * np.pi * np.minimum(np.arange(EDGES), count - 1) / count + rng.uniform(0, 7, (*shape, 1))
    flatness = rng.choice([1.0, 0.02], (*shape, 1))
    turn = rng.choice([0.0, 0.0, 1.1], (*shape, 1))
    along, across = radius[..., None] * np.cos(angle), flatness * radius[..., None] * np.sin(angle)
    x = centre[..., :1] + along * np.cos(turn) - across * np.sin(turn)
    y = centre[..., 1:] + along * np.sin(turn) + across * np.cos(turn)
    worlds = []
    for w in range(WORLDS):
        rows = []
        for i, is_disc in enumerate(ARE_DISCS):
            paint = flat.Paint(
                shown[w, i : i + 1], colours[w, i : i + 1, :3], colours[w, i : i + 1, 3:], rim[w, i : i + 1]
            )
            if is_disc:
                made = flat.discs((centre[w, i, :1], centre[w, i, 1:]), radius[w, i : i + 1], paint, EDGES)
            else:
                made = flat.polygons((jnp.asarray(x[w, i : i + 1]), jnp.asarray(y[w, i : i + 1])), paint, EDGES)
            rows.append(np.asarray(made.data, np.float32))
        worlds.append(np.concatenate(rows))
    return jnp.asarray(np.stack(worlds))


def by_kernel(name, data=None):
    draw = jax.jit(jax.vmap(lambda one: kernel.draw(one, ARE_DISCS, SIZES[name], GROUND)))
    return np.asarray(draw(figures(name) if data is None else data))


@pytest.mark.parametrize("name", SIZES)
def test_kernel_and_reference_agree_within_a_step(name):
    expected = np.asarray(jax.jit(jax.vmap(lambda one: flat._laid(one, ARE_DISCS, SIZES[name], GROUND)))(figures(name)))
    made = by_kernel(name)
    assert made.dtype == np.uint8 and made.shape == (WORLDS, *SIZES[name], 3) == expected.shape
    gap = np.abs(made.astype(int) - expected)
    assert gap.max() <= 1 and np.mean(gap > 0) < 1e-2
    assert expected.std() > 20  # there was something to see


@pytest.mark.parametrize("name", SIZES)
def test_every_instruction_set_gives_the_same_bytes(name):
    made = {}
    try:
        for chosen in kernels.instruction_sets():
            kernels.select(chosen)
            made[chosen] = by_kernel(name).tobytes()
    finally:
        kernels.select("")
    assert len(set(made.values())) == 1, f"{sorted(made)} differ"


def test_a_picture_does_not_depend_on_its_neighbours_or_on_threads():
    data, alone = figures("square"), by_kernel("square")
    order = np.random.default_rng(0).permutation(np.tile(np.arange(WORLDS), 40))
    np.testing.assert_array_equal(by_kernel("square", data[order]), alone[order])


def test_what_the_kernel_has_no_room_for_is_drawn_by_the_reference():
    assert kernel.fits(1024, 16, (1024, 1024))
    assert not any(kernel.fits(*case) for case in ((1025, 4, (9, 9)), (3, 17, (9, 9)), (3, 4, (9, 1025))))
    group = flat.polygons(
        (jnp.array([[-700.0, 700.0, 0.0]]), jnp.array([[-1.0, -1.0, 3.0]])),
        flat.Paint(jnp.array([True]), jnp.zeros((1, 3)), jnp.zeros((1, 3)), 0.0),
        3,
    )
    wide = jax.jit(lambda: flat.picture([group], (4, 1500), GROUND)).lower()
    assert "minicosm_picture" not in wide.as_text()
    narrow = jax.jit(lambda: flat.picture([group], (4, 1000), GROUND)).lower()
    assert "minicosm_picture" in narrow.as_text()
