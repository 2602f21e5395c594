"""Confidence intervals of a proportion.

Belongs here: Clopper-Pearson and Wilson intervals, and the exact one-sided test against a fixed rate. Does
not belong here: who is a responder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """Two bounds of a proportion; both None where there is nobody to count."""

    low: float | None
    high: float | None


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact (conservative) interval of Clopper and Pearson (1934), by beta quantiles."""
    if n == 0:
        return Interval(None, None)
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high)


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of Wilson (1927), without continuity correction."""
    if n == 0:
        return Interval(None, None)
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate = successes / n
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    width = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / width
    high = 1.0 if successes == n else (centre + half) / width
    return Interval(low, high)


def at_least(successes: int, n: int, rate: Fraction) -> Fraction:
    """P(X >= successes) for X binomial(n, rate): the exact one-sided p against a fixed rate."""
    return sum(
        (math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(successes, n + 1)),
        Fraction(0),
    )
