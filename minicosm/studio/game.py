"""What a session plays: of whatever world, as far as the page's clock and controls are concerned."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from minicosm.studio import messages
from minicosm.studio.drivers import Driver
from minicosm.studio.episode import Episode
from minicosm.studio.stage import Stage


class Playable(Protocol):
    """An episode in progress. A step is an agent's: `frame_skip` ticks."""

    ticks: int
    ended_at: int | None  # tick
    actions: list[Any]
    file: Any  # the level, as it was validated

    @property
    def frame_skip(self) -> int:
        """Ticks of a step."""

    def restart(self) -> None:
        """Back to the start."""

    def tick(self) -> bool:
        """Go on by one tick; whether the episode ended in it."""

    def seek(self, step: int) -> None:
        """Back to the start of a step. Raises ValueError where that cannot be."""

    def frame(self) -> bytes:
        """What the page shows now."""

    def scene(self) -> dict[str, Any]:
        """What does not change."""

    def result(self) -> dict[str, Any]:
        """How it ended: `outcome`, and more."""


class Game(Protocol):
    """A world with someone at its controls."""

    ready: threading.Event  # it is compiled
    num_signals: int
    dt: float  # s of one tick

    def open(self, level: dict[str, Any]) -> Playable:
        """An episode on the level. Raises ValueError, in one sentence, for a level that is none."""

    def hold(self, signals: list[float]) -> None:
        """What a person holds down. Raises ValueError for another number of signals."""

    def drive(self, robot: int | None) -> None:
        """Which robot a person drives. Raises ValueError where there is none to drive."""


class PhysicsGame:
    """Levels of physics on a stage."""

    dt = 1 / 60

    def __init__(self, stage: Stage, driver: Driver) -> None:
        self._stage, self._driver = stage, driver
        self.ready, self.num_signals = stage.ready, stage.num_signals

    def open(self, level: dict[str, Any]) -> Playable:
        """The level's episode."""
        return Episode(self._stage, messages.level_of(level), self._driver)

    def hold(self, signals: list[float]) -> None:
        """To the driver."""
        self._driver.hold(signals)

    def drive(self, robot: int | None) -> None:
        """All bindings are the person's, or none."""
        raise ValueError(f"robot is {robot}; a level of physics has no robots to choose among")
