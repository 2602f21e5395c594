"""The fibromyalgia criteria, golden cases and three-valued logic."""

from __future__ import annotations

from itertools import product

import pytest

from fm_platform.instruments.criteria import Bounds, Verdict, criteria_verdict

MET, NOT_MET, UNKNOWN = Verdict.MET, Verdict.NOT_MET, Verdict.INDETERMINATE


@pytest.mark.parametrize(
    ("wpi", "sss", "regions", "three_months", "version", "verdict"),
    [
        pytest.param(4, 12, 0, True, "2016", NOT_MET, id="a-jaws-chest-abdomen-only"),
        pytest.param(3, 9, 3, True, "2011", MET, id="b-2011"),
        pytest.param(3, 9, 3, True, "2010", MET, id="b-2010"),
        pytest.param(3, 9, 3, True, "2016", NOT_MET, id="b-2016"),
        pytest.param(7, 12, 3, True, "2016", NOT_MET, id="c-three-regions"),
        pytest.param(4, 9, 4, True, "2016", MET, id="d-one-per-region"),
        pytest.param(6, 8, 4, True, "2016", NOT_MET, id="e-psd-14-is-not-enough"),
        pytest.param(7, 5, 4, False, "2016", NOT_MET, id="f-two-months"),
        pytest.param(7, 5, 4, True, "2016", MET, id="first-arm"),
    ],
)
def test_golden_cases(wpi, sss, regions, three_months, version, verdict):
    assert criteria_verdict(wpi, sss, regions, three_months, version=version) is verdict


@pytest.mark.parametrize(
    ("wpi", "sss", "regions", "three_months", "verdict"),
    [
        pytest.param(12, 8, None, True, UNKNOWN, id="recorded-wpi-without-areas-is-never-met"),
        pytest.param(3, 12, None, True, NOT_MET, id="recorded-wpi-too-low-for-any-regions"),
        pytest.param(12, 8, 5, None, UNKNOWN, id="duration-unknown"),
        pytest.param(12, 4, 5, None, NOT_MET, id="duration-unknown-but-sss-too-low"),
        pytest.param(Bounds(7, 9), Bounds(5, 6), Bounds(4, 5), True, MET, id="met-at-both-ends"),
        pytest.param(Bounds(6, 7), 5, 4, True, UNKNOWN, id="one-area-decides"),
        pytest.param(Bounds(0, 6), Bounds(0, 8), Bounds(0, 5), True, NOT_MET, id="not-met-at-both-ends"),
        pytest.param(None, None, None, None, UNKNOWN, id="nothing-known"),
    ],
)
def test_unknown_answers_decide_only_when_they_can(wpi, sss, regions, three_months, verdict):
    assert criteria_verdict(wpi, sss, regions, three_months) is verdict


@pytest.mark.parametrize("version", ["2010", "2011", "2016"])
def test_a_verdict_from_bounds_equals_that_of_every_completion(version):
    for wpi_low, sss_low, wide in product(range(0, 10), range(3, 11), (0, 1, 3)):
        wpi, sss = Bounds(wpi_low, wpi_low + wide), Bounds(sss_low, min(12, sss_low + wide))
        completions = {
            criteria_verdict(w, s, 4, True, version=version)
            for w in range(wpi.low, wpi.high + 1)
            for s in range(sss.low, sss.high + 1)
        }
        expected = completions.pop() if len(completions) == 1 else UNKNOWN
        assert criteria_verdict(wpi, sss, 4, True, version=version) is expected


def test_met_implies_a_fibromyalgianess_of_12():
    met = [
        wpi + sss
        for wpi, sss, regions in product(range(20), range(13), range(6))
        if criteria_verdict(wpi, sss, regions, True) is MET
    ]
    assert min(met) == 12
