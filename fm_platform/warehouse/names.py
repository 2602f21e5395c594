"""Quoting of identifiers and literals for DuckDB, and the names of tables.

Belongs here: turning names into SQL text, safely. Does not belong here: running anything.
"""

from __future__ import annotations

from collections.abc import Sequence


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text literal, for the few statements that take no bound values (ATTACH, COMMENT)."""
    return "'" + text.replace("'", "''") + "'"


def split_table(table: str) -> tuple[str, str]:
    """``schema.table`` as a pair."""
    schema, _, name = table.partition(".")
    return schema, name


def quoted_table(table: str) -> str:
    """The quoted name of ``schema.table`` in the database that is open."""
    schema, name = split_table(table)
    return f"{identifier(schema)}.{identifier(name)}"


def relation(table: str, database: str = "fm") -> str:
    """The quoted, full name of ``schema.table`` in an attached database."""
    return f"{identifier(database)}.{quoted_table(table)}"


def order_by(key: Sequence[str]) -> str:
    """An ORDER BY list in key order, nulls first."""
    return ", ".join(f"{identifier(column)} ASC NULLS FIRST" for column in key)
