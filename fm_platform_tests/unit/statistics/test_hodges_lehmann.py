"""The Hodges-Lehmann estimate and its interval."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.statistics.hodges_lehmann import hodges_lehmann
from fm_platform.statistics.integers import median

HOLLANDER_WOLFE = [
    Fraction(text) for text in ("0.952", "-0.147", "1.022", "0.43", "0.62", "0.59", "0.49", "-0.08", "0.01")
]


def test_r_devel_example_with_zeros_dropped_as_in_r():
    found = hodges_lehmann([2, 1, 4, 3, 6, -5, 0], zeros="drop")
    assert (found.estimate, found.low, found.high) == (Fraction(5, 2), -5, 6)


def test_zeros_are_kept_by_default():
    assert hodges_lehmann([2, 1, 4, 3, 6, -5, 0]).estimate == 2


@pytest.mark.parametrize(
    ("changes", "estimate", "low", "high"),
    [([-2, -2, -3, -4, 1, -5], Fraction(-5, 2), -5, 1), ([-3, -3, -1, 2, 2, -4], -1, -4, 2)],
)
def test_at_six_the_interval_is_the_range_of_the_changes(changes, estimate, low, high):
    found = hodges_lehmann(changes)
    assert (found.estimate, found.low, found.high) == (estimate, low, high)
    assert found.level == Fraction(31, 32)


def test_hollander_wolfe_interval_and_achieved_level():
    found = hodges_lehmann(HOLLANDER_WOLFE)
    assert (float(found.low), float(found.high)) == (pytest.approx(0.010), pytest.approx(0.786))
    assert float(found.level) == pytest.approx(0.9609, abs=5e-5)


@pytest.mark.parametrize("n", range(1, 6))
def test_up_to_five_there_is_no_95_percent_interval(n):
    found = hodges_lehmann(list(range(1, n + 1)))
    assert found.estimate == Fraction(n + 1, 2)
    assert (found.low, found.high, found.level) == (None, None, None)


@pytest.mark.parametrize(
    ("n", "highest"), [(4, "0.875"), (5, "0.9375"), (6, "0.96875"), (7, "0.984375"), (8, "0.9921875")]
)
def test_the_highest_level_there_is(n, highest):
    changes = list(range(1, n + 1))
    assert hodges_lehmann(changes, level=Fraction(highest)).level == Fraction(highest)
    assert hodges_lehmann(changes, level=Fraction(highest) + Fraction(1, 10**6)).level is None


def test_no_changes_no_estimate():
    assert hodges_lehmann([]).estimate is None


@given(changes=st.lists(st.fractions(-5, 5, max_denominator=6), min_size=1, max_size=15))
def test_the_estimate_is_the_median_of_all_walsh_averages(changes):
    walsh = sorted((a + b) / 2 for a, b in combinations_with_replacement(changes, 2))
    middle = (walsh[(len(walsh) - 1) // 2] + walsh[len(walsh) // 2]) / 2
    found = hodges_lehmann(changes)
    assert found.estimate == middle
    if found.level is not None:
        assert found.level >= Fraction(95, 100)
        assert {found.low, found.high} <= set(walsh)
        assert walsh.index(found.low) <= len(walsh) // 2
        assert found.low <= middle <= found.high


def test_achieved_level_falls_towards_the_one_asked_for():
    levels = [hodges_lehmann(list(range(1, n + 1))).level for n in (6, 20, 62, 63, 200)]
    assert all(level >= Fraction(95, 100) for level in levels)
    assert float(levels[-1]) < 0.951


def test_median_is_exact():
    import numpy as np

    assert median(np.array([3, 1, 2], dtype=np.int64)) == 2
    assert median(np.array([4, 1, 2, 1], dtype=np.int64)) == Fraction(3, 2)
    assert median(np.array([], dtype=np.int64)) is None
