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
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine import contact, joint
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.contact import Impulses, Lines, Planar, Points, Rows, Springs
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

Fields = TypeVar("Fields")


class Motion(NamedTuple):
    """Of the seats: the free shapes, and an empty one where their number is odd."""

    velocity: Planar  # f32[seats, B] each  m/s, m/s, rad/s
    moved: Planar  # f32[seats, B] each  m, m, rad, since the tick began
    turned: tuple[jax.Array, jax.Array]  # f32[seats, B] each: cosine and sine of the turn


class Warm(NamedTuple):
    """Impulses, as they go from solve to solve."""

    free: Impulses  # f32[rounds, tables, B]
    walls: Impulses  # f32[walls, seats, B]
    joints: joint.Rows  # f32[J, B] each


class Prepared(NamedTuple):
    """What stays during a tick."""

    free: Rows  # f32[rounds, tables, B]
    walls: Rows  # f32[walls, seats, B]
    pins: Pins
    push: Planar  # f32[seats, B] each: velocity that gravity and thrusters add in a sub-step
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
        _seated(config.substep * acceleration, size),
        size,
        contact.Stage(
            springs(config)[0], fence(scene.gravity[0, 0], max(num_seats(size), 6) * scene.gravity.shape[-1])
        ),
    )
    warm = Warm(free_impulses, wall_impulses, pins.impulses)
    velocity = _seated((state.velocity[:, 0], state.velocity[:, 1], state.angular_velocity), size)
    none = jnp.zeros_like(velocity[0])
    motion = Motion(velocity, (none, none, none), (none + 1.0, none))

    def substep(carry: tuple[Motion, Warm], _: None) -> tuple[tuple[Motion, Warm], None]:
        return _substep(prepared, *carry, config), None

    (motion, warm), _ = jax.lax.scan(substep, (motion, warm), None, length=config.num_substeps)
    return _after(scene, state, prepared, motion._replace(velocity=_clamped(motion.velocity, config)), warm)


def _substep(prepared: Prepared, motion: Motion, warm: Warm, config: EngineConfig) -> tuple[Motion, Warm]:
    _, joint_spring = springs(config)
    pins, rate, once = prepared.pins, 1.0 / config.substep, prepared.contact_stage.fence
    hangs = _hangs(pins, motion)
    velocity = _clamped(_sum(motion.velocity, prepared.push), config)
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
    free, walls = (i._replace(total=_sum(i.total, i.normal)) for i in (warm.free, warm.walls))
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


def _sum(a: Fields, b: Fields) -> Fields:
    added: Fields = jax.tree.map(jnp.add, a, b)
    return added


def _seated(values: Iterable[jax.Array], size: Size) -> Planar:
    """f32[S, B] each, of all shapes -> f32[seats, B] of the free ones."""
    empty = num_seats(size) - size.num_free
    x, y, turn = (jnp.pad(v[size.num_walls :], ((0, empty), (0, 0))) for v in values)
    return x, y, turn


def _clamped(velocity: Planar, config: EngineConfig) -> Planar:
    """Velocities of at most the greatest speed and spin."""
    x, y, spin = velocity
    speed_squared = x**2 + y**2
    limit = config.max_speed
    is_over = speed_squared > limit**2
    # Right also where a compiler works the square out twice, and rounds it to one side of the limit and to the other.
    scale = jnp.where(is_over, limit / jnp.sqrt(jnp.maximum(speed_squared, limit**2)), 1.0)
    return x * scale, y * scale, jnp.clip(spin, -config.max_spin, config.max_spin)


def _advanced(motion: Motion, step: float) -> Motion:
    """Positions after a sub-step; the turn's cosine and sine by their series, which max_spin keeps short."""
    x, y, turn = (step * v for v in motion.velocity)
    square = turn**2
    sin = turn * (1.0 - square / 6.0 * (1.0 - square / 20.0))
    cos = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0))
    old_cos, old_sin = motion.turned
    turned = old_cos * cos - old_sin * sin, old_sin * cos + old_cos * sin
    return Motion(motion.velocity, _sum(motion.moved, (x, y, turn)), turned)


# Contacts: rounds of the tournament, then walls.

Solved = tuple[Impulses, Planar, Planar]  # and the velocities of left and right


def _over_rounds(
    function: Callable[..., Solved], velocity: Planar, once: Fence, *by_round: object
) -> tuple[Impulses, Planar]:
    """Let `function(left, right, *fields)` solve each round of the tournament; velocities f32[seats, B] each."""
    half = len(velocity[0]) // 2

    def play(sides: tuple[Planar, Planar], fields: tuple[object, ...]) -> tuple[tuple[Planar, Planar], Impulses]:
        new, left, right = function(*sides, *fields)
        left, right = jax.tree.map(once, (left, right))
        left, right = zip(*map(_moved_on, left, right), strict=True)
        return (left, right), new

    sides = tuple(v[:half] for v in velocity), tuple(v[half:][::-1] for v in velocity)
    (left, right), impulses = jax.lax.scan(play, sides, by_round)  # after the last round, everyone is home again
    x, y, turn = (jnp.concatenate([l, r[::-1]]) for l, r in zip(left, right, strict=True))
    return impulses, (x, y, turn)


