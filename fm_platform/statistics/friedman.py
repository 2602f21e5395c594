"""The exact Friedman test for three or more visits of the same subjects.

Belongs here: the conditional distribution of the rank sums over all within-subject permutations. Does not
belong here: post-hoc comparisons. The chi-square approximation is not offered: at six subjects it is badly
off in the tail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations

from fm_platform.statistics.integers import Number, on_common_scale

MOST_STATES = 2_000_000


@dataclass(frozen=True)
class Friedman:
    """Result of an exact Friedman test.

    Attributes:
        n: Subjects; ``k`` visits.
        statistic: The tie-corrected Q; None where no subject changed at all.
        p_value: P(Q >= observed) over all within-subject permutations.
    """

    n: int
    k: int
    statistic: Fraction | None
    p_value: Fraction


def friedman(rows: Sequence[Sequence[Number]]) -> Friedman:
    """Test whether visits differ.

    Args:
        rows: One row a subject with a value for every visit, as ints or Fractions.

    Raises:
        ValueError: Rows of unequal length, fewer than two visits, or too many subjects for the exact
            distribution.
    """
    n, k = len(rows), len(rows[0]) if rows else 0
    if k < 2 or any(len(row) != k for row in rows):
        raise ValueError("every subject needs a value for each of two or more visits")
    ranked = [_doubled_midranks(row) for row in rows]
    sums = [sum(ranks[visit] for ranks in ranked) for visit in range(k)]
    centre = n * (k + 1)
    observed = sum((total - centre) ** 2 for total in sums)
    within = sum((rank - (k + 1)) ** 2 for ranks in ranked for rank in ranks)
    if within == 0:
        return Friedman(n, k, None, Fraction(1))
    p_value = _upper_tail(ranked, observed)
    return Friedman(n, k, Fraction((k - 1) * observed, within), p_value)


def _upper_tail(ranked: Sequence[tuple[int, ...]], observed: int) -> Fraction:
    """P(sum of squared deviations of the rank sums >= observed)."""
    k = len(ranked[0])
    centred = [tuple(rank - (k + 1) for rank in ranks) for ranks in ranked]
    # Rank sums are exchangeable: states that differ only in their order are one.
    states: Counter[tuple[int, ...]] = Counter({(0,) * k: 1})
    for ranks in centred:
        orders = Counter(permutations(ranks))
        grown: Counter[tuple[int, ...]] = Counter()
        for state, ways in states.items():
            for order, times in orders.items():
                grown[tuple(sorted(a + b for a, b in zip(state, order, strict=True)))] += ways * times
        states = grown
        if len(states) * len(orders) > MOST_STATES:
            raise ValueError("too many subjects and visits for the exact Friedman distribution")
    extreme = sum(ways for state, ways in states.items() if sum(total**2 for total in state) >= observed)
    return Fraction(extreme, sum(states.values()))


def _doubled_midranks(row: Sequence[Number]) -> tuple[int, ...]:
    numbers, _ = on_common_scale(row)
    return tuple(int((numbers < value).sum() + (numbers <= value).sum()) + 1 for value in numbers)
