"""The navigation world: robots with lidar cross an unknown map to their own goals."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from typing_extensions import override

from minicosm.envs import struct
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.nav import geodesic, lidar, occupancy
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.generate import generate
from minicosm.envs.nav.level import Level
from minicosm.envs.nav.mutate import mutate
from minicosm.envs.nav.robots import Robots, drive, hulls_touch
from minicosm.envs.spaces import Box, Discrete, Space

if TYPE_CHECKING:
    from minicosm.envs.nav.draw import DrawStyle

_TURNS = 5  # discrete actions: 3 speeds x 5 turn rates
_MAX_GOAL_RANGES = 2.0  # the observed goal distance saturates at this many lidar ranges


@struct.dataclass
class State:
    """What changes from step to step, and the level it happens on."""

    level: Level
    packed: occupancy.PackedMap  # of level.walls
    robots: Robots
    goals_reached: jax.Array  # i32[A]  also the index, modulo G, of the goal being sought
    success: jax.Array  # bool[A]  has reached a goal
    collided: jax.Array  # bool[A]
    ended: jax.Array  # bool[A]  arrived or collided, or never there
    time: jax.Array  # i32[]  steps since the reset
    shortest_time: jax.Array | None  # f32[A]  s, see geodesic; None unless config.report_optimal


@dataclasses.dataclass(frozen=True)
class Nav(Environment[Level, State]):
    """Circular differential-drive robots with a 360-degree lidar, each bound for its own goal.

    Observation of one robot, f32[R + 6], each element within its range:

    | index | meaning | range |
    |---|---|---|
    | 0 … R − 1 | lidar range / lidar_range − ½, beam 0 straight ahead, then anticlockwise | −½ … ½ |
    | R | speed / max_speed | 0 … 1 |
    | R + 1 | turn rate / max_turn_rate | −1 … 1 |
    | R + 2 | straight distance to the goal / (2 lidar_range), saturating | 0 … 1 |
    | R + 3, R + 4 | cosine and sine of the goal's bearing relative to the heading | −1 … 1 |
    | R + 5 | share of the team's mean in the robot's reward | 0 … 1 |

    Action: continuous f32[2] in [−1, 1], the speed wanted, scaled to [0, max_speed], and the turn rate wanted,
    scaled to ±max_turn_rate; or discrete, 5 i + j for speed i/2 of the maximum and turn rate (j − 2)/2 of it.

    `info`: `success`, `collision` bool[A], `deliveries` i32[A] (goals reached), and with `report_optimal`
    `shortest_time` f32[A] (s) and `optimality_gap` f32[A], time taken so far / shortest time − 1.
    """

    config: NavConfig = NavConfig()

    @functools.cached_property
    @override
    def agents(self) -> tuple[str, ...]:
        return tuple(f"robot_{a}" for a in range(self.config.num_robots))

    @property
    @override
    def max_episode_steps(self) -> int:
        return self.config.max_steps

    @functools.cached_property
    @override
    def observation_space(self) -> Space:
        beams = self.config.num_beams
        low = (-0.5,) * beams + (0.0, -1.0, 0.0, -1.0, -1.0, 0.0)
        high = (0.5,) * beams + (1.0,) * 6
        return Box(low, high, (beams + 6,))

    @functools.cached_property
    @override
    def action_space(self) -> Space:
        return Discrete(3 * _TURNS) if self.config.action_kind == "discrete" else Box(-1.0, 1.0, (2,))

    @override
    def sample_level(self, key: jax.Array) -> Level:
        return generate(key, self.config)

    @override
    def mutate_level(self, key: jax.Array, level: Level, num_edits: int) -> Level:
        return mutate(key, level, self.config, num_edits)

    @override
    def reset(self, key: jax.Array, level: Level) -> tuple[State, jax.Array]:
        config = self.config
        level = jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), level)  # no weak types in the state
        still = jnp.zeros(level.start_heading.shape)
        none = jnp.zeros(level.active.shape, bool)
        state = State(
            level=level,
            packed=occupancy.pack(level.walls, config.window),
            robots=Robots(level.start, level.start_heading, still, still),
            goals_reached=jnp.zeros(level.active.shape, jnp.int32),
            success=none,
            collided=none,
            ended=~level.active,
            time=jnp.zeros((), jnp.int32),
            shortest_time=geodesic.shortest_time(level, config) if config.report_optimal else None,
        )
        return state, self._observe(key, state)[0]

    @override
    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, TimeStep]:
        config = self.config
        moving = ~state.ended
        before = state.robots
        robots = _where(moving, drive(before, self._command(action), config), before)
        state = dataclasses.replace(state, robots=robots, time=state.time + 1)
        window = self._window(state)

        hull = config.radius / config.cell_size
        walls_hit = lidar.walls_touch(window, robots.position / config.cell_size, hull)
        collided = moving & (walls_hit | hulls_touch(robots.position, self._present(state), config.radius))
        goal = self._goal(state)
        distance = _norm(goal - robots.position)
        arrived = moving & ~collided & (distance < config.goal_radius)
        progress = _norm(goal - before.position) - distance
        ended = state.ended | collided | (arrived & (not config.lifelong))
        # an ended robot stands still
        stopped = jnp.where(ended, 0.0, 1.0)
        robots = dataclasses.replace(robots, speed=robots.speed * stopped, turn_rate=robots.turn_rate * stopped)
        state = dataclasses.replace(
            state,
            robots=robots,
            goals_reached=state.goals_reached + arrived,
            success=state.success | arrived,
            collided=state.collided | collided,
            ended=ended,
        )

        observation, shortest = self._observe(key, state)
        weights = config.reward
        near = shortest < config.radius + weights.proximity_margin
        own = (
            weights.goal * arrived
            + weights.collision * collided
            + weights.progress * progress
            + weights.time
            + weights.proximity * near
        ) * moving
        active = state.level.active
        team = jnp.sum(own) / jnp.maximum(jnp.sum(active), 1)
        sharing = state.level.sharing
        reward = ((1 - sharing) * own + sharing * team) * active
        info = {"success": state.success, "collision": state.collided, "deliveries": state.goals_reached}
        if state.shortest_time is not None:
            taken = state.time * config.dt
            info |= {"shortest_time": state.shortest_time, "optimality_gap": taken / state.shortest_time - 1.0}
        return state, TimeStep(
            observation=observation,
            reward=reward,
            terminated=ended,
            truncated=~ended & (state.time >= config.max_steps),
            info=info,
        )

    @override
    def global_observation(self, state: State) -> jax.Array:
        """f32[H W + 10 A]: the walls, then per robot its position and goal (share of the map), heading (cos, sin),
        speed and turn rate (share of the maximum), whether it has ended, and its sharing."""
        config, robots = self.config, state.robots
        extent = jnp.array([config.width, config.height]) * config.cell_size
        per_robot = jnp.concatenate(
            [
                robots.position / extent,
                self._goal(state) / extent,
                jnp.stack(
                    [
                        jnp.cos(robots.heading),
                        jnp.sin(robots.heading),
                        robots.speed / config.max_speed,
                        robots.turn_rate / config.max_turn_rate,
                        state.ended,
                        state.level.sharing,
                    ],
                    axis=-1,
                ),
            ],
            axis=-1,
        )
        return jnp.concatenate([state.level.walls.ravel().astype(jnp.float32), per_robot.ravel()])

    @override
    def draw(self, state: State, style: DrawStyle | None = None) -> jax.Array:
        """u8[height, width, 3]: a picture of the state, made on the device; `style` None is the default `DrawStyle`."""
        from minicosm.envs.nav import draw  # the picture is not part of the world

        return draw.draw(state, self.config, style or draw.DrawStyle())

    def ranges(self, state: State) -> jax.Array:
        """f32[A, R]: what each robot's lidar measures now, without noise, m."""
        return lidar.scan(state.packed, state.robots, self._present(state), self.config)

    def _command(self, action: jax.Array) -> jax.Array:
        """f32[A, 2]: speed and turn rate asked for."""
        config = self.config
        if config.action_kind == "discrete":
            fraction = jnp.stack([action // _TURNS / 2, (action % _TURNS - 2) / 2], axis=-1)
        else:
            clipped = jnp.clip(action, -1.0, 1.0)
            fraction = jnp.stack([(clipped[:, 0] + 1) / 2, clipped[:, 1]], axis=-1)
        return fraction * jnp.array([config.max_speed, config.max_turn_rate])

    def _goal(self, state: State) -> jax.Array:
        """f32[A, 2]: the goal each robot seeks."""
        goals = state.level.goals
        if goals.shape[1] == 1:
            return goals[:, 0]
        index = state.goals_reached % goals.shape[1]
        if not self.config.lifelong:
            index = jnp.zeros_like(index)
        return jnp.take_along_axis(goals, index[:, None, None], axis=1)[:, 0]

    def _present(self, state: State) -> jax.Array:
        """bool[A]: robots that stand in the way of others."""
        return state.level.active & ~state.ended if self.config.robots_vanish else state.level.active

    def _window(self, state: State) -> occupancy.Window:
        cell = jnp.floor(state.robots.position / self.config.cell_size).astype(jnp.int32)
        return occupancy.window(state.packed, cell, self.config.window)

    def _observe(self, key: jax.Array, state: State) -> tuple[jax.Array, jax.Array]:
        """The observation, and the shortest true range of each robot, f32[A] in m."""
        config, robots = self.config, state.robots
        to_goal = self._goal(state) - robots.position
        distance = _norm(to_goal)
        cos, sin = jnp.cos(robots.heading), jnp.sin(robots.heading)
        towards = to_goal / jnp.maximum(distance, 1e-6)[:, None]
        rest = jnp.stack(
            [
                robots.speed / config.max_speed,
                robots.turn_rate / config.max_turn_rate,
                jnp.minimum(distance / (_MAX_GOAL_RANGES * config.lidar_range), 1.0),
                jnp.clip(towards[:, 0] * cos + towards[:, 1] * sin, -1.0, 1.0),
                jnp.clip(towards[:, 1] * cos - towards[:, 0] * sin, -1.0, 1.0),
                state.level.sharing,
            ],
            axis=-1,
        )
        if config.lidar_noise == 0:
            return lidar.observe(state.packed, robots, self._present(state), rest, config)
        ranges = self.ranges(state)
        noisy = ranges + config.lidar_noise * jax.random.normal(key, ranges.shape)
        noisy = jnp.clip(noisy, 0.0, config.lidar_range)
        return jnp.concatenate([noisy / config.lidar_range - 0.5, rest], axis=-1), jnp.min(ranges, axis=-1)


def _norm(vectors: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(vectors**2, axis=-1))


def _where(mask: jax.Array, new: Robots, old: Robots) -> Robots:
    """Per robot, `new` where `mask` bool[A]."""
    chosen: Robots = jax.tree.map(lambda n, o: jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, o), new, old)
    return chosen
