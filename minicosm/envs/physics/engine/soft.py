"""Soft constraints: a damped spring, solved implicitly as a row of Gauss-Seidel (E. Catto, GDC 2011)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Softness(NamedTuple):
    """Coefficients of impulse' = (1 - impulse_scale) impulse - mass_scale mass (velocity + rate error)."""

    rate: Any  # 1/s: of the error, driven out as velocity
    mass_scale: Any
    impulse_scale: Any


def softness(hertz: Any, damping: Any, step: float) -> Softness:
    """Of a spring of frequency `hertz` (Hz) and damping ratio `damping`, over `step` seconds; numbers or arrays."""
    frequency = 2.0 * math.pi * hertz
    a = 2.0 * damping + step * frequency
    b = step * frequency * a
    return Softness(frequency / a, b / (1.0 + b), 1.0 / (1.0 + b))
