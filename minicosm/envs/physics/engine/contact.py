"""Contacts: soft non-penetration with Coulomb friction that holds where it stuck, and restitution.

Per contact point two rows are solved in turn, by projected Gauss-Seidel on accumulated impulses. The normal row is a
critically stiff spring while shapes overlap and a speculative bound while they do not (E. Catto, "Soft step", Box2D
v3). The friction row is a damped spring too, from the place at which the contact last stuck, inside the Coulomb cone:
what slips forgets that place, what sticks does not creep.

Everything here is one round: n pairs that share no moving shape, by B scenes, batch-last. Rows are numbered by
direction (0 normal, 1 tangent, which is the normal turned clockwise) and by contact point.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.soft import Softness


class Rows(NamedTuple):
    """What stays during a tick. `left` and `right` are a pair's two shapes; normals point from left to right."""

    nx: jax.Array  # f32[n, B]
    ny: jax.Array
    inverse_mass: jax.Array  # f32[2 (left, right), n, B]  1/kg
    inverse_inertia: jax.Array  # f32[2 (left, right), n, B]  1/(kg m^2)
    arm: jax.Array  # f32[2 (left, right), 2 (direction), 2 (point), n, B]  m: turning arm of a unit impulse
    mass: jax.Array  # f32[2 (direction), 2 (point), n, B]  kg: effective mass; 0 where there is no contact
    separation: jax.Array  # f32[2 (point), n, B]  m, at the start of the tick
    slip: jax.Array  # f32[2 (point), n, B]  m, of right against left since the contact stuck, at the start of the tick
    friction: jax.Array  # f32[n, B]
    restitution: jax.Array  # f32[n, B]
    pull: jax.Array  # f32[n, B]  m/s: half of what gravity and thrusters add to the normal velocity in a sub-step
    is_static: jax.Array  # bool[n, B]: one of the two cannot move


class Impulses(NamedTuple):
    """What the contacts remember from solve to solve; all f32[2 (point), n, B]."""

    normal: jax.Array  # N s
    tangent: jax.Array  # N s
    total: jax.Array  # N s, along the normal, summed over the tick
    approach: jax.Array  # m/s, greatest speed of approach in this tick, negative


class Solve(NamedTuple):
    """One solve as coefficients of the rows, each f32[2 (direction), 2 (point), n, B].

    The impulse wanted is keep * impulse - gain * velocity - push.
    """

    keep: jax.Array
    gain: jax.Array
    push: jax.Array


class Springs(NamedTuple):
    """The springs that contacts are."""

    contact: Softness
    static_contact: Softness
    friction: Softness
    push_speed: float  # m/s
    rate: float  # 1/s: sub-steps per second


def biased(rows: Rows, moved: jax.Array, springs: Springs) -> Solve:
    """The solve that mends positions too.

    `moved` f32[2 (direction), 2 (point), n, B] m is how far right has moved against left in this tick.
    """
    separation = rows.separation + moved[0]
    rate, mass_scale, impulse_scale = (
        jnp.where(rows.is_static, s, c) for s, c in zip(springs.static_contact, springs.contact, strict=True)
    )
    is_apart = separation > 0.0
    push_back = mass_scale * jnp.maximum(rate * separation, -springs.push_speed)
    speed = jnp.where(is_apart, separation * springs.rate, push_back)
    hold = springs.friction.mass_scale * springs.friction.rate * (rows.slip + moved[1])
    keep = jnp.where(is_apart, 1.0, 1.0 - impulse_scale)
    gain = jnp.where(is_apart, 1.0, mass_scale)
    return Solve(
        keep=jnp.stack([keep, jnp.full_like(keep, 1.0 - springs.friction.impulse_scale)]),
        gain=rows.mass * jnp.stack([gain, jnp.full_like(gain, springs.friction.mass_scale)]),
        push=rows.mass * jnp.stack([speed, hold]),
    )


def relaxed(rows: Rows, moved: jax.Array, springs: Springs) -> Solve:
    """The solve that mends velocities alone, and so takes out again what `biased` put in."""
    speed = jnp.maximum(rows.separation + moved[0], 0.0) * springs.rate
    push = rows.mass * jnp.stack([speed, jnp.zeros_like(speed)])
    return Solve(jnp.ones_like(rows.mass), rows.mass, push)


