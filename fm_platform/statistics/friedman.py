"""The exact Friedman test for three or more visits of the same subjects.

Belongs here: the conditional distribution of the rank sums over all within-subject permutations, and the
chi-square approximation for series too large for it. Does not belong here: post-hoc comparisons. At six
subjects the approximation is badly off in the tail, so that it is refused below ``FEWEST_APPROXIMATED``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Literal

import numpy as np

from fm_platform.statistics.integers import Ints, Number, on_common_scale

MOST_STEPS = 1_500_000
"""Additions that the exact distribution may take, a second or two of them."""
MOST_SUBJECTS = 150
"""More are not worth trying."""
FEWEST_APPROXIMATED = 20


@dataclass(frozen=True)
class Friedman:
    """Result of an exact Friedman test.

    Attributes:
        n: Subjects; ``k`` visits.
        statistic: The tie-corrected Q; None where no subject changed at all.
        p_value: P(Q >= observed) over all within-subject permutations, or its approximation.
        method: Which of the two.
    """

    n: int
    k: int
    statistic: Fraction | None
    p_value: Fraction
    method: Literal["exact", "chi-square approximation"]


class TooLarge(ValueError):
    """The exact distribution would take too many steps."""


def friedman(rows: Sequence[Sequence[Number]] | Ints, *, approximate: bool = False) -> Friedman:
    """Test whether visits differ.

    Args:
        rows: One row a subject with a value for every visit, as ints or Fractions; or an integer array.
        approximate: Where the exact distribution is out of reach and there are at least
            ``FEWEST_APPROXIMATED`` subjects, use chi-square and say so.

    Raises:
        TooLarge: Too many subjects and visits for the exact distribution, and no approximation wanted or fit.
        ValueError: Rows of unequal length, or fewer than two visits.
    """
    n = len(rows)
    k = len(rows[0]) if n else 0
    if k < 2 or any(len(row) != k for row in rows):
        raise ValueError("every subject needs a value for each of two or more visits")
    numbers = rows if isinstance(rows, np.ndarray) else np.array([on_common_scale(row)[0] for row in rows])
    ranks = _doubled_midranks(numbers)
    observed = int(((ranks.sum(axis=0) - n * (k + 1)) ** 2).sum())
    within = int(((ranks - (k + 1)) ** 2).sum())
    if within == 0:
        return Friedman(n, k, None, Fraction(1), "exact")
    statistic = Fraction((k - 1) * observed, within)
    try:
        return Friedman(n, k, statistic, _upper_tail(ranks, observed), "exact")
    except TooLarge:
        if not approximate or n < FEWEST_APPROXIMATED:
            raise
    from scipy.special import chdtrc

    return Friedman(
        n, k, statistic, Fraction(float(chdtrc(k - 1, float(statistic)))), "chi-square approximation"
    )


def _upper_tail(ranked: Ints, observed: int) -> Fraction:
    """P(sum of squared deviations of the rank sums >= observed)."""
    n, k = ranked.shape
    if n > MOST_SUBJECTS:
        raise TooLarge("too many subjects for the exact Friedman distribution")
    centred = [tuple(int(rank) for rank in ranks) for ranks in ranked - (k + 1)]
    # Rank sums are exchangeable: states that differ only in their order are one.
    states: Counter[tuple[int, ...]] = Counter({(0,) * k: 1})
    steps = 0
    for ranks in centred:
        steps += len(states) * math.factorial(k)
        if steps > MOST_STEPS:
            raise TooLarge("too many subjects and visits for the exact Friedman distribution")
        orders = Counter(permutations(ranks))
        grown: Counter[tuple[int, ...]] = Counter()
        for state, ways in states.items():
            for order, times in orders.items():
                grown[tuple(sorted(a + b for a, b in zip(state, order, strict=True)))] += ways * times
        states = grown
    extreme = sum(ways for state, ways in states.items() if sum(total**2 for total in state) >= observed)
    return Fraction(extreme, sum(states.values()))


def _doubled_midranks(numbers: Ints) -> Ints:
    """Twice the mid-rank of each value within its row."""
    columns = [numbers[:, [visit]] for visit in range(numbers.shape[1])]
    ranks = [(numbers < own).sum(axis=1) + (numbers <= own).sum(axis=1) + 1 for own in columns]
    return np.stack(ranks, axis=1).astype(np.int64)
