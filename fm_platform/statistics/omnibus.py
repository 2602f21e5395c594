"""The table ``stats.friedman``: did an outcome differ between any of the visits?

Belongs here: who enters the test and what its row says. Does not belong here: the test (``friedman``). The
planned contrasts with baseline are the primary analysis; this is their omnibus.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics import sources as by
from fm_platform.statistics.friedman import TooLarge, friedman
from fm_platform.statistics.panel import Panel, Panels
from fm_platform.warehouse.table import Table, count, direct, number, probability, text

_WHO = (*by.ALL_SCORED, *by.SCORE_ROWS)
_RANKED = (*by.SCORED, *_WHO)

FRIEDMAN = Table(
    "stats.friedman",
    "Did an outcome differ between any visits? Exact Friedman test of the subjects with all of them.",
    key=("outcome", "stratum"),
    reads=(by.SCORES, by.PEOPLE, by.OUTCOMES, by.VISITS),
    columns=(
        text("outcome", "The outcome", by.OF_OUTCOME, by.SCORE_ROWS),
        text("stratum", "The stratum; null for all subjects", by.OF_STRATUM, by.SCORE_ROWS),
        count("n", "Subjects with a value at every one of the visits", _WHO),
        count("n_missing", "Subjects of the population without", _WHO),
        count("n_visits", "Visits compared: those at which anyone has a value", _WHO),
        text("visits", "These visits", direct(by.VISITS, "visit_id"), by.IN_ORDER, _WHO),
        number("statistic", "Friedman's Q, corrected for ties", _RANKED),
        probability("p_value", "P(Q or larger) over all within-subject permutations", _RANKED),
        text(
            "method",
            "Exact, or the chi-square approximation where the exact distribution is out of reach",
            _RANKED,
        ),
        text("note", "Why something is null", _RANKED),
        by.VERSION,
    ),
)


def friedman_tests(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame
) -> pl.DataFrame:
    """Friedman's test over every visit at which anyone has a value, of the subjects complete at all of them.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.

    Returns:
        The columns of ``FRIEDMAN``. ``p_value`` is null where the exact distribution is out of reach
        and the series too small for the approximation; ``note`` says so.
    """
    panels = Panels(scores, participants, visits)
    rows = [
        _row(panel)
        for outcome in outcomes.sort("position")["outcome_id"].to_list()
        for panel in panels.of(outcome)
    ]
    return FRIEDMAN.frame(rows)


def _row(panel: Panel) -> dict[str, Any]:
    held = [at for at in range(len(panel.visits)) if panel.known[:, at].any()]
    complete = np.logical_and.reduce(
        [panel.known[:, at] for at in held] or [np.zeros(len(panel.subjects), dtype=bool)]
    )
    row = FRIEDMAN.row(
        outcome=panel.outcome,
        stratum=panel.stratum,
        n=int(complete.sum()),
        n_missing=len(panel.subjects) - int(complete.sum()),
        n_visits=len(held),
        visits=", ".join(panel.visits[at] for at in held),
        method="none",
        engine_version=ENGINE_VERSION,
    )
    if len(held) < 3 or not complete.any():
        few = "fewer than three visits have values" if len(held) < 3 else "nobody has a value at every visit"
        return row | {"note": few}
    try:
        found = friedman(panel.values[complete][:, held], approximate=True)
    except TooLarge:
        return row | {
            "note": "too large for the exact distribution, too small for the chi-square approximation"
        }
    return row | {
        "statistic": None if found.statistic is None else float(found.statistic),
        "p_value": float(found.p_value),
        "method": f"Friedman, {found.method}, mid-ranks",
        "note": "no change observed" if found.statistic is None else None,
    }
