"""Colours of the 2D universe's pictures."""

from __future__ import annotations

import dataclasses

Colour = tuple[int, int, int]  # sRGB, 0 to 255


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of everything that is drawn."""

    ground: Colour
    grid: Colour  # a line each metre
    fixed: Colour  # static scenery
    fixed_edge: Colour  # outline of everything static, whatever its role
    loose: Colour  # dynamic scenery
    loose_edge: Colour
    green: Colour
    blue: Colour
    red: Colour
    shadow: Colour
    shadow_strength: float  # 0 none, 1 opaque
    metal: Colour  # pins, welds and the outlines of nozzles
    stripe: Colour  # on what is red
    automatic: Colour  # motors and thrusters that no action drives
    glyph: Colour  # marks on shapes, and the middles of pins
    text: Colour  # names below pictures
    flame: Colour
    flame_core: Colour
    bindings: tuple[Colour, ...]  # of the motor actions, then of the thruster actions; then again


# Apart under colour blindness too: green is the light one, red the dark one.
_GREEN, _BLUE, _RED = (62, 196, 120), (36, 100, 226), (208, 36, 46)
_BINDINGS = ((247, 166, 30), (156, 92, 210), (26, 188, 214), (236, 104, 172), (168, 188, 44), (176, 116, 68))

LIGHT = Theme(
    ground=(250, 249, 246),
    grid=(237, 236, 231),
    fixed=(88, 100, 117),
    fixed_edge=(56, 65, 80),
    loose=(192, 202, 214),
    loose_edge=(112, 124, 142),
    green=_GREEN,
    blue=_BLUE,
    red=_RED,
    shadow=(40, 45, 60),
    shadow_strength=0.22,
    metal=(52, 58, 70),
    stripe=(110, 0, 20),
    automatic=(128, 132, 140),
    glyph=(255, 255, 255),
    text=(52, 58, 70),
    flame=(255, 128, 20),
    flame_core=(255, 226, 110),
    bindings=_BINDINGS,
)
DARK = Theme(
    ground=(28, 31, 39),
    grid=(37, 41, 50),
    fixed=(86, 96, 114),
    fixed_edge=(122, 133, 152),
    loose=(158, 168, 186),
    loose_edge=(96, 106, 124),
    green=(74, 214, 134),
    blue=(66, 124, 246),
    red=(222, 52, 56),
    shadow=(0, 0, 0),
    shadow_strength=0.45,
    metal=(22, 24, 30),
    stripe=(110, 0, 20),
    automatic=(128, 132, 140),
    glyph=(255, 255, 255),
    text=(206, 212, 222),
    flame=(255, 128, 20),
    flame_core=(255, 232, 130),
    bindings=_BINDINGS,
)
