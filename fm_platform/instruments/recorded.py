"""Scores that were delivered as totals, without the answers behind them.

Belongs here: turning recorded totals into score rows that say so. Does not belong here: computing scores
(``scoring``), or totals that stand beside answers, which are only compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.instruments.scoring import KEY, SCORE_SCHEMA

NOTE = "recorded, not recomputed"
_LEAST_DECIMALS = 6


def recorded_scores(instrument: Instrument, scores: Sequence[str], measures: pl.DataFrame) -> pl.DataFrame:
    """Score rows from recorded totals.

    Args:
        instrument: The questionnaire.
        scores: Short ids of the scores that were recorded.
        measures: ``staging.stg_measures``: subject_id, visit_id, variable, value.

    Returns:
        Rows with the columns of ``SCORE_SCHEMA``, sorted by key; exact in millionths or as much finer as the
        total is written, with the note ``NOTE``.
    """
    variables = {f"{instrument.id}.{score}.recorded": f"{instrument.id}.{score}" for score in scores}
    own = measures.filter(pl.col("variable").is_in(list(variables)))
    whole, decimals = _digits(pl.col("value"))
    exact = (whole + decimals).cast(pl.Int64)
    scale = pl.lit(10, pl.Int64).pow(decimals.str.len_chars().cast(pl.Int64))
    rows = own.select(
        *KEY,
        pl.lit(instrument.id).alias("instrument"),
        pl.col("variable").replace_strict(variables, return_dtype=pl.String).alias("score_id"),
        exact.alias("value_exact"),
        scale.alias("value_scale"),
        (exact / scale).alias("value"),
        pl.lit(0).alias("n_items"),
        pl.lit(0).alias("n_missing"),
        pl.lit(False).alias("prorated"),
        pl.lit(NOTE).alias("note"),
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()).sort(*KEY, "score_id")


def _digits(value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The digits of a DECIMAL before the point, with its sign, and after it, six or more."""
    parts = value.cast(pl.String).str.split(".")
    decimals = parts.list.get(1, null_on_oob=True).fill_null("").str.strip_chars_end("0")
    return parts.list.get(0), decimals.str.pad_end(_LEAST_DECIMALS, "0")
