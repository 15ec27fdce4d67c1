"""The training loop: chunks of updates on the device, and between them progress, learning curve and checkpoints."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from minicosm.curricula import Curriculum
from minicosm.envs.environment import Environment
from minicosm.training import checkpoint, distributed
from minicosm.training.config import PPOConfig
from minicosm.training.curves import CurvePoint, append_point, point_of, read_points, write_points
from minicosm.training.spread import ALONE, WHOLE, here, spread_over, whole
from minicosm.training.start import Start
from minicosm.wrappers import AutoReplay, AutoReset, EpisodeStats

if TYPE_CHECKING:
    from minicosm.training.ppo import Learner, TrainState

Callback = Callable[[CurvePoint], bool | None]  # called after every chunk; True ends the training early


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What training made. Arrays of `params` and `state` lead with the seeds, S.

    After a run over several devices, `params` are on one of them, and `state` is spread over all.
    """

    params: Any
    curve: tuple[CurvePoint, ...]
    config: PPOConfig
    state: TrainState

    def params_of(self, seed_index: int = 0) -> Any:
        """The parameters of one seed, as `as_policy` takes them."""
        return jax.tree.map(lambda x: x[seed_index], self.params)


def train(  # noqa: PLR0913, PLR0917  (what a run is made of, and where it goes)
    env: Environment[Any, Any],
    config: PPOConfig,
    run_dir: str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
    resume: bool = False,
    curriculum: Curriculum | None = None,
    devices: int | None = None,
    start: Start | None = None,
) -> TrainResult:
    """Train agents in `env` from scratch or, with `resume`, from the newest checkpoint in `run_dir` on.

    A `curriculum`, see `minicosm.curricula.make`, chooses the levels; without one each episode has a fresh one. It must
    be made for `env` and `config.num_envs` worlds. With a `run_dir`, the learning curve and checkpoints are kept there;
    a run that was interrupted and resumed ends with the same numbers as one that was not (on the same kind of device).
    `callback` gets each chunk's `CurvePoint`. `start` holds parameters to begin with, of another run.

    The worlds are dealt out to `devices`, see docs/scaling.md: one, or all where `jax.distributed` has joined several
    processes. All of those call this alike; only the first of them uses the folder and the callback.

    Raises ValueError when `config` or `curriculum` does not fit `env` or the devices, when `start` is of another net,
    or given with several devices, when `run_dir` holds a run and `resume` is False, and when what it holds is damaged
    or of another world, config or curriculum; OSError where it cannot be written, after which the last checkpoint
    stands; ImportError without the extra.
    """
    from minicosm.training.networks import Agent  # these need the extra
    from minicosm.training.ppo import Learner

    agent = Agent.of(env, config.network)
    spread = spread_over(devices)
    config.for_agents(env.num_agents, spread.num_devices)
    count = config.num_envs // spread.num_devices
    worlds = AutoReset(env, count) if curriculum is None else AutoReplay(env, count)
    # a seed is data: another one must not mean compiling again
    learner = Learner(EpisodeStats(worlds), agent, dataclasses.replace(config, seed=0), curriculum, spread)
    _require_fits(curriculum, env, config)
    if resume and run_dir is None:
        raise ValueError("resume needs run_dir, the folder of the run to go on with")
    if start is not None and spread.mesh is not None:
        raise ValueError(f"a run over {spread.num_devices} devices cannot begin with start yet: use one, devices=1")
    folder = Path(run_dir) if run_dir is not None else None
    points: list[CurvePoint] = []
    if folder is not None and resume:
        state, points = _resume(folder, env, learner, config)
    else:
        if folder is not None and distributed.is_first():
            checkpoint.begin_run(folder, env, config, curriculum)
        state = _start(learner, _seeds(config))
        state = state if start is None else start.put_into(state)
    state, points = _run(learner, state, points, folder, callback)
    params = state.params if spread.mesh is None else here(state.params)
    return TrainResult(params, tuple(points), config, state)


