"""One world as dm_env.Environment."""

import dm_env
import jax
import numpy as np
import pytest
from absl.testing import absltest
from dm_env import specs, test_utils

import minicosm
from minicosm.wrappers import DmEnv, GymnasiumEnv


class NavTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    """dm_env's own checks, over ends of episodes."""

    def make_object_under_test(self):
        return DmEnv(minicosm.make("nav", num_beams=8, height=7, width=7, max_steps=20), seed=0)

    def make_action_sequence(self):
        generator = np.random.default_rng(0)
        for _ in range(50):
            yield generator.uniform(-1, 1, 2).astype(np.float32)


class DictTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    @pytest.fixture(autouse=True)
    def _world(self, toy):
        self.world = toy(as_dict=True, actions="discrete")

    def make_object_under_test(self):
        return DmEnv(self.world, seed=0)


def test_step_types_discounts_and_rewards(toy):
    env = DmEnv(toy(), seed=0)
    kinds = set()
    step = env.step(None)  # on a new environment: the same as reset
    assert step.first()
    for t in range(200):
        action = np.array([t // 50 % 2, 0.0])
        step = env.step(action)
        assert isinstance(step.step_type, dm_env.StepType)
        if step.first():
            assert step.reward is None and step.discount is None and step.observation[1] == 0
        else:
            assert type(step.reward) is float and type(step.discount) is float
            kinds.add((step.step_type, step.discount, step.observation[1] >= 12))
        if step.last():
            assert env.step(None).first()  # ignores its action
    assert (dm_env.StepType.LAST, 0.0, False) in kinds  # arrived
    assert (dm_env.StepType.LAST, 1.0, True) in kinds  # out of time: bootstrap
    assert {(kind, discount) for kind, discount, _ in kinds if kind is dm_env.StepType.MID} == {
        (dm_env.StepType.MID, 1.0)
    }


def test_specs(toy):
    env = DmEnv(toy())
    assert env.observation_spec() == specs.BoundedArray((2,), np.float32, -20, 20, "observation")
    action = env.action_spec()
    assert action.shape == (2,) and action.minimum.tolist() == [-1, -2] and action.maximum.tolist() == [1, 2]
    assert env.reward_spec().dtype == np.float64
    assert DmEnv(toy(actions="discrete")).action_spec() == specs.DiscreteArray(5, name="action")
    multi = DmEnv(toy(actions="multi")).action_spec()
    assert multi.maximum.tolist() == [2, 3] and multi.dtype == np.int32
    assert set(DmEnv(toy(as_dict=True)).observation_spec()) == {"place", "time"}


def test_episodes_are_those_of_the_other_adapters(toy):
    env, other = DmEnv(toy(), seed=9), GymnasiumEnv(toy())
    step, (observation, _) = env.reset(), other.reset(seed=9)
    for t in range(40):
        np.testing.assert_array_equal(step.observation, observation)
        if step.last():
            step, (observation, _) = env.step(None), other.reset()
            continue
        action = np.array([np.sin(t), 0.0])
        step, (observation, reward, terminated, truncated, _) = env.step(action), other.step(action)
        assert step.reward == reward and step.last() == (terminated or truncated)
        assert not step.last() or step.discount == (0.0 if terminated else 1.0)


def test_without_a_seed_each_environment_is_its_own(toy):
    assert len({DmEnv(toy()).reset().observation.tobytes() for _ in range(3)}) == 3


def test_bad_input_is_one_clear_sentence(toy):
    with pytest.raises(ValueError, match="2 agents and dm_env.Environment addresses one"):
        DmEnv(toy(num_agents=2))
    with pytest.raises(TypeError, match="seed is 'a'"):
        DmEnv(toy(), seed="a")
    env = DmEnv(toy(), seed=0)
    env.reset()
    with pytest.raises(ValueError, match=r"action has shape \(3,\)"):
        env.step(np.zeros(3))
    with pytest.raises(TypeError, match="action has dtype object"):
        env.step(None)


def test_it_works_outside_of_any_trace(toy):
    env = DmEnv(toy(), seed=0)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(env.reset().observation))
