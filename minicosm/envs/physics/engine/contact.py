"""Contacts: soft non-penetration with Coulomb friction that holds where it stuck, and restitution.

Per contact point two rows are solved in turn, by projected Gauss-Seidel on accumulated impulses. The normal row is a
critically stiff spring while shapes overlap and a speculative bound while they do not (E. Catto, "Soft step", Box2D
v3). The friction row is a damped spring too, from the place at which the contact last stuck, inside the Coulomb cone:
what slips forgets that place, what sticks does not creep.

The rows of a pair follow each other's velocities through their couplings rather than through the shapes' velocities:
the same arithmetic in fewer steps.

Everything here is one round: n pairs that share no moving shape, by B scenes, batch-last; or several rounds at once,
which lead. Directions (0 normal, 1 tangent, which is the normal turned clockwise), contact points and sides are
numbered in tuples rather than along an axis: XLA:CPU makes no vector instructions of what is stacked, nor of what
is cut out of the slice that a loop reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine.fuse import Fence
from minicosm.envs.physics.engine.soft import Softness

Planar = tuple[jax.Array, ...]  # x, y, turn, f32[n, B] each: m/s, m/s, rad/s; or m, m, rad
Points = tuple[jax.Array, ...]  # of the two contact points, [n, B] each
Lines = tuple[Points, ...]  # of both along the normal and along the tangent


class Rows(NamedTuple):
    """What stays during a tick. `left` and `right` are a pair's two shapes; normals point from left to right."""

    normal: tuple[jax.Array, ...]  # x and y, f32[n, B]
    turn: tuple[Lines, ...]  # m, of left and right: turn about its centroid of a unit impulse
    inverse: tuple[tuple[jax.Array, ...], ...]  # 1/kg and 1/(kg m^2), likewise
    mass: Lines  # kg: effective mass; 0 where there is no contact
    coupling: tuple[jax.Array, ...]  # f32[n, B] each  1/kg: see `couplings`
    separation: Points  # m, at the start of the tick
    slip: Points  # m, of right against left since the contact stuck, at the start of the tick
    friction: jax.Array  # f32[n, B]
    restitution: jax.Array  # f32[n, B]
    pull: jax.Array  # f32[n, B]  m/s: half of what gravity and thrusters add to the normal velocity in a sub-step
    is_static: jax.Array  # bool[n, B]: one of the two cannot move


class Impulses(NamedTuple):
    """What the contacts remember from solve to solve."""

    normal: Points  # N s
    tangent: Points  # N s
    total: Points  # N s, along the normal, summed over the tick, bounces included


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
    mends_positions: bool = True  # and throws back what is about to touch fast; else that is left alone until thrown


def couplings(rows: Sequence[tuple[Planar, ...]], inverse: tuple[Planar, ...]) -> tuple[jax.Array, ...]:
    """f32[n, B] 1/kg: the velocity that a unit impulse on one row gives to a later one, as `_COUPLED` lists them.

    `rows` are what a unit impulse does to left and right: normal 0, normal 1, tangent 0, tangent 1.
    """
    return tuple(coupling(rows[a], rows[b], inverse) for a, b in _COUPLED)


_COUPLED = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def coupling(a: tuple[Planar, ...], b: tuple[Planar, ...], inverse: tuple[Planar, ...]) -> jax.Array:
    """1/kg: the velocity that a unit impulse on row `a` gives to row `b`."""
    left, right = ([i * u * v for i, u, v in zip(*side, strict=True)] for side in zip(inverse, a, b, strict=True))
    x, y, turn = (u + v for u, v in zip(left, right, strict=True))
    return x + y + turn


class Solve(NamedTuple):
    """One solve of one line's points as coefficients: the impulse wanted is keep * impulse - gain * velocity - push."""

    keep: jax.Array | float
    gain: jax.Array
    push: jax.Array | float


def biased(rows: Rows, point: int, gap: tuple[jax.Array, jax.Array], springs: Springs) -> tuple[Solve, Solve]:
    """The solve of a point's normal and tangent that mends positions too; `gap` is its separation and slip now, m."""
    separation, slip = gap
    rate, mass_scale, impulse_scale = (
        jnp.where(rows.is_static, s, c) for s, c in zip(springs.static_contact, springs.contact, strict=True)
    )
    is_apart = separation > 0.0
    push_back = mass_scale * jnp.maximum(rate * separation, -springs.push_speed)
    mass, tangent_mass = rows.mass[0][point], rows.mass[1][point]
    normal = Solve(
        keep=jnp.where(is_apart, 1.0, 1.0 - impulse_scale),
        gain=mass * jnp.where(is_apart, 1.0, mass_scale),
        push=mass * jnp.where(is_apart, separation * springs.rate, push_back),
    )
    hold = springs.friction
    tangent = Solve(
        keep=1.0 - hold.impulse_scale,
        gain=tangent_mass * hold.mass_scale,
        push=tangent_mass * (hold.mass_scale * hold.rate * slip),
    )
    return normal, tangent


