"""Pictures of the maze world, made on the device, with no graphics library.

The walls are drawn from a map blurred a little and cut at one half, which leaves straight edges where they are and
rounds the corners. Enlarging and blurring along each axis is one product with a small constant matrix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.maze import observe
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.env import Maze, State
from minicosm.envs.maze.level import STEPS

Colour = tuple[int, int, int]  # sRGB, 0 to 255

# Okabe and Ito (2008) without black and yellow, then Tol (2021): distinct under colour blindness at least up to 8
_AGENTS: tuple[Colour, ...] = (
    (213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (136, 34, 85),
    (153, 153, 51), (51, 34, 136), (170, 68, 153), (17, 119, 51), (204, 102, 119), (68, 170, 153), (102, 17, 0),
    (119, 170, 221), (170, 170, 0),
)  # fmt: skip
_LONE_GOAL: Colour = (36, 160, 84)  # of a single agent, green as in MiniGrid
_ROUNDING, _SHADOW = 0.34, 0.55  # cells over which the walls and their shadow are blurred
_FRAME = 0.5  # cells of outer wall shown around the map


@dataclasses.dataclass(frozen=True)
class DrawStyle:
    """How a picture looks. Raises ValueError, naming the field, for a value that cannot work."""

    pixels_per_cell: int = 32  # 4 to 128
    view: bool = True  # light up the cells that each agent sees
    starts: bool = True  # mark where each agent started
    floor: Colour = (250, 249, 246)
    grid: Colour = (231, 230, 225)
    wall: Colour = (74, 84, 100)
    wall_edge: Colour = (52, 60, 73)
    shadow: Colour = (40, 45, 60)

    def __post_init__(self) -> None:
        pixels = self.pixels_per_cell
        if isinstance(pixels, bool) or not isinstance(pixels, int) or not 4 <= pixels <= 128:
            raise ValueError(f"DrawStyle.pixels_per_cell is {pixels!r}; expected a whole number from 4 to 128")


def draw(state: State, config: MazeConfig, style: DrawStyle = DrawStyle()) -> jax.Array:
    """A picture of one maze, u8[height, width, 3]: `style.pixels_per_cell` pixels a cell, and a frame of outer wall.

    Agents are arrows that point where they look, goals filled squares (green for a single agent, otherwise of the
    agent's colour), starts rings; the cells that an agent sees are tinted. Pure: `jit` and `vmap` apply.
    """
    pixels = style.pixels_per_cell
    walls = Maze(config).walls(state)
    x, y = (jnp.asarray(_centres(size, pixels)) for size in (config.width, config.height))  # cells
    x, y = x[None, :], y[:, None]
    image = jnp.broadcast_to(_rgb(style.floor), (y.shape[0], x.shape[1], 3))
    near_line = jnp.minimum(jnp.abs(x - jnp.round(x)), jnp.abs(y - jnp.round(y)))
    image = _over(image, style.grid, jnp.clip(1.0 - near_line * pixels, 0.0, 1.0) * min(1.0, pixels / 24))
    if style.view:
        image = _draw_views(image, state, config, style)
    dark = jnp.clip(_blurred(walls, pixels, _SHADOW, (0.10, 0.14)) * 1.6 - 0.25, 0.0, 1.0)
    image = _over(image, style.shadow, 0.28 * dark)
    field = (_blurred(walls, pixels, _ROUNDING) - 0.5) * _ROUNDING * pixels  # pixels inside a wall, near its edge
    image = _over(image, style.wall_edge, jnp.clip(field + 0.5, 0.0, 1.0))
    image = _over(image, style.wall, jnp.clip(field + 0.5 - max(1.0, 0.07 * pixels), 0.0, 1.0))
    for agent in range(config.num_agents):
        image = _draw_goal(image, state, agent, (x, y), pixels)
        if style.starts:
            ring = jnp.abs(_distance(state.start[agent], (x, y)) - 0.24) - 0.04
            image = _over(image, _AGENTS[agent], 0.6 * _cover(ring, pixels))
    for agent in range(config.num_agents):
        image = _draw_agent(image, state, agent, (x, y), pixels)
    return jnp.round(jnp.clip(image, 0.0, 1.0) * 255).astype(jnp.uint8)


def _draw_views(image: jax.Array, state: State, config: MazeConfig, style: DrawStyle) -> jax.Array:
    """Tint what each agent sees."""
    size = config.view_size
    agents = observe.Agents(state.position, state.direction, state.goal, state.success)
    seen, _ = observe.objects(state.rows, agents, config)
    row, column = np.mgrid[0 : config.height, 0 : config.width]
    for agent in range(config.num_agents):
        step = jnp.asarray(STEPS)[state.direction[agent]]
        right, below = column - state.position[agent, 0], row - state.position[agent, 1]
        i = below * step[0] - right * step[1] + size // 2
        j = size - 1 - (right * step[0] + below * step[1])
        inside = (i >= 0) & (i < size) & (j >= 0) & (j < size)
        kind = seen[agent][jnp.clip(i, 0, size - 1), jnp.clip(j, 0, size - 1)]
        lit = inside & (kind != observe.UNSEEN) & ~(state.success[agent] & (config.num_agents > 1))
        tint = _blurred(lit, style.pixels_per_cell, 0.12, outside=0.0)
        image = _over(image, _AGENTS[agent] if config.num_agents > 1 else (255, 196, 64), 0.22 * tint)
    return image


def _draw_goal(image: jax.Array, state: State, agent: int, at: tuple[Any, Any], pixels: int) -> jax.Array:
    colour = _LONE_GOAL if state.goal.shape[0] == 1 else _AGENTS[agent]
    goal = state.goal[agent]
    aside = [jnp.maximum(jnp.abs(a - (goal[k] + 0.5)) - 0.24, 0.0) for k, a in enumerate(at)]
    square = jnp.sqrt(aside[0] ** 2 + aside[1] ** 2) - 0.13
    dot = jnp.abs(_distance(goal, at) - 0.14) - 0.045
    image = _over(image, _darker(colour), _cover(square, pixels))
    image = _over(image, colour, _cover(square + max(0.05, 1.2 / pixels), pixels))
    return _over(image, (255, 255, 255), 0.9 * _cover(dot, pixels))


def _draw_agent(image: jax.Array, state: State, agent: int, at: tuple[Any, Any], pixels: int) -> jax.Array:
    """An arrowhead with a notch behind, and a shadow."""
    step = jnp.asarray(STEPS)[state.direction[agent]].astype(jnp.float32)
    shown = jnp.where(state.success[agent] & (state.success.shape[0] > 1), 0.0, 1.0)
    corners = np.array([(0.33, 0.0), (-0.27, 0.26), (-0.13, 0.0), (-0.27, -0.26)])

    def outside(shift: float) -> jax.Array:
        right, below = (a - (state.position[agent, k] + 0.5 + shift) for k, a in enumerate(at))
        ahead, aside = right * step[0] + below * step[1], below * step[0] - right * step[1]
        return _to_polygon(ahead, aside, corners) - 0.055

    image = _over(image, (0, 0, 0), 0.22 * shown * jnp.clip(0.5 - outside(0.05) * 9, 0.0, 1.0))
    arrow = outside(0.0)
    image = _over(image, _darker(_AGENTS[agent]), shown * _cover(arrow, pixels))
    return _over(image, _AGENTS[agent], shown * _cover(arrow + max(0.045, 1.1 / pixels), pixels))


def _to_polygon(x: jax.Array, y: jax.Array, corners: np.ndarray[Any, Any]) -> jax.Array:
    """Signed distance, negative inside, from (x, y) to the polygon with `corners` [N, 2]."""
    nearest, inside = jnp.full(jnp.broadcast_shapes(x.shape, y.shape), jnp.inf), jnp.bool_(False)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along_x, along_y = bx - ax, by - ay
        share = jnp.clip(((x - ax) * along_x + (y - ay) * along_y) / (along_x**2 + along_y**2), 0.0, 1.0)
        nearest = jnp.minimum(nearest, (x - ax - share * along_x) ** 2 + (y - ay - share * along_y) ** 2)
        if along_y != 0:  # an edge that a ray along x may cross
            crossed = ((ay > y) != (by > y)) & (x < ax + along_x * (y - ay) / along_y)
            inside = inside ^ crossed
    return jnp.sqrt(nearest) * jnp.where(inside, -1.0, 1.0)


def _centres(size: int, pixels: int) -> np.ndarray[Any, Any]:
    """f32: places of the pixels along an axis of `size` cells, in cells from the map's first."""
    frame = round(_FRAME * pixels)
    return ((np.arange(size * pixels + 2 * frame) - frame + 0.5) / pixels).astype(np.float32)


def _blurred(
    cells: jax.Array, pixels: int, width: float, shift: tuple[float, float] = (0.0, 0.0), outside: float = 1.0
) -> jax.Array:
    """f32[height, width] from bool[H, W]: enlarged, moved by `shift` cells (x, y) and averaged over `width` cells."""
    padded = jnp.pad(cells.astype(jnp.float32), 2, constant_values=outside)

    def enlarge(size: int, shift: float) -> jax.Array:
        at = _centres(size, pixels)[:, None] - shift
        cell = np.arange(-2, size + 2)[None]
        overlap = np.minimum(at + width / 2, cell + 1) - np.maximum(at - width / 2, cell)
        return jnp.asarray(np.clip(overlap / width, 0.0, 1.0), jnp.float32)

    height, across = cells.shape
    rows = jnp.matmul(enlarge(height, shift[1]), padded, precision="highest")
    return jnp.matmul(rows, enlarge(across, shift[0]).T, precision="highest")


def _distance(place: jax.Array, at: tuple[Any, Any]) -> jax.Array:
    """Cells from the middle of the cell `place` i32[2]."""
    return jnp.sqrt((at[0] - (place[0] + 0.5)) ** 2 + (at[1] - (place[1] + 0.5)) ** 2)


def _cover(outside: jax.Array, pixels: int) -> jax.Array:
    """Share of a pixel that is covered, from the signed distance of its middle in cells."""
    return jnp.clip(0.5 - outside * pixels, 0.0, 1.0)


def _over(image: jax.Array, colour: Sequence[int], cover: jax.Array) -> jax.Array:
    return image + (_rgb(colour) - image) * cover[..., None]


def _rgb(colour: Sequence[int]) -> jax.Array:
    return jnp.asarray(np.array(colour, np.float32) / 255)


def _darker(colour: Colour) -> tuple[int, ...]:
    return tuple(round(0.6 * c) for c in colour)
