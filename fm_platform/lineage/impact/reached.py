"""What does a delivered row reach? Forward lineage from raw rows to every table, number and publication.

Belongs here: the three ways in which a row of a table depends on raw rows, and what a refresh without them would
recompute. Does not belong here: finding the raw rows (``origin``), printing.

A row of a table is reached

- ``rows``: its ``_row_ids`` hold one of the raw rows (its own values are computed from it);
- ``denominator``: it counts subjects of a stratum (or all) that a vanishing subject belonged to;
- ``fit``: it comes from a count matrix, a model fit or a normalization in which a vanishing sample or gene took part;
- ``family``: it is adjusted for multiplicity together with a row that is reached.

The prediction is of published rows: one that is reached goes or changes, one that is not stays as it is. New rows can
come where a key repeats what was observed (a planning row for "2/5 observed").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.lineage.impact.origin import Origin, has_table
from fm_platform.lineage.impact.ways import ways_of
from fm_platform.lineage.source_rows import SourceRow
from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.reader import Published

KEYS_LISTED = 20
NUMERIC = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL", "UBIGINT")
REPORT = "report."
_BY = "_by_"


@dataclass(frozen=True)
class Reached:
    """The rows of one table that depend on the raw rows.

    Attributes:
        rows: How many.
        of: Of how many.
        ways: Way to how many rows it reaches.
        keys: The keys of the first of them, in key order.
        numbers: Their numeric cells.
    """

    table: str
    rows: int
    of: int
    ways: Mapping[str, int]
    keys: Sequence[Mapping[str, Any]]
    numbers: int

    @property
    def more(self) -> int:
        """How many keys are not listed."""
        return self.rows - len(self.keys)


@dataclass(frozen=True)
class ReachedPublication:
    """A publication that holds some of the raw rows."""

    number: int
    snapshot: str
    rows: int


@dataclass(frozen=True)
class Impact:
    """Where raw rows lead.

    Attributes:
        asked: The question in words.
        rows: The raw rows.
        samples: Samples that vanish with them.
        tables: Reached tables, in the order in which they are made.
        recomputed: What a refresh without the rows recomputes, in order.
        publications: Publications that hold some of the rows.
        publication: The publication that was asked.
    """

    asked: str
    rows: Sequence[SourceRow]
    subjects: Sequence[str]
    samples: Sequence[str]
    tables: Sequence[Reached]
    recomputed: Sequence[str]
    publications: Sequence[ReachedPublication]
    publication: Mapping[str, Any] = field(default_factory=dict)

    @property
    def report_numbers(self) -> int:
        """Numeric cells of report tables that are reached."""
        return sum(reached.numbers for reached in self.tables if reached.table.startswith(REPORT))


def impact(
    published: Published,
    origin: Origin,
    publications: Sequence[ReachedPublication] = (),
    *,
    limit: int = KEYS_LISTED,
) -> Impact:
    """Follow raw rows forward through the published tables.

    Args:
        published: The open published warehouse.
        origin: The raw rows.
        publications: Publications that hold them.
        limit: How many keys to list of each table.
    """
    inputs, keys = table_graph(published)
    tables = []
    for table in inputs:
        if has_table(published, table):
            found = _reached(published, origin, table, keys[table], limit)
            if found.rows:
                tables.append(found)
    changing = {reached.table for reached in tables}
    recomputed = [
        table for table, read in inputs.items() if (not read and table in changing) or changing & set(read)
    ]
    return Impact(
        asked=origin.asked,
        rows=origin.rows,
        subjects=origin.subjects,
        samples=origin.samples,
        tables=tables,
        recomputed=[*recomputed, *(["publish.warehouse"] if tables else [])],
        publications=publications,
        publication=published.query("SELECT * FROM audit.publication").row(0, named=True),
    )


def table_graph(published: Published) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Inputs and key of every table and file as they were made last, upstream first."""
    found = published.query(
        "SELECT body FROM audit.ledger WHERE kind = 'materialization' "
        "QUALIFY row_number() OVER (PARTITION BY json_extract_string(body, '$.table') ORDER BY seq DESC) = 1 "
        "ORDER BY seq"
    )
    bodies = {body["table"]: body for body in map(json.loads, found["body"])}
    inputs = {table: sorted(body["parts"]["inputs"]) for table, body in bodies.items()}
    ordered: dict[str, list[str]] = {}
    while len(ordered) < len(inputs):
        ready = [
            t for t in inputs if t not in ordered and all(i in ordered or i not in inputs for i in inputs[t])
        ]
        ordered.update({table: inputs[table] for table in ready})
    return ordered, {table: list(body["key"]) for table, body in bodies.items()}


def _reached(published: Published, origin: Origin, table: str, key: Sequence[str], limit: int) -> Reached:
    schema = published.schema(table)
    ways, values = ways_of(published, origin, table, schema)
    flags = ", ".join(f"coalesce({sql}, false) AS {_BY}{way}" for way, sql in ways.items())
    own = [column for column in schema if not column.startswith("_")]
    count = published.query(f"SELECT count(*) FROM {quoted_table(table)}").item()
    if not ways:
        return Reached(table, 0, count, {}, (), 0)
    select = f"SELECT {', '.join(identifier(c) for c in schema)}, {flags} FROM {quoted_table(table)}"
    columns = {way: f"{_BY}{way}" for way in ways}
    if {"family", "p_holm"} <= set(schema):
        hit = " OR ".join(columns.values())
        shared = f"family IS NOT NULL AND bool_or({hit}) OVER (PARTITION BY family)"
        select = f"SELECT *, {shared} AS {_BY}family FROM ({select})"
        columns["family"] = f"{_BY}family"
    any_way = " OR ".join(columns.values())
    counts = ", ".join(
        f"count(*) FILTER ({sql} AND NOT ({' OR '.join(list(columns.values())[:at]) or 'false'}))"
        for at, sql in enumerate(columns.values())
    )
    totals = published.query(f"SELECT count(*) FILTER ({any_way}), {counts} FROM ({select})", values).row(0)
    order = ", ".join(f"{identifier(column)} NULLS FIRST" for column in key)
    keys = published.query(
        f"SELECT {', '.join(identifier(c) for c in key)} FROM ({select}) WHERE {any_way} "
        f"ORDER BY {order} LIMIT {limit}",
        values,
    ).to_dicts()
    numeric = [c for c in own if c not in key and schema[c].startswith(NUMERIC)]
    cells = " + ".join(f"count({identifier(c)}) FILTER ({any_way})" for c in numeric) or "min(0)"
    numbers = published.query(f"SELECT {cells} FROM ({select})", values).item()
    held = {way: total for way, total in zip(columns, totals[1:], strict=True) if total}
    return Reached(table, totals[0], count, held, keys, int(numbers or 0))