def _run(
    learner: Learner, state: TrainState, points: list[CurvePoint], folder: Path | None, callback: Callback | None
) -> tuple[TrainState, list[CurvePoint]]:
    config = learner.config
    is_first = distributed.is_first()
    clock = _Clock(points[-1] if points else None)
    update = saved = _updates_done(state)
    stop = False
    while update < config.num_updates and not stop:
        count = min(config.updates_per_chunk, config.num_updates - update)
        state, sums = _chunk(learner, state, count)
        sums = jax.device_get(sums)
        update += count
        point = point_of(sums, {"update": update, "steps": update * config.steps_per_update, **clock.read()})
        points.append(point)
        if folder is not None and is_first:
            append_point(checkpoint.curve_path(folder), point)
        stop = distributed.agree(bool(callback(point)) if callback is not None and is_first else False)
        is_due = update - saved >= config.updates_per_chunk * config.chunks_per_checkpoint
        if folder is not None and (is_due or stop or update == config.num_updates):
            full = state if learner.spread.mesh is None else whole(state)
            if is_first:
                checkpoint.save_state(folder, full, update)
            saved = update
    return state, points


def _resume(
    folder: Path, env: Environment[Any, Any], learner: Learner, config: PPOConfig
) -> tuple[TrainState, list[CurvePoint]]:
    """The state of the newest checkpoint, and the learning curve up to it; what was written later is dropped."""
    keys = _seeds(config)
    like = jax.eval_shape(functools.partial(_start, learner), keys)
    state: TrainState | None = None
    points: list[CurvePoint] = []
    if distributed.is_first():
        checkpoint.require_same_run(folder, env, config, learner.curriculum)
        state = checkpoint.load_state(folder, like)
        points = _points_before(folder, _updates_done(state))
    return learner.spread.place(state, like, _layout(learner, keys)), points


def _points_before(folder: Path, update: int) -> list[CurvePoint]:
    """The learning curve up to a checkpoint; the file is cut there."""
    path = checkpoint.curve_path(folder)
    points = [point for point in read_points(path) if point.update <= update]
    if not points or points[-1].update != update:
        raise ValueError(
            f"the learning curve {str(path)!r} does not reach the checkpoint, {update} updates: it is damaged; "
            "start a new run in another folder"
        )
    write_points(path, points)
    return points


def _updates_done(state: TrainState) -> int:
    return int(jax.device_get(state.update)[0])


def _require_fits(curriculum: Curriculum | None, env: Environment[Any, Any], config: PPOConfig) -> None:
    """Raise ValueError unless `curriculum` was made for these worlds and they end an episode on each level."""
    if curriculum is None:
        return
    made_for = getattr(curriculum, "num_envs", config.num_envs)
    if made_for != config.num_envs or getattr(curriculum, "env", env) != env:
        raise ValueError(
            f"the curriculum was made for {made_for} worlds of {getattr(curriculum, 'env', env)!r}, not for num_envs "
            f"{config.num_envs} of {env!r}: make it for the same"
        )
    ticks = config.updates_per_proposal_in(env) * config.num_steps
    if ticks < env.max_episode_steps:
        raise ValueError(
            f"levels stay for updates_per_proposal x num_steps = {ticks} ticks, less than the {env.max_episode_steps} "
            "of an episode, so some would never end: raise one of the two"
        )


def _seeds(config: PPOConfig) -> jax.Array:
    """key[S]: one for each seed."""
    return jnp.stack([jax.random.key(config.seed + s) for s in range(config.num_seeds)])


def _start(learner: Learner, keys: jax.Array) -> TrainState:
    """The state of every seed before the first update.

    One seed after another: with several at once XLA:CPU (jax 0.10) at times stopped for good, it seems in the batched
    decompositions that orthogonal weights need.
    """
    if learner.spread.mesh is not None:
        started: TrainState = _started_apart(learner, keys)
    else:
        started = _joined([_started(learner, keys[s : s + 1]) for s in range(keys.shape[0])])
    return started


