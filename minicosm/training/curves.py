"""Learning curves: one JSON line per chunk of updates, and a picture of them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PANELS = (
    ("success", "share of agents that succeed"),
    ("return", "return of an episode"),
    ("length", "length of an episode, ticks"),
)
CURRICULUM = "curriculum/"  # before the names of what a curriculum reports


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """What a chunk of updates did. Every list of `values` leads with the seeds; None where no episode ended."""

    update: int  # updates done
    steps: int  # env-steps done, per seed
    seconds: float  # of wall time, since the run began
    cpu_seconds: float  # of this process
    values: Mapping[str, Sequence[float | None]]  # "success", "return", "length", "episodes", "policy_loss", …

    def mean(self, name: str) -> float:
        """Mean over the seeds that know it; NaN when none does."""
        known = [value for value in self.values.get(name, ()) if value is not None]
        return float(np.mean(known)) if known else float("nan")


def point_of(sums: Mapping[str, Any], progress: Mapping[str, Any]) -> CurvePoint:
    """A point from a chunk's `sums`, each f32[S] (see `Learner.update`), and the point's other fields."""
    per_episode = {"success", "collision", "return", "length"}
    values: dict[str, list[float | None]] = {}
    for name, total in sums.items():
        if name == "episodes":
            values[name] = [float(x) for x in total]
        elif name not in ("minibatches", "updates"):
            is_report = name.startswith(CURRICULUM)
            count = sums["episodes" if name in per_episode else "updates" if is_report else "minibatches"]
            values[name] = [float(x / n) if n > 0 else None for x, n in zip(total, count, strict=True)]
    return CurvePoint(values=values, **progress)


def append_point(path: Path, point: CurvePoint) -> None:
    """Add a line to the curve file. Raises OSError where it cannot be written."""
    with _tell(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(point)) + "\n")


def write_points(path: Path, points: Sequence[CurvePoint]) -> None:
    """Make the curve file anew, as a whole or not at all. Raises OSError where it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _tell(path):
            part.write_text("".join(json.dumps(dataclasses.asdict(p)) + "\n" for p in points), encoding="utf-8")
            part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def read_points(path: str | os.PathLike[str]) -> list[CurvePoint]:
    """The points of a curve file. Raises OSError where there is none and ValueError for a line that is damaged.

    A last line that was cut off in the middle, as by a killed process, is left out.
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    points = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            points.append(CurvePoint(**json.loads(line)))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(f"line {number} of {str(path)!r} is not a point of a learning curve: {error}") from error
    return points


def plot_curves(points: Sequence[CurvePoint], path: str | os.PathLike[str], title: str = "") -> Path:
    """Draw success, return and length against env-steps: a thin line for each seed, a thick one for their mean.

    Raises ValueError without points, ImportError without matplotlib, OSError where `path` cannot be written.
    """
    if not points:
        raise ValueError("there are no points to plot: expected at least one chunk of training")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib, which is not installed: run pip install "minicosm[plot]"') from error
    path = Path(path)
    panels = [panel for panel in _PANELS if panel[0] in points[0].values]
    figure = Figure(figsize=(4.6 * len(panels), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, label) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        _draw_panel(axes, points, name)
        axes.set(xlabel="env-steps, millions", title=label)
        if name == "success":
            axes.set_ylim(0.0, 1.0)
        if name == "success" and "collision" in points[0].values:
            also = [point.mean("collision") for point in points]
            axes.plot([p.steps / 1e6 for p in points], also, color="#b3261e", linewidth=1.2, linestyle="--")
            axes.legend(axes.lines[-2:], ["succeed", "collide"], frameon=False, loc="center right")
    if title:
        figure.suptitle(title)
    with _tell(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    return path


def _draw_panel(axes: Any, points: Sequence[CurvePoint], name: str) -> None:
    steps = [point.steps / 1e6 for point in points]
    curves = np.array([point.values[name] for point in points], dtype=float)  # None becomes NaN, a gap
    if curves.shape[1] > 1:
        axes.plot(steps, curves, color="#3b6ea5", alpha=0.35, linewidth=1.0)
    axes.plot(steps, [point.mean(name) for point in points], color="#1f4e82", linewidth=2.0)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


@contextlib.contextmanager
def _tell(path: Path) -> Any:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot write {str(path)!r} ({reason}); free some space or choose another folder") from error
