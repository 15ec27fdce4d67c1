"""One tick in pure JAX, on every device: the definition of what is right.

The order of things is fixed by the size alone, never by the scene. Contacts are found once; then each sub-step
integrates velocities, applies the last impulses again, solves joints and contacts with the bias that mends positions,
integrates positions, and solves once more without it. Where a contact bounced, joints are swept again before positions
move, so that they pass the blow on rather than give way to it. Contacts are visited in rounds (see `size.rounds`),
within which no moving shape occurs twice, so that a round is one vector operation and nothing is scattered.

Arrays are batch-last: leading axes as in `scene`, B scenes last.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine import contact, joint
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.contact import Impulses, Rows, Solve, Springs
from minicosm.envs.physics.engine.fuse import Fence, fence, total
from minicosm.envs.physics.engine.joint import Hang, Pin, Stage
from minicosm.envs.physics.engine.prepare import (
    Pins,
    accelerations,
    by_pair,
    by_round,
    contact_rows,
    joint_pins,
)
from minicosm.envs.physics.engine.scene import Controls, Scene, State
from minicosm.envs.physics.engine.size import Size, num_seats, rounds
from minicosm.envs.physics.engine.soft import Softness, softness
from minicosm.envs.physics.engine.sweep import stop_at_statics


class Motion(NamedTuple):
    """Of the seats: the free shapes, and an empty one where their number is odd."""

    velocity: jax.Array  # f32[3 (x, y, turn), seats, B]  m/s, m/s, rad/s
    moved: jax.Array  # f32[3, seats, B]  m, m, rad, since the tick began
    turned: jax.Array  # f32[2, seats, B]  cosine and sine of the turn


class Warm(NamedTuple):
    """Impulses, as they go from solve to solve."""

    free: Impulses  # f32[rounds, 2, tables, B]
    walls: Impulses  # f32[walls, 2, seats, B]
    joints: jax.Array  # f32[J, 6, B]


class Prepared(NamedTuple):
    """What stays during a tick."""

    free: Rows  # f32[rounds, ..., tables, B]
    walls: Rows  # f32[walls, ..., seats, B]
    pins: Pins
    push: jax.Array  # f32[3, seats, B]: velocity that gravity and thrusters add in a sub-step
    size: Size
    contact_stage: contact.Stage


def tick(scene: Scene, state: State, controls: Controls, config: EngineConfig) -> State:
    """The state after `config.dt`; every array batch-last."""
    size = scene.size
    acceleration = accelerations(scene, state, controls)
    rows, impulses = contact_rows(scene, state, acceleration, config)
    (free, walls), (free_impulses, wall_impulses) = by_round(rows, size), by_round(impulses, size)
    pins = joint_pins(scene, state, controls, config, num_seats(size))
    prepared = Prepared(
        free,
        walls,
        pins,
        config.substep * _seated(acceleration, size),
        size,
        contact.Stage(springs(config)[0], fence(scene.gravity[0, 0])),
    )
    warm = Warm(free_impulses, wall_impulses, pins.impulses)
    velocity = _seated(jnp.stack([*jnp.moveaxis(state.velocity, 1, 0), state.angular_velocity]), size)
    motion = Motion(velocity, jnp.zeros_like(velocity), jnp.zeros_like(velocity[:2]).at[0].set(1.0))

    def substep(carry: tuple[Motion, Warm], _: None) -> tuple[tuple[Motion, Warm], None]:
        return _substep(prepared, *carry, config), None

    (motion, warm), _ = jax.lax.scan(substep, (motion, warm), None, length=config.num_substeps)
    return _after(scene, state, prepared, motion._replace(velocity=_clamped(motion.velocity, config)), warm)


def _substep(prepared: Prepared, motion: Motion, warm: Warm, config: EngineConfig) -> tuple[Motion, Warm]:
    _, joint_spring = springs(config)
    pins, rate, once = prepared.pins, 1.0 / config.substep, prepared.contact_stage.fence
    hangs = _hangs(pins, motion)
    velocity = _clamped(motion.velocity + prepared.push, config)
    velocity = _warm_started_joints(pins, hangs, warm.joints, velocity, once)
    velocity = _warm_started_contacts(prepared, warm, velocity)
    joints, velocity = _solved_joints(
        pins, hangs, warm.joints, velocity, Stage(joint_spring, rate, config.max_pull_speed, config.max_speed, once)
    )
    motion, before = motion._replace(velocity=velocity), warm._replace(joints=joints)
    motion, warm = _solved_contacts(prepared, motion, before, mends_positions=True)
    stage = Stage(Softness(0.0, 1.0, 0.0), rate, config.max_pull_speed, config.max_speed, once)
    sweep = functools.partial(_swept_joints, pins, stage=stage, count=config.num_joint_sweeps)
    motion, warm = _passed_on(prepared, before, motion, warm, functools.partial(sweep, hangs))
    motion = _advanced(motion._replace(velocity=_clamped(motion.velocity, config)), config.substep)
    joints, velocity = sweep(_hangs(pins, motion), warm.joints, motion.velocity)
    motion, warm = motion._replace(velocity=velocity), warm._replace(joints=joints)
    motion, warm = _solved_contacts(prepared, motion, warm, mends_positions=False)
    free, walls = (i._replace(total=i.total + i.normal) for i in (warm.free, warm.walls))
    return motion, warm._replace(free=free, walls=walls)


def springs(config: EngineConfig) -> tuple[Springs, Softness]:
    """The springs that contacts and joints are, worked out for the sub-step."""
    step = config.substep
    contacts = Springs(
        contact=softness(config.contact_stiffness / step, config.contact_damping, step),
        static_contact=softness(2.0 * config.contact_stiffness / step, config.contact_damping, step),
        friction=softness(config.friction_stiffness / step, config.contact_damping, step),
        push_speed=config.max_push_speed,
        threshold=config.restitution_threshold,
        rate=1.0 / step,
    )
    return contacts, softness(config.joint_stiffness / step, config.joint_damping, step)


def _seated(values: jax.Array, size: Size) -> jax.Array:
    """f32[k, S, B] of all shapes -> f32[k, seats, B] of the free ones."""
    empty = num_seats(size) - size.num_free
    return jnp.pad(values[:, size.num_walls :], ((0, 0), (0, empty), (0, 0)))


def _clamped(velocity: jax.Array, config: EngineConfig) -> jax.Array:
    """Velocities f32[3, seats, B] of at most the greatest speed and spin."""
    speed_squared = velocity[0] ** 2 + velocity[1] ** 2
    limit = config.max_speed
    is_over = speed_squared > limit**2
    scale = jnp.where(is_over, limit / jnp.sqrt(jnp.where(is_over, speed_squared, 1.0)), 1.0)
    spin = jnp.clip(velocity[2], -config.max_spin, config.max_spin)
    return jnp.stack([velocity[0] * scale, velocity[1] * scale, spin])


def _advanced(motion: Motion, step: float) -> Motion:
    """Positions after a sub-step; the turn's cosine and sine by their series, which max_spin keeps short."""
    change = step * motion.velocity
    turn = change[2]
    square = turn**2
    sin = turn * (1.0 - square / 6.0 * (1.0 - square / 20.0))
    cos = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0))
    old_cos, old_sin = motion.turned
    turned = jnp.stack([old_cos * cos - old_sin * sin, old_sin * cos + old_cos * sin])
    return Motion(motion.velocity, motion.moved + change, turned)