def relative_motion(rows: Rows, left: jax.Array, right: jax.Array) -> jax.Array:
    """f32[2 (direction), 2 (point), n, B]: of right against left; motions are (x, y, turn), f32[3, n, B]."""
    dx, dy = right[0] - left[0], right[1] - left[1]
    straight = jnp.stack([rows.nx * dx + rows.ny * dy, rows.ny * dx - rows.nx * dy])
    return straight[:, None] + rows.arm[1] * right[2] - rows.arm[0] * left[2]


def apply(rows: Rows, impulse: jax.Array, left: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The velocities f32[3, n, B] after an `impulse` f32[2 (direction), 2 (point), n, B] of left on right."""
    along, across = impulse[0, 0] + impulse[0, 1], impulse[1, 0] + impulse[1, 1]
    x, y = along * rows.nx + across * rows.ny, along * rows.ny - across * rows.nx
    turn = jnp.sum(rows.arm * impulse, axis=(1, 2))
    (mass_l, mass_r), (inertia_l, inertia_r) = rows.inverse_mass, rows.inverse_inertia
    return (
        left - jnp.stack([mass_l * x, mass_l * y, inertia_l * turn[0]]),
        right + jnp.stack([mass_r * x, mass_r * y, inertia_r * turn[1]]),
    )


def solve(
    rows: Rows, step: Solve, impulses: Impulses, left: jax.Array, right: jax.Array
) -> tuple[Impulses, jax.Array, jax.Array]:
    """Solve the four rows of each pair in turn, normals before friction; returns impulses and velocities.

    The rows' velocities are followed through their couplings rather than through the shapes' velocities: the same
    arithmetic in fewer steps.
    """
    velocity = relative_motion(rows, left, right)
    olds = jnp.stack([impulses.normal, impulses.tangent])
    wanted = step.keep * olds - step.gain * velocity - step.push
    deltas: dict[tuple[int, int], jax.Array] = {}
    news: dict[tuple[int, int], jax.Array] = {}
    for row in ((0, 0), (0, 1), (1, 0), (1, 1)):
        value = wanted[row]
        for earlier, delta in deltas.items():
            value -= step.gain[row] * _coupling(rows, row, earlier) * delta
        limit = rows.friction * news[0, row[1]] if row[0] else None
        news[row] = jnp.maximum(value, 0.0) if limit is None else jnp.clip(value, -limit, limit)
        deltas[row] = news[row] - olds[row]
    left, right = apply(rows, _by_row(deltas), left, right)
    new = _by_row(news)
    approach = jnp.minimum(impulses.approach, velocity[0])
    return impulses._replace(normal=new[0], tangent=new[1], approach=approach), left, right


def bounce(
    rows: Rows, threshold: float, impulses: Impulses, left: jax.Array, right: jax.Array
) -> tuple[Impulses, jax.Array, jax.Array]:
    """Give the pairs that met faster than `threshold` (m/s) their speed of separation, once per tick.

    Velocities lie half a sub-step ahead of positions, hence the two halves of `pull`: without them a ball that keeps
    all its energy would lose two per cent of its height at each bounce.
    """
    met = (rows.restitution > 0.0) & (impulses.approach < -threshold) & (impulses.total > 0.0)
    mass = jnp.where(met, rows.mass[0], 0.0)
    approach = jnp.where(met, impulses.approach + rows.pull, 0.0)
    speed = relative_motion(rows, left, right)[0] + rows.restitution * approach + rows.pull
    wanted = impulses.normal - mass * speed
    first = jnp.maximum(wanted[0], 0.0)
    delta = first - impulses.normal[0]
    second = jnp.maximum(wanted[1] - mass[1] * _coupling(rows, (0, 0), (0, 1)) * delta, 0.0)
    normal = jnp.stack([first, second])
    delta = normal - impulses.normal
    left, right = apply(rows, jnp.stack([delta, jnp.zeros_like(delta)]), left, right)
    return impulses._replace(normal=normal, total=impulses.total + delta), left, right


def _coupling(rows: Rows, row: tuple[int, int], other: tuple[int, int]) -> jax.Array:
    """f32[n, B] 1/kg: velocity that a unit impulse on row `other` (direction, point) gives to row `row`."""
    turning = jnp.sum(rows.inverse_inertia * rows.arm[(slice(None), *row)] * rows.arm[(slice(None), *other)], axis=0)
    return turning + (jnp.sum(rows.inverse_mass, axis=0) if row[0] == other[0] else 0.0)


def _by_row(values: dict[tuple[int, int], jax.Array]) -> jax.Array:
    return jnp.stack([jnp.stack([values[d, 0], values[d, 1]]) for d in (0, 1)])
