"""Tables read off scores: criteria verdicts and severity labels of every visit.

Belongs here: frames in, frames out, vectorised. Does not belong here: the rules of the criteria
(``criteria``), the bands (instrument files), scoring.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.instruments.criteria import Bounds, Version, criteria_verdict
from fm_platform.instruments.model import BandScheme, Instrument

VERSIONS: tuple[Version, ...] = ("2010", "2011", "2016")
DURATION = "duration_3_months"
_BOUNDS = {"wpi": "wpi", "sss": "sss", "regions": "n_regions"}

CRITERIA_SCHEMA: dict[str, pl.DataType] = {
    "subject_id": pl.String(),
    "visit_id": pl.String(),
    "version": pl.String(),
    "verdict": pl.String(),
    "undecided_by": pl.String(),
    "wpi_low": pl.Int64(),
    "wpi_high": pl.Int64(),
    "sss_low": pl.Int64(),
    "sss_high": pl.Int64(),
    "regions_low": pl.Int64(),
    "regions_high": pl.Int64(),
    "three_months": pl.Boolean(),
}
"""The columns of ``marts.criteria``; its key is subject_id, visit_id, version."""

BAND_SCHEMA: dict[str, pl.DataType] = {
    "subject_id": pl.String(),
    "visit_id": pl.String(),
    "score_id": pl.String(),
    "scheme": pl.String(),
    "band": pl.String(),
    "band_position": pl.Int32(),
    "value": pl.Float64(),
    "citation": pl.String(),
}
"""The columns of ``marts.severity_bands``; its key is subject_id, visit_id, score_id, scheme."""


def carries_criteria(instrument: Instrument) -> bool:
    """Whether an instrument has the bounds that the fibromyalgia criteria are judged from."""
    needed = {f"{score}_{end}" for score in _BOUNDS.values() for end in ("min", "max")}
    return needed <= {score.id for score in instrument.scores}


def criteria_table(
    scores: pl.DataFrame, answers: pl.DataFrame, instruments: Sequence[Instrument]
) -> pl.DataFrame:
    """Judge every visit at which a criteria questionnaire was given, by every version of the criteria.

    Args:
        scores: Rows of ``staging.stg_instrument_scores``.
        answers: Rows of ``staging.stg_answers``, for the duration of symptoms.
        instruments: The study's instruments; those without the criteria's bounds give no rows.

    Returns:
        The columns of ``CRITERIA_SCHEMA``. ``undecided_by`` names what is not fully known where the verdict
        is indeterminate.
    """
    frames = [pl.DataFrame(schema=CRITERIA_SCHEMA)]
    for instrument in instruments:
        if carries_criteria(instrument):
            frames += _judged(_bounds(scores, answers, instrument))
    return pl.concat(frames)


def _bounds(scores: pl.DataFrame, answers: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """One row a visit: bounds of the three numbers, the duration and the rows behind them."""
    own = scores.filter(pl.col("instrument") == instrument.id)
    frame = own.filter(pl.col("score_id") == f"{instrument.id}.wpi_min").select("subject_id", "visit_id")
    for name, score in _BOUNDS.items():
        for side, end in (("low", "min"), ("high", "max")):
            values = own.filter(pl.col("score_id") == f"{instrument.id}.{score}_{end}").select(
                "subject_id", "visit_id", pl.col("value_exact").alias(f"{name}_{side}")
            )
            frame = frame.join(values, on=["subject_id", "visit_id"])
    duration = answers.filter((pl.col("instrument") == instrument.id) & (pl.col("item") == DURATION)).select(
        "subject_id", "visit_id", three_months=pl.col("answer") > 0
    )
    return frame.join(duration, on=["subject_id", "visit_id"], how="left")


def _judged(bounds: pl.DataFrame) -> list[pl.DataFrame]:
    known = [name for name in CRITERIA_SCHEMA if name.endswith(("_low", "_high"))] + ["three_months"]
    cases = bounds.select(known).unique(maintain_order=True)
    frames = []
    for version in VERSIONS:
        found = [_verdict(row, version) for row in cases.iter_rows(named=True)]
        judged = cases.with_columns(
            pl.Series("verdict", [verdict for verdict, _ in found], dtype=pl.String),
            pl.Series("undecided_by", [why for _, why in found], dtype=pl.String),
            pl.lit(version).alias("version"),
        )
        joined = bounds.join(judged, on=known, nulls_equal=True)
        frames.append(joined.select([pl.col(name).cast(kind) for name, kind in CRITERIA_SCHEMA.items()]))
    return frames


def _verdict(row: dict[str, int | bool | None], version: Version) -> tuple[str, str | None]:
    bounds = {name: Bounds(int(row[f"{name}_low"] or 0), int(row[f"{name}_high"] or 0)) for name in _BOUNDS}
    three_months = row["three_months"]
    verdict = criteria_verdict(
        bounds["wpi"],
        bounds["sss"],
        bounds["regions"],
        None if three_months is None else bool(three_months),
        version=version,
    )
    if verdict.value != "indeterminate":
        return verdict.value, None
    unknown = [name for name, bound in bounds.items() if bound.low != bound.high]
    unknown = [name for name in unknown if name != "regions" or version == "2016"]
    return verdict.value, ", ".join([*unknown, *(["duration"] if three_months is None else [])])


def band_table(scores: pl.DataFrame, instruments: Sequence[Instrument]) -> pl.DataFrame:
    """The severity label of every score that has published bands, by every scheme.

    Args:
        scores: Rows of ``staging.stg_instrument_scores``; those without a value give no row.
        instruments: The study's instruments.

    Returns:
        The columns of ``BAND_SCHEMA``. Bands are read on the unrounded value, upper ends inclusive.
    """
    frames = [pl.DataFrame(schema=BAND_SCHEMA)]
    valued = scores.filter(pl.col("value_exact").is_not_null())
    for instrument in instruments:
        for scheme in instrument.bands:
            own = valued.filter(pl.col("score_id") == f"{instrument.id}.{scheme.score}")
            frames.append(_labelled(own, scheme))
    return pl.concat(frames)


def _labelled(scores: pl.DataFrame, scheme: BandScheme) -> pl.DataFrame:
    position = pl.lit(None, dtype=pl.Int32)
    for place in range(len(scheme.bands), 0, -1):
        upper = scheme.bands[place - 1].upper
        within = pl.col("value_exact") * upper.denominator <= pl.col("value_scale") * upper.numerator
        position = pl.when(within).then(pl.lit(place, dtype=pl.Int32)).otherwise(position)
    labels = {place: band.label for place, band in enumerate(scheme.bands, start=1)}
    return (
        scores.with_columns(
            position.alias("band_position"),
            pl.lit(scheme.scheme).alias("scheme"),
            pl.lit(scheme.citation).alias("citation"),
        )
        .with_columns(pl.col("band_position").replace_strict(labels, return_dtype=pl.String).alias("band"))
        .select([pl.col(name).cast(kind) for name, kind in BAND_SCHEMA.items()])
    )
