"""Batches of generated levels, each compiled and drawn once for all tests."""

import functools

import jax
import numpy as np

from minicosm.envs.physics import PhysicsConfig
from minicosm.envs.physics.distributions import sample
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.validate import problems

CUSTOM = Size(num_polygons=9, num_circles=3, num_joints=4, num_thrusters=3, num_walls=2, max_vertices=6)


@functools.cache
def batch(config, count, seed=0):
    """`count` levels of `config`, stacked, as NumPy arrays."""
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda key: sample(key, config)))(keys))


def one(levels, index):
    return jax.tree.map(lambda leaf: leaf[index], levels)


def flaws(levels, config):
    """What is wrong with the levels of a batch: (number, sentence)."""
    count = levels.role.shape[0]
    return [(i, problem) for i in range(count) for problem in problems(one(levels, i), config)]


def config_of(size, levels="random", **settings):
    return PhysicsConfig(size=size, levels=levels, **settings)