# Contacts: rounds of the tournament, then walls.

Solved = tuple[Impulses, jax.Array, jax.Array]  # and the velocities of left and right


def _over_rounds(function: Callable[..., Solved], velocity: jax.Array, *by_round: object) -> tuple[Impulses, jax.Array]:
    """Let `function(left, right, *fields)` solve each round of the tournament; velocities f32[3, seats, B]."""
    half = velocity.shape[1] // 2

    def play(ring: jax.Array, fields: tuple[object, ...]) -> tuple[jax.Array, Impulses]:
        new, left, right = function(ring[:, :half], ring[:, half:][:, ::-1], *fields)
        ring = jnp.concatenate([left, right[:, ::-1]], axis=1)
        return jnp.concatenate([ring[:, :1], ring[:, -1:], ring[:, 1:-1]], axis=1), new

    velocity, impulses = jax.lax.scan(play, velocity, by_round)  # after the last round, everyone is home again
    return impulses, velocity


def _over_walls(function: Callable[..., Solved], velocity: jax.Array, *by_wall: object) -> tuple[Impulses, jax.Array]:
    still = jnp.zeros_like(velocity)

    def meet(velocity: jax.Array, fields: tuple[object, ...]) -> tuple[jax.Array, Impulses]:
        new, _, velocity = function(still, velocity, *fields)
        return velocity, new

    velocity, impulses = jax.lax.scan(meet, velocity, by_wall)
    return impulses, velocity


