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
