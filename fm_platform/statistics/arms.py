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
from fm_platform.statistics import sources as by
from fm_platform.statistics.integers import median, shown
from fm_platform.statistics.multiplicity import HOLM_FLOOR, adjust_families
from fm_platform.statistics.panel import Bools, Panel, Panels
from fm_platform.statistics.rank_sum import rank_sum, shift
from fm_platform.warehouse.table import (
    Table,
    count,
    direct,
    indirect,
    number,
    points,
    probability,
    share,
    text,
)

_ROWS = (*by.EACH_VISIT, *by.EACH_OUTCOME, *by.POPULATION, *indirect(by.PEOPLE, "arm", how="GROUP_BY"))
_WHO = (*by.ALL_SCORED, *_ROWS)
_COMPARED = (*by.SCORED, *_WHO)
_ADJUSTED = (*by.SCORED, *by.FAMILY, *_WHO)
_ARM = direct(by.PEOPLE, "arm", how="GROUP_BY")

BETWEEN_ARMS = Table(
    "stats.between_arms",
    "Change from baseline of each arm against the reference: exact rank-sum test, Hodges-Lehmann shift.",
    key=("outcome", "visit", "arm"),
    reads=(by.SCORES, by.PEOPLE, by.OUTCOMES, by.VISITS),
    columns=(
        text("outcome", "The outcome", by.OF_OUTCOME, _ROWS),
        text("visit", "The visit whose change from baseline is compared", by.OF_VISIT, _ROWS),
        text("arm", "The arm", _ARM, _ROWS),
        text("reference", "The arm that it is compared with", _ARM, _ROWS),
        count("n", "Subjects of the two arms with a value at both visits", _WHO),
        count("n_arm", "Of these, in the arm", _WHO),
        count("n_reference", "Of these, in the reference arm", _WHO),
        count("n_missing", "Subjects of the two arms without one of the values", _WHO),
        points("median_change_arm", "Median change in the arm", _COMPARED),
        points("median_change_reference", "Median change in the reference arm", _COMPARED),
        points("shift", "Hodges-Lehmann shift of the changes, arm minus reference", _COMPARED),
        points("shift_low", "Lower end of its exact confidence interval", _COMPARED),
        points("shift_high", "Upper end of that interval", _COMPARED),
        share("shift_level", "Confidence level that the interval achieves", _WHO),
        number("u", "Pairs in which the arm's change is the larger, ties one half", _COMPARED),
        number("superiority", "u as a share of all pairs", _COMPARED),
        probability("p_value", "Exact two-sided p-value of the rank-sum test of the changes", _COMPARED),
        probability("p_floor", "The smallest p-value that groups of these sizes can give", _COMPARED),
        probability("p_holm", "p_value adjusted by Holm within its family", _ADJUSTED),
        probability(
            "p_bh", "p_value adjusted by Benjamini and Hochberg within its family, exploratory", _ADJUSTED
        ),
        probability(HOLM_FLOOR, "The smallest p_holm that the design can give", _ADJUSTED),
        text("family", "The family of tests", by.OF_FAMILY, _ROWS),
        count("family_size", "Tests in that family", by.FAMILY, _ROWS),
        text("method", "Test and estimate", _COMPARED),
        text("note", "Why something is null", _COMPARED),
        by.VERSION,
    ),
)


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
        The columns of ``BETWEEN_ARMS``; no rows where there are fewer than two arms. ``shift`` is arm minus
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
    return BETWEEN_ARMS.frame(rows)


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
    row = BETWEEN_ARMS.row(
        outcome=panel.outcome,
        visit=panel.visits[visit],
        arm=arm,
        reference=reference,
        n=len(first) + len(second),
        n_arm=len(first),
        n_reference=len(second),
        n_missing=int((members[arm] | members[reference]).sum()) - len(first) - len(second),
        median_change_arm=shown(median(first), panel.scale),
        median_change_reference=shown(median(second), panel.scale),
        method="none",
        engine_version=ENGINE_VERSION,
    )
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
