"""Where does this number come from? The answer from the published file alone.

Belongs here: finding one row of one table and everything recorded about it. Does not belong here: printing it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.environment import Contexts, MadeWith, in_words
from fm_platform.lineage.explain.cells import UpstreamCells, upstream_chain
from fm_platform.lineage.explain.family import FamilyMember, family_of
from fm_platform.lineage.explain.formulas import formula_of
from fm_platform.lineage.explain.gene import GeneFit, gene_fit
from fm_platform.lineage.explain.inputs import inputs_of_row
from fm_platform.lineage.explain.left_out import LeftOut, Refused, left_out, quarantined
from fm_platform.lineage.links.behind import Behind, Whole, rowids_of
from fm_platform.lineage.links.book import DECIDES, FAMILY, STRENGTH, LinkBook
from fm_platform.lineage.source_rows import FileRows, SourceRow, gather_recorded, rows_by_file, source_rows
from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.reader import Published

_MANY = 10
DECIDING = (DECIDES, FAMILY)
"""Roles of rows that give no value."""
PARAMETERS = (
    "method", "engine", "engine_version", "definition", "denominator", "assumption", "analysis", "statistic",
    "hl_level", "ci_level", "family", "family_size", "reduction_percent", "transform", "na_reason", "note",
)  # fmt: skip
"""Columns by which a table says how its row was computed."""


@dataclass(frozen=True)
class Explanation:
    """One row of one table, or one of its cells, with its origin.

    Attributes:
        key: The row's key.
        value: The cell, or every column of the row when no column was named.
        inputs: Column inputs of the cell: table, column, kind, transformation; without those of other rows.
        meaning: What the cell's column holds, in words.
        formula: How the cell's column is computed, in words and symbols; None where it says nothing beyond its meaning.
        rows: The delivered rows that the value is made of, each with its role and cells; the first, if so asked.
        decided: Those that decide about it without giving a value (population, strata, family); the first, likewise.
        by_file: How many there are of all of these, by role and file.
        wholes: Inputs of which every row stands behind it, in the role said.
        checks: The latest verdicts on the table and on everything upstream of it.
        made: Run, time, code version and fingerprint of the materialization.
        parameters: What the row itself says about how it was computed: method, engine, level, denominator.
        upstream: The cells that the cell was computed from, and through copies those behind.
        quarantined: Delivered rows and cells that the gate kept out on the way.
        left_out: Subjects or samples that the number does not count, with the reason.
        gene: For a row about a gene in a contrast, its counts and the facts of the fit.
        family: For an adjusted p-value, the tests that it is adjusted over, smallest p first.
    """

    table: str
    key: Mapping[str, Any]
    column: str | None
    value: Any
    method: str | None
    inputs: Sequence[Mapping[str, str]]
    formula: str | None
    rows: Sequence[SourceRow]
    decided: Sequence[SourceRow]
    by_file: Sequence[FileRows]
    wholes: Sequence[Whole]
    checks: Sequence[Mapping[str, Any]]
    made: Mapping[str, Any]
    publication: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    upstream: Sequence[UpstreamCells] = ()
    quarantined: Sequence[Refused] = ()
    left_out: Sequence[LeftOut] = ()
    gene: GeneFit | None = None
    meaning: str | None = None
    family: Sequence[FamilyMember] = ()


def explain(
    published: Published,
    table: str,
    where: Sequence[tuple[str, str]] = (),
    column: str | None = None,
    most: int | None = None,
) -> Explanation:
    """Explain one row or cell.

    Args:
        published: The open published warehouse.
        table: ``schema.table``.
        where: Column and value pairs; an empty value means null.
        column: The cell's column; None explains the whole row.
        most: How many delivered rows to list; None for all. They are counted all the same.

    Raises:
        InputError: No such table or column, or the conditions match no row or several (the message lists keys).
    """
    row, made = row_of(published, table, where, column)
    return explain_row(published, table, row, column, made, most)


def row_of(
    published: Published, table: str, where: Sequence[tuple[str, str]], column: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row that conditions pick, with all its columns, and the table's materialization; arguments as above.

    Raises:
        InputError: As :func:`explain`.
    """
    schema = published.schema(table)
    for name in [name for name, _ in where] + ([column] if column else []):
        if name not in schema:
            own = [known for known in schema if not known.startswith("_")]
            raise InputError(f"{table} has no column {name!r}", mend=f"its columns: {', '.join(own)}")
    made = _materialization(published, table)
    return _one_row(published, table, where, made["key"]), made


def explain_row(
    published: Published,
    table: str,
    row: Mapping[str, Any],
    column: str | None = None,
    made: Mapping[str, Any] | None = None,
    most: int | None = None,
) -> Explanation:
    """Explain a row that is at hand, or one of its cells.

    Args:
        published: The open published warehouse.
        table: ``schema.table``.
        row: The row with all its columns.
        column: The cell's column; None explains the whole row.
        made: The table's materialization, if it was looked up already.
        most: How many delivered rows to list; None for all.
    """
    made = _materialization(published, table) if made is None else made
    book = LinkBook(published)
    inputs = inputs_of_row(published, table, row, _inputs(published, table, column), book.keys)
    key = {name: row[name] for name in made["key"]}
    behind = Behind(book, table, rowids_of(published, table, key), column) if book.present else None
    if behind:
        behind.gather()
    else:
        gather_recorded(published, row)
    return Explanation(
        table=table,
        key=key,
        column=column,
        value=row[column]
        if column
        else {name: value for name, value in row.items() if not name.startswith("_")},
        method=row.get("method") or row.get("engine"),
        inputs=inputs,
        meaning=_meaning(published, table, column),
        formula=formula_of(table, column, row),
        rows=source_rows(published, behind, [role for role in STRENGTH if role not in DECIDING], most),
        decided=source_rows(published, behind, DECIDING, most),
        by_file=rows_by_file(published),
        wholes=behind.wholes if behind else (),
        checks=_checks(published, table),
        made={name: value for name, value in made.items() if name != "key"},
        publication=published.recall("SELECT * FROM audit.publication").first(),
        parameters={name: row[name] for name in PARAMETERS if row.get(name) is not None},
        upstream=upstream_chain(book, behind, table) if behind else (),
        quarantined=quarantined(published, table, column, row),
        left_out=left_out(published, row, column),
        gene=gene_fit(published, row),
        family=family_of(published, table, made["key"], row, column),
    )


