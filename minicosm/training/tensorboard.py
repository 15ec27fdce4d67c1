"""Learning curves for TensorBoard, as a callback."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

from minicosm.training.curves import CurvePoint


class TensorBoardLog:
    """Writes every point of the curve as scalars over env-steps, a run for each seed: `tensorboard --logdir FOLDER`.

    `with TensorBoardLog(folder) as log: train(..., callback=log)`. A resumed training adds to what is there. Raises
    ImportError without the extra, OSError where `folder` cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "a log for TensorBoard needs tensorboardX, which is not installed: run pip install "
                '"minicosm[tensorboard]"'
            ) from error
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make = SummaryWriter
        self._writers: list[SummaryWriter] = []

    def __enter__(self) -> TensorBoardLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers:
            writer.close()

    def __call__(self, point: CurvePoint) -> None:
        """Write `point`."""
        num_seeds = max((len(values) for values in point.values.values()), default=0)
        while len(self._writers) < num_seeds:
            seed_folder = str(self._folder / f"seed_{len(self._writers)}")
            # files are named by the second, and one of the same name would be lost
            self._writers.append(self._make(seed_folder, filename_suffix=f".{time.time_ns()}"))
        for name, values in point.values.items():
            for writer, value in zip(self._writers, values, strict=False):
                if value is not None:
                    writer.add_scalar(name if "/" in name else f"train/{name}", value, point.steps)
        for writer in self._writers:
            writer.add_scalar("time/seconds", point.seconds, point.steps)
            writer.flush()
