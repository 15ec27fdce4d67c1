"""Settings of the maze world, with the defaults of MiniGrid and of JaxUED's Maze where they have them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

LevelKind = Literal["uniform", "solvable", "perfect", "rooms", "corridors", "caves", "mixed"]
ViewKind = Literal["symbolic", "flat", "rgb"]

MAX_SIZE = 64  # cells along a side


@dataclasses.dataclass(frozen=True)
class MazeConfig:
    """Static settings of `Maze`. Raises ValueError, naming the field, for a value that cannot work."""

    num_agents: int = 1  # A, 1 to 16
    height: int = 13  # H, cells, 3 to 64; everything outside the map is wall, so no border is counted
    width: int = 13  # W
    level_kind: LevelKind = "uniform"  # what `sample_level` generates
    num_walls: int | None = None  # uniform, solvable: cells drawn, with replacement, to be walls; None: 60 in 169 cells
    vary_walls: bool = False  # draw the number of those cells from 0 to num_walls, per level
    max_steps: int = 250  # T

    view_size: int = 5  # V, cells along a side of the agent's view, odd, 3 to 31
    see_through_walls: bool = True  # False: what walls hide is unseen, as in MiniGrid's default
    view_kind: ViewKind = "symbolic"
    tile_pixels: int = 8  # rgb: pixels along a side of a cell, 4 to 64
    full_actions: bool = False  # MiniGrid's seven actions instead of the three that do something here
    report_optimal: bool = False  # add the least number of actions and the optimal return to `info`

    def __post_init__(self) -> None:
        def need(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise ValueError(f"MazeConfig.{name} is {getattr(self, name)!r}; expected {expected}")

        need(_is_whole(self.num_agents, 1, 16), "num_agents", "1 to 16")
        for name in ("height", "width"):
            need(_is_whole(getattr(self, name), 3, MAX_SIZE), name, f"3 to {MAX_SIZE} cells, without a border")
        need(_is_whole(self.max_steps, 1, 1 << 20), "max_steps", "1 to 1048576")
        size = self.view_size
        need(_is_whole(size, 3, 31) and size % 2 == 1, "view_size", "an odd number from 3 to 31")
        need(_is_whole(self.tile_pixels, 4, 64), "tile_pixels", "4 to 64")
        whole = self.num_walls is None or _is_whole(self.num_walls, 0, MAX_SIZE**2)
        need(whole, "num_walls", f"a whole number from 0 to {MAX_SIZE**2}, or None")
        for name, kinds in (("level_kind", LevelKind), ("view_kind", ViewKind)):
            choices = kinds.__args__  # type: ignore[attr-defined]
            need(getattr(self, name) in choices, name, f"one of {', '.join(choices)}")

    @property
    def walls_drawn(self) -> int:
        """Cells drawn, with replacement, to become walls: `num_walls`, or as many for the size as 60 for 13 x 13."""
        return round(self.height * self.width * 60 / 169) if self.num_walls is None else self.num_walls


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
