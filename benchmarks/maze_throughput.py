"""Env-steps per second of the maze beside JaxUED's Maze and XLand-MiniGrid: random actions, automatic reset.

    python -m venv .venv-jaxued && .venv-jaxued/bin/pip install jaxued six
    python -m venv .venv-xland && .venv-xland/bin/pip install xminigrid
    python benchmarks/maze_throughput.py --jaxued-python .venv-jaxued/bin/python --xland-python .venv-xland/bin/python

The task is the same for JaxUED: 13 x 13 cells, 60 draws of walls, a 5 x 5 view, 250 steps, a new level at each reset;
`jaxued-replay` plays the same level again instead, which makes no level and so is less work. XLand-MiniGrid plays its
Empty-16x16. For each size the processes stay alive side by side and take turns, A B A B …, one compiled rollout each,
whose actions are drawn before its first step; ratios are of medians. `minigrid` is MiniGrid's own Empty-16x16 in a
`SyncVectorEnv`, stepped from Python, of 1,024 worlds at most. The last lines time the search for the optimum and the
generators. Rows of other numbers of worlds that the file of results holds stay there.
"""

import argparse
import importlib.util
import pathlib
import statistics
import sys
import time

import jax
import machine
from keeping import write_rows
from workers import Worker, alternate

from minicosm.envs.maze import Maze, MazeConfig, solve

FOLDER = pathlib.Path(__file__).parent
# (ticks, env-steps) of a timed rollout, at least: enough for some tenth of a second
LEAST = {
    "minicosm": (300, 400_000),
    "jaxued": (30, 10_000),
    "jaxued-replay": (200, 100_000),
    "xland": (50, 30_000),
    "minigrid": (4, 4_000),
}
MOST_OF_MINIGRID = 1024  # worlds


def ticks(name: str, batch: int) -> int:
    """Ticks of one timed rollout."""
    least_ticks, least_env_steps = LEAST[name]
    return max(least_ticks, -(-least_env_steps // batch))


def compare(pythons: dict[str, str], batch: int, repeats: int) -> dict[str, object]:
    """Alternate all implementations at one size."""

    def worker(name: str, python: str) -> Worker:
        script = FOLDER / ("vector_worker.py" if name == "minigrid" else "maze_worker.py")
        return Worker([python, str(script), name, "--batch", str(batch), "--steps", str(ticks(name, batch))])

    workers = {
        name: worker(name, python)
        for name, python in pythons.items()
        if name != "minigrid" or batch <= MOST_OF_MINIGRID
    }
    return {"batch": batch, **alternate(workers, repeats)}


def rate(function, argument, count: int, repeats: int = 9) -> float:
    """Items per second of a compiled `function` that handles `count` at a time, median."""
    jax.block_until_ready(function(argument))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(argument))
        seconds.append(time.perf_counter() - start)
    return count / statistics.median(seconds)


def search_and_generators(count: int = 4096) -> dict[str, float]:
    """Levels per second of the search for the optimum and of each generator, 13 x 13 cells."""
    keys = jax.random.split(jax.random.key(0), count)
    rates = {}
    for kind in ("uniform", "solvable", "perfect", "rooms", "corridors", "caves"):
        make = jax.jit(jax.vmap(Maze(MazeConfig(level_kind=kind)).sample_level))
        rates[f"generate {kind}"] = rate(make, keys, count)
        if kind in ("uniform", "perfect"):
            rates[f"solve {kind}"] = rate(jax.jit(jax.vmap(solve.num_actions)), make(keys), count)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaxued-python", help="python of an environment that has jaxued")
    parser.add_argument("--xland-python", help="python of an environment that has xminigrid")
    parser.add_argument("--minigrid-python", help="python of an environment that has minigrid; default: this one")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 1024, 8192])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    pythons = {"minicosm": sys.executable}
    if args.jaxued_python:
        pythons |= {"jaxued": args.jaxued_python, "jaxued-replay": args.jaxued_python}
    if args.xland_python:
        pythons["xland"] = args.xland_python
    if args.minigrid_python or importlib.util.find_spec("minigrid"):
        pythons["minigrid"] = args.minigrid_python or sys.executable
    else:
        print("MiniGrid is not installed")
    path, rows = machine.results_folder() / "maze_throughput.json", []
    for batch in args.batch:
        row = compare(pythons, batch, args.repeats)
        rows.append(row)
        ours = row["minicosm"]
        print(f"B = {batch}: minicosm {ours['env_steps_per_s']:,.0f} env-steps/s", flush=True)
        write_rows(path, machine.describe(), rows, ("batch",))
        for name in list(pythons)[1:]:
            theirs = row.get(name)
            if theirs is None:
                continue
            wall, cpu = (ours[k] / theirs[k] for k in ("env_steps_per_s", "env_steps_per_cpu_s"))
            print(f"  {name} {theirs['env_steps_per_s']:,.0f}: {wall:.1f}x, per CPU-second {cpu:.1f}x", flush=True)
    rates = search_and_generators()
    for name, value in rates.items():
        print(f"{name}: {value:,.0f} levels/s")
    write_rows(path, {**machine.describe(), "levels_per_s": rates}, rows, ("batch",))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
