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
from fm_platform.statistics import sources as by
from fm_platform.statistics.integers import Ints
from fm_platform.statistics.paired import PairedData, Pairs, later_visits
from fm_platform.statistics.proportions import clopper_pearson, wilson
from fm_platform.warehouse.table import Table, count, direct, indirect, share, text

_ROWS = (*by.GROUPS, *indirect(by.RESPONDERS, "responder_id", how="JOIN"))
_WHO = (*by.PAIRS, *indirect(by.RESPONDERS, "outcome_id", how="JOIN"), *_ROWS)
_JUDGED = (*by.BASE, *_WHO)
_RESPONSE = (
    *by.PAIR_VALUES,
    *direct(by.RESPONDERS, "reduction_percent"),
    *by.BETTER,
    *by.EACH_OUTCOME,
)
_RESPONDED = (*_RESPONSE, *_WHO)
_OF_ALL = (*_RESPONSE, *by.EXPECTED, *_WHO)

RESPONDER_COUNTS = Table(
    "stats.responders",
    "Responders by definition, visit and stratum, with exact (Clopper-Pearson) intervals.",
    key=("responder", "visit", "stratum"),
    reads=(by.CHANGE, by.SCORES, by.PEOPLE, by.RESPONDERS, by.OUTCOMES, by.VISITS),
    columns=(
        text(
            "responder",
            "The responder definition",
            direct(by.RESPONDERS, "responder_id", how="IDENTITY"),
            _ROWS,
        ),
        text("visit", "The visit that is compared with baseline", by.OF_VISIT, _ROWS),
        text("stratum", "The stratum; null for all subjects", by.OF_STRATUM, _ROWS),
        count("n", "Subjects that can be judged", _JUDGED),
        count("responders", "Of these, subjects that responded", _RESPONDED),
        share("rate", "responders / n", _RESPONDED),
        share("ci_low", "Lower end of the Clopper-Pearson interval", _RESPONDED),
        share("ci_high", "Upper end of that interval", _RESPONDED),
        text("method", "Interval method and denominator", _JUDGED),
        text(
            "outcome",
            "The outcome that is judged",
            direct(by.RESPONDERS, "outcome_id", how="IDENTITY"),
            _ROWS,
        ),
        count(
            "reduction_percent",
            "Smallest improvement that counts, percent of baseline",
            direct(by.RESPONDERS, "reduction_percent", how="IDENTITY"),
            _ROWS,
        ),
        text("denominator", "Which subjects n counts", constant="the name of the denominator in code"),
        share("ci_level", "Confidence level of the intervals", _JUDGED),
        share("wilson_low", "Lower end of Wilson's interval", _RESPONDED),
        share("wilson_high", "Upper end of Wilson's interval", _RESPONDED),
        count("n_expected", "Subjects of the population in this stratum", by.EXPECTED, _ROWS),
        count("n_missing", "Subjects without one of the two values", by.EXPECTED, _WHO),
        count("n_base_zero", "Subjects whose baseline is zero, so that no percentage exists", _JUDGED),
        count("n_nri", "Subjects of the population, less n_base_zero", by.EXPECTED, _JUDGED),
        share("rate_nri", "responders / n_nri: whoever is missing counts as not responding", _OF_ALL),
        share("nri_low", "Lower end of its Clopper-Pearson interval", _OF_ALL),
        share("nri_high", "Upper end of that interval", _OF_ALL),
        text("note", "Why something is null", _JUDGED),
        by.VERSION,
    ),
)

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
        The columns of ``RESPONDER_COUNTS`` in declared order; intervals by Clopper and Pearson, with Wilson's
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
    return RESPONDER_COUNTS.frame(rows)


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
