"""Settings of the 2D universe, with the constants of Kinetix where it has them."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.size import LARGE, MEDIUM, SMALL, Size

SIZES = {"s": SMALL, "m": MEDIUM, "l": LARGE}
ActionKind = Literal["discrete", "multi_discrete", "continuous"]
ObservationKind = Literal["flat", "entities", "pixels"]
ROOM = 5.0  # m, width and height of the usual room, whose lower left inner corner is the origin


@dataclasses.dataclass(frozen=True)
class RewardConfig:
    """What the agents are rewarded for, all of them alike."""

    success: float = 1.0  # when green touches blue
    failure: float = -1.0  # when green touches red
    shaping: float = 0.0  # per metre by which the least distance from a green to a blue centroid shrank; Kinetix: 0.1


@dataclasses.dataclass(frozen=True)
class PhysicsConfig:
    """Static settings of `Physics`. Raises ValueError, naming the field, for a value that cannot work."""

    size: Size | Literal["s", "m", "l"] = "s"  # room for shapes, joints and thrusters: Kinetix's S, M, L, or your own
    levels: str = "random"  # what `sample_level` draws: see `generate.names()`; "library", or a level of it by name
    num_agents: int = 1  # 1 to 4, among whom the bindings are split
    num_motor_bindings: int = 4
    num_thruster_bindings: int = 2
    action_kind: ActionKind = "continuous"
    observation_kind: ObservationKind = "flat"
    pixels: int = 125  # height and width of pixel observations
    observe_filter: bool = False  # whether observations also say which pairs of shapes collide, see `observe`
    frame_skip: int = 2  # ticks of the engine per step
    max_steps: int = 256
    reward: RewardConfig = RewardConfig()
    engine: EngineConfig = EngineConfig()

    def __post_init__(self) -> None:
        def need(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise ValueError(f"PhysicsConfig.{name} is {getattr(self, name)!r}; expected {expected}")

        need(isinstance(self.size, Size) or self.size in SIZES, "size", "'s', 'm', 'l' or a Size")
        need(isinstance(self.levels, str), "levels", "the name of a task distribution or of a library level")
        for name, low, high in (
            ("num_agents", 1, 4),
            ("num_motor_bindings", 0, 32),
            ("num_thruster_bindings", 0, 32),
            ("pixels", 8, 1024),
            ("frame_skip", 1, 64),
            ("max_steps", 1, 10**6),
        ):
            value = getattr(self, name)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            need(is_whole and low <= value <= high, name, f"a whole number from {low} to {high}")
        need(self.action_kind in ActionKind.__args__, "action_kind", f"one of {ActionKind.__args__}")  # type: ignore[attr-defined]
        kinds = ObservationKind.__args__  # type: ignore[attr-defined]
        need(self.observation_kind in kinds, "observation_kind", f"one of {kinds}")
        need(isinstance(self.observe_filter, bool), "observe_filter", "True or False")
        need(
            not (self.observe_filter and self.observation_kind == "pixels"),
            "observe_filter",
            "False with observation_kind 'pixels', where nothing shows it",
        )
        bindings = self.num_motor_bindings + self.num_thruster_bindings
        need(bindings >= self.num_agents, "num_agents", f"at most the {bindings} bindings there are to split")
        for field in dataclasses.fields(self.reward):
            value = getattr(self.reward, field.name)
            if not math.isfinite(value):
                raise ValueError(f"RewardConfig.{field.name} is {value!r}; expected a finite number")

    @property
    def slots(self) -> Size:
        """The size as a `Size`."""
        return self.size if isinstance(self.size, Size) else SIZES[self.size]

    @property
    def dt(self) -> float:
        """Seconds of one step."""
        return self.frame_skip * self.engine.dt
