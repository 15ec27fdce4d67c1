"""One world of several agents as pettingzoo.ParallelEnv and AECEnv."""

import importlib
import os
import re
import warnings

import numpy as np
import pytest
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from minicosm.wrappers import PettingZooEnv, to_pettingzoo

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # PettingZoo's checkers import worlds by its own old names
    from pettingzoo.test import api_test, max_cycles_test, parallel_api_test, parallel_seed_test, render_test
    from pettingzoo.test.state_test import state_test

NAV = {"num_beams": 8, "height": 7, "width": 7, "num_robots": 3}
A = 3


@pytest.fixture(scope="module")
def env(toy):
    return PettingZooEnv(toy(num_agents=A), render_mode="rgb_array")


@pytest.fixture(scope="module")
def make_nav():
    """The factory that the ids are registered with, small, and without warnings."""

    def make(**settings):
        return to_pettingzoo.parallel_env(**{**NAV, **settings})

    return make


@pytest.fixture
def loud():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def random_actions(env):
    return {agent: env.action_space(agent).sample() for agent in env.agents}


def play(env, seed, episodes=3):
    """All that `episodes` whole episodes of random actions hand out."""
    for i, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(100 * seed + i)
    history = []
    for episode in range(episodes):
        history.append(env.reset(seed=seed if episode == 0 else None))
        while env.agents:
            history.append(env.step(random_actions(env)))
    return history


def test_pettingzoos_own_checkers_are_silent(make_nav, loud):
    parallel_api_test(make_nav(max_cycles=30), num_cycles=60)
    api_test(parallel_to_aec(make_nav(max_cycles=30)), num_cycles=60)
    parallel_seed_test(lambda: make_nav(max_cycles=30), num_cycles=5)


@pytest.mark.parametrize("settings", [{}, {"actions": "discrete"}, {"actions": "multi"}, {"as_dict": True}])
def test_every_kind_of_space_passes_the_checker(toy, loud, settings):
    parallel_api_test(PettingZooEnv(toy(num_agents=A, **settings)), num_cycles=40)


def test_max_cycles(make_nav, loud):
    class Module:  # the checker takes a module with both factories
        parallel_env = staticmethod(make_nav)
        env = staticmethod(lambda **settings: to_pettingzoo.env(**{**NAV, **settings}))

    max_cycles_test(Module)


