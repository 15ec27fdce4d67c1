"""Stepping a scene, alone or among thousands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from minicosm import kernels
from minicosm.envs.physics.engine import query, reference
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.scene import Controls, Scene, State
from minicosm.envs.physics.engine.size import Size, sides
from minicosm.kernels import rigid

Tick = Callable[[Scene, State, Controls], State]
Ticks = Callable[[Scene, State, Controls], tuple[State, jax.Array]]


def tick(scene: Scene, state: State, controls: Controls, config: EngineConfig | None = None) -> State:
    """The state of one scene `config.dt` later. Under `vmap`, all scenes of the batch step together.

    On a CPU with the native kernels (docs/kernels.md) these step; elsewhere, in 64 bits and under differentiation,
    `reference_tick` does. Both follow the same arithmetic in the same order.

    Raises ValueError for arrays that are not of one scene of `scene.size`.
    """
    return ticks(scene, state, controls, 1, config)[0]


def ticks(
    scene: Scene, state: State, controls: Controls, num_ticks: int, config: EngineConfig | None = None
) -> tuple[State, jax.Array]:
    """The state of one scene `num_ticks` ticks later, the controls held; and when its shapes touched.

    That is i32[K], for each of `size.pairs`: the tick in which it first pressed on each other (`query.touching_pairs`),
    counted from 0, and `num_ticks` where it did not. On a CPU or GPU with the native kernels all ticks are one call.

    Raises ValueError for what is no number of ticks, and as `tick` does.
    """
    _require_one_scene(scene, state, controls)
    if isinstance(num_ticks, bool) or not isinstance(num_ticks, int) or num_ticks < 1:
        raise ValueError(f"num_ticks is {num_ticks!r}; expected a whole number of ticks, at least 1")
    return _accelerated(scene.size, config or EngineConfig(), num_ticks)(scene, state, controls)


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
def _accelerated(size: Size, config: EngineConfig, num_ticks: int) -> Ticks:
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

    def touched(scene: Scene, after: State, tick: jax.typing.ArrayLike) -> jax.Array:
        return jnp.where(query.touching_pairs(scene, after), tick, num_ticks).astype(jnp.int32)

    def by_kernel(scene: Scene, state: State, controls: Controls) -> tuple[State, jax.Array]:
        leaves = rigid.ticks(jax.tree.leaves((scene, state, controls)), layout, settings, num_ticks)
        if num_ticks > 1:
            *leaves, touch = leaves
        after = jax.tree.unflatten(jax.tree.structure(state), leaves)
        return after, touch if num_ticks > 1 else touched(scene, after, 0)

    def by_reference(scene: Scene, state: State, controls: Controls) -> tuple[State, jax.Array]:
        def one(now: tuple[State, jax.Array], number: jax.Array) -> tuple[tuple[State, jax.Array], None]:
            after = reference_tick(scene, now[0], controls, config)
            return (after, jnp.minimum(now[1], touched(scene, after, number))), None

        none = jnp.full(scene.collides.shape, num_ticks, jnp.int32)
        after, _ = jax.lax.scan(one, (state, none), jnp.arange(num_ticks, dtype=jnp.int32))
        return after

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
