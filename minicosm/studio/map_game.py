"""Trained robots at work on maps, one of them driven by a person if that person likes.

Frames are in cells, x to the right and y up, the map's lower left corner at the origin, whatever the world's units are.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.envs.maze import Maze
from minicosm.envs.nav import Nav
from minicosm.studio.game import Playable
from minicosm.studio.maps import MapFile, read, to_level

ON_THE_WAY, ARRIVED, COLLIDED, ABSENT = range(4)  # how a robot fares
_QUARTER = math.pi / 2
_Now = tuple[jax.Array, Any, Any, Any]  # key, state, observation, the policy's memory


class MapGame:
    """A run's robots on maps. A person may take the wheel of one of them."""

    def __init__(self, programs: MapPrograms) -> None:
        self._programs = programs
        self.ready, self.num_signals, self.dt = programs.ready, 2, programs.dt
        self.held, self.driven = [0.0, 0.0], -1

    def open(self, level: dict[str, Any]) -> Playable:
        """The robots at their starts."""
        file = read(level)
        return MapEpisode(self._programs, file, to_level(file, self._programs.env), self)

    def hold(self, signals: list[float]) -> None:
        """How fast and which way the robot that a person drives shall go: ahead, and to the left, -1 to 1."""
        if len(signals) != 2:
            raise ValueError(f"signals has {len(signals)} numbers; expected 2, ahead and to the left")
        self.held = signals

    def drive(self, robot: int | None) -> None:
        """Raises ValueError for a robot that the run does not have."""
        if robot is not None and robot >= self._programs.env.num_agents:
            raise ValueError(f"robot is {robot}; the run has 0 to {self._programs.env.num_agents - 1}")
        self.driven = -1 if robot is None else robot


class MapPrograms:
    """What is compiled for a run: the start of an episode, and a step in which its policy acts."""

    def __init__(self, env: Environment[Any, Any], policy: Any) -> None:
        assert isinstance(env, Nav | Maze)
        self.env, self.policy, self.ready = env, policy, threading.Event()
        self.dt = env.config.dt if isinstance(env, Nav) else 0.2

        def begin(key: jax.Array, level: Any) -> tuple[Any, Any, jax.Array]:
            state, seen = env.reset(key, level)
            return state, seen, _packed(state, env)

        def step(now: _Now, held: jax.Array, driven: jax.Array) -> tuple[_Now, jax.Array, jax.Array]:
            key, state, seen, carry = now
            act_key, step_key, key = jax.random.split(key, 3)
            action, carry = policy.act(act_key, jax.tree.map(lambda x: x[None], seen), carry)
            state, timestep = env.step(step_key, state, _with_driver(action[0], held, driven, env))
            ended = timestep.terminated | timestep.truncated
            return (key, state, timestep.observation, carry), _packed(state, env), jnp.all(ended)

        self.begin, self.step = jax.jit(begin), jax.jit(step)

    def warm(self) -> None:
        """Compile."""
        key = jax.random.key(0)
        state, seen, _ = self.begin(key, jax.jit(self.env.sample_level)(key))
        self.step((key, state, seen, self.policy.initial_carry), jnp.zeros(2), jnp.int32(-1))
        self.ready.set()


def _with_driver(action: jax.Array, held: jax.Array, driven: jax.Array, env: Nav | Maze) -> jax.Array:
    """The robots' actions, that of robot `driven` replaced by what a person holds."""
    ahead, left = held
    if isinstance(env, Maze):
        own: Any = jnp.where(
            left > 0, 0, jnp.where(left < 0, 1, jnp.where(ahead > 0, 2, 6 if env.config.full_actions else 1))
        )
        idle = (left == 0) & (ahead <= 0)
        own = jnp.where(idle & (not env.config.full_actions), action[jnp.maximum(driven, 0)], own)
    elif env.config.action_kind == "discrete":
        own = 5 * jnp.round(2 * jnp.maximum(ahead, 0)).astype(jnp.int32) + jnp.round(2 * left).astype(jnp.int32) + 2
    else:
        own = jnp.stack([2 * jnp.maximum(ahead, 0) - 1, left])
    is_driven = jnp.arange(env.num_agents) == driven
    return jnp.where(is_driven.reshape(-1, *[1] * (action.ndim - 1)), own, action)


