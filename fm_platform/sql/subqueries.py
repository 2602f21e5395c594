"""Queries inside a query: which stand for a value, and where they may stand so that their rows can be traced.

Belongs here: EXISTS, IN (SELECT ...) and subqueries as values. Does not belong here: subqueries in FROM.
"""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from fm_platform.sql.functions import is_aggregate
from fm_platform.sql.model import leftmost_select
from fm_platform.sql.refusals import Refuse

_MEND = "join it instead, or give it a column in a CTE of its own"


def is_value(node: exp.Expr) -> bool:
    """Whether a node is a subquery that stands for a value."""
    if not isinstance(node, exp.Subquery) or not isinstance(node.this, exp.Query):
        return False
    if isinstance(node.parent, (exp.From, exp.Join, exp.SetOperation, exp.CTE, exp.Subquery, exp.Exists)):
        return False
    return not (isinstance(node.parent, exp.In) and node.arg_key == "query")


def is_test(node: exp.Expr) -> bool:
    """Whether a node is EXISTS or IN of a query."""
    if isinstance(node, exp.Exists):
        return isinstance(node.this, exp.Query)
    return isinstance(node, exp.In) and node.args.get("query") is not None


def looked_for(test: exp.Expr) -> list[exp.Expr]:
    """The expressions before IN (SELECT ...), one for each of the query's columns."""
    return list(test.this.expressions) if isinstance(test.this, exp.Tuple) else [test.this]


Sense = Literal["needed", "kept out", "value"]
"""What a test's outcome does: its matches let a row through, they keep it out, or both answers are used as a value."""


def sense_of(test: exp.Expr) -> Sense:
    """What EXISTS or IN does to the rows of the SELECT that it stands in.

    Under AND, OR and NOT of WHERE or HAVING, a row that is there needs no more than the matches of the tests that are
    not negated: an unknown outcome lets nothing through, and AND, OR and NOT of three values are monotone.
    """
    node, negated = test.parent, False
    while isinstance(node, (exp.Paren, exp.Not, exp.And, exp.Or)):
        negated ^= isinstance(node, exp.Not)
        node = node.parent
    if isinstance(node, (exp.Where, exp.Having)) and isinstance(node.parent, exp.Select):
        return "kept out" if negated else "needed"
    return "value"


def of_group(node: exp.Expr) -> bool:
    """Whether a subquery of a SELECT that groups is asked once a group, not once a row."""
    while node.parent is not None and not isinstance(node.parent, exp.Select):
        if isinstance(node, exp.Where) or is_aggregate(node):
            return False
        node = node.parent
    return node.arg_key in ("expressions", "having")


def check_value(node: exp.Subquery, refuse: Refuse) -> None:
    """A value is one column, and stands where its rows can be traced."""
    if not is_value(node):
        return
    if len(leftmost_select(node.this).expressions) != 1:
        raise refuse(node, "a subquery used as a value gives one column", _MEND)
    _must_be_in_sight(node, "a subquery used as a value", refuse)


def check_exists(node: exp.Exists, refuse: Refuse) -> None:
    """EXISTS of a query stands where its rows can be traced."""
    if is_test(node):
        _must_be_in_sight(node, "EXISTS", refuse)


def check_in(node: exp.In, refuse: Refuse) -> None:
    """IN takes a list of values, or a query where its rows can be traced."""
    if not is_test(node):
        if node.args.get("field") is not None or node.args.get("unnest") is not None:
            raise refuse(node, "IN over a list column is not supported", "write list_contains(list, value)")
        return
    if isinstance(node.this, exp.Struct) or len(leftmost_select(node.args["query"].this).expressions) != len(
        looked_for(node)
    ):
        raise refuse(
            node, "the query of IN has other columns than are looked for", "select as many as stand before IN"
        )
    if any(_needs_its_own_rows(part) for part in node.this.walk()):
        raise refuse(
            node, "what is looked for by IN (SELECT ...) is computed over rows without naming them", _MEND
        )
    _must_be_in_sight(node, "IN (SELECT ...)", refuse)


def _needs_its_own_rows(node: exp.Expr) -> bool:
    """Whether an expression cannot be repeated inside another query: a window, or an aggregate like count(*)."""
    return isinstance(node, exp.Window) or (is_aggregate(node) and node.find(exp.Column) is None)


def _must_be_in_sight(node: exp.Expr, word: str, refuse: Refuse) -> None:
    """In an output, in WHERE or in HAVING, outside windows."""
    part = node
    while part.parent is not None and not isinstance(part.parent, exp.Select):
        if isinstance(part, exp.Window):
            raise refuse(node, f"{word} inside a window is not supported", _MEND)
        part = part.parent
    if not isinstance(part.parent, exp.Select) or part.arg_key not in ("expressions", "where", "having"):
        raise refuse(node, f"{word} is supported only in SELECT, WHERE and HAVING", _MEND)
