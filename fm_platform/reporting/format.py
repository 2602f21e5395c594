"""How numbers are written for people: the one place that formats a p-value, a number, an interval or a share.

Belongs here: number to text, for tables, figures and the report alike. Does not belong here: computing any of
them.

Every text uses U+2212 as its minus sign and rounds half away from zero on the number's shortest decimal form,
so 2.25 becomes 2.3 and the same input always gives the same text.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

NOT_AVAILABLE = "–"
"""Stands where there is no number."""

_MINUS = "\u2212"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST_PRINTED = 1e-300


def number(value: float | None, digits: int = 1, *, signed: bool = False, grouped: bool = False) -> str:
    """A number with a fixed count of decimals.

    Args:
        value: The number; None, NaN and infinities are written as not available.
        digits: Decimals after the point.
        signed: Whether a positive number carries a plus (changes do).
        grouped: Whether thousands stand apart.

    >>> number(-22.25), number(3, signed=True), number(None), number(22818.84, grouped=True)
    ('−22.3', '+3.0', '–', '22,818.8')
    """
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    rounded = _round(value, digits)
    sign = _MINUS if rounded < 0 else ("+" if signed and rounded > 0 else "")
    return f"{sign}{abs(rounded):,f}" if grouped else f"{sign}{abs(rounded):f}"


def count(value: int | None) -> str:
    """A count, its thousands apart.

    >>> count(20000), count(None)
    ('20,000', '–')
    """
    return NOT_AVAILABLE if value is None else f"{value:,}"


def short_number(value: float | None, digits: int = 1) -> str:
    """A number without the zeros that say nothing: 46 rather than 46.0, but 46.5.

    >>> short_number(46.0), short_number(46.25)
    ('46', '46.3')
    """
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def p_value(p: float | None, floor: float | None = None) -> str:
    """A p-value with three decimals, and the smallest one that the data could have given.

    More decimals are shown where rounding would move a p-value across 0.05.

    Args:
        p: Probability between 0 and 1, or None.
        floor: The smallest attainable p-value of the same exact test (2/2^n_eff for the signed-rank test).

    Raises:
        ValueError: A probability outside [0, 1].

    >>> p_value(0.03125, 0.03125), p_value(0.0004), p_value(0.0497), p_value(None)
    ('0.031 (floor 0.031)', '<0.001', '0.0497', '–')
    """
    if p is None or math.isnan(p):
        return NOT_AVAILABLE
    text = _probability(p)
    if floor is None or math.isnan(floor):
        return text
    return f"{text} (floor {_probability(floor)})"


def small_p(p: float | None) -> str:
    """A p-value of a large screen: three decimals down to 0.001, powers of ten below.

    >>> small_p(0.0213), small_p(1.24e-8), small_p(0.0)
    ('0.021', '1.2×10⁻⁸', '<10⁻³⁰⁰')
    """
    if p is None or math.isnan(p):
        return NOT_AVAILABLE
    if p >= 0.001:
        return _probability(p)
    _check(p)
    if p < _SMALLEST_PRINTED:
        return "<10" + "-300".translate(_SUPERSCRIPT)
    mantissa, exponent = f"{p:.1e}".split("e")
    return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def interval(low: float | None, high: float | None, level: float | None, *, digits: int = 1) -> str:
    """A confidence interval with the level it really has.

    Args:
        low: Lower limit, or None where no interval of the wanted level exists.
        high: Upper limit.
        level: Achieved level as a share (0.96875); None leaves it out.
        digits: Decimals of the limits.

    >>> interval(-35.2, -10, 0.96875), interval(None, None, None)
    ('96.9% CI −35.2 to −10.0', 'no 95% interval attainable')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "no 95% interval attainable"
    limits = f"{number(low, digits)} to {number(high, digits)}"
    return limits if level is None else f"{short_number(100 * level)}% CI {limits}"


def percent(part: int, whole: int) -> str:
    """A share in percent: whole percents below 100 subjects, one decimal from there on.

    >>> percent(4, 6), percent(1, 8), percent(0, 0)
    ('67%', '13%', '–')
    """
    if whole == 0:
        return NOT_AVAILABLE
    quantum = Decimal(1) if whole < 100 else Decimal("0.1")
    return f"{(Decimal(100 * part) / Decimal(whole)).quantize(quantum, ROUND_HALF_UP)}%"


def count_percent(part: int, whole: int) -> str:
    """n (%), or the count alone where there is nothing to take a share of.

    >>> count_percent(4, 6), count_percent(0, 0)
    ('4 (67%)', '0')
    """
    return f"{part} ({percent(part, whole)})" if whole else str(part)


def rate_interval(low: float | None, high: float | None) -> str:
    """The interval of a share, in percent.

    >>> rate_interval(0.2228, 0.9567)
    '22.3% to 95.7%'
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return NOT_AVAILABLE
    return f"{number(100 * low)}% to {number(100 * high)}%"


def _probability(p: float) -> str:
    _check(p)
    if p < 0.001:
        return "<0.001"
    if p == 1:
        return "1"
    if p >= 0.9995:
        return ">0.999"
    digits = 3
    while _round(p, digits) == Decimal("0.05") and Decimal(repr(float(p))) != Decimal("0.05"):
        digits += 1
    return f"{_round(p, digits):f}"


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"a probability lies between 0 and 1, not {p!r}")


def _round(value: float, digits: int) -> Decimal:
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return abs(rounded) if rounded == 0 else rounded
