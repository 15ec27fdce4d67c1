"""The rigid-body engine on an accelerator, in one command: agreement, and ticks per second against the batch size.

    python benchmarks/engine_device.py          # S, M and L, batches of 2^10 to 2^17, on JAX's default device
    python benchmarks/engine_device.py --sizes l --log2-batch 14 17 --reference
    JAX_PLATFORMS=cpu python benchmarks/engine_device.py --self-test   # tiny, to see that it works; writes nothing

Needs a jax built for the device, e.g. pip install "minicosm[cuda]". The scenes are random levels of Kinetix with
random, steady actions (data/kinetix_random_<size>.npz, in turn). Agreement: the engine as it runs on the device against
the pure JAX reference there, and against the kernel on this machine's CPU. Written to results/<device>/.
"""

import argparse
import dataclasses
import functools
import json
import statistics
import sys
import time

import engine_worker
import jax
import jax.numpy as jnp
import machine
import numpy as np

from minicosm import kernels
from minicosm.envs.physics.engine import EngineConfig, reference_tick, tick

CONFIG = EngineConfig(dt=engine_worker.DT)


def worlds(size, batch):
    """Scenes, states and controls of `batch` worlds. Strengths vary, so that a level comes out otherwise next time."""
    scene, state, controls = engine_worker.take_batch(load(size), 0, batch)
    strength = jax.random.uniform(jax.random.key(0), (batch, 1), minval=0.2)
    speed, thrust = controls.motor_speed * strength, controls.thrust * strength
    return scene, state, dataclasses.replace(controls, motor_speed=speed, thrust=thrust)


@functools.cache
def load(size):
    return engine_worker.minicosm_scenes(engine_worker.load_scenes(size), size)


def rollout(one_tick, steps, keeps_path):
    """A function of scenes, states and controls: the final states, and positions f32[T, B, S, 2] if they are kept."""

    def run(scene, state, controls):
        def step(state, _):
            after = jax.vmap(one_tick, in_axes=(0, 0, 0, None))(scene, state, controls, CONFIG)
            return after, after.position if keeps_path else None

        return jax.lax.scan(step, state, length=steps)

    return run


def agreement(size, batch, steps):
    """How far the engine on the device is from the reference there, and from the kernel on the CPU."""
    arguments = worlds(size, batch)
    final, path = jax.jit(rollout(tick, steps, True))(*arguments)
    _, expected = jax.jit(rollout(reference_tick, steps, True))(*arguments)
    apart = np.linalg.norm(np.asarray(path) - np.asarray(expected), axis=-1).max(-1)  # [T, B] worst body of a world
    row = {
        "size": size,
        "worlds": batch,
        "ticks": steps,
        "first_ticks_worst_m": float(np.quantile(apart[:2], 0.99)),  # the 100th may meet a corner on its other side
        "last_tick_median_m": float(np.median(apart[-1])),
        "finite": bool(np.isfinite(apart).all()),
    }
    if kernels.available():
        there = jax.device_put(arguments, jax.devices("cpu")[0])
        on_cpu, _ = jax.jit(rollout(tick, steps, True))(*there)
        differ = [
            (np.asarray(a).view(np.int32) != np.asarray(b).view(np.int32)).reshape(batch, -1).any(-1)
            for a, b in zip(jax.tree.leaves(final), jax.tree.leaves(on_cpu), strict=True)
        ]
        row["worlds_not_bit_for_bit_as_on_cpu"] = int(np.any(differ, axis=0).sum())
    row["agrees"] = row["finite"] and row["first_ticks_worst_m"] < 1e-4 and row["last_tick_median_m"] < 1e-4
    return row


def throughput(size, batch, steps, one_tick, repeats=5):
    """Ticks of worlds per second in one compiled scan, and seconds until the first result beyond a run's own."""
    scene, state, controls = worlds(size, batch)
    run = jax.jit(lambda *a: rollout(one_tick, steps, False)(*a)[0])
    start = time.perf_counter()
    compiled = run.lower(scene, state, controls).compile()
    compile_s = time.perf_counter() - start
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        final = jax.block_until_ready(compiled(scene, state, controls))
        seconds.append(time.perf_counter() - start)
    assert bool(jnp.isfinite(final.position).all())
    usual = statistics.median(seconds[1:])
    return {
        "size": size,
        "batch": batch,
        "implementation": one_tick.__name__,
        "ticks_per_s": batch * steps / usual,
        "ms_per_tick": 1e3 * usual / steps,
        "compile_s": compile_s,
        "first_run_extra_s": seconds[0] - usual,  # on a GPU NVRTC compiles here, once per size
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=["s", "m", "l"], default=["s", "m", "l"])
    parser.add_argument("--log2-batch", type=int, nargs="+", default=list(range(10, 18)))
    parser.add_argument("--steps", type=int, default=64, help="ticks of one compiled scan")
    parser.add_argument("--worlds", type=int, default=1000, help="of the test of agreement")
    parser.add_argument("--reference", action="store_true", help="time the pure JAX reference too")
    parser.add_argument("--self-test", action="store_true", help="tiny sizes, and nothing written")
    args = parser.parse_args()
    if args.self_test:
        args.sizes, args.log2_batch, args.steps, args.worlds, args.reference = ["s"], [3, 4], 4, 20, False
    return args


def main():
    args = parse()
    device = jax.devices()[0]
    print(f"device: {device.device_kind}")
    platform = "cuda" if device.platform == "gpu" else device.platform
    why = kernels.why_not(platform) if platform in ("cpu", "cuda") else "kernels exist for the CPU and CUDA"
    if why:
        print(f"the kernel does not run here, the reference does: {why}")
    agrees = [agreement(size, args.worlds, args.steps) for size in args.sizes]
    for row in agrees:
        print(row, flush=True)
    rows = []
    for size in args.sizes:
        for power in args.log2_batch:
            for one_tick in (tick, reference_tick) if args.reference else (tick,):
                rows.append(throughput(size, 2**power, args.steps, one_tick))
                rate = rows[-1]["ticks_per_s"]
                print(f"{size.upper()}, B = {2**power:6d}: {rate:14,.0f} ticks/s  ({one_tick.__name__})", flush=True)
    if not args.self_test:
        path = machine.results_folder(device.device_kind if device.platform != "cpu" else None) / "engine_device.json"
        head = {**machine.describe(), "device": device.device_kind, "kernel_on_device": why is None}
        path.write_text(json.dumps({**head, "agreement": agrees, "rows": rows}, indent=1) + "\n")
        print(f"written: {path}")
    if not all(row["agrees"] for row in agrees):
        sys.exit("the engine on the device and its reference disagree: see above")


if __name__ == "__main__":
    main()
