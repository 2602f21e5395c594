"""The table ``stats.symptom_change``: exact paired comparison of every outcome with baseline.

Belongs here: which rows the table has and what each column is made of. Does not belong here: the methods
themselves.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics import sources as by
from fm_platform.statistics.effect_size import directions, rank_biserial
from fm_platform.statistics.hodges_lehmann import hodges_lehmann
from fm_platform.statistics.integers import median, shown
from fm_platform.statistics.multiplicity import HOLM_FLOOR, adjust_families
from fm_platform.statistics.paired import PairedData, Pairs, later_visits
from fm_platform.statistics.signed_rank import signed_rank
from fm_platform.warehouse.table import Table, count, number, points, probability, share, text

_ROWS = (*by.GROUPS, *by.EACH_OUTCOME)
_WHO = (*by.PAIRS, *_ROWS)
_TESTED = (*by.PAIR_VALUES, *_WHO)
_ADJUSTED = (*by.PAIR_VALUES, *by.FAMILY, *_WHO)
_DIRECTION = (*by.PAIR_VALUES, *by.BETTER, *_WHO)

SYMPTOM_CHANGE = Table(
    "stats.symptom_change",
    "Exact paired tests of every outcome against baseline, one row an outcome, visit and stratum.",
    key=("outcome", "visit", "stratum"),
    reads=(by.CHANGE, by.SCORES, by.PEOPLE, by.OUTCOMES, by.VISITS),
    columns=(
        text("outcome", "The outcome", by.OF_OUTCOME, _ROWS),
        text("visit", "The visit that is compared with baseline", by.OF_VISIT, _ROWS),
        text("stratum", "The stratum; null for all subjects", by.OF_STRATUM, _ROWS),
        count("n", "Subjects with a value at both visits", _WHO),
        count("n_missing", "Subjects of the population without one of the two values", by.EXPECTED, _WHO),
        count("n_zero", "Subjects without any change", _TESTED),
        count("n_eff", "Subjects that the signed-rank test ranks (n less n_zero)", _TESTED),
        points("median_baseline", "Median at baseline, of the n subjects", by.BASE, _WHO),
        points("median_change", "Median of later value minus baseline", _TESTED),
        points("hl_estimate", "Hodges-Lehmann estimate of the change, zeros kept", _TESTED),
        points(
            "hl_low",
            "Lower end of its exact confidence interval; null where no 95 % interval exists",
            _TESTED,
        ),
        points("hl_high", "Upper end of that interval", _TESTED),
        share("hl_level", "Confidence level that the interval achieves", _WHO),
        number("w_plus", "Rank sum of increases", _TESTED),
        number("w_minus", "Rank sum of decreases", _TESTED),
        probability("p_value", "Exact two-sided p-value of the signed-rank test", _TESTED),
        probability("p_floor", "The smallest p-value that n_eff subjects can give", _TESTED),
        probability(
            "p_holm",
            "p_value adjusted by Holm within its family; null outside families and in strata",
            _ADJUSTED,
        ),
        probability(
            "p_bh", "p_value adjusted by Benjamini and Hochberg within its family, exploratory", _ADJUSTED
        ),
        number(
            "rank_biserial",
            "Matched-pairs rank-biserial correlation; -1 means that all values fell",
            _TESTED,
            written="0.01",
        ),
        text("method", "Test, treatment of zeros, estimate", _TESTED),
        count("n_expected", "Subjects of the population in this stratum", by.EXPECTED, _ROWS),
        count("improved", "Subjects that improved", _DIRECTION),
        count("unchanged", "Subjects that did not change", _TESTED),
        count("worsened", "Subjects that got worse", _DIRECTION),
        count("n_tied_groups", "Groups of equal absolute changes", _TESTED),
        count("p_num", "Numerator of p_value", _TESTED),
        count("p_den", "Denominator of p_value", _TESTED),
        text("family", "The family of tests that p_holm is adjusted over", by.OF_FAMILY, _ROWS),
        count("family_size", "Tests in that family", by.FAMILY, _ROWS),
        probability(HOLM_FLOOR, "The smallest p_holm that the design can give", _ADJUSTED),
        text("note", "Why something is null", _TESTED),
        by.VERSION,
    ),
)


def symptom_change(
    change: pl.DataFrame,
    scores: pl.DataFrame,
    participants: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
) -> pl.DataFrame:
    """Compare every outcome with baseline at every later visit, over all subjects and in each stratum.

    Only subjects of the population count. A declared visit without data has rows with n = 0 and nulls. Holm's
    adjustment runs over the tests of a family (outcomes times later visits) in the rows over all subjects;
    every declared test counts in its size. Benjamini and Hochberg's stands beside it, exploratory. Strata are
    described, not adjusted.

    Args:
        change: Rows of ``marts.symptom_change``.
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.

    Returns:
        The columns of ``SYMPTOM_CHANGE``, by outcome and visit in their declared order, all subjects before
        strata. Values in the outcome's own unit.
    """
    data = PairedData(change, scores, participants, visits)
    rows: list[dict[str, Any]] = []
    p_values: list[tuple[str | None, Fraction | None, Fraction | None]] = []
    for outcome in outcomes.sort("position").iter_rows(named=True):
        for visit in later_visits(visits):
            for pairs in data.of(outcome["outcome_id"], visit):
                row, p_value, p_floor = _row(pairs, outcome["better"])
                rows.append(row)
                p_values.append((outcome["family"] if pairs.stratum is None else None, p_value, p_floor))
    adjust_families(rows, p_values)
    return SYMPTOM_CHANGE.frame(rows)


def _row(pairs: Pairs, better: Any) -> tuple[dict[str, Any], Fraction | None, Fraction | None]:
    changes = pairs.post - pairs.base
    n = len(changes)
    row = SYMPTOM_CHANGE.row(
        outcome=pairs.outcome,
        visit=pairs.visit,
        stratum=pairs.stratum,
        n=n,
        n_missing=pairs.n_missing,
        n_expected=pairs.n_expected,
        engine_version=ENGINE_VERSION,
    )
    if n == 0:
        row |= {"n_zero": 0, "n_eff": 0, "improved": 0, "unchanged": 0, "worsened": 0}
        row |= {"n_tied_groups": 0, "method": "none", "note": "no complete pairs"}
        return row, None, None
    test, location = signed_rank(changes), hodges_lehmann(changes)
    row |= vars(directions(changes, better))
    row |= {
        "n_zero": test.n_zero,
        "n_eff": test.n_eff,
        "n_tied_groups": test.n_tied_groups,
        "median_baseline": shown(median(pairs.base), pairs.scale),
        "median_change": shown(median(changes), pairs.scale),
        "hl_estimate": shown(location.estimate, pairs.scale),
        "hl_low": shown(location.low, pairs.scale),
        "hl_high": shown(location.high, pairs.scale),
        "hl_level": shown(location.level),
        "w_plus": shown(test.w_plus),
        "w_minus": shown(test.w_minus),
        "p_value": shown(test.p_value),
        "p_floor": shown(test.p_floor),
        "p_num": test.p_num,
        "p_den": test.p_den,
        "rank_biserial": shown(rank_biserial(test)),
        "method": f"{test.method}; Hodges-Lehmann, zeros kept",
        "note": _note(test.n_eff, location.level),
    }
    return row, test.p_value, test.p_floor


def _note(n_eff: int, level: Fraction | None) -> str | None:
    notes = []
    if n_eff == 0:
        notes.append("no change observed")
    if level is None:
        notes.append("no 95 % interval exists at this n")
    return "; ".join(notes) or None
