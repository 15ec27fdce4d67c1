"""Env-steps per second of each family against the number of worlds, 1 to 65,536, on JAX's default device.

    python benchmarks/batch_sweep.py                 # all: 9 minutes on two CPU cores that others used too
    python benchmarks/batch_sweep.py --families maze --batch 1 64 --seconds 0.02 --dry-run   # tiny; writes nothing

Worlds reset themselves onto new levels; actions are random, drawn before; all steps of a run are one scan. Worlds start
with their clocks at random places within the episode, so that even a few steps see as many end as a long run does. The
worlds' next levels are drawn many at a time, in bursts, which is why the rate is of all timed runs together; the
seconds of each run are in the file too. Bytes are XLA's own count for the compiled program, arguments, results and
temporary memory, less what results share with arguments. A family ends at the size that needs more than the limit of
memory, which is then in the file under "stopped". Written to results/<machine or device>/batch_sweep.json.
"""

import argparse
import dataclasses
import json
import time

import jax
import jax.numpy as jnp
import machine
from adapters_ways import RING, actions_of
from rollouts import used_up

import minicosm
from minicosm.wrappers import AutoReset

FAMILIES = {
    "nav, 1 robot": ("nav", {"num_robots": 1}),
    "nav, 4 robots": ("nav", {"num_robots": 4}),
    "maze": ("maze", {}),
    "physics-s": ("physics-s", {}),
    "physics-l": ("physics-l", {}),
}
BATCHES = [4**power for power in range(9)]
CHUNK = 1024  # worlds that are seeded by one call
RUNS = 5


class Seeds:
    """The first states of any number of worlds, from one compiled program."""

    def __init__(self, env, most):
        self.chunk = min(CHUNK, most)
        self.clock = env.max_episode_steps
        self.reset = jax.jit(self._reset, static_argnums=0).lower(env, self._keys(0)).compile()

    def _keys(self, first):
        return jax.random.split(jax.random.fold_in(jax.random.key(0), first), self.chunk)

    def _reset(self, env, keys):
        state = AutoReset(env, self.chunk).reset(keys)[0]
        clock = jax.vmap(lambda key: jax.random.randint(key, (), 0, self.clock))(keys)
        return dataclasses.replace(state, env_state=dataclasses.replace(state.env_state, time=clock))

    def __call__(self, batch):
        chunks = [self.reset(self._keys(first)) for first in range(0, batch, self.chunk)]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:batch], *chunks)


def rollout_of(env, batch, steps):
    """A function (state, actions [RING, batch, A, ...]) -> state, used, resets."""
    worlds = AutoReset(env, batch)

    def rollout(state, ring):
        def tick(carry, i):
            state, total, resets = carry
            state, timestep = worlds.step(state, ring[i % RING])
            used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
            return (state, total + used, resets + timestep.info["reset"].sum()), None

        return jax.lax.scan(tick, (state, jnp.float32(0), jnp.int32(0)), jnp.arange(steps))[0]

    return jax.jit(rollout, donate_argnums=0)


def steps_of(batch):
    """Ticks of one call: many for few worlds, so that the call's own cost is small."""
    return max(RING, min(4096, (1 << 16) // batch))


def memory_of(compiled):
    """Bytes that a call needs."""
    sizes = compiled.memory_analysis()
    parts = sizes.argument_size_in_bytes, sizes.output_size_in_bytes, sizes.temp_size_in_bytes
    return sum(parts) - sizes.alias_size_in_bytes


def measure(env, seeds, batch, seconds, limit):
    """One row, or only its sizes where it would need more than `limit` bytes."""
    steps, state, ring = steps_of(batch), seeds(batch), actions_of(env, batch)
    start = time.perf_counter()
    compiled = rollout_of(env, batch, steps).lower(state, ring).compile()
    row = {"batch": batch, "compile_s": time.perf_counter() - start}
    memory = memory_of(compiled)
    row |= {"memory_bytes": memory, "memory_bytes_per_world": memory / batch}
    if memory > limit:
        return row
    start = time.perf_counter()
    state = jax.block_until_ready(compiled(state, ring))[0]
    calls = max(1, round(seconds / (time.perf_counter() - start)))
    taken, ended = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(calls):
            state, total, resets = compiled(state, ring)
            ended.append(resets)
        assert jnp.isfinite(jax.block_until_ready(total))
        taken.append(time.perf_counter() - start)
    env_steps = batch * steps * calls
    row |= {"env_steps_per_s": RUNS * env_steps / sum(taken), "seconds": taken}
    row["resets_per_env_step"] = sum(map(int, ended)) / (RUNS * env_steps)
    return row


def sweep(family, batches, seconds, limit):
    """Rows of one family, and None or why it ended before the largest size."""
    name, settings = FAMILIES[family]
    env = minicosm.make(name, **settings)
    seeds = Seeds(env, max(batches))
    for batch in sorted(batches):
        row = {"family": family, **measure(env, seeds, batch, seconds, limit)}
        jax.clear_caches()  # a process can hold some thousands of compiled programs
        if "env_steps_per_s" not in row:
            needs, most = row["memory_bytes"] / 2**30, limit / 2**30
            yield None, f"{family}: {batch:,} worlds would need {needs:.3g} GiB; the limit was {most:.3g} GiB"
            return
        yield row, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--batch", type=int, nargs="+", default=BATCHES, help="numbers of worlds")
    parser.add_argument("--seconds", type=float, default=0.2, help="of each of the five timed runs, about")
    parser.add_argument("--limit-gib", type=float, default=6.0, help="of memory that a program may need")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    args = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is timed
    device = jax.devices()[0]
    rows, stopped = [], []
    start = time.perf_counter()
    for family in args.families:
        for row, why in sweep(family, args.batch, args.seconds, args.limit_gib * 2**30):
            if why:
                stopped.append(why)
                print(why, flush=True)
                continue
            rows.append(row)
            print(
                f"{family:14} B = {row['batch']:6,}: {row['env_steps_per_s']:13,.0f} env-steps/s, compile "
                f"{row['compile_s']:5.1f} s, {row['memory_bytes_per_world']:9,.0f} bytes a world, "
                f"1 reset in {1 / max(row['resets_per_env_step'], 1e-9):,.0f} steps",
                flush=True,
            )
    print(f"{time.perf_counter() - start:.0f} s in all")
    if args.dry_run:
        return
    head = {**machine.describe(), "device": device.device_kind, "limit_gib": args.limit_gib, "stopped": stopped}
    path = machine.results_folder(device.device_kind if device.platform != "cpu" else None) / "batch_sweep.json"
    path.write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
