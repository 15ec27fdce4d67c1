"""How often somebody may ask: a bucket that refills at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Lets `burst` things through at once, and `per_second` of them in the long run."""

    def __init__(self, per_second: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._left, self._at = burst, now()

    def take(self) -> bool:
        """Whether one more is let through now."""
        at = self._now()
        self._left = min(self._burst, self._left + (at - self._at) * self._per_second)
        self._at = at
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Buckets:
    """A bucket for each visitor; those least lately seen are forgotten."""

    _MOST = 1024

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._of: dict[str, Bucket] = {}

    def take(self, visitor: str) -> bool:
        """Whether `visitor` may ask once more now."""
        bucket = self._of.pop(visitor, None) or Bucket(self._per_second, self._burst)
        self._of[visitor] = bucket
        if len(self._of) > self._MOST:
            del self._of[next(iter(self._of))]
        return bucket.take()
