"""Env-steps per second of navigation beside JaxMARL's JaxNav: same map size, beams, episode length; random actions.

    make bench                            # installs JaxMARL in an environment of its own and runs all
    python benchmarks/nav_throughput.py --peer-python .venv-jaxmarl/bin/python --robots 1 --batch 64

JaxNav runs with its defaults (square robots; its map of circular ones lacks a method in release 0.2.0). For each
size two processes stay alive side by side and take turns, A B A B …, one compiled rollout each; the ratio is of
medians. JaxNav draws random cells up to a share of 0.3 with new maps at each reset, and so do we (`max_fill` 0.3, and
ours are solvable). The floor is arithmetic: the operations of one compiled step, as XLA counts them, at the rate that
this machine reaches on fused float32 multiply-adds. Rows of other sizes that the file of results holds stay there.
"""

import argparse
import os
import pathlib
import sys
import unittest.mock

import jax
import jax.numpy as jnp
import machine
from ceilings import arithmetic_rate
from keeping import write_rows
from workers import Worker, alternate

from minicosm.envs.nav import Nav, NavConfig

WORKER = pathlib.Path(__file__).parent / "nav_worker.py"


def steps_of(implementation: str, batch: int) -> int:
    """Ticks of one timed rollout; the peer, a hundred times slower, gets fewer."""
    return 200 if implementation == "minicosm" else max(4, 2048 // batch)


def compare(peer_python: str, robots: int, batch: int, repeats: int) -> dict[str, object]:
    """Alternate both implementations at one size."""

    def worker(python: str, implementation: str) -> Worker:
        steps = str(steps_of(implementation, batch))
        sizes = ["--robots", str(robots), "--batch", str(batch), "--steps", steps]
        return Worker([python, str(WORKER), implementation, *sizes])

    workers = {"minicosm": worker(sys.executable, "minicosm"), "jaxnav": worker(peer_python, "jaxnav")}
    row = {"robots": robots, "batch": batch, **alternate(workers, repeats)}
    ours, theirs = row["minicosm"], row["jaxnav"]
    row["ratio"] = ours["env_steps_per_s"] / theirs["env_steps_per_s"]
    row["ratio_per_cpu_s"] = ours["env_steps_per_cpu_s"] / theirs["env_steps_per_cpu_s"]
    return row


def floor(robots: int, batch: int, rate: float) -> dict[str, float]:
    """Operations of one env-step, and env-steps per second if they ran at `rate`.

    Counted on the reference of the kernels, into which XLA cannot look.
    """
    env = Nav(NavConfig(num_robots=robots))
    keys = jax.random.split(jax.random.key(0), batch)
    levels = jax.vmap(env.sample_level)(keys)
    states, _ = jax.jit(jax.vmap(env.reset))(keys, levels)
    action = jnp.zeros((batch, robots, 2))
    with unittest.mock.patch.dict(os.environ, MINICOSM_KERNELS="off"):
        step = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0))).lower(keys[0], states, action)
    analysis = step.compile().cost_analysis()
    operations = analysis["flops"] / batch
    return {
        "operations_per_env_step": operations,
        "bytes_per_env_step": analysis["bytes accessed"] / batch,
        "peak_operations_per_s": rate,
        "env_steps_per_s_at_peak": rate / operations,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True, help="python of an environment that has jaxmarl")
    parser.add_argument("--robots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64, 512, 2048])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rate = 0.0
    path = machine.results_folder() / "nav_throughput.json"
    rows = []
    for robots in args.robots:
        for batch in args.batch:
            row = compare(args.peer_python, robots, batch, args.repeats)
            rate = max(rate, arithmetic_rate())  # other work on the machine makes a single one too low
            row["floor"] = floor(robots, batch, rate)
            row["floor"]["gap"] = row["floor"]["env_steps_per_s_at_peak"] / row["minicosm"]["env_steps_per_s"]
            rows.append(row)
            ours, theirs = row["minicosm"]["env_steps_per_s"], row["jaxnav"]["env_steps_per_s"]
            write_rows(path, machine.describe(), rows, ("robots", "batch"))
            print(
                f"{robots} robots, B = {batch:5d}: minicosm {ours:11,.0f}  JaxNav {theirs:8,.0f} env-steps/s"
                f"  {row['ratio']:6.0f}x (per CPU-second {row['ratio_per_cpu_s']:.0f}x)"
                f"  gap to the arithmetic floor {row['floor']['gap']:.1f}",
                flush=True,
            )
    print(f"written: {path}")


if __name__ == "__main__":
    main()
