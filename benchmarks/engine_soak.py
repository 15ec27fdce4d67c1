"""Step random scenes by the million and look for NaN, and for anything outside of its walls.

    python benchmarks/engine_soak.py --scenes 1000000
    python benchmarks/engine_soak.py --seconds 600            # goes on where the last run stopped

Scenes are those of `tests/envs/physics/engine/random_worlds.py`: any mass ratio up to about 10^6, shapes on top of each
other; half of them with joints that gape, motors and thrusters. Each steps 256 ticks. What was found is kept in the
results' `engine_soak_<size>_<seed>.json` after every batch; a run goes on from there unless told to --restart. Exits
with 1 where a scene went wrong; the file names the batch and the places in it.
"""

import argparse
import functools
import importlib.util
import json
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np

from minicosm.envs.physics import engine

WORLDS_PATH = pathlib.Path(__file__).parent.parent / "tests" / "envs" / "physics" / "engine" / "random_worlds.py"
SIZES = {"s": engine.SMALL, "m": engine.MEDIUM, "l": engine.LARGE}
TICKS, ALLOWED = 256, 0.05  # m
KINDS = {"all parts": {}, "shapes alone": {"parts": False}}  # fields of random_worlds.Kind
MOST_NAMED = 16  # batches that went wrong, and places in a batch


def load_worlds():
    """The module of random worlds, by its path: tests are no package."""
    spec = importlib.util.spec_from_file_location("random_worlds", WORLDS_PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def soaked(worlds, size, kind, batch, key):
    """bool[batch]: whether each scene stayed finite; f32[batch] m: how far outside anything came."""
    scene, state, controls = jax.vmap(lambda k: worlds.draw(k, size, kind))(jax.random.split(key, batch))

    def one(carry, _):
        state, worst = carry
        state = jax.vmap(engine.tick)(scene, state, controls)
        return (state, jnp.maximum(worst, jax.vmap(worlds.outside)(scene, state))), None

    (state, worst), _ = jax.lax.scan(one, (state, jnp.full(batch, -worlds.ROOM)), None, length=TICKS)
    finite = [jnp.isfinite(leaf.reshape(batch, -1)).all(axis=1) for leaf in jax.tree.leaves(state)]
    return jnp.stack(finite).all(axis=0), worst


def nothing_yet(args):
    """The result of no batches."""
    count = {"scenes": 0, "not_finite": 0, "outside": 0, "furthest_m": None, "wrong": []}
    return {
        "size": args.size,
        "seed": args.seed,
        "batch": args.batch,
        "ticks": TICKS,
        "allowed_m": ALLOWED,
        "next_batch": 0,
        "seconds": 0.0,
        "kinds": {name: dict(count, wrong=[]) for name in KINDS},
    }


def note(kind, index, finite, worst):
    """Adds the batch number `index` to what is known of a kind of scene."""
    outside = worst > ALLOWED
    kind["scenes"] += len(finite)
    kind["not_finite"] += int((~finite).sum())
    kind["outside"] += int(outside.sum())
    furthest = float(np.max(worst[finite], initial=-np.inf))
    kind["furthest_m"] = furthest if kind["furthest_m"] is None else max(kind["furthest_m"], furthest)
    places = np.flatnonzero(~finite | outside).tolist()
    if places and len(kind["wrong"]) < MOST_NAMED:
        kind["wrong"].append({"batch": index, "places": places[:MOST_NAMED]})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=1_000_000, help="in all, those of earlier runs included")
    parser.add_argument("--seconds", type=float, default=np.inf, help="of this run at most")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--size", choices=SIZES, default="m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--restart", action="store_true", help="forget what earlier runs found")
    args = parser.parse_args()
    path = machine.results_folder() / f"engine_soak_{args.size}_{args.seed}.json"
    result = json.loads(path.read_text()) if path.exists() and not args.restart else nothing_yet(args)
    if result["batch"] != args.batch:
        parser.error(f"{path} has batches of {result['batch']}; go on with those, or --restart")
    worlds, begun, before = load_worlds(), time.perf_counter(), result["seconds"]
    while sum(kind["scenes"] for kind in result["kinds"].values()) < args.scenes:
        index = result["next_batch"]
        key = jax.random.fold_in(jax.random.key(args.seed), index)
        for name, fields in KINDS.items():
            finite, worst = soaked(worlds, SIZES[args.size], worlds.Kind(**fields), args.batch, key)
            note(result["kinds"][name], index, np.asarray(finite), np.asarray(worst))
        result.update(machine.describe(), next_batch=index + 1, seconds=before + time.perf_counter() - begun)
        path.write_text(json.dumps(result, indent=1) + "\n")
        if time.perf_counter() - begun > args.seconds:
            break
    print(f"size {args.size}, {TICKS} ticks, kernels {result.get('kernels')}, {result['seconds']:.0f} s in all")
    for name, kind in result["kinds"].items():
        print(
            f"{name}: {kind['scenes']} scenes, {kind['not_finite']} not finite, {kind['outside']} more than "
            f"{ALLOWED} m outside, furthest {kind['furthest_m']:.3f} m; wrong: {kind['wrong']}"
        )
    sys.exit(any(kind["wrong"] for kind in result["kinds"].values()))


if __name__ == "__main__":
    main()
