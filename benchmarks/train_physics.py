"""Specialists: PPO from scratch on single hand-made levels of size S, each within the same budget of CPU time.

    python benchmarks/train_physics.py                     # all levels of size S, 2 M steps each
    python benchmarks/train_physics.py lift_off catapult --steps 500000
    python benchmarks/train_physics.py --publish results/MACHINE/train_physics.json    # for the studio's gallery
    python benchmarks/train_physics.py --publish results/MACHINE/generalist_s/transfer/numbers.json    # too

The reward while training is shaped (0.5 per metre that green comes nearer to blue); what is counted is success alone.
A level counts as solved where at least 90 % of 100 episodes succeed, with actions drawn as in training or with the
likeliest ones. Written to results/<machine>/: train_physics.json and the learning curves as .png.
"""

import argparse
import dataclasses
import json
import pathlib
import resource

import jax
import machine
import matplotlib.pyplot as plt

import minicosm
from minicosm.envs.physics import RewardConfig, library
from minicosm.studio import gallery
from minicosm.training import as_policy, default_config, evaluate, random_policy, sample_levels, train

EPISODES = 100


def cpu_seconds() -> float:
    """CPU time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def specialist(name: str, steps: int, seed: int) -> dict[str, object]:
    """Train on the level `name`, then count successes."""
    env = minicosm.make(name, action_kind="multi_discrete", reward=RewardConfig(shaping=0.5))
    config = default_config(env, total_steps=steps, seed=seed)
    before = cpu_seconds()
    result = train(env, config)
    spent = cpu_seconds() - before
    levels, params = sample_levels(env, jax.random.key(0), EPISODES), result.params_of()
    policies = {
        "drawn": as_policy(params, config, env, EPISODES),
        "greedy": as_policy(params, config, env, EPISODES, greedy=True),
        "random": random_policy(env),
    }
    rates = {kind: evaluate(env, policy, levels, jax.random.key(1)).solve_rate for kind, policy in policies.items()}
    curve = [{"steps": p.steps, "cpu_s": p.cpu_seconds, "success": p.values["success"][0]} for p in result.curve]
    return {"level": name, "env_steps": steps, "cpu_s": round(spent, 1), "seed": seed, **rates, "curve": curve}


def plot(rows: list[dict[str, object]], path) -> None:
    """A small curve per level."""
    columns = 4
    figure, axes = plt.subplots(-(-len(rows) // columns), columns, figsize=(12, 2.2 * -(-len(rows) // columns)))
    for row, axis in zip(rows, axes.ravel(), strict=False):
        axis.plot([p["steps"] / 1e6 for p in row["curve"]], [p["success"] for p in row["curve"]])
        axis.set_title(f"{row['level']} ({row['cpu_s']:.0f} CPU-s)", fontsize=9)
        axis.set_ylim(-0.03, 1.03)
    figure.supxlabel("million env-steps")
    figure.supylabel("episodes that succeed")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def measured(report: dict[str, object]) -> list[tuple[str, float, str]]:
    """Level, share of episodes won and agent, in results of this benchmark or of a transfer study (numbers.json)."""
    if "rows" in report:
        return [
            (row["level"], max(row["drawn"], row["greedy"]), f"specialist, {row['env_steps'] / 1e6:g} M steps")
            for row in report["rows"]
        ]
    kinds = {"scratch": "specialist", "fine-tuned": "fine-tuned generalist"}
    return [
        (level["level"], max(level[kind]["seeds"]["after"]), f"{agent}, {level['steps'][-1] / 1e6:.1f} M steps")
        for level in report["levels"]
        for kind, agent in kinds.items()
    ]


def publish(path: pathlib.Path) -> None:
    """Let the studio's gallery show what the file of results at `path` says, where no agent did better before."""
    rates = {name: dict(one) for name, one in gallery.solve_rates().items()}
    for name, rate, agent in measured(json.loads(path.read_text())):
        if rate > rates.get(name, {"rate": -1.0})["rate"]:
            rates[name] = {"rate": rate, "agent": agent}
    gallery.SOLVE_RATES.write_text(json.dumps(dict(sorted(rates.items())), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("levels", nargs="*", default=list(library.names("s")))
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--publish", type=pathlib.Path, help="file of results; nothing is trained")
    args = parser.parse_args()
    if args.publish:
        publish(args.publish)
        return
    folder, rows = machine.results_folder(), []
    for name in args.levels:
        row = specialist(name, args.steps, args.seed)
        rows.append(row)
        print(
            f"{name}: drawn {row['drawn']:.0%}, greedy {row['greedy']:.0%}, random {row['random']:.0%}, "
            f"{row['cpu_s']:.0f} CPU-s",
            flush=True,
        )
    solved = [row["level"] for row in rows if max(row["drawn"], row["greedy"]) >= 0.9]
    whole = args.levels == list(library.names("s"))
    stem = "train_physics" if whole else "train_physics_some"
    config = dataclasses.asdict(default_config(minicosm.make(args.levels[0])))
    report = {**machine.describe(), "config": config, "solved": solved, "rows": rows}
    (folder / f"{stem}.json").write_text(json.dumps(report, indent=1) + "\n")
    plot(rows, folder / f"{stem}.png")
    print(f"{len(solved)} of {len(rows)} levels solved; written: {folder / stem}.json and .png")


if __name__ == "__main__":
    main()
