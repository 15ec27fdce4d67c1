"""What was measured of training runs, for readers: a table on the terminal, files of numbers, a figure."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minicosm.studies import statistics
from minicosm.studies.evaluation import Measured, Played
from minicosm.studies.files import write_whole
from minicosm.studies.held_out import what_is_fresh
from minicosm.studies.statistics import Estimate
from minicosm.training.describe import to_json

Array = np.ndarray[Any, Any]
_COLOURS = ("#1f4e82", "#c1440e", "#2e7d4f", "#7b3f98", "#b8860b", "#4d4d4d", "#0097a7", "#ad1457")
_SHOWN_PERCENTS = (1.0, 10.0)  # columns of the table


@dataclasses.dataclass(frozen=True, eq=False)
class Summary:
    """One run in numbers; what was not played is None. L levels of the library, K points of the risk curve."""

    played: Played
    iqm: Estimate | None  # f64[]  of all seeds' solve rates on all levels of the library
    mean: Estimate | None  # f64[]  of the same
    levels: Estimate | None  # f64[L]  interquartile mean over seeds
    percents: Array  # f64[K]
    risk: Estimate | None  # f64[K]  interquartile mean over seeds
    risk_of_seeds: Array | None  # f64[S, K]


def summarize(measured: Measured) -> tuple[Summary, ...]:
    """The statistics of every run."""
    return tuple(_summary(played) for played in measured.runs)


def _summary(played: Played) -> Summary:
    iqm = mean = levels = risk = of_seeds = None
    if played.library.shape[1]:
        rates = played.library.mean(axis=2, dtype=float)
        iqm = statistics.estimate(rates, statistics.table_iqm)
        mean = statistics.estimate(rates, statistics.table_mean)
        levels = statistics.estimate(rates, statistics.seeds_iqm)
    percents = statistics.risk_percents(played.scoring.shape[1])
    if len(percents):
        of_seeds = statistics.risk_curve(played.ranking, played.scoring, percents)
        risk = statistics.estimate(of_seeds, statistics.seeds_iqm)
    return Summary(played, iqm, mean, levels, percents, risk, of_seeds)


def show(measured: Measured, summaries: tuple[Summary, ...], console: Console) -> None:
    """Print the comparison of runs, and what must be known to read it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("solve rate, %", overflow="fold")
    percents = [p for p in _SHOWN_PERCENTS if len(summaries[0].percents) and summaries[0].percents[0] <= p * 1.001]
    columns = ["library\nIQM", "library\nmean"] if measured.library.levels is not None else []
    columns += [*(f"worst\n{p:g} %" for p in percents), "all\nfresh"] if summaries[0].risk is not None else []
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for summary in summaries:
        estimates = [summary.iqm, summary.mean, *(_at(summary, p) for p in (*percents, 100.0))]
        cells = [_narrow_cell(e) for e in estimates if e is not None]
        seeds = summary.played.run.num_seeds
        table.add_row(f"{escape(summary.played.run.name)}\n{seeds} seed{'s' if seeds > 1 else ''}", *cells)
    console.print(table)
    for line in _notes(measured, summaries):
        console.print(escape(line), highlight=False)


def _notes(measured: Measured, summaries: tuple[Summary, ...]) -> Iterator[str]:
    library, config = measured.library, measured.config
    alone = [s.played.run.name for s in summaries if s.played.run.num_seeds == 1]
    if len(alone) < len(summaries):
        yield f"under each rate: its {statistics.LEVEL:.0%} bootstrap interval over seeds"
    if alone:
        yield f"one seed only, so no interval: {', '.join(alone)} (train with --num-seeds)"
    if library.names:
        yield f"library: {len(library.names)} hand-made levels, {config.episodes} episodes each"
    if library.note:
        yield f"library: {library.note}"
    if library.left_out:
        yield f"left out, since they do not fit this world: {', '.join(library.left_out)}"
    if config.fresh:
        yield (
            f"fresh: {config.fresh:,} levels, {what_is_fresh(measured.env)};"
            f" ranked by {config.rollouts} episodes each and scored by {config.rollouts} others"
        )
    for summary in summaries:
        if summary.levels is not None:
            order = np.argsort(summary.levels.value, kind="stable")[:3]
            hardest = ", ".join(f"{library.names[i]} {100 * summary.levels.value[i]:.0f} %" for i in order)
            yield f"hardest of the library for {summary.played.run.name}: {hardest}"


