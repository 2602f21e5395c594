"""The table ``stats.responder_arms``: responders in each arm against the reference arm.

Belongs here: which groups are compared and what a row says. Does not belong here: the test (``fisher``), who
responded (``responder_status``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.arms import arms_and_reference
from fm_platform.statistics.fisher import fisher
from fm_platform.statistics.integers import shown
from fm_platform.statistics.responder_status import MISSING
from fm_platform.statistics.responder_tables import NRI, OBSERVED

RESPONDER_ARMS_SCHEMA: dict[str, pl.DataType] = {
    "responder": pl.String(),
    "visit": pl.String(),
    "arm": pl.String(),
    "denominator": pl.String(),
    "reference": pl.String(),
    "n": pl.Int64(),
    "n_arm": pl.Int64(),
    "responders_arm": pl.Int64(),
    "rate_arm": pl.Float64(),
    "n_reference": pl.Int64(),
    "responders_reference": pl.Int64(),
    "rate_reference": pl.Float64(),
    "rate_difference": pl.Float64(),
    "n_missing": pl.Int64(),
    "p_value": pl.Float64(),
    "p_floor": pl.Float64(),
    "definition": pl.String(),
    "method": pl.String(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.responder_arms``; its key is responder, visit, arm, denominator."""


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
        The columns of ``RESPONDER_ARMS_SCHEMA``; no rows where there are fewer than two arms.
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
    return pl.DataFrame(rows, schema=RESPONDER_ARMS_SCHEMA)


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
    row = {
        **dict.fromkeys(RESPONDER_ARMS_SCHEMA),
        **keys,
        **counts,
        "arm": arm,
        "denominator": denominator,
        "reference": reference,
        "n": judged.height,
        "rate_arm": rates["arm"],
        "rate_reference": rates["reference"],
        "n_missing": both.filter(missing).height,
        "definition": group["definition"].first(),
        "method": "none",
        "engine_version": ENGINE_VERSION,
    }
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
