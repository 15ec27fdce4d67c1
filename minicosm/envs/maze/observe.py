"""What an agent sees: the square of cells before it, turned so that it looks up, read off rows of bits.

The map is kept with a margin of walls as wide as the farthest look beyond its edge. A view is V consecutive rows of
it, shifted so that its first column comes first, and then turned by one of four fixed permutations.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.maze import bits
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.level import STEPS

# MiniGrid's numbers for objects and colours
UNSEEN, EMPTY, WALL, FLOOR, GOAL, AGENT = 0, 1, 2, 3, 8, 10
RED, GREEN, BLUE, GREY = 0, 1, 2, 5

_TILES = {  # sRGB of each object in the "rgb" view
    UNSEEN: (12, 13, 16),
    EMPTY: (34, 37, 45),
    WALL: (112, 121, 137),
    FLOOR: (56, 92, 140),
    GOAL: (38, 166, 91),
    AGENT: (226, 88, 62),
}


def margin(config: MazeConfig) -> int:
    """Cells of wall kept around the map."""
    return config.view_size - 1


def pack_walls(walls: jax.Array, config: MazeConfig) -> jax.Array:
    """u32[H + 2 m, K]: `walls` bool[H, W] in a margin of m walls, as words; one to spare where K is not 1."""
    m = margin(config)
    rows = bits.pack(jnp.pad(walls, m, constant_values=True))
    return rows if rows.shape[1] == 1 else jnp.pad(rows, ((0, 0), (0, 1)))


def unpack_walls(rows: jax.Array, config: MazeConfig) -> jax.Array:
    """bool[H, W] from `pack_walls`."""
    m = margin(config)
    return bits.unpack(rows, config.width + 2 * m)[m:-m, m:-m]


def is_wall(rows: jax.Array, place: jax.Array, config: MazeConfig) -> jax.Array:
    """bool[A]: whether `place` i32[A, 2], at most a margin outside the map, is wall."""
    m = margin(config)
    column, row = place[:, 0] + m, place[:, 1] + m
    words = rows[row, 0] if rows.shape[1] == 1 else rows[row, column // bits.WORD]
    return ((words >> (column % bits.WORD).astype(jnp.uint32)) & 1) == 1


@struct.dataclass
class Agents:
    """Where A agents are and want to go; places are (column, row)."""

    position: jax.Array  # i32[A, 2]
    direction: jax.Array  # i32[A]
    goal: jax.Array  # i32[A, 2]
    gone: jax.Array  # bool[A]  no longer in the maze


def objects(rows: jax.Array, agents: Agents, config: MazeConfig) -> tuple[jax.Array, jax.Array]:
    """What each agent sees, u8[A, V, V] objects, and of agents which direction they face, u8[A, V, V].

    Element [i, j] is i cells from the left and j cells from the farthest row, as in MiniGrid; the agent itself, whose
    cell shows as empty, stands at [V // 2, V - 1].
    """
    position, direction, goal = agents.position, agents.direction, agents.goal
    size = config.view_size
    wall = jax.vmap(lambda place, facing: _look(rows, place, facing, config))(position, direction)
    seen = jnp.where(wall, jnp.uint8(WALL), jnp.uint8(EMPTY))
    facing = jnp.zeros_like(seen)
    others = range(position.shape[0]) if position.shape[0] > 1 else ()  # nobody else to see where there is one
    for other in others:  # their goals are floor, which can be walked on
        seen = jnp.where(_at(goal[other], position, direction, size), jnp.uint8(FLOOR), seen)
    seen = jnp.where(_at(goal, position, direction, size), jnp.uint8(GOAL), seen)
    for other in others:
        at_agent = _at(position[other], position, direction, size) & ~agents.gone[other]
        seen = jnp.where(at_agent, jnp.uint8(AGENT), seen)
        facing = jnp.where(at_agent, direction[other].astype(jnp.uint8), facing)
    if not config.see_through_walls:
        lit = visible(wall)
        seen, facing = jnp.where(lit, seen, jnp.uint8(UNSEEN)), jnp.where(lit, facing, jnp.uint8(0))
    own_cell = np.zeros((size, size), bool)
    own_cell[size // 2, size - 1] = True
    return jnp.where(own_cell, jnp.uint8(EMPTY), seen), jnp.where(own_cell, jnp.uint8(0), facing)


def symbolic(seen: jax.Array, facing: jax.Array) -> jax.Array:
    """u8[A, V, V, 3]: MiniGrid's (object, colour, state) of each cell."""
    colour = _lookup(seen, {WALL: GREY, FLOOR: BLUE, GOAL: GREEN, AGENT: RED})
    parts = (seen, colour, facing)
    together = sum((part.astype(jnp.uint32) << (8 * k) for k, part in enumerate(parts)), jnp.uint32(0))
    together = _once(together)  # or each channel works them out anew
    image: jax.Array = (together[..., None] >> np.arange(0, 24, 8, dtype=np.uint32)).astype(jnp.uint8)
    return image


def flat(seen: jax.Array, facing: jax.Array, direction: jax.Array, config: MazeConfig) -> jax.Array:
    """f32[A, F]: one plane of V V cells for each of `planes`, then the agent's direction, one-hot."""
    parts = [(seen == kind).reshape(seen.shape[0], -1) for kind in planes(config)]
    parts.append(direction[:, None] == jnp.arange(4))
    if config.num_agents > 1:
        for d in range(4):
            parts.append(((seen == AGENT) & (facing == d)).reshape(seen.shape[0], -1))
    return jnp.concatenate(parts, axis=-1).astype(jnp.float32)


def planes(config: MazeConfig) -> tuple[int, ...]:
    """The objects that "flat" has a plane for."""
    kinds = [WALL, GOAL]
    if not config.see_through_walls:
        kinds.append(UNSEEN)
    if config.num_agents > 1:
        kinds.append(FLOOR)
    return tuple(kinds)


def flat_size(config: MazeConfig) -> int:
    """F, the length of "flat"."""
    count = len(planes(config)) + (4 if config.num_agents > 1 else 0)
    return count * config.view_size**2 + 4


def rgb(seen: jax.Array, facing: jax.Array, config: MazeConfig) -> jax.Array:
    """u8[A, V p, V p, 3], p pixels a cell: the view as a picture, the agent at the middle of the bottom looking up.

    Tiles are flat squares with a dark rim; an agent is a triangle that points along its direction, the seeing agent's
    one up.
    """
    size, pixels = config.view_size, config.tile_pixels
    shape = (seen.shape[0], size, pixels, size, pixels)

    def spread(cells: jax.Array) -> jax.Array:
        """[A, row, pixel, column, pixel] from [A, column, row]."""
        return jnp.broadcast_to(cells.swapaxes(1, 2)[:, :, None, :, None], shape)

    own_cell = np.zeros((size, size), bool)
    own_cell[size // 2, size - 1] = True
    kind = jnp.where(own_cell, jnp.uint8(AGENT), seen)
    facing = jnp.where(own_cell, jnp.uint8(3), facing)
    inside = np.zeros((pixels, pixels), bool)
    inside[1:, 1:] = True
    ground = spread(jnp.where(kind == AGENT, jnp.uint8(EMPTY), kind))
    arrow = jnp.asarray(np.stack([_triangle(pixels, d) for d in range(4)]))  # [4, pixel, pixel]
    on_arrow = jnp.zeros(shape, bool)
    for d in range(4):
        on_arrow = on_arrow | (spread((kind == AGENT) & (facing == d)) & arrow[d][None, None, :, None, :])
    channels = []
    for channel in range(3):
        tile = _lookup(ground, {k: c[channel] for k, c in _TILES.items()})
        lined = jnp.where(inside[None, None, :, None, :], tile, (tile.astype(jnp.uint16) * 3 // 4).astype(jnp.uint8))
        channels.append(jnp.where(on_arrow, jnp.uint8(_TILES[AGENT][channel]), lined))
    picture = jnp.stack(channels, axis=-1)
    return picture.reshape(seen.shape[0], size * pixels, size * pixels, 3)


def visible(wall: jax.Array) -> jax.Array:
    """bool[A, V, V]: what walls do not hide, by MiniGrid's rule, of `wall` bool[A, V, V].

    Light spreads from the agent's cell along each row, nearest row first, to the right and then to the left, over
    cells that are not wall, and from each of those to the next row, ahead and diagonally.
    """
    size = wall.shape[-1]
    weights = jnp.asarray(np.uint32(1) << np.arange(size, dtype=np.uint32))
    clear = jnp.sum(~wall * weights[:, None], axis=-2, dtype=jnp.uint32)  # [A, row], bit i is column i
    full = np.uint32((1 << size) - 1)
    lit = jnp.full(wall.shape[:1], np.uint32(1 << (size // 2)))
    result = []
    for row in reversed(range(size)):
        ahead = jnp.zeros_like(lit)
        for _ in range(size - 1):
            lit = lit | (((lit & clear[:, row]) << 1) & full)
        shining = lit & clear[:, row] & np.uint32(full >> 1)
        ahead = ahead | shining | (shining << 1)
        for _ in range(size - 1):
            lit = lit | ((lit & clear[:, row]) >> 1)
        shining = lit & clear[:, row] & np.uint32(full - 1)
        ahead = ahead | shining | (shining >> 1)
        result.append(lit)
        lit = ahead
    lit_rows = jnp.stack(result[::-1], axis=-1)  # [A, row]
    column = np.arange(size, dtype=np.uint32)[:, None]
    return ((lit_rows[:, None, :] >> column) & 1) == 1


def corner(place: jax.Array, facing: jax.Array, config: MazeConfig) -> tuple[jax.Array, jax.Array]:
    """i32[], i32[]: the least column and row of the map that an agent sees; `place` i32[2], `facing` i32[]."""
    ahead, half = config.view_size - 1, config.view_size // 2  # half to both sides, or all of it ahead
    column = place[0] - jnp.where(facing == 0, 0, jnp.where(facing == 2, ahead, half))
    row = place[1] - jnp.where(facing == 1, 0, jnp.where(facing == 3, ahead, half))
    return column, row


def window(rows: jax.Array, column: jax.Array, row: jax.Array, config: MazeConfig) -> jax.Array:
    """u32[V]: the V rows from `row` on, the cell of `column` their lowest bit, and V bits of them of use."""
    size, m = config.view_size, margin(config)
    words = jax.lax.dynamic_slice_in_dim(rows, row + m, size)
    shift = ((column + m) % bits.WORD).astype(jnp.uint32)
    if rows.shape[1] == 1:
        return words[:, 0] >> shift
    pair = jax.lax.dynamic_slice_in_dim(words, (column + m) // bits.WORD, 2, axis=1)
    both: jax.Array = (pair[:, 0] >> shift) | jnp.where(shift == 0, 0, pair[:, 1] << (bits.WORD - shift))
    return both


def _look(rows: jax.Array, place: jax.Array, facing: jax.Array, config: MazeConfig) -> jax.Array:
    """bool[V, V]: the walls of one agent's view; `place` i32[2], `facing` i32[]."""
    seen = _once(
        window(rows, *corner(place, facing, config), config)
    )  # or XLA finds each row anew for each of its cells
    near = ((seen[:, None] >> np.arange(config.view_size, dtype=np.uint32)) & 1) == 1  # [row, column] of the map
    sideways = jnp.where(facing == 0, near[:, ::-1], near[::-1])
    upright = jnp.where(facing == 3, near, near[::-1, ::-1]).T
    view: jax.Array = jnp.where(facing % 2 == 0, sideways, upright)
    return view


def _at(place: jax.Array, position: jax.Array, direction: jax.Array, size: int) -> jax.Array:
    """bool[A, V, V]: the cell of each agent's view, if any, that is `place` i32[2] or i32[A, 2]."""
    step = jnp.asarray(STEPS)[direction]
    away = place - position
    ahead = away[:, 0] * step[:, 0] + away[:, 1] * step[:, 1]
    right = away[:, 1] * step[:, 0] - away[:, 0] * step[:, 1]
    column, row = right + size // 2, size - 1 - ahead
    index = np.arange(size)
    is_there: jax.Array = (index[:, None] == column[:, None, None]) & (index == row[:, None, None])
    return is_there


def _once(x: jax.Array) -> jax.Array:
    """`x`, worked out once rather than anew in each loop that uses it."""
    kept: jax.Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return kept


def _lookup(kinds: jax.Array, table: dict[int, int]) -> jax.Array:
    """u8: `table` of each of `kinds`, 0 for those not in it."""
    value = jnp.zeros_like(kinds)
    for kind, entry in table.items():
        value = jnp.where(kinds == kind, jnp.uint8(entry), value)
    return value


def _triangle(pixels: int, direction: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """bool[p, p]: pixels of a triangle that points along `direction`."""
    centre = (np.arange(pixels) + 0.5) / pixels - 0.5
    across, along = {0: (1, 0), 1: (0, 1), 2: (1, 0), 3: (0, 1)}[direction], STEPS[direction]
    x, y = centre[None, :], centre[:, None]
    ahead = x * along[0] + y * along[1]
    aside = np.abs(x * across[1] + y * across[0])
    inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = (ahead >= -0.3) & (aside <= (0.38 - ahead) * 0.5)
    return inside
