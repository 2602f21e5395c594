"""How numbers are written on the page, and whether two numbers are the same there.

Belongs here: number to text, comparison at printed precision. Does not belong here: computing.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

DASH = "–"
MINUS = "−"
NOISE = 1e-9
"""Relative difference that is rounding of the machine."""
_RAISED = dict(zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))


def fixed(value: float | None, digits: int, *, plus: bool = False) -> str:
    """A number with so many decimals, half away from zero."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    sign = MINUS if rounded < 0 else "+" if plus and rounded > 0 else ""
    return f"{sign}{abs(rounded):f}"


def short(value: float | None) -> str:
    """One decimal, or none where it would be 0."""
    text = fixed(value, 1)
    return text.removesuffix(".0")


def probability(p: float | None) -> str:
    """A p-value: three decimals, more where rounding would move it to 0.05."""
    if p is None or math.isnan(p):
        return DASH
    if p < 0.001:
        return "<0.001"
    if p == 1:
        return "1"
    if p >= 0.9995:
        return ">0.999"
    digits = 3
    while Decimal(fixed(p, digits)) == Decimal("0.05") and p != 0.05:
        digits += 1
    return fixed(p, digits)


def with_floor(p: float | None, floor: float | None) -> str:
    """A p-value and the smallest that there could be."""
    text = probability(p)
    return text if p is None or floor is None else f"{text} (floor {probability(floor)})"


def small(p: float | None) -> str:
    """A p-value of a screen of genes."""
    if p is None or math.isnan(p) or p >= 0.001:
        return probability(p)
    if p < 1e-300:
        return "<10" + "".join(_RAISED[mark] for mark in "-300")
    mantissa, exponent = f"{p:.1e}".split("e")
    return f"{mantissa}×10" + "".join(_RAISED[mark] for mark in str(int(exponent)))


def interval(low: float | None, high: float | None, level: float | None) -> str:
    """An interval and the level it has."""
    if low is None or high is None or level is None:
        return "no 95% interval attainable"
    return f"{short(100 * level)}% CI {fixed(low, 1)} to {fixed(high, 1)}"


def percent(part: int, whole: int) -> str:
    """A share in percent: whole below 100 people, else with one decimal."""
    if not whole:
        return DASH
    unit = Decimal(1) if whole < 100 else Decimal("0.1")
    return f"{(Decimal(100 * part) / Decimal(whole)).quantize(unit, ROUND_HALF_UP)}%"


def of(part: int | None, whole: int | None) -> str:
    """4/6 (67%)."""
    return DASH if part is None or not whole else f"{part}/{whole} ({percent(part, whole)})"


def share_interval(low: float | None, high: float | None) -> str:
    """22.3% to 95.7%."""
    return DASH if low is None or high is None else f"{fixed(100 * low, 1)}% to {fixed(100 * high, 1)}%"


WRITE = {
    "count": lambda value: str(int(value)),
    "0.1": lambda value: fixed(value, 1),
    "0.01": lambda value: fixed(value, 2),
    "percent": lambda value: fixed(100 * value, 1),
    "p": probability,
    "small p": small,
    "full": lambda value: f"{value:.7g}",
}


def write(value: Any, precision: str) -> str:
    """A value as published.csv prints it; nothing for None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value) if precision == "text" else WRITE[precision](value)


def same(published: dict[str, Any], value: Any) -> bool:
    """Whether a recomputed value is the published one at printed precision.

    The published text must also be that of the published exact value. A difference of machine rounding that falls on
    the edge between two printed numbers is none.
    """
    precision, printed = published["precision"], published["printed"] or ""
    exact = published["value"] or ""
    if precision == "text":
        return printed == exact == write(value, precision)
    if not exact or write(value, precision) == "":
        return printed == exact == write(value, precision)
    stated = float(exact)
    if write(stated, precision) != printed:
        return False
    near = abs(float(value) - stated) <= NOISE * max(abs(stated), NOISE)
    if precision == "full":
        return near or abs(float(value) - stated) <= 5e-7 * abs(stated) + 1e-12
    return near or write(value, precision) == printed
