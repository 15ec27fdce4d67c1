"""What a tick costs and what a scene takes, from 4 to 64 moving shapes.

    python benchmarks/engine_scaling.py && make report

Half boxes, half discs, fall into a room that grows with their number and lie in heaps; timed from the second on, 256
scenes at a time. Pairs grow with the square of the shapes, and with them the memory and the search for contacts; what
touches grows with the shapes, and with it the solving.
"""

import argparse
import json
import math
import statistics
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np

from minicosm.envs.physics import engine
from minicosm.envs.physics.engine.build import build, idle, stack
from minicosm.envs.physics.engine.definitions import Circle, box, box_walls
from minicosm.envs.physics.engine.query import touching_pairs

SETTLE, TICKS = 60, 60


def heap(count, seed):
    """A scene of `count` shapes of about 0.4 m, on a grid in their room."""
    side = math.ceil(math.sqrt(count))
    rng = np.random.default_rng(seed)
    shapes = []
    for i in range(count):
        place = {"position": (0.6 * (i % side) + 0.4 + rng.uniform(-0.05, 0.05), 0.6 * (i // side) + 0.4)}
        turn = {"rotation": rng.uniform(-0.3, 0.3)}
        shapes.append(
            Circle(rng.uniform(0.1, 0.25), **place) if i % 2 else box(*rng.uniform(0.2, 0.4, 2), **place, **turn)
        )
    size = engine.Size(4 + (count + 1) // 2, count // 2, num_joints=0, num_thrusters=0)
    return build(size, shapes, walls=box_walls(0.6 * side + 0.4, 0.6 * side + 0.4))


def measure(count, batch, repeats):
    """Ticks of scenes a second, contacts and bytes of one scene."""
    few = stack([heap(count, seed) for seed in range(16)])
    scenes, states = jax.tree.map(lambda x: x[jnp.arange(batch) % 16], few)
    controls = jax.vmap(idle)(scenes)

    @jax.jit
    def roll(states):
        step = lambda s, _: (jax.vmap(engine.tick)(scenes, s, controls), None)  # noqa: E731
        return jax.lax.scan(step, states, None, length=TICKS)[0]

    for _ in range(SETTLE // TICKS):
        states = jax.block_until_ready(roll(states))
    wall, cpu = [], []
    for _ in range(repeats):
        before = time.perf_counter(), time.process_time()
        jax.block_until_ready(roll(states))
        wall.append((time.perf_counter() - before[0]) / TICKS / batch)
        cpu.append((time.process_time() - before[1]) / TICKS / batch)
    held = lambda tree: sum(x.nbytes for x in jax.tree.leaves(tree)) // batch  # noqa: E731
    return {
        "shapes": count,
        "pairs": int(scenes.size.num_pairs),
        "batch": batch,
        "contacts": float(jax.vmap(touching_pairs)(scenes, states).sum() / batch),
        "ticks_per_s": 1 / statistics.median(wall),
        "ticks_per_cpu_s": 1 / statistics.median(cpu),
        "cpu_us_per_tick": 1e6 * statistics.median(cpu),
        "scene_bytes": held(scenes),
        "memory_bytes_per_world": held(scenes) + held(states),
    }


def growth(rows):
    """The power of the number of shapes with which each thing grows: over all rows, and from the last but one on."""

    def power(name, part):
        return float(np.polyfit(np.log([r["shapes"] for r in part]), np.log([r[name] for r in part]), 1)[0])

    names = ("cpu_us_per_tick", "contacts", "pairs", "memory_bytes_per_world")
    return {name: [power(name, rows), power(name, rows[-2:])] for name in names}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, nargs="+", default=[4, 8, 16, 32, 64], help="two or more")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    rows = []
    for count in args.shapes:
        rows.append(measure(count, args.batch, args.repeats))
        print(rows[-1], flush=True)
    powers = growth(rows)
    print("grows with the shapes to the power of", powers)
    result = {**machine.describe(), "rows": rows, "growth": powers}
    (machine.results_folder() / "engine_scaling.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
