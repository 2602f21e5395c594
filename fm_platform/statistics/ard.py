"""Analysis results data: every statistic of every analysis as a row of its own.

Belongs here: turning result tables from wide to long, and finding a statistic again. Does not belong here:
computing anything, printing anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

ARD_SCHEMA: dict[str, pl.DataType] = {
    "analysis_id": pl.String(),
    "group": pl.String(),
    "variable": pl.String(),
    "stat_name": pl.String(),
    "stat_value": pl.Float64(),
    "stat_text": pl.String(),
    "method": pl.String(),
    "n": pl.Int64(),
    "source_table": pl.String(),
    "_row_ids": pl.List(pl.String()),
}
"""The columns of ``stats.ard``; its key is analysis_id, group, stat_name."""

ARD_KEY = ("analysis_id", "group", "stat_name")
MOST_ROW_IDS = 10_000
"""Above this many contributing raw rows a statistic leaves them to its source table, which has them once."""


@dataclass(frozen=True)
class Layout:
    """How a result table is read.

    Attributes:
        analysis: Its columns that, with the table's name, make the analysis id.
        variable: The column that names what was analysed.
        group: The column that names the group of subjects; None where there is only one.
    """

    analysis: tuple[str, ...]
    variable: str
    group: str | None = "stratum"


LAYOUTS: Mapping[str, Layout] = {
    "stats.symptom_change": Layout(("outcome", "visit"), "outcome"),
    "stats.responders": Layout(("responder", "visit"), "responder"),
    "stats.responder_rates": Layout(("responder", "visit", "denominator"), "responder"),
    "stats.mcnemar": Layout(("responder", "first_visit", "second_visit"), "responder"),
    "stats.friedman": Layout(("outcome",), "outcome"),
    "stats.sensitivity": Layout(("outcome", "visit", "analysis"), "outcome"),
    "stats.between_arms": Layout(("outcome", "visit"), "outcome", "arm"),
    "stats.responder_arms": Layout(("responder", "visit", "denominator"), "responder", "arm"),
    "stats.planning": Layout(("design", "variable", "visit", "assumption", "target_power"), "variable", None),
    "stats.characteristics": Layout(("variable", "level"), "variable"),
}
"""Result tables in the order of the ARD."""


def analysis_id(table: str, layout: Layout) -> pl.Expr:
    """``table/part/part``; an absent part is ``-``."""
    parts = [pl.col(name).cast(pl.String).fill_null("-") for name in layout.analysis]
    return pl.concat_str([pl.lit(table.split(".")[1]), *parts], separator="/").alias("analysis_id")


def results(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every statistic of the given tables.

    Args:
        tables: Frames by the names of ``LAYOUTS``.

    Returns:
        The columns of ``ARD_SCHEMA``. ``stat_value`` is the number, ``stat_text`` the same as exact text, or
        the text of a statistic that is none; both are null where the statistic is.
    """
    long = [_long(table, frame, LAYOUTS[table]) for table, frame in tables.items()]
    return pl.concat([pl.DataFrame(schema=ARD_SCHEMA), *long])


def _long(table: str, frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    taken = {*layout.analysis, layout.group, "engine_version"}
    statistics = [name for name in frame.columns if name not in taken and not name.startswith("_")]
    shared = frame.select(
        analysis_id(table, layout),
        (pl.col(layout.group).cast(pl.String) if layout.group else pl.lit(None, dtype=pl.String)).alias(
            "group"
        ),
        pl.col(layout.variable).alias("variable"),
        *(pl.col(name) if name in frame.columns else pl.lit(None).alias(name) for name in ("method", "n")),
        pl.lit(table).alias("source_table"),
        pl.when(pl.col("_row_ids").list.len() <= MOST_ROW_IDS)
        .then("_row_ids")
        .otherwise(pl.lit([], dtype=pl.List(pl.String)))
        .alias("_row_ids"),
    )
    arms = [
        shared.with_columns(
            pl.lit(name).alias("stat_name"),
            (frame[name].cast(pl.Float64) if frame[name].dtype.is_numeric() else pl.lit(None)).alias(
                "stat_value"
            ),
            frame[name].cast(pl.String).alias("stat_text"),
        )
        for name in statistics
    ]
    columns = [pl.col(name).cast(dtype) for name, dtype in ARD_SCHEMA.items()]
    return pl.concat([arm.select(columns) for arm in arms]) if arms else pl.DataFrame(schema=ARD_SCHEMA)


def differing(ard: pl.DataFrame, printed: pl.DataFrame, table: str) -> pl.DataFrame:
    """The filled cells of a printed table that are not the statistic of that name in the ARD.

    Args:
        ard: Rows of ``stats.ard``.
        printed: A table with the key columns of the result table that it prints.
        table: That result table.

    Returns:
        analysis_id, group, stat_name of each cell that differs or that the ARD lacks.
    """
    layout = LAYOUTS[table]
    own = ard.filter(pl.col("source_table") == table)
    named = set(own["stat_name"].unique().to_list())
    cells = _long(
        table, printed.select([c for c in printed.columns if c in named or c in _keys(layout)]), layout
    )
    cells = cells.filter(pl.col("stat_text").is_not_null())
    joined = cells.join(own, on=ARD_KEY, how="left", nulls_equal=True, suffix="_ard")
    wrong = joined.filter(
        pl.col("source_table_ard").is_null()
        | pl.col("stat_value").ne_missing(pl.col("stat_value_ard"))
        | (pl.col("stat_value").is_null() & pl.col("stat_text").ne_missing(pl.col("stat_text_ard")))
    )
    return wrong.select(ARD_KEY)


def _keys(layout: Layout) -> set[str]:
    return {*layout.analysis, *([layout.group] if layout.group else []), "_row_ids"}