def _moved_on(left: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The next round's values f32[tables, B] of left and right: see `size.next_round`."""
    if len(left) == 1:
        return left, right
    return jnp.concatenate([left[:1], right[:1], left[1:-1]]), jnp.concatenate([right[1:], left[-1:]])


def _over_walls(
    function: Callable[..., Solved], velocity: Planar, once: Fence, *by_wall: object
) -> tuple[Impulses, Planar]:
    still = _still(velocity)

    def meet(velocity: Planar, fields: tuple[object, ...]) -> tuple[Planar, Impulses]:
        new, _, velocity = function(still, velocity, *fields)
        return velocity, new

    velocity, impulses = jax.lax.scan(meet, velocity, by_wall)
    return impulses, velocity


def _still(velocity: Planar) -> Planar:
    x, y, turn = map(jnp.zeros_like, velocity)
    return x, y, turn


def _by_round(values: Planar, size: Size) -> tuple[Planar, Planar]:
    """f32[seats, B] each -> f32[rounds, tables, B] each, of left and right."""
    table = rounds(size)
    (x, y, turn), (right_x, right_y, right_turn) = (
        tuple(v[seat] for v in values) for seat in (table.left, table.right)
    )
    return (x, y, turn), (right_x, right_y, right_turn)


def _solved_contacts(
    prepared: Prepared,
    motion: Motion,
    warm: Warm,
    mends_positions: bool,
) -> tuple[Motion, Warm]:
    stage = prepared.contact_stage._replace(mends_positions=mends_positions)

    def gap(rows: Rows, left: Planar, right: Planar) -> Lines:
        return _sum((rows.separation, rows.slip), contact.relative_motion(rows, left, right))

    def solve(left: Planar, right: Planar, rows: Rows, gap: Lines, old: Impulses) -> Solved:
        return contact.solve(rows, gap, old, (left, right), stage)

    gaps = gap(prepared.free, *_by_round(motion.moved, prepared.size))
    free, velocity = _over_rounds(solve, motion.velocity, stage.fence, prepared.free, gaps, warm.free)
    gaps = gap(prepared.walls, _still(motion.moved), motion.moved)
    walls, velocity = _over_walls(solve, velocity, stage.fence, prepared.walls, gaps, warm.walls)
    return motion._replace(velocity=velocity), warm._replace(free=free, walls=walls)


def _warm_started_contacts(prepared: Prepared, warm: Warm, velocity: Planar) -> Planar:
    def push(left: Planar, right: Planar, rows: Rows, old: Impulses) -> Solved:
        return (old, *contact.apply(rows, (old.normal, old.tangent), left, right))

    once = prepared.contact_stage.fence
    _, velocity = _over_rounds(push, velocity, once, prepared.free, warm.free)
    _, velocity = _over_walls(push, velocity, once, prepared.walls, warm.walls)
    return velocity


# Joints: one after the other.


def _at_ends(holds: tuple[jax.Array, jax.Array], fields: tuple[jax.Array, ...]) -> joint.Sides:
    """f32[seats, B] each -> of a and b, f32[B] each, or of all joints f32[J, B]; zero at a wall."""
    a, b = (tuple(total(end * field, -2) for field in fields) for end in holds)
    return a, b


def _hangs(pins: Pins, motion: Motion) -> Hang:
    """How all joints hang; fields lead with J."""
    cos, sin = motion.turned
    a, b = ((c + 1.0, s) for c, s in _at_ends(pins.holds, (cos - 1.0, sin)))  # a wall has not turned
    return joint.hang(pins.pin, _at_ends(pins.holds, motion.moved), (a, b))


def _over_joints(  # noqa: PLR0913, PLR0917  (one more than a Config would be worth)
    function: Callable[[Pin, Hang, joint.Rows, joint.Sides], tuple[joint.Rows, joint.Sides]],
    pins: Pins,
    hangs: Hang,
    impulses: joint.Rows,
    velocity: Planar,
    once: Fence,
) -> tuple[joint.Rows, Planar]:
    """Let `function` give each joint's impulses and its shapes' velocities in turn; returns those of all."""

    def visit(
        velocity: Planar, item: tuple[Pin, Hang, tuple[jax.Array, jax.Array], joint.Rows]
    ) -> tuple[Planar, joint.Rows]:
        pin, hang, (is_a, is_b), old = item
        before: joint.Sides = jax.tree.map(once, _at_ends((is_a, is_b), velocity))
        new, after = function(pin, hang, old, before)
        changes = zip(*jax.tree.map(jnp.subtract, after, before), strict=True)
        return tuple(v + (is_a * a + is_b * b) for v, (a, b) in zip(velocity, changes, strict=True)), new

    if not impulses[0].shape[0]:
        return impulses, velocity
    velocity, new = jax.lax.scan(visit, velocity, (pins.pin, hangs, pins.holds, impulses))
    return new, velocity


def _warm_started_joints(pins: Pins, hangs: Hang, impulses: joint.Rows, velocity: Planar, once: Fence) -> Planar:
    start = lambda pin, hang, old, v: (old, joint.apply(pin, hang, joint.as_push(old), v))  # noqa: E731
    return _over_joints(start, pins, hangs, impulses, velocity, once)[1]


def _solved_joints(
    pins: Pins, hangs: Hang, impulses: joint.Rows, velocity: Planar, stage: Stage
) -> tuple[joint.Rows, Planar]:
    solve = lambda pin, hang, old, v: joint.solve(pin, hang, old, v, stage)  # noqa: E731
    return _over_joints(solve, pins, hangs, impulses, velocity, stage.fence)


def _swept_joints(  # noqa: PLR0913, PLR0917  (as `_over_joints`)
    pins: Pins, hangs: Hang, impulses: joint.Rows, velocity: Planar, stage: Stage, count: int
) -> tuple[joint.Rows, Planar]:
    for _ in range(count):
        impulses, velocity = _solved_joints(pins, hangs, impulses, velocity, stage)
    return impulses, velocity


Sweep = Callable[[joint.Rows, Planar], tuple[joint.Rows, Planar]]


def _passed_on(prepared: Prepared, before: Warm, motion: Motion, warm: Warm, sweep: Sweep) -> tuple[Motion, Warm]:
    """Let joints pass on what contacts threw since `before`, in the scenes in which they threw something.

    Joints give way to a blow until they are swept, which slows what was thrown: it is thrown again to the speed that
    it had, and the joints swept once more.
    """
    if not warm.joints[0].shape[0]:
        return motion, warm
    free, walls = (
        jax.tree.map(jnp.greater, new.total, old.total)
        for new, old in ((warm.free, before.free), (warm.walls, before.walls))
    )
    thrown = functools.reduce(jnp.logical_or, (points.any((0, 1)) for points in (*free, *walls)))
    once = prepared.contact_stage.fence

    def passed(warm: Warm, velocity: Planar) -> tuple[Warm, Planar]:
        speed, _ = contact.relative_motion(prepared.free, *_by_round(velocity, prepared.size))
        speed_walls, _ = contact.relative_motion(prepared.walls, _still(velocity), velocity)
        joints, velocity = sweep(warm.joints, velocity)
        new_free, velocity = _over_rounds(contact.restore, velocity, once, prepared.free, warm.free, free, speed)
        new_walls, velocity = _over_walls(
            contact.restore, velocity, once, prepared.walls, warm.walls, walls, speed_walls
        )
        joints, velocity = sweep(joints, velocity)
        return Warm(new_free, new_walls, joints), velocity

    def somewhere(warm: Warm, velocity: Planar) -> tuple[Warm, Planar]:
        after: tuple[Warm, Planar] = jax.tree.map(
            lambda new, old: jnp.where(thrown, new, old), passed(warm, velocity), (warm, velocity)
        )
        return after

    warm, velocity = jax.lax.cond(thrown.any(), somewhere, lambda *same: same, warm, motion.velocity)
    return motion._replace(velocity=velocity), warm


def _after(scene: Scene, state: State, prepared: Prepared, motion: Motion, warm: Warm) -> State:
    """The state that a tick leaves."""
    size = scene.size
    num_free = size.num_free
    moved = stop_at_statics(scene, state, jnp.stack(motion.moved)[:, :num_free])

    def with_walls(values: jax.Array) -> jax.Array:
        return jnp.pad(values, ((size.num_walls, 0),) + ((0, 0),) * (values.ndim - 1))

    free_slip = _slip(prepared.free, warm.free, *_by_round(motion.moved, size))
    wall_slip = _slip(prepared.walls, warm.walls, _still(motion.moved), motion.moved)
    fields = [(i.normal, i.tangent, slip, i.total) for i, slip in ((warm.free, free_slip), (warm.walls, wall_slip))]
    points = [
        jnp.stack([by_pair(free[point], walls[point], size) for free, walls in zip(*fields, strict=True)], axis=1)
        for point in (0, 1)
    ]
    x, y, turn = (v[:num_free] for v in motion.velocity)
    return State(
        position=state.position + with_walls(jnp.moveaxis(moved[:2], 0, 1)),
        rotation=state.rotation + with_walls(moved[2]),
        velocity=with_walls(jnp.stack([x, y], axis=1)),
        angular_velocity=with_walls(turn),
        contacts=jnp.stack(points, axis=1),
        joint_impulses=jnp.stack(warm.joints, axis=1),
    )


def _slip(rows: Rows, impulses: Impulses, left: Planar, right: Planar) -> Points:
    """m: how far right slipped against left since the contact stuck; 0 where it slides or is open."""
    _, moved = contact.relative_motion(rows, left, right)
    first, second = (
        jnp.where(jnp.abs(tangent) < STICKS * rows.friction * normal, slip + change, 0.0)
        for normal, tangent, slip, change in zip(impulses.normal, impulses.tangent, rows.slip, moved, strict=True)
    )
    return first, second


STICKS = 0.999  # of the Coulomb limit: friction below it holds
