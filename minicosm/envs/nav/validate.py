"""Checks of levels that were not generated: drawn by hand, loaded, or made by someone else's program."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TypeAlias

import numpy as np

from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level

Cells: TypeAlias = "np.ndarray[tuple[int, int], np.dtype[np.bool_]]"  # bool[H, W]


def validate(level: Level, config: NavConfig, source: str = "level") -> None:
    """Raise ValueError, in one sentence that begins with `source`, unless `level` can be played under `config`.

    Checks shapes, dtypes and finite values; that starts lie on the map, clear of walls and of each other; that
    each goal lies in a free cell with clearance, farther than the goal radius from the place before it; and that
    a drivable path of cells leads to it. Not for use under `jit`: it looks at the values.
    """
    _check_arrays(level, config, source)
    walls, active = np.asarray(level.walls), np.asarray(level.active)
    if walls.all():
        raise ValueError(f"{source}: the map has no free cell; at least two are needed, for a start and a goal")
    if not active.any():
        raise ValueError(f"{source}: no robot is active; set `active` for at least one")
    cells = standable(walls, config.clearance)
    robots = [int(robot) for robot in np.flatnonzero(active)]
    for robot in robots:
        _check_robot(robot, level, cells, config, source)
    starts, goals = np.asarray(level.start, float), np.asarray(level.goals, float)
    for places, what in ((starts, "start"), (goals[:, 0], "have goals")):
        for robot, other in itertools.combinations(robots, 2):
            gap = float(np.linalg.norm(places[robot] - places[other]))
            if gap < 2 * config.radius - 1e-5:
                raise ValueError(
                    f"{source}: robots {robot} and {other} {what} {gap:.3g} m apart;"
                    f" at least two radii, {2 * config.radius:g} m, are needed"
                )


def standable(walls: Cells, clearance: int) -> Cells:
    """bool[H, W]: cells with only free cells of the map within `clearance`, diagonals included."""
    size = 2 * clearance + 1
    padded = np.pad(walls, clearance, constant_values=True)
    squares = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    return np.asarray(~squares.any(axis=(-1, -2)))


def _check_arrays(level: Level, config: NavConfig, source: str) -> None:
    robots, goals = config.num_robots, config.num_goals
    expected = {
        "walls": ((config.height, config.width), np.bool_),
        "start": ((robots, 2), np.float32),
        "start_heading": ((robots,), np.float32),
        "goals": ((robots, goals, 2), np.float32),
        "active": ((robots,), np.bool_),
        "sharing": ((robots,), np.float32),
    }
    for name, (shape, dtype) in expected.items():
        value = np.asarray(getattr(level, name))
        if value.shape != shape:
            raise ValueError(
                f"{source}: {name} has shape {value.shape}; the config's height, width, num_robots and num_goals"
                f" make it {shape}"
            )
        if value.dtype != dtype:
            raise ValueError(f"{source}: {name} has dtype {value.dtype}; expected {np.dtype(dtype)}")
        if not np.isfinite(value).all():
            raise ValueError(f"{source}: {name} holds NaN or infinity; every value must be finite")
    sharing = np.asarray(level.sharing)
    if sharing.min() < 0 or sharing.max() > 1:
        raise ValueError(f"{source}: sharing holds {sharing.min():g} to {sharing.max():g}; expected 0 to 1")


def _check_robot(robot: int, level: Level, cells: Cells, config: NavConfig, source: str) -> None:
    walls = np.asarray(level.walls)
    start, goals = np.asarray(level.start[robot], float), np.asarray(level.goals[robot], float)
    start_cell = _free_cell(start, walls, cells, config, f"{source}: the start of robot {robot}")
    if _distance_to_walls(start, walls, config) < config.radius - 1e-5:
        raise ValueError(
            f"{source}: robot {robot}, of radius {config.radius:g} m, overlaps a wall at its start {_at(start)}"
        )
    reached = _reachable(cells, start_cell)
    before = start
    if config.lifelong and np.linalg.norm(goals[0] - goals[-1]) <= config.goal_radius:
        raise ValueError(
            f"{source}: the last goal of robot {robot}, at {_at(goals[-1])}, is within the goal radius"
            f" {config.goal_radius:g} m of the first, which follows it when lifelong"
        )
    for index, goal in enumerate(goals):
        what = f"{source}: goal {index} of robot {robot}"
        cell = _free_cell(goal, walls, cells, config, what)
        if not reached[cell]:
            raise ValueError(f"{what}, at {_at(goal)}, cannot be reached from its start at {_at(start)}")
        if np.linalg.norm(goal - before) <= config.goal_radius:
            raise ValueError(
                f"{what}, at {_at(goal)}, is within the goal radius {config.goal_radius:g} m of the place before it,"
                f" {_at(before)}"
            )
        before = goal


def _at(position: np.ndarray) -> str:
    return f"({position[0]:g}, {position[1]:g}) m"


def _free_cell(position: np.ndarray, walls: Cells, cells: Cells, config: NavConfig, what: str) -> tuple[int, int]:
    """(row, column) of the cell that holds `position`, if a robot can stand there."""
    column, row = np.floor(position / config.cell_size).astype(int)
    if not (0 <= row < walls.shape[0] and 0 <= column < walls.shape[1]):
        raise ValueError(f"{what}, at {_at(position)}, lies outside the map")
    if walls[row, column]:
        raise ValueError(f"{what}, at {_at(position)}, is inside a wall")
    if not cells[row, column]:
        raise ValueError(
            f"{what}, at {_at(position)}, is without clearance: a robot of radius {config.radius:g} m needs"
            f" {config.clearance} free cells of {config.cell_size:g} m on every side"
        )
    return int(row), int(column)


def _distance_to_walls(position: np.ndarray, walls: Cells, config: NavConfig) -> float:
    """m from `position` to the nearest wall cell, or to what lies outside the map."""
    row, column = np.nonzero(walls)
    corner = np.stack([column, row], axis=-1) * config.cell_size
    outside = np.minimum(position, np.array(walls.shape[::-1]) * config.cell_size - position).min()
    if not len(row):
        return float(outside)
    gap = position - np.clip(position, corner, corner + config.cell_size)
    return float(min(outside, np.linalg.norm(gap, axis=-1).min()))


def _reachable(cells: Cells, start: tuple[int, int]) -> Cells:
    """bool[H, W]: cells that a 4-connected path of `cells` joins to `start`."""
    reached = np.zeros_like(cells)
    reached[start] = True
    queue = deque([start])
    while queue:
        row, column = queue.popleft()
        for place in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            on_map = 0 <= place[0] < cells.shape[0] and 0 <= place[1] < cells.shape[1]
            if on_map and cells[place] and not reached[place]:
                reached[place] = True
                queue.append(place)
    return reached
