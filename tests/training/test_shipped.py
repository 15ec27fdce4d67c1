"""The policies that come with the package."""

import jax
import numpy as np
import pytest

from minicosm.training import as_policy, evaluate, load_config, load_env, load_params, sample_levels, shipped

MOST_BYTES = 10_000_000  # of each


@pytest.mark.parametrize("name", ["generalist-s"])
def test_a_policy_comes_with_the_package_and_plays(name):
    assert name in shipped.names()
    assert sum(file.stat().st_size for file in shipped.folder_of(name).iterdir()) < MOST_BYTES
    env, config, params = load_env(name), load_config(name), load_params(name)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
    levels = sample_levels(env, jax.random.key(10_000), 256)
    one = jax.tree.map(lambda leaf: leaf[0], params)
    found = evaluate(env, as_policy(one, config, env, 256), levels, jax.random.key(0))
    assert found.solve_rate > 0.33  # 0.43 of a thousand fresh levels; random actions solve 0.22
