"""Worlds of one implementation, stepped on demand: the other half of `cpu_peers.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. It runs in whichever environment has
the implementation, hence imports only what that one needs.

A builder makes `run(rounds) -> (steps, ends)`: steps that were played and episodes that ended. A round is one call of
`step` for all worlds, or one compiled rollout.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
from process_cost import cpu_seconds, peak_memory

RING = 16  # actions are drawn before, and used again and again
ROBOTS = 4
EPISODE = 500  # steps, of navigation


# Ours.


def our_cart_pole(batch):
    import gymnasium

    import minicosm  # noqa: F401 (registers)

    envs = gymnasium.make_vec(
        "minicosm/CartPole-v0", num_envs=batch, autoreset_mode="same_step", action_kind="discrete"
    )
    return vector_run(envs, batch, same_step=True)


def our_robots(num_beams=200):
    import minicosm

    return minicosm.make("nav", num_robots=ROBOTS, num_beams=num_beams, max_steps=EPISODE)


def our_robots_in_torch(batch, num_beams):
    import torch
    from adapters_ways import actions_of

    from minicosm.wrappers import BatchedParallelEnv

    env = our_robots(num_beams)
    envs = BatchedParallelEnv(env, batch, output="torch")
    ring = torch.as_tensor(np.array(actions_of(env, batch, RING)))
    ring = [{agent: actions[:, a] for a, agent in enumerate(envs.agents)} for actions in ring]
    envs.reset(seed=0)

    def run(rounds):
        ends = 0
        for i in range(rounds):
            _, _, _, _, info = envs.step(ring[i % RING])
            ends += int(info[envs.agents[0]]["reset"].sum())
        return rounds * batch, ends

    return run


def our_robots_as_envs(batch):
    from minicosm.wrappers import agents_as_envs

    envs = agents_as_envs(our_robots(), batch)
    ring = sampled(envs)
    envs.reset(seed=0)

    def run(rounds):
        steps, ends = 0, 0
        for i in range(rounds):
            _, _, terminated, truncated, info = envs.step(ring[i % RING])
            steps += int(np.count_nonzero(info["active"]))
            ends += int(np.count_nonzero(terminated | truncated))
        return steps, ends

    return run


def our_cart_pole_scan(batch):
    import minicosm
    from minicosm.wrappers import AutoReset

    return scan_run(AutoReset(minicosm.make("cart_pole", action_kind="discrete"), batch), worlds_played)


def our_robots_scan(batch, num_beams):
    from minicosm.wrappers import AutoReset

    return scan_run(AutoReset(our_robots(num_beams), batch), worlds_played)


def our_agents_scan(batch):
    from minicosm.wrappers import AgentEpisodes

    return scan_run(AgentEpisodes(our_robots(), batch), agents_played)


def worlds_played(timestep):
    return timestep.info["reset"].size, timestep.info["reset"].sum()


def agents_played(timestep):
    return timestep.info["active"].sum(), (timestep.terminated | timestep.truncated).sum()


def scan_run(worlds, played):
    """Rollouts of at least a thousand env-steps, each one compiled program; `played(timestep)` gives steps and ends."""
    import jax
    import jax.numpy as jnp
    from adapters_ways import actions_of
    from rollouts import used_up

    ring = actions_of(worlds.env, worlds.num_envs, RING)
    ring = jnp.tile(ring, (max(1, 64 // worlds.num_envs), *[1] * (ring.ndim - 1)))

    def tick(carry, action):
        state, total, steps, ends = carry
        state, timestep = worlds.step(state, action)
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        now = played(timestep)
        return (state, total + used, steps + now[0], ends + now[1]), None

    def rollout(state, actions):
        return jax.lax.scan(tick, (state, jnp.float32(0), jnp.int32(0), jnp.int32(0)), actions)[0]

    compiled = jax.jit(rollout, donate_argnums=0)
    state = jax.jit(worlds.reset)(jax.random.key(0))[0]

    def run(rounds):
        nonlocal state
        all_steps, all_ends = 0, 0
        for _ in range(rounds):
            state, _, steps, ends = compiled(state, ring)
            all_steps, all_ends = all_steps + int(steps), all_ends + int(ends)
        return all_steps, all_ends

    return run


# Theirs.


def gymnasium_cart_pole(mode):
    """CartPole-v1 in one of Gymnasium's vectorisation modes."""

    def build(batch):
        import gymnasium

        return vector_run(gymnasium.make_vec("CartPole-v1", num_envs=batch, vectorization_mode=mode), batch)

    return build


def envpool_cart_pole(batch):
    import envpool

    envs = envpool.make_gymnasium("CartPole-v1", num_envs=batch, seed=0)
    return vector_run(envs, batch, np.random.default_rng(0).integers(0, 2, (RING, batch)).astype(np.int32))


