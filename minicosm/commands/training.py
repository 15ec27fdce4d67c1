"""The command that trains."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import jax
import tyro
from rich.console import Console

import minicosm
from minicosm import curricula
from minicosm.commands.settings import Settings, world_settings
from minicosm.envs.environment import Environment
from minicosm.training import (
    CurvePoint,
    PPOConfig,
    ProgressBar,
    TensorBoardLog,
    TrainResult,
    as_policy,
    default_config,
    distributed,
    evaluate,
    plot_curves,
    sample_levels,
    settings_file,
)
from minicosm.training import train as train_agent

_TAUGHT = ", ".join(curricula.names())


@dataclasses.dataclass(frozen=True)
class _Train:
    """Train a policy in a world, on the device, with PPO.

    Worlds, policy and learning are one compiled program. Without --run nothing is kept.
    """

    world: tyro.conf.Positional[str] = "nav"  # name of the world, see `minicosm list`
    curriculum: str | None = None  # chooses the levels: dr, plr, robust_plr, accel or sfl; else each episode's is fresh
    teach: Settings = ()  # settings of the curriculum, e.g. --teach num_kept=200 refresh=10
    run: Path | None = None  # folder for the learning curve, its plot and the checkpoints
    resume: bool = False  # go on with the run in that folder
    tensorboard: bool = False  # write the learning curve for TensorBoard too, in its folder tensorboard
    set: Settings = ()  # settings of the world, e.g. --set num_robots=4 level_kind=rooms
    config: Path | None = None  # TOML file of settings; flags go before it
    seeds: int | None = None  # independent runs side by side; the same as --num-seeds
    levels: int = 1000  # fresh levels on which the trained policy is tried
    devices: int | None = None  # over which the worlds are spread, docs/scaling.md; by default all, but one of a CPU
    distributed: bool = False  # one of several processes, as Slurm, Open MPI, Kubernetes or a TPU tells
    coordinator: str | None = None  # HOST:PORT of the first process, where nothing tells; with the next two
    num_processes: int | None = None
    process_id: int | None = None  # from 0
    ppo: tyro.conf.OmitArgPrefixes[PPOConfig] = PPOConfig()


def train(arguments: list[str]) -> None:
    """Train a policy in a world: parse the flags, whose defaults are those tuned for the world."""
    # the file and the world come first: defaults depend on them
    file = settings_file.SettingsFile()
    if given := _words_after("--config", arguments):
        file = settings_file.read(given[0])
    world = next((word for word in arguments if word in minicosm.names()), file.world or "nav")
    env = minicosm.make(world, **{**file.settings, **world_settings(_words_after("--set", arguments))})
    tuned = _Train(world=world, curriculum=file.curriculum, ppo=file.over(default_config(env)))
    asked = tyro.cli(_Train, prog="minicosm train", args=arguments, default=tuned)
    with contextlib.ExitStack() as processes:
        by_hand = (asked.coordinator, asked.num_processes, asked.process_id)
        if asked.distributed or any(each is not None for each in by_hand):
            processes.enter_context(distributed.joined(distributed.Processes(*by_hand)))
        env, result = _trained(asked, file)
        is_first = distributed.is_first()
    if asked.run is not None and is_first:
        print(f"learning curve: {plot_curves(result.curve, asked.run / 'curve.png', title=asked.world)}")
    if asked.levels > 0 and is_first:
        try_out(env, result, asked.levels)


def _trained(asked: _Train, file: settings_file.SettingsFile) -> tuple[Environment[Any, Any], TrainResult]:
    """Train as `asked` and as `file` says; the first process shows how it goes."""
    env = minicosm.make(asked.world, **{**file.settings, **world_settings(asked.set)})
    config = asked.ppo if asked.seeds is None else dataclasses.replace(asked.ppo, num_seeds=asked.seeds)
    curriculum = None
    if asked.curriculum is not None:
        settings = {**file.curriculum_settings, **world_settings(asked.teach, "--teach")}
        curriculum = curricula.make(asked.curriculum, env, config.num_envs, **settings)
    elif asked.teach or file.curriculum_settings:
        raise ValueError(f"there are settings of a curriculum, but none is chosen: say --curriculum, one of {_TAUGHT}")
    devices = distributed.all_devices() if asked.devices is None else asked.devices
    with contextlib.ExitStack() as shown:
        callbacks: list[Any] = []
        if distributed.is_first():
            callbacks.append(shown.enter_context(ProgressBar(config, Console(stderr=True))))
        if asked.tensorboard and distributed.is_first():
            callbacks.append(shown.enter_context(TensorBoardLog(_folder_of(asked) / "tensorboard")))

        def tell(point: CurvePoint) -> None:
            for callback in callbacks:
                callback(point)

        return env, train_agent(env, config, asked.run, tell, asked.resume, curriculum, devices)


def _folder_of(asked: _Train) -> Path:
    if asked.run is None:
        raise ValueError("--tensorboard writes into the run's folder: name one with --run")
    return asked.run


def _words_after(flag: str, arguments: list[str]) -> list[str]:
    """The words between `flag` and the next flag."""
    after = arguments[arguments.index(flag) + 1 :] if flag in arguments else []
    return list(itertools.takewhile(lambda word: not word.startswith("-"), after))


def try_out(env: Environment[Any, Any], result: TrainResult, count: int) -> None:
    """Print how the trained policies of all seeds do on fresh levels."""
    levels = sample_levels(env, jax.random.key(2**31 + result.config.seed), count)
    for index in range(result.config.num_seeds):
        policy = as_policy(result.params_of(index), result.config, env, count)
        outcome = evaluate(env, policy, levels, jax.random.key(0))
        print(f"seed {result.config.seed + index}: solves {outcome.solve_rate:.1%} of {count} fresh levels")
