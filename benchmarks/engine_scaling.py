"""What a tick costs and what a scene takes, from 4 to 64 moving shapes: `python benchmarks/engine_scaling.py`.

Half boxes, half discs, fall into a room that grows with their number and lie in heaps; timed from the second on, 256
scenes at a time. Writes JSON and a figure. Pairs grow with the square of the shapes, and with them the memory and the
search for contacts; what touches grows with the shapes, and with it the solving.
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

from minicosm import kernels
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
    """Seconds of a tick of one scene, contacts in it, bytes of it."""
    few = stack([heap(count, seed) for seed in range(16)])
    scenes, states = jax.tree.map(lambda x: x[jnp.arange(batch) % 16], few)
    controls = jax.vmap(idle)(scenes)

    @jax.jit
    def roll(states):
        step = lambda s, _: (jax.vmap(engine.tick)(scenes, s, controls), None)  # noqa: E731
        return jax.lax.scan(step, states, None, length=TICKS)[0]

    for _ in range(SETTLE // TICKS):
        states = jax.block_until_ready(roll(states))
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        jax.block_until_ready(roll(states))
        seconds.append((time.process_time() - start) / TICKS / batch)
    held = lambda tree: sum(x.nbytes for x in jax.tree.leaves(tree)) // batch  # noqa: E731
    return {
        "shapes": count,
        "pairs": int(scenes.size.num_pairs),
        "contacts": float(jax.vmap(touching_pairs)(scenes, states).sum() / batch),
        "cpu_us_per_tick": 1e6 * statistics.median(seconds),
        "scene_bytes": held(scenes),
        "state_bytes": held(states),
    }


def plot(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (cost, memory) = pyplot.subplots(1, 2, figsize=(9, 3.6))
    count = [r["shapes"] for r in rows]
    cost.loglog(count, [r["cpu_us_per_tick"] for r in rows], "o-", label="CPU-us a tick")
    cost.loglog(count, [r["contacts"] for r in rows], "s--", label="touching pairs")
    memory.loglog(count, [(r["scene_bytes"] + r["state_bytes"]) / 1024 for r in rows], "o-", label="KiB a world")
    for axes in (cost, memory):
        axes.set_xlabel("moving shapes")
        axes.set_xticks(count, count)
        axes.minorticks_off()
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    rows = []
    for count in args.shapes:
        rows.append(measure(count, args.batch, args.repeats))
        print(rows[-1], flush=True)
    slope = lambda name: np.polyfit(np.log([r["shapes"] for r in rows]), np.log([r[name] for r in rows]), 1)[0]  # noqa: E731
    growth = {name: float(slope(name)) for name in ("cpu_us_per_tick", "contacts", "pairs")}
    print("grows with the shapes to the power of", growth)
    folder = machine.results_folder()
    result = {**machine.describe(), "instruction_set": kernels.instruction_set(), "rows": rows, "power": growth}
    (folder / "engine_scaling.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(rows, folder / "engine_scaling.png")


if __name__ == "__main__":
    main()
