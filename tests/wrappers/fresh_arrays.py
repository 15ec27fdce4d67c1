"""What NumPy output must be."""

import jax
import numpy as np


def assert_fresh_and_writable(*trees):
    for array in jax.tree.leaves(trees):
        assert isinstance(array, np.ndarray) and array.flags.writeable