def relaxed(rows: Rows, point: int, gap: tuple[jax.Array, jax.Array], springs: Springs) -> tuple[Solve, Solve]:
    """The solve that mends velocities alone, and so takes out again what `biased` put in."""
    mass = rows.mass[0][point]
    push = mass * jnp.maximum(gap[0], 0.0) * springs.rate
    return Solve(1.0, mass, push), Solve(1.0, rows.mass[1][point], 0.0)


def relative_motion(rows: Rows, left: Planar, right: Planar) -> Lines:
    """Of right against left."""
    (nx, ny), (left_x, left_y, left_turn), (right_x, right_y, right_turn) = rows.normal, left, right
    straight = [(x * right_x - x * left_x) + (y * right_y - y * left_y) for x, y in ((nx, ny), (ny, -nx))]
    lines = zip(straight, *rows.turn, strict=True)
    normal, tangent = (
        tuple(line + (r * right_turn - l * left_turn) for l, r in zip(*turns, strict=True)) for line, *turns in lines
    )
    return normal, tangent


def apply(rows: Rows, impulse: Lines, left: Planar, right: Planar) -> tuple[Planar, Planar]:
    """The velocities after an `impulse` of left on right."""
    nx, ny = rows.normal
    (n0, n1), (t0, t1) = impulse
    x = (nx * n0 + ny * t0) + (nx * n1 + ny * t1)
    y = (ny * n0 - nx * t0) + (ny * n1 - nx * t1)

    def pushed(side: int, velocity: Planar, sign: float) -> Planar:
        mass, inertia = rows.inverse[side]
        (of_n0, of_n1), (of_t0, of_t1) = rows.turn[side]
        turn = (of_n0 * n0 + of_t0 * t0) + (of_n1 * n1 + of_t1 * t1)
        changes = mass * x, mass * y, inertia * turn
        return tuple(v + sign * change for v, change in zip(velocity, changes, strict=True))

    return pushed(0, left, -1.0), pushed(1, right, 1.0)


_LOAD = 0.25  # of the blow: what a contact may carry and still pass it on


def may_bounce(rows: Rows, point: int, impulses: Impulses, speed: jax.Array, springs: Springs) -> jax.Array:
    """bool[n, B]: what comes fast at a normal `speed` (m/s) and neither rests on its partner nor has met it.

    A light shape between a heavy one and a wall would otherwise be thrown to and fro in every sub-step, which never
    lets the impulse grow that it takes to stop the heavy one: it would be pressed through the wall.
    """
    is_new = impulses.normal[point] + impulses.total[point] <= _LOAD * rows.mass[0][point] * -speed
    return (rows.restitution > 0.0) & is_new & (speed < -springs.threshold)


def bounces(rows: Rows, separation: Points, speed: Points, may: Points, springs: Springs) -> Points:
    """Impulses, N s, that throw back what `may` bounce and is about to touch at a normal `speed`.

    Each pair is a collision by itself, so that with a restitution of 1 energy is kept whatever a blow is passed on
    through. A shape bounces where it is, a little above
    the surface, with the speed at which it would come back up from there; and velocities lie half a sub-step ahead of
    positions, which is the other `pull`. Together that makes a ball's height after a bounce exact. Two points that
    meet at once are thrown back as one, so that a box that lands flat stays flat.
    """
    (mass0, mass1), c = rows.mass[0], rows.coupling[0]
    (meets0, wanted0), (meets1, wanted1) = (
        _bounce(rows, rows.mass[0][p], separation[p], speed[p], may[p], springs) for p in (0, 1)
    )
    compliance0, compliance1 = (1.0 / jnp.where(m > 0.0, m, 1.0) for m in (mass0, mass1))
    determinant = compliance0 * compliance1 - c**2
    scale = 1.0 / jnp.where(determinant > 0.0, determinant, jnp.inf)  # with 0 neither point gets a push as one
    first = scale * (compliance1 * wanted0 - c * wanted1)
    second = scale * (compliance0 * wanted1 - c * wanted0)
    as_one = meets0 & meets1 & (first > 0.0) & (second > 0.0)
    is_first = wanted0 >= wanted1
    return (
        jnp.where(as_one, first, jnp.where(is_first, mass0 * wanted0, 0.0)),
        jnp.where(as_one, second, jnp.where(is_first, 0.0, mass1 * wanted1)),
    )


