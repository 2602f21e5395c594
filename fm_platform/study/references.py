"""What sections of study.yaml say of each other.

Belongs here: ids, visits and names that must fit together; errors point at the line. Does not belong here: what is
wrong within one entry, or what only the data can tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fm_platform.study.clinical import Outcome, Responder, Visit
from fm_platform.study.expression import Contrast
from fm_platform.study.model import Study


def check_ids(study: Study) -> None:
    """Check that ids are unique and that no source takes a name of the platform's own.

    Raises:
        InputError: One does.
    """
    sections: tuple[tuple[str, Sequence[Visit | Outcome | Responder | Contrast]], ...] = (
        ("visits", study.visits),
        ("outcomes", study.outcomes),
        ("responders", study.responders),
        ("contrasts", study.contrasts),
    )
    for section, entries in sections:
        counts = Counter(entry.id for entry in entries)
        for index, entry in enumerate(entries):
            if counts[entry.id] > 1:
                raise study.error(
                    f"{section}: id {entry.id!r} appears twice",
                    section,
                    index,
                    "id",
                    mend="give each its own id",
                )
    for name in study.clinical:
        if name.startswith("stg_") or name in (
            "samples",
            "counts",
            "count_columns",
            "genes",
            "gene_sets",
            "withdrawals",
        ):
            raise study.error(
                f"clinical source {name!r}: that name is the platform's own",
                "clinical",
                name,
                mend="rename it",
            )


def check_visits(study: Study) -> None:
    """Check that visits have one baseline, values of their own and, where days tell them apart, days of their own.

    Raises:
        InputError: They do not.
    """
    if not study.visits:
        for name, source in study.clinical.items():
            if source.by_visit:
                raise study.error(
                    f"source {name} has visits, but no `visits:` are declared",
                    "clinical",
                    name,
                    mend="add a `visits:` list with one `baseline: true`",
                )
        return
    baselines = [visit.id for visit in study.visits if visit.baseline]
    if len(baselines) != 1:
        raise study.error(
            f"visits: {len(baselines)} of them are marked baseline",
            "visits",
            mend="mark exactly one `baseline: true`",
        )
    if any(source.by_window for source in study.clinical.values()):
        _check_windows(study)
    seen: dict[str, str] = {}
    for index, visit in enumerate(study.visits):
        for text in visit.found_as:
            if text in seen or text in study.unscheduled:
                raise study.error(
                    f"visit value {text!r} stands for two visits",
                    "visits",
                    index,
                    mend="give it to one of them",
                )
            seen[text] = visit.id


def _check_windows(study: Study) -> None:
    """Where a visit is told by its day, every visit needs days of its own."""
    taken: dict[int, str] = {}
    for index, visit in enumerate(study.visits):
        window = visit.window or ((visit.day, visit.day) if visit.day is not None else None)
        if window is None:
            raise study.error(
                f"visit {visit.id} has neither a window nor a day, and a source has no visit column",
                "visits",
                index,
                mend="add `window: [low, high]`",
            )
        for day in range(window[0], window[1] + 1):
            if day in taken:
                raise study.error(
                    f"day {day} belongs to {taken[day]} and to {visit.id}",
                    "visits",
                    index,
                    mend="part the windows",
                )
            taken[day] = visit.id


def check_references(study: Study) -> None:
    """Check what sections say of each other; of a REDCap export once its forms are known.

    Raises:
        InputError: A source, outcome or score that is named is not declared.
    """
    for index, use in enumerate(study.instruments):
        if use.source not in study.clinical:
            raise study.error(
                f"instrument {use.use}: source {use.source!r} is not declared under clinical",
                "instruments",
                index,
                "source",
                mend=f"use one of: {', '.join(study.clinical) or 'none declared'}",
            )
    for index, outcome in enumerate(study.outcomes):
        if outcome.column and outcome.column.split(".")[0] not in study.clinical:
            raise study.error(
                f"outcome {outcome.id}: no source named {outcome.column.split('.')[0]!r}",
                "outcomes",
                index,
                "column",
                mend=f"use one of: {', '.join(study.clinical) or 'none declared'}",
            )
    outcome_ids = [outcome.id for outcome in study.outcomes]
    for index, responder in enumerate(study.responders):
        if responder.outcome not in outcome_ids:
            raise study.error(
                f"responder {responder.id}: no outcome {responder.outcome!r}",
                "responders",
                index,
                "outcome",
                mend=f"use one of: {', '.join(outcome_ids) or 'none declared'}",
            )
    if study.contrasts and not study.has_expression:
        raise study.error(
            "contrasts need an expression half", "contrasts", mend="add `expression:` or drop them"
        )
    if study.gene_sets and not study.contrasts:
        raise study.error(
            "gene sets are tested on the genes that a contrast ranks, and there is none",
            "gene_sets",
            mend="add `contrasts:`, or drop this key",
        )
