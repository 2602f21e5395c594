"""SQL expressions over lists of row ids.

Belongs here: uniting, collecting and tidying such lists. Does not belong here: where in a query they go
(provenance.py).
"""

from __future__ import annotations

from sqlglot import exp

from fm_platform.sql.model import DIALECT


def united(ids: list[exp.Expr]) -> exp.Expr:
    """The ids of several lists; a NULL list counts as empty."""
    if len(ids) > 1:
        return call("list_concat", *ids)
    return ids[0] if ids else _none()


def united_columns(columns: list[exp.Expr]) -> exp.Expr:
    """The sorted, distinct ids of several tidy lists.

    Most rows unite a row with itself, with nothing, or with one other row; only the rest is sorted.
    """
    if len(columns) == 2:
        return _pair(columns[0], columns[1])
    if len(columns) == 3:
        one, other, third = columns
        both = _pair(one, other)
        return (
            exp.case()
            .when(_is_empty(third), both)
            .when(exp.EQ(this=both.copy(), expression=third.copy()), third.copy())
            .else_(tidy(united(columns)))
        )
    return tidy(united(columns))


def _pair(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    in_order = (
        exp.case()
        .when(exp.LT(this=one.copy(), expression=other.copy()), united([one.copy(), other.copy()]))
        .else_(united([other.copy(), one.copy()]))
    )
    return (
        exp.case()
        .when(_is_empty(other), call("coalesce", one.copy(), _none()))
        .when(_is_empty(one), other.copy())
        .when(exp.EQ(this=one.copy(), expression=other.copy()), one.copy())
        .when(exp.and_(_has(one, 1), _has(other, 1)), in_order)
        .else_(tidy(united([one.copy(), other.copy()])))
    )


def _is_empty(ids: exp.Expr) -> exp.Expr:
    return exp.EQ(
        this=call("coalesce", call("len", ids.copy()), exp.Literal.number(0)),
        expression=exp.Literal.number(0),
    )


def _has(ids: exp.Expr, count: int) -> exp.Expr:
    return exp.EQ(this=call("len", ids.copy()), expression=exp.Literal.number(count))


def collected(ids: exp.Expr) -> exp.Expr:
    """The ids of all rows of a group, as one list."""
    return call("flatten", call("list", ids))


def tidy(ids: exp.Expr) -> exp.Expr:
    """Sorted, distinct, without NULL, and an empty list rather than NULL."""
    if isinstance(ids, exp.Column):
        return call("coalesce", ids, _none())
    return call("coalesce", call("list_sort", call("list_distinct", ids)), _none())


def _none() -> exp.Expr:
    return exp.cast(exp.array(dialect=DIALECT), "VARCHAR[]", dialect=DIALECT)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call written as it stands, whatever sqlglot makes of functions of that name."""
    return exp.Anonymous(this=name, expressions=list(arguments))
