"""The clinical part of the report: who took part, what was recorded, how symptoms changed, who responded.

Belongs here: laying out `report.*` tables of the clinical half as printed tables. Does not belong here: HTML,
and any number that is not already in a table (counts of recorded values apart).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.arms_table import between_arms
from fm_platform.reporting.change_tables import change, change_by_stratum, responders
from fm_platform.reporting.characteristics import population, strata_labels
from fm_platform.reporting.page import Head, ReportInput, RowGroup, TableView
from fm_platform.study.model import Study

Row = Mapping[str, Any]


def clinical_tables(report: ReportInput) -> dict[str, TableView]:
    """The printed tables of the clinical half, by the table they show.

    Args:
        report: Tables that are absent or empty give no entry.
    """
    makers = {
        "report.characteristics": _characteristics,
        "marts.symptom_scores": _recorded,
        "report.symptom_change": change,
        "report.symptom_change by stratum": change_by_stratum,
        "report.between_arms": between_arms,
        "report.responders": responders,
    }
    made = {name: maker(report) for name, maker in makers.items()}
    return {name: view for name, view in made.items() if view is not None}


def _characteristics(report: ReportInput) -> TableView | None:
    table = report.table("report.characteristics")
    if table is None:
        return None
    people = report.table("marts.participants")
    strata: dict[str | None, str] = {None: "All"}
    strata.update(strata_labels(people, report.study).items())
    cells = {(row["position"], row["stratum"]): row for row in table.iter_rows(named=True)}
    lines = table.filter(pl.col("stratum").is_null()).sort("position").iter_rows(named=True)
    groups = []
    for _, members in groupby(lines, key=lambda row: row["variable"]):
        rows = list(members)
        texts = [
            (
                _level(row, alone=len(rows) == 1),
                *(_value(cells.get((row["position"], stratum))) for stratum in strata),
            )
            for row in rows
        ]
        groups.append(RowGroup(tuple(texts), _variable(rows)))
    notes = ["Percentages are of the participants with a recorded value; Unknown counts those without one."]
    if len(strata) > 1 and people is not None:
        unplaced = population(people)["stratum"].null_count()
        if unplaced:
            notes.append(f"{unplaced} without a recorded {report.study.strata} are counted under All only.")
    return TableView(
        "Participant characteristics",
        (Head("", numeric=False), *(Head(label) for label in strata.values())),
        tuple(groups),
        tuple(notes),
    )


def _variable(rows: Sequence[Row]) -> str:
    """The heading over the rows of a variable; none over a single row that says it all."""
    first = rows[0]
    if first["level"] is not None:
        return f"{first['variable_label']}, {first['statistic']}"
    return str(first["variable_label"]) if len(rows) > 1 else ""


def _level(row: Row, *, alone: bool) -> str:
    """The first cell of a row: its level, or what it tells of a variable without levels."""
    if row["level"] is not None:
        return str(row["level_label"] or row["level"])
    statistic = str(row["statistic"])
    return f"{row['variable_label']}, {statistic}" if alone else statistic[:1].upper() + statistic[1:]


def _value(row: Row | None) -> str:
    return fmt.NOT_AVAILABLE if row is None or row["value"] is None else str(row["value"])


def _recorded(report: ReportInput) -> TableView | None:
    scores, outcomes, people = (
        report.table(name) for name in ("marts.symptom_scores", "study.outcomes", "marts.participants")
    )
    if scores is None or outcomes is None or people is None:
        return None
    counted_people = population(people).select("subject_id")
    counted = scores.filter(pl.col("value").is_not_null()).join(counted_people, on="subject_id", how="semi")
    visits = report.study.visits
    counts = counted.group_by("outcome_id", "visit_id").agg(pl.col("subject_id").n_unique())
    seen = {(outcome, visit): n for outcome, visit, n in counts.iter_rows()}
    rows = tuple(
        (
            label or outcome,
            *(f"{seen.get((outcome, visit.id), 0)}/{counted_people.height}" for visit in visits),
        )
        for outcome, label in outcomes.sort("position").select("outcome_id", "label").iter_rows()
    )
    return TableView(
        "Participants with a value, by outcome and visit",
        (Head("Outcome", numeric=False), *(Head(visit.label or visit.id) for visit in visits)),
        (RowGroup(rows),),
        ("A comparison leaves out participants without the values it needs; nothing is carried forward.",),
    )


def arms(study: Study, people: pl.DataFrame | None) -> int:
    """How many arms the population has."""
    if people is None or "arm" not in people.columns:
        return 0
    return population(people)["arm"].drop_nulls().n_unique()
