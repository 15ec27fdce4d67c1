"""The same seeds and actions give the same episodes through the core and every adapter, in every mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.wrappers import (
    AutoReset,
    BatchedParallelEnv,
    DmEnv,
    GymnasiumEnv,
    GymnasiumVectorEnv,
    PettingZooEnv,
    agents_as_envs,
    keys_from_seeds,
)

B, TICKS, SEED = 3, 40, 20
OUTPUTS = [
    "numpy",
    "jax",
    pytest.param("torch", marks=pytest.mark.skipif("not __import__('importlib.util').util.find_spec('torch')")),
]


def action_of(world, tick):
    """Of a world at its tick-th step since its seed, over all episodes."""
    return np.random.default_rng([world, tick]).uniform(-1, 1, 2).astype(np.float32)


class Log:
    """Per world: (observation, reward, terminated, truncated) of every step, and first observations."""

    def __init__(self):
        self.steps = [[] for _ in range(B)]
        self.firsts = [[] for _ in range(B)]

    def actions(self):
        return np.stack([action_of(world, len(self.steps[world])) for world in range(B)])

    def add(self, world, observation, reward, terminated, truncated):
        self.steps[world].append((np.asarray(observation).copy(), float(reward), bool(terminated), bool(truncated)))


@pytest.fixture(scope="module")
def expected(toy):
    """From the core, "same_step"."""
    worlds = AutoReset(toy(), B)
    step, log = jax.jit(worlds.step), Log()
    state, first = jax.jit(worlds.reset)(keys_from_seeds(range(SEED, SEED + B)))
    for world in range(B):
        log.firsts[world].append(np.array(first[world, 0]))
    for _ in range(TICKS):
        state, timestep = step(state, jnp.asarray(log.actions()[:, None]))
        for w in range(B):
            final = timestep.info["final_observation"][w, 0]
            log.add(w, final, timestep.reward[w, 0], timestep.terminated[w, 0], timestep.truncated[w, 0])
            if timestep.done[w]:
                log.firsts[w].append(np.array(timestep.observation[w, 0]))
    assert all(len(firsts) > 3 for firsts in log.firsts)
    return log


def compare(log, expected):
    for w in range(B):
        assert len(log.steps[w]) > TICKS / 2
        for got, wanted in zip(log.steps[w], expected.steps[w], strict=False):
            np.testing.assert_allclose(got[0], wanted[0], atol=1e-6)
            assert got[1] == pytest.approx(wanted[1], abs=1e-6) and got[2:] == wanted[2:]
        for got, wanted in zip(log.firsts[w], expected.firsts[w], strict=False):
            np.testing.assert_allclose(got, wanted, atol=1e-6)
        assert len(log.firsts[w]) > 2


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("mode", ["same_step", "next_step", "disabled"])
def test_gymnasiums_many_worlds(toy, expected, mode, output):
    env, log = GymnasiumVectorEnv(toy(), B, autoreset_mode=mode, output=output), Log()
    first, _ = env.reset(seed=SEED)
    for world in range(B):
        log.firsts[world].append(np.asarray(first[world]).copy())
    for _ in range(TICKS):
        observation, reward, terminated, truncated, info = (
            jax.tree.map(np.asarray, part) for part in env.step(log.actions())
        )
        for w in range(B):
            if mode == "next_step" and info["reset"][w]:
                log.firsts[w].append(observation[w])
                continue
            over = mode == "same_step" and info["reset"][w]
            last = info["final_obs"][w] if over else observation[w]
            log.add(w, last, reward[w], terminated[w], truncated[w])
            if over:
                log.firsts[w].append(observation[w])
        if mode == "disabled" and (terminated | truncated).any():
            fresh, _ = env.reset(options={"reset_mask": terminated | truncated})
            for w in np.nonzero(terminated | truncated)[0]:
                log.firsts[w].append(np.asarray(fresh[w]).copy())
    compare(log, expected)


@pytest.mark.parametrize("output", OUTPUTS)
def test_gymnasiums_one_world(toy, expected, output):
    log = Log()
    for w in range(B):
        env = GymnasiumEnv(toy(), output=output)
        log.firsts[w].append(np.asarray(env.reset(seed=SEED + w)[0]).copy())
        for _ in range(TICKS):
            observation, *rest = env.step(action_of(w, len(log.steps[w])))
            log.add(w, observation, *rest[:3])
            if rest[1] or rest[2]:
                log.firsts[w].append(np.asarray(env.reset()[0]).copy())
    compare(log, expected)


def test_pettingzoos_one_world(toy, expected):
    log = Log()
    for w in range(B):
        env = PettingZooEnv(toy())
        log.firsts[w].append(env.reset(seed=SEED + w)[0]["walker_0"])
        for _ in range(TICKS):
            handed = env.step({"walker_0": action_of(w, len(log.steps[w]))})
            log.add(w, *(entries["walker_0"] for entries in handed[:4]))
            if not env.agents:
                log.firsts[w].append(env.reset()[0]["walker_0"])
    compare(log, expected)


@pytest.mark.parametrize("output", OUTPUTS)
def test_pettingzoos_many_worlds(toy, expected, output):
    env, log = BatchedParallelEnv(toy(), B, output=output), Log()
    first, _ = env.reset(seed=SEED)
    for w in range(B):
        log.firsts[w].append(np.asarray(first["walker_0"][w]).copy())
    for _ in range(TICKS):
        handed = env.step({"walker_0": log.actions()})
        observation, reward, terminated, truncated, info = (
            jax.tree.map(np.asarray, part["walker_0"]) for part in handed
        )
        for w in range(B):
            last = info["final_obs"][w] if info["reset"][w] else observation[w]
            log.add(w, last, reward[w], terminated[w], truncated[w])
            if info["reset"][w]:
                log.firsts[w].append(observation[w])
    compare(log, expected)


def test_dm_env(toy, expected):
    log = Log()
    for w in range(B):
        env = DmEnv(toy(), seed=SEED + w)
        log.firsts[w].append(env.reset().observation)
        for _ in range(TICKS):
            step = env.step(action_of(w, len(log.steps[w])))
            over = step.last()
            log.add(w, step.observation, step.reward, over and step.discount == 0, over and step.discount == 1)
            if over:
                log.firsts[w].append(env.step(None).observation)
    compare(log, expected)


def test_stable_baselines3(toy, expected):
    pytest.importorskip("stable_baselines3")
    from minicosm.wrappers import SB3VecEnv

    env, log = SB3VecEnv(toy(), B, seed=SEED), Log()
    first = env.reset()
    for w in range(B):
        log.firsts[w].append(first[w])
    for _ in range(TICKS):
        observation, reward, done, infos = env.step(log.actions())
        for w in range(B):
            last = infos[w]["terminal_observation"] if done[w] else observation[w]
            truncated = infos[w].get("TimeLimit.truncated", False)
            log.add(w, last, reward[w], done[w] and not truncated, truncated)
            if done[w]:
                log.firsts[w].append(observation[w])
    compare(log, expected)


def test_torchrl(toy, expected):
    pytest.importorskip("torchrl")
    import torch

    from minicosm.wrappers import TorchRLEnv

    env, log = TorchRLEnv(toy(), B, seed=SEED), Log()
    now = env.reset()
    for w in range(B):
        log.firsts[w].append(np.asarray(now["observation"][w]).copy())
    for _ in range(TICKS):
        now["action"] = torch.as_tensor(log.actions())
        stepped, now = env.step_and_maybe_reset(now)
        after = stepped["next"]
        for w in range(B):
            log.add(w, after["observation"][w], after["reward"][w], after["terminated"][w], after["truncated"][w])
            if after["done"][w]:
                log.firsts[w].append(np.asarray(now["observation"][w]).copy())
    compare(log, expected)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_agents_as_envs_of_lone_agents(toy, expected, mode, output):
    env, log = agents_as_envs(toy(), B, autoreset_mode=mode, output=output), Log()
    first, _ = env.reset(seed=SEED)
    for w in range(B):
        log.firsts[w].append(np.asarray(first[w]).copy())
    for _ in range(TICKS):
        observation, reward, terminated, truncated, info = (
            jax.tree.map(np.asarray, part) for part in env.step(log.actions())
        )
        for w in range(B):
            if info["active"][w]:
                over = mode == "same_step" and info["reset"][w]
                log.add(w, info["final_obs"][w] if over else observation[w], reward[w], terminated[w], truncated[w])
            if info["reset"][w]:
                log.firsts[w].append(observation[w])
    compare(log, expected)
