"""How many subjects each outcome is analysed in, and the checks that say when a study shrinks.

Belongs here: the verdicts on ``stats.symptom_change``. Does not belong here: its computation (``statistics.change``),
values that a gate refuses (``validation.refusals``).
"""

from __future__ import annotations

import polars as pl

from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

FEWEST = 3
"""Fewer subjects prove nothing of a study: it may have just begun."""

PAIRED = CheckDeclaration(
    "subjects_paired",
    True,
    "Where three subjects or more have an outcome at baseline and three at a later visit, one at least has both.",
)
_NAMED = 3


def paired(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame
) -> CheckOutcome:
    """Whether each outcome that has values at baseline and at a later visit has them of the same subjects.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.
    """
    population = participants.filter(pl.col("in_population")).select("subject_id")
    subjects = {
        key: set(frame["subject_id"])
        for key, frame in scores.join(population, on="subject_id", how="semi")
        .partition_by("outcome_id", "visit_id", as_dict=True)
        .items()
    }
    baseline, *later = visits.sort(~pl.col("is_baseline"), "position")["visit_id"]
    apart, told = [], []
    for outcome in outcomes.sort("position")["outcome_id"]:
        base = subjects.get((outcome, baseline), set())
        for visit in later:
            post = subjects.get((outcome, visit), set())
            if min(len(base), len(post)) >= FEWEST and not base & post:
                apart.append(
                    {"outcome": outcome, "visit": visit, "n_baseline": len(base), "n_visit": len(post)}
                )
                told.append(
                    f"{outcome}: {len(base)} subjects at {baseline} ({_first(base)}), {len(post)} others at {visit} "
                    f"({_first(post)})."
                )
    mend = "Write a subject's id in one way at all visits, or take the outcome out of study.yaml."
    return CheckOutcome(
        PAIRED.name,
        not apart,
        PAIRED.blocking,
        "ERROR",
        PAIRED.description,
        {"apart": apart},
        told=" ".join([*told, mend] if told else []),
    )


def _first(subjects: set[str]) -> str:
    return ", ".join(sorted(subjects)[:_NAMED]) + (", ..." if len(subjects) > _NAMED else "")
