"""Levels as readable text.

    name: Two rooms
    description: One door between them.
    cell: 1.0
    headings: A=90

    #########
    #A..#..b#
    #.......#
    #a..#..B#
    #########

The header's lines may come in any order. `cell` is the size of a cell in metres, 1 unless given. Below a blank
line is the map, its top row first: `#` wall, `.` free, `A` to `Z` where a robot starts, and the same letter in
lower case where it goes; a robot stands in the middle of its cell. It looks straight at its goal unless
`headings` gives an angle in degrees, anticlockwise from the right. A goal that lies where a robot starts is
written in the header: `goals: A=B` sends robot A to the start of B.
"""

from __future__ import annotations

import dataclasses
import math
import re

import jax.numpy as jnp
import numpy as np

from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level
from minicosm.envs.nav.validate import validate

_KEYS = ("name", "description", "cell", "headings", "goals")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Cell = tuple[int, int]  # (column, row), row 0 at the bottom


@dataclasses.dataclass(frozen=True)
class TextLevel:
    """A level as its text says, before it is fitted to a config."""

    source: str  # what errors begin with
    name: str
    description: str
    cell_size: float  # m
    rows: tuple[str, ...]  # of `#` and `.`, the top first
    starts: tuple[Cell, ...]  # of the robots, in the order of their letters
    goals: tuple[Cell, ...]
    headings: tuple[float, ...]  # rad

    @property
    def num_robots(self) -> int:
        """Robots that the level is for."""
        return len(self.starts)

    def to_level(self, config: NavConfig) -> Level:
        """The level in arrays of `config`: the map at the lower left, walls around it, unused robots inactive.

        A cell becomes k x k cells where the text's are k times the size of the config's. With several goals, a
        robot shuttles between its goal and its start.

        Raises ValueError, in one sentence, where the level does not fit the config or cannot be solved with it.
        """
        scale = self._scale(config)
        walls = np.array([[character == "#" for character in row] for row in self.rows[::-1]])
        walls = np.repeat(np.repeat(walls, scale, axis=0), scale, axis=1)
        height, width = walls.shape
        if height > config.height or width > config.width:
            raise ValueError(
                f"{self.source}: the map has {width} x {height} cells of {config.cell_size:g} m, more than the config's"
                f" {config.width} x {config.height}: enlarge NavConfig.width and height"
            )
        if self.num_robots > config.num_robots:
            raise ValueError(
                f"{self.source}: the level has {self.num_robots} robots, more than the config's {config.num_robots}:"
                f" raise NavConfig.num_robots"
            )
        if config.num_goals > 1 and config.num_goals % 2:
            raise ValueError(
                f"{self.source}: robots shuttle between goal and start, so NavConfig.num_goals must be 1 or even,"
                f" not {config.num_goals}"
            )
        margin = ((0, config.height - height), (0, config.width - width))
        slots = config.num_robots
        start, goals = np.zeros((slots, 2), np.float32), np.zeros((slots, config.num_goals, 2), np.float32)
        heading = np.zeros((slots,), np.float32)
        start[: self.num_robots] = (np.array(self.starts) + 0.5) * self.cell_size
        goals[: self.num_robots, 0::2] = ((np.array(self.goals) + 0.5) * self.cell_size)[:, None]
        goals[: self.num_robots, 1::2] = start[: self.num_robots, None]
        heading[: self.num_robots] = self.headings
        level = Level(
            walls=jnp.asarray(np.pad(walls, margin, constant_values=True)),
            start=jnp.asarray(start),
            start_heading=jnp.asarray(heading),
            goals=jnp.asarray(goals),
            active=jnp.arange(slots) < self.num_robots,
            sharing=jnp.full((slots,), config.sharing, jnp.float32),
        )
        validate(level, config, self.source)
        return level

    def _scale(self, config: NavConfig) -> int:
        scale = round(self.cell_size / config.cell_size)
        if scale < 1 or not math.isclose(scale * config.cell_size, self.cell_size, rel_tol=1e-6):
            raise ValueError(
                f"{self.source}: its cells of {self.cell_size:g} m are no multiple of the config's"
                f" {config.cell_size:g} m: set NavConfig.cell_size to {self.cell_size:g} or a whole part of it"
            )
        return scale


def parse(text: str, source: str = "text") -> TextLevel:
    """Read a level as the module describes it; errors begin with `source`.

    Raises ValueError, in one sentence, for text that does not say a level: an unknown key or character, rows of
    different lengths, a letter twice, a start without a goal or a goal without a start, no free cell.
    """
    header, rows = _split(text, source)
    width = len(rows[0])
    places: dict[str, Cell] = {}
    for index, row in enumerate(rows):
        line = f"{source}, map row {index + 1}"
        if len(row) != width:
            raise ValueError(f"{line} has {len(row)} characters, the first row {width}; all rows must be equally long")
        for column, character in enumerate(row):
            if character in "#.":
                continue
            if not (character.isascii() and character.isalpha()):
                raise ValueError(
                    f"{line} holds {character!r}; expected '#' wall, '.' free, a capital letter for a start and a small"
                    " one for a goal"
                )
            if character in places:
                raise ValueError(f"{line} holds {character!r}, which the map has already; each may stand there once")
            places[character] = (column, len(rows) - 1 - index)
    if all(character == "#" for row in rows for character in row):
        raise ValueError(f"{source}: the map has no free cell; at least two are needed, for a start and a goal")
    return _assemble(header, rows, places, source)


