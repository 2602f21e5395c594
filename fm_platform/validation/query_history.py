"""The life of a data query over deliveries: raised, resolved when the data are mended, reopened when it comes back.

Belongs here: stable ids and states. Does not belong here: finding what to ask (``query_rows`` and the rules beside it).
"""

from __future__ import annotations

import datetime
import hashlib
import json

import polars as pl

from fm_platform.validation.query_rows import FOUND_KEY, FOUND_SCHEMA

LINES = "_lines"
"""Where the rows of a query stand: file:line, apart by blanks."""

HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "query_id": pl.String(),
    **{name: kind for name, kind in FOUND_SCHEMA.items() if name != "_row_ids"},
    "state": pl.String(),
    "raised_on": pl.Date(),
    "resolved_on": pl.Date(),
    "reopened_on": pl.Date(),
    "times_reopened": pl.Int32(),
    "_row_ids": pl.List(pl.String()),
    LINES: pl.String(),
}
"""The columns of ``report.data_queries``; its key is query_id."""

OPEN = ("open", "reopened")
RESOLVED = "resolved"
LIFE_COLUMNS = ("state", "raised_on", "resolved_on", "reopened_on", "times_reopened")
"""What depends on earlier deliveries and on the day, not on what is asked."""
ID_LENGTH = 12


def query_id(rule: str, source: str, subject: str | None, event: str | None, item: str | None) -> str:
    """The id of a query: the same question about the same cell has the same id in every delivery."""
    text = json.dumps([rule, source, subject, event, item], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def next_state(found: pl.DataFrame, before: pl.DataFrame | None, today: datetime.date) -> pl.DataFrame:
    """All queries after a delivery.

    A query that is found again keeps its id and the day it was raised; one that is no longer found is resolved; a
    resolved one that is found again is reopened. The same delivery looked at twice gives the same table.

    Args:
        found: What is asked now, with the columns of ``FOUND_SCHEMA``.
        before: The table of the delivery before, if any.
        today: The day that new states are dated with.

    Returns:
        The columns of ``HISTORY_SCHEMA``, sorted by query_id.
    """
    now: dict[str, dict[str, object]] = {}
    for row in found.sort(*FOUND_KEY, "text", nulls_last=True).to_dicts():
        name = query_id(*(row[key] for key in FOUND_KEY))
        first = now.setdefault(name, row)
        if first is not row:
            first["_row_ids"] = sorted({*first["_row_ids"], *row["_row_ids"]})  # type: ignore[misc]
    earlier = {} if before is None else {row["query_id"]: row for row in before.to_dicts()}
    rows = [_found_again(name, row, earlier.get(name), today) for name, row in now.items()]
    rows += [_resolved(row, today) for name, row in earlier.items() if name not in now]
    frame = pl.DataFrame(rows, schema=HISTORY_SCHEMA)
    return frame.sort("query_id")


def _found_again(
    name: str, row: dict[str, object], earlier: dict[str, object] | None, today: datetime.date
) -> dict[str, object]:
    fresh = {**row, "query_id": name, "state": "open", "raised_on": today, "resolved_on": None}
    if earlier is None:
        return {**fresh, "reopened_on": None, "times_reopened": 0}
    kept = {key: earlier[key] for key in ("state", "raised_on", "reopened_on", "times_reopened")}
    if earlier["state"] == RESOLVED:
        kept |= {
            "state": "reopened",
            "reopened_on": today,
            "times_reopened": int(str(earlier["times_reopened"])) + 1,
        }
    return {**fresh, **kept}


def _resolved(row: dict[str, object], today: datetime.date) -> dict[str, object]:
    if row["state"] == RESOLVED:
        return row
    return {**row, "state": RESOLVED, "resolved_on": today}
