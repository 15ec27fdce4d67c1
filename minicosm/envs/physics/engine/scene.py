"""What a scene is (it stays) and what its state is (it moves): fixed-shape arrays, one scene, SI units, y up.

Axis letters: S shapes (polygons, then circles), P polygons, V vertices, C circles, K pairs that can collide
(`size.pairs`), J joints, T thrusters.
"""

from __future__ import annotations

import jax

from minicosm.envs import struct
from minicosm.envs.physics.engine.size import Size


@struct.dataclass
class Joints:
    """Pins between two shapes. A fixed joint is a pin with both limits at zero."""

    shape_a: jax.Array  # i32[J]
    shape_b: jax.Array  # i32[J]
    anchor_a: jax.Array  # f32[J, 2]  m, body frame of shape a
    anchor_b: jax.Array  # f32[J, 2]  m, body frame of shape b
    rest_angle: jax.Array  # f32[J]  rad, rotation b - rotation a at angle zero
    has_limit: jax.Array  # bool[J]
    lower: jax.Array  # f32[J]  rad, least angle
    upper: jax.Array  # f32[J]  rad, greatest angle
    spring_hertz: jax.Array  # f32[J]  Hz, of a torsion spring towards angle zero; 0 for none
    spring_damping: jax.Array  # f32[J]  damping ratio of that spring
    active: jax.Array  # bool[J]


@struct.dataclass
class Thrusters:
    """Points of shapes at which a force can act."""

    shape: jax.Array  # i32[T]
    point: jax.Array  # f32[T, 2]  m, body frame
    angle: jax.Array  # f32[T]  rad, direction of the force, body frame


@struct.dataclass
class Scene:
    """What does not change. Polygons are convex, anticlockwise; a body frame's origin is the centroid."""

    vertices: jax.Array  # f32[P, V, 2]  m, body frame; unused ones repeat the last
    radius: jax.Array  # f32[C]  m
    inverse_mass: jax.Array  # f32[S]  1/kg; 0 for static and empty slots
    inverse_inertia: jax.Array  # f32[S]  1/(kg m^2)
    friction: jax.Array  # f32[S]  a pair's is the geometric mean
    restitution: jax.Array  # f32[S]  a pair's is the greater
    collides: (
        jax.Array
    )  # bool[K]  False where a shape is absent, both are static, a joint holds them, or a filter says so
    gravity: jax.Array  # f32[2]  m/s^2
    joints: Joints
    thrusters: Thrusters
    size: Size = struct.static()


@struct.dataclass
class State:
    """What changes each tick."""

    position: jax.Array  # f32[S, 2]  m, of the centroid
    rotation: jax.Array  # f32[S]  rad, anticlockwise, not wrapped
    velocity: jax.Array  # f32[S, 2]  m/s
    angular_velocity: jax.Array  # f32[S]  rad/s
    # Per contact point: normal and friction impulse of the last sub-step (N s), slip since it stuck (m), and the
    # normal impulse of the whole tick (N s).
    contacts: jax.Array  # f32[K, 2, 4]
    # Of the last sub-step: x, y (N s), spring, motor, lower limit, upper limit (N m s).
    joint_impulses: jax.Array  # f32[J, 6]


@struct.dataclass
class Controls:
    """What drives a tick."""

    motor_speed: jax.Array  # f32[J]  rad/s, of shape b against shape a
    motor_torque: jax.Array  # f32[J]  N m, most that the motor may use; 0 is off
    thrust: jax.Array  # f32[T]  N
