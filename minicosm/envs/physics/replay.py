"""Replays: files that hold the actions which won a level, and prove that it can be won.

JSON; `runs` is the list of actions, each once with the number of steps for which it is held:

    {"format": "minicosm-physics-replay", "version": 1, "level": "cart_pole", "frame_skip": 2,
     "motors": 4, "thrusters": 2, "runs": [[8, [1, 0, 0, 0, 0, 0]], [4, [-0.5, 0, 0, 0, 0, 0]]]}
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from minicosm.envs.physics.config import PhysicsConfig

_FORMAT, _VERSION = "minicosm-physics-replay", 1
_LONGEST = 10**6  # steps


@dataclasses.dataclass(frozen=True)
class Replay:
    """Actions f32[steps, signals] for the level called `level`, motors first, and the steps' length."""

    level: str
    actions: np.ndarray
    num_motor_bindings: int = 4
    num_thruster_bindings: int = 2
    frame_skip: int = 2

    def config(self, config: PhysicsConfig) -> PhysicsConfig:
        """`config` with the bindings and the frame-skip that the actions are for, and time enough for them."""
        return dataclasses.replace(
            config,
            num_motor_bindings=self.num_motor_bindings,
            num_thruster_bindings=self.num_thruster_bindings,
            frame_skip=self.frame_skip,
            max_steps=max(config.max_steps, len(self.actions)),
        )


def write(replay: Replay, path: str | os.PathLike[str]) -> None:
    """Write `replay`; a file that is there is replaced in one go."""
    runs: list[list[Any]] = []
    for signals in replay.actions.astype(float).tolist():
        action = [int(x) if x == int(x) else x for x in signals]
        if runs and runs[-1][1] == action:
            runs[-1][0] += 1
        else:
            runs.append([1, action])
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "level": replay.level,
        "frame_skip": replay.frame_skip,
        "motors": replay.num_motor_bindings,
        "thrusters": replay.num_thruster_bindings,
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    body = ",\n".join(f"    {json.dumps(run)}" for run in runs)
    file = pathlib.Path(path)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text("\n".join(["{", *lines, '  "runs": [', body, "  ]", "}", ""]), encoding="utf-8")
    os.replace(beside, file)


def read(path: str | os.PathLike[str]) -> Replay:
    """The replay in the file at `path`.

    Raises FileNotFoundError, or ValueError in one sentence that begins with the path.
    """
    return parse(pathlib.Path(path).read_bytes(), str(path))


def parse(content: bytes | str, source: str) -> Replay:
    """The replay that `content` holds; `source` stands for it in errors. Raises ValueError in one sentence."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}: not JSON ({error}); expected a replay as `minicosm solve` writes it") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError(f'{source}: no replay; expected an object with "format": "{_FORMAT}"')
    if data.get("version") != _VERSION:
        raise ValueError(f"{source}: version is {data.get('version')!r}; this minicosm reads version {_VERSION}")
    if not isinstance(data.get("level"), str):
        raise ValueError(f"{source}: level is {data.get('level')!r}; expected a level's name")
    counts = []
    for name, low, high in (("frame_skip", 1, 64), ("motors", 0, 32), ("thrusters", 0, 32)):
        value = data.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{source}: {name} is {value!r}; expected a whole number from {low} to {high}")
        counts.append(value)
    frame_skip, motors, thrusters = counts
    actions = _actions(data.get("runs"), motors + thrusters, source)
    return Replay(data["level"], actions, motors, thrusters, frame_skip)


def _actions(runs: Any, width: int, source: str) -> np.ndarray:
    if not isinstance(runs, list):
        raise ValueError(f"{source}: runs is {runs!r:.60}; expected a list of [steps, [signals]]")
    total, parts = 0, [np.zeros((0, width), np.float32)]
    for i, run in enumerate(runs):
        try:
            steps, action = run
            array = np.array(action, np.float64)
        except (TypeError, ValueError, OverflowError):
            steps, array = None, np.zeros(0)
        is_count = isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1
        if not is_count or array.shape != (width,) or not (np.abs(array) <= 1).all():
            raise ValueError(
                f"{source}: runs[{i}] is {run!r:.80}; expected [steps, [{width} signals from -1 to 1]], steps above 0"
            )
        total += steps
        if total > _LONGEST:
            raise ValueError(f"{source}: runs[{i}] goes beyond {_LONGEST} steps; a replay is shorter")
        parts.append(np.tile(array.astype(np.float32), (steps, 1)))
    return np.concatenate(parts)
