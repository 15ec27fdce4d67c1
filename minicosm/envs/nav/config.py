"""Settings of the navigation world, with the constants of JaxMARL's JaxNav where it has them."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

LevelKind = Literal["clutter", "rooms", "corridors", "maze", "caves", "warehouse", "swap", "bottleneck", "mixed"]


@dataclasses.dataclass(frozen=True)
class RewardConfig:
    """Coefficients of one robot's own reward; each term is multiplied by its coefficient and added."""

    goal: float = 4.0  # on reaching a goal
    collision: float = -4.0  # on touching a wall or another robot
    progress: float = 0.25  # per metre by which the straight distance to the goal shrank
    time: float = -0.01  # each step
    proximity: float = -0.1  # each step on which a beam is shorter than radius + proximity_margin
    proximity_margin: float = 0.1  # m


@dataclasses.dataclass(frozen=True)
class NavConfig:
    """Static settings of `Nav`. Lengths in metres, times in seconds, angles in radians.

    Raises ValueError, naming the field, for a value that cannot work.
    """

    num_robots: int = 1  # A, 1 to 32
    height: int = 11  # H, map cells, border walls included
    width: int = 11  # W
    cell_size: float = 1.0  # m
    level_kind: LevelKind = "clutter"  # what `sample_level` generates
    max_fill: float = 0.3  # clutter: largest share of inner cells that may be walls

    radius: float = 0.3  # m, of a robot
    goal_radius: float = 0.3  # m, a goal counts as reached when the robot's centre is nearer
    max_speed: float = 1.0  # m/s; a robot does not reverse
    max_turn_rate: float = 0.6  # rad/s
    max_acceleration: float = 1.0  # m/s^2
    max_turn_acceleration: float = 1.0  # rad/s^2
    dt: float = 0.1  # s
    max_steps: int = 500

    num_beams: int = 200  # R, over 360 degrees, anticlockwise from straight ahead
    lidar_range: float = 6.0  # m
    lidar_noise: float = 0.0  # m, standard deviation of Gaussian noise on each beam
    action_kind: Literal["continuous", "discrete"] = "continuous"
    reward: RewardConfig = RewardConfig()
    sharing: float = 0.5  # share of the team's mean in each robot's reward; 0 individual, 1 common
    random_sharing: bool = False  # draw `sharing` per level and robot from U(0, 1) instead
    robots_vanish: bool = False  # a robot that has ended disappears instead of staying as an obstacle
    lifelong: bool = False  # a new goal at each arrival; episodes end by time or collision only
    num_goals: int = 1  # G, goals in each robot's list; lifelong robots cycle through theirs
    report_optimal: bool = False  # add the shortest feasible time and the optimality gap to `info`

    def __post_init__(self) -> None:
        def need(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise ValueError(f"NavConfig.{name} is {getattr(self, name)!r}; expected {expected}")

        need(isinstance(self.num_robots, int) and 1 <= self.num_robots <= 32, "num_robots", "1 to 32")
        for name in ("height", "width"):
            size = getattr(self, name)
            need(isinstance(size, int) and 5 <= size <= 256, name, "5 to 256 cells, border walls included")
        for name in ("cell_size", "radius", "goal_radius", "max_speed", "max_turn_rate", "dt", "lidar_range"):
            value = getattr(self, name)
            need(math.isfinite(value) and value > 0, name, "a finite number above 0")
        for name in ("max_acceleration", "max_turn_acceleration"):
            need(getattr(self, name) > 0, name, "a number above 0 (math.inf for no limit)")
        need(math.isfinite(self.lidar_noise) and self.lidar_noise >= 0, "lidar_noise", "0 or a standard deviation in m")
        need(isinstance(self.num_beams, int) and 1 <= self.num_beams <= 4096, "num_beams", "1 to 4096")
        need(isinstance(self.max_steps, int) and self.max_steps >= 1, "max_steps", "at least 1")
        need(0 <= self.max_fill <= 0.8, "max_fill", "0 to 0.8")
        need(0 <= self.sharing <= 1, "sharing", "0 to 1")
        need(self.action_kind in ("continuous", "discrete"), "action_kind", "'continuous' or 'discrete'")
        kinds = LevelKind.__args__  # type: ignore[attr-defined]
        need(self.level_kind in kinds, "level_kind", f"one of {', '.join(kinds)}")
        need(isinstance(self.num_goals, int) and 1 <= self.num_goals <= 1024, "num_goals", "1 to 1024")
        need(
            self.max_speed * self.dt < self.radius,
            "dt",
            f"less than radius / max_speed = {self.radius / self.max_speed:g} s, or robots pass through walls",
        )
        need(
            self.lidar_range / self.cell_size <= 128,
            "lidar_range",
            f"at most 128 cells = {128 * self.cell_size:g} m",
        )
        need(
            not (self.lifelong and self.num_goals < 2),
            "num_goals",
            "at least 2 when lifelong, so that an arrival has a next goal (64 is a good choice)",
        )
        need(
            self.lidar_range >= self.radius + self.reward.proximity_margin,
            "lidar_range",
            "at least radius + reward.proximity_margin",
        )

    @property
    def window(self) -> int:
        """Cells from a robot's own to the farthest that its lidar, hull or proximity margin can touch."""
        return math.ceil(max(self.lidar_range, self.radius) / self.cell_size)

    @property
    def clearance(self) -> int:
        """Free cells needed on every side of a cell for a robot to stand on it and to leave it (Chebyshev).

        A square of (2 m + 1) cells covers the disc; between the centres of two adjacent such cells the
        disc stays inside the union of their squares, so a 4-connected path of them is drivable.
        """
        return max(0, math.ceil((self.radius - self.cell_size / 2) / self.cell_size - 1e-9))

    @property
    def spacing(self) -> int:
        """Cells between the centres of two cells, along one axis at least, for two robots not to overlap."""
        return max(1, math.ceil(2 * self.radius / self.cell_size - 1e-9))
