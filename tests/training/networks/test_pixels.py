import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs.spaces import Box, Dict
from minicosm.training.config import NetworkConfig
from minicosm.training.networks import Agent
from minicosm.training.networks.layout import Part, parts_of
from minicosm.training.networks.pixels import patches, picture_layout, planes

CNN = NetworkConfig(kind="cnn", channels=(4, 6, 6), hidden=(8,))


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (8, 4)])
def test_a_product_with_patches_is_a_convolution(size, stride):
    x = jax.random.normal(jax.random.key(0), (2, 21, 17, 3))
    kernel = jax.random.normal(jax.random.key(1), (size, size, 3, 5))
    wanted = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    found = jnp.dot(patches(x, size, stride), kernel.reshape(-1, 5), precision="highest")
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_amounts_are_scaled_and_categories_are_laid_open():
    picture = Part("", Box(0, 255, (1, 2, 1), "uint8"), 0)
    np.testing.assert_allclose(planes(picture, jnp.array([[0, 51]], jnp.uint8))[..., 0], [[[0.0, 0.2]]], atol=1e-6)
    depth = Part("", Box(-2.0, 2.0, (1, 2, 1)), 0)
    np.testing.assert_allclose(planes(depth, jnp.array([[-2.0, 1.0]]))[..., 0], [[[0.0, 0.75]]], atol=1e-6)
    grid = Part("", Box(1, 3, (1, 1, 2), "int32"), 1)
    np.testing.assert_array_equal(planes(grid, jnp.array([9.0, 1.0, 3.0])), [[[1, 0, 0, 0, 0, 1]]])


@pytest.mark.parametrize(("pixels", "left"), [(8, 2), (40, 7), (125, 6)])
def test_pictures_of_all_sizes_are_read_and_kept_as_bytes(pixels, left):
    agent = Agent.of(minicosm.make("physics-s", observation_kind="pixels", pixels=pixels), CNN)
    picture = jax.random.randint(jax.random.key(0), (2, 1, pixels, pixels, 3), 0, 256).astype(jnp.uint8)
    features = agent.features(picture, 2).reshape(2, -1)
    assert features.dtype == jnp.uint8 and features.shape == (2, agent.num_features)
    params = agent.init(jax.random.key(1))
    assert params["params"]["actor_0"]["kernel"].shape == (left * left * 6, 8)
    _, _, values, _ = agent.think(params, features, jnp.zeros((2,), bool), agent.initial_memory(2))
    moved = features.at[0, 0].set(255 - features[0, 0])
    _, _, others, _ = agent.think(params, moved, jnp.zeros((2,), bool), agent.initial_memory(2))
    assert abs(values[0] - others[0]) > 1e-6 and values[1] == others[1]


def test_mazes_views_are_read_with_the_direction_beside():
    env = minicosm.make("maze")
    agent = Agent.of(env, CNN)
    assert agent.config.channels == (4, 6, 6)
    seen = {
        "image": jax.random.randint(jax.random.key(0), (2, 5, 5, 3), 0, 3).astype(jnp.uint8),
        "direction": jnp.array([0, 3]),
    }
    assert {name: seen[name].shape[1:] for name in seen} == {n: s.shape for n, s in env.observation_space.items}
    params, none = agent.init(jax.random.key(1)), jnp.zeros((2,), bool)
    values = agent.think(params, agent.features(seen, 1), none, agent.initial_memory(2))[2]
    turned = agent.features({**seen, "direction": jnp.array([0, 1])}, 1)
    others = agent.think(params, turned, none, agent.initial_memory(2))[2]
    assert values[0] == others[0] and abs(values[1] - others[1]) > 1e-4


def test_parts_lie_as_the_rollout_lays_them():
    space = Dict.of(
        {"b": Box(0.0, 1.0, (2, 2)), "a": Dict.of({"z": Box(0.0, 1.0, (3,)), "y": Box(0, 1, (1,), "int8")})}
    )
    agent = Agent(NetworkConfig(), space, None)
    observation = {"b": jnp.arange(4.0).reshape(1, 2, 2), "a": {"z": jnp.arange(5.0, 8.0)[None], "y": jnp.array([[9]])}}
    features = agent.features(observation, 1)
    read = {part.name: part.read(features) for part in parts_of(space)}
    assert list(read) == ["a.y", "a.z", "b"]
    np.testing.assert_array_equal(read["b"], observation["b"])
    np.testing.assert_array_equal(read["a.z"], observation["a"]["z"])
    np.testing.assert_array_equal(read["a.y"], observation["a"]["y"])


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Box(-1.0, 1.0, (4,)), r"holds 0 arrays of shape \[height, width, channels\]"),
        (Dict.of({"a": Box(0, 1, (2, 2, 1)), "b": Box(0, 1, (2, 2, 1))}), "holds 2 arrays"),
        (Box(0.0, np.inf, (4, 4, 1)), "no finite bounds"),
    ],
)
def test_observations_without_a_picture_are_told(space, said):
    with pytest.raises(ValueError, match=said):
        picture_layout(space)


def test_worlds_without_pictures_are_told():
    with pytest.raises(ValueError, match=r"kind is 'cnn', which expects observations of a picture or grid"):
        Agent.of(minicosm.make("nav", num_beams=8), CNN)
