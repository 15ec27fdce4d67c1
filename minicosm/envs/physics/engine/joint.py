"""Joints: a pin with a torsion spring, a motor and two limits, solved one joint after the other.

Batch-last arrays: B scenes. How the joints hang is worked out for all of them together wherever shapes have moved;
then each in turn has its rows solved, in the order spring, motor, limits, pin (E. Catto, Box2D v3's revolute joint).

Sides (0 a, 1 b), axes and rows are numbered in tuples rather than along an axis, as in `contact`, and for the same
reason.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.contact import Planar
from minicosm.envs.physics.engine.fuse import Fence
from minicosm.envs.physics.engine.soft import Softness

X, Y, SPRING, MOTOR, LOWER, UPPER = range(6)  # rows of `State.joint_impulses`
BOUND = 1e3  # so many times what stops the lighter shape: joints that contradict each other stay finite

Rows = tuple[jax.Array, ...]  # f32[B] each: the six impulses of a joint, N s and N m s
Vector = tuple[jax.Array, ...]  # x and y, f32[B] each
Sides = tuple[Planar, Planar]  # of a and b, f32[B] each


class Pin(NamedTuple):
    """What stays of a joint during a tick; a and b are its two shapes. Fields of all joints lead with J."""

    mass: tuple[jax.Array, jax.Array]  # f32[B] each  1/kg, inverse; 0 where the joint is absent
    inertia: tuple[jax.Array, jax.Array]  # f32[B] each  1/(kg m^2), likewise
    arm: tuple[Vector, Vector]  # m, of a and b: from centroid to pin, at the start of the tick
    between: Vector  # m, from centroid a to centroid b, likewise
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

    arm: tuple[Vector, Vector]  # m, of a and b: from centroid to pin
    gap: Vector  # m, from the pin on a to the pin on b
    angle: jax.Array  # f32[B]  rad
    mass: tuple[jax.Array, ...]  # xx, xy and yy, f32[B] each  kg: what stops a unit of sliding


def hang(pin: Pin, moved: Sides, turned: tuple[Vector, Vector]) -> Hang:
    """How joints hang where their shapes have moved, and turned by angles of these cosines and sines."""
    arm_a, arm_b = ((cos * x - sin * y, sin * x + cos * y) for (cos, sin), (x, y) in zip(turned, pin.arm, strict=True))
    ((ax, ay), (bx, by)), (inertia_a, inertia_b) = (arm_a, arm_b), pin.inertia
    gap = tuple(
        between + to - by_a + (on_b - on_a)
        for between, by_a, to, on_a, on_b in zip(pin.between, moved[0], moved[1], arm_a, arm_b, strict=False)
    )
    straight = pin.mass[0] + pin.mass[1]
    k_xx = straight + (inertia_a * ay * ay + inertia_b * by * by)
    k_xy = -(inertia_a * ax * ay + inertia_b * bx * by)
    k_yy = straight + (inertia_a * ax * ax + inertia_b * bx * bx)
    determinant = k_xx * k_yy - k_xy * k_xy
    scale = jnp.where(determinant > 0.0, 1.0 / jnp.where(determinant > 0.0, determinant, 1.0), 0.0)
    mass = scale * k_yy, -scale * k_xy, scale * k_xx
    return Hang((arm_a, arm_b), gap, pin.angle + moved[1][2] - moved[0][2], mass)


def apply(pin: Pin, hang: Hang, push: Planar, sides: Sides) -> Sides:
    """Velocities after a pushes b at the pin with `push`: x and y, N s, and turns it, N m s."""
    (x, y, turning), after = push, []
    for (vx, vy, spin), mass, inertia, (arm_x, arm_y), sign in zip(
        sides, pin.mass, pin.inertia, hang.arm, (-1.0, 1.0), strict=True
    ):
        turn = arm_x * y - arm_y * x + turning
        after.append((vx + sign * (mass * x), vy + sign * (mass * y), spin + sign * (inertia * turn)))
    return after[0], after[1]


def as_push(impulse: Rows) -> Planar:
    """A joint's six impulses as one push of a on b."""
    return impulse[X], impulse[Y], impulse[SPRING] + impulse[MOTOR] + impulse[LOWER] - impulse[UPPER]


