"""The 2D universe through Gymnasium and PettingZoo, by the names under which it is registered."""

import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test

import minicosm
from minicosm.envs.physics import library
from minicosm.envs.registry import entries

SHORT = {"max_steps": 12}


def test_every_library_level_is_a_world_of_its_own():
    single = {entry.name: entry for entry in entries() if entry.is_single_level}
    assert tuple(sorted(single)) == tuple(sorted(library.names()))
    assert single["cart_pole"].gymnasium_id == "minicosm/CartPole-v0"
    for name in ("LunarLander", "Walker", "PendulumSwingUp"):
        assert gymnasium.spec(f"minicosm/{name}-v0")
    env = minicosm.make("lunar_lander")
    assert env.config.levels == "lunar_lander" and env.config.size == library.size_of("lunar_lander") == "m"


def test_a_level_passes_gymnasiums_check():
    env = gymnasium.make("minicosm/LunarLander-v0", action_kind="multi_discrete", **SHORT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(rendering|render_mode|unwrapped).*")
        check_env(env.unwrapped, skip_render_check=True)


def test_many_worlds_of_different_levels_step_side_by_side():
    envs = gymnasium.make_vec("minicosm/Library-M-v0", num_envs=6, observation_kind="entities", **SHORT)
    observation, _ = envs.reset(seed=3)
    assert observation in envs.observation_space
    assert len({observation["shapes"][i].tobytes() for i in range(6)}) > 1
    ended = np.zeros(6, bool)
    for _ in range(13):
        observation, reward, terminated, truncated, info = envs.step(envs.action_space.sample())
        assert observation in envs.observation_space and set(np.unique(reward)) <= {-1.0, 0.0, 1.0}
        ended |= terminated | truncated
    assert ended.all() and {"success", "failure", "distance"} <= set(info)


def test_agents_share_a_level_through_pettingzoo():
    env = pettingzoo.make("parallel", "minicosm/Library-L-2agents-v0", **SHORT)
    parallel_api_test(env, num_cycles=20)
    env.reset(seed=0)
    _, rewards, _, _, _ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert list(rewards) == ["agent_0", "agent_1"] and len(set(rewards.values())) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"levels": "lift_of"}, "PhysicsConfig.levels is 'lift_of'; did you mean 'lift_off'"),
        ({"sise": "m"}, "no setting 'sise'; did you mean 'size'"),
        ({"size": "xl"}, "size is 'xl'; expected"),
    ],
)
def test_mistakes_are_told_when_the_world_is_made(settings, says):
    with pytest.raises(ValueError, match=says):
        gymnasium.make("minicosm/Physics-S-v0", **settings)


def test_a_level_too_large_for_the_size_is_told():
    with pytest.raises(ValueError, match="library level 'walker': .* do not fit this size"):
        gymnasium.make("minicosm/Walker-v0", size="s").reset()
