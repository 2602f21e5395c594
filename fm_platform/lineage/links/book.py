"""What a publication says of its tables: key, inputs, column lineage and links.

Belongs here: reading it once for a question. Does not belong here: following it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published
from fm_platform.warehouse.records import Marks

VALUE, MEMBER, DECIDES = "value", "member", "decides"
FAMILY, DESIGN, IMPUTED = "family", "design", "imputed from"
GIVES = (VALUE, MEMBER)
"""Roles of rows that a value is made of."""
STRENGTH = (VALUE, MEMBER, IMPUTED, DESIGN, FAMILY, DECIDES)
"""Roles, the strongest first."""
COLLECTS = ("AGGREGATION", "WINDOW")
_ONCE = "SELECT DISTINCT "


@dataclass(frozen=True)
class StoredLink:
    """A link as published; see :class:`fm_platform.warehouse.records.Link`."""

    table: str
    input: str | None
    role: str | None
    columns: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]
    chooses: str | None
    sql: str
    marks: Marks

    @property
    def derived(self) -> bool:
        """Whether it is that of a SQL model, with marks."""
        return self.input is None

    @property
    def numbered(self) -> str:
        """The query with the ``rowid`` of the table's row as ``fm_o``, in which a pair may come several times.

        That costs less, and says the same to whoever unites pairs. A SQL model's link is as it stands.
        """
        return self.sql if self.derived else self.sql.replace(_ONCE, "SELECT o.rowid AS fm_o, ", 1)


@dataclass(frozen=True)
class Entry:
    """One input column of a column."""

    table: str
    column: str
    kind: str
    transformation: str


class LinkBook:
    """The links of one publication, and what is needed to follow them."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self._lineage: dict[str, dict[str, list[Entry]]] = {}

    @cached_property
    def present(self) -> bool:
        """Whether the publication holds links: those of the first version carry row ids in their tables instead."""
        found = self.published.recall(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'audit' AND table_name = 'links'"
        )
        return bool(found.item())

    @cached_property
    def links(self) -> Mapping[str, Sequence[StoredLink]]:
        """Table to its links; none in a publication of the first version."""
        found: dict[str, list[StoredLink]] = {}
        if not self.present:
            return found
        for row in self.published.recall(
            f"SELECT {columns_of_links(self.published.schema('audit.links'))} FROM audit.links ORDER BY ALL"
        ).rows():
            found.setdefault(row[0], []).append(stored_link(*row))
        return found

    @cached_property
    def keys(self) -> Mapping[str, Sequence[str]]:
        """Table to its key, as it was last written."""
        found = self.published.recall(
            "SELECT json_extract_string(body, '$.table') AS t, max_by(json_extract(body, '$.key'), seq) AS k "
            "FROM audit.ledger WHERE kind = 'materialization' GROUP BY t"
        )
        return {table: json.loads(key) for table, key in found.rows()}

    @cached_property
    def order(self) -> Sequence[str]:
        """All published tables, upstream first."""
        inputs: dict[str, set[str]] = {}
        for table, source in self.published.recall(
            "SELECT table_name, input_table FROM audit.table_inputs"
        ).rows():
            inputs.setdefault(table, set()).add(source)
        for table in self.published.recall("SELECT table_name FROM audit.tables ORDER BY ALL")["table_name"]:
            inputs.setdefault(table, set())
        ordered: dict[str, None] = {}
        while len(ordered) < len(inputs):
            ready = [
                t
                for t in inputs
                if t not in ordered and all(i in ordered or i not in inputs for i in inputs[t])
            ]
            ordered.update(dict.fromkeys(ready))
        return list(ordered)

    def lineage(self, table: str, column: str) -> Sequence[Entry]:
        """The recorded inputs of a column."""
        if table not in self._lineage:
            found = self._lineage.setdefault(table, {})
            for name, *entry in self.published.recall(
                "SELECT DISTINCT column_name, input_table, input_column, kind, transformation "
                f"FROM audit.column_lineage WHERE table_name = {literal(table)} ORDER BY ALL"
            ).rows():
                found.setdefault(name, []).append(Entry(*entry))
        return self._lineage[table].get(column, ())

    def delivered_pairs(self, table: str, source: str) -> str:
        """A SELECT of a table's key and the ``_row_id`` of each delivered row that its own link to ``source`` names."""
        links = [link for link in self.links.get(table, ()) if link.input == source]
        key = self.keys.get(table, ())
        if not links:
            nothing = ", ".join(f"NULL AS {identifier(name)}" for name in (*key, "_row_id"))
            return f"SELECT {nothing} WHERE false"
        listed = ", ".join(f"l.{identifier(name)}" for name in key)
        return (
            f"SELECT {listed}, d._row_id FROM ({links[0].sql}) AS l "
            f"JOIN {quoted_table(source)} AS d ON d.rowid = l._row"
        )

    def collects(self, table: str, column: str, source: str) -> bool:
        """Whether a column is computed from several rows of an input at once."""
        return any(
            entry.table == source and entry.kind == "DIRECT" and entry.transformation in COLLECTS
            for entry in self.lineage(table, column)
        )

    def delivered(self, table: str) -> bool:
        """Whether a table's rows are delivered rows."""
        return table.startswith("raw.") and "_row_id" in self.published.schema(table)


def texts(values: Sequence[str]) -> str:
    """A parenthesized SQL list of texts."""
    return f"({', '.join(literal(value) for value in values)})"


def columns_of_links(held: Collection[str]) -> str:
    """What is read of ``audit.links``, whose first publications had no ``marks``."""
    marks = "marks" if "marks" in held else "NULL AS marks"
    return f'table_name, input_table, "role", columns, cells, chooses, "sql", {marks}'


def stored_link(
    table: str,
    source: str | None,
    role: str | None,
    columns: Sequence[str] | None,
    cells: Sequence[str] | None,
    chooses: str | None,
    sql: str,
    marks: str | None,
) -> StoredLink:
    """A row of ``audit.links``."""
    named = tuple(_cell(cell) for cell in cells or ())
    return StoredLink(table, source, role, tuple(columns or ()), named, chooses, sql, Marks.of_json(marks))


def _cell(text: str) -> tuple[str, str]:
    """``schema.table.column`` as table and column."""
    schema, table, column = text.split(".", 2)
    return f"{schema}.{table}", column
