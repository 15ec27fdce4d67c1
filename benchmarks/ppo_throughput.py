"""Env-steps per second of whole training, playing and learning, beside plain PPO on other projects' worlds.

    python -m venv .venv-jaxmarl && .venv-jaxmarl/bin/pip install jaxmarl==0.2.0
    python -m venv .venv-jaxued && .venv-jaxued/bin/pip install jaxued six
    python -m venv .venv-kinetix && .venv-kinetix/bin/pip install kinetix-env
    python benchmarks/ppo_throughput.py --jaxmarl-python .venv-jaxmarl/bin/python \
        --jaxued-python .venv-jaxued/bin/python --kinetix-python .venv-kinetix/bin/python

The same net, batch, epochs and minibatches for both, given below; the worlds are JaxNav's clutter, JaxUED's mazes
(with and without a memory) and Kinetix's random levels of size S, and ours of the same kinds. The processes stay alive
side by side and take turns, A B A B …, one update each; ratios are of medians. Without a peer's python our own figures
are measured alone. Then where our time goes: the worlds alone under random actions, playing, the whole update, and the
least time in which this machine's matrix products could do the nets' arithmetic. Rows of other setups that the file of
results holds stay there.
"""

import argparse
import dataclasses
import pathlib
import sys

import jax
import jax.numpy as jnp
import machine
from ceilings import matrix_rate, seconds
from keeping import write_rows
from ppo_worker import learner_of
from rollouts import used_up
from workers import Worker, alternate

from minicosm.training.rollout import play

WORKER = pathlib.Path(__file__).parent / "ppo_worker.py"
SETUPS = {  # our world, the other, and what is the same for both
    "nav": ("nav", "jaxnav", {"num_envs": 256, "num_steps": 64, "hidden": [64, 64], "memory": 0}),
    "maze": ("maze", "jaxued", {"num_envs": 256, "num_steps": 64, "hidden": [64, 64], "memory": 0}),
    "maze-recurrent": ("maze", "jaxued", {"num_envs": 256, "num_steps": 64, "hidden": [64], "memory": 96}),
    "physics": ("physics", "kinetix", {"num_envs": 256, "num_steps": 64, "hidden": [64, 64], "memory": 0}),
    "physics-wide": ("physics", "kinetix", {"num_envs": 256, "num_steps": 32, "hidden": [128, 128], "memory": 0}),
}
LEARNING = {"epochs": 2, "minibatches": 4}


def flags(setup: dict[str, object]) -> list[str]:
    words = []
    for name, value in setup.items():
        words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return words


def breakdown(world: str, setup: dict[str, object]) -> dict[str, float]:
    """Seconds of an update's parts, measured one by one, and of the matrix products in it at this machine's best."""
    learner = learner_of(world, argparse.Namespace(**setup, **LEARNING))
    worlds, agent, config = learner.worlds, learner.agent, learner.config
    space, num_envs, ticks = worlds.env.action_space, config.num_envs, config.num_steps

    def only_worlds(carry):
        state, key = carry
        key, draw = jax.random.split(key)
        actions = jax.vmap(space.sample)(jax.random.split(draw, ticks * num_envs))
        actions = actions.reshape(ticks, num_envs, 1, *actions.shape[1:])

        def tick(state, action):
            state, timestep = worlds.step(state, action)
            return state, used_up(timestep.observation, timestep.reward)

        state, used = jax.lax.scan(tick, state, actions)
        return state, jax.random.fold_in(key, used.sum().astype(jnp.int32))

    def playing(carry):
        state, _ = carry
        after, samples, _ = play(worlds, agent, state.params, state.play, ticks)
        return dataclasses.replace(state, play=after), used_up(samples)

    state = jax.jit(learner.init)(jax.random.key(0))
    weights = sum(leaf.size for leaf in jax.tree.leaves(state.params) if leaf.ndim == 2)
    # forward once when playing; forward and backward, three times as much, in every epoch
    operations = 2 * weights * num_envs * ticks * (1 + 3 * config.epochs)
    return {
        "worlds_s": seconds(jax.jit(only_worlds), (state.play.worlds, jax.random.key(1))),
        "playing_s": seconds(jax.jit(playing), (state, jnp.float32(0))),
        "update_s": seconds(jax.jit(lambda state: learner.update(state, state.update)[0]), state),
        "weights": weights,
        "operations": operations,
        "floor_s": operations / matrix_rate(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaxmarl-python", help="python of an environment that has jaxmarl")
    parser.add_argument("--jaxued-python", help="python of an environment that has jaxued")
    parser.add_argument("--kinetix-python", help="python of an environment that has kinetix-env")
    parser.add_argument("--setups", nargs="+", default=list(SETUPS), choices=list(SETUPS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="ppo_throughput", help="of the file of results")
    args = parser.parse_args()
    others = {"jaxnav": args.jaxmarl_python, "jaxued": args.jaxued_python, "kinetix": args.kinetix_python}
    rows = []
    for label in args.setups:
        world, peer, setup = SETUPS[label]
        pythons = {world: sys.executable} | ({peer: others[peer]} if others[peer] else {})
        words = flags({**setup, **LEARNING})
        workers = {name: Worker([python, str(WORKER), name, *words]) for name, python in pythons.items()}
        row = {"name": label, "world": world, "setup": {**setup, **LEARNING}, **alternate(workers, args.repeats)}
        line = f"{label}: {row[world]['env_steps_per_s']:,.0f} env-steps/s, compile {row[world]['compile_s']:.0f} s"
        if peer in row:
            wall, cpu = (row[world][k] / row[peer][k] for k in ("env_steps_per_s", "env_steps_per_cpu_s"))
            line += f"; {peer} {row[peer]['env_steps_per_s']:,.0f} ({wall:.1f}x, per CPU-second {cpu:.1f}x)"
            line += f", compile {row[peer]['compile_s']:.0f} s"
        print(line, flush=True)
        parts = row["parts"] = breakdown(world, setup)
        print("  " + ", ".join(f"{name} {value:.4g}" for name, value in parts.items()), flush=True)
        rows.append(row)
        path = machine.results_folder() / f"{args.name}.json"
        write_rows(path, machine.describe(), rows, ("name",))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
