"""Delivered rows: file, line and hash, and what they are to whatever is asked about.

Belongs here: the type, and looking rows up in the published file. Does not belong here: which rows are asked for
(``links``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.lineage.links.behind import Behind
from fm_platform.lineage.links.book import STRENGTH, VALUE
from fm_platform.warehouse.names import literal
from fm_platform.warehouse.reader import Published

ROW_ID = "_row_id"
RUNS = 20
"""How many runs of lines are said of a file."""
_PLACED = (
    "FROM fm_delivered AS d JOIN audit.source_rows AS s "
    "ON s._row_id = d._row_id AND s.source = coalesce(d.source, s.source)"
)


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


@dataclass(frozen=True)
class FileRows:
    """How many delivered rows of one file play one role.

    Attributes:
        rows: How many.
        lines: The first runs of lines that they stand on, first and last of each.
        more: Whether there are further runs.
    """

    role: str
    path: str
    rows: int
    lines: Sequence[tuple[int, int]]
    more: bool


def rows_by_file(published: Published) -> list[FileRows]:
    """The delivered rows behind a cell by role and file, as they are met by source, file and line.

    Args:
        published: The published warehouse in which ``fm_delivered`` was made (``Behind.gather``, ``gather_recorded``).
    """
    found = published.ask(
        f"WITH placed AS (SELECT d.role, s.source, s.path, s.line {_PLACED}), "
        "lines AS (SELECT DISTINCT role, path, line FROM placed), "
        "islands AS (SELECT *, line - row_number() OVER (PARTITION BY role, path ORDER BY line) AS island FROM lines), "
        "runs AS (SELECT role, path, min(line) AS a, max(line) AS b FROM islands GROUP BY role, path, island), "
        f"listed AS (SELECT role, path, list([a, b] ORDER BY a)[:{RUNS}] AS lines, count(*) > {RUNS} AS more "
        "FROM runs GROUP BY role, path), "
        "counted AS (SELECT role, path, count(*) AS n, min((source, path, line)) AS first "
        "FROM placed GROUP BY role, path) "
        "SELECT c.role, c.path, c.n, l.lines, l.more FROM counted AS c "
        "JOIN listed AS l ON l.role = c.role AND l.path = c.path ORDER BY c.first, c.role"
    )
    return [
        FileRows(STRENGTH[role], path, rows, [(first, last) for first, last in lines], more)
        for role, path, rows, lines, more in found.rows()
    ]


def source_rows(
    published: Published, behind: Behind | None, roles: Sequence[str], most: int | None = None
) -> list[SourceRow]:
    """The delivered rows that play some roles, by source, file and line.

    Args:
        published: The published warehouse in which ``fm_delivered`` was made.
        behind: What knows their cells; None where none are known.
        roles: The roles.
        most: How many to give at most; None for all.
    """
    limit = "" if most is None else f"LIMIT {most:d}"
    numbers = ", ".join(str(STRENGTH.index(role)) for role in roles)
    published.connection.execute(
        "CREATE OR REPLACE TEMP TABLE fm_listed AS SELECT d.source, d.row, d.played, d.role, "
        f"s._row_id, s.source AS delivered, s.path, s.line, s.file_sha256 {_PLACED} WHERE d.role IN ({numbers}) "
        f"ORDER BY s.source, s.path, s.line {limit}"
    )
    found = published.connection.execute(
        "SELECT _row_id, delivered, path, line, file_sha256, role, row FROM fm_listed "
        "ORDER BY delivered, path, line"
    ).fetchall()
    cells = behind.cells_of("SELECT source, row, played FROM fm_listed") if behind else {}
    return [
        SourceRow(row_id, source, path, line, sha256, STRENGTH[role], cells.get((source, row), {}))
        for row_id, source, path, line, sha256, role, row in found
    ]


def gather_recorded(published: Published, row: Mapping[str, Any]) -> None:
    """Make ``fm_delivered`` of the delivered rows that a row names itself, in publications of the first version."""
    ids = list(row.get("_row_ids") or []) or ([row[ROW_ID]] if row.get(ROW_ID) else [])
    listed = f"[{', '.join(literal(row_id) for row_id in ids)}]"
    published.connection.execute(
        "CREATE OR REPLACE TEMP TABLE fm_delivered AS SELECT NULL AS source, NULL AS row, "
        f"unnest({listed}::VARCHAR[]) AS _row_id, {STRENGTH.index(VALUE)} AS role, NULL AS played"
    )
