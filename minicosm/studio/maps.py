"""Maps as the page draws them, for navigation and for mazes.

A map is rows of `#` and `.`, the top one first, and robots with cells (column, row from the top).
"""

from __future__ import annotations

import contextlib
import functools
import math
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minicosm.envs.environment import Environment
from minicosm.envs.maze import Maze
from minicosm.envs.maze import library as maze_library
from minicosm.envs.maze.level import Level as MazeLevel
from minicosm.envs.nav import Level as NavLevel
from minicosm.envs.nav import Nav, validate
from minicosm.envs.nav import library as nav_library
from minicosm.envs.physics import level_text

_Index = Annotated[int, Field(strict=True, ge=0, le=255)]
Cell = Annotated[list[_Index], Field(min_length=2, max_length=2)]
_ROW = Annotated[str, Field(strict=True, min_length=1, max_length=256, pattern=r"^[#.]+$")]
_QUARTER = math.pi / 2


class MapRobot(BaseModel):
    """Where a robot starts and goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: Cell
    goal: Cell
    heading: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] | None = None  # rad; None: towards the goal


class MapFile(BaseModel):
    """A map, as the page draws it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    rows: Annotated[list[_ROW], Field(min_length=1, max_length=256)]
    robots: Annotated[list[MapRobot], Field(max_length=64)]


def read(data: Any) -> MapFile:
    """The map in an object of the page. Raises ValueError in one sentence."""
    try:
        return MapFile.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"the map: {level_text.told(error)}") from None


def to_level(file: MapFile, env: Environment[Any, Any]) -> NavLevel | MazeLevel:
    """The map as a level of `env`. Raises ValueError, in one sentence, where it cannot be played there."""
    assert isinstance(env, Nav | Maze)
    config, count = env.config, len(file.robots)
    walls = np.array([[c == "#" for c in row.ljust(config.width, "#")[: config.width]] for row in file.rows])
    if walls.shape != (config.height, config.width) or any(len(row) != config.width for row in file.rows):
        height, width = len(file.rows), len(file.rows[0])
        raise ValueError(
            f"the map has {width} x {height} cells; the robots were trained on {config.width} x {config.height}"
        )
    if count == 0:
        raise ValueError("there is no robot: drag from where one starts to where it goes")
    if count > env.num_agents:
        raise ValueError(f"there are {count} robots; the run has {env.num_agents}: remove some")
    return _nav(file, env, walls) if isinstance(env, Nav) else _maze(file, env, walls)


def _nav(file: MapFile, env: Nav, walls: np.ndarray) -> NavLevel:
    config, count = env.config, len(file.robots)
    start = np.zeros((config.num_robots, 2), np.float32)
    goals = np.zeros((config.num_robots, config.num_goals, 2), np.float32)
    heading = np.zeros(config.num_robots, np.float32)
    for i, robot in enumerate(file.robots):
        here, there = (_middle(cell, config.height) * config.cell_size for cell in (robot.start, robot.goal))
        start[i], goals[i, 0::2], goals[i, 1::2] = here, there, here
        way = there - here
        heading[i] = math.atan2(way[1], way[0]) if robot.heading is None else robot.heading
    level = NavLevel(
        walls=jnp.asarray(walls[::-1]),
        start=jnp.asarray(start),
        start_heading=jnp.asarray(heading),
        goals=jnp.asarray(goals),
        active=jnp.arange(config.num_robots) < count,
        sharing=jnp.full((config.num_robots,), config.sharing, jnp.float32),
    )
    validate(level, config, "the map")
    return level


def _maze(file: MapFile, env: Maze, walls: np.ndarray) -> MazeLevel:
    if len(file.robots) < env.num_agents:
        raise ValueError(f"there are {len(file.robots)} robots; the run needs {env.num_agents}: add some")
    faced = [0 if robot.heading is None else round(-robot.heading / _QUARTER) % 4 for robot in file.robots]
    level = MazeLevel(
        walls=jnp.asarray(walls),
        start=jnp.array([robot.start for robot in file.robots], jnp.int32),
        direction=jnp.array(faced, jnp.int32),
        goal=jnp.array([robot.goal for robot in file.robots], jnp.int32),
    )
    maze_library.validate(level, "the map")
    return level


def _middle(cell: list[int], height: int) -> np.ndarray:
    """f64[2] cells, y up."""
    return np.array([cell[0] + 0.5, height - cell[1] - 0.5])


def from_level(level: Any, env: Environment[Any, Any]) -> dict[str, Any]:
    """A level of `env`, such as a random one, as the page draws it."""
    assert isinstance(env, Nav | Maze)
    walls = np.asarray(level.walls)
    if isinstance(env, Maze):
        robots = [
            {"start": start, "goal": goal, "heading": -_QUARTER * facing}
            for start, goal, facing in zip(
                np.asarray(level.start).tolist(),
                np.asarray(level.goal).tolist(),
                np.asarray(level.direction).tolist(),
                strict=True,
            )
        ]
    else:
        walls, height, size = walls[::-1], env.config.height, env.config.cell_size

        def cell(position: Any) -> list[int]:
            x, y = np.asarray(position) / size
            return [int(x), height - 1 - int(y)]

        robots = [
            {"start": cell(level.start[i]), "goal": cell(level.goals[i, 0]), "heading": float(level.start_heading[i])}
            for i in np.flatnonzero(np.asarray(level.active))
        ]
    return {"rows": ["".join("#" if wall else "." for wall in row) for row in walls.tolist()], "robots": robots}


def load_map(name: str, env: Environment[Any, Any]) -> dict[str, Any]:
    """A hand-made map by name, or a text file, as the page draws it.

    Raises ValueError or OSError, saying what is wrong, or that it does not fit what the run was trained on.
    """
    if not (name.endswith(".txt") or Path(name).exists()):
        return library_map(name, env)
    if isinstance(env, Nav):
        return _drawn(nav_library.load_file(name, env.config), env)
    return _drawn(maze_library.from_text(Path(name).read_text("utf-8"), name), env)


def library_map(name: str, env: Environment[Any, Any]) -> dict[str, Any]:
    """A hand-made map by name alone, as the page draws it. Raises ValueError where none fits."""
    return _drawn(nav_library.load(name, env.config) if isinstance(env, Nav) else maze_library.load(name), env)


@functools.cache
def fitting(env: Environment[Any, Any]) -> tuple[str, ...]:
    """The names of the hand-made maps on which the robots of `env` can be put."""
    found = []
    for name in nav_library.names() if isinstance(env, Nav) else maze_library.names():
        with contextlib.suppress(ValueError):
            library_map(name, env)
            found.append(name)
    return tuple(found)


def _drawn(level: Any, env: Environment[Any, Any]) -> dict[str, Any]:
    """`level` for the page, if robots of `env` can be put on it. Raises ValueError where they cannot."""
    drawn = from_level(level, env)
    to_level(read(drawn), env)
    return drawn


def random_map(env: Environment[Any, Any], seed: int) -> dict[str, Any]:
    """A level of the run's own distribution, as the page draws it."""
    return from_level(_sampler(env)(jax.random.key(seed)), env)


@functools.cache
def _sampler(env: Environment[Any, Any]) -> Any:
    return jax.jit(env.sample_level)
