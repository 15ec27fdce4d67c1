"""Env-steps per second of our lunar lander beside Gymnasium's Box2D LunarLander-v3 and envpool's.

    python -m venv .venv-envpool && .venv-envpool/bin/pip install envpool
    python benchmarks/lander_throughput.py --envpool-python .venv-envpool/bin/python

`minicosm` is our `VectorEnv` stepped from Python with NumPy arrays, as the other two are; `minicosm-scan` is the same
world with the loop on the device. Gymnasium's worlds step in turn in a `SyncVectorEnv`, envpool's on its own
threads. Ours steps two ticks of 1/60 s per action with four sub-steps each, theirs one of 1/50 s. Processes stay alive
side by side and take turns; ratios are of medians. Rows of other numbers of worlds that the file of results holds stay
there. Runs on a GPU as it is.
"""

import argparse
import pathlib
import sys

import machine
from keeping import write_rows
from workers import Worker, alternate

WORKER = pathlib.Path(__file__).parent / "vector_worker.py"
LEAST = {"minicosm": 60_000, "minicosm-scan": 400_000, "gymnasium": 4_000, "envpool": 40_000}  # env-steps of a turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envpool-python", help="python of an environment that has envpool")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64, 1024, 4096])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    pythons = {"minicosm": sys.executable, "minicosm-scan": sys.executable, "gymnasium": sys.executable}
    if args.envpool_python:
        pythons["envpool"] = args.envpool_python
    rows = []
    for batch in args.batch:
        workers = {}
        for name, python in pythons.items():
            steps = max(4, LEAST[name] // max(batch, 16))
            workers[name] = Worker([python, str(WORKER), name, "--batch", str(batch), "--steps", str(steps)])
        row = {"batch": batch, **alternate(workers, args.repeats)}
        rows.append(row)
        rates = {name: row[name]["env_steps_per_s"] for name in pythons}
        print(f"B = {batch}: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()))
        for name in list(pythons)[2:]:
            ratios = [f"{rates[ours] / rates[name]:.1f}x" for ours in ("minicosm", "minicosm-scan")]
            cpu = row["minicosm"]["env_steps_per_cpu_s"] / row[name]["env_steps_per_cpu_s"]
            print(f"  over {name}: {ratios[0]} (per CPU-second {cpu:.1f}x), scan {ratios[1]}", flush=True)
        path = machine.results_folder() / "lander_throughput.json"
        write_rows(path, machine.describe(), rows, ("batch",))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