def test_rendering(toy, loud, monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setitem(os.environ, "SDL_VIDEODRIVER", "dummy")
    render_test(
        lambda render_mode: parallel_to_aec(PettingZooEnv(toy(num_agents=A, dt=0.001), render_mode=render_mode))
    )


def test_the_window_shows_the_picture(toy, monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setitem(os.environ, "SDL_VIDEODRIVER", "dummy")
    env = PettingZooEnv(toy(num_agents=A, dt=0.001), render_mode="human")
    env.reset(seed=0)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    twin = PettingZooEnv(toy(num_agents=A, dt=0.001), render_mode="rgb_array")
    twin.reset(seed=0)
    np.testing.assert_array_equal(shown, twin.render())
    assert env.render() is None
    env.close()
    env.close()
    assert not pygame.display.get_init()


def test_the_state_is_in_its_space(toy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Environment's (minimum|maximum) state space value")  # unbounded
        make = lambda: PettingZooEnv(toy(num_agents=A))
        state_test(parallel_to_aec(make()), make())
    env = make()
    env.reset(seed=0)
    assert env.state_space is env.state_space and env.state().shape == env.state_space.shape == (A + 1,)
    before = env.state()
    env.step(random_actions(env))
    assert env.state()[-1] == 1.0 and before[-1] == 0.0


def test_a_world_without_a_global_observation_has_no_state_space(toy, monkeypatch):
    def refuse(self, state):
        raise ValueError("Toy has no global observation: use the agents' own observations")

    monkeypatch.setattr(type(toy()), "global_observation", refuse)
    env = PettingZooEnv(toy(num_agents=A, max_steps=9))
    with pytest.raises(AttributeError, match="no state space: Toy has no global observation"):
        _ = env.state_space
    parallel_to_aec(env).reset(seed=0)  # the conversion asks for it


def test_names_spaces_and_types(env):
    assert isinstance(env, ParallelEnv)
    assert env.possible_agents == [f"walker_{a}" for a in range(A)]
    assert all(re.fullmatch(r"[a-z]+_[0-9]+", agent) for agent in env.possible_agents)
    for agent in env.possible_agents:
        assert env.observation_space(agent) is env.observation_space(agent)
        assert env.action_space(agent) is env.action_space(agent)
    observations, infos = env.reset(seed=0)
    assert set(observations) == set(infos) == set(env.agents) == set(env.possible_agents)
    observations, rewards, terminations, truncations, infos = env.step(random_actions(env))
    for agent in env.possible_agents:
        assert observations[agent] in env.observation_space(agent) and observations[agent].flags.writeable
        assert type(rewards[agent]) is float
        assert type(terminations[agent]) is type(truncations[agent]) is bool
        assert type(infos[agent]["success"]) is bool and type(infos[agent]["clock"]) is int
        assert infos[agent]["place"].shape == (2,)


def test_a_dying_agent_gets_one_last_entry(env):
    lives = set()
    for seed in range(4):
        env.reset(seed=seed)
        alive = list(env.agents)
        while env.agents:
            handed = env.step({agent: np.array([1.0, 0.0]) for agent in env.agents})
            assert all(list(entries) == alive for entries in handed)
            _, _, terminations, truncations, infos = handed
            ended = [agent for agent in alive if terminations[agent] or truncations[agent]]
            assert not any(terminations[agent] and truncations[agent] for agent in alive)
            assert all(infos[agent]["success"] == terminations[agent] for agent in alive)
            alive = [agent for agent in alive if agent not in ended]
            assert env.agents == alive
            lives.add(len(alive))
        assert env.step({}) == ({}, {}, {}, {}, {})
    assert lives == {0, 1, 2, 3}  # they did leave one by one


def test_whole_episodes_repeat_with_their_seed(env):
    first, again, other = play(env, 5), play(env, 5), play(env, 6)
    assert len(first) == len(again)
    for a, b in zip(first, again, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_equal(x, y)
    assert not np.array_equal(first[0][0]["walker_0"], other[0][0]["walker_0"])
    assert [step[1]["walker_0"]["level_index"] for step in first if len(step) == 2] == [0, 1, 2]


def test_actions_of_agents_that_left_are_ignored(env):
    env.reset(seed=1)
    while len(env.agents) == A:
        env.step({agent: np.array([1.0, 0.0]) for agent in env.agents})
    observations, *_ = env.step({agent: np.array([1.0, 0.0]) for agent in env.possible_agents})
    assert 0 < len(observations) < A


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda env: env.step({}),
            ValueError,
            "actions lacks walker_0, walker_1, walker_2; expected an action for each",
        ),
        (lambda env: env.step(np.zeros((3, 2))), TypeError, "actions is a ndarray; expected a dict"),
        (lambda env: env.step({**random_actions(env), "robot_9": 1}), ValueError, "'robot_9', which is no agent"),
        (
            lambda env: env.step({**random_actions(env), "walker_1": np.full(2, np.nan)}),
            ValueError,
            "the action of walker_1 is nan at index",
        ),
        (lambda env: env.reset(seed=-1), ValueError, "seed is -1"),
        (lambda env: env.reset(seed=1.0), TypeError, "seed is 1.0"),
    ],
)
def test_bad_input_is_one_clear_sentence(env, act, error, message):
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        act(env)


def test_bad_construction_is_one_clear_sentence(toy, monkeypatch):
    with pytest.raises(ValueError, match="render_mode is 'ascii'; expected None or 'rgb_array' or 'human'"):
        PettingZooEnv(toy(), render_mode="ascii")
    for early in (lambda env: env.step({}), lambda env: env.state()):
        with pytest.raises(ValueError, match="came before reset; call reset first"):
            early(PettingZooEnv(toy()))
    window = importlib.import_module("minicosm.wrappers.window")
    monkeypatch.setattr(window.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'needs pygame: pip install "minicosm\[window\]"'):
        PettingZooEnv(toy(), render_mode="human").reset(seed=0)
