"""From a delivered table to ``raw.*`` and ``audit.source_rows``.

Belongs here: the one shape of either frame. Does not belong here: reading files.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def with_optional_items(rows: pl.DataFrame, optional: Sequence[str]) -> pl.DataFrame:
    """A raw table with a column for every optional item; one that was not delivered is empty throughout.

    Row ids are those of the delivered cells: they do not depend on what a questionnaire could have asked.

    Args:
        rows: The delivered table.
        optional: The columns of optional items.
    """
    absent = [name for name in optional if name not in rows.columns]
    return rows.with_columns(pl.lit("").alias(name) for name in absent)


def source_rows(
    source: str, row_ids: Sequence[str], lines: Sequence[int], sha256: str, path: str
) -> pl.DataFrame:
    """One row for each delivered row.

    Args:
        source: The source's name.
        row_ids: Ids of the rows.
        lines: Their lines in the file, from 1.
        sha256: The file's SHA-256.
        path: The file below the study folder.
    """
    return pl.DataFrame(
        {
            "_row_id": pl.Series(row_ids, dtype=pl.String),
            "line": pl.Series(lines, dtype=pl.Int64),
        }
    ).select(
        pl.lit(source).alias("source"),
        "_row_id",
        pl.lit(sha256).alias("file_sha256"),
        pl.lit(path).alias("path"),
        "line",
    )
