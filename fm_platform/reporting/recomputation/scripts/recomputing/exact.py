"""Exact tests, estimates and intervals for small series, from their textbook definitions.

Belongs here: arrays of whole numbers in, numbers out. Does not belong here: who is compared. Values are whole numbers
over a common scale, so that equal changes are equal numbers.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy import stats

MOST_EXACT = 1000
"""Signed ranks above this many are approximated by the normal distribution."""
MOST_TOGETHER = 120
"""Likewise two groups together."""


class Location(NamedTuple):
    """A Hodges-Lehmann estimate with its interval and the level that the interval has; None where there is none."""

    estimate: Fraction | None
    low: Fraction | None
    high: Fraction | None
    level: float | None


class SignedRank(NamedTuple):
    """A signed-rank test."""

    n_zero: int
    n_eff: int
    n_tied_groups: int
    w_plus: Fraction
    w_minus: Fraction
    p: float
    floor: float


def median(values: Sequence[int]) -> Fraction | None:
    """The middle value, or the mean of the two middle ones."""
    if not len(values):
        return None
    ordered = sorted(int(value) for value in values)
    half = len(ordered) // 2
    return Fraction(ordered[half]) if len(ordered) % 2 else Fraction(ordered[half - 1] + ordered[half], 2)


def sum_of_signed(ranks: Sequence[int]) -> np.ndarray:
    """P(the ranks with a plus sum to w), w = 0, 1, ...: each sign by the toss of a coin, one rank after the other."""
    chance = np.array([1.0])
    for rank in sorted(int(rank) for rank in ranks):
        grown = np.zeros(len(chance) + rank)
        grown[: len(chance)] += chance / 2
        grown[rank:] += chance / 2
        chance = grown
    return chance


def at_most(ranks: Sequence[int], w: int) -> float:
    """P(the ranks with a plus sum to at most w)."""
    if len(ranks) <= MOST_EXACT:
        return float(sum_of_signed(ranks)[: w + 1].sum())
    sizes = np.asarray(ranks, dtype=float)
    z = (w + 0.5 - sizes.sum() / 2) / (math.sqrt((sizes**2).sum()) / 2)
    return float(stats.norm.cdf(z))


def signed_rank(changes: Sequence[int], *, pratt: bool = False) -> SignedRank:
    """Wilcoxon's signed-rank test: zeros dropped, or with ``pratt`` ranked and then left without a sign."""
    changes = np.asarray(changes)
    signed = changes[changes != 0]
    pool = np.abs(changes if pratt else signed)
    doubled = np.rint(2 * stats.rankdata(pool)).astype(int)
    if pratt:
        doubled = doubled[changes != 0]
    unit = math.gcd(*doubled.tolist()) if len(doubled) else 1
    plus, minus = int(doubled[signed > 0].sum()), int(doubled[signed < 0].sum())
    tail = at_most(doubled // unit, min(plus, minus) // unit) if len(doubled) else 1.0
    ties = sum(times > 1 for times in Counter(np.abs(signed).tolist()).values())
    return SignedRank(
        n_zero=len(changes) - len(signed),
        n_eff=len(signed),
        n_tied_groups=ties,
        w_plus=Fraction(plus, 2),
        w_minus=Fraction(minus, 2),
        p=min(1.0, 2 * tail),
        floor=min(1.0, 2.0 ** (1 - len(signed))),
    )


@cache
def walsh_place(n: int, level: float) -> tuple[int, float] | None:
    """Which Walsh average from either end bounds an interval of at least the level, and the level that it has."""
    ranks, most = range(1, n + 1), (1 - level) / 2 + 1e-15
    if n <= MOST_EXACT:
        tails = np.cumsum(sum_of_signed(ranks))
        w = int((tails <= most).sum()) - 1
    else:
        w = bisect(range(n * (n + 1) // 4), most, key=lambda place: at_most(ranks, place)) - 1
    return None if w < 0 else (w + 1, 1 - 2 * at_most(ranks, w))


def hodges_lehmann(changes: Sequence[int], level: float = 0.95) -> Location:
    """The median of all averages of two changes, zeros kept, and its interval."""
    changes = np.asarray(changes)
    first, second = np.triu_indices(len(changes))
    return _location(np.sort(changes[first] + changes[second]), walsh_place(len(changes), level), 2)


def shift(first: Sequence[int], second: Sequence[int], level: float = 0.95) -> Location:
    """The median of all differences between two groups, and its interval."""
    differences = np.sort(np.subtract.outer(np.asarray(first), np.asarray(second)).ravel())
    return _location(differences, difference_place(len(first), len(second), level), 1)


def _location(ordered: np.ndarray, place: tuple[int, float] | None, scale: int) -> Location:
    estimate = median(ordered)
    if estimate is None:
        return Location(None, None, None, None)
    if place is None:
        return Location(estimate / scale, None, None, None)
    k, level = place
    return Location(
        estimate / scale, Fraction(int(ordered[k - 1]), scale), Fraction(int(ordered[-k]), scale), level
    )


def ways_to_choose(ranks: Sequence[int], m: int) -> np.ndarray:
    """How many ways to choose m of the ranks give each sum."""
    ordered = sorted(int(rank) for rank in ranks)
    ways = np.zeros((m + 1, sum(ordered[-m:]) + 1))
    ways[0, 0] = 1
    for rank in ordered:
        for chosen in range(m, 0, -1):
            ways[chosen, rank:] += ways[chosen - 1, : ways.shape[1] - rank]
    return ways[m]


def rank_sum(first: Sequence[int], second: Sequence[int]) -> tuple[Fraction, float, float]:
    """U of the first group, two-sided p of its rank sum (distance from the mean), and the smallest p there could be."""
    m, n = len(first), len(second)
    doubled = np.rint(2 * stats.rankdata(np.concatenate([first, second]))).astype(int)
    observed, size = int(doubled[:m].sum()), m + n
    distance = abs(observed - m * (size + 1))
    if not distance:
        p = 1.0
    elif size <= MOST_TOGETHER:
        few = min(m, n)
        ways = ways_to_choose(doubled, few)
        far = np.abs(np.arange(len(ways)) - few * (size + 1)) >= distance
        p = min(1.0, float(ways[far].sum() / ways.sum()))
    else:
        spread = m * n * float(((doubled - (size + 1)) ** 2).sum()) / size / (size - 1)
        p = float(2 * stats.norm.sf(max(0.0, distance - 1) / math.sqrt(spread)))
    return Fraction(observed - m * (m + 1), 2), p, min(1.0, 2 / math.comb(size, m))


@cache
def difference_place(m: int, n: int, level: float) -> tuple[int, float] | None:
    """Which difference from either end bounds an interval of at least the level, and the level that it has."""
    if m + n > MOST_TOGETHER:
        spread = math.sqrt(m * n * (m + n + 1) / 12)
        k = int(m * n / 2 + 0.5 - NormalDist().inv_cdf((1 + level) / 2) * spread)
        return (k, level) if k >= 1 else None
    few = min(m, n)
    ways = ways_to_choose(range(1, m + n + 1), few)[few * (few + 1) // 2 :]
    tails = np.cumsum(ways) / ways.sum()
    within = np.flatnonzero(tails <= (1 - level) / 2 + 1e-15)
    return None if not len(within) else (int(within[-1]) + 1, 1 - 2 * float(tails[within[-1]]))


def toss(one: int, other: int) -> float:
    """Two-sided exact p of as many heads and tails, a fair coin: the sign test, and McNemar's."""
    n = one + other
    return min(1.0, 2 * float(stats.binom.cdf(min(one, other), n, 0.5))) if n else 1.0


def toss_floor(n: int) -> float:
    """The smallest p that so many tosses could give."""
    return min(1.0, 2.0 ** (1 - n)) if n else 1.0


def clopper_pearson(x: int, n: int, level: float = 0.95) -> tuple[float | None, float | None]:
    """The exact interval of a proportion."""
    if not n:
        return None, None
    found = stats.binomtest(x, n).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def wilson(x: int, n: int, level: float = 0.95) -> tuple[float | None, float | None]:
    """The score interval of a proportion."""
    if not n:
        return None, None
    found = stats.binomtest(x, n).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def fisher(x: int, m: int, y: int, n: int) -> tuple[float, float]:
    """Fisher's exact two-sided p of x of m against y of n, and the smallest p that groups of these sizes could give."""
    events, whole = x + y, math.comb(m + n, x + y)
    ways = [math.comb(m, k) * math.comb(n, events - k) for k in range(max(0, events - n), min(m, events) + 1)]
    observed = math.comb(m, x) * math.comb(n, y)
    floor = (2 if m == n else 1) / math.comb(m + n, m)
    return float(Fraction(sum(way for way in ways if way <= observed), whole)), min(1.0, floor)


def friedman(table: np.ndarray, *, exact: bool) -> tuple[float | None, float]:
    """Friedman's statistic, ties allowed for, and its p: over all orders within subjects, or by chi-square."""
    n, k = table.shape
    ranks = np.rint(2 * np.apply_along_axis(stats.rankdata, 1, table)).astype(int) - (k + 1)
    within = int((ranks**2).sum())
    if not within:
        return None, 1.0
    observed = int((ranks.sum(axis=0) ** 2).sum())
    statistic = (k - 1) * observed / within
    if not exact:
        return statistic, float(stats.chi2.sf(statistic, k - 1))
    totals: dict[tuple[int, ...], int] = {(0,) * k: 1}
    for own in ranks.tolist():
        orders = Counter(itertools.permutations(own))
        following: Counter[tuple[int, ...]] = Counter()
        for total, ways in totals.items():
            for order, times in orders.items():
                following[tuple(sorted(map(sum, zip(total, order, strict=True))))] += ways * times
        totals = dict(following)
    extreme = sum(ways for total, ways in totals.items() if sum(value * value for value in total) >= observed)
    return statistic, float(Fraction(extreme, math.factorial(k) ** n))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment; a declared test without a p counts in the size of its family."""
    return _stepped(p_values, up=False)


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjustment, the size of the family likewise."""
    return _stepped(p_values, up=True)


def _stepped(p_values: Sequence[float | None], *, up: bool) -> list[float | None]:
    size = len(p_values)
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    raw = [min(1.0, p * (size / (step + 1) if up else size - step)) for step, (p, _) in enumerate(known)]
    stepped = (np.minimum.accumulate(raw[::-1])[::-1] if up else np.maximum.accumulate(raw)) if raw else []
    adjusted: list[float | None] = [None] * size
    for (_, place), value in zip(known, stepped, strict=True):
        adjusted[place] = float(value)
    return adjusted
