"""A tiny stochastic world that compiles in an instant, for testing what the adapters do around a world."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete


@struct.dataclass
class ToyLevel:
    start: jax.Array  # f32[A]


@struct.dataclass
class ToyState:
    place: jax.Array  # f32[A]
    ended: jax.Array  # bool[A]
    time: jax.Array  # i32[]


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    num_agents: int = 1
    max_steps: int = 12
    noise: float = 0.1
    actions: str = "box"
    as_dict: bool = False
    dt: float = 0.05


@dataclasses.dataclass(frozen=True)
class Toy(Environment):
    """Agents walk a noisy line from a random place near 0; past 1 they have arrived."""

    config: ToyConfig = ToyConfig()

    @property
    def agents(self):
        return tuple(f"walker_{a}" for a in range(self.config.num_agents))

    @property
    def max_episode_steps(self):
        return self.config.max_steps

    @property
    def observation_space(self):
        place = Box(-20.0, 20.0, (2,))
        if self.config.as_dict:
            return Dict.of({"place": place, "time": Discrete(1000)})
        return place

    @property
    def action_space(self):
        return {
            "box": Box((-1.0, -2.0), (1.0, 2.0), (2,)),
            "even": Box(-1.0, 1.0, (2,)),
            "discrete": Discrete(5),
            "multi": MultiDiscrete((3, 4)),
        }[self.config.actions]

    def sample_level(self, key):
        return ToyLevel(jax.random.uniform(key, (self.config.num_agents,), minval=-0.5, maxval=0.5))

    def reset(self, key, level):
        state = ToyState(level.start, jnp.zeros(level.start.shape, bool), jnp.zeros((), jnp.int32))
        return state, self._observe(state)

    def step(self, key, state, action):
        pull = action if action.ndim == 1 else action[:, 0]
        noise = self.config.noise * jax.random.normal(key, state.place.shape)
        place = jnp.where(state.ended, state.place, jnp.clip(state.place + 0.3 * pull + noise, -20, 20))
        ended = state.ended | (place > 1.0)
        time = state.time + 1
        moved = ToyState(place, ended, time)
        info = {"success": ended, "place": jnp.stack([place, -place], axis=-1), "clock": time}
        reward = jnp.where(state.ended, 0.0, place - state.place)
        return moved, TimeStep(self._observe(moved), reward, ended, ~ended & (time >= self.config.max_steps), info)

    def _observe(self, state):
        place = jnp.stack([state.place, jnp.full_like(state.place, 0.0) + state.time], axis=-1)
        if self.config.as_dict:
            return {"place": place, "time": jnp.full(state.place.shape, state.time)}
        return place

    def global_observation(self, state):
        return jnp.concatenate([state.place, state.time[None].astype(jnp.float32)])

    def draw(self, state):
        shade = (100 + 40 * state.place[0]).astype(jnp.uint8)
        return jnp.full((6, 8, 3), shade)


@pytest.fixture(scope="session")
def toy():
    """Toy worlds by their settings."""
    return lambda **settings: Toy(ToyConfig(**settings))
