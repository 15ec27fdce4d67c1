"""Exact lidar: rays against closed grid cells and discs, by geometry rather than by sampling along the beam.

A beam enters a new cell only where it crosses a grid line. For the k-th vertical line ahead, at distance t_k
along the beam, the cell entered lies in a known column, and its row is floor(y + t_k sin): one bit of that
column's word (see `occupancy`). The range is the least t whose bit is set, over both families of lines. Where
a beam crosses within rounding of a lattice point, both cells there count, so no beam slips between two cells
that touch at a corner.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from minicosm import kernels
from minicosm.envs.nav import occupancy
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.occupancy import PackedMap, Window
from minicosm.envs.nav.robots import Robots
from minicosm.kernels import lidar as kernel
from minicosm.kernels.lidar import Lidar

_EDGE = 4e-7  # of the range: what float32 may err by where a beam crosses a line
_UNROLLED_LINES = 16  # beyond, a loop: keeps the program small on fine maps


def scan(packed: PackedMap, robots: Robots, present: jax.Array, config: NavConfig) -> jax.Array:
    """Exact range of each beam, f32[A, R] in m.

    `packed` has a margin of `config.window` cells; robots that are not `present` bool[A] are not seen by others.
    """
    nothing = jnp.zeros((*robots.heading.shape, 0))
    return _rows(packed, robots, present, nothing, _lidar(config, 1.0, 0.0))[0]


def observe(
    packed: PackedMap, robots: Robots, present: jax.Array, rest: jax.Array, config: NavConfig
) -> tuple[jax.Array, jax.Array]:
    """Ranges / lidar_range - 1/2 followed by `rest` f32[A, K], and the shortest range of each robot, f32[A] in m."""
    return _rows(packed, robots, present, rest, _lidar(config, 1.0 / config.lidar_range, -0.5))


def _lidar(config: NavConfig, gain: float, offset: float) -> Lidar:
    lengths = config.lidar_range, config.radius, config.cell_size
    return Lidar(config.num_beams, *lengths, margin=config.window, gain=gain, offset=offset)


def _rows(
    packed: PackedMap, robots: Robots, present: jax.Array, tail: jax.Array, lidar: Lidar
) -> tuple[jax.Array, jax.Array]:
    """`kernel.scan` on the CPU, where it is available, else its reference."""
    heading = jnp.stack([jnp.cos(robots.heading), jnp.sin(robots.heading)], axis=-1)
    chosen = kernels.accelerate(lambda *a: _scan(a, lidar), lambda *a: kernel.scan(a, lidar))
    result: tuple[jax.Array, jax.Array] = chosen(packed.columns, packed.rows, robots.position, heading, present, tail)
    return result


def _scan(arrays: tuple[jax.Array, ...], lidar: Lidar) -> tuple[jax.Array, jax.Array]:
    """The reference of `kernel.scan`, which describes the arguments and the result."""
    columns, rows, position, heading, present, tail = arrays
    cells = position / lidar.cell_size
    window = occupancy.window(PackedMap(columns, rows), jnp.floor(cells).astype(jnp.int32), lidar.margin)
    cos, sin = beam_directions(heading, lidar)
    walls = wall_ranges(window, cells, cos, sin, lidar.max_range / lidar.cell_size)
    robots = disc_ranges(cells, cos, sin, present, lidar.radius / lidar.cell_size)
    ranges = jnp.minimum(walls, robots) * lidar.cell_size
    return jnp.concatenate([lidar.gain * ranges + lidar.offset, tail], axis=-1), jnp.min(ranges, axis=-1)


def beam_directions(heading: jax.Array, lidar: Lidar) -> tuple[jax.Array, jax.Array]:
    """cos and sin, f32[A, R], of the beams' world angles, from those of the robots' headings, f32[A, 2]."""
    cos, sin = heading[:, 0:1], heading[:, 1:2]
    beam_cos, beam_sin = lidar.beams()
    return cos * beam_cos - sin * beam_sin, sin * beam_cos + cos * beam_sin


def wall_ranges(window: Window, position: jax.Array, cos: jax.Array, sin: jax.Array, max_range: float) -> jax.Array:
    """Distance, f32[A, R] in cells, from `position` f32[A, 2] (cells) to the first wall along each beam.

    At most `max_range`. `window` must reach ceil(max_range) cells on every side of floor(position).
    """
    offset = position - jnp.floor(position)
    x, y = offset[:, 0:1], offset[:, 1:2]
    nearest = jnp.full(cos.shape, max_range)
    nearest = _cross_lines(nearest, window.columns, (x, cos), (y, sin), max_range)
    return _cross_lines(nearest, window.rows, (y, sin), (x, cos), max_range)


def disc_ranges(position: jax.Array, cos: jax.Array, sin: jax.Array, present: jax.Array, radius: float) -> jax.Array:
    """Distance, f32[A, R], from each robot to the first other robot's disc along each beam; inf where there is none.

    `position` f32[A, 2] and `radius` in one unit; robots that are not `present` bool[A] are not seen. A robot
    inside another's disc reads 0.
    """
    nearest = jnp.full(cos.shape, jnp.inf)
    num_robots = position.shape[0]
    for shift in range(1, num_robots):  # a roll by `shift` pairs each robot with every other, never with itself
        to_other = jnp.roll(position, -shift, axis=0) - position
        seen = jnp.roll(present, -shift)[:, None]
        x, y = to_other[:, 0:1], to_other[:, 1:2]
        along, aside = x * cos + y * sin, x * sin - y * cos
        half_chord = jnp.sqrt(jnp.maximum((radius - aside) * (radius + aside), 0.0))
        entry = jnp.maximum(along - half_chord, 0.0)
        hit = seen & (jnp.abs(aside) <= radius) & (along + half_chord >= 0.0)
        nearest = jnp.minimum(nearest, jnp.where(hit, entry, jnp.inf))
    return nearest


def walls_touch(window: Window, position: jax.Array, radius: float) -> jax.Array:
    """bool[A]: the disc of `radius` at `position` (both in cells) overlaps an occupied cell of `window`."""
    margin = window.columns.shape[0] // 2
    offset = position - jnp.floor(position)
    x, y = offset[:, 0], offset[:, 1]
    reach = math.ceil(radius)
    touch = jnp.zeros(x.shape, bool)
    for column in range(-reach, reach + 1):
        gap_x = _gap(x, column)
        for row in range(-reach, reach + 1):
            bit = row + margin
            occupied = (window.columns[column + margin, bit // 32] >> (bit % 32)) & 1
            touch |= (occupied == 1) & (gap_x**2 + _gap(y, row) ** 2 < radius**2)
    return touch


def _gap(offset: jax.Array, cell: int) -> jax.Array:
    """Distance along one axis from `offset` in [0, 1) to the interval [cell, cell + 1]."""
    if cell == 0:
        return jnp.zeros_like(offset)
    return cell - offset if cell > 0 else offset - (cell + 1)


def _cross_lines(
    nearest: jax.Array,
    words: jax.Array,
    across: tuple[jax.Array, jax.Array],
    along: tuple[jax.Array, jax.Array],
    max_range: float,
) -> jax.Array:
    """Shorten `nearest` by the hits on one family of grid lines.

    `across` and `along` are the offset in the cell, [A, 1], and the direction, [A, R], normal to the lines and
    parallel to them; `words` u32[2N + 1, words, A] are the window's lines in this family.
    """
    (offset, slope), (other_offset, other_slope) = across, along
    margin, edge = words.shape[0] // 2, _EDGE * max_range
    ahead = slope > 0
    inverse = 1.0 / jnp.maximum(jnp.abs(slope), 1e-9)
    first = jnp.where(ahead, 1.0 - offset, offset)  # cells to the first line

    def cross(line: int | jax.Array, nearest: jax.Array) -> jax.Array:
        distance = (first + line) * inverse
        crossing = other_offset + distance * other_slope
        low = jnp.floor(crossing - edge).astype(jnp.int32) + margin
        high = jnp.floor(crossing + edge).astype(jnp.int32) + margin
        word = jnp.where(ahead[:, :, None], words[margin + 1 + line].T[:, None], words[margin - 1 - line].T[:, None])
        occupied = (_bit(word, low) | _bit(word, high)) == 1
        return jnp.where(occupied & (distance < nearest), distance, nearest)

    num_lines = math.ceil(max_range)
    if num_lines <= _UNROLLED_LINES:
        for line in range(num_lines):
            nearest = cross(line, nearest)
        return nearest
    looped: jax.Array = jax.lax.fori_loop(0, num_lines, cross, nearest)
    return looped


def _bit(words: jax.Array, index: jax.Array) -> jax.Array:
    """Bit `index` [A, R] of `words` u32[A, 1 or R, num words]; beyond the words, unspecified."""
    bit = words[..., 0] >> (index & 31).astype(jnp.uint32)
    for w in range(1, words.shape[-1]):
        bit = jnp.where(index >> 5 == w, words[..., w] >> (index & 31).astype(jnp.uint32), bit)
    return bit & 1
