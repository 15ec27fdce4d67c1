"""What agents see: a set of entities with masks, or the same as one flat vector. docs/physics.md has the tables.

Every field is a number of moderate size, clipped to `LIMIT`. Nothing here depends on the slot in which an entity lies,
but for the indices by which joints and thrusters name their shapes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.config import ROOM, PhysicsConfig
from minicosm.envs.physics.control import action_mask, bound, look_up, num_controls, num_options, split
from minicosm.envs.physics.engine.size import pairs
from minicosm.envs.physics.level import AUTOMATIC, ROLES, Level
from minicosm.envs.spaces import ACTION_MASK, Box, Dict, Space

if TYPE_CHECKING:
    from minicosm.envs.physics.env import State

LIMIT = 4.0  # of every field's size
SPEED, SPIN = 10.0, 10.0  # m/s and rad/s that count as 1
CONTROLS = ("joint_control", "thruster_control")  # parts that hold elements of the agent's action
INDICES = ("joint_ends", "thruster_shape", "pair_ends", *CONTROLS)  # parts that hold numbers: not in the flat form


def space(config: PhysicsConfig) -> Space:
    """The space of one agent's observation."""
    if config.observation_kind == "pixels":
        return Box(0, 255, (config.pixels, config.pixels, 3), "uint8")
    shapes = _shapes(config)
    if config.observation_kind == "flat":
        return Box(-LIMIT, LIMIT, (sum(math.prod(shape) for name, shape in shapes.items() if name not in INDICES),))
    last = dict.fromkeys(INDICES, config.slots.num_shapes - 1) | dict.fromkeys(CONTROLS, num_controls(config))
    parts = {
        name: Box(0, last[name], shape, "int32") if name in INDICES else Box(-LIMIT, LIMIT, shape)
        for name, shape in shapes.items()
        if math.prod(shape) > 0
    }
    if config.action_kind != "continuous":
        parts[ACTION_MASK] = Box(0, 1, (num_options(config),), "int8")
    return Dict.of(parts)


