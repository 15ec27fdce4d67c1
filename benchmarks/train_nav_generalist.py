"""One policy for maps and crowds that it never saw: four robots trained on generated maps, then tried zero-shot.

    python benchmarks/train_nav_generalist.py              # about 12 minutes of CPU time
    python benchmarks/train_nav_generalist.py --steps 200000 --seeds 1

Three trainings with equal env-steps: maps of every kind there is ("mixed"), JaxNav's random clutter alone, and half of
the steps in clutter before the other half in mixed maps. Each is tried on fresh maps of both kinds; on every hand-made
map, none of which was trained on; and with up to four times as many robots, on maps of the same size (a crowd) and on
maps that grow with them. A rate is the share of robots that reached their goals, actions drawn as in training. Written
to results/<machine>/train_nav_generalist.json.
"""

import argparse
import dataclasses
import json
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np

import minicosm
from minicosm.envs.nav import library
from minicosm.studies.held_out import library_of
from minicosm.training import (
    ProgressBar,
    Start,
    as_policy,
    default_config,
    evaluate,
    random_policy,
    sample_levels,
    train,
)

KINDS = ("mixed", "clutter")
TRAININGS = (("mixed",), ("clutter",), ("clutter", "mixed"))  # kinds of maps, one after the other
ROBOTS, SIZE = 4, 11  # in training; cells along each side
CROWDS = ((4, 11), (8, 11), (16, 11), (8, 16), (16, 22))  # robots, size
FRESH = 500  # levels
EPISODES = 20  # on each hand-made map
UNSEEN = 1_000_000  # key of the levels tried; training's are its seeds
HAND_MADE_STEPS = 1500  # time limit on hand-made maps, the largest of which take longer to cross than training's


def world(kind: str, robots: int = ROBOTS, size: int = SIZE):
    return minicosm.make("nav-multi", num_robots=robots, height=size, width=size, level_kind=kind)


def hand_made_world():
    """A world into which every hand-made map fits."""
    texts = [library.text(name) for name in library.names()]
    return minicosm.make(
        "nav-multi",
        num_robots=max(text.num_robots for text in texts),
        height=max(len(text.rows) for text in texts),
        width=max(len(text.rows[0]) for text in texts),
        max_steps=HAND_MADE_STEPS,
    )


def tried(policy_for) -> dict[str, object]:
    """Solve rates of the policy that `policy_for(env, worlds)` gives."""
    key = jax.random.key(UNSEEN + 1)
    found = {"fresh": [], "library": {}}
    for kind in KINDS:
        for robots, size in CROWDS if kind == "mixed" else CROWDS[:1]:
            env = world(kind, robots, size)
            levels = sample_levels(env, jax.random.key(UNSEEN), FRESH)
            outcome = evaluate(env, policy_for(env, FRESH), levels, key)
            rates = {"solve_rate": outcome.solve_rate, "collision_rate": outcome.collision_rate}
            found["fresh"].append({"kind": kind, "robots": robots, "size": size, **rates})
    env = hand_made_world()
    maps = library_of(env)
    levels = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf), EPISODES, axis=0), maps.levels)
    outcome = evaluate(env, policy_for(env, EPISODES * len(maps.names)), levels, key)
    success, active = (np.asarray(x).reshape(len(maps.names), -1) for x in (outcome.success, outcome.active))
    rates = (success & active).sum(axis=1) / active.sum(axis=1)
    found["library"] = dict(zip(maps.names, map(float, rates), strict=True))
    found["library_mean"], found["left_out"] = float(rates.mean()), dict(maps.left_out)
    return found


def told(name: str, found: dict[str, object]) -> str:
    fresh = ", ".join(f"{f['kind']} {f['robots']} on {f['size']}: {f['solve_rate']:.1%}" for f in found["fresh"])
    return f"{name}: hand-made {found['library_mean']:.1%}; fresh {fresh}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="env-steps per seed (default: as tuned)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--name", default="train_nav_generalist", help="of the file of results")
    args = parser.parse_args()
    report = {**machine.describe(), "episodes_on_each_map": EPISODES, "fresh_levels": FRESH, "runs": []}
    report["random"] = tried(lambda env, worlds: random_policy(env))
    print(told("random actions", report["random"]), flush=True)
    for kinds in TRAININGS:
        env = world(kinds[0])
        whole = default_config(env, **({} if args.steps is None else {"total_steps": args.steps}))
        config = dataclasses.replace(whole, total_steps=whole.total_steps // len(kinds))
        report["config"] = dataclasses.asdict(whole)
        for seed in range(args.seeds):
            one, start, steps = dataclasses.replace(config, seed=seed), None, 0
            before = time.perf_counter(), time.process_time()
            for kind in kinds:
                with ProgressBar(one) as bar:
                    result = train(world(kind), one, callback=bar, start=start)
                start = Start(result.params_of())
                steps += result.curve[-1].steps
            spent = {"wall_s": time.perf_counter() - before[0], "cpu_s": time.process_time() - before[1]}
            params = result.params_of()
            found = tried(lambda env, worlds, params=params, one=one: as_policy(params, one, env, worlds))
            report["runs"].append({"kinds": kinds, "seed": seed, "steps": steps, **spent, **found})
            print(told(f"{', then '.join(kinds)}, seed {seed}, {spent['cpu_s']:.0f} CPU-s", found), flush=True)
            path = machine.results_folder() / f"{args.name}.json"
            path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
