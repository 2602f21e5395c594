"""Read-only access to the published file, for people, schedules and programs.

Belongs here: opening ``warehouse.duckdb`` so that a query can do nothing but read it. Does not belong here: the work
database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.warehouse.answers import Answer
from fm_platform.warehouse.bound import bound
from fm_platform.warehouse.connection import connect
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import literal
from fm_platform.warehouse.query_errors import no_table, query_error

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")


class Published:
    """An open published warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._recalled: dict[tuple[str, str], Answer] = {}

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Run one SELECT.

        Raises:
            InputError: The SQL is wrong, or tries to do more than read.
        """
        from fm_platform.warehouse.frames import frame_of

        return self._run(sql, parameters, frame_of)

    def ask(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Like :meth:`query`, for few rows that are looked at one by one."""
        return self._run(sql, parameters, Answer.of)

    def recall(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Like :meth:`ask`, for answers that are asked for again: a published file does not change."""
        asked = (sql, repr(list(parameters)))
        if asked not in self._recalled:
            self._recalled[asked] = self.ask(sql, parameters)
        return self._recalled[asked]

    def _run(self, sql: str, parameters: Sequence[Any], read: Callable[[duckdb.DuckDBPyRelation], T]) -> T:
        try:
            relation = self.connection.sql(bound(sql, parameters) if parameters else sql)
        except (duckdb.Error, ValueError) as error:
            raise query_error(self.connection, sql, error) from None
        if relation is None:
            raise InputError("the statement returns no rows", mend="write a SELECT")
        try:
            return read(relation)
        except duckdb.Error as error:
            raise query_error(self.connection, sql, error) from None

    def schema(self, table: str) -> dict[str, str]:
        """Column names and types of ``schema.table``.

        Raises:
            InputError: There is no such table.
        """
        schema, _, name = table.partition(".")
        rows = self.recall(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
            "ORDER BY column_index",
            [schema, name],
        ).rows()
        if not rows:
            raise no_table(self.connection, table)
        return dict(rows)


@contextmanager
def open_published(home: Home) -> Iterator[Published]:
    """Open the published warehouse read-only, with no access to files or extensions.

    Raises:
        InputError: Nothing was published yet.
        EnvironmentFailure: The file cannot be opened.
    """
    require_published(home)
    with open_file(home.published) as published:
        yield published


def require_published(home: Home) -> None:
    """Refuse a home without a published warehouse.

    Raises:
        InputError: Nothing was published yet.
    """
    if not home.published.is_file():
        raise InputError(
            "nothing is published here yet",
            file=home.published,
            mend="run `fm refresh`, or name the home with --home",
        )


@contextmanager
def open_file(path: Path) -> Iterator[Published]:
    """Open one published file, the current one or a snapshot, read-only, with no access to files or extensions.

    Raises:
        EnvironmentFailure: The file cannot be opened.
    """
    connection = connect()
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS warehouse (READ_ONLY)")
    except duckdb.Error as error:
        connection.close()
        raise EnvironmentFailure(
            f"cannot be opened: {_first_lines(error)}", file=path, mend="run `fm verify`"
        ) from error
    try:
        for setting in (
            "USE warehouse",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET python_enable_replacements = false",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            connection.execute(setting)
        yield Published(connection)
    finally:
        connection.close()


def _first_lines(error: Exception) -> str:
    return " ".join(line for line in str(error).splitlines()[:2] if line.strip())
