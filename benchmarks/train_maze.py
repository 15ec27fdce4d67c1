"""Does a recurrent policy trained on random mazes solve the held-out library, and at what cost? Three seeds.

    python benchmarks/train_maze.py            # about 15 minutes of CPU time
    python benchmarks/train_maze.py --seeds 1 --steps 2000000

Trained on solvable random mazes of every kind that the package draws, none of them from the library. Seeds run one
after another in one process. Each is tried on the library's mazes, many episodes each, and on fresh random mazes, with
actions drawn as in training and with the likeliest action; uniformly random actions are tried on the same.
Written to results/<machine>/: train_maze.json and the learning curves, train_maze.png.
"""

import argparse
import dataclasses
import json
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np
from train_nav import cpu_seconds, side_by_side

import minicosm
from minicosm.envs.maze import library
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

EPISODES = 64  # on each maze of the library
FRESH = 2000  # random mazes of the kinds trained on
UNSEEN = 1_000_000  # keys of the levels tried; training's are its seeds, 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Trials:
    """What policies are tried on: every maze of the library `EPISODES` times, then `FRESH` random mazes."""

    levels: object  # stacked

    @staticmethod
    def of(env) -> "Trials":
        held_out = jax.tree.map(lambda x: jnp.repeat(x, EPISODES, axis=0), library.load_all())
        fresh = sample_levels(env, jax.random.key(UNSEEN), FRESH)
        return Trials(jax.tree.map(lambda *parts: jnp.concatenate(parts), held_out, fresh))

    @property
    def count(self) -> int:
        return len(library.names()) * EPISODES + FRESH

    def outcome(self, env, policy) -> dict[str, object]:
        """How `policy` does: mean solve rate over the library, of each of its mazes, and on fresh mazes."""
        found = evaluate(env, policy, self.levels, jax.random.key(UNSEEN + 1))
        success, returns = np.asarray(found.success)[:, 0], np.asarray(found.returns)[:, 0]
        held_out = len(library.names()) * EPISODES
        by_maze = success[:held_out].reshape(-1, EPISODES).mean(axis=1)
        return {
            "library_solve_rate": round(float(by_maze.mean()), 5),
            "library_return": round(float(returns[:held_out].mean()), 5),
            "fresh_solve_rate": round(float(success[held_out:].mean()), 5),
            "fresh_return": round(float(returns[held_out:].mean()), 5),
            "mazes": {name: round(float(share), 4) for name, share in zip(library.names(), by_maze, strict=True)},
        }


def run_seed(env, config, trials: Trials) -> tuple[dict[str, object], tuple[CurvePoint, ...]]:
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
        "drawn": trials.outcome(env, as_policy(params, config, env, trials.count)),
        "greedy": trials.outcome(env, as_policy(params, config, env, trials.count, greedy=True)),
    }
    return row, result.curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="env-steps per seed (default: as tuned)")
    args = parser.parse_args()
    env = minicosm.make("maze-solvable", level_kind="mixed", view_kind="flat")
    head = machine.describe()  # now: the commit may have moved on by the end
    trials = Trials.of(env)
    config = default_config(env)
    if args.steps is not None:
        config = dataclasses.replace(config, total_steps=args.steps)
    runs = []
    for seed in range(args.seeds):
        row, curve = run_seed(env, dataclasses.replace(config, seed=seed), trials)
        runs.append((row, curve))
        drawn, greedy = row["drawn"], row["greedy"]
        print(
            f"seed {seed}: {row['env_steps'] / 1e6:.1f} M env-steps, {row['cpu_s']:.0f} CPU-s ({row['wall_s']:.0f} s);"
            f" solves {drawn['library_solve_rate']:.1%} of the library drawn, {greedy['library_solve_rate']:.1%} greedy"
            f" and {drawn['fresh_solve_rate']:.1%} of fresh mazes drawn",
            flush=True,
        )
    rows, curves = [row for row, _ in runs], [curve for _, curve in runs]
    points = side_by_side(curves)
    report = {
        **head,
        "world": repr(env),
        "config": dataclasses.asdict(config),
        "episodes_per_maze": EPISODES,
        "fresh_mazes": FRESH,
        "mean_library_solve_rate": round(float(np.mean([row["drawn"]["library_solve_rate"] for row in rows])), 5),
        "cpu_s_per_seed": round(float(np.mean([row["cpu_s"] for row in rows])), 1),
        "random": trials.outcome(env, random_policy(env)),
        "untrained": trials.outcome(env, untrained_policy(config, env, trials.count, jax.random.key(0))),
        "seeds": rows,
        "curve": [dataclasses.asdict(point) for point in points],
    }
    folder = machine.results_folder()
    name = "train_maze" if (args.seeds, args.steps) == (3, None) else "train_maze_short"
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    plot_curves(points, folder / f"{name}.png", title=f"random mazes, {args.seeds} seeds")
    print(
        f"library, mean of seeds: {report['mean_library_solve_rate']:.1%}; random actions"
        f" {report['random']['library_solve_rate']:.1%}; written: {folder / name}.json and .png"
    )


if __name__ == "__main__":
    main()
