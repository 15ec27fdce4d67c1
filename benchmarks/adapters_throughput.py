"""What each interface costs: env-steps per second of every way of stepping, side by side, on any device.

    pip install "minicosm[torch,sb3,torchrl]" supersuit   # those that are missing are left out
    python benchmarks/adapters_throughput.py
    python benchmarks/adapters_throughput.py --families nav --worlds 1024

All ways of a row live in one process and take turns, A B C A B C …; medians of the turns, and ratios of each to the
compiled step that hands out the same kind of arrays ("step, numpy" and "step, jax"), are written to
results/<machine>/adapters_throughput.json. `--agents` compares `agents_as_envs` with SuperSuit's concatenation.
"""

import argparse
import importlib.metadata
import json
import math
import statistics
import time

import adapters_ways
import jax
import machine
import numpy as np

import minicosm
from minicosm.wrappers import PettingZooEnv, agents_as_envs

FAMILIES = ("nav", "maze", "physics-s")
AGAINST = {"VectorEnv jax": "step, jax"}  # all others against "step, numpy"
TURN_SECONDS = 0.15


def alternate(runs, num_envs, turns):
    """name -> env-steps per second: medians of `turns` turns of some tenth of a second each."""
    steps = {}
    for name, run in runs.items():
        run(adapters_ways.RING)  # compiles
        start = time.perf_counter()
        run(adapters_ways.RING)
        each = (time.perf_counter() - start) / adapters_ways.RING
        steps[name] = max(1, round(TURN_SECONDS / each / adapters_ways.RING)) * adapters_ways.RING
    rates = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            start = time.perf_counter()
            run(steps[name])
            rates[name].append(num_envs * steps[name] / (time.perf_counter() - start))
    return {name: statistics.median(rate) for name, rate in rates.items()}


def measure(family, num_envs, turns, chosen):
    """One row of the table, of the ways in `chosen`, by default all."""
    env = minicosm.make(family)
    ways = {name: way for name, way in adapters_ways.ways(num_envs).items() if not chosen or name in chosen}
    speed = alternate({name: way(env, num_envs) for name, way in ways.items()}, num_envs, turns)
    ratio = {name: speed[name] / speed.get(AGAINST.get(name, "step, numpy"), math.nan) for name in speed}
    return {"family": family, "worlds": num_envs, "steps_per_s": speed, "ratio_to_step": ratio}


def supersuit_way(env, num_worlds):
    """SuperSuit's concatenation of PettingZoo worlds, dead agents padded, one process."""
    import supersuit

    def make():
        return supersuit.black_death_v3(PettingZooEnv(env))

    envs = supersuit.concat_vec_envs_v1(
        supersuit.pettingzoo_env_to_vec_env_v1(make()), num_worlds, num_cpus=0, base_class="gymnasium"
    )
    return stepper(envs, env, num_worlds)


def stepper(envs, env, num_worlds):
    ring = np.asarray(adapters_ways.actions_of(env, num_worlds))
    ring = list(ring.reshape(len(ring), num_worlds * env.num_agents, *ring.shape[3:]))
    envs.reset(seed=0)

    def run(steps):
        for i in range(steps):
            envs.step(ring[i % len(ring)])

    return run


def measure_agents(num_worlds, turns):
    """agents_as_envs beside SuperSuit, four robots a world; agent-steps per second."""
    env = minicosm.make("nav-multi")
    runs = {"agents_as_envs": stepper(agents_as_envs(env, num_worlds), env, num_worlds)}
    if adapters_ways.has("supersuit"):
        runs["SuperSuit"] = supersuit_way(env, num_worlds)
    return {"family": "nav-multi", "worlds": num_worlds, "agent_steps_per_s": alternate(runs, 4 * num_worlds, turns)}


def versions():
    """Of the packages whose interfaces are measured."""
    packages = ("torch", "stable-baselines3", "torchrl", "supersuit")
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 64, 1024, 4096])
    parser.add_argument("--ways", nargs="+", help="names as printed, e.g. 'step, numpy' 'VectorEnv numpy'")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--agents", type=int, nargs="*", default=[16, 256], help="worlds; none: leave out")
    parser.add_argument("--name", default="adapters_throughput", help="of the file of results")
    args = parser.parse_args()
    rows, agents = [], []
    device = jax.devices()[0]
    folder = machine.results_folder(device.device_kind if device.platform != "cpu" else None)

    def save():
        head = machine.describe()
        head["versions"] = {**head["versions"], **versions()}
        told = {**head, "device": device.device_kind, "rows": rows, "agents": agents}
        (folder / f"{args.name}.json").write_text(json.dumps(told, indent=1) + "\n")

    for family in args.families:
        for num_envs in args.worlds:
            row = measure(family, num_envs, args.turns, args.ways)
            rows.append(row)
            print(f"{family}, {num_envs} worlds", flush=True)
            for name, speed in row["steps_per_s"].items():
                against = AGAINST.get(name, "step, numpy")
                print(
                    f"  {name:20} {speed:14,.0f} env-steps/s  {row['ratio_to_step'][name]:6.2f} of {against}",
                    flush=True,
                )
            save()
            jax.clear_caches()  # a process can hold some thousands of programs
    for num_worlds in args.agents:
        agents.append(measure_agents(num_worlds, args.turns))
        print(f"nav-multi, {num_worlds} worlds of 4 agents: {agents[-1]['agent_steps_per_s']}", flush=True)
        save()
    print(f"written: {folder / args.name}.json")


if __name__ == "__main__":
    main()
