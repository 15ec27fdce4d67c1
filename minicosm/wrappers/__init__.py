"""Wrappers: environments into batches, and into the interfaces that existing code speaks."""

from minicosm.wrappers.auto_reset import AutoReset, AutoResetState
from minicosm.wrappers.batch import Batch

__all__ = ["AutoReset", "AutoResetState", "Batch"]