def _shapes(config: PhysicsConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each part of an observation of entities."""
    size = config.slots
    shapes: dict[str, tuple[int, ...]] = {
        "shapes": (size.num_shapes, 17 + 2 * size.max_vertices),
        "shape_mask": (size.num_shapes,),
        "joints": (size.num_joints, 20 + config.num_motor_bindings),
        "joint_ends": (size.num_joints, 2),
        "joint_control": (size.num_joints,),
        "joint_mask": (size.num_joints,),
        "thrusters": (size.num_thrusters, 11 + config.num_thruster_bindings),
        "thruster_shape": (size.num_thrusters,),
        "thruster_control": (size.num_thrusters,),
        "thruster_mask": (size.num_thrusters,),
        "gravity": (2,),
    }
    if config.observe_filter:
        shapes |= {"pairs": (size.num_pairs, 1), "pair_ends": (size.num_pairs, 2), "pair_mask": (size.num_pairs,)}
    return shapes | ({"agent": (config.num_agents,)} if config.num_agents > 1 else {})


def observe(state: State, config: PhysicsConfig) -> dict[str, jax.Array] | jax.Array:
    """All agents' observations, led by A."""
    agents = config.num_agents
    if config.observation_kind == "pixels":
        from minicosm.envs.physics import draw  # pictures are not part of the world unless they are looked at

        style = draw.DrawStyle(
            pixels=config.pixels,
            view=(0.0, 0.0, ROOM, ROOM),
            details=False,
            num_motor_bindings=config.num_motor_bindings,
        )
        picture = draw.draw(state.level, state.bodies, state.signals, style)
        return jnp.broadcast_to(picture, (agents, *picture.shape))
    parts = _entities(state, config)
    if config.observation_kind == "entities":
        seen = {name: part for name, part in parts.items() if part.size > 0}
        if config.action_kind != "continuous":
            seen[ACTION_MASK] = action_mask(state.level, config).astype(jnp.int8)
        return seen
    flat = [part.reshape(agents, -1) for name, part in parts.items() if name not in INDICES]
    return jnp.concatenate(flat, axis=1)


def _entities(state: State, config: PhysicsConfig) -> dict[str, jax.Array]:
    level, agents = state.level, config.num_agents
    present = level.present.astype(jnp.float32)
    has_joint = level.scene.joints.active.astype(jnp.float32)
    has_motor, has_thruster = level.motor_torque > 0.0, level.thruster_force > 0.0
    motor, thruster = _driven_by(level, config)
    none = num_controls(config)
    owns_motor, owns_thruster = (motor < none).astype(jnp.float32), (thruster < none).astype(jnp.float32)
    motor, thruster = jnp.where(has_motor, motor, none), jnp.where(has_thruster, thruster, none)
    joints = _with_owner(_of_joints(state, config), owns_motor * has_motor, has_joint)
    thrusters = _with_owner(_of_thrusters(state, config), owns_thruster, has_thruster.astype(jnp.float32))
    parts = {
        "shapes": _of_shapes(state) * present[:, None],
        "shape_mask": present,
        "joints": joints,
        "joint_ends": jnp.stack([level.scene.joints.shape_a, level.scene.joints.shape_b], axis=-1),
        "joint_control": motor,
        "joint_mask": has_joint,
        "thrusters": thrusters,
        "thruster_shape": level.scene.thrusters.shape,
        "thruster_control": thruster,
        "thruster_mask": has_thruster.astype(jnp.float32),
        "gravity": level.scene.gravity / 10.0,
    }
    if config.observe_filter:
        parts |= _pairs(level)
    for name in parts.keys() - INDICES:
        parts[name] = jnp.clip(parts[name], -LIMIT, LIMIT)
    for name in parts.keys() - {"joints", "thrusters", *CONTROLS}:
        parts[name] = jnp.broadcast_to(parts[name], (agents, *parts[name].shape))
    return parts | ({"agent": jnp.eye(agents)} if agents > 1 else {})


def _with_owner(features: jax.Array, owned: jax.Array, mask: jax.Array) -> jax.Array:
    """f32[n, k] and, of each agent, f32[A, n] -> f32[A, n, k + 1], zero where there is nothing."""
    shared = jnp.broadcast_to(features, (owned.shape[0], *features.shape))
    return jnp.concatenate([shared, owned[..., None]], axis=-1) * mask[:, None]


def _driven_by(level: Level, config: PhysicsConfig) -> tuple[jax.Array, jax.Array]:
    """i32[A, J] and i32[A, T]: which element of the agent's own action drives it, `num_controls` for none of them."""
    dealt, none = split(config), num_controls(config)
    owner, column = dealt.owner, dealt.source % max(1, none)
    table = np.where(owner == np.arange(config.num_agents)[:, None], column, none).astype(np.int32)  # [A, bindings]
    motors, thrusters = table[:, : config.num_motor_bindings], table[:, config.num_motor_bindings :]
    motor, thruster = (
        jnp.stack([look_up(row, binding, none) for row in of_agents])
        for of_agents, binding in ((motors, level.motor_binding), (thrusters, level.thruster_binding))
    )
    return motor, thruster


def _of_shapes(state: State) -> jax.Array:
    level, bodies = state.level, state.bodies
    scene, size = level.scene, level.size
    corners = scene.vertices.reshape(size.num_polygons, -1)
    vertices = jnp.concatenate([corners, jnp.zeros((size.num_circles, corners.shape[1]))])
    radius = jnp.concatenate([jnp.zeros(size.num_polygons), scene.radius])
    columns = [
        *(bodies.position / (ROOM / 2) - 1.0).T,
        *(bodies.velocity / SPEED).T,
        jnp.cos(bodies.rotation),
        jnp.sin(bodies.rotation),
        bodies.angular_velocity / SPIN,
        *(level.role == role for role in range(len(ROLES))),
        scene.inverse_mass / (1.0 + scene.inverse_mass),
        scene.inverse_inertia / (1.0 + scene.inverse_inertia),
        scene.friction,
        scene.restitution,
        np.arange(size.num_shapes) >= size.num_polygons,
        radius,
    ]
    return jnp.concatenate([_columns(columns), vertices], axis=1)


def _of_joints(state: State, config: PhysicsConfig) -> jax.Array:
    level, bodies = state.level, state.bodies
    joints = level.scene.joints
    spin = bodies.angular_velocity[joints.shape_b] - bodies.angular_velocity[joints.shape_a]
    rotation_a = bodies.rotation[joints.shape_a]
    angle = bodies.rotation[joints.shape_b] - rotation_a - joints.rest_angle
    pin = bodies.position[joints.shape_a] + _turned(joints.anchor_a, rotation_a)
    has_motor = level.motor_torque > 0.0
    columns = [
        *joints.anchor_a.T,
        *joints.anchor_b.T,
        *(pin / (ROOM / 2) - 1.0).T,
        jnp.cos(angle),
        jnp.sin(angle),
        spin / SPIN,
        joints.has_limit,
        joints.lower / np.pi,
        joints.upper / np.pi,
        joints.has_limit & (joints.lower == joints.upper),
        joints.spring_hertz / (1.0 + joints.spring_hertz),
        has_motor,
        level.motor_speed / SPIN,
        level.motor_torque / (1.0 + level.motor_torque),
        bound(state.signals[: config.num_motor_bindings], level.motor_binding) * has_motor,
        (level.motor_binding == AUTOMATIC) & has_motor,
        *((level.motor_binding == k) & has_motor for k in range(config.num_motor_bindings)),
    ]
    return _columns(columns)


def _of_thrusters(state: State, config: PhysicsConfig) -> jax.Array:
    level, bodies = state.level, state.bodies
    thrusters = level.scene.thrusters
    rotation = bodies.rotation[thrusters.shape]
    nozzle = bodies.position[thrusters.shape] + _turned(thrusters.point, rotation)
    columns = [
        *thrusters.point.T,
        *(nozzle / (ROOM / 2) - 1.0).T,
        jnp.cos(thrusters.angle + rotation),
        jnp.sin(thrusters.angle + rotation),
        level.thruster_force / (1.0 + level.thruster_force),
        level.thruster_force * level.scene.inverse_mass[thrusters.shape] / 10.0,
        bound(state.signals[config.num_motor_bindings :], level.thruster_binding),
        level.thruster_binding == AUTOMATIC,
        *(level.thruster_binding == k for k in range(config.num_thruster_bindings)),
    ]
    return _columns(columns)


def _pairs(level: Level) -> dict[str, jax.Array]:
    """The set of pairs of shapes that could meet, which are there and not both static, and whether they collide."""
    first, second = pairs(level.size).T
    moves = level.scene.inverse_mass > 0.0
    mask = level.present[first] & level.present[second] & (moves[first] | moves[second])
    return {
        "pairs": (mask & level.scene.collides).astype(jnp.float32)[:, None],
        "pair_ends": jnp.asarray(pairs(level.size)),
        "pair_mask": mask.astype(jnp.float32),
    }


def _columns(columns: list[jax.Array | np.ndarray]) -> jax.Array:
    """f32[n] each -> f32[n, k]."""
    return jnp.stack([jnp.asarray(column, jnp.float32) for column in columns], axis=-1)


def _turned(vectors: jax.Array, angle: jax.Array) -> jax.Array:
    """f32[n, 2] turned anticlockwise by f32[n] rad."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = vectors.T
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
