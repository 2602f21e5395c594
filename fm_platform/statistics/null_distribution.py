"""The distribution of the signed-rank sum when every sign is as likely as its opposite.

Belongs here: lower tails for given ranks (Streitberg and Roehmel's shift algorithm). Does not belong here:
data, zeros, two-sided p-values.

Up to ``MOST_COUNTED`` ranks the 2^n sign vectors are counted in 64-bit integers and the tail is an exact
fraction. Up to ``MOST_INVERTED`` the same distribution is had in doubles, by inverting its characteristic function
(``inversion``) or, for few or small sums, by the same recursion; either is within 1e-12 of the exact value, and
relative to it within 1e-11. Beyond that, the normal approximation with the variance of the actual (tied) ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fm_platform.statistics.inversion import tail_by_inversion

MOST_COUNTED = 62
MOST_INVERTED = 1000
FEW_SUMS = 20_000_000
"""Up to this many ranks times sums, counting is the faster way."""

Method = Literal["exact", "exact in double precision", "normal approximation"]


@dataclass(frozen=True)
class Tail:
    """P(W <= w). ``count`` of ``2 ** n`` sign vectors where they were counted, else None."""

    probability: Fraction
    count: int | None
    method: Method


def lower_tail(ranks: Sequence[int] | npt.NDArray[np.int64], w: int) -> Tail:
    """P(the sum of a random subset of ranks is at most w), each rank in or out with probability one half.

    Args:
        ranks: Positive whole numbers (doubled mid-ranks).
        w: The bound, in the same unit; at most half of the sum of all ranks is fast.
    """
    n = len(ranks)
    if w < 0:
        return Tail(Fraction(0), 0, "exact")
    unit = math.gcd(*(int(rank) for rank in ranks)) or 1
    reduced = np.sort(np.asarray(ranks, dtype=np.int64) // unit)
    bound = min(w // unit, int(reduced.sum()))
    if n <= MOST_COUNTED:
        count = int(_subset_sums(reduced, bound, np.dtype(np.int64)).sum())
        return Tail(Fraction(count, 2**n), count, "exact")
    if n <= MOST_INVERTED:
        return Tail(Fraction(_in_doubles(reduced, bound)), None, "exact in double precision")
    mean, spread = float(reduced.sum()) / 2, math.sqrt(float((reduced.astype(float) ** 2).sum())) / 2
    z = (bound + 0.5 - mean) / spread
    return Tail(Fraction(math.erfc(-z / math.sqrt(2)) / 2), None, "normal approximation")


def _subset_sums(ranks: npt.NDArray[np.int64], bound: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """How many subsets of the ranks (ascending) have each sum 0..bound."""
    now, then = np.zeros(bound + 1, dtype=dtype), np.zeros(bound + 1, dtype=dtype)
    now[0] = 1
    size = 1
    for rank in ranks.tolist():
        grown = min(size + rank, bound + 1)
        shared = max(size, min(rank, grown))
        then[: min(rank, grown)] = now[: min(rank, grown)]
        if rank < size:
            np.add(now[rank:size], now[: size - rank], out=then[rank:size])
        if shared < grown:
            then[shared:grown] = now[shared - rank : grown - rank]
        now, then, size = then, now, grown
    return now


def _in_doubles(ranks: npt.NDArray[np.int64], bound: int) -> float:
    """The tail in doubles: inverted where that pays, else counted."""
    beyond = int(ranks.sum()) - bound - 1
    if beyond < bound:
        return 1.0 - _in_doubles(ranks, beyond) if beyond >= 0 else 1.0
    inverted = tail_by_inversion(ranks, bound) if bound * len(ranks) > FEW_SUMS else None
    if inverted is not None:
        return inverted
    return float(_subset_sums(ranks, bound, np.dtype(np.float64)).sum()) * 0.5 ** len(ranks)


@lru_cache(maxsize=256)
def interval_rank(n: int, level: Fraction) -> tuple[int, Fraction] | None:
    """Which order statistic of the Walsh averages of n values bounds an interval of at least a level.

    Uses the distribution without ties, which is conservative where there are some.

    Returns:
        ``(k, achieved)``: the interval runs from the k-th smallest to the k-th largest Walsh average (k from
        1) and has the achieved level; None where even the full range falls short of the level.
    """
    most = (1 - level) / 2
    ranks = np.arange(1, n + 1, dtype=np.int64)
    if n == 0 or Fraction(1, 2**n) > most:
        return None
    low, high = 0, n * (n + 1) // 4
    while high - low > 1:
        middle = (low + high) // 2
        if lower_tail(ranks, middle).probability <= most:
            low = middle
        else:
            high = middle
    return low + 1, 1 - 2 * lower_tail(ranks, low).probability
