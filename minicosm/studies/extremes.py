"""Films of the levels on which a run does worst and best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.studies import film
from minicosm.studies.evaluation import Measured, Played
from minicosm.training.record import Frames

Array = np.ndarray[Any, Any]
_FILMED = 4  # levels side by side


def films(measured: Measured, folder: Path) -> Iterator[tuple[Path, Frames]]:
    """Files to write in `folder`, and their films: each run's first seed on the worst and best of each set of levels.

    The levels are the library's and the fresh ones, ranked by how often that seed solved them; fresh ones by both sets
    of rollouts. Of levels that it solved alike the first are shown.
    """
    for index, played in enumerate(measured.runs):
        sets = (("library", measured.library.levels, played.library[0]),)
        fresh = np.concatenate([played.ranking[0], played.scoring[0]], axis=1)
        for where, levels, successes in (*sets, ("fresh", measured.fresh, fresh)):
            if levels is None:
                continue
            order = np.argsort(successes.mean(axis=1), kind="stable")
            best = order[::-1][:_FILMED]
            for which, chosen in (("worst", order[:_FILMED]), ("best", best)):
                prefix = f"{index}_" if len(measured.runs) > 1 else ""
                yield folder / f"{prefix}{where}_{which}.gif", _film(measured, played, levels, chosen)


def _film(measured: Measured, played: Played, levels: Any, chosen: Array) -> Frames:
    shown = jax.tree.map(lambda leaf: jnp.asarray(leaf[chosen]), levels)
    policy = played.run.policy(0, len(chosen), measured.config.greedy)
    return film.record(measured.env, shown, policy, film.Shot(seed=measured.config.seed))
