"""The table ``stats.sensitivity``: every comparison again, under every other way to treat zeros and holes.

Belongs here: which analyses there are and what their rows say. Does not belong here: how holes are filled
(``imputation``), the tests themselves, the mixed model (``mixed_panel``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics import imputation as fill
from fm_platform.statistics import sources as by
from fm_platform.statistics.hodges_lehmann import hodges_lehmann
from fm_platform.statistics.imputation import Fill, Filled, Range
from fm_platform.statistics.integers import Ints, median, shown
from fm_platform.statistics.mixed_panel import mixed_model
from fm_platform.statistics.panel import Panel, Panels
from fm_platform.statistics.sign_tests import sign_test, smallest_p
from fm_platform.statistics.signed_rank import Zero, signed_rank
from fm_platform.warehouse.table import Table, count, direct, number, points, probability, share, text

MOST_LEFT_OUT = 300
"""Leaving out one patient is for small series; above this many the row says that it was not done."""

_WHO = (*by.ALL_SCORED, *by.SCORE_ROWS)
_COMPLETE = (*by.SCORED, *_WHO)
_FILLED = (*_COMPLETE, *direct(by.OUTCOMES, "range_low", "range_high"), *by.BETTER, *by.IN_ORDER)

SENSITIVITY = Table(
    "stats.sensitivity",
    "Every comparison with baseline again, under every other way to treat zeros and missing values.",
    key=("outcome", "visit", "stratum", "analysis"),
    reads=(by.SCORES, by.PEOPLE, by.OUTCOMES, by.VISITS),
    columns=(
        text("outcome", "The outcome", by.OF_OUTCOME, _WHO),
        text("visit", "The visit that is compared with baseline", by.OF_VISIT, _WHO),
        text("stratum", "The stratum; null for all subjects", by.OF_STRATUM, _WHO),
        text(
            "analysis",
            "complete_pairs, pratt, sign_test, locf, bocf, best_case, worst_case, leave_one_out or mixed_model",
            _WHO,
        ),
        text("assumption", "What this analysis takes missing values or zeros to be, in words", _WHO),
        count("n", "Pairs that enter; mixed_model: subjects", _WHO),
        count("n_imputed", "Pairs with a value filled in", _WHO, by.IN_ORDER),
        count("n_zero", "Pairs without change", _FILLED),
        count("n_eff", "Pairs that carry a sign", _FILLED),
        points("median_change", "Median of later value minus baseline", _FILLED),
        points("hl_estimate", "Hodges-Lehmann estimate of the change", _FILLED),
        points("hl_low", "Lower end of its exact confidence interval", _FILLED),
        points("hl_high", "Upper end of that interval", _FILLED),
        share("hl_level", "Confidence level that the interval achieves", _WHO),
        points("mean_change", "mixed_model: estimated mean of later value minus baseline", _COMPLETE),
        points("mean_low", "mixed_model: lower end of its 95 % confidence interval", _COMPLETE),
        points("mean_high", "mixed_model: upper end of that interval", _COMPLETE),
        number("mean_df", "mixed_model: Satterthwaite's degrees of freedom", _COMPLETE),
        probability("p_value", "Two-sided p-value under the assumption", _FILLED),
        probability("p_floor", "The smallest p-value that n_eff subjects can give", _FILLED),
        points("estimate_min", "leave_one_out: smallest Hodges-Lehmann estimate", _COMPLETE),
        points("estimate_max", "leave_one_out: largest Hodges-Lehmann estimate", _COMPLETE),
        probability("p_min", "leave_one_out: smallest p-value", _COMPLETE),
        probability("p_max", "leave_one_out: largest p-value", _COMPLETE),
        text("method", "How it was computed", _FILLED),
        text("note", "Why something is null, or at the edge of what can be estimated", _FILLED),
        by.VERSION,
    ),
)


@dataclass(frozen=True)
class Analysis:
    """One way to analyse, with its assumption in words."""

    id: str
    assumption: str
    fill: Fill = fill.complete_pairs
    zero: Zero = "wilcox"


SIGNED_RANK = (
    Analysis("complete_pairs", "missing values are left out; as in stats.symptom_change"),
    Analysis("pratt", "zeros keep their rank", zero="pratt"),
    Analysis("locf", "a missing later value is the last one before it", fill.last_carried),
    Analysis("bocf", "a missing later value is the baseline's", fill.baseline_carried),
    Analysis("best_case", "missing values are the most favourable of the scale", fill.most_favourable),
    Analysis("worst_case", "missing values are the least favourable of the scale", fill.least_favourable),
)
SIGN_TEST = Analysis("sign_test", "only directions count")
LEAVE_ONE_OUT = Analysis("leave_one_out", "one patient at a time is left out of the complete pairs")
MIXED_MODEL = Analysis(
    "mixed_model", "values are missing at random, given the subject's values at other visits"
)


def sensitivity(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame
) -> pl.DataFrame:
    """Repeat every comparison with baseline under other assumptions.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.

    Returns:
        The columns of ``SENSITIVITY``. ``estimate_min`` to ``p_max`` are the range over the patients
        left out, in the leave_one_out rows. The two estimates of best_case and worst_case enclose that of any
        values the missing ones may have had; their p-values are those of the filled data, not bounds. Strata with
        at least 12 subjects that have a baseline and a later value also have mixed_model rows, in which n
        counts these subjects.
    """
    panels = Panels(scores, participants, visits)
    rows: list[dict[str, Any]] = []
    for outcome in outcomes.sort("position").iter_rows(named=True):
        scale = Range(
            Fraction(str(outcome["range_low"])), Fraction(str(outcome["range_high"])), outcome["better"]
        )
        made = [list(_panel_rows(panel, scale)) for panel in panels.of(outcome["outcome_id"])]
        for of_one_visit in zip(*made, strict=True):
            rows += [row for group in of_one_visit for row in group]
    return SENSITIVITY.frame(rows)


def _panel_rows(panel: Panel, scale: Range) -> Iterator[list[dict[str, Any]]]:
    """The rows of each later visit."""
    modelled = mixed_model(panel)
    for visit in panel.later:
        complete = fill.complete_pairs(panel, visit, scale)
        rows = []
        for analysis in SIGNED_RANK:
            filled = analysis.fill(panel, visit, scale)
            rows.append(_row(panel, visit, analysis, filled, _signed_rank(filled, analysis.zero)))
        rows.append(_row(panel, visit, SIGN_TEST, complete, _sign_test(complete)))
        rows.append(_row(panel, visit, LEAVE_ONE_OUT, complete, _leave_one_out(complete)))
        if modelled is not None:
            rows.append(_row(panel, visit, MIXED_MODEL, modelled.data, modelled.says(visit)))
        yield rows


def _row(
    panel: Panel, visit: int, analysis: Analysis, filled: Filled, found: dict[str, Any]
) -> dict[str, Any]:
    n = len(filled.base)
    return SENSITIVITY.row(
        outcome=panel.outcome,
        visit=panel.visits[visit],
        stratum=panel.stratum,
        analysis=analysis.id,
        assumption=analysis.assumption,
        n=n,
        n_imputed=filled.n_imputed,
        engine_version=ENGINE_VERSION,
        **(found if n else {"method": "none", "note": "no pairs"}),
    )


def _signed_rank(filled: Filled, zero: Zero) -> dict[str, Any]:
    changes = filled.post - filled.base
    if not len(changes):
        return {}
    test, location = signed_rank(changes, zero), hodges_lehmann(changes)
    return {
        "n_zero": test.n_zero,
        "n_eff": test.n_eff,
        "median_change": shown(median(changes), filled.scale),
        "hl_estimate": shown(location.estimate, filled.scale),
        "hl_low": shown(location.low, filled.scale),
        "hl_high": shown(location.high, filled.scale),
        "hl_level": shown(location.level),
        "p_value": shown(test.p_value),
        "p_floor": shown(test.p_floor),
        "method": f"{test.method}; Hodges-Lehmann, zeros kept",
        "note": None if test.n_eff else "no change observed",
    }


def _sign_test(filled: Filled) -> dict[str, Any]:
    changes = filled.post - filled.base
    n_eff = int((changes != 0).sum())
    return {
        "n_zero": len(changes) - n_eff,
        "n_eff": n_eff,
        "median_change": shown(median(changes), filled.scale),
        "p_value": shown(sign_test(changes)),
        "p_floor": shown(smallest_p(n_eff)),
        "method": "sign test, exact, zeros dropped",
        "note": None if n_eff else "no change observed",
    }


def _leave_one_out(filled: Filled) -> dict[str, Any]:
    changes = filled.post - filled.base
    if not 2 <= len(changes) <= MOST_LEFT_OUT:
        few = len(changes) < 2
        return {"method": "none", "note": "one pair" if few else f"not done above {MOST_LEFT_OUT} pairs"}
    # Leaving out either of two equal changes is the same data set.
    rest = [np.delete(changes, at) for at in np.unique(changes, return_index=True)[1]]
    estimates = [_estimate(left) for left in rest]
    p_values = [signed_rank(left).p_value for left in rest]
    return {
        "estimate_min": shown(min(estimates), filled.scale),
        "estimate_max": shown(max(estimates), filled.scale),
        "p_min": shown(min(p_values)),
        "p_max": shown(max(p_values)),
        "method": "range of the Hodges-Lehmann estimate and of the signed-rank p, leaving out one patient",
    }


def _estimate(changes: Ints) -> Fraction:
    estimate = hodges_lehmann(changes).estimate
    assert estimate is not None
    return estimate