def _solved_contacts(
    prepared: Prepared,
    motion: Motion,
    warm: Warm,
    mends_positions: bool,
) -> tuple[Motion, Warm]:
    table, stage = rounds(prepared.size), prepared.contact_stage._replace(throws=mends_positions)
    plan_of = contact.biased if mends_positions else contact.relaxed
    moved_left, moved_right = (jnp.moveaxis(motion.moved[:, seat], 1, 0) for seat in (table.left, table.right))

    def planned(rows: Rows, left: jax.Array, right: jax.Array) -> Solve:
        return plan_of(rows, contact.relative_motion(rows.jacobian, left, right), stage.springs)

    def solve(left: jax.Array, right: jax.Array, rows: Rows, plan: Solve, old: Impulses) -> Solved:
        return contact.solve(rows, plan, old, (left, right), stage)

    plan = jax.vmap(planned)(prepared.free, moved_left, moved_right)
    free, velocity = _over_rounds(solve, motion.velocity, prepared.free, plan, warm.free)
    plan = jax.vmap(planned, in_axes=(0, None, None))(prepared.walls, jnp.zeros_like(motion.moved), motion.moved)
    walls, velocity = _over_walls(solve, velocity, prepared.walls, plan, warm.walls)
    return motion._replace(velocity=velocity), warm._replace(free=free, walls=walls)


def _warm_started_contacts(prepared: Prepared, warm: Warm, velocity: jax.Array) -> jax.Array:
    def push(left: jax.Array, right: jax.Array, rows: Rows, old: Impulses) -> Solved:
        return (old, *contact.apply(rows, jnp.stack([old.normal, old.tangent]), left, right))

    _, velocity = _over_rounds(push, velocity, prepared.free, warm.free)
    _, velocity = _over_walls(push, velocity, prepared.walls, warm.walls)
    return velocity


# Joints: one after the other.


def _at_ends(pins: Pins, field: jax.Array) -> jax.Array:
    """f32[k, seats, B] -> f32[J, 2 (a, b), k, B]; zero at a wall."""
    return total(pins.holds[:, :, None] * field, 3)


def _hangs(pins: Pins, motion: Motion) -> Hang:
    """How all joints hang; fields lead with J."""
    straight = jnp.array([1.0, 0.0], motion.turned.dtype)[:, None]
    turned = _at_ends(pins, motion.turned - straight[..., None]) + straight  # a wall has not turned
    return jax.vmap(joint.hang)(pins.pin, _at_ends(pins, motion.moved), turned)


