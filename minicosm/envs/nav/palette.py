"""Colours of the navigation world's pictures."""

from __future__ import annotations

import dataclasses
import functools
import math
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

    Those are Okabe and Ito's (2008) without black, and Tol's wine (2021); the rest go round the hues of OKLCH
    (Ottosson 2020) by the golden angle, alternating between three lightnesses.
    """
    names = ("0072B2", "E69F00", "009E73", "D55E00", "56B4E9", "CC79A7", "882255", "F0E442")
    fixed = np.array([[int(name[i : i + 2], 16) for i in (0, 2, 4)] for name in names]) / 255
    extra = np.arange(max(num_colours - len(fixed), 0))
    hue = 0.5 + extra * math.pi * (3 - math.sqrt(5))
    lightness, chroma = np.array([0.55, 0.72, 0.42])[extra % 3], 0.13
    rest = _from_oklab(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1))
    return np.concatenate([fixed, rest])[:num_colours].astype(np.float32)


def _from_oklab(lab: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """OKLab [..., 3] to sRGB in 0 to 1, clipped to the gamut."""
    roots = lab @ np.array(
        [[1, 1, 1], [0.3963377774, -0.1055613458, -0.0894841775], [0.2158037573, -0.0638541728, -1.2914855480]]
    )
    linear = roots**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.7076147010],
        ]
    )
    linear = np.clip(linear, 0, 1)
    srgb: np.ndarray[Any, Any] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return srgb
