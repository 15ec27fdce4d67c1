"""Training that begins from what was learnt before, instead of from scratch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from minicosm.training.ppo import TrainState


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """What a run begins with. The optimiser is fresh in any case.

    Arrays of `params` are of one seed, with which all seeds of the run then begin, or led by as many seeds as it has.
    """

    params: Any = None  # as `load_params` or `TrainResult.params_of` give them; None: fresh ones
    curriculum: Any = None  # the curriculum's state, the same for all seeds; None: that of its `init`

    def put_into(self, state: TrainState) -> TrainState:
        """`state`, led by the seeds, with what is given here in place of what was drawn.

        Raises ValueError, naming the first parameter that differs, where `params` are of another net.
        """
        if self.params is not None:
            state = dataclasses.replace(state, params=fitted(self.params, state.params))
        if self.curriculum is not None:
            teaching = state.teaching
            if teaching is None:
                raise ValueError("Start.curriculum is the state of a curriculum, but the run has none: give train one")
            given = fitted(self.curriculum, teaching.state, "the curriculum's state")
            state = dataclasses.replace(state, teaching=dataclasses.replace(teaching, state=given))
        return state


def fitted(given: Any, like: Any, what: str = "the parameters") -> Any:
    """Copies of the arrays of `given` in the shapes of `like`, which is led by seeds that `given` may lack.

    Raises ValueError, naming the first array that does not fit.
    """
    places, wanted = _by_place(given), _by_place(like)
    for place in wanted:
        if place not in places:
            raise _misfit(what, f"{place} is missing")
    for place in places:
        if place not in wanted:
            raise _misfit(what, f"{place} is not in this run's net")
    made = {}
    for place, array in wanted.items():
        one = jnp.asarray(places[place])
        if one.shape not in (array.shape, array.shape[1:]):
            if one.shape[1:] == array.shape[1:]:
                raise ValueError(
                    f"{what} are of {one.shape[0]} seeds and the run has {array.shape[0]}: choose one of them, or as"
                    " many seeds"
                )
            raise _misfit(what, f"{place} has the shape {one.shape}; expected {array.shape[1:]}")
        made[place] = jnp.array(jnp.broadcast_to(one, array.shape), array.dtype, copy=True)  # training consumes its own
    leaves, structure = jax.tree.flatten(like)
    assert len(leaves) == len(made)
    return jax.tree.unflatten(structure, made.values())


def _by_place(tree: Any) -> dict[str, Any]:
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _misfit(what: str, why: str) -> ValueError:
    return ValueError(
        f"{what} do not fit ({why}): expected those of a run with the same kind and widths of net and the same actions;"
        " to go to a world of another size, both need observation_kind 'entities' and a net of kind 'set' or"
        " 'transformer'"
    )
