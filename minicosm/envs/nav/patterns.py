"""The kinds of map, drawn on a grid of blocks, each block wide enough for a robot to stand in and to drive through.

Every pattern makes one 4-connected part of free blocks in a single pass: it carves along a tree, or it starts
from an open grid and lays walls only where they cut nothing off. So nothing is ever drawn again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.nav import bitboard, carving
from minicosm.envs.nav.bitboard import Board
from minicosm.envs.nav.carving import PASSES, PLANES, below, uniform

_FURNITURE = 0.15  # rooms: largest share of blocks tried for furniture
_SWAP_GOALS = 3  # swap: blocks that pillars leave for later goals
_PILLARS = 0.12  # swap: likewise for pillars
_MISSING = 0.15  # warehouse: chance that a rack is not there


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a pattern is drawn on: height x width blocks, border walls left out, for so many robots."""

    height: int
    width: int
    num_robots: int
    max_fill: float  # of clutter

    @property
    def room_counts(self) -> tuple[int, int]:
        """Rooms down and across; at least two along an axis that has space for a wall."""
        down, across = (1 if size < 3 else max(2, (size + 1) // 5) for size in (self.height, self.width))
        return down, across

    @property
    def corridor_counts(self) -> tuple[int, int]:
        """Corridors across (by rows) and down."""
        return max(1, (self.height + 2) // 3), max(1, (self.width + 2) // 3)

    @property
    def swap_radii(self) -> tuple[float, float]:
        """Smallest and largest circle of starts, in blocks; no circle fits where the first is the greater."""
        chord = 1.45  # a little over the square root of 2: no two of the starts fall in one block
        spread = chord / (2 * math.sin(math.pi / self.num_robots)) if self.num_robots > 1 else 1.0
        return max(1.0, spread), (min(self.height, self.width) - 1) / 2

    def hall_depth(self, size: int, length: int) -> int:
        """Blocks that each hall of a bottleneck keeps of the `size` across both; 0 where they do not fit."""
        needed = -(-(-(-self.num_robots // 2) + 1) // length)
        depth = max(needed, size // 3)
        return depth if 2 * depth + 1 <= size else 0


@struct.dataclass
class Sketch:
    """A map of blocks, and what it says about where robots start."""

    free: Board
    near: Board | None = None  # robots cross from here to `far`, every other one the other way
    far: Board | None = None
    start: jax.Array | None = None  # i32[A, 2] (column, row); the goal is the opposite block


Pattern = Callable[[jax.Array, Grid], Sketch]


def clutter(key: jax.Array, grid: Grid) -> Sketch:
    """Scattered walls, about up to `max_fill` of the blocks."""
    board = bitboard.full(grid.height, grid.width)
    words, chance = carving.draw(key, (PASSES * PLANES, *board.shape), (2,))
    keep = carving.spread(board, grid.num_robots + 1, chance[0])
    return Sketch(carving.fill(board, keep, words, uniform(chance[1]) * grid.max_fill))


def maze(key: jax.Array, grid: Grid) -> Sketch:
    """A perfect maze: exactly one way between any two blocks."""
    (words,) = carving.draw(key, carving.tree_shape(grid.height, grid.width))
    return Sketch(bitboard.pack(carving.tree(words, grid.height, grid.width)))


def rooms(key: jax.Array, grid: Grid) -> Sketch:
    """Rooms of different sizes with doors one block wide, some of them furnished."""
    board = bitboard.full(grid.height, grid.width)
    rows, columns = grid.room_counts
    shape = (2 * rows - 1, 2 * columns - 1)
    tree_words, loop_words, door_words, row_words, column_words, fill_words, chance = carving.draw(
        key, carving.tree_shape(*shape), shape, shape, (rows,), (columns,), (PASSES * PLANES, *board.shape), (2,)
    )
    plan = carving.network(tree_words, loop_words)
    plan_row, row_share = _beside_lines(carving.lines(row_words, grid.height - 2) + 1, grid.height)
    plan_column, column_share = _beside_lines(carving.lines(column_words, grid.width - 2) + 1, grid.width)
    # a door covers the share `place` of the wall that it is in
    place = uniform(door_words)[plan_row][:, plan_column]
    is_door = plan[plan_row][:, plan_column]
    wall_row, wall_column = (plan_row % 2 == 1)[:, None], (plan_column % 2 == 1)[None]
    low, high = jnp.where(wall_row[None], column_share[:, None, :], row_share[:, :, None])
    is_door = is_door & (wall_row ^ wall_column) & (place >= low) & (place < high)
    free = bitboard.pack((~wall_row & ~wall_column) | is_door)
    keep = carving.spread(free, grid.num_robots + 1, chance[0])
    return Sketch(carving.fill(free, keep, fill_words, uniform(chance[1]) * _FURNITURE))


def _beside_lines(lines: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Place in the plan, i32[size], of each row, odd on the lines, even between; and f32[2, size], see below.

    The second is the interval, as a share of the room that it belongs to, that the row covers.
    """
    at = jnp.arange(size)
    before = jnp.sum(lines[None] < at[:, None], axis=1)
    on_line = jnp.any(lines[None] == at[:, None], axis=1)
    ends = jnp.concatenate([jnp.array([-1]), lines, jnp.array([size])])
    first, last = ends[before] + 1, ends[before + 1]
    length = jnp.maximum(last - first, 1)
    share = jnp.stack([(at - first) / length, (at + 1 - first) / length])
    return 2 * before + on_line, share


def corridors(key: jax.Array, grid: Grid) -> Sketch:
    """A network of corridors one block wide, with junctions, dead ends and some ways round."""
    rows, columns = grid.corridor_counts
    shape = (2 * rows - 1, 2 * columns - 1)
    tree_words, loop_words, row_words, column_words = carving.draw(
        key, carving.tree_shape(*shape), shape, (rows + 1,), (columns + 1,)
    )
    plan = jnp.pad(carving.network(tree_words, loop_words), 1)
    row = _along_lines(carving.lines(row_words, grid.height), grid.height)
    column = _along_lines(carving.lines(column_words, grid.width), grid.width)
    return Sketch(bitboard.pack(plan[row][:, column]))


def _along_lines(lines: jax.Array, size: int) -> jax.Array:
    """Place, i32[size], in the plan padded by 1, of each row: odd on the lines, even between and beyond them."""
    at = jnp.arange(size)
    return jnp.sum(lines[None] < at[:, None], axis=1) * 2 + jnp.any(lines[None] == at[:, None], axis=1)


def caves(key: jax.Array, grid: Grid) -> Sketch:
    """Caves from a cellular automaton, joined by narrow tunnels.

    The automaton says where rock is wanted. Rock then grows from the border, and from a few seeds, over wanted
    blocks only and never where it would cut the rest in two, which leaves the tunnels.
    """
    board = bitboard.full(grid.height, grid.width)
    words, seed_words, chance = carving.draw(key, (PLANES, *board.shape), (PLANES, *board.shape), (2,))
    wanted = bitboard.bernoulli(words, 0.55 + 0.13 * uniform(chance[0])) & board
    for _ in range(2):
        wanted = _majority(wanted) & board
    wanted = wanted | carving.spread(board, grid.num_robots + 1, chance[1])
    rock = board & ~wanted
    classes = carving.parity_classes(grid.height, grid.width)
    seeds = rock & classes[0] & bitboard.bernoulli(seed_words, 1 / 8)

    def grow(carry: tuple[Board, jax.Array]) -> tuple[Board, jax.Array]:
        before, _ = carry

        def fill_class(free: Board, cells: Board) -> tuple[Board, None]:
            some, many = bitboard.crossings(free)
            return free & ~(cells & rock & some & ~many), None

        free, _ = jax.lax.scan(fill_class, before, classes)
        return free, jnp.any(free != before)

    free, _ = jax.lax.while_loop(lambda carry: carry[1], grow, (board & ~seeds, jnp.bool_(True)))
    return Sketch(free)


def _majority(board: Board) -> Board:
    """Cells with at least 5 of the 3 x 3 cells around them in the set, counted on whole rows at a time."""
    left, right = bitboard.east(board), bitboard.west(board)
    one, two = board ^ left ^ right, (board & left) | (board & right) | (left & right)  # of each row of three
    one_up, one_down, two_up, two_down = (f(x) for x in (one, two) for f in (bitboard.north, bitboard.south))
    odd = one ^ one_up ^ one_down
    carry = (one & one_up) | (one & one_down) | (one_up & one_down)
    pair, other = (two & two_up) | (two_down & carry), (two | two_up) & (two_down | carry)
    at_least_two = pair | other
    at_least_three = (two & two_up & (two_down | carry)) | (two_down & carry & (two | two_up))
    return at_least_three | (at_least_two & odd)  # sum = odd + 2 x (how many of the four twos)


def warehouse(key: jax.Array, grid: Grid) -> Sketch:
    """Racks one or two blocks deep between aisles one or two blocks wide, with cross-aisles; some racks are missing."""
    height, width = grid.height, grid.width
    words, missing_words = carving.draw(key, (6,), (height + 1, width + 1))
    flip = words[0] >> 31 == 1
    aisle = 1 + below(words[1], 2)
    depth, length = 1 + below(words[2], 2), 2 + below(words[3], 3)
    row_pitch = jnp.minimum(aisle + jnp.where(flip, length, depth), height)
    column_pitch = jnp.minimum(aisle + jnp.where(flip, depth, length), width)
    row = jnp.arange(height) + below(words[4], row_pitch)
    column = jnp.arange(width) + below(words[5], column_pitch)
    missing = (uniform(missing_words) < _MISSING)[row // row_pitch][:, column // column_pitch]
    return Sketch(bitboard.pack((row % row_pitch < aisle)[:, None] | (column % column_pitch < aisle)[None] | missing))


def swap(key: jax.Array, grid: Grid) -> Sketch:
    """A round arena: robots start evenly spaced on a circle, each goal is opposite; half of the arenas have pillars."""
    height, width = grid.height, grid.width
    words, chance = carving.draw(key, (PASSES * PLANES, *bitboard.full(height, width).shape), (4,))
    turn, size, pillars, _ = uniform(chance)
    smallest, largest = grid.swap_radii
    radius = smallest + (largest - smallest) * size
    angle = 2 * jnp.pi * (turn + jnp.arange(grid.num_robots) / grid.num_robots)
    centre = jnp.array([(width - 1) / 2, (height - 1) / 2])
    start = centre + radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    start = jnp.clip(jnp.floor(start + 0.5).astype(jnp.int32), 0, jnp.array([width - 1, height - 1]))
    x, y = jnp.arange(width) - centre[0], jnp.arange(height) - centre[1]
    arena = bitboard.pack(x[None] ** 2 + y[:, None] ** 2 <= (radius + 0.75) ** 2)
    ends = jnp.concatenate([start, opposite(start, grid)])
    keep = bitboard.from_cells(ends, height, width) | carving.spread(arena, _SWAP_GOALS, chance[3])
    return Sketch(carving.fill(arena, keep, words, jnp.maximum(2 * pillars - 1, 0) * _PILLARS), start=start)


def opposite(cells: jax.Array, grid: Grid) -> jax.Array:
    """The blocks across the centre from `cells` i32[A, 2] (column, row)."""
    return jnp.array([grid.width - 1, grid.height - 1]) - cells


def bottleneck(key: jax.Array, grid: Grid) -> Sketch:
    """Two halls, and in the wall between them one gap a block wide, through which every robot has to go."""
    words = jax.random.bits(key, (5,))
    across, down = grid.hall_depth(grid.width, grid.height), grid.hall_depth(grid.height, grid.width)
    flip = (words[0] >> 31 == 1) & (down > 0) | (across == 0)
    size, length = jnp.where(flip, jnp.array([grid.height, grid.width]), jnp.array([grid.width, grid.height]))
    depth = jnp.where(flip, down, across)
    first = depth + below(words[1], size - 2 * depth)
    thickness = 1 + below(words[2], jnp.minimum(3, size - depth - first))
    row, column = jnp.arange(grid.height)[:, None], jnp.arange(grid.width)[None]
    place, along = jnp.where(flip, row, column), jnp.where(flip, column, row)
    before, after = bitboard.pack(place < first), bitboard.pack(place >= first + thickness)
    gap = bitboard.pack((place >= first) & (place < first + thickness) & (along == below(words[3], length)))
    swapped = words[4] >> 31 == 1
    near, far = jnp.where(swapped, after, before), jnp.where(swapped, before, after)
    return Sketch(before | gap | after, near, far)


PATTERNS: dict[str, Pattern] = {
    "clutter": clutter,
    "rooms": rooms,
    "corridors": corridors,
    "maze": maze,
    "caves": caves,
    "warehouse": warehouse,
    "swap": swap,
    "bottleneck": bottleneck,
}


def capacity(kind: str, grid: Grid) -> int:
    """Blocks for robots that every map of `kind` is sure to have; 0 where the grid is too small for the kind.

    A robot needs one for its start, one for its goal, and starts and goals differ from those of the others, so a
    map hosts A robots when this is more than A.
    """
    height, width = grid.height, grid.width
    rooms_down, rooms_across = grid.room_counts
    smallest, largest = grid.swap_radii
    halls_fit = grid.hall_depth(width, height) or grid.hall_depth(height, width)
    return {
        "clutter": height * width,
        "rooms": (height - rooms_down + 1) * (width - rooms_across + 1) if rooms_down * rooms_across > 1 else 0,
        "corridors": 2 * math.prod(grid.corridor_counts) - 1,
        "maze": 2 * math.prod(carving.tree_nodes(height, width)) - 1,
        "caves": height * width,
        "warehouse": _fewest_aisle_blocks(grid),
        "swap": grid.num_robots + 2 if smallest <= largest else 0,
        "bottleneck": grid.num_robots + 2 if halls_fit else 0,
    }[kind]


def _fewest_aisle_blocks(grid: Grid) -> int:
    """Over the warehouse's pitches, aisle blocks of the map that has fewest."""

    def fewest(size: int, aisle: int, rack: int) -> int:
        pitch = min(aisle + rack, size)
        return min(int(np.sum((np.arange(size) + phase) % pitch < aisle)) for phase in range(pitch))

    shapes = [
        (fewest(grid.height, aisle, rack), fewest(grid.width, aisle, other))
        for aisle in (1, 2)
        for depth in (1, 2)
        for length in (2, 3, 4)
        for rack, other in ((depth, length), (length, depth))
    ]
    height, width = grid.height, grid.width
    return min(height * width - (height - rows) * (width - columns) for rows, columns in shapes)
