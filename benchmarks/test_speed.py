"""A short form of the benchmarks, for every day: one tick of each family, natively and as Gymnasium has it.

    pip install -e ".[bench]"
    pytest benchmarks --benchmark-only                              # about two minutes
    pytest benchmarks --benchmark-only --benchmark-autosave         # keep it; --benchmark-compare shows what changed

The figures of this project come from the other scripts here, which alternate with other implementations.
"""

import jax
import pytest

import minicosm
from minicosm.studies import throughput
from minicosm.wrappers import GymnasiumVectorEnv

WORLDS = {"nav": {"num_beams": 64}, "maze": {}, "cart_pole": {}}
NUM_ENVS = 256
WAYS = {
    "native": lambda env: throughput.native_scan(env, NUM_ENVS, steps=20),
    "gymnasium": lambda env: throughput.gymnasium_vector(lambda n: GymnasiumVectorEnv(env, n), NUM_ENVS, steps=20),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("world", WORLDS)
def test_twenty_steps(benchmark, world, way):
    turn = WAYS[way](minicosm.make(world, **WORLDS[world])).prepare()
    turn()  # compiles
    steps = benchmark(turn)
    assert steps == 20 * NUM_ENVS
    benchmark.extra_info["env_steps_per_s"] = steps / benchmark.stats.stats.median


@pytest.mark.parametrize("world", WORLDS)
def test_sampling_levels(benchmark, world):
    sample = jax.jit(jax.vmap(minicosm.make(world).sample_level))
    keys = jax.random.split(jax.random.key(0), NUM_ENVS)
    levels = benchmark(lambda: jax.block_until_ready(sample(keys)))
    assert all(leaf.shape[0] == NUM_ENVS for leaf in jax.tree.leaves(levels))
