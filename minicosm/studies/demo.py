"""The demonstration: a robot learns to navigate in about a minute, how fast its worlds run, and a film of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import track

import minicosm
from minicosm.envs.environment import Environment
from minicosm.studies import film, throughput
from minicosm.studies.tables import measure_with_progress, show_speeds
from minicosm.training import (
    CurvePoint,
    PPOConfig,
    ProgressBar,
    TrainResult,
    as_policy,
    default_config,
    evaluate,
    plot_curves,
    sample_levels,
    train,
    untrained_policy,
)

_LEVELS = 500  # fresh levels that each policy is tried on
_FILMED = 6
_WORLDS = 1024  # side by side, in the speed table
_TRAINING_STEPS = 8_000_000


def run(out: Path, seconds: float, seed: int) -> None:
    """Train for at most `seconds`, try the policy on fresh levels, measure speeds; a film and a curve go to `out`.

    Raises ValueError for a time that is not above 0, OSError where `out` cannot be written.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds!r}; expected a number above 0")
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    env = minicosm.make("nav")
    config = default_config(env, total_steps=_TRAINING_STEPS, seed=seed)
    console.print(f"[bold]1[/] one robot learns to cross random clutter, for at most {seconds:.0f} s ...")
    result = _train(env, config, seconds, console)
    curve = plot_curves(result.curve, out / "learning_curve.png")
    console.print(f"[bold]2[/] before and after, on {_LEVELS} levels that it never saw ...")
    _compare(env, result, seed, console)
    console.print(f"[bold]3[/] how fast {_WORLDS} worlds run, random actions ...")
    show_speeds(measure_with_progress(throughput.ways_of(env, [_WORLDS]), turns=3))
    console.print("[bold]4[/] a film ...")
    levels = sample_levels(env, jax.random.key(seed + 2), _FILMED)
    policy = as_policy(result.params_of(), config, env, _FILMED)
    frames = film.record(env, levels, policy, film.Shot(seed=seed))
    gif = film.save_animation(track(frames, "drawing", console=console, transient=True), out / "nav.gif")
    console.print(f"\nlearning curve  {curve}\nfilm            {gif}")


def _train(env: Environment[Any, Any], config: PPOConfig, seconds: float, console: Console) -> TrainResult:
    started: list[float] = []  # when the first chunk was done: compiling does not count

    with ProgressBar(config, console) as bar:

        def after_chunk(point: CurvePoint) -> bool:
            bar(point)
            started.append(time.perf_counter())
            return time.perf_counter() - started[0] > seconds

        return train(env, config, callback=after_chunk)


def _compare(env: Environment[Any, Any], result: TrainResult, seed: int, console: Console) -> None:
    levels = sample_levels(env, jax.random.key(seed + 1), _LEVELS)
    policies = {
        "untrained": untrained_policy(result.config, env, _LEVELS, jax.random.key(seed)),
        "trained": as_policy(result.params_of(), result.config, env, _LEVELS),
    }
    for name, policy in policies.items():
        outcome = evaluate(env, policy, levels, jax.random.key(seed + 1))
        told = f"solves {outcome.solve_rate:6.1%}   collides {outcome.collision_rate:6.1%}"
        console.print(f"  {name:10} {told}   {outcome.mean_length:5.0f} steps an episode")
