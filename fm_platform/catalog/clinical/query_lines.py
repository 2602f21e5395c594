"""Where the rows behind data queries stand in the delivered files.

Belongs here: file and line of a query's rows, as of the run that asks. Does not belong here: the queries (``queries``),
or reading them from a publication (``query_list``).

A publication shows an earlier delivery of a half that is blocked, so it cannot tell where the newest rows stand; what
is lost stands in no present delivery at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.validation.query_history import LINES, OPEN
from fm_platform.warehouse.names import relation

Lost = Mapping[tuple[str, str, str | None], str]
"""Source, subject and visit (null: the whole subject) to file:line in the newest delivery that had it."""


def with_lines(step: Step, queries: pl.DataFrame, lost: Lost) -> pl.DataFrame:
    """Data queries with ``_lines``, file:line of their rows; those that are closed keep what they had.

    Args:
        step: Gives the work database.
        queries: ``report.data_queries``.
        lost: Where the rows stood that are missing now.
    """
    places = _places(step, queries)
    lines = []
    for row in queries.to_dicts():
        found = sorted({place for row_id in row["_row_ids"] or () for place in places.get(row_id, ())})
        if row["rule"] == "FM021":
            found = lost.get((row["source"], row["subject"], row["event"]), "").split()
        lines.append(" ".join(found) or None if row["state"] in OPEN else row[LINES])
    return queries.with_columns(pl.Series(LINES, lines, dtype=pl.String))


def _places(step: Step, queries: pl.DataFrame) -> dict[str, list[str]]:
    """file:line by row id."""
    ids = sorted({row_id for ids in queries["_row_ids"] for row_id in ids if ids is not None})
    found: dict[str, list[str]] = {}
    rows = step.warehouse.connection.execute(
        f"SELECT _row_id, path || ':' || line FROM {relation('audit.source_rows')} "
        "WHERE _row_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL",
        [ids],
    ).fetchall()
    for row_id, place in rows:
        found.setdefault(row_id, []).append(place)
    return found
