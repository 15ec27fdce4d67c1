"""Commands that measure trained policies and what curricula choose levels by."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, track

import minicosm
from minicosm import curricula
from minicosm.commands.settings import Settings, world_settings
from minicosm.studies import evaluation, evaluation_report, extremes, film, regret_report
from minicosm.studies.evaluation import EvaluationConfig
from minicosm.studies.regret_study import RegretStudy, RegretStudyConfig
from minicosm.training import (
    ProgressBar,
    default_config,
    shipped,
)

_EVALUATION = EvaluationConfig()
_REGRET_STUDY = RegretStudyConfig()


def evaluate_runs(
    runs: tyro.conf.Positional[tuple[Path, ...]] = (),
    *,
    levels: Literal["all", "library"] = "all",
    out: Path | None = None,
    videos: bool = False,
    config: tyro.conf.OmitArgPrefixes[EvaluationConfig] = _EVALUATION,
) -> None:
    """Measure trained policies on hand-made levels and, by risk, on fresh ones; compare runs of one world.

    Args:
        runs: folders of training runs, as given to `minicosm train --run`, or names of policies that come along.
        levels: hand-made levels and fresh ones, or the library alone.
        out: folder for the results; by default RUN/evaluation for one run, ./evaluation for several.
        videos: write animations of the levels on which each run does worst and best.
        config: what is played.
    """
    loaded = evaluation.load_runs(runs)
    config = dataclasses.replace(config, fresh=0) if levels == "library" else config
    out = out or (runs[0] if len(runs) == 1 and not shipped.is_name(runs[0]) else Path()) / "evaluation"
    out.mkdir(parents=True, exist_ok=True)  # tells of a folder that cannot be had before anything is played
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("")
        measured = evaluation.measure(
            loaded,
            config,
            lambda doing, done, total: progress.update(task, description=doing, completed=done, total=total),
        )
    summaries = evaluation_report.summarize(measured)
    evaluation_report.show(measured, summaries, Console())
    for path in evaluation_report.write(measured, summaries, out):
        print(f"written: {path}")
    for path, frames in extremes.films(measured, out) if videos else ():
        film.save_animation(track(frames, "drawing", console=console, transient=True), path)
        print(f"written: {path}")


def regret(  # noqa: PLR0913 - these are the command's flags
    *,
    world: str = "maze",
    out: Path | None = None,
    resume: bool = False,
    steps: int | None = None,
    seeds: int = 1,
    curriculum: str | None = None,
    set: Settings = (),
    config: tyro.conf.OmitArgPrefixes[RegretStudyConfig] = _REGRET_STUDY,
) -> None:
    """Do curricula's scores track what can be learned? Score fresh levels in training, and correlate with the truth.

    Args:
        world: name of the world, see `minicosm list`.
        out: folder for the run and the results; by default studies/regret_WORLD.
        resume: go on with the study in that folder.
        steps: env-steps to train for; by default as tuned for the world.
        seeds: policies trained side by side.
        curriculum: chooses the levels to train on, see `minicosm train --help`; else each episode's is fresh.
        set: settings of the world, e.g. --set height=9 width=9.
        config: what is played.
    """
    env = minicosm.make("physics-s" if world == "physics" else world, **world_settings(set))
    asked = {"num_seeds": seeds} | ({} if steps is None else {"total_steps": steps})
    ppo = default_config(env, **asked)
    often = max(1, ppo.num_updates // (4 * config.points))  # a point of the study is the end of a chunk
    ppo = dataclasses.replace(ppo, updates_per_chunk=min(ppo.updates_per_chunk, often))
    teacher = None if curriculum is None else curricula.make(curriculum, env, ppo.num_envs)
    asked_of = RegretStudy(env, ppo, config, out or Path("studies") / f"regret_{world}", teacher)
    console = Console(stderr=True)
    with ProgressBar(ppo, console) as bar:
        stages = asked_of.run(bar, lambda doing: console.print(escape(doing)), resume)
    regret_report.show(stages, Console())
    for path in regret_report.write(asked_of, stages, world):
        print(f"written: {path}")
