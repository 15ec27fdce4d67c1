"""What the regret study found, for readers: a table on the terminal, a short report, numbers, figures."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from minicosm.studies import statistics
from minicosm.studies.files import write_whole
from minicosm.studies.regret_study import RegretStudy, Stage
from minicosm.studies.statistics import Estimate

Array = np.ndarray[Any, Any]
Correlations = dict[str, dict[str, Estimate]]  # of a score with a truth
_NAMES = {
    "max_mc": "MaxMC",
    "positive_value_loss": "positive value loss",
    "best_known_regret": "best known regret",
    "learnability": "learnability",
    "regret": "regret, exact",
}
_TRUTHS = {"success": "success rate p", "learnability": "learnability p (1 − p)", "regret": "true regret"}
_COLOURS = ("#1f4e82", "#c1440e", "#7b3f98", "#2e7d4f", "#b8860b")


def correlate(stage: Stage) -> Correlations:
    """Spearman's rank correlation of each score with each truth, means over the seeds."""
    values = [*stage.scores.values(), *stage.truths.values()]
    found = statistics.rank_correlations(np.stack(values))
    assert found.low is not None
    assert found.high is not None
    first = len(stage.scores)
    return {
        score: {
            truth: Estimate(found.value[i, first + k], found.low[i, first + k], found.high[i, first + k])
            for k, truth in enumerate(stage.truths)
        }
        for i, score in enumerate(stage.scores)
    }


def show(stages: Sequence[Stage], console: Console) -> None:
    """Print the rank correlations at every point of the run."""
    for stage in stages:
        title = f"after {stage.steps:,} steps, {100 * stage.success:.1f} % of episodes succeed; rank correlation with"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("score")
        for truth in stage.truths:
            table.add_column(_TRUTHS[truth], justify="right", no_wrap=True)
        for score, row in correlate(stage).items():
            table.add_row(_NAMES[score], *(_cell(row[truth]).replace(" [", "\n[") for truth in stage.truths))
        console.print(table)


def write(study: RegretStudy, stages: Sequence[Stage], title: str) -> list[Path]:
    """Write `report.md`, `numbers.json`, `correlations.png` and `scatter.png` into the study's folder.

    Older files of these names give way, each as a whole. Raises OSError where they cannot be written, ImportError
    without matplotlib.
    """
    found = [correlate(stage) for stage in stages]
    numbers = [
        {"steps": stage.steps, "success": stage.success, "correlations": _data(one)}
        for stage, one in zip(stages, found, strict=True)
    ]
    writers: dict[str, Callable[[Path], Any]] = {
        "report.md": functools.partial(Path.write_text, data=_report(study, stages, found, title), encoding="utf-8"),
        "numbers.json": functools.partial(
            Path.write_text, data=json.dumps({"title": title, "points": numbers}, indent=1) + "\n", encoding="utf-8"
        ),
        "correlations.png": functools.partial(_draw_correlations, stages, found, title),
        "scatter.png": functools.partial(_draw_scatter, stages[-1], title),
    }
    return [write_whole(study.folder / name, writer) for name, writer in writers.items()]


def _report(study: RegretStudy, stages: Sequence[Stage], found: Sequence[Correlations], title: str) -> str:
    config, ppo = study.config, study.ppo
    lines = [
        f"# Do the scores of curricula track what can be learned? {title}",
        "",
        f"A policy was trained for {ppo.total_steps:,} env-steps ({_count(ppo.num_seeds, 'seed')}). At each point "
        f"below, {config.levels:,} fresh levels, always the same, were scored from at least "
        f"{_count(config.score_episodes, 'episode')} each, and their success rate, learnability"
        f"{' and regret' if study.knows_regret else ''} were found from {config.true_episodes} other episodes each.",
        "",
        "Numbers are Spearman's rank correlations over levels, means over seeds, with their "
        f"{statistics.LEVEL:.0%} bootstrap intervals over levels. Chance in the {config.true_episodes} episodes "
        "keeps all of them below 1; the row of learnability shows how far.",
    ]
    for stage, correlations in zip(stages, found, strict=True):
        truths = list(stage.truths)
        lines += [
            "",
            f"## After {stage.steps:,} steps: {100 * stage.success:.1f} % of episodes succeed",
            "",
            f"| score | {' | '.join(_TRUTHS[truth] for truth in truths)} |",
            f"|---|{'---:|' * len(truths)}",
        ]
        lines += [
            f"| {_NAMES[score]} | {' | '.join(_cell(row[truth]) for truth in truths)} |"
            for score, row in correlations.items()
        ]
        lines += ["", *(_finding(correlations, truth) for truth in truths if truth != "success")]
    lines += ["", "![correlations during training](correlations.png)", "", "![levels, at the end](scatter.png)"]
    return "\n".join(lines) + "\n"


