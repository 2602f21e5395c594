"""Link queries run and read: rows with the ids of the delivered rows that their marks name.

:func:`create_linked` stores a model as its author wrote it, with one more column for tests to look at: the delivered
rows behind each row, found by composing links.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from fm_platform.sql.links import LinkQuery, link_query
from fm_platform.sql.marks import ROWS_BITS
from fm_platform.sql.model import Relation, Schemas, SqlModel
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.records import CELL, DECIDES, ROWS

Row = tuple[object, ...]


def relation(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


class Linked:
    """A model's link over tables with a column ``_row_id``."""

    def __init__(self, model: SqlModel, schemas: Schemas) -> None:
        self.columns = list(model.columns)
        self.query: LinkQuery = link_query(model, schemas, relation)

    def fetch(
        self, connection: duckdb.DuckDBPyConnection, ids: Mapping[str, Mapping[int, str]]
    ) -> list[dict[str, Any]]:
        """Rows as ``row``, ``rows``, ``decides`` (sets of ids) and ``cells`` (column to (table, column, id))."""
        found = connection.execute(with_lists(self.query, self.columns))
        names = [entry[0] for entry in found.description or ()]
        out = []
        for values in found.fetchall():
            by_name = dict(zip(names, values, strict=True))
            assert names[: len(self.columns)] == self.columns

            def read(name: str, by_name: dict[str, Any] = by_name) -> set[tuple[str, str, str]]:
                marks = [mark for mark in by_name[name] or () if mark is not None]
                cells = [
                    (self.query.cells[mark >> ROWS_BITS], mark & ((1 << ROWS_BITS) - 1)) for mark in marks
                ]
                return {(table, column, ids[table][row]) for (table, column), row in cells}

            out.append(
                {
                    "row": tuple(by_name[name] for name in self.columns),
                    "rows": {row_id for _, _, row_id in read(ROWS)},
                    "decides": {row_id for _, _, row_id in read(DECIDES)},
                    "cells": {name: read(CELL + name) for name in self.columns},
                }
            )
        return out


def with_lists(link: LinkQuery, columns: Sequence[str]) -> str:
    """A link's query with a list of marks for each hidden output."""
    named = ", ".join(f"q.{identifier(name)}" for name in columns)
    hidden = [*(CELL + name for name in columns), DECIDES, ROWS]
    lists = ", ".join(f"{link.marks.sql(name)} AS {identifier(name)}" for name in hidden)
    return f"select {named}, {lists} from ({link.sql}) as q"


def create_linked(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, schemas: Schemas, name: Relation = relation
) -> None:
    """Make a model's table, with ``_row_ids``: the sorted ids of the delivered rows behind a row."""
    link = link_query(model, schemas, name)
    behind = []
    for place, (table, column) in enumerate(link.cells):
        if not column:
            ids = "_row_ids" if "_row_ids" in schemas[table] else "[_row_id]"
            behind.append(f"select {place << ROWS_BITS} + rowid as mark, {ids} as ids from {name(table)}")
    columns = ", ".join(identifier(column) for column in model.columns)
    connection.execute(
        f"create or replace table {name(model.name)} as with q as materialized "
        f"(select *, row_number() over () as fm_n from ({with_lists(link, list(model.columns))})), "
        f"behind(mark, ids) as ({' union all '.join(behind) or 'select 0, []::varchar[] where false'}), "
        "named as (select m.fm_n, unnest(b.ids) as id from (select fm_n, unnest(_rows) as mark from q) as m "
        "join behind as b on b.mark = m.mark), "
        "ids as (select fm_n, list(distinct id order by id) as ids from named group by fm_n) "
        f"select {columns}, coalesce(ids.ids, []::varchar[]) as _row_ids from q left join ids using (fm_n)"
    )
