from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.reporting import format as fmt


@pytest.mark.parametrize(
    ("p", "floor", "text"),
    [
        (0.03125, 0.03125, "0.031 (floor 0.031)"),
        (0.0625, 0.03125, "0.063 (floor 0.031)"),
        (0.00099, None, "<0.001"),
        (0.001, None, "0.001"),
        (0.0004, 0.0001, "<0.001 (floor <0.001)"),
        (0.05, None, "0.050"),
        (0.0496, None, "0.0496"),
        (0.0503, None, "0.0503"),
        (0.04999, None, "0.04999"),
        (0.9999, None, ">0.999"),
        (1.0, 0.03125, "1 (floor 0.031)"),
        (0.0, None, "<0.001"),
        (None, 0.03125, "–"),
        (math.nan, None, "–"),
    ],
)
def test_p_value(p: float | None, floor: float | None, text: str) -> None:
    assert fmt.p_value(p, floor) == text


@pytest.mark.parametrize("p", [-0.01, 1.01, math.inf])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        fmt.p_value(p)


@given(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True))
def test_rounding_never_moves_a_p_value_onto_or_across_five_percent(p: float) -> None:
    text = fmt.p_value(p).lstrip("<>")
    assert (float(text) < 0.05) == (p < 0.05)
    assert (float(text) > 0.05) == (p > 0.05)


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0213, "0.021"), (1.24e-8, "1.2×10⁻⁸"), (9.96e-5, "1.0×10⁻⁴"), (0.0, "<10⁻³⁰⁰"), (None, "–")],
)
def test_small_p(p: float | None, text: str) -> None:
    assert fmt.small_p(p) == text


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [
        (2.25, 1, False, "2.3"),
        (-2.25, 1, True, "−2.3"),
        (3, 1, True, "+3.0"),
        (-0.04, 1, True, "0.0"),
        (1e6, 1, False, "1000000.0"),
        (math.inf, 1, False, "–"),
        (None, 1, False, "–"),
    ],
)
def test_number(value: float | None, digits: int, signed: bool, text: str) -> None:
    assert fmt.number(value, digits, signed=signed) == text


def test_an_interval_names_the_level_it_reaches_and_never_pretends() -> None:
    assert fmt.interval(-12, -1, 0.96875) == "96.9% CI −12.0 to −1.0"
    assert fmt.interval(None, None, None) == "no 95% interval attainable"


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(4, 6, "4 (67%)"), (1, 8, "1 (13%)"), (0, 0, "0"), (1, 300, "1 (0.3%)")]
)
def test_count_percent(part: int, whole: int, text: str) -> None:
    assert fmt.count_percent(part, whole) == text
