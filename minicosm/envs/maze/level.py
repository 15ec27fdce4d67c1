"""A maze level: the walls, and where each agent starts and goes."""

from __future__ import annotations

import jax

from minicosm.envs import struct

# directions as in MiniGrid: 0 right, 1 down, 2 left, 3 up
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (column, row) of one step in each direction


@struct.dataclass
class Level:
    """What is played. Places are (column, row), row 0 at the top; everything outside the map is wall."""

    walls: jax.Array  # bool[H, W]  True where wall
    start: jax.Array  # i32[A, 2]  free cells, all different
    direction: jax.Array  # i32[A]  faced at the start: 0 right, 1 down, 2 left, 3 up
    goal: jax.Array  # i32[A, 2]  free cells, all different; each differs from its agent's start