@functools.partial(jax.jit, static_argnums=0)
def _started(learner: Learner, keys: jax.Array) -> TrainState:
    state: TrainState = jax.vmap(learner.init)(keys)
    return state


@functools.partial(jax.jit, static_argnums=0)
def _started_apart(learner: Learner, keys: jax.Array) -> TrainState:
    """On several devices: each starts its own worlds."""
    start = learner.spread.over(lambda keys: jax.lax.map(learner.init, keys), WHOLE, _layout(learner, keys))
    state: TrainState = start(keys)
    return state


def _layout(learner: Learner, keys: jax.Array) -> TrainState:
    """See `ppo.layout`."""
    from minicosm.training.ppo import layout

    inner = dataclasses.replace(learner.worlds.worlds, num_envs=learner.config.num_envs)  # type: ignore[type-var]
    alone = dataclasses.replace(learner, spread=ALONE, worlds=dataclasses.replace(learner.worlds, worlds=inner))
    specs: TrainState = layout(jax.eval_shape(jax.vmap(alone.init), keys))
    return specs


def _seeds_go_alone(learner: Learner) -> bool:
    """Whether seeds are learnt one after another: with a curriculum, on one CPU.

    There, side by side is no faster, and a curriculum would do at every proposal what it need only do at some.
    """
    is_alone = learner.spread.mesh is None
    return is_alone and learner.curriculum is not None and jax.default_backend() == "cpu"


def _joined(each: list[Any]) -> Any:
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *each)


def _chunk(learner: Learner, state: TrainState, count: int) -> tuple[TrainState, dict[str, jax.Array]]:
    """`count` updates of every seed, and their sums f32[S]; compiled once for any number."""
    result: tuple[TrainState, dict[str, jax.Array]]
    if not _seeds_go_alone(learner):
        result = _several_updates(learner, state, count)
        return result
    alone = dataclasses.replace(learner, config=dataclasses.replace(learner.config, num_seeds=1))
    each = [jax.tree.map(lambda x, s=s: x[s : s + 1], state) for s in range(learner.config.num_seeds)]
    result = _joined([_several_updates(alone, one, count) for one in each])
    return result


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def _several_updates(learner: Learner, state: TrainState, count: int) -> tuple[TrainState, dict[str, jax.Array]]:
    from minicosm.training.ppo import layout

    specs = layout(state)
    several = learner.spread.over(functools.partial(_updates, learner), (specs, WHOLE), (specs, WHOLE))
    result: tuple[TrainState, dict[str, jax.Array]] = several(state, count)
    return result


def _updates(learner: Learner, state: TrainState, count: int) -> tuple[TrainState, dict[str, jax.Array]]:
    done = state.update[0]  # the same for all seeds, and not led by them: conditions on it stay conditions

    def updates(state: TrainState) -> tuple[TrainState, dict[str, jax.Array]]:
        _, shapes = jax.eval_shape(learner.update, state, done)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def update(number: jax.Array, carry: Any) -> Any:
            state, sums = carry
            state, more = learner.update(state, number)
            return state, jax.tree.map(jnp.add, sums, more)

        result: tuple[TrainState, dict[str, jax.Array]] = jax.lax.fori_loop(done, done + count, update, (state, zeros))
        return result

    result: tuple[TrainState, dict[str, jax.Array]]
    if learner.config.num_seeds > 1:
        result = jax.vmap(updates)(state)
    else:  # not vmapped: under vmap, what is done only when needed would always be done
        result = jax.tree.map(lambda x: x[None], updates(jax.tree.map(lambda x: x[0], state)))
    return result


class _Clock:
    """Time since the run began, its earlier parts included."""

    def __init__(self, before: CurvePoint | None) -> None:
        self.wall = time.perf_counter() - (before.seconds if before else 0.0)
        self.cpu = time.process_time() - (before.cpu_seconds if before else 0.0)

    def read(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self.wall, "cpu_seconds": time.process_time() - self.cpu}
