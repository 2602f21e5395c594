"""Rows of DuckDB as a frame.

Belongs here: handing rows over. Does not belong here: running statements (``database``, ``reader``).
"""

from __future__ import annotations

import duckdb
import polars as pl

from fm_platform.warehouse.answers import with_spans_as_texts


def frame_of(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """The rows of a relation; intervals, which Polars has no type for, as text.

    Handed over by Arrow's C stream, and so without pyarrow, whose import takes longer than most questions.
    """
    return pl.DataFrame(with_spans_as_texts(relation))
