"""Input that could be read in two ways, which nobody but its owner can decide.

Belongs here: what stops a study with exit code 2 before any row is judged. Does not belong here: single bad
cells or rows, which go to quarantine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fm_platform.errors import InputError
from fm_platform.validation import expressions
from fm_platform.validation.raw_source import RawSource

if TYPE_CHECKING:
    import duckdb


def require_one_reading(con: duckdb.DuckDBPyConnection, source: RawSource) -> None:
    """Refuse dates whose order is not known, and composite ids that two subjects would share.

    Raises:
        InputError: With the file and line of the first such row, as far as the warehouse knows them.
    """
    if source.declaration.dates is None:
        for entry in source.own_columns:
            if entry.kind == "date":
                _require_date_order(con, source, entry.column)
    if len(source.subject_parts) > 1:
        _require_distinct_subjects(con, source)


def _require_date_order(con: duckdb.DuckDBPyConnection, source: RawSource, column: str) -> None:
    cells = f"select _row_id, {expressions.text(column)} as cell from {source.table}"
    ambiguous = expressions.is_ambiguous_date("cell")
    _refuse_first(
        con,
        source,
        f"select _row_id from ({cells}) where {ambiguous}",
        column,
        "day and month of this date could be taken for each other",
        f"add `dates: dmy` or `dates: mdy` to `clinical: {source.name}:` in study.yaml",
    )


def _require_distinct_subjects(con: duckdb.DuckDBPyConnection, source: RawSource) -> None:
    """Parts a-b and c would make the same id as a and b-c."""
    parts = ", ".join(expressions.text(part) for part in source.subject_parts)
    rows = f"select _row_id, {source.subject_id} as subject_id, [{parts}] as parts from {source.table}"
    _refuse_first(
        con,
        source,
        f"""select _row_id from ({rows}) semi join (
            select subject_id from ({rows}) where subject_id is not null
            group by subject_id having count(distinct parts) > 1
        ) using (subject_id)""",
        " + ".join(source.subject_parts),
        "this subject and another one would get the same id",
        "take the '-' out of one of the parts",
    )


def _refuse_first(
    con: duckdb.DuckDBPyConnection, source: RawSource, rows: str, column: str, message: str, mend: str
) -> None:
    """Raise at the row that stands first in the file, if a SELECT of _row_id finds any."""
    found = [str(row[0]) for row in con.sql(rows).fetchall()]
    if not found:
        return
    places = _places(con, source, found)
    if not places:
        where = f"source {source.name}, column {column!r}: {message}"
        raise source.study.error(where, "clinical", source.name, mend=mend)
    line, path = min(places)
    raise InputError(message, file=path, line=line, column=column, mend=mend)


def _places(con: duckdb.DuckDBPyConnection, source: RawSource, row_ids: list[str]) -> list[tuple[int, str]]:
    """Line and path of raw rows, as far as the warehouse has a record of them."""
    import duckdb

    origins = source.relation("audit.source_rows")
    try:
        return con.sql(
            f"select line, path from {origins} where source = ? and list_contains(?, _row_id)",
            params=[source.name, row_ids],
        ).fetchall()
    except duckdb.CatalogException:
        return []
