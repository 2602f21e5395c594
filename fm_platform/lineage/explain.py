"""Where does this number come from? The answer from the published file alone.

Belongs here: finding one row of one table and everything recorded about it. Does not belong here: printing it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.errors import InputError
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.reader import Published

ROW_IDS = "_row_ids"
ROW_ID = "_row_id"
_MANY = 10


@dataclass(frozen=True)
class SourceRow:
    """A delivered row that contributed."""

    row_id: str
    source: str
    path: str
    line: int
    sha256: str


@dataclass(frozen=True)
class Explanation:
    """One row of one table, or one of its cells, with its origin.

    Attributes:
        key: The row's key.
        value: The cell, or every column of the row when no column was named.
        inputs: Column inputs of the cell: (table, column, kind, transformation).
        rows: The delivered rows that contributed.
        checks: The latest verdicts on the table and on everything upstream of it.
        made: Run, time, code version and fingerprint of the materialization.
    """

    table: str
    key: Mapping[str, Any]
    column: str | None
    value: Any
    method: str | None
    inputs: Sequence[Mapping[str, str]]
    rows: Sequence[SourceRow]
    checks: Sequence[Mapping[str, Any]]
    made: Mapping[str, Any]
    publication: Mapping[str, Any] = field(default_factory=dict)


def explain(
    published: Published, table: str, where: Sequence[tuple[str, str]] = (), column: str | None = None
) -> Explanation:
    """Explain one row or cell.

    Args:
        published: The open published warehouse.
        table: ``schema.table``.
        where: Column and value pairs; an empty value means null.
        column: The cell's column; None explains the whole row.

    Raises:
        InputError: No such table or column, or the conditions match no row or several (the message lists keys).
    """
    schema = published.schema(table)
    for name in [name for name, _ in where] + ([column] if column else []):
        if name not in schema:
            own = [known for known in schema if not known.startswith("_")]
            raise InputError(f"{table} has no column {name!r}", mend=f"its columns: {', '.join(own)}")
    made = _materialization(published, table)
    row = _one_row(published, table, where, made["key"])
    shown = {name: value for name, value in row.items() if not name.startswith("_")}
    return Explanation(
        table=table,
        key={name: row[name] for name in made["key"]},
        column=column,
        value=row[column] if column else shown,
        method=row.get("method"),
        inputs=_inputs(published, table, column),
        rows=_source_rows(published, row),
        checks=_checks(published, table),
        made={name: value for name, value in made.items() if name != "key"},
        publication=published.query("SELECT * FROM audit.publication").row(0, named=True),
    )


def _materialization(published: Published, table: str) -> dict[str, Any]:
    found = published.query(
        "SELECT seq, \"at\", run_id, body FROM audit.ledger WHERE kind = 'materialization' "
        "AND json_extract_string(body, '$.table') = ? "
        "AND json_extract_string(body, '$.full_digest') = (SELECT full_digest FROM audit.tables WHERE table_name = ?) "
        "ORDER BY seq DESC LIMIT 1",
        [table, table],
    )
    if found.is_empty():
        raise InputError(
            f"{table} is a table of the audit trail itself", mend="explain a table that a run made"
        )
    row = found.row(0, named=True)
    body = json.loads(row["body"])
    return {
        "key": body["key"],
        "ledger_seq": row["seq"],
        "at": row["at"],
        "run_id": row["run_id"],
        "actor": body["actor"],
        "reason": body.get("reason"),
        "code_version": body["parts"]["code"],
        "study_digest": body["parts"]["study"],
        "fingerprint": body["fingerprint"],
        "value_digest": body["value_digest"],
        "inputs": body["parts"]["inputs"],
        "files": body["parts"]["sources"],
    }


def _one_row(
    published: Published, table: str, where: Sequence[tuple[str, str]], key: Sequence[str]
) -> dict[str, Any]:
    schema, _, name = table.partition(".")
    conditions, values = [], []
    for column, value in where:
        if value == "":
            conditions.append(f"({identifier(column)} IS NULL OR CAST({identifier(column)} AS VARCHAR) = '')")
        else:
            conditions.append(f"CAST({identifier(column)} AS VARCHAR) = ?")
            values.append(value)
    clause = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(identifier(column) for column in key)
    frame = published.query(
        f"SELECT * FROM {identifier(schema)}.{identifier(name)}{clause} ORDER BY {order} LIMIT {_MANY + 1}",
        values,
    )
    if frame.height == 1:
        return frame.row(0, named=True)
    asked = " ".join(f"--where {column}={value}" for column, value in where) or "no --where"
    if frame.is_empty():
        raise InputError(f"{table}: no row matches {asked}", mend=f"its key is ({', '.join(key)})")
    keys = [
        " ".join(f"--where {column}={'' if row[column] is None else row[column]}" for column in key)
        for row in frame.iter_rows(named=True)
    ]
    more = "\n  ..." if frame.height > _MANY else ""
    listed = "\n  ".join(keys[:_MANY])
    raise InputError(
        f"{table}: {asked} matches several rows:\n  {listed}{more}\n", mend="name one of these keys"
    )


def _source_rows(published: Published, row: Mapping[str, Any]) -> list[SourceRow]:
    ids = list(row.get(ROW_IDS) or []) or ([row[ROW_ID]] if row.get(ROW_ID) else [])
    if not ids:
        return []
    found = published.query(
        "SELECT _row_id, source, path, line, file_sha256 FROM audit.source_rows "
        "WHERE list_contains(?::VARCHAR[], _row_id) ORDER BY source, path, line",
        [ids],
    )
    return [
        SourceRow(r["_row_id"], r["source"], r["path"], r["line"], r["file_sha256"]) for r in found.to_dicts()
    ]


def _inputs(published: Published, table: str, column: str | None) -> list[dict[str, str]]:
    clause = "AND column_name = ?" if column else ""
    found = published.query(
        'SELECT DISTINCT input_table AS "table", input_column AS "column", kind, transformation '
        f"FROM audit.column_lineage WHERE table_name = ? {clause} ORDER BY kind, input_table, input_column",
        [table, column] if column else [table],
    )
    return found.to_dicts()


def _checks(published: Published, table: str) -> list[dict[str, Any]]:
    """Verdicts on the table and on all tables that its columns come from."""
    found = published.query(
        "WITH RECURSIVE up(t) AS (SELECT ?::VARCHAR UNION "
        "SELECT input_table FROM audit.table_inputs JOIN up ON table_name = up.t) "
        "SELECT table_name, check_name, passed, blocking, description FROM audit.checks "
        "WHERE table_name IN (SELECT t FROM up) ORDER BY table_name, check_name",
        [table],
    )
    return found.to_dicts()
