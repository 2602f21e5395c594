"""Publication: a plain DuckDB file for readers, made beside the work database and swapped in by rename.

Belongs here: copying tables into a new file, its SHA-256, its record, and finishing a swap that a crash interrupted.
Does not belong here: deciding that something should be published, or what a table means.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from fm_platform.errors import EnvironmentFailure
from fm_platform.warehouse.database import LINKS, SOURCE_ROWS, Warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.names import identifier, literal, relation, split_table

_CHUNK = 1 << 20
_SMALL_BLOCK, _BLOCK = 16_384, 262_144
"""The smallest block that DuckDB takes, and its default: many small tables would fill one of the default's each."""
_MANY_ROWS = 500_000
"""With a table of so many rows, what small blocks spend on dictionaries outweighs that."""


@dataclass(frozen=True)
class Publication:
    """What goes into the published file.

    Attributes:
        current: Tables copied from the work database.
        previous: Tables copied from the last publication, because their half is blocked.
        previous_sources: Sources whose row origins also come from the last publication.
        derived: Further tables (``audit.*``), made from the ledger.
        comments: Table to (description, column to description).
        views: Further views by name, each a SELECT over the file's own tables.
        facts: The publication record's body, less number, names and hash.
    """

    current: Sequence[str]
    previous: Sequence[str] = ()
    previous_sources: Sequence[str] = ()
    derived: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    comments: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def publish(warehouse: Warehouse, publication: Publication, number: int) -> LedgerRecord:
    """Build, record and swap in publication ``number``.

    Raises:
        EnvironmentFailure: The disk refuses; the previous publication stays.
    """
    home = warehouse.home
    building = _building(home, number)
    try:
        building.unlink(missing_ok=True)
        _build(warehouse, publication, building)
        _sync(building)
        sha256 = file_sha256(building)
        body = {
            **publication.facts,
            "number": number,
            "file": home.published.name,
            "snapshot": snapshot_name(number),
            "sha256": sha256,
            "bytes": building.stat().st_size,
        }
        with warehouse.transaction():
            record = warehouse.append("publication", body)
        _swap(home, number, building)
    except (OSError, duckdb.IOException) as error:
        raise EnvironmentFailure(
            f"publication {number} could not be written: {str(error).splitlines()[0]}",
            file=home.path,
            mend="check free space and permissions, then refresh again",
        ) from error
    return record


def finish_interrupted(home: Home, last: Mapping[str, Any] | None) -> bool:
    """Complete the swap of the last recorded publication if a crash came between record and rename.

    Args:
        home: The home whose lock the caller holds.
        last: Body of the last publication record, if any.

    Returns:
        Whether the published file is the recorded one.
    """
    if last is None:
        return True
    number, sha256 = int(last["number"]), str(last["sha256"])
    building = _building(home, number)
    if building.is_file() and file_sha256(building) == sha256:
        _swap(home, number, building)
    return home.published.is_file() and file_sha256(home.published) == sha256


def snapshot_name(number: int) -> str:
    """Where publication ``number`` is kept, relative to the home."""
    return f"snapshots/{number:06d}.duckdb"


def remove_snapshots(home: Home, numbers: Iterable[int]) -> None:
    """Remove the files of snapshots that a ledger record let go; those that are gone already are no matter."""
    for number in numbers:
        (home.path / snapshot_name(number)).unlink(missing_ok=True)


def _building(home: Home, number: int) -> Path:
    return home.scratch / f"publication-{number:06d}.duckdb"


def _build(warehouse: Warehouse, publication: Publication, target: Path) -> None:
    connection = warehouse.connection
    attached = ["fm_new"]
    connection.execute(f"ATTACH {literal(str(target))} AS fm_new (BLOCK_SIZE {_block_size(connection)})")
    try:
        if publication.previous or publication.previous_sources:
            connection.execute(f"ATTACH {literal(str(warehouse.home.published))} AS fm_previous (READ_ONLY)")
            attached.append("fm_previous")
        for database, tables in (("fm", publication.current), ("fm_previous", publication.previous)):
            for table in tables:
                _copy(connection, table, database)
        _copy_source_rows(connection, publication.previous_sources)
        _copy_links(connection, publication.current, publication.previous)
        for table, frame in publication.derived.items():
            _store(connection, table, frame)
        for view, sql in publication.views.items():
            _create_view(connection, view, sql)
        _comment(connection, publication.comments)
        connection.execute("CHECKPOINT fm_new")
    finally:
        for name in attached:
            connection.execute(f"DETACH {name}")


