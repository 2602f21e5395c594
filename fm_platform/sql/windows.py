"""Which rows a window function looks at, as the frame over which their marks are collected.

Belongs here: frames of window functions and the named windows that they build on. Does not belong here: the rest
of the rewriting (links.py), which window functions are refused (function_rules.py).

The rule for a row: the rows whose absence could change the function's value there, and the row itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from fm_platform.sql.functions import AGGREGATES, function_names
from fm_platform.sql.marks import call
from fm_platform.sql.model import DIALECT

_RANKS = frozenset({"row_number", "rank", "dense_rank", "rank_dense"})
"""Ranks: only rows up to the current one, and its peers, have a say; DuckDB ignores their frame."""

_NEIGHBOURS = frozenset({"lag", "lead"})
_IN_FRAME = AGGREGATES | {"first_value", "last_value", "nth_value"}
_CURRENT = "CURRENT ROW"
_UNBOUNDED = "UNBOUNDED"


def frames_of(select: exp.Select, *parts: exp.Expr | None) -> list[exp.Window]:
    """The distinct windows over which the marks of a SELECT are to be collected, without their function.

    Args:
        select: A resolved SELECT.
        parts: Its parts whose windows count.
    """
    named = {window.name: window for window in select.args.get("windows") or []}
    found: dict[str, exp.Window] = {}
    for part in parts:
        for node in part.walk(prune=lambda found: isinstance(found, exp.Query)) if part is not None else ():
            if isinstance(node, exp.Window):
                frame = _frame(node, named)
                found[frame.sql(dialect=DIALECT)] = frame
    return list(found.values())


def over(marks: exp.Expr, frame: exp.Window) -> exp.Expr:
    """The marks of all rows of a frame, as one list."""
    window = frame.copy()
    window.set("this", call("list", marks.copy()))
    return call("flatten", window)


def _frame(window: exp.Window, named: Mapping[str, exp.Window]) -> exp.Window:
    """The window of one function: its own partition, and the order and extent that decide about a value."""
    partition, order, spec = _written_out(window, named)
    extent = _extent(window, spec)
    if extent is None:
        return exp.Window(this=call("list"), partition_by=partition)
    return exp.Window(this=call("list"), partition_by=partition, order=order, spec=extent or None)


def _written_out(
    window: exp.Window, named: Mapping[str, exp.Window]
) -> tuple[list[exp.Expr], exp.Expr | None, exp.Expr | None]:
    """PARTITION BY, ORDER BY and frame of a window, those of the named window that it builds on included."""
    partition = [item.copy() for item in window.args.get("partition_by") or []]
    order, spec = window.args.get("order"), window.args.get("spec")
    base = named.get(window.alias)
    while base is not None:
        partition += [item.copy() for item in base.args.get("partition_by") or []]
        order, spec = order or base.args.get("order"), spec or base.args.get("spec")
        base = named.get(base.alias)
    return partition, order.copy() if order is not None else None, spec


def _extent(window: exp.Window, spec: exp.Expr | None) -> exp.WindowSpec | bool | None:
    """Which rows of the ordered partition count: a frame, False for the default frame, None for all of them."""
    function = window.this
    ignores_nulls = False
    while isinstance(function, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        ignores_nulls = ignores_nulls or isinstance(function, exp.IgnoreNulls)
        function = function.this
    names = function_names(function) if isinstance(function, exp.Func) else frozenset()
    if names & _IN_FRAME:
        return _with_current_row(spec) if isinstance(spec, exp.WindowSpec) else False
    if function.find(exp.Order) is not None:
        return None
    if names & _RANKS:
        return False
    if names & _NEIGHBOURS:
        return _towards(function, ahead="lead" in names, all_the_way=ignores_nulls)
    return None


def _with_current_row(spec: exp.WindowSpec) -> exp.WindowSpec:
    """A frame that reaches to the current row and excludes none.

    A row between the current one and a frame that begins beyond it moves the frame by its absence; so does a row
    that EXCLUDE passes over.
    """
    start, start_side = spec.args.get("start"), str(spec.args.get("start_side") or "").upper()
    end, end_side = spec.args.get("end") or _CURRENT, str(spec.args.get("end_side") or "").upper()
    if start_side == "FOLLOWING":
        start, start_side = _CURRENT, ""
    if end_side == "PRECEDING":
        end, end_side = _CURRENT, ""
    return _spec(str(spec.args["kind"]), start, start_side, end, end_side)


def _towards(function: exp.Expr, *, ahead: bool, all_the_way: bool) -> exp.WindowSpec | None:
    """The rows between the current one and the neighbour that LAG or LEAD reads."""
    offset = function.args.get("offset")
    reach: exp.Expr | str
    if all_the_way:
        reach, kind = _UNBOUNDED, "RANGE"
    elif offset is None or isinstance(offset, exp.Literal):
        reach, kind = exp.Literal.number(offset.name if offset is not None else 1), "ROWS"
    else:
        return None
    if ahead:
        return _spec(kind, _CURRENT, "", reach, "FOLLOWING")
    return _spec(kind, reach, "PRECEDING", _CURRENT, "")


def _spec(
    kind: str, start: exp.Expr | str | None, start_side: str, end: exp.Expr | str | None, end_side: str
) -> exp.WindowSpec:
    """A frame of its own: nothing in it belongs to another tree."""
    start, end = (bound.copy() if isinstance(bound, exp.Expr) else bound for bound in (start, end))
    return exp.WindowSpec(
        kind=kind, start=start, start_side=start_side or None, end=end, end_side=end_side or None
    )
