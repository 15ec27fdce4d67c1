"""The 2D universe: green must touch blue and never red; motors and thrusters are the controls."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from typing_extensions import override

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.envs.physics import control, distributions, engine, observe
from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.engine.build import start
from minicosm.envs.physics.level import BLUE, GREEN, RED, Level, role_pairs
from minicosm.envs.physics.mutate import mutate
from minicosm.envs.spaces import Space


@struct.dataclass
class State:
    """What changes each step, and the level."""

    level: Level
    bodies: engine.State
    signals: jax.Array  # f32[motor and thruster bindings]  of the last action, see `control`
    goal_pairs: jax.Array  # bool[K]  green and blue; found once, at the start
    danger_pairs: jax.Array  # bool[K]  green and red
    distance: jax.Array  # f32[]  m, least from a green to a blue centroid; 0 where there is none
    success: jax.Array  # bool[]  green touched blue first
    failure: jax.Array  # bool[]  green touched red first, or at once
    time: jax.Array  # i32[]  steps


@dataclasses.dataclass(frozen=True)
class Physics(Environment[Level, State]):
    """One world of rigid bodies. All agents share the reward; `control` tells of actions, `observe` of what they see.

    An episode ends in success in the tick in which a green shape first presses on a blue one, and in failure in the
    tick in which one presses on a red one; both in one tick are a failure. The rules are those of Kinetix (M. Matthews
    et al., ICLR 2025).
    """

    config: PhysicsConfig = PhysicsConfig()

    def __post_init__(self) -> None:
        distributions.mixture(self.config)  # says what is wrong with the name of a task distribution

    @property
    @override
    def agents(self) -> tuple[str, ...]:
        return tuple(f"agent_{i}" for i in range(self.config.num_agents))

    @property
    @override
    def max_episode_steps(self) -> int:
        return self.config.max_steps

    @property
    @override
    def observation_space(self) -> Space:
        return observe.space(self.config)

    @property
    @override
    def action_space(self) -> Space:
        return control.action_space(self.config)

    @override
    def sample_level(self, key: jax.Array) -> Level:
        return distributions.sample(key, self.config)

    @override
    def mutate_level(self, key: jax.Array, level: Level, num_edits: int) -> Level:
        return mutate(key, level, self.config, num_edits)

    @override
    def reset(self, key: jax.Array, level: Level) -> tuple[State, Observation]:
        none = jnp.zeros((), bool)
        bodies = start(level.scene, level.position, level.rotation, level.velocity, level.angular_velocity)
        state = State(
            level=level,
            bodies=bodies,
            signals=jnp.zeros(self.config.num_motor_bindings + self.config.num_thruster_bindings),
            goal_pairs=role_pairs(level, GREEN, BLUE),
            danger_pairs=role_pairs(level, GREEN, RED),
            distance=_distance(level, bodies),
            success=none,
            failure=none,
            time=jnp.zeros((), jnp.int32),
        )
        return state, observe.observe(state, self.config)

    @override
    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, TimeStep]:
        config, before = self.config, state
        had_ended = state.success | state.failure
        signals = jnp.where(had_ended, 0.0, control.signals(action, config))
        drive = control.controls(state.level, signals, config)
        bodies, touch = engine.ticks(state.level.scene, state.bodies, drive, config.frame_skip, config.engine)
        never = config.frame_skip
        meets_red, meets_blue = (  # in which tick
            jnp.min(jnp.where(pairs, touch, never), initial=never) for pairs in (state.danger_pairs, state.goal_pairs)
        )
        success = state.success | (~had_ended & (meets_blue < meets_red))
        failure = state.failure | (~had_ended & (meets_red < never) & (meets_red <= meets_blue))
        state = dataclasses.replace(
            state,
            bodies=bodies,
            signals=signals,
            distance=_distance(state.level, bodies),
            success=success,
            failure=failure,
            time=state.time + 1,
        )
        ended = success | failure
        agents = (config.num_agents,)
        return state, TimeStep(
            observation=observe.observe(state, config),
            reward=jnp.broadcast_to(self._reward(before, state), agents),
            terminated=jnp.broadcast_to(ended, agents),
            truncated=jnp.broadcast_to(~ended & (state.time >= config.max_steps), agents),
            info={
                "success": jnp.broadcast_to(success, agents),
                "failure": jnp.broadcast_to(failure, agents),
                "distance": jnp.broadcast_to(state.distance, agents),
            },
        )

    @override
    def global_observation(self, state: State) -> jax.Array:
        """f32[...]: the flat observation of a single agent that owns every binding."""
        flat = dataclasses.replace(self.config, observation_kind="flat", num_agents=1)
        seen = observe.observe(state, flat)
        assert isinstance(seen, jax.Array)
        return seen[0]

    @override
    def draw(self, state: State) -> jax.Array:
        """u8[height, width, 3]: a picture of the state, made on the device."""
        from minicosm.envs.physics import draw  # the picture is not part of the world

        style = draw.DrawStyle(num_motor_bindings=self.config.num_motor_bindings)
        return draw.draw(state.level, state.bodies, state.signals, style)

    def _reward(self, before: State, after: State) -> jax.Array:
        """f32[]: what this step brought."""
        weights = self.config.reward
        goes_on = ~(before.success | before.failure)
        reward = weights.success * (after.success & ~before.success) + weights.failure * (
            after.failure & ~before.failure
        )
        if weights.shaping:
            reward += weights.shaping * goes_on * (before.distance - after.distance)
        return jnp.asarray(reward, jnp.float32)


def _distance(level: Level, bodies: engine.State) -> jax.Array:
    """f32[]: m, the least from a green centroid to a blue one; 0 where one of the two is missing."""
    x, y = bodies.position.T
    squared = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    is_pair = (level.role == GREEN)[:, None] & (level.role == BLUE)
    least = jnp.min(jnp.where(is_pair, squared, jnp.inf))
    return jnp.where(jnp.isfinite(least), jnp.sqrt(jnp.where(jnp.isfinite(least), least, 1.0)), 0.0)
