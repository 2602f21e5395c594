from __future__ import annotations

import pytest

from fm_platform.errors import InputError
from fm_platform.expression.designs.formula import parse_formula


@pytest.mark.parametrize(
    ("text", "variables", "neutral"),
    [
        ("~ type + condition", ("type", "condition"), "~ v0 + v1"),
        ("~0+group", ("group",), "~ 0 + v0"),
        ("~ a*b - a:b", ("a", "b"), "~ v0 * v1 - v0 : v1"),
        ("~ `number of lanes` + sample.type", ("number of lanes", "sample.type"), "~ v0 + v1"),
        ("~ (a + b)^2", ("a", "b"), "~ ( v0 + v1 ) ^ 2"),
    ],
)
def test_names_and_operators_are_read(text: str, variables: tuple[str, ...], neutral: str) -> None:
    formula = parse_formula(text)
    assert formula.variables == variables
    assert formula.neutral == neutral


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("condition", "does not begin with ~"),
        ("~ 1", "names no variable"),
        ("~ log(age)", r"log\(\) are not available"),
        ("~ __import__('os').system('true')", "are not available"),
        ("~ {1+1} + a", "cannot read"),
        ("~ a + (1|subject)", "random effects"),
        ("y ~ a", "does not begin with ~"),
        ("~ a ~ b", "second ~"),
        ("~ a + 'b'", "cannot read"),
    ],
)
def test_anything_else_is_refused_unread(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_formula(text)
