"""Commands about learning from what others did: record demonstrations, imitate them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress

from minicosm.commands.settings import Settings, world_settings
from minicosm.envs.environment import Environment
from minicosm.envs.physics import Physics, library
from minicosm.envs.physics.library.loader import SizeName
from minicosm.studies.held_out import library_of
from minicosm.training import (
    PPOConfig,
    as_policy,
    cloning,
    default_config,
    demonstrations,
    demonstrators,
    evaluate,
    load_config,
    load_env,
    load_params,
    minari_export,
    pretraining,
    sample_levels,
    shipped,
)
from minicosm.training.cloning import CloneConfig
from minicosm.training.demonstrations import Demonstrations
from minicosm.training.demonstrators import RecordConfig, Script

_CLONE = CloneConfig()


def demos(  # noqa: PLR0913 - these are the command's flags
    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    *,
    out: Path,
    size: SizeName = "s",
    set: Settings = (),
    level: tuple[str, ...] = (),
    episodes: int = 100,
    seed: int = 0,
    source_seed: int = 0,
    greedy: bool = False,
    failures: bool = False,
    states: bool = False,
    minari: str | None = None,
) -> None:
    """Roll out demonstrations into one data set: observations, actions, rewards, masks, levels.

    Sources are `library` (the replays that win the hand-made levels of physics), demonstrations that a person exported
    from the studio (.npz), and folders of trained runs or names of policies that come along. Episodes that do not
    succeed are left out.

    Args:
        sources: any number of them, of one world.
        out: file for the data set, .npz.
        size: of the world of physics, where no run says it.
        set: settings of that world, e.g. --set observation_kind=flat action_kind=continuous.
        level: hand-made levels: whose replays, or on which a run plays; by default all of the size, or the run's own.
        episodes: that each run plays, on every named level or in all.
        seed: chooses levels, and the worlds' and policies' randomness.
        source_seed: which of a run's seeds plays, from 0.
        greedy: runs take the likeliest action instead of drawing one as in training.
        failures: keep what runs did without success too.
        states: keep every state too; else the level, a key and the actions lead to any state.
        minari: name of a data set for Minari, such as minicosm/replays-v0, which is written as well.
    """
    if not sources:
        raise ValueError("there is no source: name library, a demonstration from the studio, or the folder of a run")
    if episodes < 1:
        raise ValueError(f"--episodes is {episodes}; expected a whole number from 1")
    if minari is not None:
        minari_export.validate_name(minari)
    runs = [source for source in sources if source != "library" and not source.endswith(".npz")]
    if len(runs) == len(sources) and (set or size != "s"):
        raise ValueError("--set and --size are for replays; the world of a run is its own: leave them out")
    scripts = _scripts(sources, size, level)
    env = _world(runs, size, set)
    config = RecordConfig(seed=seed, with_states=states)
    parts: list[Demonstrations] = []
    if scripts:
        won, left_out = demonstrators.perform(_physics(env), scripts, config)
        for name, why in left_out.items():
            print(f"left out: {name} ({why})", file=sys.stderr)
        print(f"scripts: {len(scripts) - len(left_out)} of {len(scripts)} win")
        parts += [] if won is None else [won]
    for run in runs:
        played = _played(run, env, level, (episodes, source_seed, greedy), config)
        wins = played.is_success
        print(f"{run}: {int(wins.sum())} of {len(wins)} episodes succeed")
        if failures or wins.any():
            parts.append(played if failures else played.chosen(wins))
    if not parts:
        raise ValueError("nothing succeeded, so there is nothing to keep: name other sources, or say --failures")
    hand_made = {script.name for script in scripts if script.is_of_library} | {*level}
    found = _of_levels(demonstrations.joined(parts), hand_made)
    steps = int(found.valid.any(axis=2).sum())
    path = demonstrations.write(found, out)
    print(f"written: {path}, {found.num_episodes} episodes, {steps:,} steps")
    if minari is not None:
        minari_export.write(found, minari)
        print(f"written: Minari data set {minari}")


def clone(  # noqa: PLR0913 - these are the command's flags
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    *,
    run: Path,
    network: Literal["mlp", "set", "transformer", "cnn"] | None = None,
    seeds: int = 1,
    seed: int = 0,
    try_out: int = 200,
    config: tyro.conf.OmitArgPrefixes[CloneConfig] = _CLONE,
) -> None:
    """Train an agent by behaviour cloning: it learns to do what the demonstrations do.

    Go on with `minicosm pretrain --start RUN`, `finetune RUN`, `evaluate RUN`, `watch RUN`.

    Args:
        files: data sets of one world, as `minicosm demos` writes them.
        run: folder for the learning curve and the parameters.
        network: what reads the observation; by default what fits the world.
        seeds: independent agents.
        seed: the first of them.
        try_out: episodes, at most, of the demonstrations' own levels in which the clones are tried; 0 for none.
        config: how it is trained.
    """
    if not files:
        raise ValueError("there is no file: name at least one that minicosm demos wrote")
    found = demonstrations.joined([demonstrations.read(file) for file in files])
    ppo = default_config(found.world, num_seeds=seeds, seed=seed)
    if network is not None:
        scan = ppo.network.scan if network == "mlp" else 0
        ppo = dataclasses.replace(ppo, network=dataclasses.replace(ppo.network, kind=network, scan=scan))
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("cloning", total=config.updates)
        made = cloning.clone(found, ppo, config, run, lambda point: progress.update(task, completed=point.update))
    last, held_out = made.curve[-1], int(made.is_held_out.sum())
    print(
        f"learnt from {found.num_episodes - held_out} episodes: loss {last.mean('loss'):.3f} nats a step, "
        f"the likeliest action is the demonstrated one in {last.mean('agreement'):.1%} of the steps"
    )
    if held_out:
        print(
            f"of {held_out} held out: loss {last.mean('held_out_loss'):.3f}, "
            f"in {last.mean('held_out_agreement'):.1%} of the steps"
        )
    else:
        print("held out: none, since no level has episodes enough for --held-out")
    for index in range(seeds if try_out > 0 else 0):
        _try_out(found, made.params_of(index), ppo, (seed + index, try_out))
    print(f"written: {run}")


def _scripts(sources: Sequence[str], size: SizeName, only: tuple[str, ...]) -> list[Script]:
    """The replays and recorded plays among the sources."""
    found: list[Script] = []
    for source in sources:
        if source == "library":
            found += [demonstrators.of_library(name) for name in only or library.names(size)]
        elif source.endswith(".npz"):
            found.append(demonstrators.of_studio(Path(source)))
    return found


def _world(runs: Sequence[str], size: SizeName, set: Settings) -> Environment[Any, Any]:
    """The world of the runs, which is one, else the one in which generalists are trained."""
    if not runs:
        plain = pretraining.world(size)
        fields = {field.name for field in dataclasses.fields(plain.config)}
        settings = world_settings(set)
        for name in settings:
            if name not in fields:
                raise ValueError(f"the world has no setting {name!r} (settings: {', '.join(sorted(fields))})")
        env: Environment[Any, Any] = Physics(dataclasses.replace(plain.config, **settings))
    else:
        env = load_env(runs[0])
        for other in runs[1:]:
            if load_env(other) != env:
                raise ValueError(f"{other!r} is a run of another world than {runs[0]!r}: record them apart")
    return env


def _of_levels(found: Demonstrations, hand_made: AbstractSet[str]) -> Demonstrations:
    """`found` in a world of the levels that it shows: who evaluates a clone must know which of the library it saw."""
    shown = sorted(hand_made & {*found.names})
    if not shown or not isinstance(found.world, Physics):
        return found
    others = [found.world.config.levels] if {*found.names} - {*shown} else []
    world = Physics(dataclasses.replace(found.world.config, levels=",".join([*others, *shown])))
    return dataclasses.replace(found, world=world)


def _physics(env: Environment[Any, Any]) -> Physics:
    if not isinstance(env, Physics):
        raise ValueError(f"replays and recorded plays are of physics, and the run is of {type(env).__name__}: apart")
    return env


def _played(
    run: str, env: Environment[Any, Any], level: tuple[str, ...], how: tuple[int, int, bool], config: RecordConfig
) -> Demonstrations:
    """Episodes of a trained run, on the named levels or on generated ones."""
    episodes, source_seed, greedy = how
    params, ppo = load_params(run), load_config(run)
    given = len(jax.tree.leaves(params)[0])
    if not 0 <= source_seed < given:
        raise ValueError(f"--source-seed is {source_seed}; {run!r} has {given}: expected 0 to {given - 1}")
    if level:
        levels = _named_levels(env, level, episodes)
        names = tuple(name for name in level for _ in range(episodes))
    else:
        levels, names = sample_levels(env, jax.random.key(config.seed), episodes), ("",) * episodes
    one = jax.tree.map(lambda leaf: leaf[source_seed], params)
    config = dataclasses.replace(config, source=run if shipped.is_name(run) else Path(run).name)
    return demonstrators.record(env, lambda lanes: as_policy(one, ppo, env, lanes, greedy), levels, names, config)


def _named_levels(env: Environment[Any, Any], level: tuple[str, ...], times: int) -> Any:
    """Each of the library's levels `times` times."""
    fitting = library_of(env)
    for name in level:
        if name not in fitting.names:
            why = fitting.left_out.get(name, fitting.note or f"expected some of {', '.join(fitting.names)}")
            raise ValueError(f"there is no level {name!r} for this world ({why})")
    index = np.repeat([fitting.names.index(name) for name in level], times)
    return jax.tree.map(lambda leaf: leaf[index], fitting.levels)


def _try_out(found: Demonstrations, params: Any, ppo: PPOConfig, what: tuple[int, int]) -> None:
    """Print how a clone does on the levels that were demonstrated."""
    seed, most = what
    count = min(found.num_episodes, most)
    levels = jax.tree.map(lambda *x: jnp.stack(x), *[demonstrations.level_at(found, i) for i in range(count)])
    rates = []
    for greedy in (True, False):
        policy = as_policy(params, ppo, found.world, count, greedy)
        outcome = evaluate(found.world, policy, levels, jax.random.key(1))
        rates.append(outcome.level_solve_rate)
    print(
        f"seed {seed}: wins {rates[0]:.0%} of {count} demonstrated episodes with the likeliest actions, "
        f"{rates[1]:.0%} with actions drawn as in training"
    )
