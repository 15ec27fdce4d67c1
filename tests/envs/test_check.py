"""check_env passes every registered world and catches each kind of broken one."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from minicosm.envs import registry, struct
from minicosm.envs.check import ContractError, check_env
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box, Discrete

SMALL = {"num_beams": 12, "max_steps": 30}
# physics is one world under many names, compiled anew for each size and form: a few forms stand for all
PHYSICS = {
    "physics-s": {},
    "physics-m-2agents": {"observation_kind": "entities", "action_kind": "multi_discrete"},
    "cart_pole": {"observation_kind": "pixels", "pixels": 12, "action_kind": "discrete"},
}
OTHERS = [entry.name for entry in registry.entries() if "physics" not in entry.env]


@pytest.mark.parametrize("name", PHYSICS)
def test_worlds_of_physics_keep_the_contract_in_every_form(name):
    check_env(registry.make(name, max_steps=12, **PHYSICS[name]))


@pytest.mark.parametrize("name", OTHERS)
def test_every_registered_world_keeps_the_contract(name):
    fields = {field.name for field in dataclasses.fields(registry.make(name).config)}
    check_env(registry.make(name, **{setting: value for setting, value in SMALL.items() if setting in fields}))


@struct.dataclass
class WalkState:
    position: jax.Array  # f32[]
    time: jax.Array  # i32[]


@dataclasses.dataclass(frozen=True)
class Walk(Environment[jax.Array, WalkState]):
    """Step left or right on a line until 1 is reached; `fault` breaks one clause of the contract."""

    fault: str = ""

    @property
    def agents(self):
        return {"name": ("Walker",), "repeat": ("a_0", "a_0")}.get(self.fault, ("walker_0",))

    @property
    def max_episode_steps(self):
        return 12

    @property
    def observation_space(self):
        return Box(-2.0, 0.5 if self.fault == "bounds" else 2.0, (1,))

    @property
    def action_space(self):
        return Discrete(2)

    def sample_level(self, key):
        return jax.random.uniform(key, (), minval=-1.0, maxval=0.5)

    def reset(self, key, level):
        return WalkState(level, jnp.zeros((), jnp.int32)), level[None, None]

    def step(self, key, state, action):
        move = jnp.where(action[0] == 1, 0.1, -0.1)
        position = jnp.clip(state.position + move, -2.0, 2.0)
        time = state.time + 1
        ended = jnp.atleast_1d(position >= 1.0)
        limit = {"early": 5, "late": 100}.get(self.fault, 12)
        truncated = ~ended & (time >= limit)
        if self.fault == "merged":
            ended, truncated = ended | truncated, ended | truncated
        if self.fault == "unlatched":
            ended = jnp.atleast_1d(time == 3)
            truncated = ~ended & (time >= limit)
        reward = ended.astype(jnp.float32)
        if self.fault == "nan":
            reward = reward + jnp.where(time > 3, jnp.nan, 0.0)
        if self.fault == "reward":
            reward = reward[0]
        if self.fault == "dtype":
            time = time.astype(jnp.float32)
        if self.fault == "weak":
            position = jnp.where(action[0] >= 0, 0.1, 0.2) * 1.0
        if self.fault == "observation":
            return WalkState(position, time), TimeStep(position[None], reward, ended, truncated, {"success": ended})
        info = {} if self.fault == "info" else {"success": ended}
        return WalkState(position, time), TimeStep(position[None, None], reward, ended, truncated, info)


def test_a_sound_world_passes():
    check_env(Walk())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("name", "not named"),
        ("repeat", "repeat a name"),
        ("bounds", "outside its bounds"),
        ("early", "before the time limit"),
        ("late", "neither terminated nor truncated"),
        ("merged", "terminated and truncated at once"),
        ("unlatched", "back to False"),
        ("nan", "reward is not finite"),
        ("reward", "reward is float32"),
        ("dtype", "time is float32"),
        ("weak", "weak type"),
        ("observation", "step's observation"),
        ("info", "no 'success'"),
    ],
)
def test_each_fault_is_caught(fault, message):
    with pytest.raises(ContractError, match=message):
        check_env(Walk(fault))


def test_impure_worlds_are_caught():
    class Impure(Walk):
        def step(self, key, state, action):
            Impure.calls += 1
            state, timestep = super().step(key, state, action)
            return dataclasses.replace(state, position=state.position + 0.01 * Impure.calls), timestep

    Impure.calls = 0
    with pytest.raises(ContractError, match="differs from one world alone|traced|different values"):
        check_env(Impure())


def test_unhashable_worlds_are_caught():
    class Unhashable(Walk):
        __hash__ = None

    with pytest.raises(ContractError, match="not hashable"):
        check_env(Unhashable())
