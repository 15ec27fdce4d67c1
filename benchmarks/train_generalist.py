"""The generalist of one size: pre-trained by curricula of equal env-steps, tested zero-shot, and its worth measured.

    python benchmarks/train_generalist.py --size s --steps 20000000 --transfer-steps 1000000 --seeds 2

Each curriculum pre-trains on generated levels. All of them and a policy of random actions are then played on the
hand-made levels of the size, which none has seen, and on fresh generated ones. With the first curriculum's agent, each
hand-made level is trained on further, and from scratch with equal steps. Levels that SFL tries out are not counted as
env-steps; how many there were is in generalist.json.

Runs are kept in --runs and go on from where they were when the same command is given again. What was found is written
to --out, by default results/<machine>/generalist_<size>/: generalist.json (the machine, the settings, the figures),
zero_shot/ as `minicosm evaluate` writes it, transfer/ as `minicosm study transfer` does, and the learning curves.
"""

import argparse
import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import machine
import numpy as np
from rich.console import Console

from minicosm.envs.environment import Environment
from minicosm.envs.physics import library
from minicosm.studies import evaluation, evaluation_report, statistics, transfer_report
from minicosm.studies.evaluation import EvaluationConfig, Measured, Run
from minicosm.studies.transfer_study import TransferConfig, TransferStudy
from minicosm.training import Policy, load_params, plot_curves, pretraining, random_policy, train, updates_done


@dataclasses.dataclass(frozen=True, eq=False)
class Random(Run):
    """Uniform actions, other ones for each seed."""

    act: Any = None  # of a policy whose carry is the seed

    def policy(self, seed_index: int, num_worlds: int, greedy: bool) -> Policy:
        """The same program for every seed."""
        return Policy(self.act, jnp.uint32(seed_index))


def random_run(like: Run, seeds: int) -> Random:
    """Random actions in the world of `like`."""
    draw = random_policy(like.env).act

    def act(key: jax.Array, observation: Any, seed: jax.Array) -> tuple[jax.Array, jax.Array]:
        return draw(jax.random.fold_in(key, seed), observation, ())[0], seed

    config = dataclasses.replace(like.config, seed=0, num_seeds=seeds)
    return Random("random", pathlib.Path("random"), like.env, config, np.zeros(seeds), act)


def pretrain(args: argparse.Namespace, name: str, folder: pathlib.Path) -> dict[str, Any]:
    """Train with the curriculum `name`, or go on with the run in `folder`; what it was and what it took."""
    env = pretraining.world(args.size)
    changes = {} if args.num_envs is None else {"num_envs": args.num_envs}
    config = pretraining.settings(env, args.network, total_steps=args.steps, num_seeds=args.seeds, **changes)
    teacher = pretraining.teacher(name, env, config.num_envs)

    def told(point: Any) -> None:
        print(f"{name}: {point.steps:,} steps, {point.seconds:,.0f} s, success {point.mean('success'):.3f}", flush=True)

    result = train(env, config, folder, told, resume=updates_done(folder) > 0, curriculum=teacher)
    plot_curves(result.curve, args.out / f"curve_{name}.png", title=f"physics-{args.size}, {name}")
    last = result.curve[-1]
    return {
        **json.loads((folder / "run.json").read_text()),
        "env_steps_per_seed": last.steps,
        "wall_s": round(last.seconds, 1),
        "cpu_s": round(last.cpu_seconds, 1),
        "last_point": last.values,
    }


def of_size(measured: Measured, size: str) -> Measured:
    """`measured` with the hand-made levels of `size` alone: smaller ones fit too, and have studies of their own."""
    all_of_them = measured.library
    index = np.array([i for i, name in enumerate(all_of_them.names) if library.size_of(name) == size])
    names = tuple(all_of_them.names[i] for i in index)
    levels = jax.tree.map(lambda leaf: leaf[index], all_of_them.levels)
    left_out = {name: why for name, why in all_of_them.left_out.items() if library.size_of(name) == size}
    own = dataclasses.replace(all_of_them, names=names, levels=levels, left_out=left_out)
    played = tuple(dataclasses.replace(one, library=one.library[:, index]) for one in measured.runs)
    return dataclasses.replace(measured, library=own, runs=played)


