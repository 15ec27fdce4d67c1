"""The rigid-body kernel: see src/rigid_tick.h. Its reference is `minicosm.envs.physics.engine.reference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MAX_VERTICES = 16  # of one polygon


class Layout(NamedTuple):
    """The sizes of a batch's scenes, and whom the solver sits left and right of each pair, in solving order."""

    num_walls: int
    num_polygons: int
    num_circles: int
    num_joints: int
    num_thrusters: int
    max_vertices: int
    left: np.ndarray  # i32[K]
    right: np.ndarray  # i32[K]

    def arrays(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """Shape and type of the arrays of a scene, a state and controls, in the order of their declaration."""
        counts = (self.num_polygons, self.num_circles, self.num_joints, self.num_thrusters, len(self.left))
        polygons, circles, joints, thrusters, pairs = ((count,) for count in counts)
        shapes = (self.num_polygons + self.num_circles,)
        return {
            "vertices": ((*polygons, self.max_vertices, 2), np.float32),
            "radius": (circles, np.float32),
            "inverse_mass": (shapes, np.float32),
            "inverse_inertia": (shapes, np.float32),
            "friction": (shapes, np.float32),
            "restitution": (shapes, np.float32),
            "collides": (pairs, np.bool_),
            "gravity": ((2,), np.float32),
            "joints.shape_a": (joints, np.int32),
            "joints.shape_b": (joints, np.int32),
            "joints.anchor_a": ((*joints, 2), np.float32),
            "joints.anchor_b": ((*joints, 2), np.float32),
            "joints.rest_angle": (joints, np.float32),
            "joints.has_limit": (joints, np.bool_),
            "joints.lower": (joints, np.float32),
            "joints.upper": (joints, np.float32),
            "joints.spring_hertz": (joints, np.float32),
            "joints.spring_damping": (joints, np.float32),
            "joints.active": (joints, np.bool_),
            "thrusters.shape": (thrusters, np.int32),
            "thrusters.point": ((*thrusters, 2), np.float32),
            "thrusters.angle": (thrusters, np.float32),
            "position": ((*shapes, 2), np.float32),
            "rotation": (shapes, np.float32),
            "velocity": ((*shapes, 2), np.float32),
            "angular_velocity": (shapes, np.float32),
            "contacts": ((*pairs, 2, 4), np.float32),
            "joint_impulses": ((*joints, 6), np.float32),
            "motor_speed": (joints, np.float32),
            "motor_torque": (joints, np.float32),
            "thrust": (thrusters, np.float32),
        }


_STATE = slice(22, 28)  # of these


class Settings(NamedTuple):
    """How to step; a softness is (rate, mass scale, impulse scale)."""

    dt: float  # s
    step: float  # s
    contact: Sequence[float]
    static_contact: Sequence[float]
    friction: Sequence[float]
    joint: Sequence[float]
    push_speed: float  # m/s
    pull_speed: float  # m/s, rad/s
    restitution_threshold: float  # m/s
    margin: float  # m
    max_speed: float  # m/s
    max_spin: float  # rad/s
    num_substeps: int
    num_joint_sweeps: int


def ticks(
    arrays: Sequence[jax.Array], layout: Layout, settings: Settings, num_ticks: int, target: str = "minicosm_rigid_tick"
) -> Sequence[jax.Array]:
    """The state after some ticks: position, rotation, velocity, angular velocity, contacts, joint impulses.

    And of more than one tick, i32[K], in which of them each pair first pressed on each other, `num_ticks` where none.
    `arrays` are the leaves of the scene, of the state and of the controls, in the order of their declaration; worlds
    are leading axes. `target` is the foreign function as it was registered. The results take the place of the state
    that was given: a loop of ticks copies nothing, and where that state is still wanted, XLA copies it first.

    Raises ValueError for arrays that are not those of `layout.arrays()`: the kernel looks at neither shapes nor types.
    """
    for (name, (shape, kind)), given in zip(layout.arrays().items(), arrays, strict=True):
        if given.shape != shape or given.dtype != kind:
            raise ValueError(f"{name} is {given.dtype}{list(given.shape)}; expected {np.dtype(kind)}{list(shape)}")
    state = arrays[_STATE]
    out = [jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in state]  # type: ignore[no-untyped-call]
    if num_ticks > 1:
        out.append(jax.ShapeDtypeStruct(layout.left.shape, jnp.int32))  # type: ignore[no-untyped-call]
    numbers = (
        settings.dt,
        settings.step,
        *settings.contact,
        *settings.static_contact,
        *settings.friction,
        *settings.joint,
        settings.push_speed,
        settings.pull_speed,
        settings.restitution_threshold,
        settings.margin,
        settings.max_speed,
        settings.max_spin,
    )
    in_place = {_STATE.start + i: i for i in range(len(state))}
    result: Any = jax.ffi.ffi_call(target, out, vmap_method="broadcast_all", input_output_aliases=in_place)(
        *arrays,
        sizes=np.array(layout[:6], np.int64),
        left=layout.left.astype(np.int32),
        right=layout.right.astype(np.int32),
        numbers=np.array(numbers, np.float32),
        num_ticks=np.int64(num_ticks),
        num_substeps=np.int64(settings.num_substeps),
        num_joint_sweeps=np.int64(settings.num_joint_sweeps),
    )
    return list(result)
