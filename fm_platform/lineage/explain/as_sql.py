"""The delivered rows behind a row or cell as one SELECT that any DuckDB client runs on the published file.

Belongs here: telling the steps of ``links.behind`` as one query, and the query of the answer. Does not belong here: the
steps themselves.

Each step makes or extends a temporary table. Told in one query, every state of such a table is a common table
expression, which later steps read by its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from fm_platform.errors import InputError
from fm_platform.lineage.explain.explanation import row_of
from fm_platform.lineage.links.behind import Behind, rowids_of
from fm_platform.lineage.links.book import STRENGTH, LinkBook
from fm_platform.warehouse.connection import FAULTY_OPTIMIZERS
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published

_MADE = re.compile(r"CREATE OR REPLACE TEMP TABLE (\w+) (?:AS (?P<query>.*)|\((?P<columns>.*)\))", re.DOTALL)
_EXTENDED = re.compile(r"INSERT INTO (\w+) (?P<rows>.*)", re.DOTALL)
_DELIVERED = "fm_delivered"


def delivered_sql(
    published: Published, table: str, where: Sequence[tuple[str, str]] = (), column: str | None = None
) -> str:
    """A script of one SET and one SELECT: file, line, column, text and role of each delivered cell or row.

    A row that counts as a whole has no column. The rows are those of ``Explanation.rows`` and ``decided``.

    Args:
        published: The open published warehouse. The query is about this publication: it names rows by ``rowid``.
        table: ``schema.table``.
        where: Column and value pairs that pick the row; an empty value means null.
        column: The cell's column; None for the whole row.

    Raises:
        InputError: As ``explain``; or the publication is one of the first version, which has no links.
    """
    row, made = row_of(published, table, where, column)
    key = {name: row[name] for name in made["key"]}
    steps = _Steps(published.connection)
    book = LinkBook(Published(steps))  # type: ignore[arg-type]
    if not book.present:
        raise InputError(
            "this publication has no links: its rows name delivered rows in _row_ids",
            mend="join _row_ids with audit.source_rows",
        )
    behind = Behind(book, table, rowids_of(published, table, key), column)
    cells = behind.delivered_cells()
    return (
        "\n".join([*_head(published, table, key, column, behind), _told(steps.taken, _answer(cells))]) + "\n"
    )


class _Steps:
    """A connection that keeps the statements that were executed on it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.taken: list[str] = []

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self.taken.append(sql)
        return self._connection.execute(sql)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _head(
    published: Published, table: str, key: Mapping[str, Any], column: str | None, behind: Behind
) -> list[str]:
    """What the query is about, as comments; and the optimizers that may not run."""
    about = published.recall("SELECT number, study_id FROM audit.publication").first()
    named = ", ".join(f"{name}={value}" for name, value in key.items())
    said = [
        f"Delivered rows behind {table} ({named}){f', column {column}' if column else ''}.",
        f"For warehouse.duckdb of study {about['study_id']}, publication {about['number']}, and no other.",
        *(
            f"Besides, every row of {w.table} ({w.rows:,}): {w.role}, by way of {w.via}."
            for w in behind.wholes
        ),
    ]
    off = literal(",".join(FAULTY_OPTIMIZERS))
    comments = [f"-- {' '.join(line.split())}" for line in said]
    return [*comments, f"SET disabled_optimizers = {off};  -- known to change results in DuckDB 1.5"]


def _told(steps: Iterable[str], answer: str) -> str:
    """The steps that make or extend temporary tables, and a SELECT over them, as one query."""
    now: dict[str, str] = {}
    told: list[str] = []
    for step in steps:
        made, extended = _MADE.fullmatch(step), _EXTENDED.fullmatch(step)
        if made is None and extended is None:
            continue
        name = (made or extended)[1]  # type: ignore[index]
        if extended is not None:
            body = f"SELECT * FROM {name} UNION ALL SELECT * FROM ({extended['rows']})"
        else:
            assert made is not None
            body = made["query"] or _empty(made["columns"])
        body = _renamed(body, now)
        now[name] = f"{name}_{len(told)}"
        told.append(f"{now[name]} AS MATERIALIZED ({body})")
    return "WITH " + ",\n".join(told) + f"\n{_renamed(answer, now)};"


def _renamed(sql: str, now: Mapping[str, str]) -> str:
    return re.sub(r"\bfm_\w+", lambda found: now.get(found[0], found[0]), sql)


def _empty(columns: str) -> str:
    pairs = [entry.split(" ", 1) for entry in columns.split(", ")]
    return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in pairs)} WHERE false"


def _answer(cells: Mapping[str, Mapping[str, Sequence[int]]]) -> str:
    """The SELECT over ``fm_delivered``."""
    roles = f"[{', '.join(literal(role) for role in STRENGTH)}]"
    parts = " UNION ALL ".join(_of_table(table, columns) for table, columns in cells.items())
    nothing = (
        "SELECT NULL AS source, NULL AS _row_id, 0 AS role, NULL AS column_name, NULL AS text WHERE false"
    )
    return (
        f'SELECT s.path AS file, s.line, d.column_name AS "column", d.text, {roles}[d.role + 1] AS "role" '
        f"FROM ({parts or nothing}) AS d "
        "JOIN audit.source_rows AS s ON s.source = d.source AND s._row_id = d._row_id "
        "ORDER BY s.source, s.path, s.line, d.column_name"
    )


def _of_table(table: str, columns: Mapping[str, Sequence[int]]) -> str:
    """The delivered rows of a table with the cells that play their role, a cell a row."""
    played = ", ".join(
        f"CASE WHEN d.played IN ({', '.join(map(str, numbers))}) THEN "
        f"{{'name': {literal(name)}, 'text': CAST(r.{identifier(name)} AS VARCHAR)}} END"
        for name, numbers in columns.items()
    )
    listed = f"list_filter([{played}], lambda c: c IS NOT NULL)" if played else "[]"
    return (
        "SELECT source, _row_id, role, cell.name AS column_name, cell.text AS text FROM (SELECT source, _row_id, role, "
        "unnest(CASE WHEN len(cells) > 0 THEN cells ELSE [{'name': NULL::VARCHAR, 'text': NULL::VARCHAR}] END) AS cell "
        f"FROM (SELECT d.source, d._row_id, d.role, {listed} AS cells FROM {_DELIVERED} AS d "
        f"JOIN {quoted_table(table)} AS r ON r.rowid = d.row WHERE d.source = {literal(table.split('.', 1)[1])}))"
    )
