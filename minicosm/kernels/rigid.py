"""The rigid-body kernel: see src/rigid_tick.h. Its reference is `minicosm.envs.physics.engine.reference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MAX_VERTICES = 16  # of one polygon
_STATE = slice(22, 28)  # of the arrays of a call


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
    """
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
