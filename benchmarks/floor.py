"""How far each hot function is from what the machine allows: operations, bytes, ceilings and the gap, on a CPU.

    python benchmarks/floor.py                       # all: a few minutes on two CPU cores
    python benchmarks/floor.py --functions "maze step" --batch 64 --dry-run      # tiny; writes nothing

Operations are counted in the optimised program (see counting.py), of the reference in pure JAX where a kernel in C++
does the work, because XLA cannot look into that. Bytes are the program's arguments and results by XLA's count, which
have to move once whatever is done with them; `cost_bytes` in the file is all that XLA's `cost_analysis()` sees moving,
loops once. The ceilings, multiply-adds or matrix products, whichever is faster, and a triad over large arrays, are
measured in the same process. gap = time taken / max(operations / rate, bytes / bandwidth). Below 1 a kernel leaves out
work that the reference does, or the data stayed in the caches. Written to results/<machine>/floor.json.
"""

import argparse
import json
import os
import statistics
import sys
import time
import unittest.mock

import ceilings
import counting
import engine_worker
import jax
import machine
import ppo_throughput
from adapters_ways import actions_of
from ppo_worker import learner_of

import minicosm
from minicosm.envs.physics import observe
from minicosm.envs.physics.engine import EngineConfig, tick

RUNS = 5
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # as to machine code only


def env_step(name, **settings):
    """One step of B worlds, without automatic reset."""

    def build(batch):
        env = minicosm.make(name, **settings)
        keys = jax.random.split(jax.random.key(0), batch)
        states, _ = jax.jit(lambda keys: jax.vmap(env.reset)(keys, jax.vmap(env.sample_level)(keys)))(keys)
        return lambda *given: jax.vmap(env.step)(*given), (keys, states, actions_of(env, batch, 1)[0]), batch, 1

    return build


def engine_tick(size):
    """One tick of B scenes of the rigid-body engine, on Kinetix's random levels."""

    def build(batch):
        levels = engine_worker.minicosm_scenes(engine_worker.load_scenes(size), size)
        config = EngineConfig(dt=engine_worker.DT)
        one = lambda *given: jax.vmap(lambda *world: tick(*world, config))(*given)  # noqa: E731
        return one, engine_worker.take_batch(levels, 0, batch), batch, 1

    return build


def observation(name):
    """What the agents of B worlds of physics see."""

    def build(batch):
        env = minicosm.make(name)
        keys = jax.random.split(jax.random.key(0), batch)
        states, _ = jax.jit(lambda keys: jax.vmap(env.reset)(keys, jax.vmap(env.sample_level)(keys)))(keys)
        return lambda states: jax.vmap(lambda state: observe.observe(state, env.config))(states), (states,), batch, 1

    return build


def ppo_update(label):
    """One update of PPO, playing and learning; a step is that of one world. The number of worlds is the setup's."""

    def build(batch):
        world, _, setup = ppo_throughput.SETUPS[label]
        worlds = min(batch, setup["num_envs"])
        setup = {**setup, "num_envs": worlds}
        learner = learner_of(world, argparse.Namespace(**setup, **ppo_throughput.LEARNING))
        state = jax.jit(learner.init)(jax.random.key(0))
        return lambda state: learner.update(state, state.update), (state,), worlds, setup["num_steps"]

    return build


FUNCTIONS = {  # number of worlds -> function, arguments, number of worlds, steps of each in one call
    "nav step, 1 robot": env_step("nav", num_robots=1),
    "nav step, 4 robots": env_step("nav", num_robots=4),
    "maze step": env_step("maze"),
    "physics tick, S": engine_tick("s"),
    "physics tick, L": engine_tick("l"),
    "physics observation, S": observation("physics-s"),
    "physics observation, L": observation("physics-l"),
    "PPO update, nav": ppo_update("nav"),
    "PPO update, maze": ppo_update("maze"),
    "PPO update, physics S": ppo_update("physics"),
}


