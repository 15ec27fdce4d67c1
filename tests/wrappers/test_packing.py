"""Trees in one buffer and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.wrappers.packing import pack

TREE = {
    "flags": jnp.array([True, False, True]),
    "more": {"flags": jnp.array([False, False, True]), "byte": jnp.array([1, 255, 7], jnp.uint8)},
    "numbers": jnp.array([1.5, -jnp.inf, jnp.nan]),
    "grid": jnp.arange(6, dtype=jnp.int32).reshape(3, 2),
    "half": jnp.array([0.5, 2.0], jnp.bfloat16),
    "small": jnp.array([-3, 4, 5], jnp.int8),
    "one": jnp.float32(9.0),
}


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_tree_survives(as_bytes):
    packed = jax.jit(lambda tree: pack(tree, as_bytes=as_bytes))(TREE)
    assert len(packed.buffers) == (1 if as_bytes else 7)
    fetched = packed.fetch()
    assert jax.tree.structure(fetched) == jax.tree.structure(TREE)
    for got, expected in zip(jax.tree.leaves(fetched), jax.tree.leaves(TREE), strict=True):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    assert all(leaf.flags.writeable for leaf in jax.tree.leaves(fetched) if leaf.ndim)


def test_each_fetch_is_new_memory():
    packed = pack(TREE, as_bytes=True)
    first, second = packed.fetch(), packed.fetch()
    first["numbers"][:] = 0.0
    assert second["numbers"][0] == 1.5 and packed.fetch()["numbers"][0] == 1.5


def test_unpacking_on_the_device_inverts_packing():
    packed = pack(TREE, as_bytes=False)
    unpacked = jax.jit(lambda packed: packed.unpack())(packed)
    for got, expected in zip(jax.tree.leaves(unpacked), jax.tree.leaves(TREE), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_an_empty_tree_is_no_trouble():
    assert pack({}, as_bytes=True).fetch() == {} and pack({}, as_bytes=False).fetch() == {}
