"""Curricula side by side: equal env-steps each, then the library and the risk curve of levels nobody trained on.

    python benchmarks/train_curricula.py maze-solvable nav --steps 2000000 --seeds 3

A small study for a small machine: buffers and batches are scaled down from the published ones (see SCALED), for these
are meant for hundreds of times as many steps. Levels that SFL tries out are not counted as env-steps; how many there
were is in each run's learning curve. Runs are kept in --runs, and the comparison is written to
results/<machine>/curricula_<world>.*, made by `minicosm evaluate`'s own code.
"""

import argparse
import dataclasses
import json
import pathlib
import resource
import subprocess
import sys

import machine

import minicosm
from minicosm import curricula
from minicosm.training import default_config, train

SCALED = {
    "dr": {},
    "plr": {"capacity": 1000},
    "robust_plr": {"capacity": 1000},
    "accel": {"capacity": 1000},
    "sfl": {"num_batches": 2, "batch_size": 500, "num_kept": 100, "refresh": 10},
}


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="+")
    parser.add_argument("--curricula", nargs="+", default=["none", *SCALED], choices=["none", *SCALED])
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fresh", type=int, default=10_000)
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs"))
    args = parser.parse_args()
    for world in args.worlds:
        env = minicosm.make(world)
        config = default_config(env, total_steps=args.steps, num_seeds=args.seeds)
        spent, folders = {}, []
        for name in args.curricula:
            settings = dict(SCALED.get(name, {}))
            if name == "sfl":
                settings["num_steps"] = 4 * env.max_episode_steps
            teacher = None if name == "none" else curricula.make(name, env, config.num_envs, **settings)
            folders.append(args.runs / world / name)
            before = cpu_seconds()
            train(env, config, folders[-1], curriculum=teacher)
            spent[name] = round(cpu_seconds() - before)
            print(f"{world}, {name}: {spent[name]} CPU-s for {args.seeds} seeds, compiling included", flush=True)
        out = machine.results_folder() / f"curricula_{world}"
        flags = ["--fresh", str(args.fresh), "--out", str(out)]
        subprocess.run([sys.executable, "-m", "minicosm.cli", "evaluate", *map(str, folders), *flags], check=True)
        report = {**machine.describe(), "config": dataclasses.asdict(config), "settings": SCALED, "cpu_s": spent}
        (out / "runs.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
