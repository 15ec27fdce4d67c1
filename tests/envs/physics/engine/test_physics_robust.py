"""Whatever the loader accepts: no NaN, nothing leaves its walls, energy does not come from nowhere; and derivatives."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_worlds
from engine_worlds import TICKS, World, roll
from random_worlds import Kind
from xla_options import OPTIMISED

from minicosm.envs.physics.engine import MEDIUM, Size, query
from minicosm.envs.physics.engine.build import build, idle
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Thruster, Weld, box
from minicosm.envs.physics.engine.sweep import stop_at_statics

LEAST = Size(num_polygons=1, num_circles=1, num_joints=1, num_thrusters=0, num_walls=1)  # compiles soonest
COUNT = {"reference": 32, "kernel": 2000}  # random worlds for each implementation: the first of those drawn
NO_WALLS = Size(num_polygons=2, num_circles=1, num_joints=0, num_thrusters=0, num_walls=0)
PLATE = box(4.0, 0.02, position=(0.0, -0.01), density=0.0)  # static; a core of 0.1 m lies on it at a height of 0.1 m
PILE = Kind(max_restitution=0.0, parts=False, piled=True, densities=(0.5, 2.0), max_speed=3.0)


@functools.cache
def drawn(kind):
    keys = jax.random.split(jax.random.key(0), max(COUNT.values()))
    return jax.jit(jax.vmap(lambda k: random_worlds.draw(k, MEDIUM, kind)))(keys)


@functools.partial(jax.jit, static_argnames="implementation", compiler_options=OPTIMISED)
def stepped(scene, state, controls, implementation):
    """256 ticks: the last state, how far outside anything came [B], energies [T + 1, B] and their scale [B]."""
    step = jax.vmap(TICKS[implementation])
    kinetic = jax.vmap(query.kinetic_energy)

    def energy(state):
        return kinetic(scene, state) + jax.vmap(query.potential_energy)(scene, state)

    def one(state, _):
        state = step(scene, state, controls)
        return state, (jax.vmap(random_worlds.outside)(scene, state), energy(state))

    last, (away, energies) = jax.lax.scan(one, state, None, length=256)
    weight = jax.vmap(lambda s: query.masses(s)[0].sum() * jnp.linalg.norm(s.gravity))(scene)
    return last, away.max(axis=0), jnp.concatenate([energy(state)[None], energies]), kinetic(scene, state) + weight


@pytest.fixture(scope="module", params=TICKS)
def random_run(request):
    """`random_run(kind)`: what `stepped` says of random worlds of that kind."""
    count = COUNT[request.param]
    return lambda kind: stepped(*jax.tree.map(lambda x: x[:count], drawn(kind)), request.param)


@pytest.mark.parametrize("kind", [Kind(), Kind(parts=False)], ids=["all parts", "shapes alone"])
def test_random_worlds_stay_finite_and_in_their_walls(random_run, kind):
    last, away, _, _ = random_run(kind)
    for leaf in jax.tree.leaves(last):
        assert jnp.isfinite(leaf).all()
    assert away.max() < 0.0  # no centroid leaves its walls


@pytest.mark.parametrize(
    ("depth", "path", "goes"),
    [(0.05, (0.1, -1.0), 0.0), (0.05, (0.3, 0.6), 1.0), (0.05, (0.02, -0.01), 1.0), (0.15, (0.0, -1.0), 1.0)],
    ids=["deeper and fast", "out", "slowly along", "with its centroid inside"],
)
@pytest.mark.parametrize("shape", ["disc", "box"])
def test_a_core_that_a_thin_plate_holds_comes_no_deeper(shape, depth, path, goes):
    free = Circle(0.2) if shape == "disc" else box(0.4, 0.4)
    scene, state = build(NO_WALLS, [dataclasses.replace(free, position=(0.0, 0.1 - depth)), PLATE])
    place = 0 if shape == "box" else 2
    moved = jnp.zeros((3, NO_WALLS.num_shapes, 1)).at[:2, place, 0].set(jnp.array(path))
    last = jax.tree.map(lambda x: x[..., None], (scene, state))
    mended = stop_at_statics(*last, moved)[:2, place, 0]
    fast = np.hypot(*path) > 0.1
    np.testing.assert_allclose(mended, goes * np.array([path[0], path[1] if fast else 0.0]), atol=1e-6)


WEDGE = Size(num_polygons=1, num_circles=3, num_joints=1, num_thrusters=0, num_walls=1)
STATIC_DISC = Circle(0.5, position=(0.0, 0.45), static=True)  # it reaches into the floor


@pytest.mark.parametrize("pull", [(-1.0, -0.5), (-1.0, -3.0), (-2.0, -1.0), (-4.0, -1.0)])
@pytest.mark.parametrize("implementation", TICKS)
def test_a_core_that_is_dragged_between_two_statics_stays_out_of_both(implementation, pull):
    # the heavy one touches nothing, but drags the light one
    heavy = Circle(0.3, position=(0.7, 0.2), density=1000.0, velocity=pull)
    shapes = [Circle(0.1, position=(0.7, 0.2), density=0.01), STATIC_DISC, heavy]
    joints, floor = [Pin(0, 2, at=(0.7, 0.2))], [box(20, 1, position=(0, -0.5), static=True)]
    scene, state = build(WEDGE, shapes, joints, walls=floor, gravity=(0, 0), no_collision=[(2, 1), (2, 3)])
    step, controls = TICKS[implementation], idle(scene)
    ticks = jax.jit(lambda s: jax.lax.scan(lambda s, _: (step(scene, s, controls),) * 2, s, length=60)[1])
    path = ticks(state).position
    x, y = np.asarray(path[:, 1]).T
    assert np.min(y) > 0.05 - 1e-4
    assert np.min(np.hypot(x, y - 0.45)) > 0.55 - 1e-4
    assert np.hypot(*(path[-1, 3] - path[-1, 1])) > 0.3  # the heavy one has gone on


@pytest.mark.parametrize("gravity", [0.0, 9.81])
def test_piles_do_not_gain_energy(random_run, gravity):
    """Above what they had in the four ticks before: what overlaps gives back some of what it took."""
    _, _, energy, scale = random_run(dataclasses.replace(PILE, gravity=gravity))
    energy, scale = np.asarray(energy, float), np.asarray(scale, float)
    before = np.max([energy[k : k + 252] for k in range(5)], axis=0)
    rise = (energy[5:257] - before) / scale
    # A light shape squeezed between two others may be thrown out: seldom, and by little.
    assert (rise.max(0) > 0.01).mean() < 0.02
    assert rise.max() < 0.15
    assert (energy.max(0) - energy[0] <= 0.02 * scale).all()
    assert energy[-1].mean() < 0.8 * energy[0].mean()


ROOMY = Size(num_polygons=6, num_circles=3, num_joints=3, num_thrusters=1, num_walls=1)
FLOOR = [box(20, 1, position=(0, -0.5), static=True)]
HEAVY, LIGHT = {"density": 1e9 / 1.01}, {"density": 1.01e-6}
WEIGHTS = [box(1, 1, position=(0, 0.5), **LIGHT), box(1, 1, position=(0, 1.5), **HEAVY), Circle(0.5, position=(0, 2.5))]
EXTREMES = {
    "nothing at all": World([], size=ROOMY),
    "only a floor": World([], {"walls": FLOOR}, size=ROOMY),
    "a thousand million million to one": World(WEIGHTS, {"walls": FLOOR}, size=ROOMY),
    "the same, pinned": World(
        WEIGHTS, {"walls": FLOOR, "joints": [Pin(0, 1, at=(0, 1)), Weld(1, 2, at=(0, 2))]}, size=ROOMY
    ),
    "all in one place": World([box(1, 1)] * 5 + [Circle(0.5)] * 3, {"walls": FLOOR}, size=ROOMY),
    "inside the floor": World([box(0.2, 0.2, position=(0, -0.5)), Circle(0.1, position=(3, -0.5))], {"walls": FLOOR},
                              size=ROOMY),
    "as small as can be": World(
        [Circle(1e-3, density=1e5, position=(0, 1e-3)), box(0.001, 0.001, density=1e5, position=(0, 0.1))],
        {"walls": FLOOR}, size=ROOMY,
    ),
    "as large as can be": World([Circle(800, position=(0, 800)), box(1e3, 1e3, position=(0, 2.1e3))], {"walls": FLOOR},
                                size=ROOMY),
    "slivers": World(
        [Polygon(((0, 0), (10, 0), (10, 0.01)), position=(i, 1 + 0.1 * i)) for i in range(5)], {"walls": FLOOR},
        size=ROOMY,
    ),
    "at top speed and spin": World(
        [box(1, 1, position=(0, 5), velocity=(1e4, -1e4), angular_velocity=1e4), Circle(0.1, angular_velocity=-1e4)],
        {"walls": FLOOR}, size=ROOMY,
    ),
    "far away": World(
        [box(1, 1, position=(9999, 0.5)), Circle(0.5, position=(-9999, 1e4))], {"walls": FLOOR}, size=ROOMY
    ),
    "pins that gape": World(
        [box(1, 1, position=(i, 2)) for i in range(4)],
        {"walls": FLOOR, "joints": [Pin(i, i + 1, anchor_a=(50, 0), anchor_b=(-50, 0)) for i in range(3)]}, size=ROOMY,
    ),
    "limits far off": World(
        [box(1, 0.2, position=(i, 2), rotation=50.0 * i) for i in range(3)],
        {"joints": [Pin(0, 1, at=(0.5, 2), limits=(0, 0), rest_angle=0), Pin(1, 2, at=(1.5, 2), limits=(5, 6))]},
        size=ROOMY,
    ),
    "pins at odds": World(
        [box(1, 1), Circle(0.3, position=(1, 0))],
        {"joints": [Pin(0, 1, at=(0, 0)), Pin(0, 1, at=(1, 0)), Weld(1, 0, at=(5, 5), rest_angle=3)]}, size=ROOMY,
    ),
    "springs without end": World(
        [box(1, 1), box(1, 1, position=(1, 0), rotation=2)],
        {"joints": [Pin(0, 1, at=(0.5, 0), spring_hertz=1e4, spring_damping=0, rest_angle=9),
                    Pin(0, 1, at=(0.5, 0), spring_hertz=0, spring_damping=0)]}, size=ROOMY,
    ),
    "a motor without end": World([box(1, 1), Circle(0.1, position=(1, 0))], {"joints": [Pin(0, 1, at=(1, 0))]},
                                 motor=(1e4, 1e9), size=ROOMY),
    "a thruster without end": World([box(1, 1)], {"thrusters": [Thruster(0, (1e3, 1e3), 1)]}, thrust=1e9, size=ROOMY),
    "without friction, or with all of it": World(
        [box(1, 1, position=(0, 1), friction=1e4, rotation=0.4), Circle(1, position=(3, 1), friction=0.0)],
        {"walls": FLOOR}, size=ROOMY,
    ),
    "crushing gravity": World(
        [box(1, 1, position=(0, 0.5 + i)) for i in range(5)], {"walls": FLOOR, "gravity": (0, -1e4)}, size=ROOMY
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=TICKS)
def extremes(request):
    return roll(EXTREMES, 300, request.param)


@pytest.mark.parametrize("name", EXTREMES)
def test_no_scene_that_loads_gives_a_nan(extremes, name):
    path = extremes[name]
    assert all(np.isfinite(x).all() for x in (path.position, path.rotation, path.velocity, path.angular_velocity))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(path.final))
    # Speeds are bounded, whatever pushes.
    assert np.linalg.norm(path.velocity[1:], axis=-1).max(initial=0) <= 100.1
    assert np.abs(path.angular_velocity[1:]).max(initial=0) <= 50.1


@jax.jit
def derivative(scene, state, controls, weights):
    """Of `weights` f32[3] times (x, y, angle) of LEAST's circle after ten ticks, by its velocity; and the sum."""
    tick, slot = TICKS.get("kernel", TICKS["reference"]), 1  # the kernel's derivative is the reference's

    def reached(velocity):
        moving = dataclasses.replace(state, velocity=state.velocity.at[slot].set(velocity))
        last, _ = jax.lax.scan(lambda s, _: (tick(scene, s, controls), None), moving, None, length=10)
        return (weights[:2] * last.position[slot]).sum() + weights[2] * last.rotation[slot]

    total, gradient = jax.value_and_grad(reached)(state.velocity[slot])
    return gradient, total


