"""Additive designs are coded as formulaic codes them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.expression.designs.additive import additive
from fm_platform.expression.designs.coding import _by_formulaic, code
from fm_platform.expression.designs.formula import parse_formula

VALUES = {
    "group": ["b", "a", "c", "a", "b", "c"],
    "age": [30.0, 41.5, 28.0, 60.0, 33.0, 47.0],
    "sex": ["f", "m", "m", "f", "f", "m"],
    "dose": [0.0, 1.0, 2.0, 0.0, 1.0, 2.0],
}
LEVELS = {"group": ("b", "a", "c"), "sex": ("f", "m")}


@settings(max_examples=40)
@given(
    terms=st.permutations(sorted(VALUES)).flatmap(lambda names: st.integers(1, 4).map(lambda n: names[:n])),
    frame=st.sampled_from(["~ {}", "~ 0 + {}", "~ 1 + {}", "~ {} - 1", "~ {} + 0", "~ {} + 1", "~{}-1"]),
)
def test_additive_designs_are_those_of_formulaic(terms: list[str], frame: str) -> None:
    formula = parse_formula(frame.format(" + ".join(terms)))
    coded = code(formula, VALUES, LEVELS)
    _, names, matrix = _by_formulaic(formula, VALUES, LEVELS)
    places = {place: len(LEVELS[name]) for place, name in enumerate(formula.variables) if name in LEVELS}
    plan = additive(formula.neutral, places)
    assert plan is not None
    assert list(plan.names) == names
    np.testing.assert_array_equal(coded.matrix, matrix)
    np.testing.assert_array_equal(coded.rows(VALUES), matrix)


def test_other_designs_are_left_to_formulaic() -> None:
    for text in ("~ group:sex", "~ group * age", "~ (group + sex)", "~ group + group", "~ age + sex - group"):
        assert additive(parse_formula(text).neutral, {0: 3, 1: 2}) is None