def _over_joints(  # noqa: PLR0913, PLR0917  (one more than a Config would be worth)
    function: Callable[[Pin, Hang, jax.Array, jax.Array], tuple[jax.Array, jax.Array]],
    pins: Pins,
    hangs: Hang,
    impulses: jax.Array,
    velocity: jax.Array,
    once: Fence,
) -> tuple[jax.Array, jax.Array]:
    """Let `function` give each joint's impulses f32[6, B] and velocities f32[2, 3, B]; returns those of all in turn."""

    def visit(velocity: jax.Array, item: tuple[Pin, Hang, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        pin, hang, holds, old = item
        before = once(total(holds[:, None] * velocity, 2))  # [2, 3, B]
        new, after = function(pin, hang, old, before)
        change = after - before
        return velocity + total(holds[:, None] * change[:, :, None], 0), new

    if not impulses.shape[0]:
        return impulses, velocity
    velocity, new = jax.lax.scan(visit, velocity, (pins.pin, hangs, pins.holds, impulses))
    return new, velocity


def _warm_started_joints(pins: Pins, hangs: Hang, impulses: jax.Array, velocity: jax.Array, once: Fence) -> jax.Array:
    start = lambda pin, hang, old, v: (old, joint.apply(pin, hang, joint.as_push(old), v))  # noqa: E731
    return _over_joints(start, pins, hangs, impulses, velocity, once)[1]


def _solved_joints(
    pins: Pins, hangs: Hang, impulses: jax.Array, velocity: jax.Array, stage: Stage
) -> tuple[jax.Array, jax.Array]:
    solve = lambda pin, hang, old, v: joint.solve(pin, hang, old, v, stage)  # noqa: E731
    return _over_joints(solve, pins, hangs, impulses, velocity, stage.fence)


def _swept_joints(  # noqa: PLR0913, PLR0917  (as `_over_joints`)
    pins: Pins, hangs: Hang, impulses: jax.Array, velocity: jax.Array, stage: Stage, count: int
) -> tuple[jax.Array, jax.Array]:
    for _ in range(count):
        impulses, velocity = _solved_joints(pins, hangs, impulses, velocity, stage)
    return impulses, velocity


Sweep = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def _passed_on(prepared: Prepared, before: Warm, motion: Motion, warm: Warm, sweep: Sweep) -> tuple[Motion, Warm]:
    """Let joints pass on what contacts threw since `before`, in the scenes in which they threw something.

    Joints give way to a blow until they are swept, which slows what was thrown: it is thrown again to the speed that
    it had, and the joints swept once more.
    """
    if not warm.joints.shape[0]:
        return motion, warm
    free, walls = (new.total > old.total for new, old in ((warm.free, before.free), (warm.walls, before.walls)))
    thrown = free.any((0, 1, 2)) | walls.any((0, 1, 2))
    table, still = rounds(prepared.size), jnp.zeros_like(motion.velocity)

    def passed(warm: Warm, velocity: jax.Array) -> tuple[Warm, jax.Array]:
        left, right = (jnp.moveaxis(velocity[:, seat], 1, 0) for seat in (table.left, table.right))
        speed = jax.vmap(contact.normal_speed)(prepared.free, left, right)
        speed_walls = jax.vmap(contact.normal_speed, in_axes=(0, None, None))(prepared.walls, still, velocity)
        joints, velocity = sweep(warm.joints, velocity)
        new_free, velocity = _over_rounds(contact.restore, velocity, prepared.free, warm.free, free, speed)
        new_walls, velocity = _over_walls(contact.restore, velocity, prepared.walls, warm.walls, walls, speed_walls)
        joints, velocity = sweep(joints, velocity)
        return Warm(new_free, new_walls, joints), velocity

    def somewhere(warm: Warm, velocity: jax.Array) -> tuple[Warm, jax.Array]:
        after: tuple[Warm, jax.Array] = jax.tree.map(
            lambda new, old: jnp.where(thrown, new, old), passed(warm, velocity), (warm, velocity)
        )
        return after

    warm, velocity = jax.lax.cond(thrown.any(), somewhere, lambda *same: same, warm, motion.velocity)
    return motion._replace(velocity=velocity), warm


def _after(scene: Scene, state: State, prepared: Prepared, motion: Motion, warm: Warm) -> State:
    """The state that a tick leaves."""
    size = scene.size
    num_free, table = size.num_free, rounds(size)
    moved = stop_at_statics(scene, state, motion.moved[:, :num_free])

    def with_walls(values: jax.Array) -> jax.Array:
        return jnp.pad(values, ((size.num_walls, 0),) + ((0, 0),) * (values.ndim - 1))

    left, right = (jnp.moveaxis(motion.moved[:, seat], 1, 0) for seat in (table.left, table.right))
    free_slip = jax.vmap(_slip)(prepared.free, warm.free, left, right)
    still = jnp.zeros_like(motion.moved)
    wall_slip = jax.vmap(_slip, in_axes=(0, 0, None, None))(prepared.walls, warm.walls, still, motion.moved)
    contacts = jnp.stack(
        [
            by_pair(warm.free.normal, warm.walls.normal, size),
            by_pair(warm.free.tangent, warm.walls.tangent, size),
            by_pair(free_slip, wall_slip, size),
            by_pair(warm.free.total, warm.walls.total, size),
        ],
        axis=2,
    )
    return State(
        position=state.position + with_walls(jnp.moveaxis(moved[:2], 0, 1)),
        rotation=state.rotation + with_walls(moved[2]),
        velocity=with_walls(jnp.moveaxis(motion.velocity[:2, :num_free], 0, 1)),
        angular_velocity=with_walls(motion.velocity[2, :num_free]),
        contacts=jnp.moveaxis(contacts, 0, 1),
        joint_impulses=warm.joints,
    )


def _slip(rows: Rows, impulses: Impulses, left: jax.Array, right: jax.Array) -> jax.Array:
    """f32[2, n, B] m: how far right slipped against left since the contact stuck; 0 where it slides or is open."""
    sticks = jnp.abs(impulses.tangent) < STICKS * rows.friction * impulses.normal
    return jnp.where(sticks, rows.slip + contact.relative_motion(rows.jacobian, left, right)[1], 0.0)


STICKS = 0.999  # of the Coulomb limit: friction below it holds
