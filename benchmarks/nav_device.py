"""Navigation on an accelerator, in one command: agreement with the CPU, and throughput against the batch size.

    python benchmarks/nav_device.py                       # batches of 2^10 to 2^17 on JAX's default device
    python benchmarks/nav_device.py --log2-batch 8 10 --robots 1

Needs a jax built for the device, e.g. pip install "minicosm[cuda]". Agreement: the same levels and actions, stepped on
both; a step is compared from the CPU's state, so that rounding does not add up. Written to results/<device>/.
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np

import minicosm
from minicosm.wrappers import AutoReset


def disagreement(robots: int, worlds: int = 256, steps: int = 50) -> dict[str, float]:
    """Largest difference of an observation, and share of flags that differ, between the default device and the CPU."""
    env = minicosm.make("nav", num_robots=robots)
    host, device = jax.devices("cpu")[0], jax.devices()[0]
    keys = jax.random.split(jax.random.key(0), worlds)
    step = jax.jit(jax.vmap(env.step))
    with jax.default_device(host):
        levels = jax.jit(jax.vmap(env.sample_level))(keys)
        state, _ = jax.jit(jax.vmap(env.reset))(keys, levels)
    worst = flags = 0.0
    for t in range(steps):
        with jax.default_device(host):
            action = jax.random.uniform(jax.random.key(t), (worlds, robots, 2), minval=-1.0)
        there = jax.device_put((keys, state, action), device)
        _, on_device = step(*there)
        state, on_host = step(*jax.device_put((keys, state, action), host))
        # near a corner a beam may fall on either side within rounding: the 99.9th percentile, not the maximum
        gap = np.abs(np.asarray(on_device.observation) - np.asarray(on_host.observation))
        worst = max(worst, float(np.quantile(gap, 0.999)))
        flags = max(flags, float(np.mean(np.asarray(on_device.terminated) != np.asarray(on_host.terminated))))
    return {"robots": robots, "observation_difference": worst, "flags_that_differ": flags}


def throughput(robots: int, batch: int, steps: int = 100, repeats: int = 5) -> dict[str, float]:
    """Env-steps per second with automatic reset and random actions, and seconds to compile."""
    worlds = AutoReset(minicosm.make("nav", num_robots=robots), batch)

    def tick(state, key):
        action = jax.random.uniform(key, (batch, robots, 2), minval=-1.0)
        state, timestep = worlds.step(state, action)
        return state, timestep.observation.sum() + timestep.reward.sum()

    rollout = jax.jit(lambda state, key: jax.lax.scan(tick, state, jax.random.split(key, steps)), donate_argnums=0)
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    start = time.perf_counter()
    compiled = rollout.lower(state, jax.random.key(0)).compile()
    compile_s = time.perf_counter() - start
    rates = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        state, totals = jax.block_until_ready(compiled(state, jax.random.key(i)))
        rates.append(batch * steps / (time.perf_counter() - start))
        assert bool(jnp.isfinite(totals).all())
    return {"robots": robots, "batch": batch, "env_steps_per_s": statistics.median(rates[1:]), "compile_s": compile_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--log2-batch", type=int, nargs="+", default=list(range(10, 18)))
    args = parser.parse_args()
    device = jax.devices()[0]
    print(f"device: {device.device_kind}")
    agreement = [disagreement(robots) for robots in args.robots]
    for row in agreement:
        print(row)
    rows = []
    for robots in args.robots:
        for power in args.log2_batch:
            rows.append(throughput(robots, 2**power))
            print(f"{robots} robots, B = {2**power:6d}: {rows[-1]['env_steps_per_s']:14,.0f} env-steps/s", flush=True)
    path = machine.results_folder(device.device_kind if device.platform != "cpu" else None) / "nav_device.json"
    content = {**machine.describe(), "device": device.device_kind, "agreement": agreement, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
