"""Every way of stepping worlds, as a function (world, number of worlds) -> run, where `run(steps)` steps them all.

Actions are drawn before, in a ring of 16. All ways that reset by themselves do it in the step that ends an episode.
"""

import importlib.util

import jax
import numpy as np

from minicosm.wrappers import AutoReset, BatchedParallelEnv, GymnasiumVectorEnv, GymnaxStyle, PettingZooEnv

RING = 16


def actions_of(env, num_envs, ring=RING):
    """[ring, num_envs, A, ...] random actions on the device."""
    keys = jax.random.split(jax.random.key(1), (ring, num_envs, env.num_agents))
    return jax.jit(jax.vmap(jax.vmap(jax.vmap(env.action_space.sample))))(keys)


def on_host(env, num_envs):
    """A ring of NumPy actions [num_envs, ...] of the only agent."""
    return list(np.array(actions_of(env, num_envs)[:, :, 0]))


def used(timestep):
    """A number that needs all of what a step hands out, so that none of it is optimised away."""
    parts = timestep.observation, timestep.reward, timestep.terminated, timestep.info["final_observation"]
    return sum(x.sum() for x in jax.tree.leaves(parts))


def native_scan(env, num_envs):
    """All steps in one compiled program."""
    worlds, ring = AutoReset(env, num_envs), actions_of(env, num_envs)

    def tick(carry, i):
        state, total = carry
        state, timestep = worlds.step(state, ring[i % RING])
        return (state, total + used(timestep)), None

    rollout = jax.jit(lambda state, indices: jax.lax.scan(tick, (state, 0.0), indices)[0], donate_argnums=0)
    state = jax.jit(worlds.reset)(jax.random.key(0))[0]

    def run(steps):
        nonlocal state
        for _ in range(0, steps, RING):  # one length, compiled once
            state, total = rollout(state, np.arange(RING))
        jax.block_until_ready(total)

    return run


def gymnax_scan(env, num_envs):
    """As `native_scan`, through the vmapped functions of one world."""
    one, ring = GymnaxStyle(env), actions_of(env, num_envs)[:, :, 0]
    keys = jax.random.split(jax.random.key(0), num_envs)

    def tick(carry, i):
        state, total = carry
        observation, state, reward, done, info = jax.vmap(one.step)(keys, state, ring[i % RING])
        parts = observation, reward, done, info["final_observation"]
        return (state, total + sum(x.sum() for x in jax.tree.leaves(parts))), None

    rollout = jax.jit(lambda state, indices: jax.lax.scan(tick, (state, 0.0), indices)[0], donate_argnums=0)
    state = jax.jit(jax.vmap(one.reset))(keys)[1]

    def run(steps):
        nonlocal state
        for _ in range(0, steps, RING):
            state, total = rollout(state, np.arange(RING))
        jax.block_until_ready(total)

    return run


def step_jax(env, num_envs):
    """One compiled call a step, arrays stay on the device; what adapters with JAX output are measured against."""
    worlds, ring = AutoReset(env, num_envs), list(actions_of(env, num_envs))
    step = jax.jit(worlds.step, donate_argnums=0)
    state = jax.jit(worlds.reset)(jax.random.key(0))[0]

    def run(steps):
        nonlocal state
        for i in range(steps):
            state, timestep = step(state, ring[i % RING])
        jax.block_until_ready(timestep)

    return run


def step_numpy(env, num_envs):
    """One compiled call a step, NumPy in and out: the least that an adapter with NumPy output must do.

    Last observations are fetched where an episode has ended.
    """
    worlds, ring = AutoReset(env, num_envs), list(np.asarray(actions_of(env, num_envs)))
    step = jax.jit(worlds.step, donate_argnums=0)
    state = jax.jit(worlds.reset)(jax.random.key(0))[0]

    def run(steps):
        nonlocal state
        for i in range(steps):
            state, timestep = step(state, ring[i % RING])
            handed = timestep.observation, timestep.reward, timestep.terminated, timestep.truncated
            _, _, terminated, truncated = jax.tree.map(np.array, handed)  # writable copies
            if (terminated | truncated).any():
                jax.tree.map(np.array, timestep.info["final_observation"])

    return run


def vector_env(output):
    """Gymnasium's VectorEnv with the arrays of `output`."""

    def way(env, num_envs):
        envs = GymnasiumVectorEnv(env, num_envs, autoreset_mode="same_step", output=output)
        ring = on_host(env, num_envs)
        if output == "jax":
            ring = list(actions_of(env, num_envs)[:, :, 0])
        if output == "torch":
            import torch

            where = "cpu" if jax.default_backend() == "cpu" else "cuda"
            ring = [torch.as_tensor(actions, device=where) for actions in ring]
        envs.reset(seed=0)

        def run(steps):
            for i in range(steps):
                handed = envs.step(ring[i % RING])
            if output == "jax":
                jax.block_until_ready(handed)
            if output == "torch" and jax.default_backend() != "cpu":
                torch.cuda.synchronize()

        return run

    return way


def sb3(env, num_envs):
    """Stable-Baselines3's VecEnv."""
    from minicosm.wrappers import SB3VecEnv

    envs, ring = SB3VecEnv(env, num_envs, seed=0), on_host(env, num_envs)
    envs.reset()

    def run(steps):
        for i in range(steps):
            envs.step(ring[i % RING])

    return run


def torchrl(env, num_envs):
    """TorchRL's EnvBase, worlds that are done reset by TorchRL, as its collectors do it."""
    import torch

    from minicosm.wrappers import TorchRLEnv

    envs = TorchRLEnv(env, num_envs, seed=0)
    ring = [torch.as_tensor(actions, device=envs.device) for actions in on_host(env, num_envs)]
    now = envs.reset()

    def run(steps):
        nonlocal now
        for i in range(steps):
            now["action"] = ring[i % RING]
            now = envs.step_and_maybe_reset(now)[1]

    return run


def pettingzoo_batched(env, num_envs):
    """`dict[agent] -> [num_envs, ...]`."""
    envs = BatchedParallelEnv(env, num_envs)
    ring = np.asarray(actions_of(env, num_envs))
    steps_of = [{agent: ring[i, :, a] for a, agent in enumerate(envs.agents)} for i in range(RING)]
    envs.reset(seed=0)

    def run(steps):
        for i in range(steps):
            envs.step(steps_of[i % RING])

    return run


def pettingzoo_single(env, num_envs):
    """PettingZoo's ParallelEnv: one world."""
    one, ring = PettingZooEnv(env), np.asarray(actions_of(env, 1)[:, 0])
    one.reset(seed=0)

    def run(steps):
        for i in range(steps):
            one.step({agent: ring[i % RING, a] for a, agent in enumerate(one.possible_agents)})
            if not one.agents:
                one.reset()

    return run


def has(*packages):
    """Whether all are installed."""
    return all(importlib.util.find_spec(package) for package in packages)


def ways(num_envs):
    """name -> way, of those whose packages are installed."""
    found = {
        "native scan": native_scan,
        "gymnax_style scan": gymnax_scan,
        "step, jax": step_jax,
        "step, numpy": step_numpy,
        "VectorEnv numpy": vector_env("numpy"),
        "VectorEnv jax": vector_env("jax"),
    }
    if has("torch"):
        found["VectorEnv torch"] = vector_env("torch")
    if has("stable_baselines3"):
        found["SB3"] = sb3
    if has("torchrl"):
        found["TorchRL"] = torchrl
    found["PettingZoo batched"] = pettingzoo_batched
    if num_envs == 1:
        found["PettingZoo single"] = pettingzoo_single
    return found
