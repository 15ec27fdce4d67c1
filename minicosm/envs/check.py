"""`check_env`: does a world keep the contract of `Environment`? Run it on your own worlds in your tests."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete, Space

_NUM_WORLDS = 4
_ROUNDING = 2e-5  # relative, where XLA may reassociate float32 sums


class ContractError(AssertionError):
    """A world breaks the contract; the message says which clause, and where."""


def check_env(env: Environment[Any, Any], seed: int = 0) -> None:
    """Check `env` against the contract, over one whole time limit with random actions.

    Checks that the environment is hashable; that names, spaces, shapes, dtypes and bounds agree with the values;
    that values are finite; that states, levels and time steps are pytrees of fixed structure that survive `jit`, `scan`
    and `device_put`; that each function is traced once; that equal keys give equal bits; that `vmap` equals a loop, to
    float32 rounding; that termination latches, and truncation comes with the time limit alone and apart from it.

    Raises ContractError with a sentence that names the first broken clause.
    """
    _check_description(env)
    key = jax.random.key(seed)
    level, state, observation, timestep = _check_shapes(env, key)
    _check_one_trace(env, key)
    _check_determinism(env, key)
    _check_vmap(env, key)
    _check_device_put(level, state, timestep)
    _check_episode(env, key)
    _check_values(env, env.observation_space, observation, "reset's observation")


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ContractError(message)


def _check_description(env: Environment[Any, Any]) -> None:
    try:
        twin = copy.copy(env)
        same = hash(env) == hash(twin) and env == twin
    except TypeError as error:
        raise ContractError(f"the environment is not hashable ({error}): make it a frozen dataclass") from None
    _require(same, "a copy of the environment hashes or compares unequal: make it a frozen dataclass")
    agents = env.agents
    _require(len(agents) == env.num_agents >= 1, f"num_agents is {env.num_agents} but agents are {agents}")
    _require(len(set(agents)) == len(agents), f"agents repeat a name: {agents}")
    for agent in agents:
        _require(bool(re.fullmatch(r"[a-z]+_[0-9]+", agent)), f"agent {agent!r} is not named [a-z]+_[0-9]+")
    _require(env.max_episode_steps >= 1, f"max_episode_steps is {env.max_episode_steps}, expected at least 1")
    for name in ("observation_space", "action_space"):
        space = getattr(env, name)
        _require(isinstance(space, Box | Discrete | MultiDiscrete | Dict), f"{name} is a {type(space).__name__}")
        _require(space == getattr(env, name), f"{name} changes between accesses")


def _check_shapes(env: Environment[Any, Any], key: jax.Array) -> tuple[Any, Any, Any, TimeStep]:
    """Abstract evaluation: structure, shapes and dtypes, before anything runs. Returns one concrete sample of each."""
    level = jax.jit(env.sample_level)(key)
    state, observation = jax.jit(env.reset)(key, level)
    action = sample_actions(env, key)
    after, timestep = jax.jit(env.step)(key, state, action)
    _require(isinstance(timestep, TimeStep), f"step returns a {type(timestep).__name__}, expected a TimeStep")
    _check_like(state, after, "step's state", "reset's state")
    _check_like(observation, timestep.observation, "step's observation", "reset's observation")
    agents = env.num_agents
    for name, dtype in (("reward", "float32"), ("terminated", "bool"), ("truncated", "bool")):
        value = getattr(timestep, name)
        got = f"{value.dtype}{list(value.shape)}"
        _require(value.shape == (agents,) and value.dtype == dtype, f"{name} is {got}, expected {dtype}[{agents}]")
    _require("success" in timestep.info, f"info has keys {sorted(timestep.info)}, but no 'success'")
    success = timestep.info["success"]
    _require(success.shape == (agents,) and success.dtype == bool, f"info['success'] is not bool[{agents}]")
    _, again = jax.eval_shape(env.step, key, after, action)
    _require(set(again.info) == set(timestep.info), "info's keys change from one step to the next")
    return level, state, observation, timestep


def _check_like(expected: Any, value: Any, what: str, other: str) -> None:
    structures: tuple[Any, Any] = jax.tree.structure(expected), jax.tree.structure(value)
    _require(structures[0] == structures[1], f"{what} is built unlike {other}: {structures[1]} and {structures[0]}")
    pairs = zip(jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(value), strict=True)
    for (path, a), b in pairs:
        where = jax.tree_util.keystr(path)
        _require(
            (a.shape, a.dtype) == (b.shape, b.dtype),
            f"{what}{where} is {b.dtype}{list(b.shape)}, but {a.dtype}{list(a.shape)} in {other}",
        )
        weak = getattr(a, "weak_type", False), getattr(b, "weak_type", False)
        _require(weak[0] == weak[1], f"{what}{where} and {other} differ in weak type: give the dtype explicitly")


def _check_one_trace(env: Environment[Any, Any], key: jax.Array) -> None:
    counts = {"sample_level": 0, "reset": 0, "step": 0}

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def traced(*args: Any) -> Any:
            counts[name] += 1
            return function(*args)

        return jax.jit(traced)

    sample_level, reset = counted("sample_level", env.sample_level), counted("reset", env.reset)
    step = counted("step", env.step)
    for i in range(2):
        use = jax.random.fold_in(key, i)
        state, _ = reset(use, sample_level(use))
        for _ in range(2):
            state, _ = step(use, state, sample_actions(env, use))
    for name, count in counts.items():
        _require(count == 1, f"{name} was traced {count} times for arguments of one shape: a dtype or weak type varies")


def _check_determinism(env: Environment[Any, Any], key: jax.Array) -> None:
    def play(key: jax.Array) -> Any:
        level = env.sample_level(key)
        state, observation = env.reset(key, level)
        state, timestep = env.step(key, state, sample_actions(env, key))
        return level, observation, state, timestep

    play = jax.jit(play)
    first, second = play(key), play(key)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(first), jax.tree.leaves(second), strict=True):
        same = np.array_equal(_bits(a), _bits(b), equal_nan=False)
        _require(same, f"equal keys give different values at {jax.tree_util.keystr(path)}")


def _check_vmap(env: Environment[Any, Any], key: jax.Array) -> None:
    keys = jax.random.split(key, _NUM_WORLDS)
    levels = jax.jit(jax.vmap(env.sample_level))(keys)
    actions = jnp.stack([sample_actions(env, k) for k in keys])
    states, observations = jax.jit(jax.vmap(env.reset))(keys, levels)
    stepped = jax.jit(jax.vmap(env.step))(keys, states, actions)
    reset, step = jax.jit(env.reset), jax.jit(env.step)
    for world in range(_NUM_WORLDS):
        level, state = (jax.tree.map(lambda x: x[world], tree) for tree in (levels, states))  # noqa: B023
        _check_close(reset(keys[world], level), (state, observations), world, "reset")
        _check_close(step(keys[world], state, actions[world]), stepped, world, "step")


def _check_close(alone: Any, batched: Any, world: int, what: str) -> None:
    """Leaves of `batched` at `world`, or already of that world, against the world run `alone`."""
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(alone), jax.tree.leaves(batched), strict=True):
        bits_a, bits_b = _bits(a), _bits(b[world] if b.ndim > a.ndim else b)
        if np.issubdtype(bits_a.dtype, np.floating):
            same = np.allclose(bits_a, bits_b, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True)
        else:
            same = np.array_equal(bits_a, bits_b)
        _require(same, f"{what} under vmap differs from one world alone at {jax.tree_util.keystr(path)}")


def _check_device_put(*trees: Any) -> None:
    for tree in trees:
        moved = jax.device_put(tree, jax.devices()[0])
        structures: list[Any] = [jax.tree.structure(t) for t in (tree, moved)]
        _require(bool(structures[0] == structures[1]), "device_put changes the structure of a pytree")


def _check_episode(env: Environment[Any, Any], key: jax.Array) -> None:
    """Random actions for one time limit, in a few worlds; nothing resets, so every agent must end."""
    limit = env.max_episode_steps

    def play(key: jax.Array) -> Any:
        level_key, reset_key, play_key = jax.random.split(key, 3)
        state, _ = env.reset(reset_key, env.sample_level(level_key))

        def tick(state: Any, key: jax.Array) -> tuple[Any, TimeStep]:
            action_key, step_key = jax.random.split(key)
            return env.step(step_key, state, sample_actions(env, action_key))

        state, history = jax.lax.scan(tick, state, jax.random.split(play_key, limit + 1))
        finite = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]
        return jnp.all(jnp.array(finite)) if finite else jnp.array(True), history

    finite, history = jax.jit(jax.vmap(play))(jax.random.split(key, _NUM_WORLDS))
    _require(bool(jnp.all(finite)), "the state holds a value that is not finite after an episode of random actions")
    terminated, truncated = np.asarray(history.terminated), np.asarray(history.truncated)  # [B, T, A]
    reward = np.asarray(history.reward)
    _require(bool(np.isfinite(reward).all()), "a reward is not finite")
    _require(not (terminated & truncated).any(), "an agent is terminated and truncated at once: keep them apart")
    unlatched = terminated[:, :-1] & ~terminated[:, 1:]
    _require(not unlatched.any(), "terminated goes back to False before a reset")
    early = truncated[:, : limit - 1].any()
    _require(not early, f"an agent is truncated before the time limit of {limit} steps")
    ended = (terminated | truncated)[:, limit - 1 :].all()
    _require(bool(ended), f"an agent is neither terminated nor truncated at the time limit of {limit} steps")
    _check_values(env, env.observation_space, history.observation, "an observation", batch_axes=2)


def _check_values(env: Environment[Any, Any], space: Space, value: Any, what: str, batch_axes: int = 0) -> None:
    """`value`, led by `batch_axes` axes and A, lies in `space`."""
    if isinstance(space, Dict):
        names = {name for name, _ in space.items}
        _require(isinstance(value, dict) and set(value) == names, f"{what} has not just the keys {sorted(names)}")
        for name, part in space.items:
            _check_values(env, part, value[name], f"{what}[{name!r}]", batch_axes)
        return
    array = np.asarray(value)
    shape = (env.num_agents, *space.shape)
    got = array.shape[batch_axes:]
    _require(got == shape, f"{what} has shape {got}, expected {shape} (agents first)")
    _require(array.dtype == space.dtype, f"{what} has dtype {array.dtype}, expected {space.dtype}")
    if isinstance(space, Box):
        _require(not np.isnan(array).any(), f"{what} holds NaN")
        low, high = space.bounds
    else:
        low, high = np.zeros(space.shape), np.asarray(space.n) - 1
    outside = (array < low) | (array > high)
    if outside.any():
        where = tuple(int(i) for i in np.argwhere(outside)[0])
        bad, element = array[where], where[batch_axes + 1 :]
        raise ContractError(f"{what} is {bad} at element {element} of its space, outside its bounds")


def sample_actions(env: Environment[Any, Any], key: jax.Array) -> jax.Array:
    """Uniform random actions for all agents, led by A."""
    return jax.vmap(env.action_space.sample)(jax.random.split(key, env.num_agents))  # type: ignore[return-value]


def _bits(x: jax.Array) -> np.ndarray[Any, Any]:
    """A leaf as NumPy; PRNG keys by their data."""
    return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
