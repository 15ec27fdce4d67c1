"""The worlds in Gymnasium's and PettingZoo's registries."""

import json
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.vector import AutoresetMode

import minicosm
from minicosm.envs.registry import Entry, entries
from minicosm.registration import register_entry
from minicosm.wrappers import GymnasiumEnv, GymnasiumVectorEnv, PettingZooEnv

NAV = {"num_beams": 8, "height": 7, "width": 7, "max_steps": 20}


@pytest.fixture(autouse=True)
def loud():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # garbage of other tests, collected while one of these runs
        warnings.simplefilter("ignore", pytest.PytestUnraisableExceptionWarning)
        yield


def test_importing_brings_no_jax_and_no_warning():
    code = "import sys, json, minicosm; print(json.dumps([m in sys.modules for m in ('jax', 'torch')]))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == [False, False] and not out.stderr


def test_naming_the_package_in_the_id_suffices():  # Gymnasium 1
    code = "import gymnasium; print(gymnasium.make('minicosm:minicosm/Nav-v0').spec.id)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "minicosm/Nav-v0"


def test_every_entry_is_registered_both_ways():  # Gymnasium 2; PettingZoo
    for entry in entries():
        assert entry.gymnasium_id or entry.pettingzoo_id
        if entry.gymnasium_id:
            spec = gymnasium.spec(entry.gymnasium_id)
            assert spec.entry_point and spec.vector_entry_point and spec.max_episode_steps is None
            assert spec.kwargs == {"name": entry.name}
            assert json.loads(spec.to_json())["id"] == entry.gymnasium_id
        if entry.pettingzoo_id:
            for kind in ("parallel", "aec"):
                assert pettingzoo.spec(kind, entry.pettingzoo_id).kwargs == {"name": entry.name}


def test_a_single_world_by_its_id():
    env = gymnasium.make("minicosm/Nav-v0", **NAV)
    assert isinstance(env.unwrapped, GymnasiumEnv)
    assert env.observation_space.shape == (8 + 6,)  # the settings arrived
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert env.get_wrapper_attr("max_episode_steps") == 20
    for _ in range(20):
        _, _, terminated, truncated, _ = env.step(np.array([-1.0, 0.0]))  # stands still
    assert truncated and not terminated  # by the world itself: no TimeLimit around it
    assert "TimeLimit" not in str(env)


def test_modes_of_rendering_are_known_before_the_world_is_made():
    with pytest.warns(UserWarning, match="HumanRendering wrapper is being applied"):
        env = gymnasium.make("minicosm/Nav-v0", render_mode="human", **NAV)
    assert isinstance(env, gymnasium.wrappers.HumanRendering) and env.unwrapped.render_mode == "rgb_array"
    assert env.unwrapped.metadata["render_fps"] == 10


def test_many_worlds_by_their_id():  # Gymnasium 3
    envs = gymnasium.make_vec("minicosm/Nav-v0", num_envs=3, **NAV)
    assert isinstance(envs, GymnasiumVectorEnv) and envs.autoreset_mode is AutoresetMode.NEXT_STEP
    assert envs.observation_space.shape == (3, 14) and envs.spec.id == "minicosm/Nav-v0"
    envs = gymnasium.make_vec(
        "minicosm/Nav-v0", num_envs=2, autoreset_mode="same_step", output="jax", max_episode_steps=9, num_beams=8
    )
    assert envs.autoreset_mode is AutoresetMode.SAME_STEP and envs.metadata["jax"] and envs.max_episode_steps == 9
    envs = gymnasium.make_vec("minicosm/Nav-v0", num_envs=2, vectorization_mode="sync", **NAV)
    assert isinstance(envs, gymnasium.vector.SyncVectorEnv)
    envs.close()


def test_worlds_by_their_id_play_what_the_classes_play():
    world = minicosm.make("nav", lidar_noise=0.05, **NAV)
    single = gymnasium.make("minicosm/Nav-v0", lidar_noise=0.05, **NAV)
    many = gymnasium.make_vec("minicosm/Nav-v0", num_envs=3, lidar_noise=0.05, **NAV)
    batch, _ = many.reset(seed=4)
    alone, _ = single.reset(seed=6)
    direct, _ = GymnasiumEnv(world).reset(seed=6)
    np.testing.assert_array_equal(alone, direct)
    np.testing.assert_allclose(batch[2], alone, atol=1e-5)
    episodes, fresh = 0, False
    for t in range(60):
        action = np.random.default_rng(t).uniform(-1, 1, (3, 2))
        batch, reward, terminated, truncated, info = many.step(action)
        if fresh:
            (alone, _), fresh = single.reset(), False
            np.testing.assert_allclose(batch[2], alone, atol=1e-5)
            continue
        alone, r, fell, timed, said = single.step(action[2])
        np.testing.assert_allclose(batch[2], alone, atol=1e-4)
        assert reward[2] == pytest.approx(r, abs=1e-4) and terminated[2] == fell and truncated[2] == timed
        assert info["collision"][2] == said["collision"]
        fresh = fell or timed
        episodes += fresh
    assert episodes >= 2


def test_several_agents_by_their_id():
    env = pettingzoo.make("parallel", "minicosm/Nav-v0", max_cycles=6, num_beams=8, num_robots=2)
    assert isinstance(env, PettingZooEnv) and env.possible_agents == ["robot_0", "robot_1"]
    assert env.world.max_episode_steps == 6 and env.metadata["name"] == "nav-multi"
    aec = pettingzoo.make("aec", "minicosm/Nav-v0", num_beams=8)
    assert aec.possible_agents == [f"robot_{a}" for a in range(4)]
    assert pettingzoo.make("parallel", "minicosm/NavSwap-v0").max_num_agents == 8


def test_an_entry_of_ones_own():
    entry = Entry(
        "mine", "minicosm.envs.nav:Nav", "minicosm.envs.nav:NavConfig", {}, "a test", "mine/A-v0", "mine/A-v0"
    )
    register_entry(entry)
    register_entry(entry)  # changes and warns of nothing
    assert gymnasium.spec("mine/A-v0").kwargs == {"name": "mine"} == pettingzoo.spec("parallel", "mine/A-v0").kwargs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: gymnasium.make("minicosm/Nav-v0", num_beam=8),
            "'nav' has no setting 'num_beam'; did you mean 'num_beams'",
        ),
        (lambda: gymnasium.make("minicosm/Nav-v0", num_robots=2), "2 agents and gymnasium.Env addresses one"),
        (lambda: gymnasium.make_vec("minicosm/Nav-v0", num_envs=0), "num_envs is 0; expected"),
        (lambda: gymnasium.make_vec("minicosm/Nav-v0", num_envs=2, num_beams=-1), "NavConfig.num_beams is -1"),
        (lambda: gymnasium.make_vec("minicosm/Nav-v0", num_envs=2, output="list"), "output is 'list'"),
        (lambda: pettingzoo.make("parallel", "minicosm/Nav-v0", num_robots=0), "NavConfig.num_robots is 0"),
        (lambda: pettingzoo.make("parallel", "minicosm/Nav-v0", max_cycles=0), "NavConfig.max_steps is 0"),
    ],
)
def test_bad_settings_are_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_id_is_told_by_each_package():
    with pytest.raises(gymnasium.error.NameNotFound, match="Nav"):
        gymnasium.make("minicosm/Nov-v0")
    with pytest.raises(ValueError, match="no world is named 'nov'; did you mean 'nav'"):
        minicosm.make("nov")
