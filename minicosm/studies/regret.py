"""True regret: how much of a maze's best return a policy leaves, the best being known exactly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs.environment import Observation
from minicosm.envs.maze import Level, Maze, MazeConfig, solve
from minicosm.envs.maze.level import STEPS
from minicosm.training.evaluate import evaluate
from minicosm.training.record import Policy


def regret(
    level: Level, policy: Policy, env: Maze | None = None, *, num_episodes: int = 1, key: jax.Array | None = None
) -> jax.Array:
    """Exact optimal return of `level` minus the mean return of `policy` on it; f32[A], or f32[L, A] of L levels.

    `level` is one level, or levels led by L; `env` None is a `Maze` of their size and number of agents with the other
    settings at their defaults. Each level is played `num_episodes` times, all at once, so a policy with a carry must
    act in L x `num_episodes` worlds; one episode is enough for a policy that draws nothing at random. The optimum
    looks through no agent's eyes: it is that of one who knows the maze, and with several agents has it to itself.
    `key` None is `jax.random.key(0)`.

    Raises ValueError for a level that does not fit `env`, or `num_episodes` below 1.
    """
    if isinstance(num_episodes, bool) or not isinstance(num_episodes, int) or num_episodes < 1:
        raise ValueError(f"num_episodes is {num_episodes!r}; expected a whole number, at least 1")
    is_one = level.walls.ndim == 2
    levels = jax.tree.map(lambda x: jnp.asarray(x)[None] if is_one else jnp.asarray(x), level)
    height, width = levels.walls.shape[-2:]
    num_agents = levels.start.shape[-2]
    env = env or Maze(MazeConfig(num_agents=num_agents, height=height, width=width))
    config = env.config
    if (config.height, config.width, config.num_agents) != (height, width, num_agents):
        raise ValueError(
            f"the level has {width} x {height} cells and {num_agents} agents, but the env {config.width} x"
            f" {config.height} and {config.num_agents}; make the env with the level's sizes, or leave it out"
        )
    key = jax.random.key(0) if key is None else key
    best: jax.Array = jax.jit(jax.vmap(lambda one: solve.solve(one, config).optimal_return))(levels)
    repeated = jax.tree.map(lambda x: jnp.repeat(x, num_episodes, axis=0), levels)
    returns = evaluate(env, policy, repeated, key).returns.reshape(-1, num_episodes, num_agents)
    difference = best - jnp.mean(returns, axis=1)
    return difference[0] if is_one else difference


def oracle_policy(levels: Level, num_episodes: int = 1) -> Policy:
    """Knows each of `levels`, led by L, and takes the shortest way; for L x `num_episodes` worlds, as `regret` plays.

    It keeps its place in its carry, as dead reckoning from the start, and never looks at the observation; so with
    several agents one that is held up by another loses its way.
    """

    def plan(level: Level) -> jax.Array:
        return jax.vmap(lambda goal: solve.optimal_actions(solve.distance_field(level.walls, goal)))(level.goal)

    repeated = jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x), num_episodes, axis=0), levels)
    actions = jnp.repeat(jax.jit(jax.vmap(plan))(levels), num_episodes, axis=0)
    return Policy(_follow, (actions, repeated.start, repeated.direction))


def _follow(key: jax.Array, observation: Observation, carry: Any) -> tuple[jax.Array, Any]:
    """The `act` of the oracle: actions i32[B, A, 4, H, W], position i32[B, A, 2] and direction i32[B, A] carried."""
    actions, position, direction = carry
    height, width = actions.shape[-2:]
    world, agent = jnp.arange(position.shape[0])[:, None], jnp.arange(position.shape[1])[None]
    action = actions[world, agent, direction, position[..., 1], position[..., 0]]
    turn = jnp.where(action == solve.RIGHT, 1, 0) - jnp.where(action == solve.LEFT, 1, 0)
    step = jnp.asarray(STEPS)[direction] * (action == solve.FORWARD)[..., None]
    position = jnp.clip(position + step, 0, jnp.array([width, height]) - 1)
    return action, (actions, position, (direction + turn) % 4)
