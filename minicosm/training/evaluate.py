"""How well a policy does: one whole episode on each of a set of levels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.training.config import PPOConfig
from minicosm.training.record import Policy

if TYPE_CHECKING:
    from minicosm.training.networks import Agent

Act = Callable[[jax.Array, Any, Any], tuple[jax.Array, Any]]  # see `Policy`


@struct.dataclass
class Evaluation:
    """Outcome of one episode on each of L levels. Robots that a level leaves out (`active` False) are not counted."""

    success: jax.Array  # bool[L, A]  at the episode's end
    collision: jax.Array  # bool[L, A]  False in worlds that know no collisions
    returns: jax.Array  # f32[L, A]  undiscounted
    length: jax.Array  # i32[L]  ticks
    active: jax.Array  # bool[L, A]

    @property
    def solve_rate(self) -> float:
        """Share of agents that succeeded, all levels together."""
        return self._share(self.success)

    @property
    def collision_rate(self) -> float:
        """Share of agents that collided."""
        return self._share(self.collision)

    @property
    def level_solve_rate(self) -> float:
        """Share of levels on which every agent succeeded."""
        return float(np.mean(np.all(np.asarray(self.success | ~self.active), axis=1)))

    @property
    def mean_return(self) -> float:
        """Mean over agents and levels."""
        return self._share(self.returns)

    @property
    def mean_length(self) -> float:
        """Mean over levels, ticks."""
        return float(np.mean(np.asarray(self.length)))

    def _share(self, values: jax.Array) -> float:
        return float(np.mean(np.asarray(values)[np.asarray(self.active)]))


@dataclasses.dataclass(frozen=True)
class _Actor:
    """The `act` of a trained agent. Equal for equal agents, with the parameters in the carry: compiled only once."""

    agent: Agent
    greedy: bool

    def __call__(self, key: jax.Array, observation: Any, carry: Any) -> tuple[jax.Array, Any]:
        params, memory, first = carry
        num_worlds, num_agents = jax.tree.leaves(observation)[0].shape[:2]
        features = self.agent.features(observation, 2).reshape(num_worlds * num_agents, -1)
        parameters, log_std, _, memory = self.agent.think(params, features, first, memory)
        distribution = self.agent.distribution
        draw = distribution.mode(parameters) if self.greedy else distribution.sample(key, parameters, log_std)
        action = distribution.to_action(draw)
        return action.reshape(num_worlds, num_agents, *action.shape[1:]), (params, memory, jnp.zeros_like(first))


def as_policy(
    params: Any, config: PPOConfig, env: Environment[Any, Any], num_worlds: int, greedy: bool = False
) -> Policy:
    """The trained agent of `params` (of one seed) as something that acts in `num_worlds` worlds of `env`.

    It draws its actions as it did in training, or with `greedy` takes the likeliest. The carry holds the parameters,
    the net's memory and whether the next observation is an episode's first.
    """
    from minicosm.training.networks import Agent  # needs the extra

    agent = Agent.of(env, config.network)
    lanes = num_worlds * env.num_agents
    return Policy(_Actor(agent, greedy), (params, agent.initial_memory(lanes), jnp.ones((lanes,), bool)))


def untrained_policy(config: PPOConfig, env: Environment[Any, Any], num_worlds: int, key: jax.Array) -> Policy:
    """The agent before its first update, to compare with; `random_policy` draws uniformly instead."""
    from minicosm.training.networks import Agent  # needs the extra

    return as_policy(Agent.of(env, config.network).init(key), config, env, num_worlds)


def sample_levels(env: Environment[Any, Any], key: jax.Array, num_levels: int) -> Any:
    """L levels from `env`'s task distribution, stacked."""
    levels: Any = jax.jit(jax.vmap(env.sample_level))(jax.random.split(key, num_levels))
    return levels


def evaluate(env: Environment[Any, Any], policy: Policy, levels: Any, key: jax.Array) -> Evaluation:
    """Play `policy` to the end of one episode on each of `levels`, led by L; `policy` must act in L worlds."""
    result: Evaluation = _play(env, policy.act, levels, key, policy.initial_carry)
    return result


@functools.partial(jax.jit, static_argnums=(0, 1))
def _play(env: Environment[Any, Any], act: Act, levels: Any, key: jax.Array, carry: Any) -> Evaluation:
    num_levels = jax.tree.leaves(levels)[0].shape[0]
    shape = (num_levels, env.num_agents)
    reset_key, key = jax.random.split(key)
    state, observation = jax.vmap(env.reset)(jax.random.split(reset_key, num_levels), levels)
    active = jnp.broadcast_to(getattr(levels, "active", True), shape)
    none = jnp.zeros(shape, bool)
    outcome = Evaluation(none, none, jnp.zeros(shape), jnp.zeros((num_levels,), jnp.int32), active)

    def goes_on(now: Any) -> jax.Array:
        *_, done, ticks = now
        more: jax.Array = (ticks < env.max_episode_steps) & ~jnp.all(done)
        return more

    def tick(now: Any) -> Any:
        state, observation, carry, key, outcome, done, ticks = now
        key, act_key, step_key = jax.random.split(key, 3)
        action, carry = act(act_key, observation, carry)
        state, timestep = jax.vmap(env.step)(jax.random.split(step_key, num_levels), state, action)
        outcome = _include(outcome, timestep, ~done)
        return state, timestep.observation, carry, key, outcome, done | timestep.done, ticks + 1

    first = (state, observation, carry, key, outcome, jnp.zeros((num_levels,), bool), jnp.int32(0))
    last: Any = jax.lax.while_loop(goes_on, tick, first)
    final: Evaluation = last[4]
    return final


def _include(outcome: Evaluation, timestep: TimeStep, playing: jax.Array) -> Evaluation:
    """Add one tick of the levels that are `playing` bool[L]."""
    each = playing[:, None]
    collision = timestep.info.get("collision", outcome.collision)
    return Evaluation(
        success=jnp.where(each, timestep.info["success"], outcome.success),
        collision=jnp.where(each, collision, outcome.collision),
        returns=outcome.returns + jnp.where(each, timestep.reward, 0.0),
        length=outcome.length + playing,
        active=outcome.active,
    )
