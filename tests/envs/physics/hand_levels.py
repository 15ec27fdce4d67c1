"""Small levels laid out by hand, for the tests of the rules."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics import PhysicsConfig, blank
from minicosm.envs.physics.engine.build import build, slots
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Thruster, box, box_walls
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED, SCENERY

MEDIUM = PhysicsConfig(size="m")


def level_of(shapes, roles, joints=(), thrusters=(), motors=(), forces=(), size=MEDIUM.slots, **scene):
    """A level in a 5 m room; of each joint (speed, torque, binding), of each thruster (force, binding)."""
    walls = box_walls(5.0, 5.0)
    made, state = build(size, shapes, joints, thrusters, walls=walls, **scene)
    places = slots(size, shapes, walls)
    empty = blank(size)
    present, role = np.zeros(size.num_shapes, bool), np.zeros(size.num_shapes, np.int32)
    present[list(places)] = True
    role[list(places[: len(shapes)])] = roles
    motor = np.zeros((3, size.num_joints))
    for i, values in enumerate(motors):
        motor[:, i] = values
    force = np.zeros((2, size.num_thrusters))
    for i, values in enumerate(forces):
        force[:, i] = values
    return dataclasses.replace(
        empty,
        scene=made,
        position=state.position,
        rotation=state.rotation,
        velocity=state.velocity,
        angular_velocity=state.angular_velocity,
        present=jnp.asarray(present),
        role=jnp.asarray(role),
        motor_speed=jnp.asarray(motor[0], jnp.float32),
        motor_torque=jnp.asarray(motor[1], jnp.float32),
        motor_binding=jnp.asarray(motor[2], jnp.int32),
        thruster_force=jnp.asarray(force[0], jnp.float32),
        thruster_binding=jnp.asarray(force[1], jnp.int32),
    )


def drop(onto, height=1.0, **fields):
    """A green ball over a static block of role `onto`, its lowest point `height` above it; nothing can be driven."""
    block = box(1.0, 0.5, position=(2.5, 0.25), static=True)
    return level_of([Circle(0.2, position=(2.5, 0.7 + height), **fields), block], [GREEN, onto])


def cart():
    """A green cart on wheels driven by motors 0 and 3, a blue ball before it, a thruster on its roof (1)."""
    shapes = [
        box(0.8, 0.2, position=(1.5, 0.35)),
        Circle(0.15, position=(1.25, 0.15)),
        Circle(0.15, position=(1.75, 0.15)),
        Circle(0.2, position=(4.0, 0.2), static=True),
    ]
    joints = [Pin(0, 1, at=(1.25, 0.15)), Pin(0, 2, at=(1.75, 0.15))]
    thruster = Thruster(0, point=(0.0, 0.1), angle=np.pi / 2)
    size = dataclasses.replace(MEDIUM.slots, num_circles=4)
    motors = [(-8.0, 1.0, 0), (-8.0, 1.0, 3)]
    return level_of(shapes, [GREEN, SCENERY, SCENERY, BLUE], joints, [thruster], motors, [(6.0, 1)], size)


CART = PhysicsConfig(size=dataclasses.replace(MEDIUM.slots, num_circles=4))
__all__ = [
    "AUTOMATIC",
    "BLUE",
    "CART",
    "GREEN",
    "MEDIUM",
    "RED",
    "SCENERY",
    "Circle",
    "Pin",
    "Polygon",
    "Thruster",
    "box",
    "cart",
    "drop",
    "level_of",
]
