"""What was played, as files: a replay, a demonstration to imitate, a film."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import tempfile
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Observation, TimeStep
from minicosm.envs.physics import Level, Physics, PhysicsConfig, State, engine
from minicosm.envs.physics import replay as replays
from minicosm.envs.physics.draw import DrawStyle, draw
from minicosm.envs.physics.format import LevelFile, smallest_size
from minicosm.envs.physics.palette import DARK, LIGHT
from minicosm.training.record import save_animation

Runs = list[list[Any]]  # [steps, [signals]] each, as in a replay
_HOLD = 20  # pictures for which a film's last one stays
_LONGEST_FILM = 1800  # steps, a minute
_LENGTHS = (128, 256, 1024, 4096, 18_000)  # steps that are compiled for


def runs_of(actions: list[np.ndarray]) -> Runs:
    """Actions f32[bindings] each, every one once with the number of steps for which it is held."""
    runs: Runs = []
    for action in actions:
        signals = np.round(action.astype(float), 6).tolist()
        if runs and runs[-1][1] == signals:
            runs[-1][0] += 1
        else:
            runs.append([1, signals])
    return runs


@dataclasses.dataclass(frozen=True)
class Recording:
    """A level and what was done in it."""

    file: LevelFile
    actions: np.ndarray  # f32[T, 6]: motors -1 to 1, thrusters 0 to 1
    config: PhysicsConfig


def read(file: LevelFile, runs: Any) -> Recording:
    """The recording of `runs` in `file`. Raises ValueError where the runs are none, or the level is beyond size L."""
    size = smallest_size(file)
    if size is None:
        raise ValueError("the level is larger than size L: remove some of it first")
    config = PhysicsConfig(size=size)
    width = config.num_motor_bindings + config.num_thruster_bindings
    text = {
        "format": "minicosm-physics-replay",
        "version": 1,
        "level": file.name or "level",
        "frame_skip": config.frame_skip,
        "motors": config.num_motor_bindings,
        "thrusters": config.num_thruster_bindings,
        "runs": runs,
    }
    actions = replays.parse(json.dumps(text), "the recording").actions
    if not 1 <= len(actions) <= _LENGTHS[-1]:
        raise ValueError(f"the recording has {len(actions)} steps of {width} signals; expected 1 to {_LENGTHS[-1]}")
    return Recording(file, actions, config)


@dataclasses.dataclass(frozen=True)
class Played:
    """The recording played again, exactly: T steps that were really taken, T + 1 states."""

    level: Level
    bodies: engine.State  # led by T + 1
    signals: np.ndarray  # f32[T + 1, 6]
    observation: np.ndarray  # f32[T + 1, ...]  what an agent of the default settings sees
    action: np.ndarray  # f32[T, 6]
    reward: np.ndarray  # f32[T]
    terminated: np.ndarray  # bool[T]
    truncated: np.ndarray  # bool[T]
    success: np.ndarray  # bool[T]


def play(recording: Recording) -> Played:
    """Up to the end of the episode: success, failure or the last action. No time limit cuts it off."""
    total = len(recording.actions)
    length = next(n for n in _LENGTHS if n >= total)
    padded = np.zeros((length, recording.actions.shape[1]), np.float32)
    padded[:total] = recording.actions
    config = dataclasses.replace(recording.config, max_steps=10**6)
    level = recording.file.to_level(config, recording.file.name or "the level")
    seen, bodies, signals, steps = jax.tree.map(np.asarray, _rollout(config, length)(level, padded))
    ended = np.flatnonzero(steps.terminated[:total, 0])
    taken = int(ended[0]) + 1 if len(ended) else total
    limit = recording.config.max_steps
    return Played(
        level=level,
        bodies=jax.tree.map(lambda x: x[: taken + 1], bodies),
        signals=signals[: taken + 1],
        observation=np.concatenate([seen, steps.observation[:taken, 0]]),
        action=recording.actions[:taken],
        reward=steps.reward[:taken, 0],
        terminated=steps.terminated[:taken, 0],
        truncated=~steps.terminated[:taken, 0] & (np.arange(1, taken + 1) >= limit),
        success=steps.info["success"][:taken, 0],
    )


@functools.cache
def _rollout(config: PhysicsConfig, length: int) -> Any:
    env = Physics(config)

    def roll(level: Level, actions: jax.Array) -> tuple[Observation, engine.State, jax.Array, TimeStep]:
        state, seen = env.reset(jax.random.key(0), level)

        def step(state: State, action: jax.Array) -> tuple[State, Any]:
            state, timestep = env.step(jax.random.key(0), state, action[None])
            return state, (state.bodies, state.signals, timestep)

        _, (bodies, signals, timesteps) = jax.lax.scan(step, state, actions)
        start = (state.bodies, state.signals)
        bodies, signals = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, (bodies, signals))
        return seen, bodies, signals, timesteps

    return jax.jit(roll)


def replay_file(recording: Recording) -> bytes:
    """As `minicosm solve` writes them."""
    name = recording.file.name or "level"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replay.json"
        replays.write(replays.Replay(name, recording.actions), path)
        return path.read_bytes()


def demonstration(recording: Recording) -> bytes:
    """An .npz of what an agent would have seen, done and been given: docs/studio.md has the table."""
    played = play(recording)
    size = smallest_size(recording.file)
    about = {"level": recording.file.model_dump(exclude_defaults=True), "world": f"physics-{size}", "version": 1}
    file = io.BytesIO()
    np.savez_compressed(
        file,
        observations=played.observation,
        actions=played.action,
        rewards=played.reward,
        terminated=played.terminated,
        truncated=played.truncated,
        success=played.success,
        about=np.array(json.dumps(about)),
    )
    return file.getvalue()


def film(recording: Recording, kind: Literal["gif", "mp4"], dark: bool = False, pixels: int = 360) -> bytes:
    """The recording as an animation, at half the pace of the ticks (30 steps a second, every other one shown)."""
    if len(recording.actions) > _LONGEST_FILM:
        seconds = len(recording.actions) * recording.config.dt
        raise ValueError(
            f"the recording lasts {seconds:.0f} s; a film has at most 60 s: keep a replay, or take it back"
        )
    played = play(recording)
    drawn = _picture(DrawStyle(pixels=pixels, theme=DARK if dark else LIGHT))
    shown = [*range(0, len(played.action), 2), len(played.action)]

    def picture(i: int) -> np.ndarray:
        bodies = jax.tree.map(lambda x: x[i], played.bodies)
        return np.asarray(drawn(played.level, bodies, played.signals[i]))

    pictures = [picture(i) for i in shown]
    with tempfile.TemporaryDirectory() as folder:
        path = save_animation([*pictures, *[pictures[-1]] * _HOLD], Path(folder) / f"film.{kind}", fps=15.0)
        return path.read_bytes()


@functools.cache
def _picture(style: DrawStyle) -> Any:
    return jax.jit(lambda level, bodies, signals: draw(level, bodies, signals, style))
