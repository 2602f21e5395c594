"""Delivered rows by their ids: file, line and hash.

Belongs here: the type, and looking rows up in the published file. Does not belong here: which rows are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fm_platform.warehouse.reader import Published

ROW_IDS = "_row_ids"
ROW_ID = "_row_id"


@dataclass(frozen=True)
class SourceRow:
    """A delivered row that contributed."""

    row_id: str
    source: str
    path: str
    line: int
    sha256: str


def source_rows_of(published: Published, ids: Sequence[str]) -> list[SourceRow]:
    """The rows of some ids, by source, file and line."""
    if not ids:
        return []
    found = published.recall(
        "SELECT _row_id, source, path, line, file_sha256 FROM audit.source_rows "
        "WHERE list_contains(?::VARCHAR[], _row_id) ORDER BY source, path, line",
        [list(ids)],
    )
    return [SourceRow(*row) for row in found.rows()]
