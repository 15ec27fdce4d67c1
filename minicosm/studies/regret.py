"""Regret: how much of the best return of a level a policy leaves; exact where the best is known, as in mazes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs import maze, physics
from minicosm.envs.environment import Environment, Observation
from minicosm.envs.maze import solve
from minicosm.envs.maze.level import STEPS
from minicosm.envs.physics.best_known import best_known
from minicosm.envs.physics.plan import PlanConfig
from minicosm.training.evaluate import evaluate
from minicosm.training.record import Policy


def regret(  # noqa: PLR0913  (all but the level and the policy are settings)
    level: maze.Level | physics.Level,
    policy: Policy,
    env: Environment[Any, Any] | None = None,
    *,
    num_episodes: int = 1,
    key: jax.Array | None = None,
    search: PlanConfig | None = None,
) -> jax.Array:
    """Best return of `level` minus the mean return of `policy` on it; f32[A], or f32[L, A] of L levels.

    `level` is one level of `maze` or `physics`, or levels led by L; `env` None is a `Maze` or `Physics` of their size
    and number of agents (one in `physics`) with the other settings at their defaults. Each level is played
    `num_episodes` times, all at once, so a policy with a carry must act in L x `num_episodes` worlds; one episode is
    enough for a policy that draws nothing at random. `key` None is `jax.random.key(0)`. Returns are undiscounted sums
    of rewards.

    Of a maze the best return is the optimum, and the regret exact. It looks through no agent's eyes: it is that of one
    who knows the maze, and with several agents has it to itself.

    Of a physics level it is the best return known: of the library's replay, where it is a level of the library, else
    of what `plan` finds with `search`, or of an episode of `policy` itself where that earned more. By the default
    rewards a return is +1 for success, -1 for failure and 0 when time runs out, and winning late costs nothing: so
    where a way to win is known, the best return is the optimum, 1, and the regret twice the share of failures plus that
    of episodes that time ended. Where none is, this is a lower bound on the regret. Rewards are those of `env`, shaping
    included; all agents share them.

    Raises ValueError for a level that does not fit `env`, `num_episodes` below 1, and a physics level of which no best
    return is known (see `best_known`) or a `search` for mazes.
    """
    if isinstance(num_episodes, bool) or not isinstance(num_episodes, int) or num_episodes < 1:
        raise ValueError(f"num_episodes is {num_episodes!r}; expected a whole number, at least 1")
    key = jax.random.key(0) if key is None else key
    if not isinstance(level, maze.Level | physics.Level):
        raise ValueError(f"level is a {type(level).__name__}; best returns are known of levels of maze and physics")
    is_one = (level.walls.ndim == 2) if isinstance(level, maze.Level) else (level.role.ndim == 1)
    levels: Any = jax.tree.map(lambda x: jnp.asarray(x)[None] if is_one else jnp.asarray(x), level)
    if isinstance(level, maze.Level):
        if search is not None:
            raise ValueError(f"search is {search!r}, but the optimum of a maze is known: leave it out")
        env = _maze_of(levels, env)
        best: jax.Array = jax.jit(jax.vmap(env.optimal_return))(levels)
    else:
        world = _physics_of(levels, env)
        env, best = world, best_known(levels, world.config, search)[:, None]
    repeated = jax.tree.map(lambda x: jnp.repeat(x, num_episodes, axis=0), levels)
    returns = evaluate(env, policy, repeated, key).returns.reshape(-1, num_episodes, env.num_agents)
    if isinstance(level, physics.Level):
        best = jnp.maximum(best, jnp.max(returns, axis=1))
    difference = best - jnp.mean(returns, axis=1)
    return difference[0] if is_one else difference


def _maze_of(levels: maze.Level, env: Environment[Any, Any] | None) -> maze.Maze:
    """`env`, or one made for `levels`. Raises ValueError where they do not fit."""
    height, width = levels.walls.shape[-2:]
    num_agents = levels.start.shape[-2]
    env = env or maze.Maze(maze.MazeConfig(num_agents=num_agents, height=height, width=width))
    if not isinstance(env, maze.Maze):
        raise ValueError(f"the level is a maze, but the env a {type(env).__name__}; give a Maze, or leave it out")
    config = env.config
    if (config.height, config.width, config.num_agents) != (height, width, num_agents):
        raise ValueError(
            f"the level has {width} x {height} cells and {num_agents} agents, but the env {config.width} x"
            f" {config.height} and {config.num_agents}; make the env with the level's sizes, or leave it out"
        )
    return env


def _physics_of(levels: physics.Level, env: Environment[Any, Any] | None) -> physics.Physics:
    """`env`, or one made for `levels`. Raises ValueError where they do not fit."""
    env = env or physics.Physics(physics.PhysicsConfig(size=levels.size))
    if not isinstance(env, physics.Physics):
        raise ValueError(
            f"the level is of physics, but the env a {type(env).__name__}; give a Physics, or leave it out"
        )
    if env.config.slots != levels.size:
        raise ValueError(
            f"the level has {levels.size}, but the env {env.config.slots}; make the env with the level's size, or put"
            " the level into the env's with minicosm.envs.physics.fit"
        )
    return env


def oracle_policy(levels: maze.Level, num_episodes: int = 1) -> Policy:
    """Knows each of `levels`, led by L, and takes the shortest way; for L x `num_episodes` worlds, as `regret` plays.

    It keeps its place in its carry, as dead reckoning from the start, and never looks at the observation; so with
    several agents one that is held up by another loses its way.
    """

    def plan(level: maze.Level) -> jax.Array:
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
