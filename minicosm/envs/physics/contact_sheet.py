"""Many levels at a glance: their pictures side by side, each with its name."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from minicosm.envs.physics.draw import DrawStyle, draw
from minicosm.envs.physics.engine.build import start
from minicosm.envs.physics.level import Level

_TILE = DrawStyle(pixels=256)


def contact_sheet(
    levels: Sequence[Level], names: Sequence[str] = (), columns: int = 6, style: DrawStyle = _TILE
) -> np.ndarray[Any, Any]:
    """A picture of all `levels` (one by one, of any sizes) as they start, u8[height, width, 3], row by row.

    With `names`, one a level, each stands below its picture; that needs pillow, and raises ImportError without it.
    Save it with `PIL.Image.fromarray(sheet).save(path)`. Raises ValueError where names and levels do not pair up.
    """
    if not levels:
        raise ValueError("contact_sheet was given no levels: it needs at least one")
    if names and len(names) != len(levels):
        raise ValueError(f"contact_sheet was given {len(names)} names for {len(levels)} levels: give one each, or none")
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ValueError(f"columns is {columns!r}; expected a whole number from 1")
    columns = min(columns, len(levels))
    gap = max(2, style.pixels // 24)
    label = max(14, style.pixels // 12) + gap // 2 if names else 0
    tile_height, tile_width = style.pixels + label + gap, style.width + gap
    rows = math.ceil(len(levels) / columns)
    paper = np.array(style.theme.ground, np.uint8)
    sheet = np.tile(paper, (rows * tile_height + gap, columns * tile_width + gap, 1))
    for i, level in enumerate(levels):
        top, left = gap + i // columns * tile_height, gap + i % columns * tile_width
        sheet[top : top + style.pixels, left : left + style.width] = _drawn(level, style)
    if not names:
        return sheet
    corners = [(gap + i % columns * tile_width, (i // columns + 1) * tile_height - label) for i in range(len(levels))]
    return _labelled(sheet, names, corners, style)


def _drawn(level: Level, style: DrawStyle) -> np.ndarray[Any, Any]:
    return np.asarray(_first_picture(style)(level))


@functools.cache
def _first_picture(style: DrawStyle) -> Any:
    def picture(level: Level) -> jax.Array:
        state = start(level.scene, level.position, level.rotation, level.velocity, level.angular_velocity)
        return draw(level, state, None, style)

    return jax.jit(picture)


def _labelled(
    sheet: np.ndarray[Any, Any], names: Sequence[str], corners: list[tuple[int, int]], style: DrawStyle
) -> np.ndarray[Any, Any]:
    """The sheet with each name, shortened where it is wider than a picture, at its corner (x, y)."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError('names need pillow, which is not installed: run pip install "minicosm[plot]"') from error
    image = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=max(11, style.pixels // 16))
    for name, corner in zip(names, corners, strict=True):
        text = name
        while len(text) > 1 and pen.textlength(text, font=font) > style.width:
            text = text.removesuffix("…")[:-1] + "…"
        pen.text(corner, text, fill=style.theme.text, font=font)
    return np.array(image)