def zero_shot(args: argparse.Namespace, folders: Sequence[pathlib.Path]) -> dict[str, Any]:
    """Play all runs and random actions; solve rates by policy, with intervals over the seeds."""
    # a result names runs, not places on the machine that made it
    runs = [dataclasses.replace(run, folder=pathlib.Path(run.name)) for run in evaluation.load_runs(folders)]
    runs.append(random_run(runs[0], args.seeds))
    config = EvaluationConfig(args.episodes, args.fresh)

    def told(doing: str, done: int, total: int) -> None:
        if done % 25 == 0:
            print(f"zero-shot: {doing} ({done} of {total})", flush=True)

    measured = of_size(evaluation.measure(runs, config, told), args.size)
    summaries = evaluation_report.summarize(measured)
    evaluation_report.show(measured, summaries, Console())
    (args.out / "zero_shot").mkdir(parents=True, exist_ok=True)
    evaluation_report.write(measured, summaries, args.out / "zero_shot")
    found = {}
    for played in measured.runs:
        hand_made = played.library.mean(axis=2, dtype=float)
        tables = {"library": hand_made}
        if measured.fresh is not None:
            tables["fresh"] = np.concatenate([played.ranking, played.scoring], axis=2).mean(axis=2, dtype=float)
        found[played.run.name] = {
            "levels": dict(zip(measured.library.names, hand_made.mean(axis=0).tolist(), strict=True)),
            **{f"{kind}_mean": _estimate(table, statistics.table_mean) for kind, table in tables.items()},
            **{f"{kind}_iqm": _estimate(table, statistics.table_iqm) for kind, table in tables.items()},
        }
    return found


def _estimate(table: np.ndarray, statistic: statistics.Statistic) -> dict[str, Any]:
    found = statistics.estimate(table, statistic)
    return {
        "value": float(found.value),
        "low": None if found.low is None else float(found.low),
        "high": None if found.high is None else float(found.high),
        "seeds": [float(statistic(one[None, None])[0]) for one in table],
    }


def transfer(args: argparse.Namespace, env: Environment[Any, Any], source: pathlib.Path) -> dict[str, Any]:
    """Fine-tune the run in `source` on each hand-made level of its size, beside training from scratch."""
    config = TransferConfig(steps=args.transfer_steps, seeds=args.seeds, points=80)
    network = pretraining.settings(env, args.network).network
    ppo = pretraining.task_settings(env, network)
    study = TransferStudy(env, ppo, load_params(source), config, args.runs / f"transfer_{source.name}")
    levels = study.run(told=lambda doing: print(f"transfer: {doing}", flush=True), resume=True)
    transfer_report.show(levels, Console())
    out = args.out / "transfer"
    out.mkdir(parents=True, exist_ok=True)
    title = f"physics-{args.size}, pre-trained by {source.name}"
    transfer_report.write(dataclasses.replace(study, folder=out), levels, title)
    ran = {"study": dataclasses.asdict(config), "ppo": dataclasses.asdict(study.training_config)}
    return {**ran, "verdict": dataclasses.asdict(transfer_report.judge(levels))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["s", "m", "l"], default="s")
    parser.add_argument("--steps", type=int, default=20_000_000, help="env-steps of each curriculum and seed")
    parser.add_argument("--transfer-steps", type=int, default=1_000_000, help="on each level and seed; 0: no study")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--curricula", nargs="+", default=["sfl", "dr"], help="the first is the one to be fine-tuned")
    parser.add_argument("--network", choices=["set", "transformer"], default="set")
    parser.add_argument("--num-envs", type=int, help="worlds side by side in pre-training; more fill a large device")
    parser.add_argument("--episodes", type=int, default=100, help="on each hand-made level and seed")
    parser.add_argument("--fresh", type=int, default=1000, help="generated levels, 20 episodes each; 0 for none")
    parser.add_argument("--runs", type=pathlib.Path, help="folder for the runs; by default runs/generalist_<size>")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    device = jax.devices()[0]
    accelerator = device.device_kind if device.platform != "cpu" else None
    args.runs = args.runs or pathlib.Path("runs") / f"generalist_{args.size}"
    args.out = args.out or machine.results_folder(accelerator) / f"generalist_{args.size}"
    args.out.mkdir(parents=True, exist_ok=True)
    report = {
        **machine.describe(),
        "device": device.device_kind,
        "asked": {name: value for name, value in vars(args).items() if name not in ("runs", "out")},
    }

    def keep(**found: Any) -> None:
        report.update(found)  # whatever comes later, this much is on disk
        (args.out / "generalist.json").write_text(json.dumps(report, indent=1) + "\n")

    folders = [args.runs / name for name in args.curricula]
    trained = {}
    for name, folder in zip(args.curricula, folders, strict=True):
        trained[name] = pretrain(args, name, folder)
        keep(runs=trained)
    keep(zero_shot=zero_shot(args, folders))
    if args.transfer_steps > 0:
        keep(transfer=transfer(args, pretraining.world(args.size), folders[0]))
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
