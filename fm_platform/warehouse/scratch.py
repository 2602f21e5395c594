"""A database in memory with copies of published tables, to compute on what never was.

Belongs here: opening it, and putting a changed copy of a table in the place of another. Does not belong here: what is
changed, or what is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from fm_platform.errors import EnvironmentFailure
from fm_platform.warehouse.connection import connect
from fm_platform.warehouse.database import Warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier, literal, quoted_table, relation, split_table
from fm_platform.warehouse.reader import require_published

_RECORDS = ("audit.ledger", "audit.head", "audit.source_rows")


class Scratch(Warehouse):
    """A work database of copies. What is written to it is gone when it is closed; the home is only read."""

    def published(self, table: str) -> pl.DataFrame:
        """A table as it is published, in stored order."""
        return self.query(f"SELECT * FROM source.{quoted_table(table)}")

    def columns_published(self, table: str) -> list[str]:
        """The columns of a table as it is published."""
        return self.query(f"SELECT * FROM source.{quoted_table(table)} LIMIT 0").columns

    def has(self, table: str) -> bool:
        """Whether the table is published."""
        schema, name = split_table(table)
        found = self.connection.sql(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = 'source' AND schema_name = ? AND table_name = ?",
            params=[schema, name],
        ).fetchone()
        return found is not None

    def put(self, table: str, rows: pl.DataFrame) -> None:
        """Put rows in the place of a table, with the columns and types that it is published with."""
        schema, _ = split_table(table)
        target = relation(table)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS fm.{identifier(schema)}")
        self.connection.execute(
            f"CREATE OR REPLACE TABLE {target} AS FROM source.{quoted_table(table)} LIMIT 0"
        )
        self.connection.register("fm_incoming", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        try:
            self.connection.execute(f"INSERT INTO {target} SELECT * FROM fm_incoming")
        finally:
            self.connection.unregister("fm_incoming")

    def show_published(self) -> None:
        """Let every published table be read as if it were copied here."""
        for table in self._published_tables():
            if table not in _RECORDS:
                schema, _ = split_table(table)
                self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS fm.{identifier(schema)}")
                self.connection.execute(
                    f"CREATE VIEW IF NOT EXISTS {relation(table)} AS FROM {relation(table, 'source')}"
                )

    def make(self, table: str, rows: pl.DataFrame | str) -> None:
        """Put what an asset gives, a frame or a SELECT, in the place of a table that is shown or was made before."""
        if not super().exists(table):
            self.connection.execute(f"DROP VIEW IF EXISTS {relation(table)}")
        self._replace(table, rows)

    def exists(self, table: str) -> bool:
        """Whether the table is copied, made or shown here."""
        return super().exists(table) or table in self._views()

    def _views(self) -> list[str]:
        return self._names("duckdb_views() WHERE database_name = 'fm'", "view_name")

    def _published_tables(self) -> list[str]:
        return self._names("duckdb_tables() WHERE database_name = 'source'", "table_name")

    def _names(self, among: str, name: str) -> list[str]:
        found = self.connection.sql(f"SELECT schema_name || '.' || {name} FROM {among}").fetchall()
        return [row[0] for row in found]

    def drop(self, table: str) -> None:
        """Take a table away."""
        self.connection.execute(f"DROP TABLE IF EXISTS {relation(table)}")


@contextmanager
def open_scratch(home: Home) -> Iterator[Scratch]:
    """A scratch database beside the published file, which is opened read-only; the ledger's records are copied.

    One thread computes, so that sums do not depend on who finishes first.

    Raises:
        InputError: Nothing was published yet.
        EnvironmentFailure: The published file cannot be opened.
    """
    require_published(home)
    connection = connect()
    try:
        connection.execute(f"ATTACH {literal(str(home.published))} AS source (READ_ONLY)")
        connection.execute("ATTACH ':memory:' AS fm")
        connection.execute("USE fm")
    except duckdb.Error as error:
        connection.close()
        raise EnvironmentFailure(
            f"cannot be opened: {str(error).splitlines()[0]}", file=home.published, mend="run `fm verify`"
        ) from error
    try:
        for setting in (
            "SET threads = 1",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET python_enable_replacements = false",
            "SET enable_external_access = false",
        ):
            connection.execute(setting)
        scratch = Scratch(connection, home, "scratch")
        for table in _RECORDS:
            scratch.put(table, scratch.published(table))
        yield scratch
    finally:
        connection.close()
