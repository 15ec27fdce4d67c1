"""How many of everything a scene has room for: static, so that scenes of one size share one program."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np


@dataclasses.dataclass(frozen=True)
class Size:
    """Room for shapes, joints and thrusters in every scene of a batch. Slots that a scene does not need stay empty.

    Shapes are numbered polygons first, then circles. The first `num_walls` polygons never move and never collide
    with each other, which spares their pairs; every other slot may hold a moving or a static shape.
    """

    num_polygons: int  # walls included
    num_circles: int
    num_joints: int
    num_thrusters: int
    num_walls: int = 4
    max_vertices: int = 4  # of one polygon

    def __post_init__(self) -> None:
        for name in ("num_polygons", "num_circles", "num_joints", "num_thrusters", "num_walls"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} is {value!r}: it must be an int >= 0")
        if self.num_walls > self.num_polygons:
            raise ValueError(
                f"num_walls is {self.num_walls} of num_polygons {self.num_polygons}: walls are the first polygons, "
                "so there cannot be more of them; raise num_polygons"
            )
        if self.num_shapes == self.num_walls:
            raise ValueError(
                "a size needs room for at least one shape beside the walls: raise num_polygons or num_circles"
            )
        if not isinstance(self.max_vertices, int) or not 3 <= self.max_vertices <= 16:
            raise ValueError(f"max_vertices is {self.max_vertices!r}: it must be an int from 3 to 16")

    @property
    def num_shapes(self) -> int:
        """S: polygons, then circles."""
        return self.num_polygons + self.num_circles

    @property
    def num_free(self) -> int:
        """F: the shapes that are not walls, slots num_walls to S."""
        return self.num_shapes - self.num_walls

    @property
    def num_pairs(self) -> int:
        """K: the pairs that can collide."""
        return len(pairs(self))


SMALL = Size(num_polygons=5, num_circles=2, num_joints=1, num_thrusters=1)
MEDIUM = Size(num_polygons=6, num_circles=3, num_joints=2, num_thrusters=2)
LARGE = Size(num_polygons=12, num_circles=4, num_joints=6, num_thrusters=2)


@functools.cache
def pairs(size: Size) -> np.ndarray:
    """i32[K, 2]: the shapes of each pair that can collide, lower slot first, in the order in which they are solved.

    First the rounds of a round-robin tournament among the free shapes, in each of which no shape meets two others, so
    that a round may be solved side by side; then each wall against all free shapes. (The circle method: one seat
    stays, the others move on by one each round, opposite seats meet.)
    """
    seats = num_seats(size)
    ring = list(range(size.num_walls, size.num_walls + seats))
    visited = []
    for _ in range(seats - 1):
        meetings = zip(ring[: seats // 2], reversed(ring[seats // 2 :]), strict=True)
        visited += [sorted(m) for m in meetings if max(m) < size.num_shapes]
        ring = next_round(ring)
    free = range(size.num_walls, size.num_shapes)
    visited += [[wall, shape] for wall in range(size.num_walls) for shape in free]
    return np.array(visited, np.int32).reshape(-1, 2)


def num_seats(size: Size) -> int:
    """Seats of the tournament: F, or F + 1 with an empty seat where F is odd."""
    return size.num_free + size.num_free % 2


@functools.cache
def pair_index(size: Size) -> np.ndarray:
    """i32[S, S], symmetric: the number of each pair of shapes in `pairs`, and -1 where two shapes never meet."""
    index = np.full((size.num_shapes, size.num_shapes), -1, np.int32)
    for k, (a, b) in enumerate(pairs(size)):
        index[a, b] = index[b, a] = k
    return index


class Rounds(NamedTuple):
    """The pairs as the solver takes them, padded with pair number K where there is none.

    Seat i is shape num_walls + i, or nobody. In round r of the tournament, table t seats `left` and `right`.
    """

    free: np.ndarray  # i32[seats - 1, seats / 2]: pair that meets at each table of each round
    left: np.ndarray  # i32[seats - 1, seats / 2]: seat
    right: np.ndarray  # i32[seats - 1, seats / 2]: seat
    walls: np.ndarray  # i32[num_walls, seats]: pair of each wall and each seat


@functools.cache
def rounds(size: Size) -> Rounds:
    """Which pair meets where."""
    seats, index = num_seats(size), pair_index(size)
    half, first = seats // 2, size.num_walls

    def number(a: int, b: int) -> int:
        return int(index[a, b]) if max(a, b) < size.num_shapes else size.num_pairs

    ring = list(range(seats))
    left, right = [], []
    for _ in range(seats - 1):
        left.append(ring[:half])
        right.append(ring[half:][::-1])
        ring = next_round(ring)
    free = [[number(first + a, first + b) for a, b in zip(*r, strict=True)] for r in zip(left, right, strict=True)]
    walls = [[number(wall, first + seat) for seat in range(seats)] for wall in range(first)]
    by_table = [np.array(rows, np.int32).reshape(-1, half) for rows in (free, left, right)]
    return Rounds(by_table[0], by_table[1], by_table[2], np.array(walls, np.int32).reshape(-1, seats))


@functools.cache
def sides(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """i32[K] each: the shape of every pair that the solver sits on the left, and the one on the right."""
    table = rounds(size)
    left, right = pairs(size).T.copy()  # walls sit on the left
    is_pair = table.free < size.num_pairs
    left[table.free[is_pair]] = size.num_walls + table.left[is_pair]
    right[table.free[is_pair]] = size.num_walls + table.right[is_pair]
    return left, right


def next_round(ring: list[int]) -> list[int]:
    """The circle method: the first seat stays, the others move on by one."""
    return [ring[0], ring[-1], *ring[1:-1]]
