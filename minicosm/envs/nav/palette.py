"""Colours of the navigation world's pictures."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

Colour = tuple[int, int, int]  # sRGB, 0 to 255


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of everything but the robots."""

    floor: Colour
    grid: Colour
    wall: Colour
    wall_edge: Colour
    shadow: Colour
    shadow_strength: float  # 0 none, 1 opaque
    glyph: Colour  # the arrow, tick or cross on a robot
    alarm: Colour  # the ring around a robot that has collided
    fan_strength: float  # opacity of a lidar fan at its robot


LIGHT = Theme(
    floor=(250, 249, 246),
    grid=(232, 231, 226),
    wall=(88, 100, 117),
    wall_edge=(62, 72, 87),
    shadow=(40, 45, 60),
    shadow_strength=0.30,
    glyph=(255, 255, 255),
    alarm=(214, 39, 40),
    fan_strength=0.30,
)
DARK = Theme(
    floor=(30, 33, 41),
    grid=(39, 43, 52),
    wall=(94, 104, 122),
    wall_edge=(124, 135, 154),
    shadow=(0, 0, 0),
    shadow_strength=0.50,
    glyph=(255, 255, 255),
    alarm=(255, 82, 82),
    fan_strength=0.34,
)


@functools.cache
def palette(num_colours: int) -> np.ndarray[Any, Any]:
    """sRGB, f32[num_colours, 3] from 0 to 1, all distinct. The first 8 stay apart under colour blindness.

    Those are Okabe and Ito's (2008) without black, and Tol's wine (2021). Each further one is, of a grid of colours,
    the farthest in OKLab (Ottosson 2020) from those before it and, counted 0.6 times, from what lies around them.
    """
    names = ("0072B2", "E69F00", "009E73", "D55E00", "56B4E9", "CC79A7", "882255", "F0E442")
    chosen = np.array([[int(name[i : i + 2], 16) for i in (0, 2, 4)] for name in names]) / 255
    around = [LIGHT.floor, LIGHT.wall, DARK.floor, DARK.wall, LIGHT.glyph, LIGHT.alarm]
    levels = np.linspace(0.05, 0.95, 10)
    candidates = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    places = _oklab(candidates)
    to_chosen = np.linalg.norm(places[:, None] - _oklab(chosen), axis=-1)
    to_around = np.linalg.norm(places[:, None] - _oklab(np.array(around) / 255), axis=-1)
    nearest = np.minimum(to_chosen.min(axis=1), 0.6 * to_around.min(axis=1))
    while len(chosen) < num_colours:
        best = int(np.argmax(nearest))
        chosen = np.concatenate([chosen, candidates[best : best + 1]])
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=-1))
    return chosen[:num_colours].astype(np.float32)


def _oklab(srgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """OKLab, [..., 3], where distances follow the eye, from sRGB in 0 to 1."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    lab: np.ndarray[Any, Any] = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return lab
