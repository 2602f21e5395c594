"""The table ``stats.responder_status``: each subject, later visit and definition, judged.

Belongs here: who responded, who did not, who cannot be judged and why. Does not belong here: rates and tests.

Two kinds of definition: those of study.yaml (one outcome, one threshold) and the composites that instruments
bring with them. A composite is judged in three-valued logic: it has a verdict as soon as the unknown parts
could not change it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from fm_platform.instruments.model import Composite, Instrument
from fm_platform.statistics import sources as by
from fm_platform.statistics.responders import responds
from fm_platform.warehouse.table import Table, direct, flag, indirect, text

_ROWS = (*by.EACH_VISIT, *by.POPULATION, *indirect(by.RESPONDERS, "responder_id", how="JOIN"))
_JUDGED = (
    *direct(by.SCORES, "value_exact", "value_scale"),
    *direct(by.INSTRUMENT_SCORES, "value_exact", "value_scale"),
    *direct(by.RESPONDERS, "reduction_percent"),
    *by.BETTER,
    *indirect(by.SCORES, "subject_id", "visit_id", "outcome_id", how="JOIN"),
    *indirect(by.INSTRUMENT_SCORES, "subject_id", "visit_id", "score_id", how="JOIN"),
    *indirect(by.RESPONDERS, "outcome_id", how="JOIN"),
    *by.EACH_OUTCOME,
    *indirect(by.PEOPLE, "subject_id", how="JOIN"),
    *_ROWS,
)

STATUS = Table(
    "stats.responder_status",
    "Each subject, later visit and responder definition (composites of instruments included), judged.",
    key=("responder", "subject_id", "visit"),
    reads=(by.SCORES, by.INSTRUMENT_SCORES, by.PEOPLE, by.RESPONDERS, by.OUTCOMES, by.VISITS),
    columns=(
        text(
            "responder",
            "The responder definition",
            direct(by.RESPONDERS, "responder_id", how="IDENTITY"),
            _ROWS,
        ),
        text("subject_id", "The subject", direct(by.PEOPLE, "subject_id", how="IDENTITY"), _ROWS),
        text("visit", "The visit that is compared with baseline", by.OF_VISIT, _ROWS),
        text("stratum", "The subject's stratum", direct(by.PEOPLE, "stratum", how="IDENTITY"), _ROWS),
        flag("responded", "The verdict; null where the known values cannot decide it", _JUDGED),
        text("status", "responder, non-responder, value missing, or baseline is zero", _JUDGED),
        text(
            "definition",
            "The definition in words",
            direct(by.RESPONDERS, "outcome_id", "reduction_percent"),
            _ROWS,
        ),
    ),
)

RESPONDER = "responder"
NON_RESPONDER = "non-responder"
BASE_ZERO = "baseline is zero"
MISSING = "value missing"

_PAIR = ("base_exact", "base_scale", "post_exact", "post_scale")


def responder_status(
    scores: pl.DataFrame,
    instrument_scores: pl.DataFrame,
    participants: pl.DataFrame,
    definitions: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
    *,
    instruments: Sequence[Instrument] = (),
) -> pl.DataFrame:
    """Judge every subject of the population at every later visit by every definition.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        instrument_scores: Rows of ``staging.stg_instrument_scores``, for the composites.
        participants: Rows of ``marts.participants``.
        definitions: Rows of ``study.responders``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.
        instruments: The study's instruments.
    """
    planned = visits.sort("position")
    baseline = planned.filter("is_baseline")["visit_id"].to_list()
    later = planned.filter(~pl.col("is_baseline")).select(visit="visit_id")
    expected = participants.filter("in_population").select("subject_id", "stratum").join(later, how="cross")
    better = dict(outcomes.select("outcome_id", "better").iter_rows())
    frames = [STATUS.frame()]
    for row in definitions.iter_rows(named=True):
        own = scores.filter(pl.col("outcome_id") == row["outcome_id"])
        judged = _judged(_pairs(own, expected, baseline), row["reduction_percent"], better[row["outcome_id"]])
        words = f"{row['outcome_id']} improved by at least {row['reduction_percent']} % of baseline"
        frames.append(_labelled(judged, row["responder_id"], words))
    for instrument in instruments:
        for composite in instrument.composites:
            parts = list(_parts(instrument, composite, instrument_scores, expected, baseline))
            judged = _combined(parts)
            frames.append(_labelled(judged, f"{instrument.id}.{composite.id}", composite.label))
    return pl.concat(frames)


def _pairs(scores: pl.DataFrame, expected: pl.DataFrame, baseline: Sequence[str]) -> pl.DataFrame:
    """Baseline and later value of everyone expected, null where missing."""
    own = scores.filter(pl.col("value_exact").is_not_null())
    base = own.filter(pl.col("visit_id").is_in(list(baseline))).select(
        "subject_id", base_exact="value_exact", base_scale="value_scale"
    )
    post = own.select(
        "subject_id",
        visit="visit_id",
        post_exact="value_exact",
        post_scale="value_scale",
    )
    joined = expected.join(base, on="subject_id", how="left", maintain_order="left")
    joined = joined.join(post, on=["subject_id", "visit"], how="left", maintain_order="left")
    return joined


def _judged(pairs: pl.DataFrame, percent: int, better: str) -> pl.DataFrame:
    """``responded`` and ``status`` of each pair."""
    has = (pairs["base_exact"].is_not_null() & pairs["post_exact"].is_not_null()).to_numpy()
    known = pairs.filter(pl.Series(has)).select(_PAIR)
    scale = math.lcm(1, *known["base_scale"].unique().to_list(), *known["post_scale"].unique().to_list())
    base, post = (
        known[f"{side}_exact"].to_numpy() * (scale // known[f"{side}_scale"].to_numpy())
        for side in ("base", "post")
    )
    usable = base > 0
    verdict = np.full(len(has), -2)
    verdict[has] = np.where(usable, responds(base, post, percent, better), -1)
    words = {1: RESPONDER, 0: NON_RESPONDER, -1: BASE_ZERO, -2: MISSING}
    value = pl.Series("verdict", verdict)
    return pairs.drop(_PAIR).with_columns(
        responded=pl.when(value >= 0).then(value == 1),
        status=value.replace_strict(words, return_dtype=pl.String),
    )


def _parts(
    instrument: Instrument,
    composite: Composite,
    scores: pl.DataFrame,
    expected: pl.DataFrame,
    baseline: Sequence[str],
) -> Iterator[tuple[int, list[pl.DataFrame]]]:
    """For each criterion, how many of its scores must respond, and each score judged."""
    for criterion in composite.criteria:
        judged = []
        for name in criterion.scores:
            own = scores.filter(pl.col("score_id") == f"{instrument.id}.{name}")
            pairs = _pairs(own, expected, baseline)
            judged.append(_judged(pairs, criterion.reduction_percent, instrument.score(name).better))
        yield criterion.at_least, judged


def _combined(parts: Sequence[tuple[int, list[pl.DataFrame]]]) -> pl.DataFrame:
    """All criteria met, at least one surely not met, or neither known."""
    frame = parts[0][1][0].select("subject_id", "visit", "stratum")
    everything = [one for _, judged in parts for one in judged]
    met, possible = (pl.Series([True] * frame.height, dtype=pl.Boolean) for _ in range(2))
    for at_least, judged in parts:
        yes = pl.select(
            pl.sum_horizontal([one["responded"].fill_null(False).cast(pl.Int64) for one in judged])
        )
        unknown = pl.select(pl.sum_horizontal([one["responded"].is_null().cast(pl.Int64) for one in judged]))
        met &= yes.to_series() >= at_least
        possible &= yes.to_series() + unknown.to_series() >= at_least
    gap = pl.select(pl.any_horizontal([one["status"] == MISSING for one in everything])).to_series()
    return frame.with_columns(
        responded=pl.when(met).then(True).when(~possible).then(False),
        status=pl.when(met)
        .then(pl.lit(RESPONDER))
        .when(~possible)
        .then(pl.lit(NON_RESPONDER))
        .when(gap)
        .then(pl.lit(MISSING))
        .otherwise(pl.lit(BASE_ZERO)),
    )


def _labelled(judged: pl.DataFrame, responder: str, definition: str) -> pl.DataFrame:
    return judged.with_columns(responder=pl.lit(responder), definition=pl.lit(definition)).select(
        [pl.col(name).cast(dtype) for name, dtype in STATUS.schema.items()]
    )
