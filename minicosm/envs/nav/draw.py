"""Pictures of the navigation world, made on the device from signed distances, with no graphics library.

Everything is measured in pixels, x to the right and y up, the map's corner at the origin; the picture is turned the
right way round at the end. Marks touch only a patch of pixels around them, so the cost of a robot does not grow
with the map.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.env import Nav, State
from minicosm.envs.nav.palette import LIGHT, Colour, Theme, palette

Layer = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # pixels, x, y from the patch's centre -> pixels

_FEW_BEAMS = 48  # up to this many, each beam is drawn as a line
_CORNER = 0.14  # cells, radius of a free-standing wall corner
_SHADOW_SHIFT = (0.07, -0.10)  # cells, where the light throws shadows
_SHADOW_WIDTH = 0.28  # cells over which a wall's shadow fades


@dataclasses.dataclass(frozen=True)
class DrawStyle:
    """How a picture looks. Raises ValueError, naming the field, for a value that cannot work."""

    pixels_per_cell: int = 32  # 4 to 256
    beams: bool = False  # show what each moving robot's lidar sees
    starts: bool = True  # mark where each robot started
    theme: Theme = LIGHT

    def __post_init__(self) -> None:
        pixels = self.pixels_per_cell
        if isinstance(pixels, bool) or not isinstance(pixels, int) or not 4 <= pixels <= 256:
            raise ValueError(f"DrawStyle.pixels_per_cell is {pixels!r}; expected a whole number from 4 to 256")


@struct.dataclass
class Trail:
    """Where robots have been: a position per step, so that neighbours in time are at most one step's drive apart.

    A longer jump (a new episode) breaks the line.
    """

    position: jax.Array  # f32[T, A, 2]  m
    valid: jax.Array  # bool[T, A]  False: not a position of this episode, or not yet


@struct.dataclass
class _Marks:
    """What is drawn of each robot; lengths in pixels."""

    colour: jax.Array  # f32[A, 3]  0 to 1
    position: jax.Array  # f32[A, 2]
    heading: jax.Array  # f32[A]  rad
    start: jax.Array  # f32[A, 2]
    goal: jax.Array  # f32[A, 2]
    shown: jax.Array  # f32[A]  opacity
    moving: jax.Array  # bool[A]
    arrived: jax.Array  # bool[A]  for good
    collided: jax.Array  # bool[A]


def draw(state: State, config: NavConfig, style: DrawStyle = DrawStyle(), trail: Trail | None = None) -> jax.Array:
    """A picture of one world, u8[height, width, 3]: `style.pixels_per_cell` pixels a cell, y up.

    Robots are discs of their true radius, coloured by `palette`, with an arrow along the heading, a tick once arrived
    for good, a cross and a red ring once collided; goals are targets of the goal radius, start points small rings.
    Robots that are not active are left out, and those that have vanished are faint. Pure: `jit` and `vmap` apply; in
    a batch each world needs 12 to 32 bytes a pixel while it is drawn.
    """
    scale = style.pixels_per_cell / config.cell_size
    marks = _marks(state, config, scale)
    image = _ground(state.level.walls, style)
    if style.beams:
        image = _draw_fans(image, marks, Nav(config).ranges(state) * scale, config.lidar_range * scale, style.theme)
        image = _draw_walls(image, state.level.walls, style)  # a fan of few beams may cut a corner
    if trail is not None:
        step = config.max_speed * config.dt * scale
        image = _draw_trails(image, marks, trail.position * scale, trail.valid, (step, 0.12 * config.radius * scale))
    if style.starts:
        image = _draw_starts(image, marks, 0.4 * config.radius * scale)
    image = _draw_goals(image, marks, config.goal_radius * scale)
    image = _draw_robots(image, marks, config.radius * scale, style.theme)
    return jnp.round(jnp.clip(image, 0.0, 1.0)[::-1] * 255).astype(jnp.uint8)


def draw_history(history: State, index: jax.Array, config: NavConfig, style: DrawStyle = DrawStyle()) -> jax.Array:
    """`draw` of state `index` of `history`, a State whose leaves lead with T, over the trail that led there."""
    state: State = jax.tree.map(lambda x: x[index], history)
    past = jnp.arange(history.time.shape[0])[:, None] <= index
    trail = Trail(history.robots.position, past & history.level.active)
    return draw(state, config, style, trail)


def _marks(state: State, config: NavConfig, scale: float) -> _Marks:
    active = state.level.active
    shown = active.astype(jnp.float32)
    if config.robots_vanish:
        shown = jnp.where(state.ended, 0.35 * shown, shown)
    return _Marks(
        colour=jnp.asarray(palette(active.shape[0])),
        position=state.robots.position * scale,
        heading=state.robots.heading,
        start=state.level.start * scale,
        goal=Nav(config)._goal(state) * scale,
        shown=shown,
        moving=active & ~state.ended,
        arrived=state.success & state.ended & ~state.collided,
        collided=state.collided,
    )


# -- the map --------------------------------------------------------------------------------------------------------


def _ground(walls: jax.Array, style: DrawStyle) -> jax.Array:
    """f32[height, width, 3]: floor, grid, the walls' shadows, and the walls."""
    pixels, theme = style.pixels_per_cell, style.theme
    shape = (walls.shape[0] * pixels, walls.shape[1] * pixels)
    on_line = (np.arange(pixels) == 0) | (np.arange(pixels) == pixels - 1)
    grid = np.tile(on_line[:, None] | on_line[None, :], walls.shape) * min(0.6, pixels / 54)  # fainter when dense
    image = jnp.broadcast_to(_rgb(theme.floor), (*shape, 3))
    image = _over(image, _rgb(theme.grid), jnp.asarray(grid, jnp.float32))
    light = 1.0 - _distance_to(walls, pixels, _SHADOW_SHIFT) / _SHADOW_WIDTH
    image = _over(image, _rgb(theme.shadow), theme.shadow_strength * _smooth(light))
    return _draw_walls(image, walls, style)


