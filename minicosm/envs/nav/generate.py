"""Level generators: vectorised, one pass, every level solvable for every robot by construction."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from minicosm.envs.nav import bitboard
from minicosm.envs.nav.carving import uniform
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level
from minicosm.envs.nav.patterns import PATTERNS, Grid, Sketch, capacity
from minicosm.envs.nav.place import place


def generate(key: jax.Array, config: NavConfig) -> Level:
    """Draw a level of `config.level_kind`; "mixed" draws the kind too, from those that fit the map.

    The map is drawn in blocks of `block_size(config)` cells, so that each free block has a place with clearance
    in its middle, joined to that of the next free block. The free blocks are one 4-connected part. Starts and
    first goals are middles of different blocks, and so are a robot's start and goal; with `num_goals` above 1
    each goal differs from the one before, and the last from the first.

    Raises ValueError when the map is too small for its kind or for the robots (see `check_hosts`).
    """
    check_hosts(config)
    grid = _grid(config)
    key_sketch, key_rest = jax.random.split(key)
    sketch = _sketch(key_sketch, config, grid)
    random = uniform(jax.random.bits(key_rest, (config.num_goals + 5, config.num_robots)))
    start, goals = place(random[4:], sketch, grid)
    return _level(random[:4], sketch, start, goals, config)


def block_size(config: NavConfig) -> int:
    """Cells along a side of a block: enough for a robot's clearance, and more than the goal radius."""
    return max(2 * config.clearance + 1, math.floor(config.goal_radius / config.cell_size + 1e-9) + 1)


def check_hosts(config: NavConfig) -> None:
    """Raise ValueError, saying what to change, unless every level that `generate` draws can host the robots."""
    grid = _grid(config)
    kind, robots = config.level_kind, config.num_robots
    blocks = f"{grid.width} x {grid.height} blocks of {block_size(config)} cells inside the border"
    if kind == "mixed":
        if not _kinds_that_fit(config):
            raise ValueError(
                f"no kind of level hosts {robots} robots on a map of {config.width} x {config.height} cells ({blocks}):"
                " enlarge NavConfig.height and width, or lower num_robots"
            )
        return
    room = capacity(kind, grid) if min(grid.height, grid.width) > 0 else 0
    if room < _needed(config):
        raise ValueError(
            f"a {kind!r} level of {config.width} x {config.height} cells ({blocks}) is sure to host"
            f" {max(0, room - 1)} robots, not {robots} with {config.num_goals} goals each:"
            " enlarge NavConfig.height and width, lower num_robots, or choose another level_kind"
        )


def _needed(config: NavConfig) -> int:
    """Free blocks needed to place the robots and their goals."""
    return max(config.num_robots + 1, 3 if config.num_goals > 1 else 2)


def _kinds_that_fit(config: NavConfig) -> list[str]:
    grid = _grid(config)
    if min(grid.height, grid.width) < 1:
        return []
    return [kind for kind in PATTERNS if capacity(kind, grid) >= _needed(config)]


def _grid(config: NavConfig) -> Grid:
    size = block_size(config)
    return Grid((config.height - 2) // size, (config.width - 2) // size, config.num_robots, config.max_fill)


def _sketch(key: jax.Array, config: NavConfig, grid: Grid) -> Sketch:
    if config.level_kind != "mixed":
        return PATTERNS[config.level_kind](key, grid)
    key_kind, key_pattern = jax.random.split(key)

    def alike(kind: str, key: jax.Array) -> Sketch:
        """The pattern's sketch with every field filled in, as the branches of a switch must be."""
        sketch = PATTERNS[kind](key, grid)
        return Sketch(
            free=sketch.free,
            near=sketch.free if sketch.near is None else sketch.near,
            far=jnp.zeros_like(sketch.free) if sketch.far is None else sketch.far,
            start=jnp.full((grid.num_robots, 2), -1) if sketch.start is None else sketch.start,
        )

    kinds = _kinds_that_fit(config)
    kind_index = jax.random.randint(key_kind, (), 0, len(kinds))
    branches = [lambda key, kind=kind: alike(kind, key) for kind in kinds]
    sketch: Sketch = jax.lax.switch(kind_index, branches, key_pattern)
    return sketch


def _level(random: jax.Array, sketch: Sketch, start: jax.Array, goals: jax.Array, config: NavConfig) -> Level:
    """The level in cells and metres; cells that no block covers are walls, on a random side.

    `random` is f32[4, A] in [0, 1).
    """
    size, grid = block_size(config), _grid(config)
    spare = jnp.array([config.width - 2 - grid.width * size, config.height - 2 - grid.height * size])
    offset = 1 + (random[0:2, 0] * (spare + 1)).astype(jnp.int32)  # of the first block, (column, row)

    def centre(blocks: jax.Array) -> jax.Array:
        return (offset + blocks * size + (size // 2 + 0.5)) * config.cell_size

    start, goals = centre(start), centre(goals)
    heading = (2 * random[2] - 1) * jnp.pi
    if sketch.start is not None:
        ahead = goals[:, 0] - start
        facing = jnp.arctan2(ahead[:, 1], ahead[:, 0])
        heading = jnp.where(sketch.start[:, 0] >= 0, facing, heading)
    sharing = random[3] if config.random_sharing else jnp.full((config.num_robots,), config.sharing)
    return Level(
        walls=~_in_cells(bitboard.unpack(sketch.free, grid.width), offset, config),
        start=start,
        start_heading=heading,
        goals=goals,
        active=jnp.ones((config.num_robots,), bool),
        sharing=sharing,
    )


def _in_cells(free: jax.Array, offset: jax.Array, config: NavConfig) -> jax.Array:
    """bool[H, W] free cells, from bool[h, w] free blocks of which the first begins at `offset` (column, row)."""
    size = block_size(config)
    height, width = free.shape
    spare_rows, spare_columns = config.height - 2 - height * size, config.width - 2 - width * size
    cells = jnp.repeat(jnp.repeat(free, size, axis=0), size, axis=1)
    cells = jnp.pad(cells, ((1, 1 + spare_rows), (1, 1 + spare_columns)))
    if spare_rows:
        cells = cells[(jnp.arange(config.height) - (offset[1] - 1)) % config.height]
    if spare_columns:
        cells = cells[:, (jnp.arange(config.width) - (offset[0] - 1)) % config.width]
    return cells
