"""The table ``stats.between_arms``: change from baseline in each arm against the reference arm.

Belongs here: which arms are compared and what a row says. Does not belong here: the test (``rank_sum``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.integers import median, shown
from fm_platform.statistics.multiplicity import adjust_families
from fm_platform.statistics.panel import Bools, Panel, Panels
from fm_platform.statistics.rank_sum import rank_sum, shift

ARMS_SCHEMA: dict[str, pl.DataType] = {
    "outcome": pl.String(),
    "visit": pl.String(),
    "arm": pl.String(),
    "reference": pl.String(),
    "n": pl.Int64(),
    "n_arm": pl.Int64(),
    "n_reference": pl.Int64(),
    "n_missing": pl.Int64(),
    "median_change_arm": pl.Float64(),
    "median_change_reference": pl.Float64(),
    "shift": pl.Float64(),
    "shift_low": pl.Float64(),
    "shift_high": pl.Float64(),
    "shift_level": pl.Float64(),
    "u": pl.Float64(),
    "superiority": pl.Float64(),
    "p_value": pl.Float64(),
    "p_floor": pl.Float64(),
    "p_holm": pl.Float64(),
    "p_bh": pl.Float64(),
    "holm_floor": pl.Float64(),
    "family": pl.String(),
    "family_size": pl.Int64(),
    "method": pl.String(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.between_arms``; its key is outcome, visit, arm."""


def between_arms(
    scores: pl.DataFrame,
    participants: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
    *,
    reference: str | None = None,
    order: Sequence[str] = (),
) -> pl.DataFrame:
    """Compare the changes of every other arm with those of the reference arm.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.
        reference: The arm to compare with; by default the first.
        order: Arms as the study lists them; others follow by name.

    Returns:
        The columns of ``ARMS_SCHEMA``; no rows where there are fewer than two arms. ``shift`` is arm minus
        reference, in the outcome's unit. Families are the declared ones, of all arms, visits and outcomes.
    """
    rows: list[dict[str, Any]] = []
    tests: list[tuple[str | None, Fraction | None, Fraction | None]] = []
    panels = Panels(scores, participants, visits)
    for outcome in outcomes.sort("position").iter_rows(named=True):
        everyone = next(panels.of(outcome["outcome_id"]), None)
        if everyone is None:
            break
        arms, control = arms_and_reference([arm for arm in everyone.arms if arm], reference, order)
        for visit in everyone.later:
            for arm in [arm for arm in arms if arm != control]:
                row, p_value, p_floor = _row(everyone, visit, arm, str(control))
                rows.append(row)
                tests.append((outcome["family"], p_value, p_floor))
    adjust_families(rows, tests)
    return pl.DataFrame(rows, schema=ARMS_SCHEMA)


def arms_and_reference(
    found: Iterable[str], reference: str | None, order: Sequence[str]
) -> tuple[list[str], str | None]:
    """The arms that occur, as the study lists them and then by name, and the one the others are compared with.

    Args:
        found: The arms of the subjects.
        reference: The arm that study.yaml names; the first where it names none that occurs.
        order: Arms as the study lists them.
    """
    names = sorted(set(found))
    arms = [arm for arm in order if arm in names] + [arm for arm in names if arm not in order]
    return arms, reference if reference in arms else arms[0] if arms else None


def _row(
    panel: Panel, visit: int, arm: str, reference: str
) -> tuple[dict[str, Any], Fraction | None, Fraction | None]:
    complete = panel.known[:, panel.baseline] & panel.known[:, visit]
    changes = panel.values[:, visit] - panel.values[:, panel.baseline]
    places = np.array([own or "" for own in panel.arms])
    members: dict[str, Bools] = {name: places == name for name in (arm, reference)}
    first, second = (changes[complete & members[name]] for name in (arm, reference))
    row: dict[str, Any] = dict.fromkeys(ARMS_SCHEMA)
    row |= {
        "outcome": panel.outcome,
        "visit": panel.visits[visit],
        "arm": arm,
        "reference": reference,
        "n": len(first) + len(second),
        "n_arm": len(first),
        "n_reference": len(second),
        "n_missing": int((members[arm] | members[reference]).sum()) - len(first) - len(second),
        "median_change_arm": shown(median(first), panel.scale),
        "median_change_reference": shown(median(second), panel.scale),
        "method": "none",
        "engine_version": ENGINE_VERSION,
    }
    if not len(first) or not len(second):
        return row | {"note": "an arm has no complete pairs"}, None, None
    test, location = rank_sum(first, second), shift(first, second)
    row |= {
        "shift": shown(location.estimate, panel.scale),
        "shift_low": shown(location.low, panel.scale),
        "shift_high": shown(location.high, panel.scale),
        "shift_level": shown(location.level),
        "u": shown(test.u),
        "superiority": shown(test.u / (len(first) * len(second))),
        "p_value": shown(test.p_value),
        "p_floor": shown(test.p_floor),
        "method": f"Wilcoxon rank-sum of changes, {test.method}, mid-ranks; Hodges-Lehmann shift",
        "note": "no 95 % interval exists at these n" if location.level is None else None,
    }
    return row, test.p_value, test.p_floor
