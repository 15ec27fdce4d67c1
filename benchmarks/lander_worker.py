"""One vectorised lunar lander, stepped from Python on demand: the other half of `lander_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times random actions, drawn
before, through the interface that Gymnasium's users step; `minicosm-scan` is our own without Python between the steps.
"""

import argparse
import json
import sys
import time

import numpy as np


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


def run_vector(builder, batch, steps):
    """A function that steps so often and returns the number of ends."""
    envs, num_actions = builder(batch)
    envs.reset()
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


def run_scan(batch, steps):
    import jax
    from rollouts import scanned, used_up

    import minicosm
    from minicosm.wrappers import AutoReset

    worlds = AutoReset(minicosm.make("lunar_lander", action_kind="discrete"), batch)

    def tick(state, action, key):
        state, timestep = worlds.step(state, action[:, None])
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        return state, used, timestep.info["reset"].sum()

    rollout = scanned(tick, steps, lambda key: jax.random.randint(key, (steps, batch), 0, 11))
    state, count = [jax.jit(worlds.reset)(jax.random.key(0))[0]], [0]

    def run():
        count[0] += 1
        state[0], _, ends = jax.block_until_ready(rollout(state[0], jax.random.key(count[0])))
        return int(ends)

    return run


BUILDERS = {"minicosm": minicosm_vector, "gymnasium": gymnasium_vector, "envpool": envpool_vector}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=[*BUILDERS, "minicosm-scan"])
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    start = time.perf_counter()
    if args.implementation == "minicosm-scan":
        run = run_scan(args.batch, args.steps)
    else:
        run = run_vector(BUILDERS[args.implementation], args.batch, args.steps)
    run()
    print(json.dumps({"setup_s": time.perf_counter() - start}), flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        ends = run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        env_steps = args.batch * args.steps
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "env_steps": env_steps, "resets": ends}), flush=True)


if __name__ == "__main__":
    main()
