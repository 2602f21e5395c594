"""Severity bands on unrounded scores."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fm_platform.instruments.registry import load_instrument
from fm_platform_tests.unit.instruments.bands import band_of


@pytest.mark.parametrize(
    ("use", "score", "scheme", "value", "label"),
    [
        ("fiqr", "fiqr.total", "salaffi2018", 30, "remission"),
        ("fiqr", "fiqr.total", "salaffi2018", Fraction(181, 6), "mild"),
        ("fiqr", "fiqr.total", "salaffi2018", Fraction(273, 6), "moderate"),
        ("fiqr", "fiqr.total", "salaffi2018", Fraction(391, 6), "high"),
        ("fiqr", "total", "salaffi2021", 82, "severe"),
        ("fiqr", "total", "salaffi2021", Fraction(493, 6), "very severe"),
        ("acr2016", "acr2016.psd", "wolfe2015", 12, "severe"),
        ("acr2016", "acr2016.psd", "salaffi2021", 12, "mild"),
        ("acr2016", "acr2016.psd", "wolfe2015", 3, "none"),
    ],
)
def test_upper_bounds_are_inclusive_and_the_next_band_takes_the_gap(use, score, scheme, value, label):
    assert band_of(load_instrument(use), score, scheme, value) == label


def test_an_unknown_scheme_is_an_error():
    with pytest.raises(KeyError, match="no band scheme"):
        band_of(load_instrument("fiqr"), "fiqr.total", "house", 50)
