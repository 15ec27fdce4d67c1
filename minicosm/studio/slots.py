"""Which id stands behind a slot's number: the engine counts, people name."""

from __future__ import annotations

from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.format import LevelFile


def slot_ids(file: LevelFile, config: PhysicsConfig) -> list[str]:
    """The id of the shape in each slot of the config's size; "" where a slot is empty. The level must fit the size."""
    size = config.slots
    ids = [""] * size.num_shapes
    for slot, wall in enumerate(file.wall_ids):
        ids[slot] = wall
    polygon, circle = size.num_walls, size.num_polygons
    for shape in file.shapes:
        if shape.circle is None:
            ids[polygon] = shape.id
            polygon += 1
        else:
            ids[circle] = shape.id
            circle += 1
    return ids
