"""Contacts: soft non-penetration with Coulomb friction that holds where it stuck, and restitution.

Per contact point two rows are solved in turn, by projected Gauss-Seidel on accumulated impulses. The normal row is a
critically stiff spring while shapes overlap and a speculative bound while they do not (E. Catto, "Soft step", Box2D
v3). The friction row is a damped spring too, from the place at which the contact last stuck, inside the Coulomb cone:
what slips forgets that place, what sticks does not creep.

The rows of a pair follow each other's velocities through their couplings rather than through the shapes' velocities:
the same arithmetic in fewer steps.

Everything here is one round: n pairs that share no moving shape, by B scenes, batch-last. Rows are numbered by
direction (0 normal, 1 tangent, which is the normal turned clockwise) and by contact point.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.fuse import Fence, total
from minicosm.envs.physics.engine.soft import Softness


class Rows(NamedTuple):
    """What stays during a tick. `left` and `right` are a pair's two shapes; normals point from left to right."""

    jacobian: jax.Array  # f32[2 (side), 3 (x, y, turn), 2 (direction), 2 (point), n, B]: 1, 1, m, of a unit impulse
    inverse: jax.Array  # f32[2 (side), 3, n, B]  1/kg, 1/kg, 1/(kg m^2)
    mass: jax.Array  # f32[2 (direction), 2 (point), n, B]  kg: effective mass; 0 where there is no contact
    coupling: jax.Array  # f32[6, n, B]  1/kg: see `couplings`
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
    total: jax.Array  # N s, along the normal, summed over the tick, bounces included


class Solve(NamedTuple):
    """One solve as coefficients of the rows, each f32[2 (point), n, B].

    The impulse wanted is keep * impulse - gain * velocity - push.
    """

    keep: jax.Array
    gain: jax.Array
    push: jax.Array
    tangent_keep: jax.Array | float
    tangent_gain: jax.Array
    tangent_push: jax.Array
    separation: jax.Array  # m, now


class Springs(NamedTuple):
    """The springs that contacts are."""

    contact: Softness
    static_contact: Softness
    friction: Softness
    push_speed: float  # m/s
    threshold: float  # m/s, below which nothing bounces
    rate: float  # 1/s: sub-steps per second


class Stage(NamedTuple):
    """How a pass over the contacts is made."""

    springs: Springs
    fence: Fence
    throws: bool = True  # back what is about to touch fast; else that is left alone until it is thrown


def couplings(jacobian: jax.Array, inverse: jax.Array) -> jax.Array:
    """f32[6, n, B] 1/kg: the velocity that a unit impulse on one row gives to a later one, as `_COUPLED` lists them."""
    rows = jacobian.reshape(2, 3, 4, *jacobian.shape[4:])
    return jnp.stack([total(total(inverse * rows[:, :, a] * rows[:, :, b], 0), 0) for a, b in _COUPLED])


_COUPLED = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # rows: normal 0, normal 1, tangent 0, tangent 1


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
    hold = springs.friction.mass_scale * springs.friction.rate * (rows.slip + moved[1])
    return Solve(
        keep=jnp.where(is_apart, 1.0, 1.0 - impulse_scale),
        gain=rows.mass[0] * jnp.where(is_apart, 1.0, mass_scale),
        push=rows.mass[0] * jnp.where(is_apart, separation * springs.rate, push_back),
        tangent_keep=jnp.full_like(separation, 1.0 - springs.friction.impulse_scale),
        tangent_gain=rows.mass[1] * springs.friction.mass_scale,
        tangent_push=rows.mass[1] * hold,
        separation=separation,
    )


def relaxed(rows: Rows, moved: jax.Array, springs: Springs) -> Solve:
    """The solve that mends velocities alone, and so takes out again what `biased` put in."""
    separation = rows.separation + moved[0]
    push = rows.mass[0] * jnp.maximum(separation, 0.0) * springs.rate
    one, zero = jnp.ones_like(push), jnp.zeros_like(push)
    return Solve(one, rows.mass[0], push, one, rows.mass[1], zero, separation)


def relative_motion(jacobian: jax.Array, left: jax.Array, right: jax.Array) -> jax.Array:
    """f32[2 (direction), 2 (point), n, B]: of right against left; motions are (x, y, turn), f32[3, n, B]."""
    return total(jacobian[1] * right[:, None, None] - jacobian[0] * left[:, None, None], 0)


