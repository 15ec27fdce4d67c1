"""Behaviour cloning: an agent learns to do what demonstrations do, by maximum likelihood.

Only the policy learns; the value function stays as it began. A net with a memory learns from whole episodes, any other
from single steps.

Axis letters: N samples (steps, or episodes), T steps of one, A agents, S seeds.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.training import checkpoint, shipped
from minicosm.training.actions import Categorical
from minicosm.training.config import PPOConfig
from minicosm.training.curves import CurvePoint, append_point
from minicosm.training.demonstrations import Array, Demonstrations

if TYPE_CHECKING:
    from minicosm.training.networks import Agent

_LEAST_LOG_STD = -3.0  # continuous actions: demonstrations that never vary would make it fall for ever
_MASKED = -1e9  # logit of an option that does nothing


@dataclasses.dataclass(frozen=True)
class CloneConfig:
    """Settings of cloning. Raises ValueError, naming the field, for a value that cannot work."""

    updates: int = 3000  # steps of AdamW
    batch: int = 256  # steps (of all agents) in one, or with a memory the whole episodes that come nearest
    learning_rate: float = 2e-3  # falls linearly to 0
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    held_out: float = 0.1  # share of the episodes that is not learnt from, of each level that has enough
    updates_per_point: int = 100  # of the learning curve

    def __post_init__(self) -> None:
        for name in ("updates", "batch", "updates_per_point"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"CloneConfig.{name} is {value!r}; expected a whole number from 1")
        for name in ("learning_rate", "max_grad_norm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"CloneConfig.{name} is {value!r}; expected a finite number above 0")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"CloneConfig.weight_decay is {self.weight_decay!r}; expected a finite number from 0")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"CloneConfig.held_out is {self.held_out!r}; expected a share, at least 0 and below 1")


@dataclasses.dataclass(frozen=True, eq=False)
class Clone:
    """What cloning made. `params` lead with the seeds."""

    params: Any
    curve: tuple[CurvePoint, ...]  # "loss" in nats per step, "agreement" of the likeliest action, and "held_out_…"
    is_held_out: Array  # bool[E]

    def params_of(self, seed_index: int = 0) -> Any:
        """The parameters of one seed, as `as_policy` takes them."""
        return jax.tree.map(lambda x: x[seed_index], self.params)


@struct.dataclass
class _Samples:
    """What there is to learn from."""

    features: jax.Array  # [N, T, A, F]
    draws: jax.Array  # [N, T, A, ...]  of the action distribution
    mask: jax.Array | None  # bool[N, T, A, K]
    valid: jax.Array  # bool[N, T, A]


def clone(
    found: Demonstrations,
    ppo: PPOConfig,
    config: CloneConfig = CloneConfig(),
    run_dir: Path | None = None,
    callback: Callable[[CurvePoint], Any] | None = None,
) -> Clone:
    """Train `ppo.num_seeds` agents with the net `ppo.network` on `found`; `ppo.seed` is the first one's.

    `run_dir` gets a run of the world and `ppo`, which everything that takes a trained run can go on with: its learning
    curve, and the parameters at the end. Raises ValueError where the net does not fit the world, the folder holds a run
    already or the loss is no number any more; OSError where it cannot be written; ImportError without the extra.
    """
    from minicosm.training.networks import Agent  # needs the extra

    agent = Agent.of(found.world, ppo.network)
    held_out = _held_out(found, config.held_out)
    learnt = _samples(agent, found.chosen(~held_out))
    unseen = _samples(agent, found.chosen(held_out)) if held_out.any() else None
    if run_dir is not None:
        checkpoint.begin_run(run_dir, found.world, ppo)
    keys = jnp.stack([jax.random.key(ppo.seed + s) for s in range(ppo.num_seeds)])
    init = functools.partial(_init, agent, config)
    state = jax.tree.map(lambda *x: jnp.stack(x), *[init(key) for key in keys])  # one by one, see `train`
    points: list[CurvePoint] = []
    began, cpu = time.perf_counter(), time.process_time()
    done = 0
    while done < config.updates:
        count = min(config.updates_per_point, config.updates - done)
        state, sums = _several(agent, config, learnt, (state, keys), (done, count))
        done += count
        values = {name: (np.asarray(total) / count).tolist() for name, total in sums.items()}
        if unseen is not None:
            values |= {f"held_out_{name}": np.asarray(x).tolist() for name, x in _told(agent, unseen, state[0]).items()}
        if not np.isfinite(values["loss"]).all():
            raise ValueError(f"after {done} updates the loss is {values['loss']}: lower learning_rate")
        looked_at = done * _batch(agent, config, learnt) * learnt.valid.shape[1]
        spent = (time.perf_counter() - began, time.process_time() - cpu)
        points.append(CurvePoint(done, looked_at, *spent, values))
        if run_dir is not None:
            append_point(checkpoint.curve_path(run_dir), points[-1])
        if callback is not None:
            callback(points[-1])
    if run_dir is not None:
        shipped.write_params(run_dir, state[0])
    return Clone(state[0], tuple(points), held_out)


def _held_out(found: Demonstrations, share: float) -> Array:
    """bool[E]: the last ones of each level. A level with few episodes is learnt from as a whole."""
    held_out = np.zeros(found.num_episodes, bool)
    of_level: dict[str, list[int]] = collections.defaultdict(list)
    for episode, name in enumerate(found.names):
        of_level[name].append(episode)
    for episodes in of_level.values():
        held_out[episodes[len(episodes) - int(share * len(episodes)) :]] = True
    return held_out


def _samples(agent: Agent, found: Demonstrations) -> _Samples:
    """Episodes for a net with a memory; else every step in which an agent acts."""
    whole = agent.config.recurrent
    acts = found.valid.any(axis=2)

    def take(array: Array) -> Array:
        return array if whole else array[acts][:, None]

    before = jax.tree.map(lambda leaf: jnp.asarray(take(leaf[:, :-1])), found.observations)
    actions = jnp.asarray(take(found.actions))
    return _Samples(
        features=agent.features(before, 3),
        draws=agent.distribution.to_draw(actions),
        mask=None if found.action_mask is None else jnp.asarray(take(found.action_mask)),
        valid=jnp.asarray(take(found.valid)),
    )


def _batch(agent: Agent, config: CloneConfig, samples: _Samples) -> int:
    """Samples in a minibatch."""
    return max(1, config.batch // samples.valid.shape[1]) if agent.config.recurrent else config.batch


def _optimizer(config: CloneConfig) -> Any:
    import optax  # needs the extra

    rate = optax.linear_schedule(config.learning_rate, 0.0, config.updates)
    return optax.chain(
        optax.clip_by_global_norm(config.max_grad_norm), optax.adamw(rate, weight_decay=config.weight_decay)
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _init(agent: Agent, config: CloneConfig, key: jax.Array) -> Any:
    params = agent.init(key)
    return params, _optimizer(config).init(params)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _several(
    agent: Agent, config: CloneConfig, samples: _Samples, seeds: tuple[Any, jax.Array], which: tuple[int, int]
) -> Any:
    """Of all `seeds`, states and keys, the updates `which`, those done and how many more; and sums f32[S] of losses."""
    optimizer = _optimizer(config)
    size = _batch(agent, config, samples)

    def update(index: jax.Array, carry: Any, key: jax.Array) -> Any:
        params, memory, sums = carry
        chosen = jax.random.randint(jax.random.fold_in(key, index), (size,), 0, samples.valid.shape[0])
        batch = jax.tree.map(lambda x: x[chosen], samples)
        gradient, told = jax.grad(lambda p: _loss(agent, p, batch), has_aux=True)(params)
        change, memory = optimizer.update(gradient, memory, params)
        params = jax.tree.map(jnp.add, params, change)
        return params, memory, jax.tree.map(jnp.add, sums, told)

    def updates(state: Any, key: jax.Array) -> Any:
        done, count = which
        zeros = {"loss": jnp.zeros(()), "agreement": jnp.zeros(())}
        step = functools.partial(update, key=key)
        params, memory, sums = jax.lax.fori_loop(done, done + count, step, (*state, zeros))
        return (params, memory), sums

    return jax.vmap(updates)(*seeds)


@functools.partial(jax.jit, static_argnums=0)
def _told(agent: Agent, samples: _Samples, params: Any) -> dict[str, jax.Array]:
    """f32[S] each: how every seed does on `samples`."""
    return jax.lax.map(lambda one: _loss(agent, one, samples)[1], params)  # type: ignore[no-any-return]


def _loss(agent: Agent, params: Any, samples: _Samples) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean negative log-likelihood of a step's action, and how often the likeliest action is the demonstrated."""
    num, ticks, agents = samples.valid.shape

    def in_time(x: jax.Array) -> jax.Array:
        """[N, T, A, ...] -> [T, N A, ...]."""
        return jnp.moveaxis(x, 1, 0).reshape(ticks, num * agents, *x.shape[3:])

    first = jnp.broadcast_to(jnp.arange(ticks)[:, None] == 0, (ticks, num * agents))
    memory = agent.initial_memory(num * agents)
    parameters, log_std, _, _ = agent.unroll(params, in_time(samples.features), first, memory)
    if samples.mask is not None:
        parameters = jnp.where(in_time(samples.mask), parameters, _MASKED)
    draws, valid = in_time(samples.draws), in_time(samples.valid)
    log_prob = agent.distribution.log_prob(parameters, jnp.maximum(log_std, _LEAST_LOG_STD), draws)
    mode = agent.distribution.mode(parameters)
    if isinstance(agent.distribution, Categorical):
        same = jnp.all(mode == draws, axis=-1)
    else:
        same = jnp.all(jnp.abs(jnp.clip(mode, -1.0, 1.0) - draws) < 0.1, axis=-1)
    count = jnp.maximum(jnp.sum(valid), 1)
    loss = -jnp.sum(jnp.where(valid, log_prob, 0.0)) / count
    return loss, {"loss": loss, "agreement": jnp.sum(valid & same) / count}
