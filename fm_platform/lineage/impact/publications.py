"""Which publications hold given raw rows.

Belongs here: looking into every kept snapshot. Does not belong here: what a snapshot is pinned or pruned by.
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.lineage.impact.reached import ReachedPublication
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_file


def publications_with(home: Home, row_ids: Sequence[str]) -> list[ReachedPublication]:
    """Every kept publication that some of the rows stand in, oldest first."""
    found = []
    for path in sorted(home.snapshots.glob("*.duckdb")):
        with open_file(path) as snapshot:
            number = snapshot.ask("SELECT number FROM audit.publication").item()
            rows = snapshot.ask(
                "SELECT count(DISTINCT _row_id) FROM audit.source_rows WHERE list_contains(?::VARCHAR[], _row_id)",
                [list(row_ids)],
            ).item()
        if rows:
            found.append(ReachedPublication(number, path.relative_to(home.path).as_posix(), rows))
    return found