def _finding(correlations: Correlations, truth: str) -> str:
    """Which score ranks the levels most as `truth` does, in a sentence."""
    known = {score: row[truth] for score, row in correlations.items() if np.isfinite(row[truth].value)}
    if not known:
        return f"No score says anything of {_TRUTHS[truth]}: it is the same on all levels."
    order = sorted(known, key=lambda score: -float(known[score].value))
    return (
        f"Closest to {_TRUTHS[truth]}: " + ", ".join(f"{_NAMES[s]} ({float(known[s].value):.2f})" for s in order) + "."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def _cell(estimate: Estimate) -> str:
    if not np.isfinite(estimate.value):
        return "–"
    assert estimate.low is not None
    assert estimate.high is not None
    return f"{float(estimate.value):.2f} [{float(estimate.low):.2f} … {float(estimate.high):.2f}]"


def _data(correlations: Correlations) -> Any:
    def number(x: Any) -> float | None:
        return float(x) if np.isfinite(x) else None

    return {
        score: {
            truth: {"value": number(one.value), "low": number(one.low), "high": number(one.high)}
            for truth, one in row.items()
        }
        for score, row in correlations.items()
    }


def _draw_correlations(stages: Sequence[Stage], found: Sequence[Correlations], title: str, path: Path) -> None:
    """A panel for each truth: every score's correlation with it in the course of training."""
    truths = list(stages[0].truths)
    figure, panels = _panels(1, len(truths), (4.2 * len(truths), 3.4))
    steps = np.array([stage.steps for stage in stages]) / 1e6
    for axes, truth in zip(panels[0], truths, strict=True):
        for place, score in enumerate(found[0]):
            rows = [one[score][truth] for one in found]
            value, low, high = (
                np.array([float(getattr(row, name)) for row in rows]) for name in ("value", "low", "high")
            )
            error = np.maximum([value - low, high - value], 0.0)
            axes.errorbar(steps, value, error, color=_COLOURS[place], marker="o", markersize=4, label=_NAMES[score])
        axes.axhline(0.0, color="#888888", linewidth=0.8)
        axes.set(title=_TRUTHS[truth], xlabel="env-steps of training, millions", ylim=(-1.05, 1.05))
    panels[0][0].set_ylabel("rank correlation")
    panels[0][-1].legend(frameon=False, fontsize=7)
    figure.suptitle(f"{title}: what the scores' ranking of levels has in common with", fontsize=10)
    figure.savefig(path, dpi=150, format="png")


def _draw_scatter(stage: Stage, title: str, path: Path) -> None:
    """A panel for each score and truth: the first seed's levels."""
    figure, panels = _panels(len(stage.scores), len(stage.truths), (3.2 * len(stage.truths), 2.4 * len(stage.scores)))
    jitter = np.random.default_rng(0).uniform(-0.01, 0.01, stage.truths["success"].shape[1])
    for place, (row, (score, values)) in enumerate(zip(panels, stage.scores.items(), strict=True)):
        for axes, (truth, true) in zip(row, stage.truths.items(), strict=True):
            spread = true[0] + jitter * max(float(np.ptp(true[0])), 1e-6)
            axes.scatter(spread, values[0], s=3, alpha=0.25, color=_COLOURS[place], linewidths=0)
            if score == list(stage.scores)[-1]:
                axes.set_xlabel(_TRUTHS[truth])
        row[0].set_ylabel(_NAMES[score], fontsize=8)
    figure.suptitle(f"{title}, after {stage.steps:,} steps: each dot a level", fontsize=10)
    figure.savefig(path, dpi=130, format="png")


def _panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib, which is not installed: run pip install "minicosm[plot]"') from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels
