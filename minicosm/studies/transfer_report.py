"""What the transfer study found, for readers: a table on the terminal, a short report, numbers, curves."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from minicosm.studies import statistics
from minicosm.studies.files import write_whole
from minicosm.studies.transfer_study import ARMS, Array, Trained, TransferStudy

SOLVED = 0.5  # mean solve rate from which a level counts as solved
NEVER = 0.01  # and up to which an agent is said to have stayed at zero
_THRESHOLDS = (0.5, 0.9)
_COLOURS = {"fine-tuned": "#1f4e82", "scratch": "#c1440e"}


@dataclasses.dataclass(frozen=True)
class ArmSummary:
    """One arm on one level, means over the seeds."""

    before: float  # solve rate: zero-shot, or of a fresh net
    after: float  # solve rate at the end
    area: float  # under the learning curve, as a mean success
    steps_to: tuple[float, ...]  # env-steps until the curve reaches each threshold; infinite where it does not


def summarize(trained: Trained) -> dict[str, ArmSummary]:
    """By arm. A curve begins with the solve rate before training."""
    found = {}
    for name, arm in trained.arms.items():
        curve = np.concatenate([arm.before[:, None], arm.curve], axis=1).mean(axis=0)
        steps = np.concatenate([[0], trained.steps])
        reached = tuple(_first(curve, steps, threshold) for threshold in _THRESHOLDS)
        area = _area(curve, steps)
        found[name] = ArmSummary(float(arm.before.mean()), float(arm.after.mean()), area, reached)
    return found


def _area(curve: Array, steps: Array) -> float:
    return float(np.sum((curve[1:] + curve[:-1]) / 2 * np.diff(steps)) / steps[-1])


def _first(curve: Array, steps: Array, threshold: float) -> float:
    reached = np.flatnonzero(curve >= threshold)
    return float(steps[reached[0]]) if len(reached) else math.inf


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What all levels say together. Lists are of levels' names."""

    sooner: tuple[str, ...]  # fine-tuning reaches 50 % in fewer steps
    later: tuple[str, ...]  # scratch does
    neither: tuple[str, ...]  # neither reaches it, or both at once
    only_pretrained: tuple[str, ...]  # solved at the end by fine-tuning and not from scratch
    only_scratch: tuple[str, ...]  # the other way about
    from_zero: tuple[str, ...]  # of `only_pretrained`, those on which scratch stayed at zero


def judge(levels: Sequence[Trained]) -> Verdict:
    """Compare the two arms level by level."""
    each = {trained.level: summarize(trained) for trained in levels}

    def where(test: Callable[[ArmSummary, ArmSummary], bool]) -> tuple[str, ...]:
        return tuple(name for name, arms in each.items() if test(arms[ARMS[0]], arms[ARMS[1]]))

    return Verdict(
        sooner=where(lambda a, b: a.steps_to[0] < b.steps_to[0]),
        later=where(lambda a, b: a.steps_to[0] > b.steps_to[0]),
        neither=where(lambda a, b: a.steps_to[0] == b.steps_to[0]),
        only_pretrained=where(lambda a, b: b.after < SOLVED <= a.after),
        only_scratch=where(lambda a, b: a.after < SOLVED <= b.after),
        from_zero=where(lambda a, b: b.after <= NEVER and a.after >= SOLVED),
    )


