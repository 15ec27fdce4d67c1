"""Commands about worlds: list them, film them, measure their speed."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import track

import minicosm
from minicosm.commands.settings import Settings, world_settings
from minicosm.envs.registry import entries
from minicosm.envs.spaces import Box, Dict, Space
from minicosm.studies import comparison, film, throughput
from minicosm.studies import demo as demonstration
from minicosm.studies.tables import measure_with_progress, show_speeds
from minicosm.training import (
    load_env,
)


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
