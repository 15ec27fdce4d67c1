"""Where the parts of an observation lie among the flat features that the rollout keeps."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete, Space


@dataclasses.dataclass(frozen=True)
class Part:
    """One array of an observation."""

    name: str  # "" where the observation is that array alone
    space: Box | Discrete | MultiDiscrete
    start: int  # of its numbers among the features

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return space_size(self.space)

    @property
    def is_whole(self) -> bool:
        """It holds integers."""
        return np.issubdtype(np.dtype(self.space.dtype), np.integer)

    def read(self, features: jax.Array) -> jax.Array:
        """The part in its own shape, [..., *shape], out of `features` [..., F]."""
        flat = features[..., self.start : self.start + self.size]
        return flat.reshape(*features.shape[:-1], *self.space.shape)

    def numbers(self, features: jax.Array) -> jax.Array:
        """f32[..., k]: the part in a row; a choice as zeros and a one."""
        if isinstance(self.space, Discrete):
            return jax.nn.one_hot(self.read(features).astype(jnp.int32), self.space.n)
        return self.read(features).reshape(*features.shape[:-1], -1)


def space_size(space: Space) -> int:
    """F, numbers in one observation. Raises ValueError for a space that the trainer cannot read."""
    if isinstance(space, Box):
        return space.size
    if isinstance(space, Dict):
        return sum(space_size(part) for _, part in space.items)
    if isinstance(space, Discrete):
        return 1
    if isinstance(space, MultiDiscrete):
        return len(space.n)
    raise ValueError(f"the trainer cannot read observations from {space}")


def parts_of(space: Space) -> tuple[Part, ...]:
    """The parts of an observation in the order of `flatten_observation`, by name."""
    parts: list[Part] = []

    def walk(space: Space, name: str) -> None:
        if isinstance(space, Dict):
            for key, part in sorted(space.items):
                walk(part, f"{name}.{key}" if name else key)
        else:
            parts.append(Part(name, space, parts[-1].start + parts[-1].size if parts else 0))

    walk(space, "")
    return tuple(parts)
