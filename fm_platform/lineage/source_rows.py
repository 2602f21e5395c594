"""Delivered rows: file, line and hash, and what they are to whatever is asked about.

Belongs here: the type, and looking rows up in the published file. Does not belong here: which rows are asked for
(``links``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.lineage.links.behind import BehindRow
from fm_platform.lineage.links.book import VALUE
from fm_platform.warehouse.reader import Published

ROW_ID = "_row_id"


@dataclass(frozen=True)
class SourceRow:
    """A delivered row.

    Attributes:
        role: What it is to the explained cell: value, member, imputed from, design, family or decides.
        cells: Its cells that play that role, by column; empty where it counts as a whole.
    """

    row_id: str
    source: str
    path: str
    line: int
    sha256: str
    role: str = VALUE
    cells: Mapping[str, Any] = field(default_factory=dict)


def source_rows_of(published: Published, rows: Sequence[BehindRow]) -> list[SourceRow]:
    """Where rows stand, by source, file and line."""
    if not rows:
        return []
    wanted = {(row.table.split(".", 1)[1], row.row_id): row for row in rows}
    found = published.recall(
        "SELECT _row_id, source, path, line, file_sha256 FROM audit.source_rows "
        "WHERE list_contains(?::VARCHAR[], _row_id) ORDER BY source, path, line",
        [[row.row_id for row in rows]],
    )
    placed = []
    for row_id, source, path, line, sha256 in found.rows():
        row = wanted.get((source, row_id)) or wanted.get(("", row_id))
        if row is not None:
            placed.append(SourceRow(row_id, source, path, line, sha256, row.role, row.cells))
    return placed


def recorded_ids(row: Mapping[str, Any]) -> list[BehindRow]:
    """The delivered rows that a row names itself, in publications of the first version."""
    ids = list(row.get("_row_ids") or []) or ([row[ROW_ID]] if row.get(ROW_ID) else [])
    return [BehindRow("raw.", row_id, VALUE, {}) for row_id in ids]
