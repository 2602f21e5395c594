"""The attached work database of the process that holds the lock.

Belongs here: attaching, reading, and the one transaction that writes a table together with its ledger records.
Does not belong here: planning, computing, or copying to readers (``publish``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from fm_platform.errors import CheckFailed, EnvironmentFailure
from fm_platform.warehouse.bound import bound
from fm_platform.warehouse.connection import connect
from fm_platform.warehouse.digest import both_digests, frame_digest
from fm_platform.warehouse.extensions import extension_file, required_extensions
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import GENESIS, LedgerRecord, RecordKind, link
from fm_platform.warehouse.names import identifier, literal, order_by, relation, split_table
from fm_platform.warehouse.records import CheckOutcome, Link

WAREHOUSE_VARIABLE = "FM_WAREHOUSE"
SOURCE_ROWS = "audit.source_rows"
LINKS = "audit.links"

_AUDIT_TABLES = (
    """CREATE TABLE IF NOT EXISTS fm.audit.ledger (
        seq BIGINT, kind VARCHAR, "at" VARCHAR, run_id VARCHAR, body VARCHAR, prev_hash VARCHAR, hash VARCHAR)""",
    "CREATE TABLE IF NOT EXISTS fm.audit.head (seq BIGINT, hash VARCHAR)",
    """CREATE TABLE IF NOT EXISTS fm.audit.source_rows (
        source VARCHAR, _row_id VARCHAR, file_sha256 VARCHAR, path VARCHAR, line BIGINT)""",
    """CREATE TABLE IF NOT EXISTS fm.audit.links (
        table_name VARCHAR, input_table VARCHAR, "role" VARCHAR, columns VARCHAR[], cells VARCHAR[],
        chooses VARCHAR, "sql" VARCHAR, marks VARCHAR)""",
    "ALTER TABLE fm.audit.links ADD COLUMN IF NOT EXISTS marks VARCHAR",
)

_SUFFIXES = ("", ".wal", ".wal.checkpoint", ".wal.recovery", ".tmp")
"""The files that DuckDB keeps for one database."""

_LEDGER_COLUMNS = 'seq, kind, "at", run_id, body, prev_hash, hash'


@dataclass(frozen=True)
class TableDigests:
    """What identifies a table's content: without and with the platform's own ``_`` columns."""

    rows: int
    value: str
    full: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Remembered:
    """What a table remembers of earlier deliveries. Its value digest leaves this out: equal data, equal digest.

    Attributes:
        columns: Columns that depend on what was delivered before, or when.
        state: The column that tells past rows from present ones.
        past: Its values in rows that stand for the past only.
    """

    columns: tuple[str, ...]
    state: str
    past: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the materialization record."""
        return {"columns": list(self.columns), "state": self.state, "past": list(self.past)}


@dataclass(frozen=True)
class TableWrite:
    """One table to be written with its records in one transaction.

    Attributes:
        table: ``schema.table``.
        key: Columns that are unique together.
        rows: A frame, or a SELECT over the attached database.
        facts: The materialization record's body, less what writing adds (rows, digests, columns).
        before: Records that belong before the materialization (sources, quarantine decisions).
        source_rows: Where raw rows came from: source, _row_id, file_sha256, path, line.
        links: Which rows of its inputs stand behind its rows.
        checks: Run on the written table inside the transaction.
        remembered: What the value digest leaves out.
    """

    table: str
    key: tuple[str, ...]
    rows: pl.DataFrame | str
    facts: Mapping[str, Any]
    before: Sequence[tuple[RecordKind, Mapping[str, Any]]] = ()
    source_rows: pl.DataFrame | None = None
    links: Sequence[Link] = ()
    checks: Callable[[TableDigests], Sequence[CheckOutcome]] = field(default=lambda _: ())
    remembered: Remembered | None = None


