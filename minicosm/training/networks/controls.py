"""The policy's last layers where each choice of an action drives links that the observation lists.

What a choice is worth then hangs on the links that it drives: the motor's joint, where it is and what it joins. All
choices of a kind share their parameters, so that what was learnt with one binding is known of every other.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp

from minicosm.envs.spaces import Space
from minicosm.training.actions import ActionDistribution, Categorical
from minicosm.training.networks.dense import Dense
from minicosm.training.networks.entities import Activation, Encodings, entity_layout
from minicosm.training.networks.layout import Part

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_orthogonal = nn.initializers.orthogonal
Driven = tuple[tuple[str, int], ...]  # of each choice, a set of links and the column that marks those it drives


@dataclasses.dataclass(frozen=True)
class Kind:
    """Choices side by side that drive links of one set and have as many options."""

    rows: Part  # of the set
    columns: tuple[int, ...]  # of its rows, one for each choice
    options: int  # parameters of a choice


def kinds_of(driven: Driven, distribution: ActionDistribution, space: Space) -> tuple[Kind, ...]:
    """The choices of `distribution` in their order, kind by kind.

    Raises ValueError where the world does not tell what every choice drives, or the observation does not list it.
    """
    options = (1,) * distribution.num_parameters
    if isinstance(distribution, Categorical):
        options = distribution.counts
    sets = {link.rows.name: link.rows for link in entity_layout(space).links}
    if len(driven) != len(options) or any(name not in sets for name, _ in driven):
        raise ValueError(
            "NetworkConfig.by_control is True, but the world does not tell which links each choice of an action drives;"
            " expected physics with one agent, observation_kind 'entities' and action_kind 'continuous' or"
            " 'multi_discrete'; use by_control=False elsewhere"
        )
    each = [(name, column, count) for (name, column), count in zip(driven, options, strict=True)]
    grouped = itertools.groupby(each, key=lambda one: (one[0], one[2]))
    return tuple(Kind(sets[name], tuple(column for _, column, _ in some), count) for (name, count), some in grouped)


class ControlHead(nn.Module):
    """Parameters of each choice from what the policy knows of the whole, and from the links that the choice drives."""

    kinds: tuple[Kind, ...]
    activate: Activation

    @nn.compact
    def __call__(self, whole: jax.Array, encodings: Encodings, features: jax.Array) -> jax.Array:
        """f32[..., K] of `whole` f32[..., H] and flat features f32[..., F]; 0 for choices that drive nothing."""
        found = []
        for i, kind in enumerate(self.kinds):
            marks = kind.rows.read(features)[..., jnp.array(kind.columns)]  # [..., L, C]
            links = encodings[kind.rows.name]
            driven = jnp.einsum("...lc,...lw->...cw", marks, links)
            width = whole.shape[-1]
            heard = Dense(width, kernel_init=_orthogonal(1.0), name=f"driven_{i}")(driven)
            known = Dense(width, kernel_init=_orthogonal(1.0), name=f"known_{i}")(whole)
            inner = self.activate(heard + known[..., None, :])
            each = Dense(kind.options, kernel_init=_orthogonal(0.01), name=f"policy_{i}")(inner)
            drives = jnp.max(marks, axis=-2)[..., None]
            found.append((each * drives).reshape(*whole.shape[:-1], -1))
        return jnp.concatenate(found, axis=-1)
