"""The delivered rows behind data queries, and where they stand in the files.

Belongs here: the rows of a question's subject and visit, their file and line, as of the run that asks. Does not belong
here: the queries (``queries``), or reading them from a publication (``query_list``).

A publication shows an earlier delivery of a half that is blocked, so it cannot tell where the newest rows stand; what
is lost stands in no present delivery at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.query_history import LINES, OPEN
from fm_platform.validation.raw_source import RawSource
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import relation

Lost = Mapping[tuple[str, str, str | None], str]
"""Source, subject and visit (null: the whole subject) to file:line in the newest delivery that had it."""


def with_rows(step: Step, found: pl.DataFrame) -> pl.DataFrame:
    """Findings that name no delivered row, with those of the subject and visit that they are about.

    Args:
        step: Gives the work database.
        found: The columns of ``FOUND_SCHEMA``.
    """
    wanted = found.filter(pl.col("_row_ids").list.len() == 0)["source"].unique().to_list()
    rows: dict[tuple[str, str, str | None], list[str]] = {}
    for source in wanted:
        if source not in step.study.clinical or not step.warehouse.exists(f"raw.{source}"):
            continue
        view = RawSource(step.study, declared_columns(step.study, step.instruments), source, relation)
        keys = frame_of(step.warehouse.connection.sql(view.keys))
        for row_id, subject, visit in keys.select("_row_id", "subject_id", "visit_id").rows():
            rows.setdefault((source, subject, visit), []).append(row_id)
    ids = [
        row["_row_ids"] or sorted(rows.get((row["source"], row["subject"], row["event"]), ()))
        for row in found.select("source", "subject", "event", "_row_ids").iter_rows(named=True)
    ]
    return found.with_columns(pl.Series("_row_ids", ids, dtype=pl.List(pl.String)))


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
        said = row["state"] not in OPEN and row[LINES] is not None
        lines.append(row[LINES] if said else " ".join(found) or None)
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
