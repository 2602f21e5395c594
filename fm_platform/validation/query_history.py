"""The life of a data query over deliveries: raised, closed by an answer or a decision, reopened when it comes back.

Belongs here: stable ids and states. Does not belong here: finding what to ask (``query_rows`` and the rules beside it),
or reading what was answered (``query_answers``).

A query that is no longer found is not thereby answered. It is resolved when a cell that it asks about changed; else its
state says why nobody asks any more.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from fm_platform.validation.query_answers import Held, as_kept
from fm_platform.validation.query_cells import CHANGED
from fm_platform.validation.query_rows import FOUND_KEY, FOUND_SCHEMA

LINES = "_lines"
"""Where the rows of a query stand: file:line, apart by blanks."""

ASKED = "_asked"
"""The cells that an open query asks about, as digests; of a resolved one, those that changed."""

HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "query_id": pl.String(),
    **{name: kind for name, kind in FOUND_SCHEMA.items() if name != "_row_ids"},
    "state": pl.String(),
    "raised_on": pl.Date(),
    "resolved_on": pl.Date(),
    "reopened_on": pl.Date(),
    "times_reopened": pl.Int32(),
    "closed_by": pl.String(),
    "_row_ids": pl.List(pl.String()),
    LINES: pl.String(),
    ASKED: pl.String(),
}
"""The columns of ``report.data_queries``; its key is query_id."""

OPEN = ("open", "reopened")
RESOLVED, ACCEPTED, REMOVED, WITHDRAWN, NOT_ASKED = (
    "resolved",
    "accepted",
    "removed",
    "withdrawn",
    "not asked",
)
CLOSED = (RESOLVED, ACCEPTED, REMOVED, WITHDRAWN, NOT_ASKED)
LIFE_COLUMNS = ("state", "raised_on", "resolved_on", "reopened_on", "times_reopened", "closed_by")
"""What depends on earlier deliveries and on the day, not on what is asked."""
ID_LENGTH = 12

Row = dict[str, Any]


def query_id(rule: str, source: str, subject: str | None, event: str | None, item: str | None) -> str:
    """The id of a query: the same question about the same cell has the same id in every delivery."""
    text = json.dumps([rule, source, subject, event, item], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


@dataclass(frozen=True)
class Present:
    """What is known when queries are looked at again.

    Attributes:
        today: The day that new states are dated with.
        held: What the cells of queries (rows with rule, source, subject, event, item) hold now, one entry a query.
        looked_at: Whether the rule of a query has seen the present delivery; it has not where the gate blocks.
        accepted: Who accepted a query's cells as they are, and why; None where nobody did.
        withdrew: Whether the query's subject withdrew, so that nobody asks.
    """

    today: datetime.date
    held: Callable[[Sequence[Mapping[str, Any]]], list[Held]]
    looked_at: Callable[[Mapping[str, Any]], bool] = field(default=lambda _: True)
    accepted: Callable[[Mapping[str, Any], str], str | None] = field(default=lambda _query, _kept: None)
    withdrew: Callable[[Mapping[str, Any]], bool] = field(default=lambda _: False)


def next_state(found: pl.DataFrame, before: pl.DataFrame | None, present: Present) -> pl.DataFrame:
    """All queries after a delivery.

    A query that is found again keeps its id and the day it was raised; a closed one that is found again is reopened.
    The same delivery looked at twice gives the same table.

    Args:
        found: What is asked now, with the columns of ``FOUND_SCHEMA``.
        before: The table of the delivery before, if any.
        present: What else is known.

    Returns:
        The columns of ``HISTORY_SCHEMA``, sorted by query_id.
    """
    now = _by_id(found)
    earlier: dict[str, Row] = {}
    if before is not None:
        absent = [
            pl.lit(None, kind).alias(name)
            for name, kind in HISTORY_SCHEMA.items()
            if name not in before.columns
        ]
        earlier = {row["query_id"]: row for row in before.with_columns(absent).to_dicts()}
    lasting = [name for name, row in earlier.items() if name in now or row["state"] in OPEN]
    names = [*now, *(name for name in lasting if name not in now)]
    held = dict(zip(names, present.held([now.get(name) or earlier[name] for name in names]), strict=True))
    rows = [
        row if row["state"] in CLOSED else _closed(row, held[name], present)
        for name, row in earlier.items()
        if name not in now
    ]
    answers = _answered(rows, [row for name, row in earlier.items() if name in now])
    for name, row in now.items():
        if row["rule"] != CHANGED or not _is_answer(row, held[name], answers):
            rows.append(_found(name, row, earlier.get(name), held[name], present))
        elif name in earlier:
            rows.append(
                _closed(earlier[name], held[name], present)
                if earlier[name]["state"] in OPEN
                else earlier[name]
            )
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA).sort("query_id")


def _by_id(found: pl.DataFrame) -> dict[str, Row]:
    now: dict[str, Row] = {}
    for row in found.sort(*FOUND_KEY, "text", nulls_last=True).to_dicts():
        name = query_id(*(row[key] for key in FOUND_KEY))
        first = now.setdefault(name, row)
        if first is not row:
            first["_row_ids"] = sorted({*first["_row_ids"], *row["_row_ids"]})
    return now


def _answered(*rows: Sequence[Row]) -> Collection[tuple[str, str, str]]:
    """Subject, cell and digest of every answer that resolved a query."""
    return {
        (row["subject"], cell, digest)
        for several in rows
        for row in several
        if row["state"] == RESOLVED and row["rule"] != CHANGED and row[ASKED]
        for cell, digest in json.loads(row[ASKED]).items()
    }


def _is_answer(row: Row, held: Held, answers: Collection[tuple[str, str, str]]) -> bool:
    """Whether a changed value is the answer to another query, so that nobody asks about the change."""
    kept = json.loads(held.kept)
    return held.own in kept and (row["subject"], held.own, kept[held.own]) in answers


def _found(name: str, row: Row, earlier: Row | None, held: Held, present: Present) -> Row:
    kept = held.kept
    if earlier is not None and earlier[ASKED] and earlier["state"] in OPEN and not present.looked_at(row):
        kept = earlier[ASKED]
    life: Row = {"state": "open", "raised_on": present.today, "resolved_on": None, "reopened_on": None}
    life |= {"times_reopened": 0, "closed_by": None}
    if earlier is not None:
        life |= {key: earlier[key] for key in ("state", "raised_on", "reopened_on", "times_reopened")}
    why = present.accepted(row, kept)
    if why is not None:
        was = earlier if earlier is not None and earlier["state"] == ACCEPTED else None
        life |= {
            "state": ACCEPTED,
            "closed_by": why,
            "resolved_on": was["resolved_on"] if was else present.today,
        }
    elif earlier is not None and earlier["state"] in CLOSED:
        life |= {
            "state": "reopened",
            "reopened_on": present.today,
            "times_reopened": earlier["times_reopened"] + 1,
        }
    return {**row, "query_id": name, **life, LINES: None, ASKED: kept}


def _closed(row: Row, held: Held, present: Present) -> Row:
    """An open query that is not found any more."""
    kept = row[ASKED]
    why = present.accepted(row, kept or "")
    if why is not None:
        return _with(row, ACCEPTED, why, present)
    if present.withdrew(row):
        return _with(row, WITHDRAWN, "the subject withdrew", present)
    if not present.looked_at(row):
        return row
    if not held.in_force:
        return _with(row, NOT_ASKED, "study.yaml no longer gives the rule anything to ask here", present)
    if kept is None:
        return _with(row, NOT_ASKED, "it was asked before answers were kept", present)
    if held.removed(kept):
        return _with(row, REMOVED, "the row that was asked about is no longer delivered", present)
    changes = held.changes(kept)
    if held.set_aside:
        return row
    if not changes:
        why = "the cells are as they were; the rule, or what it compares them with, is another"
        return _with(row, NOT_ASKED, why, present)
    return {**_with(row, RESOLVED, held.told(kept, row["value"]), present), ASKED: as_kept(changes)}


def _with(row: Row, state: str, why: str, present: Present) -> Row:
    return {**row, "state": state, "closed_by": why, "resolved_on": present.today}
