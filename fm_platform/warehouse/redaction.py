"""A DuckDB file of the platform without what it holds about one subject.

Belongs here: deleting rows by their raw rows and samples, in a new file without stale bytes. Does not belong here:
which subject, or recording that it was done.

The files of the report go as a whole: their figures draw every person's own line, their tables may have rows of one.
Rows that rest on the subject's delivered rows alone are deleted. Rows that rest on those of several subjects, such as
statistics, stay as they were published; where rows name delivered rows themselves (questions; every table of the
first version), the subject's are taken out of their lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from fm_platform.warehouse.connection import connect
from fm_platform.warehouse.names import identifier, literal
from fm_platform.warehouse.snapshot import REPORT_FILES

_BLOCK_SIZE = 16384
REDACTED = "redacted"
_NOTES = "expression.input_notes"


@dataclass(frozen=True)
class Erased:
    """What is taken out.

    Attributes:
        subject: The id.
        row_ids: The subject's raw rows.
        samples: The subject's samples.
        count_ids: Their names in the count matrices.
        headings: What their columns are called there.
        files: The count files that are named after them.
        alone: Table to the keys of the rows that rest on the subject's delivered rows alone.
    """

    subject: str
    row_ids: Sequence[str]
    samples: Sequence[str] = ()
    count_ids: Sequence[str] = ()
    headings: Sequence[str] = ()
    files: Sequence[str] = ()
    alone: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def redacted_copy(original: Path, target: Path, erased: Erased) -> None:
    """Write a copy of a database without a subject; the original stays as it is.

    Raises:
        duckdb.Error: A file cannot be read or written.
    """
    middle = target.with_suffix(".middle")
    for path in (middle, target):
        path.unlink(missing_ok=True)
    _copy(original, middle)
    with connect(str(middle)) as connection:
        if erased.count_ids:
            _blank_counts(connection, erased)
        for schema, table in connection.sql(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'audit' "
            "OR table_name = 'source_rows' ORDER BY ALL"
        ).fetchall():
            _redact(connection, schema, table, erased)
        _drop_report(connection)
    _copy(middle, target)
    middle.unlink()


def _drop_report(connection: duckdb.DuckDBPyConnection) -> None:
    schema, table = REPORT_FILES.split(".")
    kept = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, table]
    ).fetchone()
    if kept:
        connection.execute(f"DELETE FROM {identifier(schema)}.{identifier(table)}")


def rewritten(database: Path, target: Path) -> None:
    """Write a database anew, without the bytes of rows that were deleted or replaced."""
    target.unlink(missing_ok=True)
    _copy(database, target)


def _copy(source: Path, target: Path) -> None:
    with connect() as connection:
        connection.execute(f"ATTACH {literal(str(source))} AS old (READ_ONLY)")
        connection.execute(f"ATTACH {literal(str(target))} AS new (BLOCK_SIZE {_BLOCK_SIZE})")
        connection.execute("COPY FROM DATABASE old TO new")
        connection.execute("CHECKPOINT new")


def _redact(connection: duckdb.DuckDBPyConnection, schema: str, table: str, erased: Erased) -> None:
    name = f"{identifier(schema)}.{identifier(table)}"
    columns = [row[0] for row in connection.sql(f"DESCRIBE {name}").fetchall()]
    ids, samples = list(erased.row_ids), list(erased.samples)
    if (schema, table) == ("raw", "withdrawals"):
        return  # the list says who may not be delivered again
    if (schema, table) == ("audit", "source_rows"):
        connection.execute(
            f"DELETE FROM {name} WHERE list_contains(?::VARCHAR[], path)", [list(erased.files)]
        )
    for key in erased.alone.get(f"{schema}.{table}", ()):
        same = " AND ".join(f"{identifier(column)} IS NOT DISTINCT FROM ?" for column in key)
        connection.execute(f"DELETE FROM {name} WHERE {same}", list(key.values()))
    if "_row_ids" in columns:
        connection.execute(
            f"DELETE FROM {name} WHERE len(_row_ids) > 0 AND list_has_all(?::VARCHAR[], _row_ids)", [ids]
        )
        connection.execute(
            f"UPDATE {name} SET _row_ids = list_filter(_row_ids, lambda x: NOT list_contains(?::VARCHAR[], x)) "
            "WHERE list_has_any(_row_ids, ?::VARCHAR[])",
            [ids, ids],
        )
    if "_row_id" in columns:
        connection.execute(f"DELETE FROM {name} WHERE list_contains(?::VARCHAR[], _row_id)", [ids])
    for column in ("subject_id", "USUBJID", "subject"):
        if column in columns:
            connection.execute(f"DELETE FROM {name} WHERE {identifier(column)} = ?", [erased.subject])
    for column in ("sample_id", "sample_a", "sample_b"):
        if column in columns:
            connection.execute(f"DELETE FROM {name} WHERE list_contains(?::VARCHAR[], {column})", [samples])
    if schema == "expression":
        _blank_names(connection, name, columns, samples)


def _blank_names(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], samples: Sequence[str]
) -> None:
    """Samples that rows about genes and contrasts name: in lists, as the one that decides, in the reason of a gap."""
    for listed in {"samples", "lost_without"} & set(columns):
        connection.execute(
            f"UPDATE {name} SET {listed} = list_transform({listed}, lambda x: "
            f"CASE WHEN list_contains(?::VARCHAR[], x) THEN {literal(REDACTED)} ELSE x END)",
            [samples],
        )
    if "cooks_sample" in columns:
        connection.execute(
            f"UPDATE {name} SET cooks_sample = {literal(REDACTED)} WHERE list_contains(?::VARCHAR[], cooks_sample)",
            [samples],
        )
    for sample in samples if "na_detail" in columns else ():
        connection.execute(
            f"UPDATE {name} SET na_detail = replace(na_detail, ?, ?)",
            [f"sample {sample},", f"sample {REDACTED},"],
        )


def _blank_counts(connection: duckdb.DuckDBPyConnection, erased: Erased) -> None:
    """Null the samples' counts and what names them; the other samples keep their places."""
    ids = list(erased.count_ids)
    columns = connection.sql(
        "SELECT sheet, count_id FROM raw.count_columns WHERE kind = 'count' ORDER BY sheet, position"
    ).fetchall()
    for sheet in dict.fromkeys(sheet for sheet, _ in columns):
        here = [count_id for of, count_id in columns if of == sheet]
        _null_at(connection, "raw.counts", _places(here, ids), f"sheet = {literal(sheet)}")
    every = list(dict.fromkeys(count_id for _, count_id in columns))
    _null_at(connection, "expression.counts", _places(every, ids), "true")
    connection.execute(
        f'UPDATE raw.count_columns SET "column" = {literal(REDACTED)}, '
        f"count_id = CASE WHEN count_id IS NOT NULL THEN {literal(REDACTED)} END "
        'WHERE list_contains(?::VARCHAR[], count_id) OR list_contains(?::VARCHAR[], "column")',
        [ids, list(erased.headings)],
    )
    _delete_named_after(connection, erased)


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names, start=1) if name in wanted]


def _null_at(connection: duckdb.DuckDBPyConnection, table: str, places: list[int], condition: str) -> None:
    for column in ("counts", "lengths"):
        connection.execute(
            f"UPDATE {table} SET {column} = {_blanked(column)} WHERE {condition} AND {column} IS NOT NULL",
            [places],
        )


def _delete_named_after(connection: duckdb.DuckDBPyConnection, erased: Erased) -> None:
    """Rows about files that are named after the samples, and the readers' remarks that mention them."""
    for table in ("raw.counts", "raw.count_columns", _NOTES):
        connection.execute(
            f"DELETE FROM {table} WHERE list_contains(?::VARCHAR[], sheet)", [list(erased.files)]
        )
    for name in (*erased.count_ids, *erased.samples):
        word = rf"(^|[^0-9A-Za-z]){re.escape(name)}([^0-9A-Za-z]|$)"
        connection.execute(
            f"DELETE FROM {_NOTES} WHERE regexp_matches(concat_ws(' ', item, note), ?)", [word]
        )


def _blanked(column: str) -> str:
    return (
        f"list_transform({column}, lambda x, i: CASE WHEN list_contains(?::BIGINT[], i) THEN NULL ELSE x END)"
    )
