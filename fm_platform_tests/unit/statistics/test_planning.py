"""Sample sizes and power: the numbers of the specification."""

from __future__ import annotations

import pytest

from fm_platform.statistics import sample_size as size


@pytest.mark.parametrize(
    ("first", "second", "at_80", "at_90"),
    [(0.5, 0.3, 93, 124), (0.45, 0.3, 163, 217), (0.6, 0.3, 42, 56), (0.67, 0.3, 28, 37), (0.5, 0.2, 39, 52)],
)
def test_two_response_rates(first, second, at_80, at_90):
    assert (size.two_proportions(first, second, 0.8), size.two_proportions(first, second, 0.9)) == (
        at_80,
        at_90,
    )


def test_fiqr_trial_of_the_specification():
    needed = size.two_means(8.4, 20.69, 0.8)
    assert needed == 97
    assert size.rank_test(8.4, 20.69, 0.8) == 102
    assert size.ancova(8.4, 20.69, 0.5, 0.8) == 73
    assert size.with_dropout(needed, 0.15) == 115
    assert (size.two_means(10, 20.69, 0.8), size.two_means(15, 20.69, 0.8)) == (69, 31)


@pytest.mark.parametrize(
    ("n", "powers"),
    [(6, (0.11, 0.24, 0.49, 0.87)), (12, (0.31, 0.67, 0.95, 1.0)), (20, (0.55, 0.91, 1.0, 1.0))],
)
def test_power_of_the_exact_signed_rank_test(n, powers):
    found = [size.signed_rank_power(n, effect) for effect in (0.5, 0.8, 1.2, 2.0)]
    assert found == pytest.approx(powers, abs=0.015)


def test_five_patients_have_no_power_at_all():
    assert size.signed_rank_power(5, 3.0) == 0


def test_interval_of_a_standard_deviation_agrees_with_chi_square():
    from scipy.stats import chi2

    low, high = size.sd_interval(10, 6)
    assert (low, high) == pytest.approx(
        (10 * (5 / chi2.ppf(0.975, 5)) ** 0.5, 10 * (5 / chi2.ppf(0.025, 5)) ** 0.5)
    )
