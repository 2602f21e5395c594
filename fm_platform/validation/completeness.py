"""How complete the answers are, by item and planned visit.

Belongs here: counting. Does not belong here: deciding what a missing answer means (scoring, sensitivity).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.instruments.mapping import columns_of
from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study

COMPLETENESS_KEY = ("instrument", "item", "visit")
COMPLETENESS_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "item": pl.String(),
    "visit": pl.String(),
    "n_expected": pl.Int32(),
    "n_given": pl.Int32(),
    "n_answered": pl.Int32(),
    "n_missing": pl.Int32(),
    "share": pl.Float64(),
}


def completeness(
    study: Study,
    instruments: Sequence[Instrument],
    answers: pl.DataFrame,
    visits: pl.DataFrame,
    subjects: pl.DataFrame,
) -> pl.DataFrame:
    """Count answers.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        answers: ``staging.stg_answers``.
        visits: ``staging.stg_visits``; a visit with a reason for missing counts as not given.
        subjects: ``staging.stg_subjects``; those in the population count.

    Returns:
        One row for each item and planned visit, with the columns of ``COMPLETENESS_SCHEMA``. An optional item that
        nobody answered was not collected and has no rows.
    """
    people = subjects.filter(pl.col("in_population")).select("subject_id")
    rows = [pl.DataFrame(schema=COMPLETENESS_SCHEMA)]
    for use, instrument in zip(study.instruments, instruments, strict=True):
        given = visits.filter((pl.col("source") == use.source) & pl.col("missing_reason").is_null())
        given = given.join(people, on="subject_id", how="semi")
        own = answers.filter(pl.col("instrument") == instrument.id).join(people, on="subject_id", how="semi")
        answered = set(own["item"])
        asked = [
            item
            for item in columns_of(use, instrument, study=study)
            if item in answered or not instrument.item(item).optional
        ]
        items = pl.DataFrame({"item": asked}, schema={"item": pl.String})
        frame = items.join(pl.DataFrame({"visit": [visit.id for visit in study.visits]}), how="cross")
        n_given = given.group_by(pl.col("visit_id").alias("visit")).agg(pl.len().alias("n_given"))
        n_answered = own.group_by("item", pl.col("visit_id").alias("visit")).agg(pl.len().alias("n_answered"))
        counted = frame.join(n_given, on="visit", how="left").join(
            n_answered, on=["item", "visit"], how="left"
        )
        counted = counted.with_columns(
            pl.lit(instrument.id).alias("instrument"),
            pl.lit(people.height).alias("n_expected"),
            pl.col("n_given", "n_answered").fill_null(0),
        ).with_columns(
            (pl.col("n_given").cast(pl.Int64) - pl.col("n_answered").cast(pl.Int64)).alias("n_missing"),
            pl.when(pl.col("n_given") > 0).then(pl.col("n_answered") / pl.col("n_given")).alias("share"),
        )
        rows.append(counted.select(pl.col(name).cast(kind) for name, kind in COMPLETENESS_SCHEMA.items()))
    return pl.concat(rows).sort(*COMPLETENESS_KEY)
