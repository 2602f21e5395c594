"""Input that could be read in two ways, which nobody but its owner can decide.

Belongs here: what stops a study with exit code 2 before any row is judged. Does not belong here: single bad
cells or rows, which go to quarantine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fm_platform.errors import InputError
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import date, date_hint
from fm_platform.validation.declared import DATE, DeclaredColumn
from fm_platform.validation.number_styles import FEWEST, Unreadable, number_styles
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.spelled_columns import Spelled, spelled_columns
from fm_platform.validation.spellings import ONLY_IN, is_odd, shown, spelled_twice
from fm_platform.warehouse.names import literal

if TYPE_CHECKING:
    import duckdb


def require_one_reading(con: duckdb.DuckDBPyConnection, source: RawSource) -> list[str]:
    """Refuse numbers and dates that could be read in two ways, and composite ids that two subjects would share.

    Returns:
        What was taken from the cells because study.yaml does not say it, as sentences.

    Raises:
        InputError: With the file and line of the first such row, as far as the warehouse knows them.
    """
    notes = []
    for entry, found in number_styles(con, source):
        if isinstance(found, Unreadable):
            _refuse_first(con, source, found.rows, entry.column, found.message, found.mend)
        else:
            notes.append(f"{source.name}: {found}")
    for entry in source.own_columns:
        if entry.type == DATE and entry.kind != "field":
            if source.declaration.dates is None:
                _require_date_order(con, source, entry.column)
            _require_some_dates(con, source, entry)
    if len(source.subject_parts) > 1:
        _require_distinct_subjects(con, source)
    for spelled in spelled_columns(source):
        _require_one_spelling(con, source, spelled)
    return notes


def _require_one_spelling(con: duckdb.DuckDBPyConnection, source: RawSource, spelled: Spelled) -> None:
    """Refuse ids and levels of which two are one to every reader; the rarer one is pointed at."""
    counted: dict[str, int] = {}
    for sql in spelled.texts:
        for text, times in con.sql(
            f"select t, count(*) from ({sql}) where t is not null group by t"
        ).fetchall():
            counted[text] = counted.get(text, 0) + times
    for group in spelled_twice(counted, spelled.apart):
        plainest = sorted(group, key=lambda text: (-counted[text], is_odd(text), text))
        for text in reversed(plainest):
            rest = [other for other in plainest if other != text]
            others = " and ".join(f"{shown(other)}{_line_of(con, source, spelled, other)}" for other in rest)
            alias = f"aliases: {{{spelled.column}: {{{_yaml(text)}: {_yaml(rest[0])}}}}}"
            _refuse_first(
                con,
                source,
                f"select _row_id from ({spelled.rows}) where t = {literal(text)}",
                spelled.column,
                f"{shown(text)} differs from {others} {ONLY_IN}",
                f"write it in one way, or say what it means in `clinical: {source.name}:` of study.yaml: `{alias}` "
                "(a text that means itself is another one)",
            )


def _line_of(con: duckdb.DuckDBPyConnection, source: RawSource, spelled: Spelled, text: str) -> str:
    """Where a text stands first in the same file, if it does."""
    rows = con.sql(f"select _row_id from ({spelled.rows}) where t = {literal(text)}").fetchall()
    line = first_place(con, source, [str(row[0]) for row in rows]) if rows else "?"
    return "" if line == "?" else f" (line {line})"


def _yaml(text: str) -> str:
    return json.dumps(text)


def _require_date_order(con: duckdb.DuckDBPyConnection, source: RawSource, column: str) -> None:
    cells = f"select _row_id, {expressions.text(column)} as cell from {source.table}"
    mend = f"add `dates: dmy` or `dates: mdy` to `clinical: {source.name}:` in study.yaml"
    by_order = {
        order: [str(row[0]) for row in con.sql(f"select _row_id from ({cells}) where {only}").fetchall()]
        for order, only in (
            ("dmy", expressions.is_dated_by("cell", 1)),
            ("mdy", expressions.is_dated_by("cell", 2)),
        )
    }
    if all(by_order.values()):
        day_first, month_first = (first_place(con, source, rows) for rows in by_order.values())
        message = (
            f"{len(by_order['dmy'])} dates of this column have the day first (line {day_first}) and "
            f"{len(by_order['mdy'])} the month first (line {month_first}): the others cannot be told"
        )
        _refuse_first(con, source, _listed([*by_order["dmy"], *by_order["mdy"]]), column, message, mend)
    _refuse_first(
        con,
        source,
        f"select _row_id from ({cells}) where {expressions.is_ambiguous_date('cell')}",
        column,
        "day and month of this date could be taken for each other",
        mend,
    )


def _require_some_dates(con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn) -> None:
    """A column in which no cell is a date is the wrong column, or has another order than study.yaml says."""
    cells = f"""select _row_id, {expressions.text(entry.column)} as cell from {source.table}
where not {expressions.is_missing(entry.column, source.declaration)}"""
    read = date("cell", source.declaration)
    counts = con.sql(
        f"select count(*), count({read}), min(cell), min({date_hint('cell')}) from ({cells})"
    ).fetchone() or (0, 0, "", None)
    if counts[0] >= FEWEST and not counts[1]:
        order = f" in the order {source.declaration.dates}" if source.declaration.dates else ""
        message = f"none of the {counts[0]} values of this column is a date{order} ({counts[2]})"
        message += f": {counts[3]}" if counts[3] else ""
        mend = (
            f"name the date's column, its order with `dates:`, or its texts for no date under `missing:`, in "
            f"`clinical: {source.name}:` of study.yaml"
        )
        _refuse_first(con, source, f"select _row_id from ({cells})", entry.column, message, mend)


def _listed(row_ids: list[str]) -> str:
    return f"select unnest([{', '.join(literal(row) for row in row_ids)}]) as _row_id"


def first_place(con: duckdb.DuckDBPyConnection, source: RawSource, row_ids: list[str]) -> str:
    """The line of the first of some raw rows; ``?`` where the warehouse does not know it."""
    places = places_of(con, source, row_ids)
    return str(min(places)[0]) if places else "?"


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
    places = places_of(con, source, found)
    if not places:
        where = f"source {source.name}, column {column!r}: {message}"
        raise source.study.error(where, "clinical", source.name, mend=mend)
    line, path = min(places)
    raise InputError(message, file=path, line=line, column=column, mend=mend)


def places_of(con: duckdb.DuckDBPyConnection, source: RawSource, row_ids: list[str]) -> list[tuple[int, str]]:
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
