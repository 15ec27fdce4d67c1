"""Step random scenes by the million and look for NaN, and for anything outside of its walls.

    python benchmarks/engine_soak.py --scenes 1000000

Scenes are those of `tests/envs/physics/engine/random_worlds.py`: any mass ratio up to about 10^6, shapes on top of each
other, joints that gape, motors and thrusters. Each steps 256 ticks. Exits with 1 where a scene went wrong, and names
its seed and place in the batch.
"""

import argparse
import functools
import importlib.util
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from minicosm import kernels
from minicosm.envs.physics import engine

WORLDS_PATH = pathlib.Path(__file__).parent.parent / "tests" / "envs" / "physics" / "engine" / "random_worlds.py"
SIZES = {"s": engine.SMALL, "m": engine.MEDIUM, "l": engine.LARGE}
TICKS, ALLOWED = 256, 0.05  # m


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--size", choices=SIZES, default="m")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    worlds, size = load_worlds(), SIZES[args.size]
    kinds = {"all parts": worlds.Kind(), "shapes alone": worlds.Kind(parts=False)}
    print(
        f"size {args.size}, {TICKS} ticks, kernels {'on' if kernels.available() else 'off: ' + str(kernels.why_not())}"
    )
    is_wrong, begun = False, time.perf_counter()
    for name, kind in kinds.items():
        batches = -(-args.scenes // (len(kinds) * args.batch))
        num_bad, num_out, furthest = 0, 0, -np.inf
        for i in range(batches):
            key = jax.random.fold_in(jax.random.key(args.seed), i)
            finite, worst = map(np.asarray, soaked(worlds, size, kind, args.batch, key))
            wrong = ~finite | (worst > ALLOWED)
            if wrong.any() and not (num_bad or num_out):
                print(f"  first at batch {i}, scenes {np.flatnonzero(wrong)[:8].tolist()}")
            num_bad, num_out = num_bad + int((~finite).sum()), num_out + int((worst > ALLOWED).sum())
            furthest = max(furthest, float(np.nanmax(worst)))
        is_wrong |= bool(num_bad or num_out)
        print(
            f"{name}: {batches * args.batch} scenes, {num_bad} not finite, {num_out} more than {ALLOWED} m outside, "
            f"furthest {furthest:.3f} m, {time.perf_counter() - begun:.0f} s"
        )
    sys.exit(is_wrong)


if __name__ == "__main__":
    main()
