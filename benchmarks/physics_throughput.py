"""Env-steps per second of the 2D universe beside Kinetix: random levels, random actions, automatic reset.

    python -m venv .venv-kinetix && .venv-kinetix/bin/pip install kinetix-env
    python benchmarks/physics_throughput.py --kinetix-python .venv-kinetix/bin/python

Both draw a new random level of their own kind at each reset, step two ticks per action, end episodes after 256 steps
and shape the reward. For each row the two processes stay alive side by side and take turns, A B A B …, one compiled
rollout each; ratios are of medians. `setup` is what it takes to compile and make the first levels, `compile` the
rollout; Kinetix needs minutes. Without --kinetix-python our own figures are measured alone. Rows of other settings that
the file of results holds stay there.
"""

import argparse
import pathlib
import sys

import jax
import machine
from keeping import write_rows
from workers import Worker, alternate

WORKER = pathlib.Path(__file__).parent / "physics_worker.py"
# env-steps of one timed rollout, about: enough for some tenth of a second
ENV_STEPS = {
    "minicosm": {"s": 300_000, "m": 200_000, "l": 60_000},
    "kinetix": {"s": 3_000, "m": 3_000, "l": 1_000},
}
PIXELS = 0.1  # so many times as long with pixels


def steps(name: str, size: str, observation: str, batch: int) -> int:
    """Steps of one timed rollout."""
    wanted = ENV_STEPS[name][size] * (PIXELS if observation == "pixels" else 1.0)
    if jax.default_backend() != "cpu":
        wanted *= 100
    return max(8, round(wanted / batch))


def measure(pythons: dict[str, str], size: str, observation: str, batch: int, repeats: int) -> dict[str, object]:
    """Alternate all implementations at one size."""
    asked = ["--size", size, "--observation", observation, "--batch", str(batch)]
    workers = {
        name: Worker([python, str(WORKER), name, *asked, "--steps", str(steps(name, size, observation, batch))])
        for name, python in pythons.items()
    }
    return {"size": size, "observation": observation, "batch": batch, **alternate(workers, repeats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinetix-python", help="python of an environment that has kinetix-env")
    parser.add_argument("--sizes", nargs="+", default=["s", "m", "l"], choices=["s", "m", "l"])
    parser.add_argument("--observations", nargs="+", default=["entities"], choices=["entities", "flat", "pixels"])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="physics_throughput", help="of the file of results")
    args = parser.parse_args()
    pythons = {"minicosm": sys.executable}
    if args.kinetix_python:
        pythons["kinetix"] = args.kinetix_python
    rows = []
    for size in args.sizes:
        for observation in args.observations:
            for batch in args.batch:
                row = measure(pythons, size, observation, batch, args.repeats)
                rows.append(row)
                ours = row["minicosm"]
                line = f"{size} {observation} B = {batch}: {ours['env_steps_per_s']:,.0f} env-steps/s"
                line += f", setup {ours['setup_s']:.0f} s, compile {ours['compile_s']:.1f} s"
                if "kinetix" in row:
                    theirs = row["kinetix"]
                    wall, cpu = (ours[k] / theirs[k] for k in ("env_steps_per_s", "env_steps_per_cpu_s"))
                    line += f"; kinetix {theirs['env_steps_per_s']:,.0f} ({wall:.0f}x, per CPU-second {cpu:.0f}x), "
                    line += f"setup {theirs['setup_s']:.0f} s, compile {theirs['compile_s']:.0f} s"
                print(line, flush=True)
                path = machine.results_folder() / f"{args.name}.json"
                write_rows(path, machine.describe(), rows, ("size", "observation", "batch"))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
