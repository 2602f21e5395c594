"""Queries inside a query: which stand for a value, and where they may stand so that their rows can be traced.

Belongs here: EXISTS, IN (SELECT ...) and subqueries as values. Does not belong here: subqueries in FROM.
"""

from __future__ import annotations

from sqlglot import exp

from fm_platform.sql.functions import is_grouped
from fm_platform.sql.model import leftmost_select
from fm_platform.sql.refusals import Refuse


def is_value(node: exp.Expr) -> bool:
    """Whether a node is a subquery that stands for a value."""
    if not isinstance(node, exp.Subquery) or not isinstance(node.this, exp.Query):
        return False
    if isinstance(node.parent, (exp.From, exp.Join, exp.SetOperation, exp.CTE, exp.Subquery, exp.Exists)):
        return False
    return not (isinstance(node.parent, exp.In) and node.arg_key == "query")


def check_value(node: exp.Subquery, refuse: Refuse) -> None:
    """A value stands in the outputs or the WHERE clause of a SELECT that groups nothing, outside windows."""
    if not is_value(node):
        return
    mend = "join it instead, or group in a CTE of its own"
    if len(leftmost_select(node.this).expressions) != 1:
        raise refuse(node, "a subquery used as a value gives one column", mend)
    part: exp.Expr = node
    while part.parent is not None and not isinstance(part.parent, exp.Select):
        if isinstance(part, exp.Window):
            raise refuse(node, "a subquery used as a value inside a window is not supported", mend)
        part = part.parent
    select = part.parent
    if (
        not isinstance(select, exp.Select)
        or part.arg_key not in ("expressions", "where")
        or is_grouped(select)
    ):
        raise refuse(
            node, "a subquery used as a value is supported in SELECT and WHERE without grouping", mend
        )


def check_exists(node: exp.Exists, refuse: Refuse) -> None:
    """EXISTS of a query stands where its rows can be traced."""
    if isinstance(node.this, exp.Query):
        _must_be_conjunct(node, "EXISTS", refuse)


def check_in(node: exp.In, refuse: Refuse) -> None:
    """IN takes a list of values, or a query where its rows can be traced."""
    query = node.args.get("query")
    if query is None:
        if node.args.get("field") is not None or node.args.get("unnest") is not None:
            raise refuse(node, "IN over a list column is not supported", "write list_contains(list, value)")
        return
    if isinstance(node.this, (exp.Tuple, exp.Struct)):
        raise refuse(node, "IN over several columns is not supported", "write EXISTS")
    _must_be_conjunct(node, "IN (SELECT ...)", refuse)


def _must_be_conjunct(node: exp.Expr, word: str, refuse: Refuse) -> None:
    """EXISTS and IN (SELECT) stand in WHERE, joined to the rest by AND: so their rows can be traced."""
    inner = node.parent
    while isinstance(inner, (exp.Paren, exp.Not)):
        inner = inner.parent
    while isinstance(inner, (exp.Paren, exp.And)):
        inner = inner.parent
    if not isinstance(inner, exp.Where) or not isinstance(inner.parent, exp.Select):
        raise refuse(
            node, f"{word} is supported only in WHERE, joined by AND", "write a join, or split the query"
        )
