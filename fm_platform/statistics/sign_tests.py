"""Tests that only look at directions: the sign test and the exact McNemar test.

Belongs here: two-sided exact binomial tests at one half. Does not belong here: ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from fm_platform.statistics.integers import Ints, Number, on_common_scale


def sign_test(changes: Sequence[Number] | Ints) -> Fraction:
    """Two-sided exact sign test; zeros are dropped. 1 where no change is left."""
    numbers, _ = on_common_scale(changes)
    return _two_sided(int(np.sum(numbers > 0)), int(np.sum(numbers < 0)))


def mcnemar(only_first: int, only_second: int) -> Fraction:
    """Two-sided exact McNemar test on the discordant pairs.

    Args:
        only_first: Subjects who respond at the first visit only.
        only_second: Subjects who respond at the second visit only.
    """
    return _two_sided(only_first, only_second)


def _two_sided(one: int, other: int) -> Fraction:
    n, few = one + other, min(one, other)
    term, total = 1, 0
    for k in range(few + 1):
        total += term
        term = term * (n - k) // (k + 1)
    return min(Fraction(1), Fraction(2 * total, 2**n))


def smallest_p(n_discordant: int) -> Fraction:
    """The smallest two-sided p that this many discordant pairs could give."""
    return min(Fraction(1), Fraction(2, 2**n_discordant)) if n_discordant else Fraction(1)
