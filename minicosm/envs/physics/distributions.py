"""Task distributions by name: what `PhysicsConfig.levels` may say.

"random" contraptions; a family by name; "families", any of those that fit the size; "mixed", random contraptions and
families in equal parts; "library", the library levels of the config's size, "library-all", all that fit, and the names
of library levels; and mixtures of all these by weight, such as "random:0.5,locomotion:0.3,library:0.2", whose weights
need not add up to one.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from minicosm.envs.physics import generate
from minicosm.envs.physics.assemble import Parts, assemble
from minicosm.envs.physics.families import FAMILIES
from minicosm.envs.physics.generate import check_size
from minicosm.envs.physics.level import Level

if TYPE_CHECKING:
    from minicosm.envs.physics.config import PhysicsConfig

LIBRARIES = ("library", "library-all")  # of the library: the levels of the config's size; all that fit
_WHAT = "PhysicsConfig.levels"


def names() -> tuple[str, ...]:
    """What `PhysicsConfig.levels` may be, beside the names of library levels and mixtures by weight."""
    return ("random", *FAMILIES, "families", "mixed", *LIBRARIES)


def sample(key: jax.Array, config: PhysicsConfig) -> Level:
    """A level from the distribution that `config.levels` names.

    Raises ValueError for an unknown name, a mixture that makes no sense, or levels that do not fit `config`.
    """
    weights = mixture(config)
    which_key, level_key = jax.random.split(key) if len(weights) > 1 else (key, key)
    # by kind, so that levels drawn by programs are assembled in one place, which compiles once
    drawn = [name for name in weights if _is_drawn(name)]
    kinds = ([_drawn(drawn, config)] if drawn else []) + [
        functools.partial(_from_library, name, config) for name in weights if name not in drawn
    ]
    order = [*drawn, *(name for name in weights if name not in drawn)]
    which = jax.random.categorical(which_key, jnp.log(jnp.array([weights[name] for name in order], jnp.float32)))
    kind = jnp.maximum(which - max(0, len(drawn) - 1), 0)
    level: Level = jax.lax.switch(kind, kinds, level_key, which)
    return level


def mixture(config: PhysicsConfig) -> dict[str, float]:
    """What `config.levels` is a mixture of, with weights that add up to one.

    Raises ValueError for what cannot be read, has a weight that is no positive number, or is unknown.
    """
    text = config.levels
    if ":" not in text and "," not in text:
        return _plain(text, config)
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = math.nan
        if not (0 < weight < math.inf):
            raise ValueError(
                f"{_WHAT} is {text!r}, in which {name!r} has the weight {number!r}; expected a number above 0"
            )
        for inner, share in _plain(name, config).items():
            weights[inner] = weights.get(inner, 0.0) + weight * share
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def validate_name(config: PhysicsConfig) -> None:
    """Raise ValueError, saying what is known and what may have been meant, unless `sample` can draw for `config`."""
    for name in mixture(config):
        if name == "random":
            check_size(config)
        elif name in FAMILIES:
            FAMILIES[name].check_size(config.slots)
        else:
            _library(name, config)


def _plain(name: str, config: PhysicsConfig) -> dict[str, float]:
    """The weights behind one name."""
    if name in ("families", "mixed"):
        fitting = [family.name for family in FAMILIES.values() if family.fits(config.slots)]
        if name == "families" and not fitting:
            smallest = min((size for f in FAMILIES.values() for size in f.needs().values()), key=lambda s: s.num_pairs)
            raise ValueError(f"{_WHAT} is 'families', but none fits {config.slots}: the smallest needs {smallest}")
        share = (0.5 if name == "mixed" else 1.0) / max(1, len(fitting))
        return {**({"random": 0.5} if name == "mixed" else {}), **dict.fromkeys(fitting, share)}
    from minicosm.envs.physics import library  # it is read from files, which others need not have open

    if name in names() or name in library.names():
        return {name: 1.0}
    close = difflib.get_close_matches(name, (*names(), *library.names()), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    among = f"{_WHAT} is {config.levels!r}" + (f", in which {name!r} is unknown" if name != config.levels else "")
    raise ValueError(
        f"{among}{hint}; expected one of {', '.join(names())}, a library level,"
        " or weights such as 'random:0.5,balance:0.5'"
    )


def _is_drawn(name: str) -> bool:
    return name == "random" or name in FAMILIES


def _drawn(names: list[str], config: PhysicsConfig) -> Callable[[jax.Array, jax.Array], Level]:
    """Draws a level of one of `names`, that of the index i32[]."""

    def branch(name: str) -> Callable[[jax.Array], Parts]:
        draw = generate.parts if name == "random" else FAMILIES[name].parts
        return lambda key: draw(key, config)

    branches = [branch(name) for name in names]
    return lambda key, which: assemble(config.slots, jax.lax.switch(which, branches, key))


def _from_library(name: str, config: PhysicsConfig, key: jax.Array, which: jax.Array) -> Level:
    """One of the library levels that `name` stands for, all as likely."""
    del which
    levels = _library(name, config)
    index = jax.random.randint(key, (), 0, levels.role.shape[0])
    chosen: Level = jax.tree.map(lambda leaf: leaf[index], levels)
    return chosen


@functools.cache
def _library(name: str, config: PhysicsConfig) -> Level:
    """The library level called `name`, or those that one of `LIBRARIES` stands for, led by L."""
    from minicosm.envs.physics import library

    with jax.ensure_compile_time_eval():  # also when traced
        if name in LIBRARIES:
            size = config.size if name == "library" and isinstance(config.size, str) else None
            return library.load_all(config, size)[0]
        one: Level = jax.tree.map(lambda leaf: leaf[None], library.load(name, config))
        return one