def write(measured: Measured, summaries: tuple[Summary, ...], folder: Path) -> list[Path]:
    """Write `evaluation.json`, `levels.csv`, `levels.md`, `successes.npz` and `evaluation.png`; returns their paths.

    Older files of these names give way, each as a whole. Raises OSError where they cannot be written, ImportError
    without matplotlib.
    """
    texts = {"evaluation.json": json.dumps(to_data(measured, summaries), indent=1, allow_nan=False) + "\n"}
    if measured.library.names:
        rows = _level_rows(measured, summaries)
        texts |= {"levels.csv": _csv(rows), "levels.md": _markdown(measured, summaries)}
    writers: dict[str, Callable[[Path], Any]] = {
        name: functools.partial(Path.write_text, data=text, encoding="utf-8") for name, text in texts.items()
    }
    writers["successes.npz"] = functools.partial(_write_successes, measured)
    writers["evaluation.png"] = functools.partial(_draw, summaries)
    return [write_whole(folder / name, writer) for name, writer in writers.items()]


def to_data(measured: Measured, summaries: tuple[Summary, ...]) -> dict[str, Any]:
    """Everything in `evaluation.json`. Rates are shares, 0 to 1; a run of one seed has null for low and high."""
    library = measured.library
    return {
        "world": to_json(measured.env),
        "settings": dataclasses.asdict(measured.config),
        "confidence": statistics.LEVEL,
        "library": {"levels": list(library.names), "left_out": dict(library.left_out), "note": library.note},
        "fresh": {"levels": measured.config.fresh, "are": what_is_fresh(measured.env)},
        "runs": [_run_data(summary, library.names) for summary in summaries],
    }


def _run_data(summary: Summary, names: tuple[str, ...]) -> dict[str, Any]:
    run = summary.played.run
    data: dict[str, Any] = {
        "name": run.name,
        "folder": str(run.folder),
        "seeds": [run.config.seed + s for s in range(run.num_seeds)],
        "library": None,
        "risk": None,
    }
    if summary.iqm is not None and summary.mean is not None and summary.levels is not None:
        rates = summary.played.library.mean(axis=2, dtype=float)
        levels = {
            name: {**_estimate_data(_one(summary.levels, i)), "seeds": rates[:, i].tolist()}
            for i, name in enumerate(names)
        }
        data["library"] = {
            "iqm": _estimate_data(summary.iqm),
            "mean": _estimate_data(summary.mean),
            "seeds": rates.mean(axis=1).tolist(),
            "levels": levels,
        }
    if summary.risk is not None and summary.risk_of_seeds is not None:
        curve = {"percent": summary.percents.tolist(), **_estimate_data(summary.risk)}
        data["risk"] = {**curve, "seeds": summary.risk_of_seeds.tolist()}
    return data


def _estimate_data(estimate: Estimate) -> dict[str, Any]:
    low, high = (None if x is None else x.tolist() for x in (estimate.low, estimate.high))
    return {"value": estimate.value.tolist(), "low": low, "high": high}


