"""Scenes for the tests of the rigid-body kernel: random levels of Kinetix, random worlds of our own, odd sizes."""

import functools
import importlib.util
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine import MEDIUM, Size
from minicosm.envs.physics.engine.build import build, idle, stack
from minicosm.envs.physics.engine.definitions import Circle, Polygon, box

ROOT = pathlib.Path(__file__).parent.parent.parent
COUNT = 256  # levels in the file, and worlds of every batch
# Neither walls, joints nor thrusters; three free shapes, so that one seat of the tournament stays empty; octagons.
ODD = Size(num_polygons=2, num_circles=1, num_joints=0, num_thrusters=0, num_walls=0, max_vertices=8)


def _module(path):
    name = pathlib.Path(path).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@functools.cache
def _levels(size):
    worker = _module("benchmarks/engine_worker.py")
    return worker.minicosm_scenes(worker.load_scenes(size), size)


def levels(size, seed):
    """The benchmark's random levels of Kinetix, each motor and thruster with a random action of its own."""
    scene, state, controls = _levels(size)
    rng = np.random.default_rng(seed)
    share = lambda x, low: jnp.asarray(x * rng.uniform(low, 1.0, x.shape), jnp.float32)
    drive = (share(controls.motor_speed, -1.0), controls.motor_torque, share(controls.thrust, 0.0))
    return scene, state, type(controls)(*drive)


def random_worlds(seed, count=COUNT, **kind):
    """Worlds of MEDIUM with all kinds of parts, great mass ratios, restitution, statics in free slots, overlaps."""
    module = _module("tests/envs/physics/engine/random_worlds.py")
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.jit(jax.vmap(lambda key: module.draw(key, MEDIUM, module.Kind(**kind))))(keys)


def _corners(rng, count, radius):
    angle = np.sort((np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def odd_worlds(seed, count=COUNT):
    """Worlds of ODD, by the loader: a static slab, and a polygon of up to eight corners and a disc that fall on it."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        sides, size = rng.integers(3, 9), rng.uniform(0.1, 0.5)
        falls = {"density": 10 ** rng.uniform(-1, 2), "restitution": max(0.0, rng.uniform(-1, 1))}
        stone = Polygon(
            _corners(rng, sides, size),
            position=rng.uniform([-1, 0.3], [1, 1.5]),
            rotation=rng.uniform(-3, 3),
            velocity=rng.uniform(-4, 4, 2),
            angular_velocity=rng.uniform(-5, 5),
            **falls,
        )
        disc = Circle(rng.uniform(0.05, 0.3), position=rng.uniform([-1, 0.1], [1, 2]), velocity=rng.uniform(-4, 4, 2))
        slab = box(6, 1, position=(0, -0.5), static=True, friction=rng.uniform(0, 1))
        made.append(build(ODD, [slab, stone, disc], gravity=(0.0, -rng.uniform(0, 20))))
    scene, state = stack(made)
    return scene, state, idle(scene)