def apply(rows: Rows, impulse: jax.Array, left: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The velocities f32[3, n, B] after an `impulse` f32[2 (direction), 2 (point), n, B] of left on right."""
    change = rows.inverse * total(total(rows.jacobian * impulse, 2), 2)
    return left - change[0], right + change[1]


_LOAD = 0.25  # of the blow: what a contact may carry and still pass it on


def may_bounce(rows: Rows, impulses: Impulses, speed: jax.Array, springs: Springs) -> jax.Array:
    """bool[2 (point), n, B]: what comes fast at a normal `speed` (m/s) and neither rests on its partner nor has met it.

    A light shape between a heavy one and a wall would otherwise be thrown to and fro in every sub-step, which never
    lets the impulse grow that it takes to stop the heavy one: it would be pressed through the wall.
    """
    is_new = impulses.normal + impulses.total <= _LOAD * rows.mass[0] * -speed
    return (rows.restitution > 0.0) & is_new & (speed < -springs.threshold)


def bounces(rows: Rows, separation: jax.Array, speed: jax.Array, may: jax.Array, springs: Springs) -> jax.Array:
    """Impulses f32[2 (point), n, B], N s, that throw back what `may` bounce and is about to touch.

    `separation` and the normal `speed` are f32[2 (point), n, B]. Each pair is a collision by itself, so that with a
    restitution of 1 energy is kept whatever a blow is passed on through. A shape bounces where it is, a little above
    the surface, with the speed at which it would come back up from there; and velocities lie half a sub-step ahead of
    positions, which is the other `pull`. Together that makes a ball's height after a bounce exact. Two points that
    meet at once are thrown back as one, so that a box that lands flat stays flat.
    """
    pull, restitution = rows.pull, rows.restitution
    meets = may & (rows.mass[0] > 0.0) & (speed + separation * springs.rate < 0.0)
    fall = (
        4.0 * pull * separation * springs.rate
    )  # what falling on to the surface would add to the speed squared, negated
    squared = restitution**2 * ((speed - pull) ** 2 - fall) + fall
    is_real = meets & (squared > 0.0)
    wanted = jnp.where(meets, jnp.sqrt(jnp.where(is_real, squared, 1.0)) * is_real + pull - speed, 0.0)
    alone = rows.mass[0] * wanted
    compliance = 1.0 / jnp.where(rows.mass[0] > 0.0, rows.mass[0], 1.0)
    coupling = rows.coupling[0]
    determinant = compliance[0] * compliance[1] - coupling**2
    scale = 1.0 / jnp.where(determinant > 0.0, determinant, 1.0)
    first = scale * (compliance[1] * wanted[0] - coupling * wanted[1])
    second = scale * (compliance[0] * wanted[1] - coupling * wanted[0])
    as_one = meets[0] & meets[1] & (determinant > 0.0) & (first > 0.0) & (second > 0.0)
    is_first = wanted[0] >= wanted[1]
    return jnp.stack(
        [
            jnp.where(as_one, first, jnp.where(is_first, alone[0], 0.0)),
            jnp.where(as_one, second, jnp.where(is_first, 0.0, alone[1])),
        ]
    )


def solve(
    rows: Rows, plan: Solve, impulses: Impulses, sides: tuple[jax.Array, jax.Array], stage: Stage
) -> tuple[Impulses, jax.Array, jax.Array]:
    """Solve the four rows of each pair in turn, normals before friction; returns impulses and velocities.

    `sides` are the velocities f32[3, n, B] of left and right.
    """
    left, right = sides
    fence, c = stage.fence, rows.coupling
    velocity = fence(relative_motion(rows.jacobian, left, right))
    gain, push, thrown = plan.gain, plan.push, jnp.zeros_like(plan.push)
    may = may_bounce(rows, impulses, velocity[0], stage.springs)
    if stage.throws:
        thrown = fence(bounces(rows, plan.separation, velocity[0], may, stage.springs))
        own = thrown / jnp.where(rows.mass[0] > 0.0, rows.mass[0], 1.0)
        change = [
            own[0] + c[0] * thrown[1],
            own[1] + c[0] * thrown[0],
            c[1] * thrown[0] + c[2] * thrown[1],
            c[3] * thrown[0] + c[4] * thrown[1],
        ]
        velocity += jnp.stack(change).reshape(velocity.shape)
    else:
        gain, push = jnp.where(may, 0.0, gain), jnp.where(may, 0.0, push)
    wanted = fence(plan.keep * impulses.normal - gain * velocity[0] - push)
    wanted_tangent = plan.tangent_keep * impulses.tangent - plan.tangent_gain * velocity[1] - plan.tangent_push
    wanted_tangent = fence(wanted_tangent)
    n0 = jnp.maximum(wanted[0], 0.0)
    d0 = n0 - impulses.normal[0]
    n1 = jnp.maximum(wanted[1] - gain[1] * (c[0] * d0), 0.0)
    d1 = n1 - impulses.normal[1]
    most = rows.friction * n0
    t0 = jnp.clip(wanted_tangent[0] - plan.tangent_gain[0] * (c[1] * d0 + c[2] * d1), -most, most)
    d2 = t0 - impulses.tangent[0]
    most = rows.friction * n1
    t1 = jnp.clip(wanted_tangent[1] - plan.tangent_gain[1] * (c[3] * d0 + c[4] * d1 + c[5] * d2), -most, most)
    new = fence(jnp.stack([n0, n1, t0, t1])).reshape(2, 2, *n0.shape)
    given = new - jnp.stack([impulses.normal - thrown, impulses.tangent])
    left, right = apply(rows, given, left, right)
    return Impulses(new[0], new[1], impulses.total + thrown), left, right


def normal_speed(rows: Rows, left: jax.Array, right: jax.Array) -> jax.Array:
    """f32[2 (point), n, B] m/s: of right away from left, whose velocities are f32[3, n, B]."""
    return relative_motion(rows.jacobian, left, right)[0]


def restore(  # noqa: PLR0913, PLR0917  (one pair's data, as a round hands them over)
    left: jax.Array, right: jax.Array, rows: Rows, impulses: Impulses, thrown: jax.Array, speed: jax.Array
) -> tuple[Impulses, jax.Array, jax.Array]:
    """Throw again what was `thrown`, up to the normal `speed` that it had then; bool and m/s, [2 (point), n, B]."""
    lacks = speed - normal_speed(rows, left, right)
    first = jnp.where(thrown[0], rows.mass[0, 0] * jnp.maximum(lacks[0], 0.0), 0.0)
    second = jnp.maximum(lacks[1] - rows.coupling[0] * first, 0.0)
    second = jnp.where(thrown[1], rows.mass[0, 1] * second, 0.0)
    push = jnp.stack([first, second])
    left, right = apply(rows, jnp.stack([push, jnp.zeros_like(push)]), left, right)
    return impulses._replace(total=impulses.total + push), left, right
