"""Ticks per second of the rigid-body engine beside Jax2D, the engine of Kinetix, and native Box2D, on the same levels.

    python3.11 -m venv .venv-kinetix && .venv-kinetix/bin/pip install kinetix-env
    pip install pyb2d3
    python benchmarks/engine_throughput.py --jax2d-python .venv-kinetix/bin/python

The scenes are random levels of Kinetix in its three sizes (`kinetix_scenes.py`), with random actions. A tick is
1/60 s: 10 solver iterations in Jax2D, 4 sub-steps in the others. For each size and batch the processes stay alive side
by side and take turns, A B A B …, one compiled scan of ticks each; ratios are of medians. `reference` is our engine in
pure JAX, `kernel` the compiled one, and `kernel_by_two` that in calls of two ticks, which is how an environment with a
frame-skip of 2 steps it. Box2D steps 64 worlds one after the other on one core, whatever the batch. Jax2D
runs with XLA's default flags, the fastest of those tried. Rows of other settings that the file of results holds stay
there.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import machine
from keeping import write_rows
from workers import Worker, alternate

FOLDER = pathlib.Path(__file__).parent
SIZES = ("s", "m", "l")
# Ticks of all worlds together in a run: about a second each. Enough steps that starting a run does not count, except
# for Jax2D in large batches, where two ticks take seconds.
TICKS = {
    "jax2d": {"s": 12_000, "m": 8_000, "l": 2_000},
    "reference": {"s": 50_000, "m": 25_000, "l": 10_000},
    "kernel": {"s": 500_000, "m": 400_000, "l": 200_000},
    "kernel_by_two": {"s": 500_000, "m": 400_000, "l": 200_000},
    "box2d": {"s": 16_384, "m": 16_384, "l": 16_384},
}
LONGEST = {
    "jax2d": 2_000,
    "reference": 2_000,
    "kernel": 4_096,
    "kernel_by_two": 4_096,
    "box2d": 256,
}  # ticks of one world in a run
FEWEST = 2


def steps_of(name: str, size: str, batch: int) -> int:
    """Ticks of each world in a run."""
    return max(FEWEST, min(TICKS[name][size] // batch, LONGEST[name]) // 2 * 2)


def start_workers(names: list[str], jax2d_python: str | None, size: str, batch: int) -> dict[str, Worker]:
    """One process per engine. Box2D's rate is that of one world at a time, hence its fixed batch."""
    workers = {}
    for name in names:
        worlds = 64 if name == "box2d" else batch
        sizes = ["--size", size, "--batch", str(worlds), "--steps", str(steps_of(name, size, worlds))]
        if name == "box2d":
            command = [sys.executable, str(FOLDER / "box2d_worker.py")]
        elif name == "jax2d":
            command = [jax2d_python, str(FOLDER / "engine_worker.py"), "jax2d"]
        else:
            kernels = "off" if name == "reference" else "on"
            ticks_a_call = "2" if name == "kernel_by_two" else "1"
            ours = [sys.executable, str(FOLDER / "engine_worker.py"), "minicosm", "--ticks-a-call", ticks_a_call]
            command = ["env", f"MINICOSM_KERNELS={kernels}", *ours]
        workers[name] = Worker([*command, *sizes])
    return workers


def compare(names: list[str], jax2d_python: str | None, size: str, batch: int, repeats: int) -> dict[str, object]:
    """Alternate all engines at one size and batch."""
    figures = alternate(start_workers(names, jax2d_python, size, batch), repeats)
    row = {"size": size, "batch": batch}
    for name, figure in figures.items():
        del figure["resets_per_env_step"]
        per_s, per_cpu_s = figure.pop("env_steps_per_s"), figure.pop("env_steps_per_cpu_s")
        row[name] = {"ticks_per_s": per_s, "ticks_per_cpu_s": per_cpu_s, **figure}
    return row


def table(rows: list[dict[str, object]], names: list[str]) -> str:
    """The rows as text: ticks per second and per CPU-second, seconds of compiling, and ratios to the first engine."""
    lines = [
        f"{'size':4} {'B':>5} {'engine':>10} {'ticks/s':>12} {'per CPU-s':>12} {'compile s':>9} {'ratio':>7} {'CPU':>7}"
    ]
    for row in rows:
        first = row[names[0]]
        for name in names:
            figure = row[name]
            ratios = [first[key] / figure[key] for key in ("ticks_per_s", "ticks_per_cpu_s")]
            lines.append(
                f"{row['size'].upper():4} {row['batch']:5} {name:>10} {figure['ticks_per_s']:12,.0f} "
                f"{figure['ticks_per_cpu_s']:12,.0f} {figure['compile_s']:9.1f} {ratios[0]:7.2f} {ratios[1]:7.2f}"
            )
    return "\n".join(lines)


def peer_versions(python: str) -> dict[str, str]:
    """What the peer's environment holds."""
    names = ("kinetix-env", "jax2d", "jax", "jaxlib", "numpy")
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names}}}))"
    return json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jax2d-python", help="python of an environment that has kinetix-env")
    parser.add_argument(
        "--engines", nargs="+", choices=list(TICKS), help="default: all that can run; the first is ours"
    )
    parser.add_argument("--size", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64, 512, 2048])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="engine_throughput", help="name of the result file")
    args = parser.parse_args()
    names = args.engines or ["kernel", "kernel_by_two", "reference", *(["jax2d"] if args.jax2d_python else []), "box2d"]
    if "jax2d" in names and not args.jax2d_python:
        parser.error("to time jax2d, say which python has it: --jax2d-python .venv-kinetix/bin/python")
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiling is timed, too
    rows = []
    path = machine.results_folder() / f"{args.name}.json"
    head = machine.describe()
    if args.jax2d_python:
        head["peer_versions"] = peer_versions(args.jax2d_python)
    for size in args.size:
        for batch in args.batch:
            rows.append(compare(names, args.jax2d_python, size, batch, args.repeats))
            print(table(rows[-1:], names), flush=True)
            write_rows(path, head, rows, ("size", "batch"))
    print(f"\n{table(rows, names)}\nwritten: {path}")


if __name__ == "__main__":
    main()