def vmas_navigation(num_threads):
    """VMAS on so many threads of torch's."""

    def build(batch, num_beams):
        import torch
        import vmas

        torch.set_num_threads(num_threads)
        settings = {"num_envs": batch, "device": "cpu", "seed": 0, "max_steps": EPISODE, "n_lidar_rays": num_beams}
        envs = vmas.make_env(scenario="navigation", n_agents=ROBOTS, collisions=True, **settings)
        assert all(agent.sensors for agent in envs.agents), "VMAS's agents have no lidar"
        generator = torch.Generator().manual_seed(0)
        ring = [list(2 * torch.rand((ROBOTS, batch, 2), generator=generator) - 1) for _ in range(RING)]
        envs.reset()
        return vmas_run(envs, ring, batch)

    return build


def vmas_run(envs, ring, batch):
    """VMAS resets nothing by itself: worlds that are done are reset after the step, as one does."""

    def run(rounds):
        ends = 0
        for i in range(rounds):
            done = envs.step(ring[i % RING])[2]
            if done.any():
                ends += int(done.sum())
                if done.all():
                    envs.reset()
                else:
                    for world in done.nonzero()[:, 0].tolist():
                        envs.reset_at(world)
        return rounds * batch, ends

    return run


def mpe_in_supersuit(num_processes):
    """MPE's simple_spread, all agents of all worlds side by side; 0 processes: in this one."""

    def build(batch):
        import supersuit
        from mpe2 import simple_spread_v3

        one = supersuit.pettingzoo_env_to_vec_env_v1(simple_spread_v3.parallel_env(N=3))
        envs = supersuit.concat_vec_envs_v1(one, batch, num_cpus=num_processes, base_class="gymnasium")
        ring = np.random.default_rng(0).integers(0, envs.action_space.n, (RING, 3 * batch))
        return vector_run(envs, 3 * batch, ring, same_step=True)

    return build


def sampled(envs):
    """A ring of random actions of all worlds."""
    envs.action_space.seed(0)
    return [envs.action_space.sample() for _ in range(RING)]


def vector_run(envs, size, ring=None, same_step=False):
    """Whatever has Gymnasium's vector interface, of `size` environments.

    Unless `same_step`, the call that follows an episode's end only resets, and is no step.
    """
    ring = sampled(envs) if ring is None else ring
    envs.reset()

    def run(rounds):
        ends = 0
        for i in range(rounds):
            _, _, terminated, truncated, _ = envs.step(ring[i % RING])
            ends += int(np.count_nonzero(np.logical_or(terminated, truncated)))
        return rounds * size - (0 if same_step else ends), ends

    return run


CORES = len(os.sched_getaffinity(0))
BUILDERS = {
    ("cartpole", "minicosm"): our_cart_pole,
    ("cartpole", "minicosm-scan"): our_cart_pole_scan,
    ("cartpole", "gymnasium-sync"): gymnasium_cart_pole("sync"),
    ("cartpole", "gymnasium-async"): gymnasium_cart_pole("async"),
    ("cartpole", "gymnasium-vector"): gymnasium_cart_pole("vector_entry_point"),
    ("cartpole", "envpool"): envpool_cart_pole,
    ("vmas", "minicosm"): our_robots_in_torch,
    ("vmas", "minicosm-scan"): our_robots_scan,
    ("vmas", "vmas"): vmas_navigation(1),
    ("vmas", "vmas-threads"): vmas_navigation(CORES),
    ("supersuit", "minicosm"): our_robots_as_envs,
    ("supersuit", "minicosm-scan"): our_agents_scan,
    ("supersuit", "supersuit"): mpe_in_supersuit(0),
    ("supersuit", "supersuit-processes"): mpe_in_supersuit(CORES),
}


def rounds_that_take(seconds, run):
    """How many rounds last about so long."""
    rounds, wall = 1, 0.0
    while True:
        start = time.perf_counter()
        run(rounds)
        wall = time.perf_counter() - start
        if wall > seconds / 4:
            return max(1, round(rounds * seconds / wall))
        rounds *= 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section")
    parser.add_argument("implementation")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--beams", type=int, help="of each robot; section vmas only")
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    start = time.perf_counter()
    sizes = (args.batch,) if args.beams is None else (args.batch, args.beams)
    run = BUILDERS[args.section, args.implementation](*sizes)
    run(1)
    setup_s = time.perf_counter() - start
    rounds = rounds_that_take(args.seconds, run)
    ours = args.implementation.startswith("minicosm")
    print(json.dumps({"setup_s": setup_s, **({"compile_s": setup_s} if ours else {})}), flush=True)
    unit = "agent_steps" if args.section == "supersuit" else "env_steps"
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), cpu_seconds()
        steps, ends = run(rounds)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        answer = {"wall_s": wall, "cpu_s": cpu, unit: steps, "resets": ends, **peak_memory()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
