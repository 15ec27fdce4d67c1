"""Stepping a scene, alone or among thousands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from minicosm import kernels
from minicosm.envs.physics.engine import reference
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.scene import Controls, Scene, State
from minicosm.envs.physics.engine.size import Size, sides
from minicosm.kernels import rigid

Tick = Callable[[Scene, State, Controls], State]


def tick(scene: Scene, state: State, controls: Controls, config: EngineConfig | None = None) -> State:
    """The state of one scene `config.dt` later. Under `vmap`, all scenes of the batch step together.

    On a CPU with the native kernels (docs/kernels.md) these step; elsewhere, in 64 bits and under differentiation,
    `reference_tick` does. Both follow the same arithmetic in the same order.

    Raises ValueError for arrays that are not of one scene of `scene.size`.
    """
    _require_one_scene(scene, state, controls)
    return _accelerated(scene.size, config or EngineConfig())(scene, state, controls)


def reference_tick(scene: Scene, state: State, controls: Controls, config: EngineConfig | None = None) -> State:
    """`tick` in pure JAX: what is right, by definition. Raises as that does."""
    _require_one_scene(scene, state, controls)
    one = jax.tree.map(lambda x: x[None], (scene, state, controls))
    batched: Any = _batched(config or EngineConfig())
    stepped: State = jax.tree.map(lambda x: x[0], batched(*one))
    return stepped


def _require_one_scene(scene: Scene, state: State, controls: Controls) -> None:
    shapes, joints = (scene.size.num_shapes,), (scene.size.num_joints,)
    for name, array, wanted in (
        ("scene.inverse_mass", scene.inverse_mass, shapes),
        ("state.rotation", state.rotation, shapes),
        ("controls.motor_speed", controls.motor_speed, joints),
    ):
        if array.shape != wanted:
            hint = "use jax.vmap(tick) for many scenes" if array.ndim > 1 else "build all three for one size"
            raise ValueError(
                f"{name} has the shape {array.shape}, where one scene of {scene.size} has {wanted}: {hint}"
            )


@functools.cache
def _accelerated(size: Size, config: EngineConfig) -> Tick:
    layout = rigid.Layout(
        size.num_walls,
        size.num_polygons,
        size.num_circles,
        size.num_joints,
        size.num_thrusters,
        size.max_vertices,
        *sides(size),
    )
    springs, joint = reference.springs(config)
    settings = rigid.Settings(
        config.dt,
        config.substep,
        springs.contact,
        springs.static_contact,
        springs.friction,
        joint,
        config.max_push_speed,
        config.max_pull_speed,
        config.restitution_threshold,
        config.margin,
        config.max_speed,
        config.max_spin,
        config.num_substeps,
        config.num_joint_sweeps,
    )

    def by_kernel(scene: Scene, state: State, controls: Controls) -> State:
        leaves = rigid.tick(jax.tree.leaves((scene, state, controls)), layout, settings)
        after: State = jax.tree.unflatten(jax.tree.structure(state), leaves)
        return after

    def by_reference(scene: Scene, state: State, controls: Controls) -> State:
        return reference_tick(scene, state, controls, config)

    return kernels.accelerate(by_reference, by_kernel, platforms=("cpu", "cuda"))


@functools.cache
def _batched(config: EngineConfig) -> Tick:
    """A function of (scene, state, controls) led by a batch axis, which gathers further batch axes into that one."""

    def plain(scene: Scene, state: State, controls: Controls) -> State:
        if not len(state.rotation):  # no scene: the reference reads the first one
            return state
        after: State = _first(reference.tick(_last(scene), _last(state), _last(controls), config))
        return after

    ticks = jax.custom_batching.custom_vmap(plain)

    @ticks.def_vmap
    def more_scenes(axis_size: int, is_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        def lead(is_batched: bool, x: jax.Array) -> jax.Array:
            full = x if is_batched else jnp.broadcast_to(x, (axis_size, *x.shape))
            return full.reshape(full.shape[0] * full.shape[1], *full.shape[2:])

        flat = jax.tree.map(lead, tuple(is_batched), arguments)
        inner = arguments[1].rotation.shape[1 if is_batched[1].rotation else 0]
        out = ticks(*flat)
        out = jax.tree.map(lambda x: x.reshape(axis_size, inner, *x.shape[1:]), out)
        return out, jax.tree.map(lambda _: True, out)

    differentiable = jax.custom_jvp(ticks)

    @differentiable.defjvp
    def differentiate(primals: Any, tangents: Any) -> Any:
        return jax.jvp(plain, primals, tangents)  # custom_vmap has no derivative in reverse

    return differentiable


def _last(tree: Any) -> Any:
    """Batch axes from first to last."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), tree)


def _first(tree: Any) -> Any:
    """And back."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), tree)