class Stage(NamedTuple):
    """How a pass over the joints is made."""

    bias: Softness  # with which errors of position are driven out; (0, 1, 0) mends velocities alone
    rate: float  # 1/s: sub-steps per second
    pull_speed: float  # m/s, rad/s: greatest at which errors are driven out
    max_speed: float  # m/s: a joint's impulse is bounded by what reverses shapes that fast, some times over
    fence: Fence


def solve(pin: Pin, hang: Hang, impulse: Rows, sides: Sides, stage: Stage) -> tuple[Rows, Sides]:
    """Solve one joint's rows; returns its impulses and the velocities."""
    once, (rate, mass_scale, impulse_scale) = stage.fence, stage.bias
    (a_x, a_y, a_spin), (b_x, b_y, b_spin) = sides
    inertia_a, inertia_b = pin.inertia
    angular, turning = _turned(pin, hang, impulse, b_spin - a_spin, stage)
    a_spin, b_spin = a_spin - inertia_a * turning, b_spin + inertia_b * turning
    (ax, ay), (bx, by) = hang.arm
    slide_x = b_x - b_spin * by - a_x + a_spin * ay + jnp.clip(rate * hang.gap[0], -stage.pull_speed, stage.pull_speed)
    slide_y = b_y + b_spin * bx - a_y - a_spin * ax + jnp.clip(rate * hang.gap[1], -stage.pull_speed, stage.pull_speed)
    slide_x, slide_y = once(slide_x), once(slide_y)
    xx, xy, yy = hang.mass
    straight = pin.mass[0] + pin.mass[1]
    most = BOUND * stage.max_speed / jnp.where(straight > 0.0, straight, 1.0)

    def pulled(old: jax.Array, stopped: jax.Array) -> jax.Array:
        wanted = old - mass_scale * stopped - impulse_scale * old
        return once(jnp.clip(wanted, -most, most) - old)

    x = pulled(impulse[X], xx * slide_x + xy * slide_y)
    y = pulled(impulse[Y], xy * slide_x + yy * slide_y)
    after = apply(pin, hang, (x, y, turning), sides)
    return (impulse[X] + x, impulse[Y] + y, *angular), after


def _turned(pin: Pin, hang: Hang, impulse: Rows, spin: jax.Array, stage: Stage) -> tuple[Rows, jax.Array]:
    """The impulses of spring, motor and limits, solved in turn, where b spins at `spin` against a; and their sum."""
    once, (rate, mass_scale, impulse_scale) = stage.fence, stage.bias
    coupling, s = pin.inertia[0] + pin.inertia[1], pin.spring
    wanted = (1.0 - s.impulse_scale) * impulse[SPRING] - s.mass_scale * pin.torsion * (spin + s.rate * hang.angle)
    angular = [once(wanted)]
    turning = angular[0] - impulse[SPRING]
    wanted = impulse[MOTOR] - pin.torsion * (spin + coupling * turning - pin.motor_speed)
    angular.append(once(jnp.clip(wanted, -pin.motor_impulse, pin.motor_impulse)))
    turning += angular[1] - impulse[MOTOR]
    for row, sign, room in ((LOWER, 1.0, hang.angle - pin.lower), (UPPER, -1.0, pin.upper - hang.angle)):
        is_open = room > 0.0
        push = jnp.where(is_open, room * stage.rate, mass_scale * jnp.maximum(rate * room, -stage.pull_speed))
        gain = jnp.where(is_open, 1.0, mass_scale)
        keep = jnp.where(is_open, 1.0, 1.0 - impulse_scale)
        wanted = keep * impulse[row] - pin.torsion * (gain * sign * (spin + coupling * turning) + push)
        angular.append(once(pin.has_limit * jnp.maximum(wanted, 0.0)))
        turning += sign * (angular[-1] - impulse[row])
    return tuple(angular), once(turning)
