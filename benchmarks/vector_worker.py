"""One vectorised environment, stepped from Python on demand: the lander's worker, and MiniGrid's of the mazes.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times random actions, drawn
before, through the interface that Gymnasium's users step; `minicosm-scan` is our lander without Python between the
steps. It runs in whichever environment has the implementation, hence imports only what that one needs.
"""

import argparse
import json
import sys
import time

import numpy as np
from process_cost import peak_memory


def minicosm_vector(batch):
    import gymnasium

    import minicosm  # noqa: F401 (registers)

    envs = gymnasium.make_vec("minicosm/LunarLander-v0", num_envs=batch, action_kind="discrete")
    return envs, 9 + 2  # no control, four motors either way, two thrusters


def gymnasium_vector(batch):
    import gymnasium

    envs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("LunarLander-v3")] * batch)
    return envs, 4


def envpool_vector(batch):
    import envpool

    return envpool.make_gymnasium("LunarLander-v3", num_envs=batch), 4


def minigrid_vector(batch):
    import gymnasium
    import minigrid  # noqa: F401 (registers)
    from minigrid.wrappers import ImgObsWrapper

    def make():  # of its observation the picture alone, which is what ours is: its text is no array
        return ImgObsWrapper(gymnasium.make("MiniGrid-Empty-16x16-v0", agent_view_size=5))

    return gymnasium.vector.SyncVectorEnv([make] * batch), 3


def first_calls(envs, batch):
    """Reset and step for the first time; the seconds that this takes beyond those of another step."""
    start = time.perf_counter()
    envs.reset()
    envs.step(np.zeros(batch, np.int32))
    first = time.perf_counter()
    envs.step(np.zeros(batch, np.int32))
    return first - start - (time.perf_counter() - first)


def vector_run(envs, num_actions, batch, steps):
    """A function that steps so often and returns the number of ends."""
    rng = np.random.default_rng(0)

    def run():
        actions = rng.integers(0, num_actions, (steps, batch)).astype(np.int32)
        total, ends = 0.0, 0
        for action in actions:
            observation, reward, terminated, truncated, _ = envs.step(action)
            total += float(np.sum(observation)) + float(np.sum(reward))
            ends += int(np.sum(terminated | truncated))
        return ends

    return run


def serve_scan(batch, steps):
    """Our lander, a compiled rollout a turn."""
    import jax
    from rollouts import scanned, serve, used_up

    import minicosm
    from minicosm.wrappers import AutoReset

    start = time.perf_counter()
    worlds = AutoReset(minicosm.make("lunar_lander", action_kind="discrete"), batch)

    def tick(state, action, key):
        state, timestep = worlds.step(state, action[:, None])
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        return state, used, timestep.info["reset"].sum()

    rollout = scanned(tick, steps, lambda key: jax.random.randint(key, (steps, batch), 0, 11))
    state = jax.block_until_ready(jax.jit(worlds.reset)(jax.random.key(0))[0])
    serve(state, rollout, batch * steps, setup_s=time.perf_counter() - start)


def serve_vector(name, batch, steps):
    """Whatever has Gymnasium's vector interface."""
    start = time.perf_counter()
    envs, num_actions = BUILDERS[name](batch)
    first_s = first_calls(envs, batch)
    run = vector_run(envs, num_actions, batch, steps)
    run()
    compiles = {"compile_s": first_s} if name == "minicosm" else {}  # others' first calls compile nothing
    print(json.dumps({"setup_s": time.perf_counter() - start, **compiles}), flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        ends = run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        told = {"wall_s": wall, "cpu_s": cpu, "env_steps": batch * steps, "resets": ends, **peak_memory()}
        print(json.dumps(told), flush=True)


BUILDERS = {
    "minicosm": minicosm_vector,
    "gymnasium": gymnasium_vector,
    "envpool": envpool_vector,
    "minigrid": minigrid_vector,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=[*BUILDERS, "minicosm-scan"])
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    if args.implementation == "minicosm-scan":
        serve_scan(args.batch, args.steps)
    else:
        serve_vector(args.implementation, args.batch, args.steps)


if __name__ == "__main__":
    main()
