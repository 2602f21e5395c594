"""The cells that a cell was computed from.

Belongs here: matching a row with rows of the tables it reads. Does not belong here: delivered rows (``explanation``),
or rows that were left out (``left_out``).

A row of an input table counts as upstream when every column that the two tables identify rows by agrees (a column
copied from the input's key, or one of the same name but for ``_id``) and, where both know their raw rows, the input's
are among the explained row's (or, where there is no such row, some of them are).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fm_platform.lineage.explain.inputs import inputs_of_row, repeated_columns
from fm_platform.lineage.source_rows import ROW_ID, ROW_IDS
from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.reader import Published

LISTED = 20


@dataclass(frozen=True)
class UpstreamCells:
    """Cells of one column of an input table.

    Attributes:
        cells: Key and value of the first of them, in key order.
        count: How many there are.
    """

    table: str
    column: str
    count: int
    cells: Sequence[Mapping[str, Any]]


def upstream_chain(
    published: Published,
    table: str,
    column: str | None,
    row: Mapping[str, Any],
    lineage: Callable[[str, str | None], Sequence[Mapping[str, str]]],
    keys: Mapping[str, Sequence[str]],
) -> list[UpstreamCells]:
    """The cells behind a cell; through a cell that merely repeats another one, to those behind that.

    Args:
        published: The open published warehouse.
        table: The explained table.
        column: The explained column; None for the whole row, which is followed one step.
        row: The explained row, platform columns included.
        lineage: The recorded inputs of a table's column.
        keys: Key of every table.
    """
    inputs = inputs_of_row(published, table, row, lineage(table, column), keys)
    found = upstream_cells(published, table, row, inputs, keys)
    step = found
    while column is not None and len(step) == 1 and step[0].count == 1:
        table, column = step[0].table, step[0].column
        key = step[0].cells[0]["key"]
        where = " AND ".join(f"{identifier(name)} IS NOT DISTINCT FROM ?" for name in key)
        found_row = published.recall(f"SELECT * FROM {quoted_table(table)} WHERE {where}", list(key.values()))
        row = found_row.row(0, named=True)
        inputs = inputs_of_row(published, table, row, lineage(table, column), keys)
        step = upstream_cells(published, table, row, inputs, keys)
        found = [*found, *step]
    return found


def upstream_cells(
    published: Published,
    table: str,
    row: Mapping[str, Any],
    inputs: Sequence[Mapping[str, str]],
    keys: Mapping[str, Sequence[str]],
) -> list[UpstreamCells]:
    """The cells behind one cell or row.

    Args:
        published: The open published warehouse.
        table: The explained table.
        row: The explained row, platform columns included.
        inputs: Its column inputs, as recorded.
        keys: Key of every table.
    """
    wanted: dict[str, list[str]] = {}
    for entry in inputs:
        columns = wanted.setdefault(entry["table"], [])
        if entry["kind"] == "DIRECT" and entry["column"] not in columns:
            columns.append(entry["column"])
    copied = _copied(published, table)
    found = []
    for source, columns in wanted.items():
        if columns and source in keys:
            found += _cells_of(published, source, columns, row, keys[source], copied.get(source, {}))
    return found


def _copied(published: Published, table: str) -> dict[str, dict[str, str]]:
    """Input table to its column to the explained table's column that repeats it."""
    found: dict[str, dict[str, str]] = {}
    for source, column, own in repeated_columns(published, table):
        found.setdefault(source, {}).setdefault(column, own)
    return found


def _cells_of(
    published: Published,
    source: str,
    columns: Sequence[str],
    row: Mapping[str, Any],
    key: Sequence[str],
    copied: Mapping[str, str],
) -> list[UpstreamCells]:
    schema = published.schema(source)
    conditions: list[str] = []
    values: list[Any] = []
    for column in key:
        own = copied.get(column, column if column in row else column.removesuffix("_id"))
        if own in row and not column.startswith("_"):
            conditions.append(f"CAST({identifier(column)} AS VARCHAR) IS NOT DISTINCT FROM ?")
            values.append(None if row[own] is None else str(row[own]))
    if not conditions and not row.get(ROW_IDS):
        return []
    shown = list(dict.fromkeys([*key, *(column for column in columns if column in schema)]))
    order = ", ".join(f"{identifier(column)} NULLS FIRST" for column in key)
    frame = pl.DataFrame()
    for shared, ids in _shared_rows(schema, row):
        where = " AND ".join([*conditions, shared])
        frame = published.recall(
            f"SELECT {', '.join(identifier(column) for column in shown)}, count(*) OVER () AS _matches "
            f"FROM {quoted_table(source)} WHERE {where} ORDER BY {order} LIMIT {LISTED}",
            [*values, *ids],
        )
        if not frame.is_empty():
            break
    if frame.is_empty():
        return []
    matches = int(frame["_matches"][0])
    rows = frame.to_dicts()
    return [
        UpstreamCells(
            source,
            column,
            matches,
            [{"key": {part: cell[part] for part in key}, "value": cell[column]} for cell in rows],
        )
        for column in columns
        if column in schema
    ]


def _shared_rows(schema: Mapping[str, str], row: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """Conditions on an input's raw rows, to be tried in order: all of them are the row's own, or some are."""
    ids = list(row.get(ROW_IDS) or [])
    if ids and ROW_IDS in schema:
        within = f"(len({ROW_IDS}) = 0 OR list_has_all(?::VARCHAR[], {ROW_IDS}))"
        return [(within, [ids]), (f"list_has_any({ROW_IDS}, ?::VARCHAR[])", [ids])]
    if ids and ROW_ID in schema:
        return [(f"list_contains(?::VARCHAR[], {ROW_ID})", [ids])]
    return [("true", [])]
