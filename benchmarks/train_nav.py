"""Does the trainer learn navigation, and at what cost? One robot and four, three seeds each.

    python benchmarks/train_nav.py single multi            # about 15 minutes of CPU time
    python benchmarks/train_nav.py single --seeds 1 --steps 2000000

Seeds run one after another in one process. Each is tried on 2,000 levels that it has never seen, with actions drawn
as in training and with the likeliest action; the untrained net and uniformly random actions are tried on the same.
Written to results/<machine>/: train_nav_{single,multi}.json and the learning curves as .png.
"""

import argparse
import dataclasses
import json
import resource
import time

import jax
import machine

import minicosm
from minicosm.training import (
    CurvePoint,
    ProgressBar,
    as_policy,
    default_config,
    evaluate,
    plot_curves,
    random_policy,
    sample_levels,
    train,
    untrained_policy,
)

WORLDS = {"single": "nav", "multi": "nav-multi"}
LEVELS = 2000
UNSEEN = 1_000_000  # keys of the levels tried; training's are its seeds, 0, 1, 2


def cpu_seconds() -> float:
    """CPU time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def outcome(env, policy, levels) -> dict[str, float]:
    """How `policy` does on `levels`."""
    found = evaluate(env, policy, levels, jax.random.key(UNSEEN + 1))
    names = ("solve_rate", "level_solve_rate", "collision_rate", "mean_return", "mean_length")
    return {name: round(getattr(found, name), 5) for name in names}


def run_seed(env, config, levels) -> tuple[dict[str, object], tuple[CurvePoint, ...]]:
    """Train one seed and try it."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    with ProgressBar(config) as bar:
        result = train(env, config, callback=bar)
    spent = {"wall_s": time.perf_counter() - wall, "cpu_s": cpu_seconds() - cpu}
    params = result.params_of()
    row = {
        "seed": config.seed,
        "env_steps": result.curve[-1].steps,
        **{name: round(value, 1) for name, value in spent.items()},
        "drawn": outcome(env, as_policy(params, config, env, LEVELS), levels),
        "greedy": outcome(env, as_policy(params, config, env, LEVELS, greedy=True), levels),
    }
    return row, result.curve


def side_by_side(curves: list[tuple[CurvePoint, ...]]) -> list[CurvePoint]:
    """The curves of several runs of one length as one with several seeds; times are sums."""
    points = []
    for at_once in zip(*curves, strict=True):
        values = {name: [point.values[name][0] for point in at_once] for name in at_once[0].values}
        seconds, cpu = (sum(getattr(point, name) for point in at_once) for name in ("seconds", "cpu_seconds"))
        points.append(CurvePoint(at_once[0].update, at_once[0].steps, seconds, cpu, values))
    return points


def measure(kind: str, seeds: int, steps: int | None) -> None:
    """Train, try and write one kind of world."""
    env = minicosm.make(WORLDS[kind])
    levels = sample_levels(env, jax.random.key(UNSEEN), LEVELS)
    config = default_config(env)
    if steps is not None:
        config = dataclasses.replace(config, total_steps=steps)
    runs = [run_seed(env, dataclasses.replace(config, seed=seed), levels) for seed in range(seeds)]
    rows = [row for row, _ in runs]
    points = side_by_side([curve for _, curve in runs])
    report = {
        **machine.describe(),
        "world": repr(env),
        "config": dataclasses.asdict(config),
        "levels_tried": LEVELS,
        "random": outcome(env, random_policy(env), levels),
        "untrained": outcome(env, untrained_policy(config, env, LEVELS, jax.random.key(0)), levels),
        "seeds": rows,
        "curve": [dataclasses.asdict(point) for point in points],
    }
    folder = machine.results_folder()
    name = f"train_nav_{kind}" if (seeds, steps) == (3, None) else f"train_nav_{kind}_short"
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    plot_curves(points, folder / f"{name}.png", title=f"{WORLDS[kind]}, {seeds} seeds")
    for row in rows:
        drawn, greedy = row["drawn"]["solve_rate"], row["greedy"]["solve_rate"]
        print(
            f"{kind} seed {row['seed']}: {row['env_steps'] / 1e6:.1f} M env-steps, {row['cpu_s']:.0f} CPU-s "
            f"({row['wall_s']:.0f} s), solves {drawn:.1%} drawn, {greedy:.1%} greedy, of {LEVELS} fresh levels"
        )
    print(f"random {report['random']['solve_rate']:.1%}; written: {folder / name}.json and .png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(WORLDS), help="single, multi (default: both)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="env-steps per seed (default: as tuned)")
    args = parser.parse_args()
    for kind in args.kinds:
        measure(kind, args.seeds, args.steps)


if __name__ == "__main__":
    main()
