"""How many subjects each outcome is analysed in, and the checks that say when a study shrinks.

Belongs here: the verdicts on ``stats.symptom_change``, and what was published before. Does not belong here: its
computation (``statistics.change``), values that a gate refuses (``validation.refusals``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.catalog.earlier import accepted_losses
from fm_platform.errors import InputError
from fm_platform.lineage.history import History
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.statistics.paired import later_visits
from fm_platform.statistics.sources import CHANGE, PEOPLE
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

FEWEST = 3
"""Fewer subjects prove nothing of a study: it may have just begun."""

PAIRED = CheckDeclaration(
    "subjects_paired",
    True,
    "Where three subjects or more have an outcome at baseline and three at a later visit, one at least has both.",
)
AS_MANY = CheckDeclaration(
    "as_many_as_published",
    False,
    "No outcome is analysed in fewer subjects at a visit than in the last publication, but for those who withdrew or "
    "whose absence was accepted.",
)
WITHIN_LIMIT = CheckDeclaration(
    "loss_within_limit",
    True,
    "A delivery takes no larger share of an outcome's analysed subjects (and three at least) than study.yaml allows. "
    "`fm accept --numbers` accepts it.",
)
NUMBERS = "numbers"
"""What a decision on these checks is recorded as, in the place of a rule."""

_NAMED = 3


@dataclass(frozen=True)
class Before:
    """What was published before, and what is known of who is missing since.

    Attributes:
        pairs: subject_id, visit_id, outcome_id of the subjects that were analysed.
        gone: Subjects, and subjects with a visit, that withdrew or whose absence was accepted.
        delivered: Whether clinical files changed since.
        accepted: Outcome and visit to a number that was accepted in the place of the published one.
    """

    pairs: pl.DataFrame
    gone: Collection[tuple[str, str | None]] = ()
    delivered: bool = True
    accepted: Mapping[tuple[str, str], int] = field(default_factory=dict)


def before(step: Step) -> Before:
    """What the last publication says, as far as there is one."""
    gone: set[tuple[str, str | None]] = set()
    for source in step.study.clinical:
        gone |= accepted_losses(step, source)
    at_baseline = {visit.id for visit in step.study.visits if visit.baseline}
    gone |= {(subject, None) for subject, visit in gone if visit in at_baseline}
    accepted = {
        (outcome, visit): n
        for decision in step.history.decisions_on(SYMPTOM_CHANGE.name)
        if decision["against"] == published_state(step.history)
        for outcome, visit, n in decision["n"]
    }
    return Before(_published_pairs(step.warehouse.home), gone, _has_delivery(step), accepted)


def published_state(history: History) -> str:
    """Digest of the published table of changes; empty where there is none."""
    return str(_published(history).get(SYMPTOM_CHANGE.name, {}).get("value_digest", ""))


def _published(history: History) -> Mapping[str, Any]:
    tables: Mapping[str, Any] = (history.publication or {}).get("tables", {})
    return tables


def _has_delivery(step: Step) -> bool:
    tables = _published(step.history)
    return any(
        tables.get(raw, {}).get("value_digest") != step.history.materialized[raw].value_digest
        for raw in (f"raw.{source}" for source in step.study.clinical)
    )


def _published_pairs(home: Home) -> pl.DataFrame:
    try:
        with open_published(home) as published:
            return published.query(
                f"SELECT c.subject_id, c.visit_id, c.outcome_id FROM {CHANGE} AS c "
                f"JOIN {PEOPLE} AS p ON p.subject_id = c.subject_id WHERE p.in_population"
            )
    except InputError:
        return pl.DataFrame(schema=dict.fromkeys(("subject_id", "visit_id", "outcome_id"), pl.String))


def against_published(change: pl.DataFrame, then: Before, limit: float) -> list[CheckOutcome]:
    """The numbers of analysed subjects against those of the last publication.

    A fall that no delivery brought is the work of whoever changed study.yaml or the code: it is told, and blocks
    nothing.

    Args:
        change: Rows of ``stats.symptom_change``.
        then: What was published.
        limit: The largest share of an outcome's subjects that one delivery may take.
    """
    known = pl.DataFrame(
        list(then.gone), schema={"subject_id": pl.String, "visit_id": pl.String}, orient="row"
    )
    left = known.filter(pl.col("visit_id").is_null()).select("subject_id")
    explained = pl.concat(
        [
            then.pairs.join(left, on="subject_id", how="semi"),
            then.pairs.join(known, on=["subject_id", "visit_id"], how="semi"),
        ]
    ).unique()
    keys = ["outcome_id", "visit_id"]
    numbers = (
        change.filter(pl.col("stratum").is_null())
        .select("outcome", "visit", "n", "n_expected")
        .join(
            then.pairs.group_by(keys).agg(pl.len().alias("n_before")),
            left_on=["outcome", "visit"],
            right_on=keys,
            how="left",
            maintain_order="left",
        )
        .join(
            explained.group_by(keys).agg(pl.len().alias("n_explained")),
            left_on=["outcome", "visit"],
            right_on=keys,
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("n_before", "n_explained").fill_null(0).cast(pl.Int64))
    )
    fewer = [row for row in numbers.to_dicts() if row["n"] < row["n_before"] - row["n_explained"]]
    asked = [
        row for row in fewer if row["n"] < then.accepted.get((row["outcome"], row["visit"]), row["n"] + 1)
    ]
    far = [row for row in asked if then.delivered and _is_far(row, limit)]
    return [
        CheckOutcome(
            AS_MANY.name, not fewer, AS_MANY.blocking, "WARN", AS_MANY.description,
            {"analysed": numbers.to_dicts()}, told=_numbers_told([row for row in fewer if row not in far]),
        ),
        CheckOutcome(
            WITHIN_LIMIT.name, not far, WITHIN_LIMIT.blocking, "ERROR", WITHIN_LIMIT.description,
            {"limit": limit, "over": far}, told=_numbers_told(far),
        ),
    ]  # fmt: skip


def _is_far(row: Mapping[str, Any], limit: float) -> bool:
    expected = row["n_before"] - row["n_explained"]
    fall = expected - row["n"]
    return bool(fall >= FEWEST and fall > limit * expected)


def _numbers_told(rows: Collection[Mapping[str, Any]]) -> str:
    """Each fall in words, with its two numbers."""
    told = []
    for row in rows:
        known = f", {row['n_explained']} of them known to be gone" if row["n_explained"] else ""
        told.append(
            f"{row['outcome']} at {row['visit']}: {row['n']} subjects, {row['n_before']} in the last publication{known}"
        )
    return "; ".join(told)


def paired(
    scores: pl.DataFrame,
    participants: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
    *,
    accepted: Collection[tuple[str, str]] = (),
) -> CheckOutcome:
    """Whether each outcome that has values at baseline and at a later visit has them of the same subjects.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.
        accepted: Outcomes and visits of which somebody accepted that they are of different people.
    """
    population = participants.filter(pl.col("in_population")).select("subject_id")
    subjects = {
        key: set(frame["subject_id"])
        for key, frame in scores.join(population, on="subject_id", how="semi")
        .partition_by("outcome_id", "visit_id", as_dict=True)
        .items()
    }
    at_baseline = visits.filter(pl.col("is_baseline"))["visit_id"].to_list()
    apart, told = [], []
    for outcome, visit in product(outcomes.sort("position")["outcome_id"], later_visits(visits)):
        base, post = (subjects.get((outcome, at), set()) for at in (*at_baseline, visit))
        known = base & post or (outcome, visit) in accepted
        if min(len(base), len(post)) >= FEWEST and not known:
            apart.append({"outcome": outcome, "visit": visit, "n_baseline": len(base), "n_visit": len(post)})
            told.append(
                f"{outcome}: {len(base)} subjects at {at_baseline[0]} ({_first(base)}), {len(post)} others at {visit} "
                f"({_first(post)})."
            )
    mend = "Write a subject's id in one way at all visits, or accept it with `fm accept --numbers`."
    return CheckOutcome(
        PAIRED.name,
        not apart,
        PAIRED.blocking,
        "ERROR",
        PAIRED.description,
        {"apart": apart},
        told=" ".join([*told, mend] if told else []),
    )


def accepted_apart(history: History) -> set[tuple[str, str]]:
    """Outcomes and visits of which somebody accepted that they are of other people than the baseline."""
    decisions = history.decisions_on(SYMPTOM_CHANGE.name)
    return {(outcome, visit) for decision in decisions for outcome, visit in decision["apart"]}


def decision_on_numbers(history: History) -> dict[str, Any]:
    """What a decision says that accepts the numbers at which the last refresh stopped.

    Raises:
        InputError: It did not stop at any.
    """
    failed = {
        verdict.check: verdict.body["metadata"] for verdict in history.failed_blocking(SYMPTOM_CHANGE.name)
    }
    far = failed.get(WITHIN_LIMIT.name, {}).get("over", [])
    apart = failed.get(PAIRED.name, {}).get("apart", [])
    if not far and not apart:
        raise InputError(
            "the last refresh did not stop at numbers of subjects",
            mend="run `fm refresh`; `fm status` says what blocks",
        )
    return {
        "against": published_state(history),
        "n": [[row["outcome"], row["visit"], row["n"]] for row in far],
        "apart": [[row["outcome"], row["visit"]] for row in apart],
    }


def _first(subjects: set[str]) -> str:
    return ", ".join(sorted(subjects)[:_NAMED]) + (", ..." if len(subjects) > _NAMED else "")
