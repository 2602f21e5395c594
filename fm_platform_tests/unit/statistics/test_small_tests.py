"""Sign test, McNemar, Friedman, proportions and multiplicity."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.statistics.friedman import friedman
from fm_platform.statistics.multiplicity import benjamini_hochberg, holm, holm_floor
from fm_platform.statistics.proportions import at_least, clopper_pearson, wilson
from fm_platform.statistics.sign_tests import mcnemar, sign_test, smallest_p


def test_sign_test_drops_zeros():
    assert sign_test([-1, -2, -3, -4, -5, -6]) == Fraction(1, 32)
    assert sign_test([-1, -2, -3, -4, -5, 0]) == Fraction(1, 16)
    assert sign_test([0, 0]) == 1


@pytest.mark.parametrize(
    ("one", "other", "p"), [(1, 0, 1), (0, 0, 1), (6, 0, Fraction(1, 32)), (5, 1, Fraction(7, 32))]
)
def test_mcnemar_is_the_sign_test_on_discordant_pairs(one, other, p):
    assert mcnemar(one, other) == p


def test_six_discordant_pairs_are_needed_for_significance():
    assert smallest_p(5) > Fraction(5, 100) > smallest_p(6)


@pytest.mark.parametrize("n", [7, 30, 200])
def test_sign_test_agrees_with_scipy(n):
    from scipy.stats import binomtest

    for k in {0, 1, n // 3, n // 2, n - 1}:
        changes = [1] * k + [-1] * (n - k)
        assert float(sign_test(changes)) == pytest.approx(binomtest(k, n).pvalue, rel=1e-10)


FRIEDMAN_TAIL = {  # n = 6, k = 3, no ties
    "12": 0.000129, "10.333": 0.001672, "9.333": 0.005530, "9": 0.008102, "8.333": 0.011960, "7": 0.028935,
    "6.333": 0.052083, "5.333": 0.072145, "4.333": 0.141590, "4": 0.184028,
}  # fmt: skip


def test_friedman_tail_at_six_patients_and_three_visits():
    found = {}
    draw = random.Random(1)
    orders = list(permutations((1, 2, 3)))
    found["12"] = friedman([(1, 2, 3)] * 6).p_value
    while len(found) < len(FRIEDMAN_TAIL):
        result = friedman([draw.choice(orders[: draw.randint(1, 6)]) for _ in range(6)])
        shown = f"{float(result.statistic):.3f}".rstrip("0").rstrip(".")
        if shown in FRIEDMAN_TAIL:
            found[shown] = result.p_value
    assert {q: round(float(p), 6) for q, p in found.items()} == FRIEDMAN_TAIL


@settings(max_examples=25)
@given(rows=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=4))
def test_friedman_equals_enumeration_with_ties(rows):
    ranked = [[sum(o < v for o in row) + (sum(o == v for o in row) + 1) / 2 for v in row] for row in rows]

    def spread(table):
        return sum((sum(column) - 2 * len(table)) ** 2 for column in zip(*table, strict=True))

    everything = list(product(*(list(permutations(row)) for row in ranked)))
    extreme = sum(spread(table) >= spread(ranked) for table in everything)
    assert friedman(rows).p_value == Fraction(extreme, len(everything))


def test_friedman_statistic_with_ties_agrees_with_scipy():
    from scipy.stats import friedmanchisquare

    rows = [(7, 5, 5), (8, 6, 4), (6, 6, 3), (9, 4, 4), (5, 5, 2), (7, 3, 4)]
    assert float(friedman(rows).statistic) == pytest.approx(
        friedmanchisquare(*zip(*rows, strict=True)).statistic
    )


def test_friedman_without_any_change_is_one():
    result = friedman([(3, 3, 3), (5, 5, 5)])
    assert (result.statistic, result.p_value) == (None, 1)


def test_friedman_refuses_missing_visits():
    with pytest.raises(ValueError, match="a value for each"):
        friedman([(1, 2, 3), (1, 2)])


@pytest.mark.parametrize(
    ("successes", "n", "exact", "score"),
    [(4, 6, (0.223, 0.957), (0.300, 0.903)), (3, 6, (0.118, 0.882), (0.188, 0.812))],
)
def test_intervals_of_the_published_responder_counts(successes, n, exact, score):
    found, other = clopper_pearson(successes, n), wilson(successes, n)
    assert (round(found.low, 3), round(found.high, 3)) == exact
    assert (round(other.low, 3), round(other.high, 3)) == score


@pytest.mark.parametrize("n", [1, 6, 109, 5000])
def test_intervals_agree_with_scipy(n):
    from scipy.stats import binomtest

    for successes in {0, n // 3, n}:
        reference = binomtest(successes, n)
        for own, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
            theirs = reference.proportion_ci(method=method)
            found = own(successes, n)
            assert (found.low, found.high) == (
                pytest.approx(theirs.low, abs=1e-12),
                pytest.approx(theirs.high, abs=1e-12),
            )


def test_nobody_to_count_has_no_interval():
    assert clopper_pearson(0, 0).low is None
    assert wilson(0, 0).high is None


@pytest.mark.parametrize(
    ("successes", "rate", "p"),
    [(4, Fraction(3, 10), 0.0705), (4, Fraction(1, 5), 0.017), (3, Fraction(3, 10), 0.256)],
)
def test_responders_against_a_fixed_rate(successes, rate, p):
    assert float(at_least(successes, 6, rate)) == pytest.approx(p, abs=5e-4)


def test_seven_tests_at_the_floor_of_six_patients():
    floor = [Fraction(1, 32)] * 7
    assert [float(p) for p in holm(floor)] == [0.21875] * 7
    assert [float(p) for p in benjamini_hochberg(floor)] == [0.03125] * 7


def test_holm_floor_of_fourteen_tests():
    assert float(holm_floor(Fraction(1, 32), 14)) == 0.4375
    assert holm_floor(Fraction(1, 8), 14) == 1


def test_adjustments_of_unequal_p_values():
    p = [Fraction(1, 100), Fraction(4, 100), Fraction(3, 100), Fraction(5, 1000)]
    assert holm(p) == [Fraction(3, 100), Fraction(6, 100), Fraction(6, 100), Fraction(2, 100)]
    assert benjamini_hochberg(p) == [Fraction(2, 100), Fraction(4, 100), Fraction(4, 100), Fraction(2, 100)]


def test_a_declared_test_without_data_counts_in_the_family():
    assert holm([Fraction(1, 32), None]) == [Fraction(1, 16), None]
    assert benjamini_hochberg([None, Fraction(1, 32)]) == [None, Fraction(1, 16)]


@given(p=st.lists(st.fractions(0, 1, max_denominator=64), min_size=1, max_size=8), new=st.fractions(0, 1))
def test_holm_never_rises_when_missing_data_arrive(p, new):
    before = holm([*p, None])
    after = holm([*p, new])
    assert all(late <= early for early, late in zip(before, after, strict=True) if early is not None)