def _draw_walls(image: jax.Array, walls: jax.Array, style: DrawStyle) -> jax.Array:
    """Walls, rounded where a corner stands free, with a darker rim."""
    pixels, theme = style.pixels_per_cell, style.theme
    near = _neighbours(walls)
    centre = (np.arange(pixels) + 0.5) / pixels
    cut = jnp.zeros((), jnp.float32)
    for up in (-1, 1):
        for right in (-1, 1):
            free_corner = ~(near[up, 0] | near[0, right] | near[up, right])
            x = np.maximum(_CORNER - (1 - centre if right > 0 else centre), 0)[None, :]
            y = np.maximum(_CORNER - (1 - centre if up > 0 else centre), 0)[:, None]
            outside = np.clip((np.hypot(x, y) - _CORNER) * pixels + 0.5, 0, 1)
            cut = jnp.maximum(cut, _spread(free_corner, outside, 0.0))
    cover = _spread(walls, np.ones((pixels, pixels)), 0.0) * (1 - cut)
    image = _over(image, _rgb(theme.wall), cover)
    rim = max(1.25, 0.06 * pixels) - _distance_to(~walls, pixels, (0.0, 0.0), edge=False) * pixels
    return _over(image, _rgb(theme.wall_edge), cover * jnp.clip(rim, 0.0, 1.0))


def _distance_to(cells: jax.Array, pixels: int, shift: tuple[float, float], edge: bool = True) -> jax.Array:
    """f32[H pixels, W pixels]: distance, in cells and at most 1, from each pixel to the nearest of bool[H, W] `cells`,
    of which the map's outside is one if `edge`, as if they were moved by `shift`."""
    near = _neighbours(cells, edge)
    centre = (np.arange(pixels) + 0.5) / pixels
    nearest = jnp.ones((), jnp.float32)
    for up in (-1, 0, 1):
        for right in (-1, 0, 1):
            x = np.abs(centre - shift[0] - (right + 0.5)) - 0.5
            y = np.abs(centre - shift[1] - (up + 0.5)) - 0.5
            gap = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None])
            nearest = jnp.minimum(nearest, _spread(near[up, right], gap, 1.0))
    return nearest


