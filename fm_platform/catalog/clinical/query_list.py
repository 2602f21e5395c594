"""``fm queries``: the published data queries with their age and the delivered lines behind them.

Belongs here: reading them from the publication. Does not belong here: raising or resolving queries.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from fm_platform.errors import InputError
from fm_platform.validation.query_history import LINES, OPEN
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published


def query_list(home: Home, *, everything: bool = False, rule: str | None = None) -> pl.DataFrame:
    """The data queries of the publication, oldest first.

    Args:
        home: The home.
        everything: Closed queries, too.
        rule: Only this rule.

    Returns:
        The columns of ``report.data_queries`` with ``age_days`` (to today, or to the day it was closed) and
        ``lines`` (file:line of the delivered rows; of what is lost, in the newest delivery that had it).

    Raises:
        InputError: Nothing is published yet, or the study has no clinical half.
    """
    with open_published(home) as published:
        if published.query(
            "select 1 from duckdb_tables() where schema_name = 'report' and table_name = 'data_queries'"
        ).is_empty():
            raise InputError("this study has no data queries", mend="they belong to the clinical half")
        frame = published.query("select * from report.data_queries")
    absent = [name for name in (LINES, "closed_by") if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    if not everything:
        frame = frame.filter(pl.col("state").is_in(OPEN))
    if rule is not None:
        frame = frame.filter(pl.col("rule") == rule.upper())
    until = pl.coalesce("resolved_on", pl.lit(datetime.now(UTC).date()))
    age = (until - pl.col("raised_on")).dt.total_days().alias("age_days")
    lines = pl.col(LINES).alias("lines")
    order = ["query_id", "state", "rule", "subject", "event", "item", "value", "expected", "text"]
    dates = ["raised_on", "age_days", "resolved_on", "closed_by", "reopened_on", "times_reopened"]
    frame = frame.with_columns(age).select(*order, *dates, "severity", "source", lines)
    return frame.sort("raised_on", "subject", "event", "rule", "item", nulls_last=True)
