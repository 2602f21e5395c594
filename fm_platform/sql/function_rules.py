"""Functions that a model may not call, or only with an order.

Belongs here: what is said about the function names of functions.py. Does not belong here: the shape of
queries (rules.py) and the types of arguments (number_types.py).
"""

from __future__ import annotations

from sqlglot import exp

from fm_platform.sql.functions import (
    NEEDS_ORDER,
    NEEDS_WINDOW_ORDER,
    NEVER_EXACT,
    SESSION,
    TIME_AND_CHANCE,
    function_names,
)
from fm_platform.sql.refusals import Refuse

_CLOCK_WORDS = {"now", "today", "yesterday", "tomorrow"}


def check_window(node: exp.Window, refuse: Refuse) -> None:
    """Refuse ranks and neighbours in a window that has no order."""
    call = node.this
    while isinstance(call, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        call = call.this
    if not isinstance(call, exp.Func):
        return
    names = function_names(call) & NEEDS_WINDOW_ORDER
    if names and not _window_order(node):
        raise refuse(
            node, f"{min(names)}() without ORDER BY in its window", "add ORDER BY, with ties broken by a key"
        )


def _window_order(node: exp.Window) -> bool:
    if node.args.get("order"):
        return True
    name = node.alias
    select = node.find_ancestor(exp.Select)
    named = select.args.get("windows") or [] if select is not None and name else []
    return any(window.name == name and bool(window.args.get("order")) for window in named)


def check_function(node: exp.Func, refuse: Refuse) -> None:
    """Refuse calls whose value depends on time, chance, the session or the order of rows."""
    names = function_names(node)
    if found := names & TIME_AND_CHANCE or (names & {"age"} if len(node.expressions) == 1 else frozenset()):
        raise refuse(
            node, f"{min(found)}() is not deterministic", "models give the same rows every day; drop it"
        )
    if found := names & SESSION:
        raise refuse(node, f"{min(found)}() reads the session", "models depend on their tables only; drop it")
    if found := names & NEVER_EXACT:
        raise refuse(
            node,
            f"{min(found)}() is computed in floating point and depends on the order of rows",
            "compute it in the statistics, from the rows",
        )
    if (found := names & NEEDS_ORDER) and not _is_ordered(node):
        raise refuse(
            node, f"{min(found)}() depends on the order of rows", "add ORDER BY inside it, or use min/max"
        )


def _is_ordered(node: exp.Func) -> bool:
    if any(isinstance(argument, exp.Order) for argument in node.iter_expressions()):
        return True
    above = node.parent
    while isinstance(above, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter, exp.WithinGroup)):
        if isinstance(above, exp.WithinGroup):
            return True
        above = above.parent
    return isinstance(above, exp.Window) and _window_order(above)


def check_cast(node: exp.Cast, refuse: Refuse) -> None:
    """Refuse texts that DuckDB reads as the clock, such as ``'today'::date``."""
    text = node.this
    if isinstance(text, exp.Literal) and text.is_string and text.name.strip().lower() in _CLOCK_WORDS:
        raise refuse(
            node, f"{text.name!r} reads the clock", "models are deterministic; take dates from the data"
        )