def _neighbours(cells: jax.Array, edge: bool = True) -> dict[tuple[int, int], jax.Array]:
    """By (up, right) from -1 to 1, whether that neighbour of each cell is one of `cells` bool[H, W]."""
    padded = jnp.pad(cells, 1, constant_values=edge)
    height, width = cells.shape
    steps = (-1, 0, 1)
    return {(u, r): padded[1 + u : 1 + u + height, 1 + r : 1 + r + width] for u in steps for r in steps}


def _spread(cells: jax.Array, pattern: np.ndarray[Any, Any], other: float) -> jax.Array:
    """f32[H pixels, W pixels]: `pattern` [pixels, pixels] in each of bool[H, W] `cells`, and `other` elsewhere."""
    pixels = pattern.shape[0]
    tiled = jnp.where(cells[:, None, :, None], jnp.asarray(pattern, jnp.float32)[None, :, None, :], other)
    return tiled.reshape(cells.shape[0] * pixels, cells.shape[1] * pixels)


# -- marks ----------------------------------------------------------------------------------------------------------


def _draw_fans(image: jax.Array, marks: _Marks, ranges: jax.Array, reach: float, theme: Theme) -> jax.Array:
    """The polygon that joins the ends of each moving robot's beams, `ranges` f32[A, R] pixels."""
    num_beams = ranges.shape[1]
    turn = 2 * math.pi / num_beams

    def draw_fan(image: jax.Array, robot: tuple[_Marks, jax.Array]) -> tuple[jax.Array, None]:
        mark, reached = robot

        def fan(pixels: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            distance = jnp.sqrt(x * x + y * y)
            beam = jnp.mod((jnp.arctan2(y, x) - mark.heading) / turn, num_beams)
            index = jnp.minimum(jnp.floor(beam), num_beams - 1).astype(jnp.int32)
            first, second = reached[index], reached[(index + 1) % num_beams]
            # the pixel and both beam ends in the frame of the first beam; inside is left of the edge between the ends
            angle = (beam - index) * turn
            end_x, end_y = second * math.cos(turn) - first, second * math.sin(turn)
            edge = (distance * jnp.sin(angle)) * end_x - (distance * jnp.cos(angle) - first) * end_y
            cover = jnp.clip(edge / jnp.maximum(jnp.sqrt(end_x**2 + end_y**2), 1e-3) + 0.5, 0.0, 1.0)
            fade = 1.0 - 0.75 * jnp.clip(distance / reach, 0.0, 1.0)
            strength = theme.fan_strength * fade
            if num_beams <= _FEW_BEAMS:
                aside = jnp.minimum(angle, turn - angle)
                end = jnp.where(angle < turn / 2, first, second)
                line = jnp.clip(1.1 - distance * jnp.sin(aside), 0.0, 1.0) * jnp.clip(end - distance + 0.5, 0.0, 1.0)
                cover = jnp.maximum(0.6 * cover, 1.6 * line)
            return _over(pixels, mark.colour, mark.shown * mark.moving * strength * cover)

        return _paint(image, mark.position, reach + 1, fan), None

    return jax.lax.scan(draw_fan, image, (marks, ranges))[0]


def _draw_trails(
    image: jax.Array, marks: _Marks, position: jax.Array, valid: jax.Array, size: tuple[float, float]
) -> jax.Array:
    """Lines through `position` f32[T, A, 2] pixels where `valid`; `size`: the longest step, half the line's width."""
    height, width = image.shape[:2]
    longest, half = 1.5 * size[0] + 1.0, max(size[1], 0.75)
    span = math.ceil(longest + 2 * half) + 2
    window = jnp.arange(span) - span // 2

    def draw_trail(image: jax.Array, robot: tuple[_Marks, jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        mark, points, known = robot
        begin, along = points[:-1], points[1:] - points[:-1]
        joined = known[:-1] & known[1:] & (jnp.sum(along**2, axis=-1) <= longest**2)
        corner = jnp.floor(begin + along / 2).astype(jnp.int32)
        column, row = corner[:, None, 0:1] + window, corner[:, 1:2, None] + window[:, None]  # [T-1, 1, K], [T-1, K, 1]
        x, y = column + 0.5 - begin[:, None, 0:1], row + 0.5 - begin[:, 1:2, None]
        cover = _stroke((x, y), (along[:, None, 0:1], along[:, 1:2, None]), half)
        cover = jnp.where(joined[:, None, None], cover, 0.0)
        row, column = (jnp.where(i < 0, height + width, i) for i in (row, column))  # drop, rather than wrap round
        whole = jnp.zeros((height, width)).at[row, column].max(cover, mode="drop")
        return _over(image, mark.colour, 0.6 * mark.shown * whole), None

    return jax.lax.scan(draw_trail, image, (marks, position.swapaxes(0, 1), valid.swapaxes(0, 1)))[0]


def _draw_starts(image: jax.Array, marks: _Marks, radius: float) -> jax.Array:
    def draw_start(image: jax.Array, mark: _Marks) -> tuple[jax.Array, None]:
        def ring(pixels: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            distance = jnp.sqrt(x * x + y * y)
            return _over(pixels, mark.colour, 0.65 * mark.shown * _cover(jnp.abs(distance - radius) - 0.25 * radius))

        return _paint(image, mark.start, 1.25 * radius + 1, ring), None

    return jax.lax.scan(draw_start, image, marks)[0]


def _draw_goals(image: jax.Array, marks: _Marks, radius: float) -> jax.Array:
    """Targets: a ring of the goal radius, a light fill and a dot."""
    half = max(0.75, 0.07 * radius)

    def draw_goal(image: jax.Array, mark: _Marks) -> tuple[jax.Array, None]:
        def target(pixels: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            distance = jnp.sqrt(x * x + y * y)
            line = _cover(jnp.abs(distance - (radius - half)) - half)
            line = jnp.maximum(line, _cover(distance - 0.3 * radius))
            shade = jnp.maximum(line, 0.22 * _cover(distance - radius))
            return _over(pixels, mark.colour, mark.shown * shade)

        return _paint(image, mark.goal, radius + 1, target), None

    return jax.lax.scan(draw_goal, image, marks)[0]


def _draw_robots(image: jax.Array, marks: _Marks, radius: float, theme: Theme) -> jax.Array:
    """Discs with a shadow and a rim, and a glyph that tells how the robot fares."""
    rim = max(1.0, 0.13 * radius)

    def draw_robot(image: jax.Array, mark: _Marks) -> tuple[jax.Array, None]:
        # a robot that has collided is washed out, so that its cross and ring stand out
        colour = jnp.where(mark.collided, 0.7 * mark.colour + 0.3 * _rgb(theme.floor), mark.colour)

        def disc(pixels: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            distance = jnp.sqrt(x * x + y * y)
            from_shadow = jnp.sqrt((x - 0.12 * radius) ** 2 + (y + 0.18 * radius) ** 2)
            shade = _smooth((1.25 - from_shadow / radius) / 0.4)
            painted = _over(pixels, _rgb(theme.shadow), theme.shadow_strength * shade)
            painted = _over(painted, 0.55 * colour, _cover(distance - radius))
            painted = _over(painted, colour, _cover(distance - (radius - rim)))
            ring = _cover(jnp.abs(distance - radius - 0.5 * rim) - rim) * mark.collided
            painted = _over(painted, _rgb(theme.alarm), ring)
            painted = _over(painted, _rgb(theme.glyph), _glyph(mark, x / radius, y / radius, radius))
            return pixels + (painted - pixels) * mark.shown

        return _paint(image, mark.position, 1.45 * radius + 2, disc), None

    return jax.lax.scan(draw_robot, image, marks)[0]


def _glyph(mark: _Marks, x: jax.Array, y: jax.Array, radius: float) -> jax.Array:
    """Coverage of the arrow, tick or cross, at `x`, `y` in radii from the robot's centre."""
    cos, sin = jnp.cos(mark.heading), jnp.sin(mark.heading)
    ahead, aside = x * cos + y * sin, jnp.abs(y * cos - x * sin)
    # an arrowhead from (0.7, 0) to (-0.5, ±0.5), notched up to (-0.22, 0)
    flank = (1.2 * aside + 0.5 * (ahead - 0.7)) / 1.3
    notch = (-0.22 - ahead - 0.56 * aside) / 1.15
    arrow = _cover(jnp.maximum(flank, notch) * radius)

    def line(begin: tuple[float, float], end: tuple[float, float]) -> jax.Array:
        along = (jnp.float32((end[0] - begin[0]) * radius), jnp.float32((end[1] - begin[1]) * radius))
        return _stroke(((x - begin[0]) * radius, (y - begin[1]) * radius), along, max(0.12 * radius, 0.75))

    tick = jnp.maximum(line((-0.42, 0.02), (-0.12, -0.32)), line((-0.12, -0.32), (0.44, 0.36)))
    cross = jnp.maximum(line((-0.36, -0.36), (0.36, 0.36)), line((-0.36, 0.36), (0.36, -0.36)))
    return jnp.where(mark.collided, cross, jnp.where(mark.arrived, tick, arrow))


# -- pixels ---------------------------------------------------------------------------------------------------------


def _paint(image: jax.Array, centre: jax.Array, reach: float, layer: Layer) -> jax.Array:
    """Apply `layer` to the square patch of pixels that lie within `reach` of `centre` f32[2]."""
    height, width = image.shape[:2]
    size = 2 * math.ceil(reach) + 1
    rows, columns = min(size, height), min(size, width)
    corner = jnp.floor(centre).astype(jnp.int32) - math.ceil(reach)
    column, row = jnp.clip(corner[0], 0, width - columns), jnp.clip(corner[1], 0, height - rows)
    patch = jax.lax.dynamic_slice(image, (row, column, 0), (rows, columns, 3))
    x = (column + jnp.arange(columns) + 0.5 - centre[0])[None, :]
    y = (row + jnp.arange(rows) + 0.5 - centre[1])[:, None]
    return jax.lax.dynamic_update_slice(image, layer(patch, x, y), (row, column, 0))


def _stroke(point: tuple[jax.Array, jax.Array], along: tuple[jax.Array, jax.Array], half_width: float) -> jax.Array:
    """Coverage of the line from the origin to `along`, at `point`; both (x, y) in pixels."""
    (x, y), (dx, dy) = point, along
    share = jnp.clip((x * dx + y * dy) / jnp.maximum(dx * dx + dy * dy, 1e-6), 0.0, 1.0)
    return _cover(jnp.sqrt((x - share * dx) ** 2 + (y - share * dy) ** 2) - half_width)


def _cover(distance: jax.Array) -> jax.Array:
    """Share of a pixel that lies inside, by the signed distance of its centre from the outline in pixels."""
    return jnp.clip(0.5 - distance, 0.0, 1.0)


def _over(pixels: jax.Array, colour: jax.Array, opacity: jax.Array) -> jax.Array:
    return pixels + (colour - pixels) * opacity[..., None]


def _smooth(share: jax.Array) -> jax.Array:
    """0 below 0, 1 above 1, with level ends (Hermite's cubic)."""
    share = jnp.clip(share, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _rgb(colour: Colour) -> jax.Array:
    return jnp.asarray(np.array(colour, np.float32) / 255)
