"""The table ``stats.friedman``: did an outcome differ between any of the visits?

Belongs here: who enters the test and what its row says. Does not belong here: the test (``friedman``). The
planned contrasts with baseline are the primary analysis; this is their omnibus.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.friedman import TooLarge, friedman
from fm_platform.statistics.panel import Panel, Panels

FRIEDMAN_SCHEMA: dict[str, pl.DataType] = {
    "outcome": pl.String(),
    "stratum": pl.String(),
    "n": pl.Int64(),
    "n_missing": pl.Int64(),
    "n_visits": pl.Int64(),
    "visits": pl.String(),
    "statistic": pl.Float64(),
    "p_value": pl.Float64(),
    "method": pl.String(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.friedman``; its key is outcome, stratum."""


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
        The columns of ``FRIEDMAN_SCHEMA``. ``p_value`` is null where the exact distribution is out of reach
        and the series too small for the approximation; ``note`` says so.
    """
    panels = Panels(scores, participants, visits)
    rows = [
        _row(panel)
        for outcome in outcomes.sort("position")["outcome_id"].to_list()
        for panel in panels.of(outcome)
    ]
    return pl.DataFrame(rows, schema=FRIEDMAN_SCHEMA)


def _row(panel: Panel) -> dict[str, Any]:
    held = [at for at in range(len(panel.visits)) if panel.known[:, at].any()]
    complete = np.logical_and.reduce(
        [panel.known[:, at] for at in held] or [np.zeros(len(panel.subjects), dtype=bool)]
    )
    row: dict[str, Any] = {
        "outcome": panel.outcome,
        "stratum": panel.stratum,
        "n": int(complete.sum()),
        "n_missing": len(panel.subjects) - int(complete.sum()),
        "n_visits": len(held),
        "visits": ", ".join(panel.visits[at] for at in held),
        "statistic": None,
        "p_value": None,
        "method": "none",
        "note": None,
        "engine_version": ENGINE_VERSION,
    }
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