def _packed(state: Any, env: Nav | Maze) -> jax.Array:
    """f32[5 A (+ A R)]: x, y (cells), heading, how it fares, arrivals of each robot; then lidar ranges (cells)."""
    if isinstance(env, Maze):
        x, y = state.position[:, 0] + 0.5, env.config.height - state.position[:, 1] - 0.5
        fares = jnp.where(state.success, ARRIVED, ON_THE_WAY)
        parts = [x, y, -_QUARTER * state.direction, fares, state.success]
        return jnp.concatenate([part.astype(jnp.float32) for part in parts])
    size, robots = env.config.cell_size, state.robots
    fares = jnp.where(state.collided, COLLIDED, jnp.where(state.success & state.ended, ARRIVED, ON_THE_WAY))
    fares = jnp.where(state.level.active, fares, ABSENT)
    x, y = (robots.position / size).T
    parts = [x, y, robots.heading, fares, state.goals_reached, env.ranges(state).ravel() / size]
    return jnp.concatenate([part.astype(jnp.float32) for part in parts])


class MapEpisode:
    """An episode on a map."""

    frame_skip = 1

    def __init__(self, programs: MapPrograms, file: MapFile, level: Any, game: MapGame) -> None:
        self._programs, self.file, self.level, self._game = programs, file, level, game
        self.actions: list[Any] = []
        self.ended_at: int | None = None
        self.restart()

    def restart(self) -> None:
        """Back to the starts; the policy remembers nothing."""
        key = jax.random.key(1)
        state, seen, packed = self._programs.begin(key, self.level)
        self._now: _Now = (key, state, seen, self._programs.policy.initial_carry)
        self._packed = np.asarray(packed)
        self.ticks, self.ended_at = 0, None

    def tick(self) -> bool:
        """One step of the world."""
        held, driven = jnp.array(self._game.held, jnp.float32), jnp.int32(self._game.driven)
        self._now, packed, ended = self._programs.step(self._now, held, driven)
        self._packed = np.asarray(packed)
        self.ticks += 1
        if self.ended_at is None and bool(ended):
            self.ended_at = self.ticks
            return True
        return False

    def seek(self, step: int) -> None:
        """Maps are not taken back. Raises ValueError for any step but the first."""
        if step != 0:
            raise ValueError(f"step is {step}; maps go back to the start alone, step 0")
        self.restart()

    def frame(self) -> bytes:
        """Little-endian f32: tick, 0, then as `_packed`."""
        return np.concatenate([[self.ticks, 0], self._packed]).astype("<f4").tobytes()

    def scene(self) -> dict[str, Any]:
        """The map, and what the robots are like."""
        env = self._programs.env
        about = self.file.model_dump() | {"num_robots": env.num_agents, "num_beams": 0}
        if isinstance(env, Nav):
            config, size = env.config, env.config.cell_size
            about |= {
                "num_beams": config.num_beams,
                "radius": config.radius / size,
                "goal_radius": config.goal_radius / size,
            }
            about |= {"range": config.lidar_range / size}
        return about

    def result(self) -> dict[str, Any]:
        """How many robots arrived, and how many collided."""
        fares = self._packed[3 * self._programs.env.num_agents :][: self._programs.env.num_agents]
        arrived, collided = int((fares == ARRIVED).sum()), int((fares == COLLIDED).sum())
        count = len(self.file.robots)
        outcome = "won" if arrived == count else "lost"
        return {"outcome": outcome, "arrived": arrived, "collided": collided, "robots": count}
