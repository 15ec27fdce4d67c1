"""What the commands do. Their arguments are the functions' own: tyro makes the flags and the help."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, track

import minicosm
from minicosm import commands_generalist, curricula
from minicosm.envs.environment import Environment
from minicosm.envs.registry import entries
from minicosm.envs.spaces import Box, Dict, Space
from minicosm.studies import comparison, evaluation, evaluation_report, extremes, film, regret_report, throughput
from minicosm.studies import demo as demonstration
from minicosm.studies.evaluation import EvaluationConfig
from minicosm.studies.regret_study import RegretStudy, RegretStudyConfig
from minicosm.studies.tables import measure_with_progress, show_speeds
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
    load_env,
    plot_curves,
    sample_levels,
    settings_file,
    shipped,
)
from minicosm.training import train as train_agent

Settings = tuple[str, ...]
_TAUGHT = ", ".join(curricula.names())
_EVALUATION = EvaluationConfig()
_REGRET_STUDY = RegretStudyConfig()


def run(name: str, arguments: Sequence[str]) -> None:
    """Run the command called `name`."""
    if name == "train":
        train(list(arguments))
        return
    if name in ("edit", "play", "watch"):
        tyro.cli(_of_studio(name), prog=f"minicosm {name}", args=arguments)
        return
    if name in ("pretrain", "finetune"):
        commands_generalist.run(name, arguments)
        return
    if name == "study":
        studies: dict[str, Any] = {"regret": regret, "transfer": commands_generalist.transfer}
        tyro.extras.subcommand_cli_from_dict(studies, prog="minicosm study", args=arguments)
        return
    command: Any = {
        "list": list_worlds,
        "demo": demo,
        "evaluate": evaluate_runs,
        "render": render,
        "bench": bench,
        "solve": solve,
        "import": import_levels,
    }[name]
    tyro.cli(command, prog=f"minicosm {name}", args=arguments)


def _of_studio(name: str) -> Any:
    """The command of that name. Raises ImportError where the extra is missing."""
    try:
        from minicosm.studio import commands as of_studio
    except ImportError as error:
        needs = 'the studio needs packages that are not installed: run pip install "minicosm[studio]"'
        raise ImportError(f"{needs} ({error})") from error
    return getattr(of_studio, name)


def list_worlds() -> None:
    """Show every registered world: its agents, spaces and names in other interfaces."""
    console = Console(highlight=False)
    single = [entry for entry in entries() if entry.is_single_level]
    for entry in entries():
        if entry.is_single_level:
            continue
        env = minicosm.make(entry.name)
        agents = f"{env.num_agents} agent{'s' if env.num_agents > 1 else ''}"
        ids = [f"Gymnasium {entry.gymnasium_id}"] if entry.gymnasium_id else []
        ids += [f"PettingZoo {entry.pettingzoo_id}"] if entry.pettingzoo_id else []
        console.print(f"[bold]{entry.name}[/]: {entry.summary}")
        console.print(f"  observation  {escape(_space(env.observation_space))}")
        console.print(f"  action       {escape(_space(env.action_space))}")
        console.print(f"  {agents}, {env.max_episode_steps} steps, {', '.join(ids)}\n")
    console.print("[bold]Hand-made levels of physics, each a world of its own[/], and its name in Gymnasium:")
    for entry in single:
        console.print(f"  {entry.name:28} {entry.gymnasium_id}")
    print('\nMake one with minicosm.make("nav") or gymnasium.make("minicosm/Nav-v0").')


def demo(
    out: Path = Path("demo"),
    seconds: float = 75.0,
    seed: int = 0,
) -> None:
    """Train a robot to navigate, compare speeds, write a GIF and a learning curve.

    Args:
        out: folder for what is written.
        seconds: how long to train, compiling not counted.
        seed: chooses levels, net and actions.
    """
    demonstration.run(out, seconds, seed)


def render(  # noqa: PLR0913 - these are the command's flags
    world: tyro.conf.Positional[str | None] = None,
    *,
    out: Path = Path("rollout.gif"),
    run: Path | None = None,
    level: tuple[str, ...] = (),
    worlds: int = 6,
    seed: int = 0,
    fps: float = 20.0,
    beams: bool = True,
    dark: bool = False,
    set: Settings = (),
) -> None:
    """Record a rollout as GIF or MP4.

    Args:
        world: name of the world, see `minicosm list`; by default the run's, or nav.
        out: file to write; its suffix, .gif or .mp4, decides the format.
        run: folder of a training run whose policy acts; without it, actions are random.
        level: hand-made levels, by name or as text files, instead of random ones.
        worlds: how many random levels to show side by side.
        seed: chooses the random levels and the actions.
        fps: pictures a second; a picture is two ticks of the world.
        beams: show what the lidars see.
        dark: draw on a dark ground.
        set: settings of the world, e.g. --set num_robots=4 level_kind=rooms.
    """
    if run is not None and world is None and not set:
        env = load_env(run)
    else:
        env = minicosm.make(world or "nav", **world_settings(set))
    env, levels = film.choose_levels(env, level, worlds, seed)
    shot = film.Shot(seed=seed, beams=beams, dark=dark)
    with Console(stderr=True).status("compiling and playing"):
        frames = film.record(env, levels, film.policy_of(env, run, len(level) or worlds), shot)
    film.save_animation(track(frames, "drawing", console=Console(stderr=True)), out, fps)
    print(f"written: {out}")


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


def bench(  # noqa: PLR0913 - these are the command's flags
    world: tyro.conf.Positional[str] = "nav",
    *,
    num_envs: tuple[int, ...] = (1, 64, 1024),
    turns: int = 5,
    out: Path | None = None,
    compare: tuple[Path, Path] | None = None,
    threshold: float = 0.2,
    set: Settings = (),
) -> None:
    """Measure environment steps per second, natively and through each interface; or compare two measurements.

    Args:
        world: name of the world, see `minicosm list`.
        num_envs: batch sizes to measure.
        turns: how many turns each way of stepping takes; the median counts.
        out: JSON file to keep the measurement in, for --compare.
        compare: OLD and NEW, two such files; measures nothing, and ends with status 1 where something became slower.
        threshold: share of the speed that may be lost, since machines are not equally fast at all times.
        set: settings of the world, e.g. --set num_robots=4.
    """
    if compare is not None:
        old, new = (comparison.read(path) for path in compare)
        found = comparison.changes(old, new)
        slower = comparison.regressions(found, threshold)
        comparison.show(old, new, found, slower)
        if slower:
            print(f"{len(slower)} of {len(found)} ways lost more than {threshold:.0%} of their speed")
            raise SystemExit(1)
        return
    settings = world_settings(set)
    env = minicosm.make(world, **settings)
    speeds = measure_with_progress(throughput.ways_of(env, num_envs), turns)
    show_speeds(speeds)
    if out is not None:
        measured = comparison.Measurement(world, settings, comparison.conditions(), tuple(speeds))
        print(f"written: {comparison.write(measured, out)}")


def solve(
    level: tyro.conf.Positional[str],
    *,
    out: Path | None = None,
    worlds: int = 2048,
    attempts: int = 12,
    seed: int = 0,
) -> None:
    """Look for actions that win a physics level, and keep them as a replay.

    Args:
        level: name of a library level, or a level file.
        out: file for the replay; without it nothing is kept.
        worlds: copies of the world that search side by side.
        attempts: searches from the start until one wins.
        seed: chooses what is tried.
    """
    from minicosm.envs.physics import PhysicsConfig, format, level_text, library, plan, replay

    is_file = level.endswith(".json") or Path(level).exists()
    file = level_text.read(level) if is_file else library.file(level)
    size = format.smallest_size(file)
    if size is None:
        raise ValueError(f"{level} is larger than size L: solve it from Python, with a PhysicsConfig that holds it")
    config = PhysicsConfig(size=size)
    search = plan.PlanConfig(worlds, attempts, seed)
    with Console(stderr=True).status(f"searching, size {size.upper()}"):
        found = plan.plan(file.to_level(config, level), config, search)
    print(f"{found.num_steps:,} steps simulated in {found.attempts} search{'es' if found.attempts > 1 else ''}")
    if not found.is_solved:
        print(f"not solved: at best {found.distance:.2f} m from green to blue; best return {found.best_return:g}")
        return
    print(f"solved in {len(found.actions)} steps; best return {found.best_return:g}")
    if out is not None:
        name = Path(level).stem
        made = replay.Replay(name, found.actions, config.num_motor_bindings, config.num_thruster_bindings)
        replay.write(made, out)
        print(f"written: {out}")


def import_levels(
    source: tyro.conf.Positional[Literal["kinetix"]],
    files: tyro.conf.Positional[tuple[Path, ...]],
    *,
    out: Path,
    force: bool = False,
) -> None:
    """Turn level files of other projects into our own. A file that cannot be read is told of, and the others go on.

    Args:
        source: the project whose files they are.
        files: level files.
        out: folder for our files, which keep their names.
        force: write over files that are there.
    """
    from minicosm.envs.physics import PhysicsConfig, kinetix, level_text
    from minicosm.envs.physics.format import smallest_size

    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for file in files:
        target = out / file.name
        try:
            if target.exists() and not force:
                raise ValueError(f"{target} is there already: choose another folder, or say --force")
            level = kinetix.read(file)
            level.to_level(PhysicsConfig(size=smallest_size(level) or "l"), str(file))  # what is written can be played
            level_text.write(level, target)
            print(f"written: {target}")
        except (ValueError, OSError) as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    if failed:
        raise ValueError(f"{failed} of {len(files)} files were not imported")


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
        _try_out(env, result, asked.levels)


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


def _try_out(env: Environment[Any, Any], result: TrainResult, count: int) -> None:
    """Print how the trained policies of all seeds do on fresh levels."""
    levels = sample_levels(env, jax.random.key(2**31 + result.config.seed), count)
    for index in range(result.config.num_seeds):
        policy = as_policy(result.params_of(index), result.config, env, count)
        outcome = evaluate(env, policy, levels, jax.random.key(0))
        print(f"seed {result.config.seed + index}: solves {outcome.solve_rate:.1%} of {count} fresh levels")


def _space(space: Space) -> str:
    """A space in a few letters."""
    if isinstance(space, Box):
        low, high = space.bounds
        same = low.min() == low.max() and high.min() == high.max()
        bounds = f"{low.flat[0]:g} … {high.flat[0]:g}" if same else "bounds per element"
        return f"Box{list(space.shape)} {bounds}"
    if isinstance(space, Dict):
        return ", ".join(f"{name}: {_space(part)}" for name, part in space.items)
    return str(space).replace(", dtype='int32'", "")


def world_settings(pairs: Sequence[str], flag: str = "--set") -> dict[str, Any]:
    """Settings from `name=value` texts; values are Python literals, other words stay texts.

    Raises ValueError for a text that is not of that form.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{flag} {pair!r} is not of the form name=value, e.g. {flag} num_robots=4")
        try:
            settings[name.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name.strip()] = value
    return settings
