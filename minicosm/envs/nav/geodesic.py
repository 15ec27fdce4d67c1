"""Geodesic distances on a navigation map, as lower bounds on what a robot has to drive.

Where a robot's centre can be is bounded from outside: cells that lie wholly within a radius of a wall are taken
out, and so are gaps narrower than a robot. In what is left, shortest paths are searched on the lattice of the
cells' centres and corners, with moves to 16 neighbours: in half cells (1, 1), (2, 0), (3, 1) and their mirror
images. A shortest path of a point among cells bends at corners only; and between two points of the lattice the
moves of the two directions next to the straight line run through the same cells as it does, and are longer by at
most 1 / cos(atan(1 / 2) / 2) - 1 = 2.75 %. Divided by that factor, the lattice distance is a true lower bound.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from minicosm.envs import struct
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level

STRETCH = 1 / math.cos(math.atan(0.5) / 2)  # lattice distance over straight distance, at most
_DIAGONAL, _STRAIGHT, _LONG = math.sqrt(2), 2.0, math.sqrt(10)  # lengths of the moves, half cells


@struct.dataclass
class _Lattice:
    """Values at the points of the lattice."""

    centre: jax.Array  # f32[H, W]  of cells
    corner: jax.Array  # f32[H + 1, W + 1]  (i, j): lower left of cell (i, j)


@struct.dataclass
class _Passage:
    """What is added to a move, 0 or inf."""

    cell: jax.Array  # f32[H, W]  inf where no robot can be
    corner: jax.Array  # f32[H + 1, W + 1]  inf where a corner is pinched between two walls
    edge_right: jax.Array  # f32[H + 1, W]  inf where no robot can be on either side of the edge to the next corner
    edge_up: jax.Array  # f32[H, W + 1]


def distance_field(walls: jax.Array, source: jax.Array, config: NavConfig) -> jax.Array:
    """Lower bound, f32[H, W] m, on the drive from `source` f32[2] (m) to each cell's centre; inf where none leads.

    `walls` is bool[H, W]. The bound is at most 2.75 % below the shortest path of a point that stays out of the
    cells too near to a wall (see the module). A source that is no cell's centre or corner is taken to the nearest
    one, and every distance lowered by twice as much as it was moved.
    """
    offset = _distances_to(source, walls.shape, config)
    nearest = _nearest(offset)
    sources = jax.tree.map(lambda d: d <= nearest, offset)
    return _relax(_passage(walls, config), sources, nearest, config).centre


def shortest_time(level: Level, config: NavConfig) -> jax.Array:
    """Lower bound, f32[A] s, on the time from the start to within the goal radius of the first goal, above 0.

    The robot drives the geodesic distance (see `distance_field`) less the goal radius, from rest, at the largest
    acceleration up to the largest speed, in whole time steps. Turning is taken to cost nothing and other robots
    to be out of the way, so the true optimum is longer, mostly by the time to turn; a bend is cut like a
    point cuts it, which on a map of 1 m cells saves up to 8 % of the way in a staircase of bends. inf where no
    path leads; `config.dt` in a slot without a robot.
    """
    passage = _passage(level.walls, config)
    # a goal's disc lies in the open, so that all of it is near; a larger one may be entered through a wall
    is_open = config.goal_radius <= (config.clearance + 0.5) * config.cell_size
    rounding = config.cell_size / 2  # no point of a cell is farther from its centre and from all its corners

    def distance(start: jax.Array, goal: jax.Array) -> jax.Array:
        offset = _distances_to(goal, level.walls.shape, config)
        nearest = _nearest(offset)
        largest, lowered = (
            (nearest, nearest + config.goal_radius) if is_open else (config.goal_radius + rounding, rounding)
        )
        sources = jax.tree.map(lambda d: d <= largest, offset)
        field = _relax(passage, sources, jnp.asarray(lowered), config)
        straight = jnp.sqrt(jnp.sum((goal - start) ** 2)) - config.goal_radius
        return jnp.maximum(_value_at(field, start, config), straight)

    distances = jax.vmap(distance)(level.start, level.goals[:, 0])
    return jnp.where(level.active, _driving_time(distances, config), config.dt)


def _distances_to(point: jax.Array, shape: tuple[int, ...], config: NavConfig) -> _Lattice:
    """Straight distances, m, from `point` f32[2] (m)."""
    size = config.cell_size

    def grid(rows: int, columns: int, first: float) -> jax.Array:
        x, y = (jnp.arange(columns) + first) * size - point[0], (jnp.arange(rows) + first) * size - point[1]
        return jnp.sqrt(x[None] ** 2 + y[:, None] ** 2)

    return _Lattice(grid(shape[0], shape[1], 0.5), grid(shape[0] + 1, shape[1] + 1, 0.0))


def _nearest(offset: _Lattice) -> jax.Array:
    return jnp.minimum(jnp.min(offset.centre), jnp.min(offset.corner))


def _value_at(field: _Lattice, point: jax.Array, config: NavConfig) -> jax.Array:
    """Lower bound f32[] at `point` f32[2] (m) from those at the centre and the corners of its cell."""
    height, width = field.centre.shape
    cell = jnp.floor(point / config.cell_size).astype(jnp.int32)
    column, row = jnp.clip(cell[0], 0, width - 1), jnp.clip(cell[1], 0, height - 1)
    columns, rows = column + jnp.array([0, 1, 0, 1]), row + jnp.array([0, 0, 1, 1])
    values = jnp.append(field.corner[rows, columns], field.centre[row, column])
    x, y = jnp.append(columns, column + 0.5) * config.cell_size, jnp.append(rows, row + 0.5) * config.cell_size
    bounds = values - jnp.sqrt((x - point[0]) ** 2 + (y - point[1]) ** 2)
    # a corner may be pinched between walls though its cell is free
    return jnp.where(jnp.all(jnp.isinf(bounds)), jnp.inf, jnp.max(jnp.where(jnp.isinf(bounds), -jnp.inf, bounds)))


def _relax(passage: _Passage, sources: _Lattice, lowered: jax.Array, config: NavConfig) -> _Lattice:
    """Lower bounds, m: shortest distances from any of `sources` divided by the stretch, less `lowered` f32[] m."""

    def improve(carry: tuple[_Lattice, jax.Array]) -> tuple[_Lattice, jax.Array]:
        before, _ = carry
        after = _Lattice(_at_centres(passage, before), _at_corners(passage, before))
        return after, jnp.any(after.centre < before.centre) | jnp.any(after.corner < before.corner)

    first = jax.tree.map(lambda source: jnp.where(source, 0.0, jnp.inf), sources)
    field, _ = jax.lax.while_loop(lambda carry: carry[1], improve, (first, jnp.bool_(True)))
    scale = config.cell_size / 2 / STRETCH
    return _Lattice(*(jnp.maximum(distance * scale - lowered, 0.0) for distance in (field.centre, field.corner)))


def _sides(values: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The values above, below, right and left of each place; inf beyond the map."""
    around = jnp.pad(values, 1, constant_values=jnp.inf)
    return around[2:, 1:-1], around[:-2, 1:-1], around[1:-1, 2:], around[1:-1, :-2]


