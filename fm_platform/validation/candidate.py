"""The frame that Great Expectations looks at: a source typed as far as its text allows.

Belongs here: one query over the raw table, and its columns' meaning. Does not belong here: expectations,
findings.

A number is a double in the staged unit; text that is no number stands as infinity, which lies in no set and
in no range, so that it is counted where a null would be passed over. Missing cells are null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm_platform.study.clinical import ClinicalSource
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import number
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.expectations import KNOWN, NO, SUBJECT, VISIT, VISIT_TEXT, WITHDRAWN, YES
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.withdrawals import withdrawn_rows
from fm_platform.warehouse.names import identifier

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


def candidate(con: duckdb.DuckDBPyConnection, source: RawSource) -> pd.DataFrame:
    """The typed candidate of a source, one row a raw row, only columns that a rule looks at.

    Args:
        con: A connection that sees the raw tables.
        source: The source.
    """
    return con.sql(candidate_sql(source)).df()


def candidate_sql(source: RawSource) -> str:
    """The SELECT of :func:`candidate`."""
    cells = [f"{source.subject_id} as {SUBJECT}"]
    judged = source.study.withdrawals is not None
    if judged or (source.by_visit and source.visit_column is None):
        cells.append("_row_id")
    if source.visit_column is not None:
        cells.append(f"{expressions.visit_id(source.visit_column, source.study)} as {VISIT}")
        cells.append(f"coalesce({expressions.text(source.visit_column)}, '') as {VISIT_TEXT}")
    cells += [
        f"{_cell(entry, source.declaration)} as {identifier(entry.column)}"
        for entry in source.own_columns
        if entry.is_checked
    ]
    sql = f"select {', '.join(cells)} from {source.table}"
    if source.by_visit and source.visit_column is None:
        kept = "c.*" if judged else "c.* exclude (_row_id)"
        sql = f"""select {kept}, k.visit_id as {VISIT}
from ({sql}) as c join ({source.keys}) as k on k._row_id = c._row_id"""
    if judged:
        sql = f"""select c.* exclude (_row_id), case when w._row_id is null then '{NO}' else '{YES}' end as {WITHDRAWN}
from ({sql}) as c left join ({withdrawn_rows(source)}) as w on w._row_id = c._row_id"""
    if source.subject_sources:
        known = f"case when known.subject_id is null then '{NO}' else '{YES}' end"
        sql = f"""select c.*, case when c.{SUBJECT} is not null then {known} end as {KNOWN}
from ({sql}) as c left join ({source.known_subjects}) as known on known.subject_id = c.{SUBJECT}"""
    return sql


def _cell(entry: DeclaredColumn, source: ClinicalSource) -> str:
    cell = expressions.text(entry.column)
    if entry.is_number:
        delivered = number(cell, entry)
        if entry.kind == "field" and entry.integer:
            delivered = f"case when {delivered} = floor({delivered}) then {delivered} end"
        value = f"coalesce(cast({delivered} as double), 'infinity'::double)"
    elif entry.choices or entry.pattern:
        value = cell
    else:
        value = expressions.date_text(cell)
    return f"case when {expressions.is_absent(entry, source)} then null else {value} end"