def _materialization(published: Published, table: str) -> dict[str, Any]:
    found = published.recall(
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
    row = found.first()
    body = json.loads(row["body"])
    behind = _made_with(published, table, int(row["seq"]))
    return {
        "key": body["key"],
        "ledger_seq": row["seq"],
        "at": row["at"],
        "run_id": row["run_id"],
        "actor": body["actor"],
        "reason": body.get("reason"),
        "code_version": body["parts"]["code"],
        "libraries": dict(behind.code.libraries),
        "environment": in_words(behind.environment),
        "study_digest": body["parts"]["study"],
        "fingerprint": body["fingerprint"],
        "value_digest": body["value_digest"],
        "inputs": body["parts"]["inputs"],
        "files": body["parts"]["sources"],
    }


def _made_with(published: Published, table: str, seq: int) -> MadeWith:
    """The libraries and the environment of a materialization, by the records before it."""
    rows = published.recall(
        "SELECT max(seq), kind, max_by(body, seq) FROM audit.ledger "
        f"WHERE kind IN ('code', 'environment') AND seq < {seq:d} GROUP BY kind"
    ).rows()
    return Contexts.of_rows(rows).made_with(table, seq)


def _one_row(
    published: Published, table: str, where: Sequence[tuple[str, str]], key: Sequence[str]
) -> dict[str, Any]:
    conditions, values = [], []
    for column, value in where:
        if value == "":
            conditions.append(f"({identifier(column)} IS NULL OR CAST({identifier(column)} AS VARCHAR) = '')")
        else:
            conditions.append(f"CAST({identifier(column)} AS VARCHAR) = ?")
            values.append(value)
    clause = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(identifier(column) for column in key)
    found = published.ask(
        f"SELECT * FROM {quoted_table(table)}{clause} ORDER BY {order} LIMIT {_MANY + 1}",
        values,
    )
    if found.height == 1:
        return found.first()
    asked = " ".join(f"--where {column}={value}" for column, value in where) or "no --where"
    if found.is_empty():
        raise InputError(f"{table}: no row matches {asked}", mend=_values_held(published, table, where, key))
    keys = [
        " ".join(f"--where {column}={'' if row[column] is None else row[column]}" for column in key)
        for row in found.to_dicts()
    ]
    more = "\n  ..." if found.height > _MANY else ""
    listed = "\n  ".join(keys[:_MANY])
    raise InputError(
        f"{table}: {asked} matches several rows:\n  {listed}{more}\n", mend="name one of these keys"
    )


def _meaning(published: Published, table: str, column: str | None) -> str | None:
    """The description of a column, as it is published with the table."""
    found = published.recall(
        "SELECT comment FROM duckdb_columns() WHERE schema_name || '.' || table_name = ? AND column_name = ?",
        [table, column],
    )["comment"]
    return found[0] if found else None


def _values_held(
    published: Published, table: str, where: Sequence[tuple[str, str]], key: Sequence[str]
) -> str:
    """Of the first condition that nothing meets beside those before it, what its column holds there."""
    clauses, values = ["true"], list[str]()
    for column, value in where:
        name = f"coalesce(CAST({identifier(column)} AS VARCHAR), '')"
        held = published.ask(
            f"SELECT DISTINCT {name} AS held FROM {quoted_table(table)} WHERE {' AND '.join(clauses)} ORDER BY 1",
            values,
        )["held"]
        if value not in held:
            alike = [] if value.isdigit() else sorted(get_close_matches(value, held, n=_MANY, cutoff=0.5))
            near = alike or sorted(held, key=lambda one: len(one) if one.isdigit() else 0)[:_MANY]
            more = "" if len(near) == len(held) else f" and {len(held) - len(near):,} more"
            return f"{column} is {', '.join(one or '(null: ' + column + '=)' for one in near)}{more}"
        clauses.append(f"{name} = ?")
        values.append(value)
    return f"its key is ({', '.join(key)})"


def _inputs(published: Published, table: str, column: str | None) -> list[dict[str, str]]:
    clause = "AND column_name = ?" if column else ""
    found = published.recall(
        'SELECT DISTINCT input_table AS "table", input_column AS "column", kind, transformation '
        f"FROM audit.column_lineage WHERE table_name = ? {clause} "
        "ORDER BY kind, input_table, input_column, transformation",
        [table, column] if column else [table],
    )
    return found.to_dicts()


def _checks(published: Published, table: str) -> list[dict[str, Any]]:
    """Verdicts on the table and on all tables that its columns come from."""
    found = published.recall(
        "WITH RECURSIVE up(t) AS (SELECT ?::VARCHAR UNION "
        "SELECT input_table FROM audit.table_inputs JOIN up ON table_name = up.t) "
        "SELECT table_name, check_name, passed, blocking, description FROM audit.checks "
        "WHERE table_name IN (SELECT t FROM up) ORDER BY table_name, check_name",
        [table],
    )
    return found.to_dicts()
