"""Stepping a scene, alone or among thousands."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine import reference
from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.scene import Controls, Scene, State


def tick(scene: Scene, state: State, controls: Controls, config: EngineConfig | None = None) -> State:
    """The state of one scene `config.dt` later. Under `vmap`, all scenes of the batch step together."""
    one = jax.tree.map(lambda x: x[None], (scene, state, controls))
    return jax.tree.map(lambda x: x[0], _batched(config or EngineConfig())(*one))


@functools.cache
def _batched(config: EngineConfig) -> Any:
    """A function of (scene, state, controls) led by a batch axis, which gathers further batch axes into that one."""

    @jax.custom_batching.custom_vmap
    def ticks(scene: Scene, state: State, controls: Controls) -> State:
        last = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), (scene, state, controls))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), reference.tick(*last, config))

    @ticks.def_vmap
    def more_scenes(axis_size: int, is_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        def lead(is_batched: bool, x: jax.Array) -> jax.Array:
            full = x if is_batched else jnp.broadcast_to(x, (axis_size, *x.shape))
            return full.reshape(-1, *full.shape[2:])

        flat = jax.tree.map(lead, tuple(is_batched), arguments)
        out = ticks(*flat)
        out = jax.tree.map(lambda x: x.reshape(axis_size, -1, *x.shape[1:]), out)
        return out, jax.tree.map(lambda _: True, out)

    return ticks
