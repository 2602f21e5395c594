"""The column inputs that count for one row, out of those recorded for the column.

Belongs here: leaving out tables and columns that the row itself says it does not come from. Does not belong here: the
cells (``cells``), or what is recorded (``materialization``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.reader import Published

VARIABLE = "variable"
"""A column whose value names the input column that the row is about."""
_PEOPLE = {"n": "subject_id"}
"""What a row is about that counts rows of the input, whose name no input column has."""


def inputs_of_row(
    published: Published,
    table: str,
    row: Mapping[str, Any],
    inputs: Sequence[Mapping[str, str]],
    keys: Mapping[str, Sequence[str]],
) -> list[Mapping[str, str]]:
    """The inputs without those that this row cannot come from.

    A table of which the row repeats key columns takes part only if it holds these values: of the tables that
    ``expression.de_results`` stacks, that of the row's contrast. Where the row's ``variable`` names one of a table's
    columns, the other columns it is computed from are of other rows.

    Args:
        published: The open published warehouse.
        table: The explained table.
        row: The explained row.
        inputs: What is recorded: table, column, kind, transformation.
        keys: Key of every table.
    """
    absent = _without_the_row(published, table, row, keys)
    about = _PEOPLE.get(str(row.get(VARIABLE)), row.get(VARIABLE))
    named = {entry["table"] for entry in inputs if entry["kind"] == "DIRECT" and entry["column"] == about}
    return [
        entry
        for entry in inputs
        if entry["table"] not in absent
        and (entry["table"] not in named or entry["kind"] != "DIRECT" or entry["column"] == about)
    ]


def repeated_columns(published: Published, table: str) -> list[tuple[str, str, str]]:
    """Input table, its column, and the table's column that repeats it."""
    return published.recall(
        "SELECT DISTINCT input_table, input_column, column_name FROM audit.column_lineage "
        "WHERE table_name = ? AND kind = 'DIRECT' AND transformation = 'IDENTITY'",
        [table],
    ).rows()


def _without_the_row(
    published: Published, table: str, row: Mapping[str, Any], keys: Mapping[str, Sequence[str]]
) -> set[str]:
    """Input tables that hold no row with the values that the row's key would repeat from them."""
    wanted: dict[str, dict[str, Any]] = {}
    for source, column, own in repeated_columns(published, table):
        if own in keys.get(table, ()) and column in keys.get(source, ()) and own in row:
            wanted.setdefault(source, {})[column] = row[own]
    return {source for source, values in wanted.items() if not _holds(published, source, values)}


def _holds(published: Published, source: str, values: Mapping[str, Any]) -> bool:
    where = " AND ".join(f"{identifier(column)} IS NOT DISTINCT FROM ?" for column in values)
    sql = f"SELECT 1 FROM {quoted_table(source)} WHERE {where} LIMIT 1"
    return published.recall(sql, list(values.values())).height == 1