def _at_centres(passage: _Passage, lattice: _Lattice) -> jax.Array:
    """f32[H, W]: each centre's best after one move to it."""
    lower, upper = lattice.corner[:-1], lattice.corner[1:]
    top, bottom = jnp.minimum(upper[:, :-1], upper[:, 1:]), jnp.minimum(lower[:, :-1], lower[:, 1:])
    right, left = jnp.minimum(lower[:, 1:], upper[:, 1:]), jnp.minimum(lower[:, :-1], upper[:, :-1])
    near = jnp.minimum(top, bottom) + _DIAGONAL
    beside = _least(*_sides(lattice.centre)) + _STRAIGHT
    # the far corners of the cell above, below, right and left, if that is free
    far = _least(
        _sides(top + passage.cell)[0],
        _sides(bottom + passage.cell)[1],
        _sides(right + passage.cell)[2],
        _sides(left + passage.cell)[3],
    )
    return _least(lattice.centre, _least(near, beside, far + _LONG) + passage.cell)


def _at_corners(passage: _Passage, lattice: _Lattice) -> jax.Array:
    """f32[H + 1, W + 1]: each corner's best after one move to it."""
    up, down, right, left = _sides(lattice.centre)
    near = lattice.centre + _DIAGONAL

    def offer(row_side: jax.Array, column_side: jax.Array, is_lower: int, is_left: int) -> jax.Array:
        """What each cell passes to one of its corners: from its own centre, or across it from the far sides."""
        value = jnp.minimum(near, jnp.minimum(row_side, column_side) + _LONG) + passage.cell
        return jnp.pad(value, ((1 - is_lower, is_lower), (1 - is_left, is_left)), constant_values=jnp.inf)

    cells = _least(offer(up, right, 1, 1), offer(up, left, 1, 0), offer(down, right, 0, 1), offer(down, left, 0, 0))
    corner, no_edge = lattice.corner, ((0, 0), (1, 1))
    edge_right = jnp.pad(passage.edge_right, no_edge, constant_values=jnp.inf)
    edge_up = jnp.pad(passage.edge_up, no_edge[::-1], constant_values=jnp.inf)
    above, below, after, before = _sides(corner)
    along = _least(above + edge_up[1:], below + edge_up[:-1], after + edge_right[:, 1:], before + edge_right[:, :-1])
    return jnp.minimum(corner, jnp.minimum(cells, along + _STRAIGHT) + passage.corner)


