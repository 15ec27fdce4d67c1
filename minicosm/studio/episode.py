"""An episode in progress, tick by tick, that can be taken back to any step exactly: the engine is deterministic."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from minicosm.envs.physics.format import LevelFile
from minicosm.studio.drivers import Driver
from minicosm.studio.slots import slot_ids
from minicosm.studio.stage import LOST, PLAYING, WON, Stage, Tick, deciding_ids, scene_of

_EVERY = 128  # steps from one kept state to the next


class Episode:
    """A level as it is played. A *step* is an agent's: `frame_skip` ticks under the same signals."""

    def __init__(self, stage: Stage, file: LevelFile, driver: Driver) -> None:
        self._stage, self._driver, self.file = stage, driver, file
        self.level = stage.load(file)
        self.ids = slot_ids(file, stage.config)
        self._first = stage.begin(self.level)
        self.restart()

    def restart(self) -> None:
        """Back to the start; the actions are forgotten."""
        self.now: Tick = self._first
        self.ticks = 0
        self.actions: list[np.ndarray] = []  # f32[bindings] of each step
        self.ended_at: int | None = None  # tick
        self._kept = [_core(self._first.state)]
        self._driver.restart()

    @property
    def frame_skip(self) -> int:
        """Ticks of a step."""
        return self._driver.frame_skip

    @property
    def is_between_steps(self) -> bool:
        """The next tick begins a step."""
        return self.ticks % self.frame_skip == 0

    def tick(self) -> bool:
        """Go on by one tick; whether the episode ended in it."""
        if self.is_between_steps:
            if len(self.actions) == _EVERY * len(self._kept):
                self._kept.append(_core(self.now.state))
            signals = np.array(self._driver.signals(self.now.state))
            is_same = bool(self.actions) and np.array_equal(signals, self.actions[-1])
            self.actions.append(self.actions[-1] if is_same else signals)  # keys are held for long: kept once
        self.now = self._stage.tick(self.now.state, self.actions[-1])
        self.ticks += 1
        if self.ended_at is None and self.now.outcome != PLAYING:
            self.ended_at = self.ticks
            return True
        return False

    def seek(self, step: int) -> None:
        """Back to the start of `step`. Raises ValueError where that is still to come."""
        if step > len(self.actions):
            raise ValueError(f"step is {step}; expected 0 to {len(self.actions)}, what was played so far")
        nearest = min(step // _EVERY, len(self._kept) - 1)
        again = self.actions[nearest * _EVERY : step]
        self._kept, self.actions = self._kept[: nearest + 1], self.actions[:step]
        state = dataclasses.replace(self._first.state, **jax.tree.map(jax.numpy.asarray, self._kept[nearest]))
        self.now = dataclasses.replace(self._first, state=state, poses=_poses(state))
        self.ticks, self.ended_at = step * self.frame_skip, None
        self._driver.restart()
        for action in again:
            for _ in range(self.frame_skip):
                self.now = self._stage.tick(self.now.state, action)

    def frame(self) -> bytes:
        """Little-endian f32: tick, outcome, signals, and the poses as in `Tick`."""
        signals = self.actions[-1] if self.actions else np.zeros(self._stage.num_signals, np.float32)
        head = np.array([self.ticks, self.now.outcome], np.float32)
        return np.concatenate([head, signals, self.now.poses]).astype("<f4").tobytes()

    def scene(self) -> dict[str, Any]:
        """What the page draws."""
        return scene_of(self.level, self.file, self.ids)

    def result(self) -> dict[str, Any]:
        """The outcome, and which shapes decided it."""
        outcome = {WON: "won", LOST: "lost", PLAYING: "playing"}[self.now.outcome]
        return {"outcome": outcome, "pairs": deciding_ids(self.level, self.ids, self.now.deciding)}


def _core(state: Any) -> dict[str, Any]:
    """All of a state that changes, off the device."""
    names = ("bodies", "signals", "distance", "success", "failure", "time")
    return {name: jax.tree.map(np.asarray, getattr(state, name)) for name in names}


def _poses(state: Any) -> np.ndarray:
    x, y = np.asarray(state.bodies.position).T
    return np.concatenate([x, y, np.asarray(state.bodies.rotation)])
