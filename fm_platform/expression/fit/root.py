"""Brent's root finder with the stopping tolerance that R's ``uniroot`` has by default.

Belongs here: zeroin as Brent published it (Algorithms for Minimization without Derivatives, 1973, chapter 4).
Does not belong here: the functions whose roots are wanted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

R_TOLERANCE = sys.float_info.epsilon**0.25
_ROUNDS = 1000


def brent(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """A root between ``low`` and ``high``, where the function has different signs.

    Args:
        function: Continuous.
        low: One end.
        high: The other.
        tolerance: How far from the root the answer may be.
    """
    a, b = low, high
    fa, fb = function(a), function(b)
    c, fc = a, fa
    for _ in range(_ROUNDS):
        last = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 2 * sys.float_info.epsilon * abs(b) + tolerance / 2
        step = (c - b) / 2
        if abs(step) <= least or fb == 0.0:
            return b
        if abs(last) >= least and abs(fa) > abs(fb):
            step = _interpolated(a, b, c, fa, fb, fc, last, least, step)
        if abs(step) < least:
            step = least if step > 0 else -least
        a, fa = b, fb
        b += step
        fb = function(b)
        if (fb > 0) == (fc > 0) and fb != 0.0:
            c, fc = a, fa
    return b


def _interpolated(
    a: float, b: float, c: float, fa: float, fb: float, fc: float, last: float, least: float, half: float
) -> float:
    """The secant or inverse-quadratic step, unless halving is safer."""
    width = c - b
    if a == c:
        ratio = fb / fa
        p, q = width * ratio, 1.0 - ratio
    else:
        first, second, third = fa / fc, fb / fc, fb / fa
        p = third * (width * first * (first - second) - (b - a) * (second - 1.0))
        q = (first - 1.0) * (second - 1.0) * (third - 1.0)
    if p > 0:
        q = -q
    else:
        p = -p
    inside = p < 0.75 * width * q - abs(least * q) / 2 and p < abs(last * q / 2)
    return p / q if inside else half
