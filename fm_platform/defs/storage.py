"""Dagster's history in SQLite with connections that stay open as long as the process that writes it.

Belongs here: how the process that holds a home's lock talks to Dagster's databases. Does not belong here: what is
written there, or which storage a ``dagster.yaml`` names (``instance``).

Dagster's own storage opens a connection for every event and closes it again; the last connection that closes makes
SQLite write its journal back, which costs more than the event. The databases are the same, and other processes read
and write them meanwhile as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


class KeptEventLog(SqliteEventLogStorage):
    """The event log: one engine for each of its files."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Nothing is opened before it is asked for."""
        self._engines: dict[str, sa.Engine] = {}
        self._present: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            if shard not in self._engines:
                engine = _engine(self.conn_string_for_shard(shard))
                self._initdb(engine)
                self._engines[shard] = engine
            with self._engines[shard].begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; asked before every check's event, and looked up once."""
        if table_name not in self._present and super().has_table(table_name):
            self._present.add(table_name)
        return table_name in self._present

    def dispose(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()


class KeptRuns(SqliteRunStorage):
    """The runs, with one engine."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Nothing is opened before it is asked for."""
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()
        super().dispose()


class KeptStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage, its busy parts kept open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Databases that are missing are made as Dagster makes them."""
        super().__init__(base_dir, inst_data)
        self._run_storage = KeptRuns(self._run_storage._conn_string)
        self._event_log_storage = KeptEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptStorage:
        """As Dagster makes it from its configuration."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _engine(url: str) -> sa.Engine:
    """Connections that survive the death of this process with all they committed, without waiting for the disk.

    What a power cut takes away is the end of Dagster's history, never its form; the ledger is not kept here.
    """
    engine = sa.create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def no_waiting(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine
