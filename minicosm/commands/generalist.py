"""Commands about one agent for many tasks: pre-train it, fine-tune it, ask what that was worth."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape

from minicosm.commands.settings import Settings, world_settings
from minicosm.commands.training import try_out
from minicosm.curricula import Curriculum
from minicosm.envs.environment import Environment
from minicosm.envs.physics.library.loader import SizeName
from minicosm.studies import transfer_report
from minicosm.studies.transfer_study import TransferConfig, TransferStudy
from minicosm.training import (
    PPOConfig,
    ProgressBar,
    Start,
    TrainResult,
    as_policy,
    default_config,
    evaluate,
    load_config,
    load_env,
    load_params,
    plot_curves,
    pretraining,
    sample_levels,
    train,
)

_TRANSFER = TransferConfig()
_TRIED = 100  # episodes in which a fine-tuned policy is tried out


def pretrain(  # noqa: PLR0913 - these are the command's flags
    *,
    size: SizeName = "s",
    curriculum: str = "sfl",
    levels: str = "mixed",
    network: Literal["set", "transformer"] = "set",
    steps: int | None = None,
    seeds: int = 1,
    seed: int = 0,
    start: str | None = None,
    run: Path | None = None,
    resume: bool = False,
    teach: Settings = (),
    fresh: int = 1000,
) -> None:
    """Pre-train one agent on generated levels of the physics world, none of which is of the library.

    Its net fits worlds of every size. Go on with `minicosm finetune`, `evaluate --levels library`, `study transfer`.

    Args:
        size: of the world.
        curriculum: chooses the levels: sfl, dr, plr, robust_plr or accel.
        levels: task distribution: mixed (random contraptions and families of tasks, half and half), random, families …
        network: reads the set of entities; transformer hears more and is slower.
        steps: env-steps for each seed; by default 20 million.
        seeds: independent runs side by side.
        seed: the first of them.
        start: folder of a run whose parameters to begin with, of any size.
        run: folder for the learning curve and the checkpoints; without it nothing is kept.
        resume: go on with the run in that folder.
        teach: settings of the curriculum, e.g. --teach num_kept=200 refresh=10.
        fresh: levels on which the trained policy is tried.
    """
    env = pretraining.world(size, levels)
    changes: dict[str, Any] = {"num_seeds": seeds, "seed": seed} | ({} if steps is None else {"total_steps": steps})
    config = pretraining.settings(env, network, **changes)
    beginning = None
    if start is not None:
        beginning = _start(start, seeds)
        config = dataclasses.replace(config, network=load_config(start).network)
    teacher = pretraining.teacher(curriculum, env, config.num_envs, **world_settings(teach, "--teach"))
    result = _train(env, config, run, resume, teacher, beginning, f"physics-{size}, {curriculum}")
    if fresh > 0:
        try_out(env, result, fresh)


def finetune(  # noqa: PLR0913 - these are the command's flags
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    level: str,
    steps: int | None = None,
    seeds: int = 1,
    seed: int = 0,
    source_seed: int | None = None,
    run: Path | None = None,
    resume: bool = False,
) -> None:
    """Train a pre-trained agent further on one hand-made level, in the world of its run or a larger one.

    Args:
        source: folder of the pre-trained run.
        level: name of a level of the physics library.
        steps: env-steps for each seed; by default 1 million.
        seeds: independent runs side by side.
        seed: the first of them.
        source_seed: which of the run's seeds to begin with, from 0; by default each seed begins with another.
        run: folder for the learning curve and the checkpoints; without it nothing is kept.
        resume: go on with the run in that folder.
    """
    env = pretraining.task(load_env(source), level)
    changes: dict[str, Any] = {"num_seeds": seeds, "seed": seed} | ({} if steps is None else {"total_steps": steps})
    config = pretraining.task_settings(env, load_config(source).network, **changes)
    start = _start(source, seeds, source_seed)
    levels = sample_levels(env, jax.random.key(0), _TRIED)

    def tried(params: Any) -> str:
        rates = []
        for index in range(seeds):
            one = _seed_of(params, index)
            rates.append(evaluate(env, as_policy(one, config, env, _TRIED), levels, jax.random.key(1)).solve_rate)
        return ", ".join(f"{rate:.0%}" for rate in rates)

    print(f"{level}, before: solved in {tried(start.params)} of {_TRIED} episodes", flush=True)
    result = _train(env, config, run, resume, None, start, level)
    print(f"{level}, after {result.curve[-1].steps:,} steps: {tried(result.params)}")


def transfer(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    level: tuple[str, ...] = (),
    out: Path | None = None,
    resume: bool = False,
    config: tyro.conf.OmitArgPrefixes[TransferConfig] = _TRANSFER,
) -> None:
    """What is pre-training worth? Each hand-made level zero-shot, fine-tuned, and from scratch with equal steps.

    Args:
        source: folder of the pre-trained run.
        level: names of some levels; by default all of the world's size.
        out: folder for the results; by default studies/transfer_RUN.
        resume: go on with the study in that folder.
        config: what is trained and played.
    """
    name = Path(source).name
    env, was = load_env(source), load_config(source)
    ppo = default_config(env, network=was.network)
    if hasattr(env, "config") and hasattr(env.config, "levels"):
        ppo = pretraining.task_settings(env, was.network)
    study = TransferStudy(env, ppo, load_params(source), config, out or Path("studies") / f"transfer_{name}")
    console = Console(stderr=True)
    trained = study.run(level, lambda doing: console.print(escape(doing)), resume=resume)
    transfer_report.show(trained, Console())
    for path in transfer_report.write(study, trained, name):
        print(f"written: {path}")


def _start(source: str, seeds: int, source_seed: int | None = None) -> Start:
    """The parameters of the run `source` for `seeds` seeds: its own in turn, or the one chosen."""
    params = load_params(source)
    given = len(jax.tree.leaves(params)[0])
    if source_seed is not None and not 0 <= source_seed < given:
        raise ValueError(f"--source-seed is {source_seed}; {source!r} has {given}: expected 0 to {given - 1}")
    chosen = np.arange(seeds) % given if source_seed is None else np.full(seeds, source_seed)
    return Start(jax.tree.map(lambda leaf: leaf[chosen], params))


def _seed_of(params: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], params)


def _train(  # noqa: PLR0913, PLR0917 - what a run is made of, and where it goes
    env: Environment[Any, Any],
    config: PPOConfig,
    run: Path | None,
    resume: bool,
    teacher: Curriculum | None,
    start: Start | None,
    title: str,
) -> TrainResult:
    with ProgressBar(config, Console(stderr=True)) as bar:
        result = train(env, config, run, callback=bar, resume=resume, curriculum=teacher, start=start)
    if run is not None:
        print(f"learning curve: {plot_curves(result.curve, run / 'curve.png', title=title)}")
    return result
