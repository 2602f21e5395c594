"""How wide a column of numbers is staged: as wide as the texts of the delivery are.

Belongs here: counting digits of what is delivered. Does not belong here: reading a number (``expressions``), judging it
(``cell_findings``), changing SQL (``sql.widening``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import number
from fm_platform.validation.declared import NUMBER, DeclaredColumn
from fm_platform.validation.raw_source import RawSource

if TYPE_CHECKING:
    import duckdb

USUAL_DECIMALS, USUAL_WHOLE = 6, 12
"""What the type NUMBER holds."""

_MEAN_DECIMALS = 6


def number_types(con: duckdb.DuckDBPyConnection, source: RawSource) -> dict[str, str]:
    """The columns of a source whose numbers do not fit the usual type, with the type that holds them exactly.

    Args:
        con: A connection that sees the raw table.
        source: The source.
    """
    entries = [entry for entry in source.own_columns if entry.type == NUMBER]
    if not entries:
        return {}
    counts = ", ".join(f"{_decimals(entry)}, {_largest(entry)}" for entry in entries)
    found = con.sql(f"select {counts} from {source.table}").fetchone() or ()
    types = {}
    for at, entry in enumerate(entries):
        decimals, whole = found[2 * at] or 0, found[2 * at + 1] or 0
        decimals = _after_aggregation(decimals + (entry.factor.denominator > 1), source.declaration.aggregate)
        if decimals > USUAL_DECIMALS or whole > USUAL_WHOLE:
            types[entry.column] = f"DECIMAL(38,{max(decimals, USUAL_DECIMALS)})"
    return types


def _decimals(entry: DeclaredColumn) -> str:
    cell = expressions.text(entry.column)
    read = f"{number(cell, entry)} is not null"
    return f"max(case when {read} then {expressions.decimals(expressions.numeral(cell, entry))} end)"


def _largest(entry: DeclaredColumn) -> str:
    """Digits before the decimal point."""
    value = f"cast(trunc(abs({number(expressions.text(entry.column), entry)})) as varchar)"
    return f"max(length(split_part({value}, '.', 1)))"


def _after_aggregation(decimals: int, how: str | None) -> int:
    """The middle of two numbers has one decimal more; a mean of small ones is kept to six further decimals."""
    if how == "median":
        return decimals + 1
    return decimals + _MEAN_DECIMALS if how == "mean" and decimals > USUAL_DECIMALS else decimals
