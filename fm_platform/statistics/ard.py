"""Analysis results data: every statistic of every analysis as a row of its own.

Belongs here: turning result tables from wide to long, and finding a statistic again. Does not belong here:
computing anything, printing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fm_platform.statistics.arms import BETWEEN_ARMS
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.statistics.omnibus import FRIEDMAN
from fm_platform.statistics.planning import PLANNING
from fm_platform.statistics.responder_arms import RESPONDER_ARMS
from fm_platform.statistics.responder_tables import MCNEMAR, RATES
from fm_platform.statistics.responders import RESPONDER_COUNTS
from fm_platform.statistics.sensitivity import SENSITIVITY
from fm_platform.warehouse.records import Column
from fm_platform.warehouse.table import Table, count, number, text

RESULTS: Mapping[str, Table] = {
    table.name: table
    for table in (
        SYMPTOM_CHANGE,
        RESPONDER_COUNTS,
        RATES,
        MCNEMAR,
        FRIEDMAN,
        SENSITIVITY,
        BETWEEN_ARMS,
        RESPONDER_ARMS,
        PLANNING,
    )
}
"""The result tables that are gathered, in order."""
CHARACTERISTICS = "stats.characteristics"
"""What describes participants; it has no table of its own in ``stats``."""

ARD = "stats.ard"
ARD_KEY = ("analysis_id", "group", "stat_name")
ARD_COLUMNS: tuple[Column, ...] = (
    text("analysis_id", "The analysis: its result table and key, with / between"),
    text("group", "Stratum or arm; null for all subjects"),
    text("variable", "What was analysed"),
    text(
        "stat_name",
        "The statistic: the column's name in its result table",
        constant="the names of the statistics in code",
    ),
    number("stat_value", "The number; null for texts"),
    text("stat_text", "The number as exact text, or the text"),
    text("method", "How it was computed"),
    count("n", "Subjects behind it"),
    text("source_table", "The result table that it comes from", constant="the names of the tables gathered"),
)
_SCHEMA = Table(ARD, "", ARD_KEY, (), ARD_COLUMNS).schema


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


def _layout(table: Table) -> Layout:
    group = next((name for name in ("stratum", "arm") if name in table.key), None)
    analysis = tuple(name for name in table.key if name != group)
    return Layout(analysis, "variable" if "variable" in table.key else analysis[0], group)


LAYOUTS: Mapping[str, Layout] = {
    **{name: _layout(table) for name, table in RESULTS.items()},
    CHARACTERISTICS: Layout(("variable", "level"), "variable"),
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
        ``ARD_COLUMNS``. ``stat_value`` is the number, ``stat_text`` the same as exact text, or
        the text of a statistic that is none; both are null where the statistic is.
    """
    long = [_long(table, frame, LAYOUTS[table]) for table, frame in tables.items()]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *long])


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
    columns = [pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items()]
    return pl.concat([arm.select(columns) for arm in arms]) if arms else pl.DataFrame(schema=_SCHEMA)


def recalled(ard: pl.DataFrame, keys: pl.DataFrame, table: str, schema: Mapping[str, Any]) -> pl.DataFrame:
    """A result table put together again from its statistics: the look-up, cell by cell.

    Args:
        ard: Rows of ``stats.ard``.
        keys: A frame with the key columns of the result table; its rows are looked up, in their order.
        table: The result table.
        schema: The columns that are wanted, with their types.

    Returns:
        These columns, null where the ARD has nothing.
    """
    layout = LAYOUTS[table]
    names = [*layout.analysis, *([layout.group] if layout.group else [])]
    group = pl.col(layout.group).cast(pl.String) if layout.group else pl.lit(None, dtype=pl.String)
    found = keys.select(*names, analysis_id(table, layout), group.alias("_group"))
    own = ard.filter(pl.col("source_table") == table)
    for name, dtype in schema.items():
        if name in found.columns:
            continue
        value = pl.col("stat_value" if pl.Series(dtype=dtype).dtype.is_numeric() else "stat_text")
        cells = own.filter(pl.col("stat_name") == name).select(
            "analysis_id", value.cast(dtype).alias(name), _group="group"
        )
        found = found.join(
            cells, on=["analysis_id", "_group"], how="left", nulls_equal=True, maintain_order="left"
        )
    return found.select(list(schema))


def unlike(printed: pl.DataFrame, again: pl.DataFrame, key: Sequence[str]) -> dict[str, int]:
    """How many cells of each column of a printed table are not those of the table put together again.

    Args:
        printed: The table.
        again: The same, made from :func:`recalled`; it may lack rows.
        key: The key columns of both.
    """
    ours = [name for name in printed.columns if name not in key and not name.startswith("_")]
    both = printed.join(again, on=list(key), how="left", nulls_equal=True, suffix="_again")
    counts = {
        name: int(both.select(pl.col(name).ne_missing(pl.col(f"{name}_again")).sum()).item()) for name in ours
    }
    return {name: count for name, count in counts.items() if count}


def unprinted(ard: pl.DataFrame, printed: pl.DataFrame, table: str) -> int:
    """How many analyses of a result table are in the ARD, but not in the table that prints it."""
    layout = LAYOUTS[table]
    group = pl.col(layout.group).cast(pl.String) if layout.group else pl.lit(None, dtype=pl.String)
    shown = printed.select(analysis_id(table, layout), group.alias("group")).unique()
    own = ard.filter(pl.col("source_table") == table).select("analysis_id", "group").unique()
    return own.join(shown, on=["analysis_id", "group"], how="anti", nulls_equal=True).height
