"""The distribution of the signed-rank sum when every sign is as likely as its opposite.

Belongs here: lower tails for given ranks (Streitberg and Roehmel's shift algorithm). Does not belong here:
data, zeros, two-sided p-values.

Up to ``MOST_COUNTED`` ranks the 2^n sign vectors are counted in 64-bit integers and the tail is an exact
fraction. Up to ``MOST_CONVOLVED`` the same recursion runs in doubles: it only adds positive numbers, so its
relative error stays below n times 1.1e-16. Beyond that, the normal approximation with the variance of the
actual (tied) ranks.
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

MOST_COUNTED = 62
MOST_CONVOLVED = 1000

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
    if n <= MOST_CONVOLVED:
        return Tail(Fraction(_convolved(reduced, bound)), None, "exact in double precision")
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


def _convolved(ranks: npt.NDArray[np.int64], bound: int) -> float:
    """The tail in doubles: the subset sums of two halves of the ranks, met in the middle."""
    first, second = (_mirrored_sums(half) * 0.5 ** len(half) for half in (ranks[::2], ranks[1::2]))
    first = first[: bound + 1]
    up_to = np.cumsum(second)
    rest = np.minimum(bound - np.arange(len(first)), len(second) - 1)
    return min(1.0, float(np.sum(first * up_to[rest])))


def _mirrored_sums(ranks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How many subsets of the ranks (ascending) have each sum, in doubles.

    There are as many subsets of sum s as of sum total - s, so only the lower half is carried along; what a
    step needs from above the middle is read from below it.
    """
    now, then = (np.zeros(int(ranks.sum()) // 2 + 2) for _ in range(2))
    now[0] = 1
    total, known = 0, 1
    for rank in ranks.tolist():
        wanted = (total + rank) // 2 + 1
        reflected = min(wanted, total + 1)
        if reflected > known:
            now[known:reflected] = now[total - reflected + 1 : total - known + 1][::-1]
        now[reflected:wanted] = 0
        alone = min(rank, wanted)
        then[:alone] = now[:alone]
        np.add(now[alone:wanted], now[: wanted - alone], out=then[alone:wanted])
        now, then = then, now
        total, known = total + rank, wanted
    lower = now[:known]
    return np.concatenate([lower, lower[: total + 1 - known][::-1]])


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
