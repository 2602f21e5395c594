"""What does a delivered row reach? Forward lineage from raw rows to every table, number and publication.

Belongs here: what is imagined to be absent as a start for links, counting what they reach, and what a refresh without
the rows would recompute. Does not belong here: finding the raw rows (``origin``), following links (``lineage.links``),
printing.

The prediction is of published cells: one that is reached may change or go, one that is not stays as it is. New rows can
come where a key repeats what was observed (a planning row for "2/5 observed").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.impact.origin import SAMPLES, Origin, has_table
from fm_platform.lineage.links.ahead import Ahead
from fm_platform.lineage.links.book import LinkBook
from fm_platform.lineage.source_rows import SourceRow
from fm_platform.warehouse.names import literal, quoted_table
from fm_platform.warehouse.reader import Published

KEYS_LISTED = 20
NUMERIC = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL", "UBIGINT")
REPORT = "report."
CONTRASTS = "expression.contrasts"
_OF_ONE_SAMPLE = ("expression.library_sizes", "expression.sex_genes")


@dataclass(frozen=True)
class Reached:
    """The rows of one table that depend on the raw rows.

    Attributes:
        rows: How many.
        of: Of how many.
        ways: What the raw rows are to the rows (value, member, decides, family, design), to how many.
        cells: Cells that may change.
        keys: The keys of the first of them, in key order.
        numbers: Numeric ones among the cells.
    """

    table: str
    rows: int
    of: int
    ways: Mapping[str, int]
    cells: int
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

    Raises:
        InputError: The publication is of the first version and has no links.
    """
    inputs, keys = table_graph(published)
    if not LinkBook(published).present:
        raise InputError(
            "this publication was made before tables had links, and cannot be followed forward",
            mend="run `fm refresh`: the next publication has them",
        )
    ahead = ahead_of(published, origin)
    tables = []
    for table in inputs:
        if has_table(published, table):
            found = _reached(published, ahead, table, keys[table], limit)
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
        publication=published.ask("SELECT * FROM audit.publication").first(),
    )


def table_graph(published: Published) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Inputs and key of every table and file as they were made last, upstream first."""
    found = published.ask(
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


def ahead_of(published: Published, origin: Origin) -> Ahead:
    """The cells and rows that rest on raw rows, and on the columns of the samples that vanish with them.

    Args:
        published: The open published warehouse.
        origin: The raw rows.
    """
    return Ahead(LinkBook(published), _start(published, origin), _within(published, origin))


def _start(published: Published, origin: Origin) -> list[tuple[str, str, str]]:
    """The rows that are imagined absent, and the columns of count matrices with them."""
    start = []
    for source in dict.fromkeys(row.source for row in origin.rows):
        ids = ", ".join(literal(row.row_id) for row in origin.rows if row.source == source)
        if has_table(published, f"raw.{source}"):
            start.append((f"raw.{source}", "", f"t._row_id IN ({ids})"))
    if origin.count_ids:
        named = f"[{', '.join(literal(name) for name in origin.count_ids)}]"
        first = f"SELECT min(position) FROM {{}} AS c WHERE list_contains({named}, c.count_id)"
        start += [
            ("raw.counts", "counts", "true"),
            (
                "raw.count_columns",
                "",
                f"t.position >= ({first.format('raw.count_columns')} AND c.sheet = t.sheet)",
            ),
            (SAMPLES, "position", f"t.position >= ({first.format(SAMPLES)})"),
        ]
    return start


def _within(published: Published, origin: Origin) -> dict[str, str]:
    """Tables of which a vanishing sample reaches some rows only: contrasts that it takes part in, its own reads."""
    whole_genes = any(row.source == "counts" for row in origin.rows)
    if not origin.samples or whole_genes or not has_table(published, CONTRASTS):
        return {}
    named = f"[{', '.join(literal(name) for name in origin.samples)}]"
    used = f"t.contrast IN (SELECT c.contrast FROM {CONTRASTS} AS c WHERE list_has_any(c.samples, {named}))"
    tables = published.ask("SELECT table_name FROM audit.tables")["table_name"]
    return {
        **{table: used for table in tables if "contrast" in published.schema(table)},
        **{
            table: f"list_contains({named}, t.sample_id)"
            for table in _OF_ONE_SAMPLE
            if has_table(published, table)
        },
    }


def _reached(published: Published, ahead: Ahead, table: str, key: Sequence[str], limit: int) -> Reached:
    schema = published.schema(table)
    own = [column for column in schema if not column.startswith("_")]
    numeric = [c for c in own if c not in key and schema[c].startswith(NUMERIC)]
    count = published.ask(f"SELECT count(*) FROM {quoted_table(table)}").item()
    rows, cells, numbers = ahead.counts(table, own, numeric)
    keys = ahead.first_keys(table, key, limit) if rows else []
    return Reached(table, rows, count, ahead.roles(table), cells, keys, numbers)
