"""Delivered tables as they would be without some rows, or with a corrected cell.

Belongs here: the changed copies of ``raw.*`` that a trial begins with. Does not belong here: making anything from them
(``trial``), finding the rows (``lineage.impact.origin``).

A row that is corrected gets the id of its new content, as a delivery would give it. Lines of count matrices keep
theirs: which samples a file has is no statement about a gene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from fm_platform.errors import InputError
from fm_platform.lineage.impact.origin import Origin
from fm_platform.sources.rowid import row_ids
from fm_platform.warehouse.scratch import Scratch

ROW_ID = "_row_id"
COUNTS, COUNT_COLUMNS = "raw.counts", "raw.count_columns"


def without_rows(scratch: Scratch, origin: Origin) -> dict[str, pl.DataFrame]:
    """The delivered tables without the origin's rows and without the columns of its samples.

    Returns:
        Table to its rows, in delivered order; tables that stay as they are left out.
    """
    found = {
        table: rows.filter(~pl.col(ROW_ID).is_in(origin.row_ids))
        for table, rows in _tables_of(scratch, origin).items()
    }
    if origin.count_ids and scratch.has(COUNTS):
        counts = found.get(COUNTS, scratch.published(COUNTS))
        columns = scratch.published(COUNT_COLUMNS)
        found[COUNTS], found[COUNT_COLUMNS] = without_samples(counts, columns, origin.count_ids)
    return found


def with_values(scratch: Scratch, origin: Origin, values: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """The delivered tables with other texts in cells of the origin's rows.

    Args:
        scratch: Shows the published tables.
        origin: The rows of one line.
        values: Column as delivered to its text; of a form export, in every form that has the column.

    Returns:
        Table to its rows, in delivered order; tables that stay as they are left out.

    Raises:
        InputError: The line has no such column, or is one of a count matrix.
    """
    tables = _tables_of(scratch, origin)
    if COUNTS in tables:
        raise InputError(
            f"{origin.asked} is a line of a count matrix, whose cells cannot be set",
            mend="leave --set out: the trial is then of the line's absence",
        )
    there = list(dict.fromkeys(name for rows in tables.values() for name in rows.columns if name != ROW_ID))
    if unknown := [name for name in values if name not in there]:
        raise InputError(
            f"{origin.asked} has no column {unknown[0]!r}", mend=f"its columns are: {', '.join(there)}"
        )
    return {
        table: _corrected(table, rows, origin, {name: text for name, text in values.items() if name in rows})
        for table, rows in tables.items()
        if not values.keys().isdisjoint(rows.columns)
    }


def without_samples(
    raw: pl.DataFrame, count_columns: pl.DataFrame, samples: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``raw.counts`` and ``raw.count_columns`` as they would be had some samples not been delivered.

    A file with no other sample goes altogether.

    Args:
        raw: ``raw.counts``.
        count_columns: ``raw.count_columns``.
        samples: The samples' ``count_id``.
    """
    gone = (pl.col("kind") == "count") & pl.col("count_id").is_in(samples)
    parts = []
    for sheet in raw["sheet"].unique(maintain_order=True):
        ids = count_columns.filter((pl.col("sheet") == sheet) & (pl.col("kind") == "count")).sort("position")
        kept = [place for place, name in enumerate(ids["count_id"]) if name not in samples]
        part = raw.filter(pl.col("sheet") == sheet)
        if kept:
            parts.append(part.with_columns(pl.col("counts", "lengths").list.gather(kept)))
    left = [part["sheet"][0] for part in parts]
    columns = count_columns.with_columns(
        pl.col("position") - gone.cast(pl.Int32).cum_sum().over("sheet")
    ).filter(~gone & pl.col("sheet").is_in(left))
    return pl.concat(parts) if parts else raw.clear(), columns


def _tables_of(scratch: Scratch, origin: Origin) -> dict[str, pl.DataFrame]:
    """The published delivered tables that hold rows of the origin."""
    tables = dict.fromkeys(f"raw.{row.source}" for row in origin.rows)
    return {table: scratch.published(table) for table in tables if scratch.has(table)}


def _corrected(table: str, rows: pl.DataFrame, origin: Origin, values: Mapping[str, str]) -> pl.DataFrame:
    at = pl.col(ROW_ID).is_in(origin.row_ids)
    changed = rows.with_columns(
        pl.when(at).then(pl.lit(text)).otherwise(pl.col(name)).alias(name) for name, text in values.items()
    )
    names = [name for name in rows.columns if name != ROW_ID]
    for row in changed.filter(at).to_dicts():
        cells = [row[name] for name in names]
        before = rows.select(pl.all_horizontal(pl.col(name) == row[name] for name in names).sum()).item()
        new = row_ids(table.removeprefix("raw."), names, [cells] * (before + 1))[-1]
        changed = changed.with_columns(pl.col(ROW_ID).replace(row[ROW_ID], new))
    return changed