def _level_rows(measured: Measured, summaries: tuple[Summary, ...]) -> list[list[str]]:
    """A header and a row for each level: its name, and each run's rate and interval as shares."""
    header = ["level"]
    for summary in summaries:
        name = summary.played.run.name
        header += [name, f"{name} low", f"{name} high"]
    rows = [header]
    for i, name in enumerate(measured.library.names):
        row = [name]
        for summary in summaries:
            assert summary.levels is not None
            found = _one(summary.levels, i)
            row += ["" if x is None else f"{float(x):.6g}" for x in (found.value, found.low, found.high)]
        rows.append(row)
    return rows


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _markdown(measured: Measured, summaries: tuple[Summary, ...]) -> str:
    """The same as a table for people, in percent; its last rows are of all levels together."""
    names = [summary.played.run.name.replace("|", "\\|") for summary in summaries]
    lines = [f"| level | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for i, level in enumerate(measured.library.names):
        cells = [_cell(_one(s.levels, i)) for s in summaries if s.levels is not None]
        lines.append(f"| {level} | {' | '.join(cells)} |")
    for label, estimates in (("**IQM**", [s.iqm for s in summaries]), ("**mean**", [s.mean for s in summaries])):
        lines.append(f"| {label} | {' | '.join(_cell(one) for one in estimates)} |")
    title = f"Solve rate in %, {measured.config.episodes} episodes a level, interquartile mean over seeds"
    return f"{title} [{statistics.LEVEL:.0%} interval]:\n\n" + "\n".join(lines) + "\n"


def _cell(estimate: Estimate | None) -> str:
    """An estimate of one number in percent, with its interval."""
    if estimate is None:
        return ""
    value = f"{100 * float(estimate.value):.1f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{100 * float(estimate.low):.1f} … {100 * float(estimate.high):.1f}]"


def _narrow_cell(estimate: Estimate) -> str:
    """The same in two lines, narrow enough for the columns of a terminal."""
    value = f"{100 * float(estimate.value):.1f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value}\n{100 * float(estimate.low):.1f}…{100 * float(estimate.high):.1f}"


def _one(estimate: Estimate, index: int) -> Estimate:
    low, high = (None if x is None else x[index] for x in (estimate.low, estimate.high))
    return Estimate(estimate.value[index], low, high)


def _at(summary: Summary, percent: float) -> Estimate | None:
    """The risk curve at `percent`, one of its points."""
    if summary.risk is None:
        return None
    return _one(summary.risk, int(np.argmin(np.abs(np.log(summary.percents / percent)))))


def _write_successes(measured: Measured, path: Path) -> None:
    arrays: dict[str, Any] = {}
    for index, played in enumerate(measured.runs):
        for name in ("library", "ranking", "scoring"):
            arrays[f"{name}_{index}"] = getattr(played, name)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _draw(summaries: tuple[Summary, ...], path: Path) -> None:
    """Bars of the library's interquartile mean, and risk curves, each with intervals where there are several seeds."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib, which is not installed: run pip install "minicosm[plot]"') from error
    panels: list[Callable[[Any, tuple[Summary, ...]], None]] = []
    panels += [_draw_bars] if summaries[0].iqm is not None else []
    panels += [_draw_curves] if summaries[0].risk is not None else []
    figure = Figure(figsize=(0.4 + 4.6 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        panel(axes, summaries)
        axes.set_ylim(0.0, 1.0)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, format="png")


def _draw_bars(axes: Any, summaries: tuple[Summary, ...]) -> None:
    for place, summary in enumerate(summaries):
        estimate, colour = summary.iqm, _COLOURS[place % len(_COLOURS)]
        assert estimate is not None
        value = float(estimate.value)
        axes.bar(place, value, width=0.6, color=colour, alpha=0.8)
        if estimate.low is not None and estimate.high is not None:
            axes.vlines(place, float(estimate.low), float(estimate.high), color="#222222", linewidth=1.6)
    names = [summary.played.run.name for summary in summaries]
    axes.set_xticks(range(len(names)), names, rotation=20 if len("".join(names)) > 40 else 0)
    axes.set_xlim(-0.8, len(names) - 0.2)
    axes.set(title="library: interquartile mean", ylabel="solve rate")


def _draw_curves(axes: Any, summaries: tuple[Summary, ...]) -> None:
    for place, summary in enumerate(summaries):
        estimate, colour = summary.risk, _COLOURS[place % len(_COLOURS)]
        assert estimate is not None
        axes.plot(summary.percents, estimate.value, color=colour, linewidth=1.8, label=summary.played.run.name)
        if estimate.low is not None and estimate.high is not None:
            axes.fill_between(summary.percents, estimate.low, estimate.high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set(title="fresh levels: risk curve", xlabel="worst levels, % of all", ylabel="solve rate")
    axes.legend(frameon=False, loc="upper left")
