"""What several seeds' successes say together: interquartile means, confidence intervals, risk curves.

Axis letters: S seeds, L levels, E episodes, K points of a curve, R resamples, V variables.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Statistic = Callable[[Array], Array]  # of f64[R, S, ...], led by resamples: one value, or one array, for each

LEVEL = 0.95  # of the confidence intervals
_RESAMPLES = 5000
_RANKINGS = 500  # resamples, where each must be ranked anew
_TRIMMED = 0.25  # share of the values that an interquartile mean leaves out at either end


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A statistic of several seeds with its confidence interval. All of one shape; one seed has no interval."""

    value: Array  # f64[...]
    low: Array | None  # f64[...]
    high: Array | None  # f64[...]


def iqm(scores: Any, axis: int | None = None) -> Array:
    """Interquartile mean along `axis`, or of all: the mean without the lowest and the highest quarter.

    Of n values, floor(n / 4) are left out at either end, so that of fewer than four all count. Less swayed by a seed
    that failed than the mean is, and less by chance than the median (R. Agarwal et al., "Deep Reinforcement Learning at
    the Edge of the Statistical Precipice", NeurIPS 2021). Raises ImportError without the extra.
    """
    return np.asarray(_scipy_stats().trim_mean(np.asarray(scores, float), _TRIMMED, axis=axis))


def seeds_iqm(samples: Array) -> Array:
    """f64[R, ...] of f64[R, S, ...]: the interquartile mean over the seeds."""
    return iqm(samples, axis=1)


def table_iqm(samples: Array) -> Array:
    """f64[R] of f64[R, S, L]: the interquartile mean over all seeds' results on all levels."""
    return iqm(samples.reshape(len(samples), -1), axis=1)


def table_mean(samples: Array) -> Array:
    """f64[R] of f64[R, S, L]: the mean over all seeds' results on all levels."""
    return np.asarray(samples.reshape(len(samples), -1).mean(axis=1))


def estimate(scores: Any, statistic: Statistic) -> Estimate:
    """`statistic` of `scores` f64[S, ...], and its percentile bootstrap interval of `LEVEL` over the seeds.

    Seeds are drawn anew with all that they scored: what one seed does on different levels hangs together, and drawing
    level by level, as fits runs that were trained for one task each, would make the interval too narrow. It tells of
    other seeds on the same levels. The draws are always the same, so equal scores give equal intervals.
    """
    scores = np.asarray(scores, float)
    value = statistic(scores[None])[0]
    num_seeds = len(scores)
    if num_seeds == 1:
        return Estimate(value, None, None)
    drawn = np.random.default_rng(0).integers(num_seeds, size=(_RESAMPLES, num_seeds))
    # order does not matter, so a few seeds make a few different draws
    different, which = np.unique(np.sort(drawn, axis=1), axis=0, return_inverse=True)
    parts = np.array_split(different, max(1, len(different) // 256))
    found = np.concatenate([statistic(scores[part]) for part in parts])[which.reshape(-1)]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Estimate(value, low, high)


def rank_correlations(values: Any) -> Estimate:
    """f64[V, V]: Spearman's rank correlation over levels of each two of V variables, mean over seeds.

    `values` is f64[V, S, L]. The percentile bootstrap interval of `LEVEL` is over levels, the same ones drawn for all
    variables and seeds: it tells of other levels, not of other seeds. NaN for a variable that in some seed is the same
    on all levels.
    """
    values = np.asarray(values, float)
    num_levels = values.shape[2]
    draws = np.random.default_rng(0).integers(num_levels, size=(_RANKINGS, num_levels))
    found = np.stack([_spearman(values[..., chosen]) for chosen in draws])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no resample tells the correlation of what never varies
        low, high = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Estimate(_spearman(values), low, high)


def _spearman(values: Array) -> Array:
    """f64[V, V] of f64[V, S, L]."""
    ranks = np.asarray(_scipy_stats().rankdata(values, axis=-1), float)
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.mean(np.einsum("vsl,wsl->vws", centred, centred) / (size[:, None] * size[None]), axis=-1))


def risk_percents(num_levels: int, num_points: int = 31) -> Array:
    """f64[K]: percentages from 0.1 to 100, evenly spaced in the logarithm, from one level on."""
    percents = np.logspace(-1.0, 2.0, num_points)
    percents[-1] = 100.0
    return percents[percents * num_levels >= 100.0 * (1 - 1e-9)]


def risk_curve(ranking: Any, scoring: Any, percents: Any) -> Array:
    """f64[S, K]: each seed's mean success on the worst `percents` f64[K] of its levels.

    A seed's levels are ranked by their mean success in `ranking` f64[S, L, E] and scored by that in `scoring`, of other
    episodes: scored by the same, the worst would be those of bad luck too. Of levels that rank alike the first counts
    as the worse; a share of the levels is rounded up to whole ones. The conditional value at risk of A. Rutherford
    et al., "No Regrets: Investigating and Improving Regret Approximations for Curriculum Discovery", NeurIPS 2024.

    Raises ValueError for arrays of different seeds or levels, or percentages that are not above 0 and at most 100.
    """
    ranking, scoring, percents = (np.asarray(x, float) for x in (ranking, scoring, percents))
    if ranking.ndim != 3 or ranking.shape[:2] != scoring.shape[:2]:
        raise ValueError(
            f"ranking has shape {ranking.shape} and scoring {scoring.shape}; expected [S, L, E] of the same S and L"
        )
    if not np.all((percents > 0) & (percents <= 100)):
        raise ValueError(f"percents are {percents.tolist()}; expected numbers above 0 and at most 100")
    num_levels = ranking.shape[1]
    order = np.argsort(ranking.mean(axis=2), axis=1, kind="stable")
    scores = np.take_along_axis(scoring.mean(axis=2), order, axis=1)
    means = np.cumsum(scores, axis=1) / np.arange(1, num_levels + 1)
    counts = np.ceil(percents / 100 * num_levels - 1e-9).astype(int)
    return np.asarray(means[:, np.maximum(counts, 1) - 1])


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError('statistics need scipy, which is not installed: run pip install "minicosm[train]"') from error
    return stats
