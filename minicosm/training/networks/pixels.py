"""A convolutional encoder (LeCun et al. 1989) of pictures and of small grids."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.spaces import Box, Space
from minicosm.training.networks.dense import Dense
from minicosm.training.networks.entities import Encoded
from minicosm.training.networks.layout import Part, parts_of

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_MOST_CATEGORIES = 16  # integers of at most so many values are categories rather than amounts
_LARGE, _SMALL = 64, 12  # pixels from which a convolution steps by 4, and by 2


@dataclasses.dataclass(frozen=True)
class PictureLayout:
    """The picture in an observation, and what is left."""

    picture: Part  # [H, W, C]
    others: tuple[Part, ...]


def picture_layout(space: Space) -> PictureLayout:
    """Find the picture in an observation space. Raises ValueError, saying what it finds, unless there is just one."""
    parts = parts_of(space)
    pictures = [part for part in parts if isinstance(part.space, Box) and len(part.space.shape) == 3]
    if len(pictures) != 1:
        raise ValueError(f"it holds {len(pictures)} arrays of shape [height, width, channels]")
    (picture,) = pictures
    low, high = picture.space.bounds  # type: ignore[union-attr]
    if not (np.isfinite(low).all() and np.isfinite(high).all() and low.min() < high.max()):
        raise ValueError("its picture has no finite bounds")
    return PictureLayout(picture, tuple(part for part in parts if part is not picture))


class PictureEncoder(nn.Module):
    """Convolutions over the picture, laid in a row, and what is left of the observation.

    Pictures from 64 pixels on first lose three quarters of their height and width; each further convolution halves
    them, as long as there are 12, and then only takes off the edge.
    """

    layout: PictureLayout
    channels: tuple[int, ...]
    activate: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, features: jax.Array) -> Encoded:
        """Of flat features [..., F]."""
        x = planes(self.layout.picture, features)
        for i, width in enumerate(self.channels):
            size, stride = _squares(min(x.shape[-3:-1]))
            dense = Dense(width, kernel_init=nn.initializers.orthogonal(2**0.5), name=f"convolution_{i}")
            x = self.activate(dense(patches(x, size, stride)))
        flat = x.reshape(*x.shape[:-3], -1)
        return Encoded(jnp.concatenate([flat, *(part.numbers(features) for part in self.layout.others)], axis=-1))


def planes(picture: Part, features: jax.Array) -> jax.Array:
    """f32[..., H, W, C]: amounts scaled to 0 … 1; categories as zeros and a one, in more channels."""
    low, high = (int(bound) if picture.is_whole else float(bound) for bound in _range(picture))
    x = picture.read(features)
    if picture.is_whole and high - low < _MOST_CATEGORIES:
        one_hot = jax.nn.one_hot(x.astype(jnp.int32) - int(low), int(high - low) + 1)
        return one_hot.reshape(*x.shape[:-1], -1)
    return (x.astype(jnp.float32) - low) / (high - low)


def patches(x: jax.Array, size: int, stride: int) -> jax.Array:
    """[..., H', W', size² C]: the squares of `size` pixels within x [..., H, W, C], every `stride` pixels.

    A product with them is a convolution, and on a CPU a quicker one than XLA's inside of a loop.
    """
    height, width = ((n - size) // stride + 1 for n in x.shape[-3:-1])
    shifted = [
        x[..., i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride, :]
        for i in range(size)
        for j in range(size)
    ]
    return jnp.concatenate(shifted, axis=-1)


def _squares(pixels: int) -> tuple[int, int]:
    """Size and stride of a convolution over so many pixels, in the shorter direction."""
    if pixels >= _LARGE:
        return 8, 4
    return min(3, pixels), 2 if pixels >= _SMALL else 1


def _range(picture: Part) -> tuple[float, float]:
    low, high = picture.space.bounds  # type: ignore[union-attr]
    return low.min(), high.max()
