"""Joints: a pin with a torsion spring, a motor and two limits, solved one joint after the other.

Batch-last arrays: B scenes; one joint at a time, so that no leading axis is needed. Rows in order: spring, motor,
limits, pin (E. Catto, Box2D v3's revolute joint).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.soft import Softness

X, Y, SPRING, MOTOR, LOWER, UPPER = range(6)  # rows of `State.joint_impulses`


class Pin(NamedTuple):
    """What stays of one joint during a tick; a and b are its two shapes."""

    inverse_mass: jax.Array  # f32[2 (a, b), B]  1/kg; 0 where the joint is absent
    inverse_inertia: jax.Array  # f32[2, B]  1/(kg m^2)
    arm: jax.Array  # f32[2 (a, b), 2 (x, y), B]  m, from centroid to pin, at the start of the tick
    between: jax.Array  # f32[2 (x, y), B]  m, from centroid a to centroid b, likewise
    angle: jax.Array  # f32[B]  rad, of b against a beyond the rest angle, likewise
    torsion: jax.Array  # f32[B]  kg m^2: effective inertia about the pin
    spring: Softness  # of f32[B]; all zero without a spring
    has_limit: jax.Array  # f32[B]  1 or 0
    lower: jax.Array  # f32[B]  rad
    upper: jax.Array  # f32[B]  rad
    motor_speed: jax.Array  # f32[B]  rad/s
    motor_impulse: jax.Array  # f32[B]  N m s, most in a sub-step


class Sides(NamedTuple):
    """Velocity of both shapes of a joint, and how they moved since the tick began."""

    velocity: jax.Array  # f32[2 (a, b), 3 (x, y, turn), B]
    moved: jax.Array  # f32[2, 3, B]  m, m, rad
    turned: jax.Array  # f32[2, 2, B]: cosine and sine of the angle turned


def turned_arms(pin: Pin, turned: jax.Array) -> jax.Array:
    """f32[2 (a, b), 2 (x, y), B] m: the arms as they lie now."""
    cos, sin = turned[:, 0], turned[:, 1]
    x, y = pin.arm[:, 0], pin.arm[:, 1]
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=1)


def warm_start(pin: Pin, impulse: jax.Array, sides: Sides) -> jax.Array:
    """The velocities f32[2, 3, B] after last sub-step's `impulse` f32[6, B]."""
    turning = impulse[SPRING] + impulse[MOTOR] + impulse[LOWER] - impulse[UPPER]
    return _push(pin, turned_arms(pin, sides.turned), impulse[:2], turning, sides.velocity)


def solve(
    pin: Pin, impulse: jax.Array, sides: Sides, bias: Softness | None, step: float
) -> tuple[jax.Array, jax.Array]:
    """Solve one joint's rows; returns its impulses f32[6, B] and the velocities f32[2, 3, B].

    `bias` is the softness with which errors of position are driven out; None mends velocities alone.
    """
    rate, mass_scale, impulse_scale = bias or Softness(0.0, 1.0, 0.0)
    inertia_a, inertia_b = pin.inverse_inertia
    angle = pin.angle + sides.moved[1, 2] - sides.moved[0, 2]
    spin = sides.velocity[1, 2] - sides.velocity[0, 2]
    coupling = inertia_a + inertia_b
    new = {}

    s = pin.spring
    new[SPRING] = (1.0 - s.impulse_scale) * impulse[SPRING] - s.mass_scale * pin.torsion * (spin + s.rate * angle)
    spin += coupling * (new[SPRING] - impulse[SPRING])

    wanted = impulse[MOTOR] - pin.torsion * (spin - pin.motor_speed)
    new[MOTOR] = jnp.clip(wanted, -pin.motor_impulse, pin.motor_impulse)
    spin += coupling * (new[MOTOR] - impulse[MOTOR])

    for row, sign, room in ((LOWER, 1.0, angle - pin.lower), (UPPER, -1.0, pin.upper - angle)):
        is_open = room > 0.0
        push = jnp.where(is_open, room * (1.0 / step), mass_scale * rate * room)
        gain = jnp.where(is_open, 1.0, mass_scale)
        keep = jnp.where(is_open, 1.0, 1.0 - impulse_scale)
        wanted = keep * impulse[row] - pin.torsion * (gain * sign * spin + push)
        new[row] = pin.has_limit * jnp.maximum(wanted, 0.0)
        spin += sign * coupling * (new[row] - impulse[row])

    turning = sum(sign * (new[row] - impulse[row]) for row, sign in ((SPRING, 1), (MOTOR, 1), (LOWER, 1), (UPPER, -1)))
    arms = turned_arms(pin, sides.turned)
    zero = jnp.zeros_like(impulse[:2])
    velocity = _push(pin, arms, zero, turning, sides.velocity)

    (ax, ay), (bx, by) = arms
    gap = pin.between + sides.moved[1, :2] - sides.moved[0, :2] + arms[1] - arms[0]
    slide_x = velocity[1, 0] - velocity[1, 2] * by - velocity[0, 0] + velocity[0, 2] * ay + rate * gap[0]
    slide_y = velocity[1, 1] + velocity[1, 2] * bx - velocity[0, 1] - velocity[0, 2] * ax + rate * gap[1]
    mass = pin.inverse_mass[0] + pin.inverse_mass[1]
    k_xx = mass + inertia_a * ay * ay + inertia_b * by * by
    k_xy = -inertia_a * ax * ay - inertia_b * bx * by
    k_yy = mass + inertia_a * ax * ax + inertia_b * bx * bx
    determinant = k_xx * k_yy - k_xy * k_xy
    inverse = jnp.where(determinant > 0.0, mass_scale / jnp.where(determinant > 0.0, determinant, 1.0), 0.0)
    delta_x = -inverse * (k_yy * slide_x - k_xy * slide_y) - impulse_scale * impulse[X]
    delta_y = -inverse * (k_xx * slide_y - k_xy * slide_x) - impulse_scale * impulse[Y]
    velocity = _push(pin, arms, jnp.stack([delta_x, delta_y]), jnp.zeros_like(spin), velocity)
    new[X], new[Y] = impulse[X] + delta_x, impulse[Y] + delta_y
    return jnp.stack([new[row] for row in range(6)]), velocity


def _push(pin: Pin, arms: jax.Array, impulse: jax.Array, turning: jax.Array, velocity: jax.Array) -> jax.Array:
    """Velocities f32[2, 3, B] after a pushes b at the pin with `impulse` f32[2, B] N s and `turning` f32[B] N m s."""
    x, y = impulse
    twist = arms[:, 0] * y - arms[:, 1] * x + turning  # [2, B]
    change = jnp.stack([pin.inverse_mass * x, pin.inverse_mass * y, pin.inverse_inertia * twist], axis=1)
    sign = jnp.array([-1.0, 1.0], velocity.dtype)[:, None, None]
    return velocity + sign * change
