"""What is only counted: totals that differ from the answers, attributes that change, soft dictionary rules.

Belongs here: rules of scope ``query``. Does not belong here: anything that sets data aside; scoring, which is
the instruments' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.instruments.rules import AnswerMatrix, score_matrix
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import date, number
from fm_platform.validation.declared import DATE, DeclaredColumn
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.rules import Rule
from fm_platform.warehouse.names import literal

if TYPE_CHECKING:
    import duckdb

TOLERANCE = Fraction(5, 100)
MILLIONTHS = 1_000_000


def count_queries(
    con: duckdb.DuckDBPyConnection, source: RawSource, instruments: Sequence[Instrument], rule: Rule
) -> dict[str, int]:
    """What a rule of scope ``query`` counts, by file column; nothing for other rules."""
    by_id = {instrument.id: instrument for instrument in instruments}
    if rule.id in ("FM003", "FM004", "FM005"):
        return {
            e.column: totals_that_differ(con, source, by_id[e.instrument], e).height for e in rule.columns
        }
    if rule.id == "FM026":
        return {entry.column: varying_subjects(con, source, entry) for entry in rule.columns}
    if rule.id == "FM028":
        return {entry.column: _outside(con, source, entry) for entry in rule.columns}
    if rule.id == "FM029":
        return {entry.column: _blank(con, source, entry) for entry in rule.columns}
    return {}


def varying_subjects(con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn) -> int:
    """The number of subjects for whom an attribute differs between rows."""
    present = f"not {expressions.is_missing(entry.column, source.declaration)}"
    values = f"select {source.subject_id} as subject_id, {expressions.text(entry.column)} as value"
    varying = con.sql(
        f"""select subject_id from ({values} from {source.table} where {present})
        where subject_id is not null group by subject_id having count(distinct value) > 1"""
    )
    return len(varying.fetchall())


def outside(entry: DeclaredColumn, source: RawSource) -> str:
    """Whether a number, date or time is outside the range of the dictionary, each end of which may be open."""
    cell = expressions.text(entry.column)
    if any(entry.span):
        value = _moment(cell, entry, source)
        low, high = (_moment_of(literal(end), end) if end else None for end in entry.span)
    else:
        value = number(cell, entry)
        low, high = (None if end is None else str(end) for end in (entry.low, entry.high))
    ends = [f"{value} < {low}" if low else "false", f"{value} > {high}" if high else "false"]
    return " or ".join(ends)


def span_of(entry: DeclaredColumn) -> str:
    """The range of the dictionary, in words."""
    ends = entry.span if any(entry.span) else (entry.low, entry.high)
    return "..".join("" if end is None else str(end) for end in ends)


def _moment(cell: str, entry: DeclaredColumn, source: RawSource) -> str:
    """A cell on the scale of its range; null for what is none."""
    if entry.type == DATE:
        return date(cell, source.declaration)
    return _moment_of(cell, next(end for end in entry.span if end))


def _moment_of(text: str, like: str) -> str:
    """SQL of a text as DATE, TIME or TIMESTAMP, whichever an end of a range is; null for what is none."""
    if "-" in like:
        return f"try_cast({text} as {'timestamp' if ':' in like else 'date'})"
    if like.count(":") == 2:
        text = f"case when {text} like '%:%:%' then {text} else '00:' || {text} end"
    return f"try_cast({text} as time)"


def _outside(con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn) -> int:
    present = f"not {expressions.is_missing(entry.column, source.declaration)}"
    return _count(con, f"select _row_id from {source.table} where {present} and ({outside(entry, source)})")


def _blank(con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn) -> int:
    missing = expressions.is_missing(entry.column, source.declaration)
    return _count(con, f"select _row_id from {source.table} where {missing}")


def _count(con: duckdb.DuckDBPyConnection, rows: str) -> int:
    return len(con.sql(rows).fetchall())


def totals_that_differ(
    con: duckdb.DuckDBPyConnection, source: RawSource, instrument: Instrument, total: DeclaredColumn
) -> pl.DataFrame:
    """The rows whose recorded total differs from the computed one by more than 0.05.

    Rows without a recorded total, or whose answers give none, are left out. Exact: both sides are compared as
    whole numbers of millionths times the score's scale.

    Returns:
        _row_id, value (recorded), expected (computed, two decimals).
    """
    own = {
        entry.item: entry for entry in source.own_columns if entry.instrument == instrument.id and entry.item
    }
    cells = [
        f"cast({_accepted(own[item], source)} as integer)" if item in own else "cast(null as integer)"
        for item in instrument.item_ids
    ]
    cells.append(f"cast({_accepted(total, source)} * {MILLIONTHS} as bigint)")
    listed = ", ".join(f"{cell} as a{position}" for position, cell in enumerate(cells))
    present = f"not {expressions.is_missing(total.column, source.declaration)}"
    given = f"_row_id, {expressions.text(total.column)} as given, {listed}"
    delivered = con.sql(f"select {given} from {source.table} where {present}").fetchnumpy()
    columns = [np.ma.masked_array(delivered[f"a{position}"]) for position in range(len(cells))]
    *answers, recorded = columns
    if recorded.size == 0:
        return pl.DataFrame(schema={"_row_id": pl.String, "value": pl.String, "expected": pl.String})
    values = np.stack([answer.filled(0) for answer in answers], axis=1).astype(np.int32)
    known = np.stack([~np.ma.getmaskarray(answer) for answer in answers], axis=1)
    scored = score_matrix(instrument, AnswerMatrix(instrument.item_ids, values, known))
    computed = scored[total.domain]
    both = computed.valid & ~np.ma.getmaskarray(recorded)
    distance = np.abs(recorded.filled(0).astype(np.int64) * computed.scale - computed.exact * MILLIONTHS)
    at = np.flatnonzero(both & (distance > int(TOLERANCE * MILLIONTHS) * computed.scale))
    return pl.DataFrame(
        {
            "_row_id": [str(delivered["_row_id"][n]) for n in at],
            "value": [str(delivered["given"][n]) for n in at],
            "expected": [f"{computed.exact[n] / computed.scale[n]:.2f}" for n in at],
        },
        schema={"_row_id": pl.String, "value": pl.String, "expected": pl.String},
    )


def _accepted(entry: DeclaredColumn, source: RawSource) -> str:
    """A cell's number in the staged unit; null where it is missing or refused."""
    cell = expressions.text(entry.column)
    value = number(cell, entry)
    whole = f" and {value} = floor({value})" if entry.integer else ""
    absent = expressions.is_absent(entry, source.declaration)
    return f"case when not {absent} and {value} between {entry.low} and {entry.high}{whole} then {value} end"
