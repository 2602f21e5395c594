"""The table ``stats.symptom_change``: exact paired comparison of every outcome with baseline.

Belongs here: which rows the table has and what each column is made of. Does not belong here: the methods
themselves.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.effect_size import directions, rank_biserial
from fm_platform.statistics.hodges_lehmann import hodges_lehmann
from fm_platform.statistics.integers import median, shown
from fm_platform.statistics.multiplicity import adjust_families
from fm_platform.statistics.paired import PairedData, Pairs, later_visits
from fm_platform.statistics.signed_rank import signed_rank

CHANGE_SCHEMA: dict[str, pl.DataType] = {
    "outcome": pl.String(),
    "visit": pl.String(),
    "stratum": pl.String(),
    "n": pl.Int64(),
    "n_missing": pl.Int64(),
    "n_zero": pl.Int64(),
    "n_eff": pl.Int64(),
    "median_baseline": pl.Float64(),
    "median_change": pl.Float64(),
    "hl_estimate": pl.Float64(),
    "hl_low": pl.Float64(),
    "hl_high": pl.Float64(),
    "hl_level": pl.Float64(),
    "w_plus": pl.Float64(),
    "w_minus": pl.Float64(),
    "p_value": pl.Float64(),
    "p_floor": pl.Float64(),
    "p_holm": pl.Float64(),
    "p_bh": pl.Float64(),
    "rank_biserial": pl.Float64(),
    "method": pl.String(),
    "n_expected": pl.Int64(),
    "improved": pl.Int64(),
    "unchanged": pl.Int64(),
    "worsened": pl.Int64(),
    "n_tied_groups": pl.Int64(),
    "p_num": pl.Int64(),
    "p_den": pl.Int64(),
    "family": pl.String(),
    "family_size": pl.Int64(),
    "holm_floor": pl.Float64(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.symptom_change``; its key is outcome, visit, stratum."""


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
        The columns of ``CHANGE_SCHEMA``, by outcome and visit in their declared order, all subjects before
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
    return pl.DataFrame(rows, schema=CHANGE_SCHEMA)


def _row(pairs: Pairs, better: Any) -> tuple[dict[str, Any], Fraction | None, Fraction | None]:
    changes = pairs.post - pairs.base
    n = len(changes)
    row: dict[str, Any] = dict.fromkeys(CHANGE_SCHEMA)
    row |= {
        "outcome": pairs.outcome,
        "visit": pairs.visit,
        "stratum": pairs.stratum,
        "n": n,
        "n_missing": pairs.n_missing,
        "n_expected": pairs.n_expected,
        "engine_version": ENGINE_VERSION,
    }
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
