"""Wrappers: environments into batches, and into the interfaces that existing code speaks."""

from minicosm.wrappers.auto_reset import AutoReset, AutoResetState
from minicosm.wrappers.batch import Batch, Worlds
from minicosm.wrappers.discretize import DiscretizeActions
from minicosm.wrappers.episode_stats import EpisodeStats
from minicosm.wrappers.normalize import NormalizeObservation

__all__ = [
    "AutoReset",
    "AutoResetState",
    "Batch",
    "DiscretizeActions",
    "EpisodeStats",
    "NormalizeObservation",
    "Worlds",
]