def _least(*values: jax.Array) -> jax.Array:
    result = values[0]
    for value in values[1:]:
        result = jnp.minimum(result, value)
    return result


def _passage(walls: jax.Array, config: NavConfig) -> _Passage:
    is_open = jnp.pad(~_out_of_reach(walls, config), 1)
    lower_left, lower_right = is_open[:-1, :-1], is_open[:-1, 1:]  # of the four cells around each corner
    upper_left, upper_right = is_open[1:, :-1], is_open[1:, 1:]
    # two walls that touch at a corner leave no way between them
    pinched = (lower_left & upper_right & ~lower_right & ~upper_left) | (
        lower_right & upper_left & ~lower_left & ~upper_right
    )

    def bar(where: jax.Array) -> jax.Array:
        return jnp.where(where, jnp.inf, 0.0)

    return _Passage(
        cell=bar(~is_open[1:-1, 1:-1]),
        corner=bar(pinched),
        edge_right=bar(~(lower_right | upper_right))[:, :-1],
        edge_up=bar(~(upper_left | upper_right))[:-1],
    )


def _out_of_reach(walls: jax.Array, config: NavConfig) -> jax.Array:
    """bool[H, W]: cells in which no robot's centre can ever be, because each of their points is too near to a wall.

    Either to one wall cell, or to the nearer of two that face each other across a gap. A step may cut a corner
    by the sagitta of its chord, so the radius is taken that much smaller.
    """
    chord = config.max_speed * config.dt
    radius = math.sqrt(config.radius**2 - (chord / 2) ** 2) / config.cell_size * (1 - 1e-6)
    reach = int(radius)
    padded = jnp.pad(walls, reach + 1, constant_values=True)
    along_row, gap_in_row = _to_walls(padded)
    gap_in_column = _to_walls(padded.T)[1].T
    width_needed = 2 * radius
    blocked = padded | (gap_in_row < width_needed) | (gap_in_column < width_needed)
    blocked = blocked[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    height, width = walls.shape

    def reach_over(rows: jax.Array, blocked: jax.Array) -> jax.Array:
        offset = (rows + reach + 1, reach + 1)
        columns = jax.lax.dynamic_slice(along_row, offset, (height, width))
        return blocked | (columns**2 + rows**2 < radius**2)

    return jax.lax.fori_loop(-reach, reach + 1, reach_over, blocked) if reach else blocked


def _to_walls(walls: jax.Array) -> tuple[jax.Array, jax.Array]:
    """i32 each, of the shape of `walls`: columns to the nearest wall in the row, and free cells between the two."""
    column = jnp.arange(walls.shape[1])[None]
    last = jax.lax.cummax(jnp.where(walls, column, -1), axis=1)
    following = jax.lax.cummin(jnp.where(walls, column, walls.shape[1]), axis=1, reverse=True)
    return jnp.minimum(column - last, following - column), following - last - 1


def _driving_time(distance: jax.Array, config: NavConfig) -> jax.Array:
    """f32[A] s: the whole steps, one at least, that a robot at rest takes to drive `distance` f32[A] m straight on."""
    dt, speed = config.dt, config.max_speed
    gain = config.max_acceleration * dt  # of speed, per step
    ramp = 0 if math.isinf(gain) else int(speed / gain + 1e-9)  # steps below the largest speed, and the one at it
    step = speed * dt
    if ramp == 0:
        steps = distance / step
    else:
        unit = gain * dt  # the first step's length; n steps of the ramp make n (n + 1) / 2 of it
        ramp_length = unit * ramp * (ramp + 1) / 2
        on_ramp = (jnp.sqrt(1 + 8 * jnp.maximum(distance, 0.0) / unit) - 1) / 2
        steps = jnp.where(distance <= ramp_length, on_ramp, ramp + (distance - ramp_length) / step)
    return jnp.maximum(jnp.ceil(steps - 1e-3), 1.0) * dt