class Warehouse:
    """The one open work database of this process. Made by :func:`open_warehouse`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, home: Home, run_id: str) -> None:
        self.connection = connection
        self.home = home
        self.run_id = run_id
        self.appended = 0
        """How many records this process has appended; whoever folds the ledger looks again when it has moved."""
        self._last: tuple[int, str] | None = None

    # -- reading ------------------------------------------------------------------------------------------------

    def tables(self) -> list[str]:
        """All tables, as ``schema.table``, in name order."""
        found = self.connection.sql(
            "SELECT schema_name || '.' || table_name AS t FROM duckdb_tables() WHERE database_name = 'fm' ORDER BY t"
        ).fetchall()
        return [row[0] for row in found]

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        schema, name = split_table(table)
        found = self.connection.sql(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = 'fm' AND schema_name = ? AND table_name = ?",
            params=[schema, name],
        ).fetchone()
        return found is not None

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Run a SELECT and return its rows."""
        return frame_of(self.connection.sql(bound(sql, parameters) if parameters else sql))

    def read(self, table: str) -> pl.DataFrame:
        """A whole table, in stored order."""
        return self.query(f"SELECT * FROM {relation(table)}")

    def head_rows(self, table: str, key: Sequence[str], count: int) -> pl.DataFrame:
        """The first rows in key order."""
        return self.query(f"SELECT * FROM {relation(table)} ORDER BY {order_by(key)} LIMIT {int(count)}")

    def schema(self, table: str) -> dict[str, str]:
        """Column names and DuckDB types, in order."""
        return {row[0]: row[1] for row in self.connection.sql(f"DESCRIBE {relation(table)}").fetchall()}

    def digests(self, table: str, key: Sequence[str], remembered: Remembered | None = None) -> TableDigests:
        """Both digests of a table as it is stored now.

        Args:
            table: The table.
            key: The columns it is sorted by.
            remembered: What the value digest leaves out.
        """
        types = tuple(self.schema(table).items())
        columns = ", ".join(identifier(name) for name, _ in types)
        frame = self.query(f"SELECT {columns} FROM {relation(table)} ORDER BY {order_by(key)}")
        value, full = both_digests(frame, types)
        if remembered is not None:
            own = [pair for pair in types if not (pair[0].startswith("_") or pair[0] in remembered.columns)]
            present = frame.filter(~pl.col(remembered.state).is_in(list(remembered.past)))
            value = frame_digest(present, own)
        return TableDigests(frame.height, value, full, types)

    def records(self) -> list[LedgerRecord]:
        """The whole ledger, in order."""
        return self.records_after(0)

    def records_after(self, seq: int) -> list[LedgerRecord]:
        """The ledger's records after a sequence number, in order."""
        rows = self.connection.sql(
            f"SELECT {_LEDGER_COLUMNS} FROM fm.audit.ledger WHERE seq > {seq:d} ORDER BY seq"
        ).fetchall()
        return [LedgerRecord(*row) for row in rows]

    def records_of(self, kind: RecordKind) -> list[LedgerRecord]:
        """The ledger's records of one kind, in order."""
        rows = self.connection.sql(
            f"SELECT {_LEDGER_COLUMNS} FROM fm.audit.ledger WHERE kind = {literal(kind)} ORDER BY seq"
        ).fetchall()
        return [LedgerRecord(*row) for row in rows]

    def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last record (0 and zeros for an empty ledger)."""
        row = self.connection.sql("SELECT seq, hash FROM fm.audit.head").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    # -- writing ------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; the head is written once, for the last of the records that were appended."""
        self.connection.execute("BEGIN TRANSACTION")
        self._last = None
        try:
            yield
            if self._last is not None:
                self.connection.execute("DELETE FROM fm.audit.head")
                self.connection.execute("INSERT INTO fm.audit.head VALUES (?, ?)", list(self._last))
        except BaseException:
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def append(self, kind: RecordKind, body: Mapping[str, Any]) -> LedgerRecord:
        """Append one record inside the caller's transaction."""
        record = link(self._last or self.head(), kind, self.run_id, body)
        values = [
            record.seq,
            record.kind,
            record.at,
            record.run_id,
            record.body,
            record.prev_hash,
            record.hash,
        ]
        self.connection.execute("INSERT INTO fm.audit.ledger VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        self._last = (record.seq, record.hash)
        self.appended += 1
        return record

    def write(self, write: TableWrite) -> tuple[LedgerRecord, tuple[CheckOutcome, ...]]:
        """Replace a table and record it, in one transaction.

        Raises:
            CheckFailed: The declared key is not unique; nothing is changed.
        """
        with self.transaction():
            self._replace(write.table, write.rows)
            self._require_unique(write.table, write.key)
            digests = self.digests(write.table, write.key, write.remembered)
            outcomes = tuple(write.checks(digests))
            facts = dict(write.facts)
            if write.remembered is not None:
                facts["remembered"] = write.remembered.as_json()
            if write.source_rows is not None:
                facts["row_sources"] = sorted(write.source_rows["source"].unique().to_list())
                facts["source_rows_digest"] = self._replace_source_rows(
                    write.source_rows, facts["row_sources"]
                )
            facts["links_digest"] = self._replace_links(write.table, write.links)
            for kind, body in write.before:
                self.append(kind, body)
            record = self.append(
                "materialization",
                {
                    **facts,
                    "table": write.table,
                    "key": list(write.key),
                    "columns": [list(pair) for pair in digests.columns],
                    "rows": digests.rows,
                    "value_digest": digests.value,
                    "full_digest": digests.full,
                },
            )
            for outcome in outcomes:
                self.append("check", check_body(write.table, outcome, digests.value))
        return record, outcomes

    def _replace(self, table: str, rows: pl.DataFrame | str) -> None:
        schema, _ = split_table(table)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS fm.{identifier(schema)}")
        target = relation(table)
        if isinstance(rows, str):
            self.connection.execute(f"CREATE OR REPLACE TABLE {target} AS {rows}")
            return
        self.connection.register("fm_incoming", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        try:
            self.connection.execute(f"CREATE OR REPLACE TABLE {target} AS SELECT * FROM fm_incoming")
        finally:
            self.connection.unregister("fm_incoming")

    def _require_unique(self, table: str, key: Sequence[str]) -> None:
        columns = ", ".join(identifier(column) for column in key)
        repeated = self.connection.sql(
            f"SELECT count(*) FROM (SELECT 1 FROM {relation(table)} GROUP BY {columns} HAVING count(*) > 1)"
        ).fetchone()
        if repeated and repeated[0]:
            raise CheckFailed(
                f"{table}: {repeated[0]} keys ({', '.join(key)}) stand for more than one row",
                mend="look for duplicated rows in the source, or correct the model's key",
            )

    def _replace_source_rows(self, rows: pl.DataFrame, sources: Sequence[str]) -> str:
        """Replace where the rows of these sources came from; returns the digest of what is stored."""
        self.connection.register("fm_incoming", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        try:
            self.connection.execute(
                "DELETE FROM fm.audit.source_rows WHERE source IN (SELECT DISTINCT source FROM fm_incoming)"
            )
            self.connection.execute(
                "INSERT INTO fm.audit.source_rows SELECT source, _row_id, file_sha256, path, line FROM fm_incoming"
            )
        finally:
            self.connection.unregister("fm_incoming")
        return self.source_rows_digest(sources)

    def _replace_links(self, table: str, links: Sequence[Link]) -> str:
        """Replace the links of a table; returns the digest of what is stored."""
        self.connection.execute(f"DELETE FROM fm.audit.links WHERE table_name = {literal(table)}")
        for entry in links:
            self.connection.execute(
                "INSERT INTO fm.audit.links VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    table,
                    entry.input or None,
                    entry.role or None,
                    list(entry.columns) or None,
                    [f"{source}.{column}" for source, column in entry.cells] or None,
                    entry.chooses or None,
                    entry.sql,
                    entry.marks.as_json() if entry.marks else None,
                ],
            )
        return self.links_digest(table)

    def links_digest(self, table: str) -> str:
        """The digest of a table's stored links; without marks it is that of homes from before there were any."""
        frame = self.query(
            f'SELECT * FROM fm.audit.links WHERE table_name = {literal(table)} ORDER BY input_table, "role", "sql"'
        )
        if "marks" in frame.columns and frame["marks"].is_null().all():
            frame = frame.drop("marks")
        return frame_digest(frame, [(name, str(kind)) for name, kind in frame.schema.items()])

    def row_sources(self) -> list[str]:
        """The sources that ``audit.source_rows`` has rows of."""
        return [
            row[0]
            for row in self.connection.sql(
                "SELECT DISTINCT source FROM fm.audit.source_rows ORDER BY source"
            ).fetchall()
        ]

    def source_rows_digest(self, sources: Sequence[str]) -> str:
        """The digest of the stored origin of these sources' rows."""
        marks = ", ".join("?" for _ in sources)
        frame = self.query(
            "SELECT source, _row_id, file_sha256, path, line FROM fm.audit.source_rows "
            f"WHERE source IN ({marks or 'NULL'}) ORDER BY source, _row_id, path, line",
            sources,
        )
        return frame_digest(frame, [(name, str(kind)) for name, kind in frame.schema.items()])


def check_body(table: str, outcome: CheckOutcome, value_digest: str) -> dict[str, Any]:
    """The ledger's form of a check's verdict."""
    return {
        "table": table,
        "check": outcome.name,
        "passed": outcome.passed,
        "blocking": outcome.blocking,
        "severity": outcome.severity,
        "description": outcome.description,
        "metadata": dict(outcome.metadata),
        "value_digest": value_digest,
    }


def _allow_only(connection: duckdb.DuckDBPyConnection, home: Home, url: str) -> None:
    """Name the few files that may be opened once external access is off."""
    folders = [home.path] if url.startswith("ducklake:") else [home.scratch]
    databases = [str(home.published)] if url.startswith("ducklake:") else [str(home.published), url]
    files = [f"{database}{suffix}" for database in databases for suffix in _SUFFIXES]
    for setting, paths in (("allowed_directories", folders), ("allowed_paths", files)):
        connection.execute(f"SET {setting} = [{', '.join(literal(str(path)) for path in paths)}]")


@contextmanager
def open_warehouse(home: Home, run_id: str, *, read_only: bool = False) -> Iterator[Warehouse]:
    """Attach the work database as ``fm``, where SQL finds ``schema.table``. The caller holds the home's lock.

    SQL that runs here can load no extension and can read and write only the databases of the home and its scratch
    folder; a DuckLake catalog needs the whole home for its data files.

    Raises:
        EnvironmentFailure: The database cannot be opened.
    """
    url = os.environ.get(WAREHOUSE_VARIABLE) or str(home.work)
    connection = connect()
    try:
        for name in required_extensions(url):
            connection.execute(f"LOAD {literal(str(extension_file(name)))}")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute("SET python_enable_replacements = false")
        _allow_only(connection, home, url)
        connection.execute("SET enable_external_access = false")
        connection.execute(f"ATTACH {literal(url)} AS fm{' (READ_ONLY)' if read_only else ''}")
        connection.execute("USE fm")
        if not read_only:
            connection.execute("CREATE SCHEMA IF NOT EXISTS fm.audit")
            for statement in _AUDIT_TABLES:
                connection.execute(statement)
    except duckdb.Error as error:
        connection.close()
        raise EnvironmentFailure(
            f"the work database cannot be opened: {str(error).splitlines()[0]}",
            file=url,
            mend="check that no other program has it open, and its permissions",
        ) from error
    try:
        yield Warehouse(connection, home, run_id)
    finally:
        with suppress(duckdb.Error):
            connection.execute("USE memory")
            connection.execute("DETACH fm")
        connection.close()