def _block_size(connection: duckdb.DuckDBPyConnection) -> int:
    largest = connection.execute(
        "SELECT max(estimated_size) FROM duckdb_tables() WHERE database_name = 'fm'"
    ).fetchone()
    return _BLOCK if largest and (largest[0] or 0) >= _MANY_ROWS else _SMALL_BLOCK


def _schema(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    schema, _ = split_table(table)
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS fm_new.{identifier(schema)}")
    return relation(table, "fm_new")


def _copy(connection: duckdb.DuckDBPyConnection, table: str, database: str) -> None:
    target = _schema(connection, table)
    connection.execute(f"CREATE TABLE {target} AS SELECT * FROM {relation(table, database)}")


def _copy_source_rows(connection: duckdb.DuckDBPyConnection, previous_sources: Sequence[str]) -> None:
    target = _schema(connection, SOURCE_ROWS)
    marks = ", ".join("?" for _ in previous_sources) or "NULL"
    connection.execute(
        f"CREATE TABLE {target} AS SELECT * FROM {relation(SOURCE_ROWS)} WHERE source NOT IN ({marks})"
        if previous_sources
        else f"CREATE TABLE {target} AS SELECT * FROM {relation(SOURCE_ROWS)}",
        list(previous_sources),
    )
    if previous_sources:
        connection.execute(
            f"INSERT INTO {target} SELECT * FROM {relation(SOURCE_ROWS, 'fm_previous')} WHERE source IN ({marks})",
            list(previous_sources),
        )


def _copy_links(
    connection: duckdb.DuckDBPyConnection, current: Sequence[str], previous: Sequence[str]
) -> None:
    """The links of the tables that are published, each from where its table comes from."""
    target = _schema(connection, LINKS)
    listed = ", ".join(literal(table) for table in current)
    connection.execute(
        f"CREATE TABLE {target} AS SELECT * FROM {relation(LINKS)} WHERE table_name IN ({listed})"
    )
    if previous:
        listed = ", ".join(literal(table) for table in previous)
        earlier = relation(LINKS, "fm_previous")
        connection.execute(f"INSERT INTO {target} BY NAME FROM {earlier} WHERE table_name IN ({listed})")


def _store(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    target = _schema(connection, table)
    connection.register("fm_incoming", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    try:
        connection.execute(f"CREATE TABLE {target} AS SELECT * FROM fm_incoming")
    finally:
        connection.unregister("fm_incoming")


def _create_view(connection: duckdb.DuckDBPyConnection, view: str, sql: str) -> None:
    """Views name tables without their database, so that the file works under any name."""
    connection.execute("USE fm_new")
    try:
        schema, name = split_table(view)
        connection.execute(f"CREATE VIEW {identifier(schema)}.{identifier(name)} AS {sql}")
    finally:
        connection.execute("USE fm")


def _comment(
    connection: duckdb.DuckDBPyConnection, comments: Mapping[str, tuple[str, Mapping[str, str]]]
) -> None:
    statements = []
    for table, (description, columns) in comments.items():
        target = relation(table, "fm_new")
        statements.append(f"COMMENT ON TABLE {target} IS {literal(description)}")
        present = {row[0] for row in connection.sql(f"DESCRIBE {target}").fetchall()}
        statements += [
            f"COMMENT ON COLUMN {target}.{identifier(column)} IS {literal(text)}"
            for column, text in columns.items()
            if column in present
        ]
    connection.execute(";\n".join(["BEGIN TRANSACTION", *statements, "COMMIT"]))


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _swap(home: Home, number: int, building: Path) -> None:
    kept = home.path / snapshot_name(number)
    copying = kept.with_suffix(".part")
    shutil.copyfile(building, copying)
    _sync(copying)
    copying.replace(kept)
    building.replace(home.published)
