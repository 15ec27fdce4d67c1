"""Playing: T ticks in B worlds with the current policy, and what learning needs to know of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.environment import TimeStep
from minicosm.training.networks import Agent
from minicosm.training.spread import ALONE, Spread
from minicosm.wrappers import EpisodeStats

_COUNTED = ("success", "collision")  # info keys whose share over ended episodes is reported where there are any


@struct.dataclass
class Play:
    """The worlds between two updates, and the agents in them. N lanes = B worlds x A agents, agents within worlds."""

    worlds: Any  # the state of EpisodeStats(AutoReset(env))
    features: jax.Array  # f32[N, F]  of the observation to act on next
    reset: jax.Array  # bool[N]  that observation is an episode's first
    ended: jax.Array  # bool[N]  the agent's own episode is over, and its world goes on
    memory: jax.Array  # f32[N, M]
    key: jax.Array


@struct.dataclass
class Samples:
    """What T ticks in N lanes leave to learn from."""

    features: Any  # f32[T, N, F]
    reset: Any  # bool[T, N]
    draw: Any  # of the action, see ActionDistribution; [T, N, ...]
    log_prob: Any  # f32[T, N]
    value: jax.Array  # f32[T, N]
    reward: jax.Array  # f32[T, N]
    last: jax.Array  # bool[T, N]  the agent's episode ended in this tick
    bootstrap: jax.Array  # f32[T, N]  value of where it was cut short by the time limit, otherwise 0
    valid: jax.Array  # bool[T, N]  the agent took part: its episode had not ended before
    success: jax.Array  # bool[T, N]  the agent has done its task, as of this tick


def start(worlds: EpisodeStats, agent: Agent, key: jax.Array, levels: Any = None, spread: Spread = ALONE) -> Play:
    """Seed the worlds and put the agents in them; `levels`, led by B, are for worlds that take them."""
    reset_key, key = jax.random.split(key)
    state, observation = worlds.reset(spread.world_keys(reset_key, worlds.num_envs), levels)
    lanes = worlds.num_envs * worlds.env.num_agents
    return Play(
        worlds=state,
        features=_lanes(agent.features(observation, 2)),
        reset=jnp.ones((lanes,), bool),
        ended=jnp.zeros((lanes,), bool),
        memory=agent.initial_memory(lanes),
        key=key,
    )


def play(
    worlds: EpisodeStats, agent: Agent, params: Any, state: Play, num_steps: int
) -> tuple[Play, Samples, dict[str, jax.Array]]:
    """Play `num_steps` ticks. Returns the worlds after them, the samples, and sums over the episodes that ended."""

    def tick(state: Play, _: None) -> tuple[Play, tuple[Samples, dict[str, jax.Array]]]:
        state, samples, timestep = _tick(worlds, agent, params, state)
        return state, (samples, episode_sums(timestep))

    state, (samples, sums) = jax.lax.scan(tick, state, None, length=num_steps)
    return state, samples, jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)


def try_out(worlds: EpisodeStats, agent: Agent, params: Any, state: Play, num_steps: int) -> tuple[Samples, jax.Array]:
    """Play `num_steps` ticks to see what happens, not to learn.

    Returns the samples, without what only learning needs (features, resets, draws and their probabilities are None),
    and the value f32[N] after the last tick.
    """

    def tick(state: Play, _: None) -> tuple[Play, Samples]:
        state, samples, _timestep = _tick(worlds, agent, params, state)
        return state, dataclasses.replace(samples, features=None, reset=None, draw=None, log_prob=None)

    state, samples = jax.lax.scan(tick, state, None, length=num_steps)
    _, _, next_value, _ = agent.think(params, state.features, state.reset, state.memory)
    return samples, next_value


def _tick(worlds: EpisodeStats, agent: Agent, params: Any, state: Play) -> tuple[Play, Samples, TimeStep]:
    by_world = (worlds.num_envs, worlds.env.num_agents)
    key, draw_key = jax.random.split(state.key)
    parameters, log_std, value, memory = agent.think(params, state.features, state.reset, state.memory)
    draw = agent.distribution.sample(draw_key, parameters, log_std)
    action = agent.distribution.to_action(draw)
    world_state, timestep = worlds.step(state.worlds, action.reshape(*by_world, *action.shape[1:]))

    restart = jnp.repeat(timestep.done, by_world[1])
    terminated, truncated = timestep.terminated.reshape(-1), timestep.truncated.reshape(-1)
    last = terminated | truncated | restart
    valid = ~state.ended
    samples = Samples(
        features=state.features,
        reset=state.reset,
        draw=draw,
        log_prob=agent.distribution.log_prob(parameters, log_std, draw),
        value=value,
        reward=timestep.reward.reshape(-1),
        last=last,
        bootstrap=_value_at_the_limit(agent, params, timestep, memory, valid & truncated & ~terminated),
        valid=valid,
        success=timestep.info["success"].reshape(-1),
    )
    after = Play(
        worlds=world_state,
        features=_lanes(agent.features(timestep.observation, 2)),
        reset=restart,
        ended=(state.ended | last) & ~restart,
        memory=memory,
        key=key,
    )
    return after, samples, timestep


def episode_sums(timestep: TimeStep) -> dict[str, jax.Array]:
    """Sums f32[] over the episodes that ended in this tick, with their number as "episodes"; agents averaged."""
    done, info = timestep.done, timestep.info
    sums = {
        "episodes": jnp.sum(done, dtype=jnp.float32),
        "return": jnp.sum(jnp.mean(info["episode_return"], axis=1) * done),
        "length": jnp.sum(info["episode_length"] * done, dtype=jnp.float32),
    }
    for name in _COUNTED:
        if name in info:
            sums[name] = jnp.sum(jnp.mean(info[name], axis=1, dtype=jnp.float32) * done)
    return sums


def _value_at_the_limit(
    agent: Agent, params: Any, timestep: TimeStep, memory: jax.Array, cut_short: jax.Array
) -> jax.Array:
    """f32[N]: value of the last observation where the time limit cut an episode short, elsewhere 0.

    Such ticks are rare, so the net is asked only when there is one.
    """

    def ask(observation: Any) -> jax.Array:
        features = _lanes(agent.features(observation, 2))
        _, _, value, _ = agent.think(params, features, jnp.zeros(cut_short.shape, bool), memory)
        return jnp.where(cut_short, value, 0.0)

    def nothing(observation: Any) -> jax.Array:
        return jnp.zeros(cut_short.shape)

    value: jax.Array = jax.lax.cond(jnp.any(cut_short), ask, nothing, timestep.info["final_observation"])
    return value


def _lanes(x: jax.Array) -> jax.Array:
    """Worlds and agents, the two leading axes, as one."""
    return x.reshape(-1, *x.shape[2:])
