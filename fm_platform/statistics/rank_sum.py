"""Two independent groups: the exact rank-sum test with ties, and the Hodges-Lehmann shift between them.

Belongs here: two samples to one comparison. Does not belong here: who is in which arm, paired changes.

Method: mid-ranks of all values, doubled to whole numbers; the distribution of one group's rank sum over all
ways to choose that group from the values as they are (ties included); two-sided p = P(|W - E| >= |w - E|).
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

from fm_platform.statistics.integers import Ints, Number, on_common_scale

MOST_COUNTED = 60
MOST_SUMMED = 120

Method = Literal["exact", "exact in double precision", "normal approximation"]


@dataclass(frozen=True)
class RankSum:
    """Result of a rank-sum test.

    Attributes:
        n_first: Size of the first group; ``n_second`` of the other.
        n_tied_groups: Groups of equal values.
        w: Rank sum of the first group.
        u: Pairs in which the first group's value is the larger one, ties counting one half.
        p_value: Two-sided p.
        p_floor: The smallest p that groups of these sizes could give.
        method: How p was computed.
    """

    n_first: int
    n_second: int
    n_tied_groups: int
    w: Fraction
    u: Fraction
    p_value: Fraction
    p_floor: Fraction
    method: Method


@dataclass(frozen=True)
class Shift:
    """How far the first group lies above the second: median of all differences and their exact interval."""

    estimate: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: Fraction | None


def rank_sum(first: Sequence[Number] | Ints, second: Sequence[Number] | Ints) -> RankSum:
    """Test whether two independent groups come from one distribution.

    Args:
        first: Values of one group; integer arrays must be on the scale of ``second``.
        second: Values of the other.

    Raises:
        ValueError: A group is empty.
        TypeError: A value is a float.
    """
    numbers, _ = _together(first, second)
    m, n = len(first), len(second)
    if not m or not n:
        raise ValueError("both groups need a value")
    _, at, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks = (2 * np.cumsum(counts) - counts + 1)[at].astype(np.int64)
    doubled = int(ranks[:m].sum())
    probability, method = _two_sided(ranks, m, doubled)
    w = Fraction(doubled, 2)
    return RankSum(
        n_first=m,
        n_second=n,
        n_tied_groups=int((counts > 1).sum()),
        w=w,
        u=w - Fraction(m * (m + 1), 2),
        p_value=probability,
        p_floor=min(Fraction(1), Fraction(2, math.comb(m + n, m))),
        method=method,
    )


def _together(first: Sequence[Number] | Ints, second: Sequence[Number] | Ints) -> tuple[Ints, int]:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return on_common_scale(np.concatenate([first, second]))
    return on_common_scale([*first, *second])


def _two_sided(ranks: Ints, m: int, doubled: int) -> tuple[Fraction, Method]:
    size = len(ranks)
    expected = m * (size + 1)
    distance = abs(doubled - expected)
    if not distance:
        return Fraction(1), "exact"
    if size > MOST_SUMMED:
        spread = math.sqrt(m * (size - m) * float(((ranks - (size + 1)) ** 2).sum()) / size / (size - 1))
        z = max(0.0, distance - 1) / spread
        return Fraction(math.erfc(z / math.sqrt(2))), "normal approximation"
    # The smaller group has as many sums, at the mirrored place.
    ways = _ways(np.sort(ranks), min(m, size - m), size <= MOST_COUNTED)
    centre = min(m, size - m) * (size + 1)
    far = np.abs(np.arange(len(ways)) - centre) >= distance
    if size <= MOST_COUNTED:
        return Fraction(int(ways[far].sum()), math.comb(size, m)), "exact"
    return min(Fraction(1), Fraction(float(ways[far].sum()))), "exact in double precision"


def _ways(ranks: Ints, m: int, counted: bool) -> npt.NDArray[Any]:
    """For each sum of m of the ranks, how many ways there are: counts, or their share in doubles."""
    most = int(ranks[-m:].sum())
    table: npt.NDArray[Any] = np.zeros((m + 1, most + 1), dtype=np.int64 if counted else np.float64)
    table[0, 0] = 1
    reach = 0
    for taken, rank in enumerate(ranks.tolist()):
        reach = min(most, reach + rank)
        highest = min(m, taken + 1)
        if counted:
            table[1 : highest + 1, rank : reach + 1] += table[:highest, : reach + 1 - rank].copy()
            continue
        # Sampling without replacement, one value at a time, keeps every entry a probability.
        chosen = np.arange(highest + 1, dtype=float)
        with_it, without = chosen / (taken + 1), (taken + 1 - chosen) / (taken + 1)
        before = table[: highest + 1, : reach + 1].copy()
        table[: highest + 1, : reach + 1] *= without[:, None]
        table[1 : highest + 1, rank : reach + 1] += with_it[1:, None] * before[:-1, : reach + 1 - rank]
    return table[m]


def shift(
    first: Sequence[Number] | Ints, second: Sequence[Number] | Ints, *, level: Fraction = Fraction(95, 100)
) -> Shift:
    """Estimate by how much the first group exceeds the second.

    The interval lies between two of the ordered differences, chosen by the distribution without ties, which
    is conservative where there are some; None where no interval of the asked level exists.
    """
    numbers, scale = _together(first, second)
    m, n = len(first), len(second)
    if not m or not n:
        return Shift(None, None, None, None)
    differences = _Differences(numbers[:m], numbers[m:])
    total = m * n
    middle = differences.smallest((total + 1) // 2) + differences.smallest(total // 2 + 1)
    estimate = Fraction(middle, 2 * scale)
    found = interval_rank(m, n, level)
    if found is None:
        return Shift(estimate, None, None, None)
    k, achieved = found
    low, high = differences.smallest(k), differences.smallest(total + 1 - k)
    return Shift(estimate, Fraction(low, scale), Fraction(high, scale), achieved)


@lru_cache(maxsize=256)
def interval_rank(m: int, n: int, level: Fraction) -> tuple[int, Fraction] | None:
    """Which ordered difference bounds an interval of at least a level, and the level that it has."""
    most = (1 - level) / 2
    if m + n > MOST_SUMMED:
        from statistics import NormalDist

        spread = math.sqrt(m * n * (m + n + 1) / 12)
        k = int(m * n / 2 + 0.5 - NormalDist().inv_cdf(1 - float(most)) * spread)
        return (k, level) if k >= 1 else None
    few, size = min(m, n), m + n
    counted = size <= MOST_COUNTED
    ways = _ways(np.arange(1, size + 1, dtype=np.int64), few, counted)[few * (few + 1) // 2 :]
    everything = math.comb(size, few) if counted else 1
    tails = [Fraction(int(total) if counted else float(total)) / everything for total in np.cumsum(ways)]
    within = [tail for tail in tails if tail <= most]
    return (len(within), 1 - 2 * within[-1]) if within else None


class _Differences:
    """Order statistics of first[i] - second[j], found by bisection instead of making them all."""

    def __init__(self, first: Ints, second: Ints) -> None:
        self._first, self._second = first, np.sort(second)

    def smallest(self, k: int) -> int:
        """The k-th smallest difference, k from 1."""
        low = int(self._first.min()) - int(self._second[-1])
        high = int(self._first.max()) - int(self._second[0])
        while low < high:
            middle = (low + high) // 2
            below = np.searchsorted(self._second, self._first - middle, side="left")
            if int((len(self._second) - below).sum()) >= k:
                high = middle
            else:
                low = middle + 1
        return low
