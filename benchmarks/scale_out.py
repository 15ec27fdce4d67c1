"""Training spread over more and more devices, with as many worlds on each: weak scaling, and what it moves and keeps.

    python benchmarks/scale_out.py                        all GPUs of this host, 1, 2, 4 … of them
    python benchmarks/scale_out.py --host-devices 8       the CPU acts as 8

Every spread stays compiled and they take turns, one update each. On GPUs, ideal is the same time for an update however
many there are. Devices that are one CPU share its cores: there the time of an update can at best grow as the worlds do,
and what is shown is the cost of spreading itself, as env-steps/s beside those of one device with as many worlds.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

if "--host-devices" in sys.argv:  # before JAX is loaded
    count = sys.argv[sys.argv.index("--host-devices") + 1]
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import machine

import minicosm
from minicosm.training import NetworkConfig, PPOConfig
from minicosm.training.checkpoint import save_state
from minicosm.training.networks import Agent
from minicosm.training.ppo import Learner
from minicosm.training.spread import spread_over, whole
from minicosm.training.train import _seeds, _several_updates, _start
from minicosm.wrappers import AutoReset, EpisodeStats

SIZES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "f32": 4, "s32": 4, "u32": 4}
KINETIX_NET = NetworkConfig(kind="transformer", hidden=(128,), width=128, heads=8, layers=2)


def learner_over(devices, args):
    """Flat physics of size S, as in ppo_throughput.py, with `args.num_envs` worlds on each device."""
    env = minicosm.make("physics-s", observation_kind="flat", action_kind="multi_discrete")
    net = NetworkConfig(hidden=(128, 128))
    config = PPOConfig(
        num_envs=args.num_envs * devices, num_steps=args.num_steps, epochs=2, minibatches=4, network=net
    )  # fmt: skip
    worlds = EpisodeStats(AutoReset(env, args.num_envs))
    return Learner(worlds, Agent.of(env, net), config, None, spread_over(devices))


def num_bytes(tree):
    """Of all arrays, random keys as the numbers behind them."""
    plain = jax.eval_shape(lambda t: jax.tree.map(_numbers, t), tree)
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(plain))


def _numbers(x):
    return jax.random.key_data(x) if jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def summed_bytes(text):
    """Bytes of the results of all all-reduces in a compiled program, each counted once, however often it runs."""
    total = 0
    for shapes in re.findall(r"= (.+?) all-reduce(?:-start)?\(", text):
        for kind, dims in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
            size = SIZES[kind]
            for dim in filter(None, dims.split(",")):
                size *= int(dim)
            total += size
    return total


class Run:
    """A compiled spread and the state that it is at."""

    def __init__(self, devices, args):
        self.learner = learner_over(devices, args)
        self.state = _start(self.learner, _seeds(self.learner.config))
        self.compiled = _several_updates.lower(self.learner, self.state, 1).compile()
        self.seconds = []
        self.update()
        self.seconds.clear()

    def update(self):
        start = time.perf_counter()
        self.state, sums = _several_updates(self.learner, self.state, 1)
        jax.block_until_ready((self.state, sums))
        self.seconds.append(time.perf_counter() - start)

    def row(self):
        config, state = self.learner.config, self.state
        seconds = statistics.median(self.seconds)
        memory = self.compiled.memory_analysis()
        text = self.compiled.as_text()
        return {
            "devices": self.learner.spread.num_devices,
            "worlds": config.num_envs,
            "seconds_per_update": seconds,
            "env_steps_per_s": config.steps_per_update / seconds,
            "bytes_of_parameters": num_bytes(state.params),
            "bytes_of_optimizer": num_bytes(state.optimizer),
            "bytes_per_world": num_bytes(state.play) / config.num_envs,
            "bytes_of_program_per_device": memory.temp_size_in_bytes + memory.argument_size_in_bytes,
            "bytes_summed_per_minibatch": summed_bytes(text),
            "gathers": len(re.findall(r" all-gather(?:-start)?\(", text)),
            "checkpoint_bytes": checkpoint_bytes(state),
        }


def checkpoint_bytes(state):
    with tempfile.TemporaryDirectory() as folder:
        save_state(pathlib.Path(folder), whole(state), 1)
        return sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*") if file.is_file())


def sizes_of_nets():
    """Bytes per world and of parameters of other worlds and nets, which the plan in docs/scaling.md needs."""
    rows = {}
    for size in "sml":
        env = minicosm.make(f"physics-{size}", observation_kind="entities")
        for name, net in (("set", NetworkConfig(kind="set", hidden=(128,))), ("transformer", KINETIX_NET)):
            learner = Learner(EpisodeStats(AutoReset(env, 64)), Agent.of(env, net), PPOConfig(network=net))
            state = jax.eval_shape(learner.init, jax.random.key(0))
            features = state.play.features
            rows[f"{size} {name}"] = {
                "bytes_of_parameters": num_bytes(state.params),
                "bytes_per_world": num_bytes(state.play) / 64,
                "bytes_per_sample": features.dtype.itemsize * features.shape[1],
            }
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host-devices", type=int)
    parser.add_argument("--num-envs", type=int, default=256, help="worlds on each device")
    parser.add_argument("--num-steps", type=int, default=32)
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    counts = [2**power for power in range(20) if 2**power <= jax.device_count()]
    runs = [Run(count, args) for count in counts]
    # one device with the worlds of all
    alone = Run(1, argparse.Namespace(**{**vars(args), "num_envs": args.num_envs * counts[-1]}))
    for _ in range(args.turns):
        for run in [*runs, alone]:
            run.update()
    found = {
        **machine.describe(),
        "device": jax.devices()[0].device_kind,
        "worlds_per_device": args.num_envs,
        "rows": [run.row() for run in runs],
        "one_device_with_all_worlds": alone.row(),
        "sizes": sizes_of_nets(),
    }
    for row in [*found["rows"], found["one_device_with_all_worlds"]]:
        told = f"{row['devices']:3} devices {row['worlds']:6} worlds {1e3 * row['seconds_per_update']:8.1f} ms"
        print(f"{told} {row['env_steps_per_s']:12,.0f} env-steps/s")
    accelerator = None if jax.default_backend() == "cpu" else found["device"]
    path = machine.results_folder(accelerator) / "scale_out.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
