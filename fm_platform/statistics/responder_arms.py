"""The table ``stats.responder_arms``: responders in each arm against the reference arm.

Belongs here: which groups are compared and what a row says. Does not belong here: the test (``fisher``), who
responded (``responder_status``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics import sources as by
from fm_platform.statistics.arms import arms_and_reference
from fm_platform.statistics.fisher import fisher
from fm_platform.statistics.integers import shown
from fm_platform.statistics.responder_status import MISSING, STATUS
from fm_platform.statistics.responder_tables import NRI, OBSERVED
from fm_platform.warehouse.table import Table, count, direct, indirect, probability, share, text

_ROWS = (
    *indirect(STATUS.name, "responder", "visit", how="GROUP_BY"),
    *indirect(STATUS.name, "subject_id", how="JOIN"),
    *indirect(by.PEOPLE, "subject_id", how="JOIN"),
    *indirect(by.PEOPLE, "arm", how="GROUP_BY"),
)
_COUNTED = direct(STATUS.name, "status", how="AGGREGATION")
_RESPONDED = direct(STATUS.name, "responded", how="AGGREGATION")
_RATED = (*_RESPONDED, *_COUNTED, *_ROWS)
_ARM = direct(by.PEOPLE, "arm", how="GROUP_BY")

RESPONDER_ARMS = Table(
    "stats.responder_arms",
    "Responders of each arm against the reference arm: Fisher's exact test, under two denominators.",
    key=("responder", "visit", "arm", "denominator"),
    reads=(STATUS.name, by.PEOPLE),
    columns=(
        text(
            "responder",
            "The responder definition, composites of instruments included",
            direct(STATUS.name, "responder", how="GROUP_BY"),
            _ROWS,
        ),
        text(
            "visit",
            "The visit that is compared with baseline",
            direct(STATUS.name, "visit", how="GROUP_BY"),
            _ROWS,
        ),
        text("arm", "The arm", _ARM, _ROWS),
        text("denominator", "observed cases, or non-responder imputation", constant=by.DENOMINATORS),
        text("reference", "The arm that it is compared with", _ARM, _ROWS),
        count("n", "Subjects of the two arms in the denominator", _RATED),
        count("n_arm", "Of these, in the arm", _RATED),
        count("responders_arm", "Responders in the arm", _RESPONDED, _ROWS),
        share("rate_arm", "responders_arm / n_arm", _RATED),
        count("n_reference", "Subjects in the reference arm", _RATED),
        count("responders_reference", "Responders in the reference arm", _RESPONDED, _ROWS),
        share("rate_reference", "responders_reference / n_reference", _RATED),
        share("rate_difference", "rate_arm minus rate_reference", _RATED),
        count(
            "n_missing",
            "Subjects of the two arms that cannot be judged for want of a value",
            _COUNTED,
            _ROWS,
        ),
        probability("p_value", "Two-sided p-value of Fisher's exact test", _RATED),
        probability("p_floor", "The smallest p-value that groups of these sizes can give", _RATED),
        text(
            "definition", "The definition in words", direct(STATUS.name, "definition", how="IDENTITY"), _ROWS
        ),
        text("method", "The test", _RATED),
        text("note", "Why something is null", _RATED),
        by.VERSION,
    ),
)


def responder_arms(
    status: pl.DataFrame,
    participants: pl.DataFrame,
    *,
    reference: str | None = None,
    order: Sequence[str] = (),
) -> pl.DataFrame:
    """Compare the responder rate of every other arm with that of the reference arm.

    Observed cases are those with a verdict; under non-responder imputation whoever cannot be judged for want of a
    value counts as not responding. A baseline of zero stays outside both, as in ``stats.responder_rates``.

    Args:
        status: Rows of ``stats.responder_status``.
        participants: Rows of ``marts.participants``.
        reference: The arm to compare with; by default the first.
        order: Arms as the study lists them; others follow by name.

    Returns:
        The columns of ``RESPONDER_ARMS``; no rows where there are fewer than two arms.
    """
    placed = status.join(participants.select("subject_id", "arm"), on="subject_id", maintain_order="left")
    arms, control = arms_and_reference(placed["arm"].drop_nulls().unique().to_list(), reference, order)
    rows = [
        _row({"responder": responder, "visit": visit}, group, arm, str(control), denominator)
        for (responder, visit), group in placed.group_by("responder", "visit", maintain_order=True)
        for arm in arms
        if arm != control
        for denominator in (OBSERVED, NRI)
    ]
    return RESPONDER_ARMS.frame(rows)


def _row(
    keys: dict[str, Any], group: pl.DataFrame, arm: str, reference: str, denominator: str
) -> dict[str, Any]:
    both = group.filter(pl.col("arm").is_in([arm, reference]))
    missing = pl.col("status") == MISSING
    judged = both.filter(pl.col("responded").is_not_null() | (missing if denominator == NRI else False))
    counts: dict[str, int] = {}
    for side, name in (("arm", arm), ("reference", reference)):
        own = judged.filter(pl.col("arm") == name)
        counts |= {f"n_{side}": own.height, f"responders_{side}": int(own["responded"].sum())}
    rates = {
        side: counts[f"responders_{side}"] / counts[f"n_{side}"] if counts[f"n_{side}"] else None
        for side in ("arm", "reference")
    }
    row = RESPONDER_ARMS.row(
        **keys,
        **counts,
        arm=arm,
        denominator=denominator,
        reference=reference,
        n=judged.height,
        rate_arm=rates["arm"],
        rate_reference=rates["reference"],
        n_missing=both.filter(missing).height,
        definition=group["definition"].first(),
        method="none",
        engine_version=ENGINE_VERSION,
    )
    if rates["arm"] is None or rates["reference"] is None:
        return row | {"note": "an arm has nobody who can be judged"}
    test = fisher(
        counts["responders_arm"], counts["n_arm"], counts["responders_reference"], counts["n_reference"]
    )
    return row | {
        "rate_difference": rates["arm"] - rates["reference"],
        "p_value": shown(test.p_value),
        "p_floor": shown(test.p_floor),
        "method": f"Fisher's test, {test.method}, two-sided: tables no more probable than the observed",
    }
