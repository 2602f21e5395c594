"""The table ``stats.responders``: who improved by a declared share of baseline.

Belongs here: the responder rule in whole numbers and the table's rows. Does not belong here: interval
formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.integers import Ints
from fm_platform.statistics.paired import PairedData, Pairs, later_visits
from fm_platform.statistics.proportions import clopper_pearson, wilson

RESPONDER_SCHEMA: dict[str, pl.DataType] = {
    "responder": pl.String(),
    "visit": pl.String(),
    "stratum": pl.String(),
    "n": pl.Int64(),
    "responders": pl.Int64(),
    "rate": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "method": pl.String(),
    "outcome": pl.String(),
    "reduction_percent": pl.Int64(),
    "denominator": pl.String(),
    "ci_level": pl.Float64(),
    "wilson_low": pl.Float64(),
    "wilson_high": pl.Float64(),
    "n_expected": pl.Int64(),
    "n_missing": pl.Int64(),
    "n_base_zero": pl.Int64(),
    "n_nri": pl.Int64(),
    "rate_nri": pl.Float64(),
    "nri_low": pl.Float64(),
    "nri_high": pl.Float64(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.responders``; its key is responder, visit, stratum."""

LEVEL = 0.95
OBSERVED_CASES = "observed cases"


def responds(base: Ints, post: Ints, percent: int, better: str) -> npt.NDArray[np.bool_]:
    """Whether each subject improved by at least ``percent`` of baseline.

    Whole numbers only: 7 to 4.9 is exactly 30 % and counts, which floats get wrong.

    Args:
        base: Positive baseline values.
        post: The later values of the same subjects, on the same scale.
        percent: The least improvement, in percent of baseline.
        better: ``lower`` or ``higher``: which way is improvement.
    """
    improvement = base - post if better == "lower" else post - base
    # percent / 100 of base, rounded up; in two parts so that no product overflows
    needed = percent * (base // 100) - (-percent * (base % 100)) // 100
    return improvement >= needed


def responders(
    change: pl.DataFrame,
    scores: pl.DataFrame,
    participants: pl.DataFrame,
    responders: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
) -> pl.DataFrame:
    """Count responders at every later visit, over all subjects and in each stratum.

    The denominator is observed cases: subjects of the population with both values and a baseline above zero
    (a share of zero is undefined; such pairs are counted in ``n_base_zero``). Beside it stands the rate of
    all expected subjects but those, with whoever is missing counted as not responding.

    Args:
        change: Rows of ``marts.symptom_change``.
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        responders: Rows of ``study.responders``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.

    Returns:
        The columns of ``RESPONDER_SCHEMA`` in declared order; intervals by Clopper and Pearson, with Wilson's
        beside.
    """
    data = PairedData(change, scores, participants, visits)
    better = dict(outcomes.select("outcome_id", "better").iter_rows())
    order = dict(outcomes.select("outcome_id", "position").iter_rows())
    declared = sorted(
        responders.iter_rows(named=True), key=lambda row: (order[row["outcome_id"]], row["responder_id"])
    )
    rows = [
        _row(definition, better[definition["outcome_id"]], pairs)
        for definition in declared
        for visit in later_visits(visits)
        for pairs in data.of(definition["outcome_id"], visit)
    ]
    return pl.DataFrame(rows, schema=RESPONDER_SCHEMA)


def _row(definition: dict[str, Any], better: str, pairs: Pairs) -> dict[str, Any]:
    usable = pairs.base > 0
    n = int(usable.sum())
    percent = int(definition["reduction_percent"])
    count = int(responds(pairs.base[usable], pairs.post[usable], percent, better).sum())
    exact, score = clopper_pearson(count, n, LEVEL), wilson(count, n, LEVEL)
    n_nri = pairs.n_expected - (len(usable) - n)
    imputed = clopper_pearson(count, n_nri, LEVEL)
    return {
        "responder": definition["responder_id"],
        "visit": pairs.visit,
        "stratum": pairs.stratum,
        "n": n,
        "responders": count,
        "rate": count / n if n else None,
        "ci_low": exact.low,
        "ci_high": exact.high,
        "method": "Clopper-Pearson" if n else "none",
        "outcome": pairs.outcome,
        "reduction_percent": percent,
        "denominator": OBSERVED_CASES,
        "ci_level": LEVEL if n else None,
        "wilson_low": score.low,
        "wilson_high": score.high,
        "n_expected": pairs.n_expected,
        "n_missing": pairs.n_missing,
        "n_base_zero": len(usable) - n,
        "n_nri": n_nri,
        "rate_nri": count / n_nri if n_nri else None,
        "nri_low": imputed.low,
        "nri_high": imputed.high,
        "note": None if n else "no complete pairs" if not len(usable) else "every baseline is zero",
        "engine_version": ENGINE_VERSION,
    }
