import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete

SPACES = [
    Box(-1.0, 1.0, (3,)),
    Box((0.0, -2.0), (1.0, 5.0), (2,)),
    Box(-np.inf, np.inf, (2, 2)),
    Box(0, 255, (2, 2), "uint8"),
    Discrete(5),
    MultiDiscrete((2, 3, 4)),
    Dict.of({"a": Discrete(2), "b": Box(0.0, 1.0, (2,))}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_samples_lie_in_the_space(space):
    for key in jax.random.split(jax.random.key(0), 20):
        assert space.contains(jax.tree.map(np.asarray, space.sample(key)))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_are_hashable_values(space):
    assert hash(space) == hash(eval(repr(space).replace("inf", "np.inf")))
    assert space == eval(repr(space).replace("inf", "np.inf"))


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (Box(-1.0, 1.0, (2,)), np.array([0.0, 1.5])),
        (Box(-1.0, 1.0, (2,)), np.array([0.0])),
        (Box(-1.0, 1.0, (1,)), np.array([np.nan])),
        (Box(0, 255, (1,), "uint8"), np.array([0.5])),
        (Discrete(3), 3),
        (Discrete(3), 1.0),
        (Discrete(3), np.array([1])),
        (MultiDiscrete((2, 2)), np.array([0, 2])),
        (Dict.of({"a": Discrete(2)}), {"b": 1}),
        (Dict.of({"a": Discrete(2)}), {"a": 2}),
    ],
    ids=str,
)
def test_values_outside_are_not_contained(space, value):
    assert not space.contains(value)


def test_every_integer_of_a_discrete_space_is_drawn():
    drawn = jax.vmap(Discrete(4).sample)(jax.random.split(jax.random.key(0), 200))
    assert set(np.asarray(drawn).tolist()) == {0, 1, 2, 3}
    drawn = jax.vmap(Box(0, 3, (), "int32").sample)(jax.random.split(jax.random.key(0), 200))
    assert set(np.asarray(drawn).tolist()) == {0, 1, 2, 3}


def test_box_samples_fill_their_bounds():
    drawn = np.asarray(jax.vmap(SPACES[1].sample)(jax.random.split(jax.random.key(0), 500)))
    np.testing.assert_allclose(drawn.min(axis=0), [0, -2], atol=0.1)
    np.testing.assert_allclose(drawn.max(axis=0), [1, 5], atol=0.1)


def test_bounds_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="low has shape"):
        Box((0.0, 0.0, 0.0), 1.0, (2,))
    with pytest.raises(ValueError, match="low <= high"):
        Box(1.0, 0.0, (2,))


def test_sampling_works_under_jit():
    assert jax.jit(SPACES[0].sample)(jax.random.key(0)).dtype == jnp.float32