def test_flight_differentiates_to_its_time():
    world = World([Circle(0.5, position=(0, 3), velocity=(1, 2))], size=LEAST).made()
    by_x, by_y = (derivative(*world, jnp.eye(3)[i])[0] for i in (0, 1))
    np.testing.assert_allclose(jnp.stack([by_x, by_y]), 10 / 60 * np.eye(2), atol=1e-5)


def test_a_pendulum_has_the_derivative_of_its_differences():
    amplitude = 0.5
    bob = Circle(0.1, position=(math.sin(amplitude), -math.cos(amplitude)))
    scene, state, controls = World(
        [bob], {"joints": [Pin(1, 0, at=(0, 0))], "walls": [box(0.2, 0.2, static=True)]}, size=LEAST
    ).made()

    def angle(push):
        pushed = dataclasses.replace(state, velocity=state.velocity.at[1, 0].add(push))
        return derivative(scene, pushed, controls, jnp.eye(3)[2])

    (by_rule, _), _ = angle(0.0)
    by_difference = (angle(0.05)[1] - angle(-0.05)[1]) / 0.1
    assert np.isfinite(by_rule)
    np.testing.assert_allclose(by_rule, by_difference, rtol=0.02)


def test_in_64_bits():
    shapes = [Circle(0.2, position=(0.5, 0.6), velocity=(0.3, 0))]
    parts = {"walls": [box(20, 1, position=(0, -0.5), static=True)]}
    single = roll({"it": World(shapes, parts, size=LEAST)}, 60)["it"]
    with jax.enable_x64(True):
        scene, state = build(LEAST, shapes, **parts)
        assert {leaf.dtype.name for leaf in jax.tree.leaves((scene, state))} <= {"float64", "int32", "bool"}
        step = jax.jit(TICKS["reference"])
        for _ in range(60):
            state = step(scene, state, idle(scene))
        assert state.position.dtype == state.contacts.dtype == np.float64
        position = np.asarray(state.position[1])
    np.testing.assert_allclose(position, single.position[-1, 0], atol=1e-4)
    assert not np.array_equal(position, position.astype(np.float32))
