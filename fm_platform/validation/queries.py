"""What is only counted: totals that differ from the answers (FM003), attributes that change (FM026).

Belongs here: rules of scope ``query``. Does not belong here: anything that sets data aside; scoring, which is
the instruments' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fm_platform.instruments.model import Instrument
from fm_platform.instruments.rules import AnswerMatrix, score_matrix
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import number
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.rules import Rule

if TYPE_CHECKING:
    import duckdb

TOLERANCE = Fraction(5, 100)
MILLIONTHS = 1_000_000


def count_queries(
    con: duckdb.DuckDBPyConnection, source: RawSource, instruments: Sequence[Instrument], rule: Rule
) -> dict[str, int]:
    """What a rule of scope ``query`` counts, by file column; nothing for other rules."""
    if rule.id == "FM003":
        by_id = {instrument.id: instrument for instrument in instruments}
        return {e.column: differing_totals(con, source, by_id[e.instrument], e) for e in rule.columns}
    if rule.id == "FM026":
        return {entry.column: varying_subjects(con, source, entry) for entry in rule.columns}
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


def differing_totals(
    con: duckdb.DuckDBPyConnection, source: RawSource, instrument: Instrument, total: DeclaredColumn
) -> int:
    """The number of rows whose recorded total differs from the computed one by more than 0.05.

    Rows without a recorded total, or whose answers give none, are not counted. Exact: both sides are compared
    as whole numbers of millionths times the score's scale.
    """
    own = {entry.item: entry for entry in source.own_columns if entry.instrument == instrument.id}
    cells = [
        f"cast({_accepted(own[item])} as integer)" if item in own else "cast(null as integer)"
        for item in instrument.item_ids
    ]
    cells.append(f"cast({_accepted(total)} * {MILLIONTHS} as bigint)")
    listed = ", ".join(f"{cell} as a{position}" for position, cell in enumerate(cells))
    present = f"not {expressions.is_missing(total.column, source.declaration)}"
    delivered = con.sql(f"select {listed} from {source.table} where {present}").fetchnumpy()
    columns = [np.ma.masked_array(delivered[f"a{position}"]) for position in range(len(cells))]
    *answers, recorded = columns
    if recorded.size == 0:
        return 0
    values = np.stack([answer.filled(0) for answer in answers], axis=1).astype(np.int32)
    known = np.stack([~np.ma.getmaskarray(answer) for answer in answers], axis=1)
    computed = score_matrix(instrument, AnswerMatrix(instrument.item_ids, values, known))["total"]
    both = computed.valid & ~np.ma.getmaskarray(recorded)
    distance = np.abs(recorded.filled(0).astype(np.int64) * computed.scale - computed.exact * MILLIONTHS)
    return int((both & (distance > int(TOLERANCE * MILLIONTHS) * computed.scale)).sum())


def _accepted(entry: DeclaredColumn) -> str:
    """A cell's number in the staged unit; null where it is missing or refused."""
    cell = expressions.text(entry.column)
    value = number(cell, entry)
    whole = f" and {value} = floor({value})" if entry.integer else ""
    return f"case when {value} between {entry.low} and {entry.high}{whole} then {value} end"
