"""One self-resetting world as pure functions that are cheap under `vmap`.

A world that draws its next level in the step where its episode ends pays for it at every step once it is vmapped, since
a branch becomes a select. So `step` has a batching rule of its own: B worlds side by side are `AutoReset`, which draws
levels for the few that need one, in bulk.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.envs.spaces import Box, Dict, Space
from minicosm.wrappers.auto_reset import AutoReset, AutoResetState, LevelSource, with_keys, with_plain_keys

Step = Callable[[jax.Array, AutoResetState, jax.Array], tuple[AutoResetState, TimeStep]]


@dataclasses.dataclass(frozen=True)
class OneWorld:
    """A world of `env` that resets itself in the step that ends its episode, as `AutoReset` in mode "same_step" does.

    Its levels follow from the key of `reset`, so they are those of `AutoReset.level_of`; what happens by chance in a
    step follows from that step's key. Keys are JAX's new ones or plain u32[2]; arrays lead with A.
    """

    env: Environment[Any, Any]
    level_source: LevelSource | None = None

    def reset(self, key: jax.Array) -> tuple[AutoResetState, Observation]:
        """Start the first episode."""
        worlds = AutoReset(self.env, 1, level_source=self.level_source)
        state, observation = worlds.reset(as_key(key)[None])
        return jax.tree.map(lambda x: x[0], (with_plain_keys(state), observation))  # type: ignore[no-any-return]

    def step(self, key: jax.Array, state: AutoResetState, action: jax.Array) -> tuple[AutoResetState, TimeStep]:
        """Advance by one tick; `action` leads with A. For `info` see `AutoReset.step`."""
        return _stepper(self.env, self.level_source)(jax.random.key_data(as_key(key)), state, action)


@functools.lru_cache(maxsize=64)
def _stepper(env: Environment[Any, Any], level_source: LevelSource | None) -> Step:
    def advance(num_envs: int, key: jax.Array, state: AutoResetState, action: jax.Array) -> Any:
        worlds = AutoReset(env, num_envs, level_source=level_source)
        state, timestep = worlds.step_with(jax.random.wrap_key_data(key), with_keys(state), action)
        return with_plain_keys(state), timestep

    @jax.custom_batching.custom_vmap
    def step(key: jax.Array, state: AutoResetState, action: jax.Array) -> Any:
        batched = advance(1, *jax.tree.map(lambda x: x[None], (key, state, action)))
        return jax.tree.map(lambda x: x[0], batched)

    @step.def_vmap
    def step_many(axis_size: int, is_batched: Any, *args: Any) -> Any:
        def lead(x: jax.Array, batched: bool) -> jax.Array:
            return x if batched else jnp.broadcast_to(x, (axis_size, *jnp.shape(x)))

        out = advance(axis_size, *jax.tree.map(lead, args, tuple(is_batched)))
        return out, jax.tree.map(lambda _: True, out)

    return step


def as_key(key: jax.Array) -> jax.Array:
    """`key` as one of JAX's new keys, from one of those or a plain u32[2]. Raises TypeError for anything else."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return key
    if dtype != np.uint32:
        raise TypeError(f"key is {key!r}; expected a key of jax.random.key or jax.random.PRNGKey")
    wrapped: jax.Array = jax.random.wrap_key_data(key)
    return wrapped


def as_action(action: Any, space: Space, what: str = "action") -> jax.Array:
    """`action` in the dtype of `space`. Values are not looked at: this runs under `jit`.

    Raises TypeError for real numbers where whole ones are wanted, ValueError for a wrong shape.
    """
    if isinstance(space, Dict):
        raise ValueError(f"the action space is {space}; expected Box, Discrete or MultiDiscrete")
    array = jnp.asarray(action)
    is_real = isinstance(space, Box) and np.dtype(space.dtype).kind == "f"
    if array.dtype.kind not in ("fiu" if is_real else "iu"):
        raise TypeError(f"{what} has dtype {array.dtype}; expected {space.dtype}{list(space.shape)}")
    if array.shape != space.shape:
        raise ValueError(
            f"{what} has shape {array.shape}; expected {space.dtype}{list(space.shape)} "
            "(this is one world: many are jax.vmap of it)"
        )
    return array.astype(space.dtype)
