"""Which encoder stands before the layers."""

from __future__ import annotations

import jax.numpy as jnp

from minicosm.envs.spaces import Space
from minicosm.training.config import NetworkConfig
from minicosm.training.networks.entities import EntityTransformer, SetEncoder, entity_layout, names_elements
from minicosm.training.networks.pixels import PictureEncoder, picture_layout

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_ENTITIES = "entities, a Dict of sets with masks, such as physics with observation_kind='entities'"
_PICTURES = "a picture or grid, a bounded Box of shape [height, width, channels] or a Dict with one, such as maze's"


def encoder_for(config: NetworkConfig, space: Space, num_controls: int = 0) -> nn.Module | None:
    """The encoder of observations from `space`, from flat features to `Encoded`; None where layers read these.

    `num_controls` is how many elements of the action there are to tell apart, where links name them. Raises ValueError
    for observations that the kind of net cannot read.
    """
    activate = {"tanh": jnp.tanh, "relu": nn.relu}[config.activation]
    if config.kind == "mlp":
        return None
    try:
        if config.kind in ("set", "transformer"):
            layout = entity_layout(space)
            count = num_controls if config.controls and names_elements(layout, num_controls) else 0
            if config.kind == "set":
                return SetEncoder(layout, config.width, config.queries, count, activate)
            return EntityTransformer(layout, config.width, config.heads, config.layers, count, activate)
        return PictureEncoder(picture_layout(space), config.channels, activate)
    except ValueError as error:
        raise ValueError(
            f"NetworkConfig.kind is {config.kind!r}, which expects observations of "
            f"{_PICTURES if config.kind == 'cnn' else _ENTITIES}; this world's do not fit, as {error}; "
            "use 'mlp', which reads all kinds"
        ) from error
