"""Joints: a pin with a torsion spring, a motor and two limits, solved one joint after the other.

Batch-last arrays: B scenes. How the joints hang is worked out for all of them together wherever shapes have moved;
then each in turn has its rows solved, in the order spring, motor, limits, pin (E. Catto, Box2D v3's revolute joint).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.fuse import Fence, total
from minicosm.envs.physics.engine.soft import Softness

X, Y, SPRING, MOTOR, LOWER, UPPER = range(6)  # rows of `State.joint_impulses`
BOUND = 1e3  # so many times what stops the lighter shape: joints that contradict each other stay finite
TURNS = (1.0, 1.0, 1.0, -1.0)  # which way a unit impulse of spring, motor, lower and upper limit turns b


class Pin(NamedTuple):
    """What stays of a joint during a tick; a and b are its two shapes. Fields of all joints lead with J."""

    inverse: jax.Array  # f32[2 (a, b), 3 (x, y, turn), B]  1/kg, 1/kg, 1/(kg m^2); 0 where the joint is absent
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


class Hang(NamedTuple):
    """How a joint hangs now."""

    jacobian: jax.Array  # f32[2 (a, b), 3 (x, y, turn), 3 (x, y, turning), B]: of a unit impulse of a on b
    gap: jax.Array  # f32[2 (x, y), B]  m, from the pin on a to the pin on b
    angle: jax.Array  # f32[B]  rad
    mass: jax.Array  # f32[2, 2, B]  kg: what stops a unit of sliding


def hang(pin: Pin, moved: jax.Array, turned: jax.Array) -> Hang:
    """How one joint hangs, where its shapes have moved f32[2 (a, b), 3, B] and turned f32[2, 2 (cosine, sine), B]."""
    cos, sin = turned[:, 0], turned[:, 1]
    x, y = cos * pin.arm[:, 0] - sin * pin.arm[:, 1], sin * pin.arm[:, 0] + cos * pin.arm[:, 1]
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    jacobian = jnp.stack([jnp.stack(row, 1) for row in ((one, zero, zero), (zero, one, zero), (-y, x, one))], 1)
    gap = pin.between + moved[1, :2] - moved[0, :2] + jnp.stack([x[1] - x[0], y[1] - y[0]])
    inertia = pin.inverse[:, 2]
    straight = pin.inverse[0, 0] + pin.inverse[1, 0]
    k_xx = straight + total(inertia * y * y, 0)
    k_xy = -total(inertia * x * y, 0)
    k_yy = straight + total(inertia * x * x, 0)
    determinant = k_xx * k_yy - k_xy * k_xy
    scale = jnp.where(determinant > 0.0, 1.0 / jnp.where(determinant > 0.0, determinant, 1.0), 0.0)
    mass = scale * jnp.stack([jnp.stack([k_yy, -k_xy]), jnp.stack([-k_xy, k_xx])])
    return Hang(jacobian, gap, pin.angle + moved[1, 2] - moved[0, 2], mass)


def apply(pin: Pin, hang: Hang, impulse: jax.Array, velocity: jax.Array) -> jax.Array:
    """Velocities f32[2 (a, b), 3, B] after a pushes b at the pin with `impulse` f32[3 (x, y, turning), B]."""
    change = pin.inverse * total(hang.jacobian * impulse, 2)
    return velocity + jnp.array([-1.0, 1.0], velocity.dtype)[:, None, None] * change


def as_push(impulse: jax.Array) -> jax.Array:
    """Rows f32[6, B] of impulses as f32[3 (x, y, turning), B] of a on b."""
    turning = impulse[SPRING] + impulse[MOTOR] + impulse[LOWER] - impulse[UPPER]
    return jnp.stack([impulse[X], impulse[Y], turning])


class Stage(NamedTuple):
    """How a pass over the joints is made."""

    bias: Softness  # with which errors of position are driven out; (0, 1, 0) mends velocities alone
    rate: float  # 1/s: sub-steps per second
    pull_speed: float  # m/s, rad/s: greatest at which errors are driven out
    max_speed: float  # m/s: a joint's impulse is bounded by what reverses shapes that fast, some times over
    fence: Fence


def solve(pin: Pin, hang: Hang, impulse: jax.Array, velocity: jax.Array, stage: Stage) -> tuple[jax.Array, jax.Array]:
    """Solve one joint's rows; returns its impulses f32[6, B] and the velocities f32[2 (a, b), 3, B]."""
    rate, mass_scale, impulse_scale = stage.bias
    spin = velocity[1, 2] - velocity[0, 2]
    coupling = pin.inverse[0, 2] + pin.inverse[1, 2]
    s = pin.spring
    spring = (1.0 - s.impulse_scale) * impulse[SPRING] - s.mass_scale * pin.torsion * (spin + s.rate * hang.angle)
    spin += coupling * (spring - impulse[SPRING])
    wanted = impulse[MOTOR] - pin.torsion * (spin - pin.motor_speed)
    motor = jnp.clip(wanted, -pin.motor_impulse, pin.motor_impulse)
    spin += coupling * (motor - impulse[MOTOR])
    limits = []
    for row, sign, room in ((LOWER, 1.0, hang.angle - pin.lower), (UPPER, -1.0, pin.upper - hang.angle)):
        is_open = room > 0.0
        push = jnp.where(is_open, room * stage.rate, mass_scale * jnp.maximum(rate * room, -stage.pull_speed))
        gain = jnp.where(is_open, 1.0, mass_scale)
        keep = jnp.where(is_open, 1.0, 1.0 - impulse_scale)
        wanted = keep * impulse[row] - pin.torsion * (gain * sign * spin + push)
        limits.append(pin.has_limit * jnp.maximum(wanted, 0.0))
        spin += sign * coupling * (limits[-1] - impulse[row])
    angular = stage.fence(jnp.stack([spring, motor, *limits]))
    ways = jnp.array(TURNS, velocity.dtype)[:, None]
    turning = total(ways * (angular - impulse[SPRING:]), 0)
    turned = velocity[:, 2] + jnp.array([-1.0, 1.0], velocity.dtype)[:, None] * pin.inverse[:, 2] * turning
    arms = hang.jacobian[:, 2, :2]  # [2 (a, b), 2 (-y, x), B]
    slide = velocity[1, :2] + turned[1] * arms[1] - velocity[0, :2] - turned[0] * arms[0]
    slide += jnp.clip(rate * hang.gap, -stage.pull_speed, stage.pull_speed)
    wanted = impulse[:2] - mass_scale * total(hang.mass * slide, 1) - impulse_scale * impulse[:2]
    straight = pin.inverse[0, 0] + pin.inverse[1, 0]
    most = BOUND * stage.max_speed / jnp.where(straight > 0.0, straight, 1.0)
    linear = stage.fence(jnp.clip(wanted, -most, most) - impulse[:2])
    velocity = apply(pin, hang, jnp.concatenate([linear, turning[None]]), velocity)
    return jnp.concatenate([impulse[:2] + linear, angular]), velocity
