"""How many environment steps a second each way of stepping gives, on this machine.

All ways take turns, A B C A B C …, in one process, and the median of their turns counts: on a shared machine
only the ratios mean something. What a way needs to be compiled is reported apart.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.wrappers import AutoReset

Turn = Callable[[], int]  # runs for a moment and returns the env-steps it made


@dataclasses.dataclass(frozen=True)
class Way:
    """One way of stepping worlds: `prepare` makes and warms up what `Turn` then runs."""

    name: str
    num_envs: int
    prepare: Callable[[], Turn]


@dataclasses.dataclass(frozen=True)
class Speed:
    """What was measured of a way."""

    name: str
    num_envs: int
    steps_per_second: float  # env-steps per second, median over the turns
    set_up_seconds: float  # making, compiling and the first turn


def measure(ways: list[Way], turns: int = 5) -> Iterator[tuple[str, list[Speed] | None]]:
    """Prepare every way, then let them take `turns` turns each.

    Yields ("name of what is under way", None) as it goes, for progress bars, and last ("", speeds).
    """
    prepared, set_up = [], []
    for way in ways:
        yield f"preparing {way.name}", None
        start = time.perf_counter()
        turn = way.prepare()
        turn()
        set_up.append(time.perf_counter() - start)
        prepared.append(turn)
    rates: list[list[float]] = [[] for _ in ways]
    for _ in range(turns):
        for way, turn, rate in zip(ways, prepared, rates, strict=True):
            yield f"measuring {way.name}", None
            start = time.perf_counter()
            steps = turn()
            rate.append(steps / (time.perf_counter() - start))
    yield (
        "",
        [
            Speed(way.name, way.num_envs, statistics.median(rate), seconds)
            for way, rate, seconds in zip(ways, rates, set_up, strict=True)
        ],
    )


def ways_of(env: Environment[Any, Any], num_envs: Sequence[int]) -> list[Way]:
    """Every way of stepping `env` that this project offers, at each of `num_envs`, the plain Python loop first.

    Where Gymnasium's Box2D is installed, its LunarLander in a Python loop comes too, as the yardstick from outside.
    """
    from minicosm.wrappers import BatchedParallelEnv, GymnasiumEnv, GymnasiumVectorEnv, PettingZooEnv

    single = env.num_agents == 1
    ways = [gymnasium_single("this task, plain Python loop", lambda: GymnasiumEnv(env))] if single else []
    ways += lunar_lander()
    ways.append(pettingzoo_single(lambda: PettingZooEnv(env)))
    for count in num_envs:
        if count > 1:
            ways.append(pettingzoo_batched(lambda n: BatchedParallelEnv(env, n), count))
            ways += [gymnasium_vector(lambda n: GymnasiumVectorEnv(env, n), count)] if single else []
        ways.append(native_scan(env, count))
    return ways


def lunar_lander() -> list[Way]:
    """Gymnasium's LunarLander-v3 on Box2D, one world in a Python loop; empty where Box2D is not installed."""
    if importlib.util.find_spec("Box2D") is None:
        return []
    import gymnasium

    return [gymnasium_single("LunarLander, plain Python loop", lambda: gymnasium.make("LunarLander-v3"))]


def native_scan(env: Environment[Any, Any], num_envs: int, steps: int = 200) -> Way:
    """The whole rollout on the device: `jax.lax.scan` over auto-resetting worlds, random actions."""
    return Way("native JAX scan", num_envs, lambda: _native_turn(env, num_envs, steps))


def gymnasium_vector(make: Callable[[int], Any], num_envs: int, steps: int = 50) -> Way:
    """A Gymnasium `VectorEnv`, NumPy in and out; `make(num_envs)` makes it."""
    return Way("Gymnasium VectorEnv", num_envs, lambda: _vector_turn(make(num_envs), num_envs, steps))


def gymnasium_single(name: str, make: Callable[[], Any], steps: int = 200) -> Way:
    """A Gymnasium `Env`, one world stepped by a Python loop."""
    return Way(name, 1, lambda: _single_turn(make(), steps))


def pettingzoo_single(make: Callable[[], Any], steps: int = 200) -> Way:
    """A PettingZoo `ParallelEnv`, one world stepped by a Python loop."""
    return Way("PettingZoo ParallelEnv", 1, lambda: _parallel_turn(make(), steps))


def pettingzoo_batched(make: Callable[[int], Any], num_envs: int, steps: int = 50) -> Way:
    """Batched parallel worlds, `dict[agent] -> (num_envs, …)`; `make(num_envs)` makes them."""
    return Way("PettingZoo batched", num_envs, lambda: _batched_turn(make(num_envs), num_envs, steps))


def _native_turn(env: Environment[Any, Any], num_envs: int, steps: int) -> Turn:
    worlds = AutoReset(env, num_envs)

    def sample(key: jax.Array) -> Any:
        return jax.vmap(jax.vmap(env.action_space.sample))(jax.random.split(key, (num_envs, env.num_agents)))

    def rollout(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        def tick(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
            state, timestep = worlds.step(state, sample(key))
            # every observation is summed, so that none is optimised away
            total = sum(x.sum() for x in jax.tree.leaves(timestep.observation))
            return state, total + timestep.reward.sum()

        return jax.lax.scan(tick, state, jax.random.split(key, steps))

    compiled = jax.jit(rollout, donate_argnums=0)
    state, _ = jax.jit(worlds.reset)(jax.random.key(0))
    keys = iter(jax.random.split(jax.random.key(1), 10_000))

    def turn() -> int:
        nonlocal state
        state, total = compiled(state, next(keys))
        total.block_until_ready()
        return num_envs * steps

    return turn


def _vector_turn(envs: Any, num_envs: int, steps: int) -> Turn:
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(16)]

    def turn() -> int:
        for i in range(steps):
            envs.step(actions[i % len(actions)])
        return num_envs * steps

    return turn


def _single_turn(env: Any, steps: int) -> Turn:
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(16)]

    def turn() -> int:
        for i in range(steps):
            _, _, terminated, truncated, _ = env.step(actions[i % len(actions)])
            if terminated or truncated:
                env.reset()
        return steps

    return turn


def _parallel_turn(env: Any, steps: int) -> Turn:
    env.reset(seed=0)
    spaces = {agent: env.action_space(agent) for agent in env.possible_agents}

    def turn() -> int:
        for _ in range(steps):
            env.step({agent: spaces[agent].sample() for agent in env.agents})
            if not env.agents:
                env.reset()
        return steps

    return turn


def _batched_turn(env: Any, num_envs: int, steps: int) -> Turn:
    env.reset(seed=0)
    actions = {
        agent: np.stack([env.action_space(agent).sample() for _ in range(num_envs)]) for agent in env.possible_agents
    }

    def turn() -> int:
        for _ in range(steps):
            env.step(actions)
        return num_envs * steps

    return turn
