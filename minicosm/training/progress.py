"""A progress bar for training, as a callback."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any

from minicosm.training.config import PPOConfig
from minicosm.training.curves import CurvePoint


class ProgressBar:
    """Shows solve rate, return, speed and the time left: `with ProgressBar(config) as bar: train(..., callback=bar)`.

    Raises ImportError without the extra.
    """

    def __init__(self, config: PPOConfig, console: Any = None) -> None:
        try:
            from rich import progress
        except ImportError as error:
            raise ImportError(
                'a progress bar needs rich, which is not installed: run pip install "minicosm[cli]"'
            ) from error
        self._last: CurvePoint | None = None
        self._total = config.num_updates * config.steps_per_update
        self._seeds = config.num_seeds
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[told]}"),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._task = self._bar.add_task("training", total=self._total, told="compiling")

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, point: CurvePoint) -> None:
        """Show `point`."""
        self._bar.update(self._task, completed=point.steps, told=describe(point, self._last, self._seeds))
        self._last = point


def describe(point: CurvePoint, before: CurvePoint | None, num_seeds: int) -> str:
    """A point of the learning curve in a few words; the speed is that since the point `before`, over all seeds."""
    parts = []
    success, returned = point.mean("success"), point.mean("return")
    if not math.isnan(success):
        parts.append(f"solved {success:.0%}")
    if not math.isnan(returned):
        parts.append(f"return {returned:+.2f}")
    steps = point.steps - (before.steps if before else 0)
    seconds = point.seconds - (before.seconds if before else 0.0)
    parts.append(f"{num_seeds * steps / max(seconds, 1e-9):,.0f} steps/s")
    return "  ".join(parts)
