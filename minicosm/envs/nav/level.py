"""A navigation level: the map, and where each robot starts and goes."""

from __future__ import annotations

import jax

from minicosm.envs import struct


@struct.dataclass
class Level:
    """What is played. Cell (row, column) covers x in [column, column + 1) and y in [row, row + 1), in cells.

    Positions are in metres, x to the right and y up, the map's corner at the origin; everything outside the
    map is wall. Start cells and goal cells of each robot lie in one connected part of the free space.
    """

    walls: jax.Array  # bool[H, W]  True where occupied
    start: jax.Array  # f32[A, 2]  m
    start_heading: jax.Array  # f32[A]  rad, anticlockwise from +x
    goals: jax.Array  # f32[A, G, 2]  m, visited in order
    active: jax.Array  # bool[A]  False: no robot in this slot
    sharing: jax.Array  # f32[A]  share of the team's mean in this robot's reward, 0 to 1