def to_text(level: Level, config: NavConfig, name: str = "", description: str = "") -> str:
    """The text of `level`, which `parse` reads back: its walls, active robots, first goals and headings.

    Raises ValueError for what text cannot say: more than 26 robots, places off the cells' centres, a goal inside a
    wall, two starts or two goals in a cell.
    """
    walls, active = np.asarray(level.walls), np.flatnonzero(np.asarray(level.active))
    if len(active) > len(_LETTERS):
        raise ValueError(f"level has {len(active)} robots; text has letters for {len(_LETTERS)}")
    rows = [["#" if wall else "." for wall in row] for row in walls]
    start_of: dict[Cell, str] = {}
    aliases, headings = [], []
    for letter, robot in zip(_LETTERS, active, strict=False):
        column, row = _cell(np.asarray(level.start[robot]), config, f"the start of robot {robot}")
        _write(rows, (column, row), letter)
        start_of[column, row] = letter
        degrees = math.degrees(float(level.start_heading[robot]))
        headings.append(f"{letter}={degrees:.9g}")
    for letter, robot in zip(_LETTERS, active, strict=False):
        cell = _cell(np.asarray(level.goals[robot, 0]), config, f"the goal of robot {robot}")
        if cell in start_of:
            aliases.append(f"{letter}={start_of[cell]}")
        else:
            _write(rows, cell, letter.lower())
    header = [f"name: {name}", f"description: {description}", f"cell: {config.cell_size!r}"]
    header.append(f"headings: {' '.join(headings)}")
    if aliases:
        header.append(f"goals: {' '.join(aliases)}")
    return "\n".join([*header, "", *("".join(row) for row in reversed(rows)), ""])


def _cell(position: np.ndarray, config: NavConfig, what: str) -> Cell:
    in_cells = position.astype(float) / config.cell_size
    if np.abs(in_cells % 1 - 0.5).max() > 1e-3:
        raise ValueError(
            f"{what}, at ({position[0]:g}, {position[1]:g}) m, is not the middle of a cell; text has no other"
        )
    column, row = np.floor(in_cells).astype(int)
    return int(column), int(row)


def _write(rows: list[list[str]], cell: Cell, letter: str) -> None:
    column, row = cell
    if not (0 <= row < len(rows) and 0 <= column < len(rows[0])) or rows[row][column] != ".":
        raise ValueError(f"{letter!r} cannot be written in column {column}, row {row}: the cell is not free")
    rows[row][column] = letter


def _split(text: str, source: str) -> tuple[dict[str, str], list[str]]:
    """The header's keys and values, and the rows of the map."""
    header: dict[str, str] = {}
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    while lines and (":" in lines[0] or not lines[0]):
        line = lines.pop(0)
        if not line:
            break
        key, _, value = line.partition(":")
        if key.strip() not in _KEYS:
            raise ValueError(f"{source}: the header has the key {key.strip()!r}; expected {', '.join(_KEYS)}")
        if key.strip() in header:
            raise ValueError(f"{source}: the header has the key {key.strip()!r} twice; each may stand there once")
        header[key.strip()] = value.strip()
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{source}: there is no map; expected rows of '#' and '.' below the header and a blank line")
    return header, lines


def _assemble(header: dict[str, str], rows: list[str], places: dict[str, Cell], source: str) -> TextLevel:
    letters = sorted(character for character in places if character.isupper())
    if not letters:
        raise ValueError(
            f"{source}: no robot starts on the map; expected a capital letter, and its small one as the goal"
        )
    goal_at = _assignments(header.get("goals", ""), "goals", source)
    goals = {}
    for letter in letters:
        if (letter.lower() in places) == (letter in goal_at):
            expected = f"exactly one: {letter.lower()!r} on the map, or 'goals: {letter}=...' in the header"
            found = "two goals" if letter in goal_at else "no goal"
            raise ValueError(f"{source}: robot {letter!r} has {found}; expected {expected}")
        if letter in goal_at and goal_at[letter] not in letters:
            raise ValueError(
                f"{source}: the goal of {letter!r} is the start of {goal_at[letter]!r}, which is not on the map"
            )
        goals[letter] = places[goal_at[letter]] if letter in goal_at else places[letter.lower()]
    headings = _assignments(header.get("headings", ""), "headings", source)
    for letter in [*headings, *goal_at, *(character.upper() for character in places if character.islower())]:
        if letter not in letters:
            raise ValueError(
                f"{source}: there is a goal or a heading for {letter!r}, but no robot {letter!r} starts on the map"
            )

    def heading(letter: str) -> float:
        if letter in headings:
            return math.radians(_number(headings[letter], f"{source}: the heading of {letter!r}"))
        (x, y), (goal_x, goal_y) = places[letter], goals[letter]
        return math.atan2(goal_y - y, goal_x - x)

    cell_size = _number(header.get("cell", "1"), f"{source}: cell")
    if cell_size <= 0:
        raise ValueError(f"{source}: cell is {cell_size:g}; expected the size of a cell in metres, above 0")
    return TextLevel(
        source=source,
        name=header.get("name", ""),
        description=header.get("description", ""),
        cell_size=cell_size,
        rows=tuple(re.sub("[A-Za-z]", ".", row) for row in rows),
        starts=tuple(places[letter] for letter in letters),
        goals=tuple(goals[letter] for letter in letters),
        headings=tuple(heading(letter) for letter in letters),
    )


def _assignments(value: str, key: str, source: str) -> dict[str, str]:
    """{"A": "90"} from "A=90"."""
    result: dict[str, str] = {}
    for word in value.split():
        letter, equals, assigned = word.partition("=")
        if not equals or len(letter) != 1 or letter not in _LETTERS or not assigned or letter in result:
            raise ValueError(f"{source}: {key} holds {word!r}; expected robots' letters, once each, like 'A=...'")
        result[letter] = assigned
    return result


def _number(value: str, what: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} is {value!r}; expected a finite number")
    return number
