"""The cells that a cell was computed from, with key and value.

Belongs here: reading the cells that links name. Does not belong here: following links (``lineage.links``), delivered
rows (``explanation``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.lineage.links.behind import Behind
from fm_platform.lineage.links.book import DECIDES, FAMILY, MEMBER, VALUE, LinkBook
from fm_platform.warehouse.names import identifier, quoted_table

LISTED = 20


@dataclass(frozen=True)
class UpstreamCells:
    """Cells of one column of an input table.

    Attributes:
        role: What they are to the explained cell.
        count: How many there are.
        cells: Key and value of the first of them, in key order.
    """

    table: str
    column: str
    role: str
    count: int
    cells: Sequence[Mapping[str, Any]]


def upstream_chain(book: LinkBook, behind: Behind, table: str) -> list[UpstreamCells]:
    """The cells behind a cell; through a cell that merely repeats another one, to those behind that.

    Args:
        book: The publication's links.
        behind: What stands behind the cell.
        table: Its table.
    """
    found: list[UpstreamCells] = []
    seen: set[str] = set()
    while table not in seen:
        seen.add(table)
        step = [
            _read(book, source, column, role, behind.rows_named_by(table, source, column, role))
            for source, column, role in behind.named_by(table)
            if role not in (DECIDES, FAMILY) and not column.startswith("_")
        ]
        step = _each_once(step)
        found += step
        if len(step) != 1 or step[0].count != 1:
            break
        table = step[0].table
    return found


def _each_once(entries: Sequence[UpstreamCells]) -> list[UpstreamCells]:
    """Without the same cells of a column in another giving role, which are read alike."""
    alike = {
        (e.table, e.column, e.count, e.role if e.role not in (VALUE, MEMBER) else VALUE): e for e in entries
    }
    return list(alike.values())


def _read(book: LinkBook, table: str, column: str, role: str, rows: str) -> UpstreamCells:
    """The cells of a column in the rows that a SELECT gives."""
    key = [name for name in book.keys.get(table, ()) if not name.startswith("_")]
    shown = list(dict.fromkeys([*key, column]))
    order = ", ".join(f"{identifier(name)} NULLS FIRST" for name in key) or "rowid"
    count = book.published.ask(f"SELECT count(*) FROM ({rows})").item()
    found = book.published.ask(
        f"SELECT {', '.join(identifier(name) for name in shown)} FROM {quoted_table(table)} "
        f"WHERE rowid IN ({rows}) ORDER BY {order} LIMIT {LISTED}"
    )
    cells = [{"key": {part: row[part] for part in key}, "value": row[column]} for row in found.to_dicts()]
    return UpstreamCells(table, column, role, count, cells)