def counted(function, arguments):
    """The Count, the bytes in and out, and the bytes of `cost_analysis`, of the program without kernels."""
    with unittest.mock.patch.dict(os.environ, MINICOSM_KERNELS="off"):
        compiled = jax.jit(lambda *given: function(*given)).lower(*arguments).compile(QUICK)
    found, sizes = counting.count(compiled.as_text()), compiled.memory_analysis()
    if kernels := [name for name in found.foreign_calls if name.startswith("minicosm")]:
        raise RuntimeError(f"the program to be counted calls {kernels}; expected the references")
    moved = sizes.argument_size_in_bytes + sizes.output_size_in_bytes
    return found, moved, compiled.cost_analysis()["bytes accessed"]


def time_of(function, arguments, least):
    """Median seconds of one call, of `RUNS` runs of `least` seconds or more."""
    compiled = jax.jit(lambda *given: function(*given)).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    calls = max(1, round(least / (time.perf_counter() - start)))
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(calls):
            result = compiled(*arguments)
        jax.block_until_ready(result)
        taken.append((time.perf_counter() - start) / calls)
    return statistics.median(taken)


def measure(name, batch, least, ceiling):
    """One row: steps per second, and the floor of one step."""
    function, arguments, worlds, ticks = FUNCTIONS[name](batch)
    steps = worlds * ticks
    took = time_of(function, arguments, least)
    found, moved, cost_bytes = counted(function, arguments)
    bounds = {
        "arithmetic": found.operations / ceiling["operations_per_s"],
        "memory": moved / ceiling["bytes_per_s"],
    }
    bound = max(bounds, key=bounds.get)
    floor = {
        "operations_per_env_step": found.operations / steps,
        "bytes_per_env_step": moved / steps,
        "env_steps_per_s_at_peak": steps / bounds[bound],
        "gap": took / bounds[bound],
        "bound": bound,
        "cost_bytes": cost_bytes,
        "unknown_loops": found.unknown_loops,
    }
    return {"function": name, "batch": worlds, "steps_per_s": steps / took, "floor": floor}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", nargs="+", default=list(FUNCTIONS), choices=list(FUNCTIONS))
    parser.add_argument("--batch", type=int, default=4096, help="worlds (PPO: 256 at most)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each of the five timed runs, about")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    args = parser.parse_args()
    if jax.default_backend() != "cpu":
        sys.exit(f"the default device is {jax.devices()[0]}, and this counts a CPU's programs: set JAX_PLATFORMS=cpu")
    start, rows = time.perf_counter(), []
    rates = {"multiply_adds": ceilings.arithmetic_rate(), "matrix_products": ceilings.matrix_rate()}
    ceiling = {"operations_per_s": max(rates.values()), "bytes_per_s": ceilings.bandwidth(), "rates": rates}
    print(f"{ceiling['operations_per_s'] / 1e9:.0f} G operations/s, {ceiling['bytes_per_s'] / 1e9:.1f} GB/s")
    for name in args.functions:
        rows.append(measure(name, args.batch, args.seconds, ceiling))
        jax.clear_caches()  # a process can hold some thousands of compiled programs
        floor = rows[-1]["floor"]
        print(
            f"{name:22} {rows[-1]['steps_per_s']:11,.0f} steps/s of {floor['env_steps_per_s_at_peak']:13,.0f}, gap "
            f"{floor['gap']:7.2f} to {floor['bound']}; a step: {floor['operations_per_env_step']:9,.0f} operations, "
            f"{floor['bytes_per_env_step']:7,.0f} bytes; {floor['unknown_loops']} loops left out",
            flush=True,
        )
    print(f"{time.perf_counter() - start:.0f} s in all")
    if args.dry_run:
        return
    path = machine.results_folder() / "floor.json"
    content = {**machine.describe(), "device": "cpu", "ceilings": ceiling, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
