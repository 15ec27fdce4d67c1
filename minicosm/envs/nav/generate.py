"""Level generators: vectorised, one pass, every level solvable for every robot by construction."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.level import Level


def generate(key: jax.Array, config: NavConfig) -> Level:
    """Draw a level of `config.level_kind`."""
    key_walls, key_cells, key_heading, key_share = jax.random.split(key, 4)
    free = clutter(key_walls, config)
    return place_robots(key_cells, key_heading, key_share, free, config)


def clutter(key: jax.Array, config: NavConfig) -> jax.Array:
    """bool[H, W] free cells: random walls, laid only where they do not cut the free space (see `fill_safely`)."""
    shape = (config.height, config.width)
    key_fill, key_order, key_shift = jax.random.split(key, 3)
    fill = jax.random.uniform(key_fill, maxval=config.max_fill)
    order = jax.random.uniform(key_order, shape)
    shift = jax.random.randint(key_shift, (2,), 0, 2)
    row, column = jnp.arange(shape[0])[:, None] + shift[0], jnp.arange(shape[1])[None, :] + shift[1]
    parity = (row % 2) * 2 + column % 2
    inner = jnp.pad(jnp.ones((shape[0] - 2, shape[1] - 2), bool), 1)
    free = inner
    for part in range(3):
        lot = (order >= fill * part / 3) & (order < fill * (part + 1) / 3)
        for colour in range(4):
            free = free & ~(lot & (parity == colour) & inner & _is_dispensable(free))
    return free


def _is_dispensable(free: jax.Array) -> jax.Array:
    """bool[H, W]: filling this cell leaves its free 4-neighbours 4-connected among its 8 neighbours.

    Yokoi's connectivity number for 4-connectivity is at most 1. Cells of one parity class are not among each
    other's 8 neighbours, so a whole class can be filled at once.
    """
    padded = jnp.pad(free, 1)

    def at(dy: int, dx: int) -> jax.Array:
        return padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]

    ring = [at(0, 1), at(1, 1), at(1, 0), at(1, -1), at(0, -1), at(-1, -1), at(-1, 0), at(-1, 1)]
    number = sum(
        (ring[k] & ~(ring[k + 1] & ring[(k + 2) % 8])).astype(jnp.int8) for k in (0, 2, 4, 6)
    )
    return (number <= 1) & (ring[0] | ring[2] | ring[4] | ring[6])


def place_robots(
    key: jax.Array, key_heading: jax.Array, key_share: jax.Array, free: jax.Array, config: NavConfig
) -> Level:
    agents, goals = config.num_robots, config.num_goals
    score = jnp.where(free, jax.random.uniform(key, free.shape), -1.0).ravel()
    _, cells = jax.lax.top_k(score, 2 * agents)
    centre = (jnp.stack([cells % config.width, cells // config.width], axis=-1) + 0.5) * config.cell_size
    return Level(
        walls=~free,
        start=centre[:agents],
        start_heading=jax.random.uniform(key_heading, (agents,), minval=-jnp.pi, maxval=jnp.pi),
        goals=jnp.repeat(centre[agents:, None], goals, axis=1),
        active=jnp.ones((agents,), bool),
        sharing=jnp.full((agents,), config.sharing),
    )