def show(levels: Sequence[Trained], console: Console) -> None:
    """Print the table and what it says."""
    table = Table(title="fine-tuned / from scratch", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    for heading in ("zero-shot", "solve rate", "steps to 50 %", "to 90 %", "area"):
        table.add_column(heading, justify="right")
    for trained in levels:
        table.add_row(trained.level, *_cells(summarize(trained)))
    console.print(table)
    for sentence in _sentences(levels):
        console.print(sentence, highlight=False)


def write(study: TransferStudy, levels: Sequence[Trained], title: str) -> list[Path]:
    """Write `report.md`, `numbers.json` and `curves.png` into the study's folder.

    Older files of these names give way, each as a whole. Raises OSError where they cannot be written, ImportError
    without matplotlib.
    """
    writers: dict[str, Callable[[Path], Any]] = {
        "report.md": functools.partial(Path.write_text, data=_report(study, levels, title), encoding="utf-8"),
        "numbers.json": functools.partial(
            Path.write_text, data=json.dumps(_numbers(levels, title), indent=1) + "\n", encoding="utf-8"
        ),
        "curves.png": functools.partial(_draw, levels, title),
    }
    return [write_whole(study.folder / name, writer) for name, writer in writers.items()]


def _cells(arms: dict[str, ArmSummary]) -> list[str]:
    tuned, scratch = (arms[name] for name in ARMS)
    return [
        f"{tuned.before:.0%}",
        f"{tuned.after:.0%} / {scratch.after:.0%}",
        *(f"{_steps(a)} / {_steps(b)}" for a, b in zip(tuned.steps_to, scratch.steps_to, strict=True)),
        f"{tuned.area:.2f} / {scratch.area:.2f}",
    ]


def _steps(number: float) -> str:
    return "–" if math.isinf(number) else f"{number / 1000:,.0f} k"


def _overall(levels: Sequence[Trained]) -> dict[str, dict[str, statistics.Estimate]]:
    """Means over levels, by arm, with intervals over seeds."""
    found = {}
    for name in ARMS:
        arms = [trained.arms[name] for trained in levels]
        tables = {
            "before": np.stack([arm.before for arm in arms], axis=1),
            "after": np.stack([arm.after for arm in arms], axis=1),
            "curve": np.stack([arm.curve.mean(axis=1) for arm in arms], axis=1),
        }
        found[name] = {kind: statistics.estimate(table, statistics.table_mean) for kind, table in tables.items()}
    return found


def _estimate(one: statistics.Estimate) -> str:
    span = "" if one.low is None or one.high is None else f" [{float(one.low):.1%} … {float(one.high):.1%}]"
    return f"{float(one.value):.1%}{span}"


def _sentences(levels: Sequence[Trained]) -> list[str]:
    verdict, overall = judge(levels), _overall(levels)
    tuned, scratch = (overall[name] for name in ARMS)
    return [
        f"Mean over {len(levels)} levels at the end: fine-tuned {_estimate(tuned['after'])}, from scratch "
        f"{_estimate(scratch['after'])}; zero-shot {_estimate(tuned['before'])}.",
        f"50 % is reached in fewer steps by fine-tuning on {len(verdict.sooner)} levels, from scratch on "
        f"{len(verdict.later)}, by neither or at once on {len(verdict.neither)}.",
        f"Solved at the end (from {SOLVED:.0%}) by the pre-trained agent alone: {_list(verdict.only_pretrained)}; "
        f"from scratch alone: {_list(verdict.only_scratch)}. "
        f"Of the former, scratch stayed at zero (at most {NEVER:.0%}) on: {_list(verdict.from_zero)}.",
    ]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _report(study: TransferStudy, levels: Sequence[Trained], title: str) -> str:
    config = study.config
    lines = [
        f"# What is pre-training worth? {title}",
        "",
        f"On each level the pre-trained policy was fine-tuned and a fresh one trained from scratch, {config.steps:,} "
        f"env-steps each, with the same settings ({config.seeds} seed{'s' if config.seeds > 1 else ''}). Solve rates "
        f"are of {config.episodes} episodes per seed, actions drawn as in training. A learning curve holds what share "
        "was won of the episodes that ended lately, within the length of the longest one; before so much was played, "
        "the solve rate before training. Steps are those after which the mean curve over seeds first reaches 50 % or "
        "90 %, – if it never does; areas are under that curve, as a mean success. Pairs are fine-tuned / from scratch.",
        "",
        "| level | zero-shot | solve rate | steps to 50 % | to 90 % | area |",
        "|---|---:|---:|---:|---:|---:|",
        *(f"| {trained.level} | {' | '.join(_cells(summarize(trained)))} |" for trained in levels),
    ]
    for sentence in _sentences(levels):
        lines += ["", sentence]
    if config.seeds > 1:
        lines += ["", f"Intervals are {statistics.LEVEL:.0%} bootstrap intervals over seeds."]
    return "\n".join([*lines, "", "![learning curves](curves.png)"]) + "\n"


def _numbers(levels: Sequence[Trained], title: str) -> Any:
    def number(x: float) -> float | None:
        return x if math.isfinite(x) else None

    return {
        "title": title,
        "thresholds": _THRESHOLDS,
        "verdict": dataclasses.asdict(judge(levels)),
        "overall": {
            arm: {
                kind: {f: None if getattr(e, f) is None else float(getattr(e, f)) for f in ("value", "low", "high")}
                for kind, e in kinds.items()
            }
            for arm, kinds in _overall(levels).items()
        },
        "levels": [
            {
                "level": trained.level,
                "steps": trained.steps.tolist(),
                **{
                    name: {
                        **dataclasses.asdict(summary),
                        "steps_to": [number(x) for x in summary.steps_to],
                        "seeds": {f.name: getattr(arm, f.name).tolist() for f in dataclasses.fields(arm)},
                    }
                    for (name, arm), summary in zip(trained.arms.items(), summarize(trained).values(), strict=True)
                },
            }
            for trained in levels
        ],
    }


def _draw(levels: Sequence[Trained], title: str, path: Path) -> None:
    """A panel for each level, and the mean over levels in the last: thin lines for seeds, thick ones for their mean."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib, which is not installed: run pip install "minicosm[plot]"') from error
    columns = min(5, len(levels) + 1)
    rows = -(-(len(levels) + 1) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, trained in zip(panels, levels, strict=False):
        for name, arm in trained.arms.items():
            _curve(axes, trained.steps, np.concatenate([arm.before[:, None], arm.curve], axis=1), name)
        axes.set_title(trained.level, fontsize=8)
    last = panels[len(levels)]
    for name in ARMS:
        curves = [np.concatenate([t.arms[name].before[:, None], t.arms[name].curve], axis=1) for t in levels]
        _curve(last, levels[0].steps, np.mean(curves, axis=0), name)
    last.set_title("mean over levels", fontsize=8, fontweight="bold")
    last.legend(frameon=False, fontsize=7)
    for axes in panels[len(levels) + 1 :]:
        axes.set_visible(False)
    for axes in panels:
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    figure.supxlabel("env-steps on the level, millions", fontsize=9)
    figure.supylabel("episodes that succeed", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=130, format="png")


def _curve(axes: Any, steps: Array, curves: Array, name: str) -> None:
    millions = np.concatenate([[0], steps]) / 1e6
    axes.plot(millions, curves.T, color=_COLOURS[name], alpha=0.3, linewidth=0.8)
    axes.plot(millions, curves.mean(axis=0), color=_COLOURS[name], linewidth=1.8, label=name)
