"""REDCap expressions: what they mean, and where nothing is claimed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.sources.redcap.logic import Reference, UnreadableLogic, parse_logic, references
from fm_platform.sources.redcap.values import UNKNOWN, evaluate, is_known

CELLS = {
    Reference("a"): "3",
    Reference("b"): "4,5",
    Reference("none"): "",
    Reference("sex"): "0",
    Reference("word"): "yes",
    Reference("area", code="2"): "1",
    Reference("area", code="3"): "0",
    Reference("from"): "2024-01-30",
    Reference("to"): "2024-03-01",
    Reference("a", event="base_arm_1"): "9",
}


def value(text: str):
    return evaluate(parse_logic(text), lambda reference: CELLS.get(reference, UNKNOWN))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("2 ^ 3 * 2", 16),
        ("-[a] + 1", -2),
        ("([b])^(2)", Fraction(81, 4)),
        ("round([b]/2, 1)", Fraction(23, 10)),
        ("round(0-2.5, 0)", -3),
        ("roundup(1.01, 1)", Fraction(11, 10)),
        ("rounddown(0-1.99, 1)", Fraction(-19, 10)),
        ("sqrt(16)", 4),
        ("abs(2-5)", 3),
        ("sum([a], [none], [b])", Fraction(15, 2)),
        ("mean([a], [none], [b])", Fraction(15, 4)),
        ("median(1, 5, 2, [none])", 2),
        ("max([a], [b])", Fraction(9, 2)),
        ("min([none])", ""),
        ("[a] + [none]", ""),
        ("if([sex] = '0', [a], [b])", "3"),
        ("datediff([from], [to], 'd')", 31),
        ("datediff([to], [from], 'd', 'mdy')", 31),
        ("datediff([to], [from], 'd', true)", -31),
        ("[base_arm_1][a] - [a]", 6),
        ("1/[a]*[a]", 1),
        # Text after a hash or two slashes at the start of a line is a remark.
        ("# the whole\n[a]\n// and a half\n+ 0.5", Fraction(7, 2)),
    ],
)
def test_numbers(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sex] = '0' and [a] > 2", True),
        ('[sex] = "0" and [a] > 3', False),
        ("[a] = '3.0'", True),
        ("[a] <> 3", False),
        ("[a] != '4'", True),
        ("[none] = ''", True),
        ("[none] <> ''", False),
        ("[word] = 'yes'", True),
        ("[area(2)] = '1' or [area(3)] = '1'", True),
        ("not([area(2)] = '1') && [a] = 3", False),
        ("!([area(3)] = 1) || [a] = 0", True),
        ("[from] < [to]", True),
        ("[a] = 1 or [a] = 2 and [a] = 3 or [a] = 3", True),
        ("not [a] = 3 or [a] = 3", True),
    ],
)
def test_truths(text, expected):
    assert value(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "[elsewhere] = '1'",
        "[none] < 5",
        "[none] = 0",
        "[word] > 3",
        "1 / 0",
        "round([a])",
        "datediff([from], 'today', 'd')",
        "datediff([from], [to], 'y')",
        "sqrt(0-1)",
        "isblankormissingcode([a])",
        "[elsewhere] = '1' and [a] = 3",
        "[elsewhere] = '1' or [a] = 4",
    ],
)
def test_what_redcap_leaves_open_is_left_open(text):
    assert value(text) is UNKNOWN


def test_a_bare_value_is_no_condition():
    assert value("[a]") == "3"
    assert value("not [a]") is UNKNOWN


def test_an_unknown_part_that_cannot_decide_does_not_matter():
    assert value("[elsewhere] = '1' and [a] = 4") is False
    assert value("[elsewhere] = '1' or [a] = 3") is True


def test_references_events_boxes_and_instances():
    text = "[week_arm_1][pain(jaw_l)] = '1' and [x][2] > [record-name]"
    assert list(references(parse_logic(text))) == [
        Reference("pain", "week_arm_1", "jaw_l"),
        Reference("x", instance="2"),
        Reference("record-name"),
    ]


def test_functions_that_are_not_computed_are_told():
    assert is_known(parse_logic("if([a] = 1, round([b], 1), '')"))
    assert not is_known(parse_logic("1 + stdev([a], [b])"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "breaks off"),
        ("[a] =", "breaks off"),
        ("([a] = 1", "missing"),
        ("[a] = 1)", "not expected"),
        ("[a] ~ 1", "not understood"),
        ("round [a]", "missing"),
        ("[a][b][c][d]", "too many names"),
        ("(" * 5000 + "1", "nested too deeply"),
    ],
)
def test_what_is_no_expression_says_why(text, message):
    with pytest.raises(UnreadableLogic, match=message):
        parse_logic(text)


@given(
    st.recursive(
        st.integers(0, 9).map(str),
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        max_leaves=12,
    )
)
def test_arithmetic_is_that_of_python(text):
    assert value(text) == eval(text)


@given(st.text(alphabet="[]()ab1'\"=<>+-*/^,! \nandor", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        tree = parse_logic(text)
    except UnreadableLogic:
        return
    evaluate(tree, lambda _: UNKNOWN)
