"""Fisher's exact test of two proportions.

Belongs here: one two-by-two table to a p-value. Does not belong here: who responded, which arms are compared.

Method: all tables with the same margins, weighted by the hypergeometric distribution; two-sided p is the weight of
those that are no more probable than the one observed (Fisher's definition in R's ``fisher.test``). Weights are
compared as whole numbers, so that ties are ties; R allows for rounding by a relative 1e-7 instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

MOST_COUNTED = 4000
"""Up to this many subjects the weights are whole numbers."""
_TIE = 1e-7

Method = Literal["exact", "exact in double precision"]


@dataclass(frozen=True)
class Fisher:
    """Result of Fisher's exact test.

    Attributes:
        p_value: Two-sided p.
        p_floor: The smallest p that groups of these sizes could give: all of one group and none of the other.
        method: How p was computed.
    """

    p_value: Fraction
    p_floor: Fraction
    method: Method


def fisher(first: int, n_first: int, second: int, n_second: int) -> Fisher:
    """Test whether two groups have the same proportion.

    Args:
        first: Events in the first group.
        n_first: Its size.
        second: Events in the second group.
        n_second: Its size.

    Raises:
        ValueError: A group is empty, or has more events than members.
    """
    if not (0 <= first <= n_first and 0 <= second <= n_second and n_first and n_second):
        raise ValueError("both groups need members, and no more events than members")
    everyone, events = n_first + n_second, first + second
    sides = 2 if n_first == n_second else 1
    if everyone > MOST_COUNTED:
        floor = Fraction(sides * math.exp(-_log_comb(everyone, n_first)))
        return Fisher(_in_doubles(first, n_first, n_second, events), floor, "exact in double precision")
    floor = min(Fraction(1), Fraction(sides, math.comb(everyone, n_first)))
    return Fisher(_counted(first, n_first, n_second, events), floor, "exact")


def _counted(first: int, n_first: int, n_second: int, events: int) -> Fraction:
    lowest, highest = max(0, events - n_second), min(n_first, events)
    weight = math.comb(n_first, lowest) * math.comb(n_second, events - lowest)
    weights = [weight]
    for k in range(lowest, highest):
        weight = weight * (n_first - k) * (events - k) // ((k + 1) * (n_second - events + k + 1))
        weights.append(weight)
    observed = weights[first - lowest]
    return Fraction(sum(own for own in weights if own <= observed), sum(weights))


def _in_doubles(first: int, n_first: int, n_second: int, events: int) -> Fraction:
    lowest, highest = max(0, events - n_second), min(n_first, events)

    whole = _log_comb(n_first + n_second, events)
    weights = [
        math.exp(_log_comb(n_first, k) + _log_comb(n_second, events - k) - whole)
        for k in range(lowest, highest + 1)
    ]
    most = weights[first - lowest] * (1 + _TIE)
    return min(Fraction(1), Fraction(math.fsum(own for own in weights if own <= most)))


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
