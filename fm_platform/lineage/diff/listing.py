"""The changed rows of one compared table as rows, cells and conclusions for people.

Belongs here: reading them from their temporary tables. Does not belong here: comparing (``rows``), which columns carry
a conclusion (``conclusions``), which reasons there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb

from fm_platform.lineage.diff.conclusions import moved
from fm_platform.lineage.diff.model import Cell, Conclusion, Row
from fm_platform.lineage.diff.rows import Changed
from fm_platform.warehouse.frames import frame_of

Kept = Callable[[str, str, Sequence[int]], tuple[int, ...]]
"""Of a table's column and the reasons of its row: those that lead to the column."""


def rows_of(
    connection: duckdb.DuckDBPyConnection, changed: Changed, limit: int | None, kept: Kept
) -> list[Row]:
    """The first changed rows, in key order (default: all), with their cells before and after."""
    return [_row(changed, row, kept) for row in _fetch(connection, changed, limit)]


def conclusions_of(
    connection: duckdb.DuckDBPyConnection, changed: Changed, both_have_contrasts: bool, kept: Kept
) -> Iterator[Conclusion]:
    """The conclusions of the table that moved; see :func:`fm_platform.lineage.diff.conclusions.moved`."""
    entries = moved(connection, changed, both_have_contrasts)
    rows = _fetch(connection, changed, None, [entry.n for entry in entries]) if entries else []
    by_number = {row["n"]: row for row in rows}
    for entry in entries:
        row = by_number[entry.n]
        old, new = ((row[side] or {}).get(entry.column) for side in ("old", "new"))
        reasons = kept(changed.table, entry.column, row["reasons"])
        yield Conclusion(changed.table, _key(changed, row), entry.column, old, new, entry.text, reasons)


def _fetch(
    connection: duckdb.DuckDBPyConnection,
    changed: Changed,
    limit: int | None,
    chosen: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    first = f"LIMIT {int(limit)}" if limit is not None else ""
    among = f"WHERE n IN (SELECT unnest({[int(n) for n in chosen]}))" if chosen is not None else ""
    return frame_of(
        connection.sql(
            "SELECT n, status, changed, old, new, coalesce(reasons, []) AS reasons FROM "
            f"(SELECT * FROM {changed.rows} {among} ORDER BY n {first}) LEFT JOIN "
            f"(SELECT n, list_sort(list_distinct(list(reason))) AS reasons FROM {changed.why} GROUP BY n) "
            "USING (n) ORDER BY n"
        )
    ).to_dicts()


def _row(changed: Changed, row: Mapping[str, Any], kept: Kept) -> Row:
    shown = (
        row["changed"] if row["status"] == "changed" else [c for c in changed.shared if not c.startswith("_")]
    )
    cells = tuple(
        Cell(
            column,
            row["old"][column] if row["status"] != "added" else None,
            row["new"][column] if row["status"] != "removed" else None,
            kept(changed.table, column, row["reasons"]),
        )
        for column in shown
        if column not in changed.key
    )
    reasons = tuple(sorted({number for cell in cells for number in cell.reasons} or set(row["reasons"])))
    return Row(_key(changed, row), row["status"], cells, reasons)


def _key(changed: Changed, row: Mapping[str, Any]) -> dict[str, Any]:
    side = row["old"] if row["status"] == "removed" else row["new"]
    return {name: side[name] for name in changed.key}
