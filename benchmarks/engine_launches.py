"""What a GPU would launch for each tick of the rigid-body engine, read off the compiled program: no GPU is needed.

    pip install "minicosm[cuda]"
    python benchmarks/engine_launches.py

Compiles a scan of ticks for an H200 ahead of time, and lists the instructions of the loop's body and condition that
XLA launches or hands to the kernel. Exits with 1 where there is another than the kernel and the loop's own counters.
"""

import argparse
import os
import re
import sys

os.environ["JAX_PLATFORMS"] = "cpu"  # here; the program is for another machine

import engine_worker
import jax
from jax.experimental import topologies

from minicosm import kernels
from minicosm.envs.physics.engine import EngineConfig, tick

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  shared_memory_per_block: 49152 shared_memory_per_core: 233472 shared_memory_per_block_optin: 232448
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: 4800000000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 150000000000
  cuda_compute_capability { major: 9 minor: 0 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 }
device_description_str: "NVIDIA H200"
"""
LAUNCHED = re.compile(r"%(\S+) = (\S+).* (copy|copy-start|fusion|custom-call|memset|concatenate|transpose)\(")


def device():
    """An H200 that is not there."""
    try:
        found = topologies.get_topology_desc("1x1x1", platform="cuda", topology="1x1x1", target_config=H200)
    except (RuntimeError, NotImplementedError) as error:
        sys.exit(f'jax cannot compile for a GPU here ({error}); pip install "minicosm[cuda]"')
    return found.devices[0]


def compiled_loop(size, worlds, target):
    """The text of the compiled scan of ticks."""
    one = jax.sharding.SingleDeviceSharding(target)
    levels = engine_worker.minicosm_scenes(engine_worker.load_scenes(size), size)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((worlds, *x.shape[1:]), x.dtype, sharding=one), levels)

    def ticks(scene, state, controls):
        def step(state, _):
            return jax.vmap(tick, (0, 0, 0, None))(scene, state, controls, EngineConfig()), None

        return jax.lax.scan(step, state, length=16)[0]

    return jax.jit(ticks, donate_argnums=1).lower(*shapes).compile().as_text()


def launches(text):
    """(name, shape, kind) of what is launched in the loop's body and condition."""
    computations = re.split(r"\n(?=%|ENTRY)", text)
    named = {found[1]: c for c in computations if (found := re.match(r"(?:ENTRY )?%(\S+) ", c))}
    loop = re.search(r"while\(.*condition=%(\S+), body=%([^\s,]+)", text)
    return [found.groups() for part in loop.groups() for found in LAUNCHED.finditer(named[part])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["s", "m", "l"], choices=["s", "m", "l"])
    parser.add_argument("--worlds", type=int, default=1024)
    args = parser.parse_args()
    target = device()
    if why := kernels.why_not("cuda"):
        sys.exit(f"there is no kernel to launch: {why}")
    others = []
    for size in args.sizes:
        found = launches(compiled_loop(size, args.worlds, target))
        print(f"{size.upper()}: {len(found)} launches a tick: {', '.join(' '.join(each) for each in found)}")
        kernel = [each for each in found if each[2] == "custom-call"]
        others += [each for each in found if each not in kernel and not re.match(r"(s32|pred)\[\]", each[1])]
        others += kernel[1:]
    if others:
        sys.exit(f"besides the kernel and the counters: {others}")


if __name__ == "__main__":
    main()
