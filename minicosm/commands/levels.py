"""Commands about physics levels: solve them, import them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console


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
