"""The exact rank-sum test and the Hodges-Lehmann shift."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.statistics.rank_sum import rank_sum, shift

SAMPLES = st.lists(st.integers(-4, 4), min_size=1, max_size=6)


@settings(max_examples=60)
@given(first=SAMPLES, second=SAMPLES)
def test_p_equals_enumeration_of_every_allocation(first, second):
    values = first + second
    ranks = [2 * sum(o < v for o in values) + sum(o == v for o in values) + 1 for v in values]
    expected = len(first) * (len(values) + 1)
    distance = abs(sum(ranks[: len(first)]) - expected)
    sums = [abs(sum(chosen) - expected) for chosen in combinations(ranks, len(first))]
    assert rank_sum(first, second).p_value == Fraction(sum(s >= distance for s in sums), len(sums))


@given(first=SAMPLES, second=SAMPLES)
def test_swapping_the_groups_changes_the_sign_and_nothing_else(first, second):
    one, other = rank_sum(first, second), rank_sum(second, first)
    assert one.p_value == other.p_value
    assert one.u + other.u == len(first) * len(second)
    there, back = shift(first, second), shift(second, first)
    assert (there.estimate, there.level) == (-back.estimate, back.level)
    if there.low is not None:
        assert (there.low, there.high) == (-back.high, -back.low)


@given(first=SAMPLES, second=SAMPLES)
def test_shift_is_the_median_of_all_differences(first, second):
    assert float(shift(first, second).estimate) == np.median(np.subtract.outer(first, second))


@pytest.mark.parametrize("size", [35, 59])
def test_double_precision_agrees_with_scipy_without_ties(size):
    from scipy.stats import mannwhitneyu

    draw = random.Random(size)
    values = draw.sample(range(1000), 2 * size)
    first, second = [2 * value - 121 for value in values[:size]], [2 * value for value in values[size:]]
    found = rank_sum(first, second)
    assert found.method == "exact in double precision"
    assert float(found.p_value) == pytest.approx(mannwhitneyu(first, second, method="exact").pvalue, rel=1e-9)


def test_large_groups_use_the_normal_approximation_and_say_so():
    from scipy.stats import mannwhitneyu

    draw = random.Random(3)
    first, second = ([draw.randint(0, 20) for _ in range(150)], [draw.randint(1, 22) for _ in range(160)])
    found = rank_sum(first, second)
    assert found.method == "normal approximation"
    theirs = mannwhitneyu(first, second, method="asymptotic").pvalue
    assert float(found.p_value) == pytest.approx(theirs, rel=1e-6)


def test_interval_without_ties_is_the_published_one():
    # R: wilcox.test(c(1,4,7,9,12), c(2,3,5,6,8,10), conf.int = TRUE)
    found = shift([1, 4, 7, 9, 12], [2, 3, 5, 6, 8, 10])
    assert (found.estimate, found.low, found.high) == (1, -5, 7)
    assert float(found.level) == pytest.approx(1 - 2 * 7 / 462)


def test_three_against_three_has_no_95_percent_interval():
    found = shift([1, 2, 3], [4, 5, 6])
    assert (found.estimate, found.low, found.level) == (-3, None, None)
    assert rank_sum([1, 2, 3], [4, 5, 6]).p_value == rank_sum([1, 2, 3], [4, 5, 6]).p_floor == Fraction(1, 10)


def test_an_empty_group_is_refused_by_the_test_and_has_no_shift():
    with pytest.raises(ValueError, match="both groups"):
        rank_sum([], [1])
    assert shift([], [1]).estimate is None
