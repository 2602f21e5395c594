"""Order and selection over a small literal graph."""

from __future__ import annotations

import pytest

from fm_platform.errors import InputError
from fm_platform.lineage.graph import Node, downstream_of, in_order, select, upstream_of

NODES = {
    node.table: node
    for node in (
        Node(table="raw.a"),
        Node(table="raw.b"),
        Node(table="staging.a", inputs=("raw.a",)),
        Node(table="staging.b", inputs=("raw.b",)),
        Node(table="marts.ab", inputs=("staging.a", "staging.b")),
        Node(table="report.ab", inputs=("marts.ab",)),
    )
}


def test_what_is_upstream_comes_first_whatever_the_order_given():
    expected = ["raw.a", "raw.b", "staging.a", "staging.b", "marts.ab", "report.ab"]
    assert [node.table for node in in_order(NODES.values())] == expected
    assert [node.table for node in in_order(reversed(list(NODES.values())))] == expected


def test_ancestors_and_descendants():
    assert upstream_of("marts.ab", NODES) == {"raw.a", "raw.b", "staging.a", "staging.b"}
    assert upstream_of("raw.a", NODES) == set()
    assert downstream_of("raw.a", NODES) == {"staging.a", "marts.ab", "report.ab"}
    assert downstream_of("report.ab", NODES) == set()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("marts.ab", "marts.ab"),
        ("marts/ab", "marts.ab"),
        ("+marts.ab", "raw.a raw.b staging.a staging.b marts.ab"),
        ("staging.a+", "staging.a marts.ab report.ab"),
        ("+staging.a+", "raw.a staging.a marts.ab report.ab"),
        ("raw.*", "raw.a raw.b"),
        ("+staging.*", "raw.a raw.b staging.a staging.b"),
        ("*", "raw.a raw.b staging.a staging.b marts.ab report.ab"),
        ("raw.a,staging.b", "raw.a staging.b"),
        ("raw.a  staging.b+", "raw.a staging.b marts.ab report.ab"),
        ("raw.a, raw.a", "raw.a"),
    ],
)
def test_a_selection_names_tables_and_what_is_around_them(expression, expected):
    assert select(expression, NODES) == set(expected.split())


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        ("marts.ba", "did you mean 'marts.ab'"),
        ("raw.a,stagin.b", "did you mean 'staging.b'"),
        ("gold.*", "known: marts.ab, raw.a"),
        ("+", "known: marts.ab"),
        ("raw", "known: marts.ab|did you mean 'raw"),
        ("ra*", "known: marts.ab|did you mean 'raw"),
    ],
)
def test_a_name_that_matches_nothing_is_refused_with_what_there_is(expression, mend):
    with pytest.raises(InputError, match=mend):
        select(expression, NODES)
