"""Tails by inverting the characteristic function, against counts in big integers."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from fm_platform.statistics.inversion import tail_by_inversion

N = 260
PATTERNS = {
    "no ties": list(range(1, N + 1)),
    "few values": [1 + at % 7 for at in range(N)],
    "one odd rank": [2] * (N - 1) + [1],
    "two blocks": [1] * 120 + [260] * 140,
    "half ranks": sorted(random.Random(3).randint(1, 2 * N) for _ in range(N)),
}


def counted(ranks: list[int]) -> list[int]:
    """Subsets of each sum or less: the coefficients of the generating function, kept in one integer."""
    width = len(ranks) // 8 + 1
    packed = 1
    for rank in ranks:
        packed += packed << (8 * width * rank)
    digits = packed.to_bytes((sum(ranks) + 1) * width, "little")
    sums, total = [], 0
    for at in range(sum(ranks) + 1):
        total += int.from_bytes(digits[at * width : (at + 1) * width], "little")
        sums.append(total)
    return sums


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_tail_is_close_to_the_counted_one(pattern):
    """Near the middle and in the far tail alike; None is allowed, a wrong number is not."""
    ranks = PATTERNS[pattern]
    exact, half = counted(ranks), sum(ranks) // 2
    answered = 0
    for w in {
        1,
        2,
        half // 50,
        half // 10,
        half // 4,
        half // 2,
        3 * half // 4,
        9 * half // 10,
        half - 1,
        half,
    }:
        found = tail_by_inversion(np.array(ranks), w)
        if found is not None:
            answered += 1
            truth = Fraction(exact[w], 2**N)
            assert abs(Fraction(found) - truth) <= Fraction(1, 10**12)
            assert found == pytest.approx(float(truth), rel=1e-11, abs=0)
    assert answered


@pytest.mark.parametrize("spread", [1, 25, 1000])
def test_half_of_a_thousand_symmetric_choices_is_one_half_and_half_the_middle(spread):
    """P(W <= T/2) = (1 + P(W = T/2)) / 2, and no sum is T/2 where T is odd."""
    draw = random.Random(spread)
    ranks = [draw.randint(1, spread) for _ in range(999)] + [1]
    ranks[-1] += 1 - sum(ranks) % 2
    assert tail_by_inversion(np.array(ranks), sum(ranks) // 2) == pytest.approx(0.5, abs=1e-12)


def test_equal_ranks_are_the_binomial_distribution():
    found = tail_by_inversion(np.ones(1000, dtype=np.int64), 430)
    truth = Fraction(sum(math.comb(1000, k) for k in range(431)), 2**1000)
    assert found == pytest.approx(float(truth), rel=1e-12, abs=0)