def _bounce(  # noqa: PLR0913, PLR0917  (one point's data)
    rows: Rows, mass: jax.Array, separation: jax.Array, speed: jax.Array, may: jax.Array, springs: Springs
) -> tuple[jax.Array, jax.Array]:
    """bool[n, B]: whether a point meets; and by how much its normal speed is to change then, m/s."""
    pull = rows.pull
    meets = may & (mass > 0.0) & (speed + separation * springs.rate < 0.0)
    # What falling on to the surface would add to the speed squared, negated.
    fall = 4.0 * pull * separation * springs.rate
    squared = rows.restitution**2 * ((speed - pull) ** 2 - fall) + fall
    is_real = meets & (squared > 0.0)
    least = np.finfo(squared.dtype).tiny
    return meets, jnp.where(meets, jnp.sqrt(jnp.maximum(squared, least)) * is_real + pull - speed, 0.0)


def solve(
    rows: Rows, gap: Lines, impulses: Impulses, sides: tuple[Planar, Planar], stage: Stage
) -> tuple[Impulses, Planar, Planar]:
    """Solve the four rows of each pair in turn, normals before friction; returns impulses and velocities.

    `gap` is how far the points are apart and have slipped now, m; `sides` are the velocities of left and right.
    """
    once, springs, c = stage.fence, stage.springs, rows.coupling
    plan = biased if stage.mends_positions else relaxed
    plans = [plan(rows, point, gap_now, springs) for point, gap_now in enumerate(zip(*gap, strict=True))]
    speed, slide = ((once(v0), once(v1)) for v0, v1 in relative_motion(rows, *sides))
    may = tuple(may_bounce(rows, point, impulses, v, springs) for point, v in enumerate(speed))
    old0, old1 = impulses.normal
    total = impulses.total
    if stage.mends_positions:
        b0, b1 = (once(b) for b in bounces(rows, gap[0], speed, may, springs))
        own0, own1 = (b / jnp.where(m > 0.0, m, 1.0) for b, m in zip((b0, b1), rows.mass[0], strict=True))
        speed = speed[0] + (own0 + c[0] * b1), speed[1] + (own1 + c[0] * b0)
        slide = slide[0] + (c[1] * b0 + c[2] * b1), slide[1] + (c[3] * b0 + c[4] * b1)
        total = total[0] + b0, total[1] + b1
        old0, old1 = old0 - b0, old1 - b1
    else:
        plans = [(_unless(m, normal), tangent) for m, (normal, tangent) in zip(may, plans, strict=True)]
    (normal0, tangent0), (normal1, tangent1) = plans
    wanted = once(_wanted(normal1, impulses.normal[1], speed[1]))
    n0 = once(jnp.maximum(_wanted(normal0, impulses.normal[0], speed[0]), 0.0))
    d0 = n0 - impulses.normal[0]
    n1 = once(jnp.maximum(wanted - normal1.gain * (c[0] * d0), 0.0))
    d1 = n1 - impulses.normal[1]
    wanted = once(_wanted(tangent0, impulses.tangent[0], slide[0]))
    most = rows.friction * n0
    t0 = once(jnp.clip(wanted - tangent0.gain * (c[1] * d0 + c[2] * d1), -most, most))
    d2 = t0 - impulses.tangent[0]
    wanted = once(_wanted(tangent1, impulses.tangent[1], slide[1]))
    most = rows.friction * n1
    t1 = once(jnp.clip(wanted - tangent1.gain * (c[3] * d0 + c[4] * d1 + c[5] * d2), -most, most))
    given = (n0 - old0, n1 - old1), (d2, t1 - impulses.tangent[1])
    left, right = apply(rows, given, *sides)
    return Impulses((n0, n1), (t0, t1), total), left, right


def _wanted(plan: Solve, impulse: jax.Array, velocity: jax.Array) -> jax.Array:
    return plan.keep * impulse - plan.gain * velocity - plan.push


def _unless(skips: jax.Array, plan: Solve) -> Solve:
    """The plan, which leaves alone what `skips`."""
    return plan._replace(gain=jnp.where(skips, 0.0, plan.gain), push=jnp.where(skips, 0.0, plan.push))


def restore(  # noqa: PLR0913, PLR0917  (one pair's data, as a round hands them over)
    left: Planar, right: Planar, rows: Rows, impulses: Impulses, thrown: Points, speed: Points
) -> tuple[Impulses, Planar, Planar]:
    """Throw again what was `thrown` (bool), up to the normal `speed` that it had then, m/s."""
    (mass0, mass1), (now0, now1) = rows.mass[0], relative_motion(rows, left, right)[0]
    first = jnp.where(thrown[0], mass0 * jnp.maximum(speed[0] - now0, 0.0), 0.0)
    second = jnp.maximum((speed[1] - now1) - rows.coupling[0] * first, 0.0)
    second = jnp.where(thrown[1], mass1 * second, 0.0)
    none = jnp.zeros_like(first)
    left, right = apply(rows, ((first, second), (none, none)), left, right)
    total = impulses.total
    return impulses._replace(total=(total[0] + first, total[1] + second)), left, right
