"""Rows of DuckDB as a frame.

Belongs here: handing rows over. Does not belong here: running statements (``database``, ``reader``).
"""

from __future__ import annotations

import duckdb
import polars as pl

from fm_platform.warehouse.names import identifier


def frame_of(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """The rows of a relation; intervals, which Polars has no type for, as text.

    Handed over by Arrow's C stream, and so without pyarrow, whose import takes longer than most questions.
    """
    spans = [
        name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "INTERVAL"
    ]
    if spans:
        texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR) AS {identifier(name)}" for name in spans)
        relation = relation.project(f"* REPLACE ({texts})")
    return pl.DataFrame(relation)
