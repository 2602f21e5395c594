"""Where delivered rows stand: the frame that becomes ``audit.source_rows``.

Belongs here: that frame's one shape. Does not belong here: reading files.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


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
