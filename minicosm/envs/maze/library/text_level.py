"""Mazes from text and from other programs' arrays, checked, and back to text."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from minicosm.envs.maze.config import MAX_SIZE
from minicosm.envs.maze.level import STEPS, Level

_ARROWS = ">v<^"  # by direction
_WALL, _FREE, _GOAL = "#", ".", "G"


def from_text(text: str, source: str = "maze", has_border: bool = False) -> Level:
    """The level of one agent that `text` draws, a line a row: `#` wall, `.` or space free, `>v<^` the start, `G` goal.

    `has_border` says that the text draws the outer walls too, as MiniGrid's do; they are checked and left out. Empty
    lines around it are ignored, and so is common indentation.

    Raises ValueError, beginning with `source`, for text that is not one maze with one start and one goal.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError(f"{source}: there is no text; expected a maze, a line a row")
    if _FREE in text or has_border:
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        lines = [line[indent:] for line in lines]
    width = max(len(line) for line in lines)
    cells = np.array([list(line.ljust(width)) for line in lines])
    for row, line in enumerate(lines):
        if len(line) != width and _FREE in text:
            raise ValueError(f"{source}: line {row + 1} has {len(line)} cells, the longest {width}; make all equal")
    strange = sorted(set(cells.ravel().tolist()) - set(_ARROWS + _WALL + _FREE + _GOAL + " "))
    if strange:
        raise ValueError(f"{source}: unknown cell {strange[0]!r}; expected '#', '.', ' ', '>', 'v', '<', '^' or 'G'")
    if has_border:
        rim = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
        if min(cells.shape) < 3 or not (rim == _WALL).all():
            raise ValueError(
                f"{source}: the border holds cells that are not '#'; leave has_border out if there is none"
            )
        cells = cells[1:-1, 1:-1]
    starts, goals = np.argwhere(np.isin(cells, list(_ARROWS))), np.argwhere(cells == _GOAL)
    for what, found in (("start (one of > v < ^)", starts), ("goal (G)", goals)):
        if len(found) != 1:
            raise ValueError(f"{source}: found {len(found)} of {what}; expected exactly 1")
    arrow = _ARROWS.index(str(cells[tuple(starts[0])]))
    level = Level(
        walls=jnp.asarray(cells == _WALL),
        start=jnp.asarray(starts[:, ::-1], jnp.int32),
        direction=jnp.asarray([arrow], jnp.int32),
        goal=jnp.asarray(goals[:, ::-1], jnp.int32),
    )
    validate(level, source)
    return level


def to_text(level: Level) -> str:
    """The text of a level of one agent, as `from_text` reads it. Raises ValueError for several agents."""
    if level.start.shape != (1, 2):
        raise ValueError(f"the level has starts of shape {level.start.shape}; only levels of one agent have a text")
    cells = np.where(np.asarray(level.walls), _WALL, _FREE)
    (goal,), (start,) = np.asarray(level.goal), np.asarray(level.start)
    cells[goal[1], goal[0]] = _GOAL
    cells[start[1], start[0]] = _ARROWS[int(level.direction[0])]
    return "\n".join("".join(row) for row in cells) + "\n"


def from_arrays(wall_map: Any, agent_pos: Any, agent_dir: Any, goal_pos: Any, source: str = "maze") -> Level:
    """A level from the arrays of JaxUED's `Level`, one or led by L: walls [H, W], places (x, y), direction.

    `wall_map` and places are as ours; a batch gives a stacked level. Raises ValueError, beginning with `source`, for
    shapes that do not fit or a level that cannot be played.
    """
    walls, direction = np.asarray(wall_map).astype(bool), np.asarray(agent_dir).astype(np.int32)
    start, goal = np.asarray(agent_pos).astype(np.int32), np.asarray(goal_pos).astype(np.int32)
    lead = walls.shape[:-2]
    for name, value, shape in (
        ("agent_pos", start, (*lead, 2)),
        ("goal_pos", goal, (*lead, 2)),
        ("agent_dir", direction, lead),
    ):
        if walls.ndim < 2 or value.shape != shape:
            raise ValueError(f"{source}: {name} has shape {value.shape}; a wall_map of {walls.shape} makes it {shape}")
    level = Level(
        jnp.asarray(walls), jnp.asarray(start[..., None, :]), jnp.asarray(direction[..., None]),
        jnp.asarray(goal[..., None, :]),
    )  # fmt: skip
    validate(level, source)
    return level


def validate(level: Level, source: str = "level") -> None:
    """Raise ValueError, in one sentence that begins with `source`, unless `level` can be played, solvable or not.

    Levels led by L are checked one by one. Not for use under `jit`: it looks at the values.
    """
    walls = np.asarray(level.walls)
    start, goal, direction = (np.asarray(x) for x in (level.start, level.goal, level.direction))
    if walls.ndim < 2 or walls.dtype != np.bool_ or not all(3 <= size <= MAX_SIZE for size in walls.shape[-2:]):
        raise ValueError(
            f"{source}: walls are {walls.dtype}{list(walls.shape)}; expected bool[H, W] of 3 to {MAX_SIZE} cells a side"
        )
    if start.shape[:-2] != walls.shape[:-2] or start.shape[-1:] != (2,) or goal.shape != start.shape:
        raise ValueError(f"{source}: start has shape {start.shape} and goal {goal.shape}; expected [A, 2] for both")
    if direction.shape != start.shape[:-1] or not np.isin(direction, range(len(STEPS))).all():
        raise ValueError(f"{source}: direction is {direction.tolist()}; expected 0 to 3 for each agent")
    for index in np.ndindex(walls.shape[:-2]):
        _validate_places(walls[index], start[index], goal[index], f"{source}{list(index) if index else ''}")


def _validate_places(walls: Any, start: Any, goal: Any, source: str) -> None:
    height, width = walls.shape
    for what, places in (("start", start), ("goal", goal)):
        for agent, (column, row) in enumerate(places.tolist()):
            where = f"{source}: the {what} of agent {agent}, (column, row) = ({column}, {row}),"
            if not (0 <= column < width and 0 <= row < height):
                raise ValueError(f"{where} lies outside the {width} x {height} cells")
            if walls[row, column]:
                raise ValueError(f"{where} is in a wall; put it on a free cell")
        if len(np.unique(places, axis=0)) != len(places):
            raise ValueError(f"{source}: two agents have the same {what}; every agent needs its own")
    if (start == goal).all(axis=-1).any():
        raise ValueError(f"{source}: an agent starts on its goal; put them on different cells")
