"""The library of hand-made levels, and the replays that win them as poses for the page's thumbnails."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from minicosm.envs.physics import library
from minicosm.studio.slots import slot_ids
from minicosm.studio.stage import PLAYING, Stage, scene_of

SOLVE_RATES = Path(__file__).parent / "solve_rates.json"
_MOST_FRAMES = 400
_AFTER = 20  # ticks shown after the end


def solve_rates() -> dict[str, dict[str, Any]]:
    """Level name -> `rate`, the largest share of episodes that an agent has been seen to win, and which `agent`.

    Levels on which none has been tried are not there. Made by benchmarks/train_physics.py.
    """
    rates: dict[str, dict[str, Any]] = json.loads(SOLVE_RATES.read_text(encoding="utf-8"))
    return rates


@functools.cache
def listed() -> list[dict[str, Any]]:
    """Every library level: name in commands, title, size, difficulty, what it is about, and the best agent's rate."""
    found, rates = [], solve_rates()
    for name in library.names():
        file = library.file(name)
        found.append(
            {
                "name": name,
                "title": file.name or name.replace("_", " "),
                "size": library.size_of(name),
                "difficulty": file.difficulty,
                "description": file.description,
                "steps": len(library.replay(name).actions),
                "best": rates.get(name),
            }
        )
    return found


class Films:
    """The winning replay of each level, played once by the engine and kept."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._made: dict[str, dict[str, Any]] = {}

    def of(self, name: str) -> dict[str, Any]:
        """The scene, and its poses at 30 Hz, rounded to the millimetre. Raises ValueError for an unknown name."""
        if name not in self._made:
            self._made[name] = self._play(name)
        return self._made[name]

    def _play(self, name: str) -> dict[str, Any]:
        file, replay, stage = library.file(name), library.replay(name), self._stage
        level = stage.load(file)
        now = stage.begin(level)
        frames, after = [now.poses], 0
        for tick in range(replay.frame_skip * len(replay.actions) + _AFTER):
            step = min(tick // replay.frame_skip, len(replay.actions) - 1)
            now = stage.tick(now.state, replay.actions[step])
            after += now.outcome != PLAYING
            if tick % 2:
                frames.append(now.poses)
            if after > _AFTER or len(frames) >= _MOST_FRAMES:
                break
        scene = scene_of(level, file, slot_ids(file, stage.config))
        slots = [shape["slot"] for shape in scene["shapes"]]
        poses = np.stack(frames).reshape(len(frames), 3, -1)[:, :, slots]
        moves = np.ptp(poses, axis=0).max(axis=0) > 1e-4
        kept = poses[:, :, moves]
        return {
            "scene": scene,
            "start": np.round(poses[0], 3).T.tolist(),  # x, y, rotation of each shape of the scene
            "moving": np.flatnonzero(moves).tolist(),
            "frames": np.round(kept.transpose(0, 2, 1), 3).reshape(len(frames), -1).tolist(),
        }
