"""Differential-drive robots: kinematics under acceleration limits."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.nav.config import NavConfig


@struct.dataclass
class Robots:
    """Kinematic state of A robots."""

    position: jax.Array  # f32[A, 2]  m, world frame
    heading: jax.Array  # f32[A]  rad in [-pi, pi), anticlockwise from +x
    speed: jax.Array  # f32[A]  m/s, along heading
    turn_rate: jax.Array  # f32[A]  rad/s


def drive(robots: Robots, command: jax.Array, config: NavConfig) -> Robots:
    """Advance by `config.dt`. `command` is f32[A, 2]: the speed (m/s) and turn rate (rad/s) asked for.

    Speed and turn rate approach the command as fast as the acceleration limits allow; the pose follows the
    arc at the new rates, with the chord taken along the mid-way heading (relative error (turn_rate dt)^2 / 24).
    """
    dt = config.dt
    max_change, max_turn_change = config.max_acceleration * dt, config.max_turn_acceleration * dt
    speed = robots.speed + jnp.clip(command[:, 0] - robots.speed, -max_change, max_change)
    turn_rate = robots.turn_rate + jnp.clip(command[:, 1] - robots.turn_rate, -max_turn_change, max_turn_change)
    middle = robots.heading + 0.5 * dt * turn_rate
    direction = jnp.stack([jnp.cos(middle), jnp.sin(middle)], axis=-1)
    position = robots.position + direction * (speed * dt)[:, None]
    return Robots(position, wrap_angle(robots.heading + dt * turn_rate), speed, turn_rate)


def wrap_angle(angle: jax.Array) -> jax.Array:
    """The same angle in [-pi, pi)."""
    return angle - 2 * jnp.pi * jnp.floor((angle + jnp.pi) / (2 * jnp.pi))


def hulls_touch(position: jax.Array, present: jax.Array, radius: float) -> jax.Array:
    """bool[A]: the disc at `position` f32[A, 2] overlaps the disc of another robot that is `present` bool[A]."""
    num_robots = position.shape[0]
    if num_robots == 1:
        return jnp.zeros((1,), bool)
    x, y = position[:, 0], position[:, 1]
    squared = (x[:, None] - x[None, :]) ** 2 + (y[:, None] - y[None, :]) ** 2
    other = ~jnp.eye(num_robots, dtype=bool) & present[None, :]
    return jnp.any((squared < (2 * radius) ** 2) & other, axis=1) & present
