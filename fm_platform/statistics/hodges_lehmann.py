"""The Hodges-Lehmann estimate of a paired change and its exact confidence interval.

Belongs here: the median of the Walsh averages, and the interval between two of them. Does not belong here:
tests.

Zeros are kept: a zero is an observed no-change. ``zeros="drop"`` reproduces R's ``wilcox.test``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from fm_platform.statistics.integers import Ints, Number, on_common_scale
from fm_platform.statistics.null_distribution import interval_rank


@dataclass(frozen=True)
class HodgesLehmann:
    """Location of paired changes.

    Attributes:
        estimate: Median of the n(n+1)/2 Walsh averages; None without data.
        low: Lower bound of the interval; None, like ``high`` and ``level``, where no interval of the asked
            level exists.
        level: The level that the interval achieves, at least the one asked for.
    """

    estimate: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: Fraction | None


def hodges_lehmann(
    changes: Sequence[Number] | Ints,
    *,
    level: Fraction = Fraction(95, 100),
    zeros: Literal["keep", "drop"] = "keep",
) -> HodgesLehmann:
    """Estimate the location of paired changes.

    Args:
        changes: post - base, as ints or Fractions.
        level: The confidence level asked for.
        zeros: Whether changes of zero take part.
    """
    numbers, scale = on_common_scale(changes)
    if zeros == "drop":
        numbers = numbers[numbers != 0]
    n = len(numbers)
    if n == 0:
        return HodgesLehmann(None, None, None, None)
    walsh = _WalshSums(numbers)
    total = n * (n + 1) // 2
    middle = walsh.smallest((total + 1) // 2) + walsh.smallest(total // 2 + 1)
    estimate = Fraction(middle, 4 * scale)
    bounds = interval_rank(n, level)
    if bounds is None:
        return HodgesLehmann(estimate, None, None, None)
    k, achieved = bounds
    low, high = walsh.smallest(k), walsh.smallest(total + 1 - k)
    return HodgesLehmann(estimate, Fraction(low, 2 * scale), Fraction(high, 2 * scale), achieved)


class _WalshSums:
    """Order statistics of x[i] + x[j], i <= j, found by bisection instead of making them all."""

    def __init__(self, numbers: Ints) -> None:
        self._values, counts = np.unique(numbers, return_counts=True)
        self._counts = counts.astype(np.int64)
        self._up_to = np.concatenate([[0], np.cumsum(self._counts)])

    def smallest(self, k: int) -> int:
        """The k-th smallest sum, k from 1."""
        low, high = 2 * int(self._values[0]), 2 * int(self._values[-1])
        while low < high:
            middle = (low + high) // 2
            if self._at_most(middle) >= k:
                high = middle
            else:
                low = middle + 1
        return low

    def _at_most(self, bound: int) -> int:
        partners = self._up_to[np.searchsorted(self._values, bound - self._values, side="right")]
        ordered = int((self._counts * partners).sum())
        with_itself = int(self._counts[2 * self._values <= bound].sum())
        return (ordered + with_itself) // 2
