"""Samples of subjects who withdrew.

Belongs here: which samples lose their place in the analysis, and the reason. Does not belong here: clinical rows
(``validation.withdrawals``), which samples a contrast uses otherwise (``contrasts``).
"""

from __future__ import annotations

import polars as pl

_WITHDREW = "the subject withdrew"


def without_withdrawn(
    samples: pl.DataFrame, withdrawals: pl.DataFrame, visits: pl.DataFrame | None
) -> pl.DataFrame:
    """``expression.samples`` with the samples of withdrawn subjects out of the matrix: no position, but a reason.

    After a stop, a sample stays when the clinical half shows that its visit was on or before that day.

    Args:
        samples: ``expression.samples``.
        withdrawals: ``raw.withdrawals``.
        visits: ``staging.stg_visits``; None in a study without a clinical half.
    """
    listed = withdrawals.select(
        pl.col("subject").str.strip_chars().alias("subject_id"),
        pl.col("date").str.strip_chars().str.to_date("%Y-%m-%d").alias("_day"),
        pl.col("scope").str.strip_chars().alias("_scope"),
    )
    joined = samples.join(listed, on="subject_id", how="left", maintain_order="left")
    if visits is None:
        joined = joined.with_columns(pl.lit(None, pl.Date).alias("_visited"))
    else:
        days = visits.group_by("subject_id", "visit_id").agg(pl.col("visit_date").max().alias("_visited"))
        joined = joined.join(days, on=["subject_id", "visit_id"], how="left", maintain_order="left")
    before = (pl.col("_scope") == "stop") & (pl.col("_visited") <= pl.col("_day"))
    out = pl.col("_scope").is_not_null() & ~before.fill_null(False)
    reason = pl.format(_WITHDREW + " ({}, {})", "_scope", pl.col("_day").cast(pl.String))
    return (
        joined.with_columns(
            position=pl.when(out).then(None).otherwise(pl.col("position")),
            reason=pl.when(out).then(reason).otherwise(pl.col("reason")),
        )
        .select(samples.columns)
        .sort("position", nulls_last=True, maintain_order=True)
    )


def withdrawn_samples(samples: pl.DataFrame) -> pl.Series:
    """Which rows of ``expression.samples`` have no position because of a withdrawal."""
    if "reason" not in samples.columns:
        return pl.Series([False] * samples.height, dtype=pl.Boolean)
    found = samples["position"].is_null() & samples["reason"].str.starts_with(_WITHDREW)
    return found.fill_null(False)
