"""Data queries on visits and subjects (FM008 to FM011, FM016, FM018, FM034).

Belongs here: dates, windows, missing visits, diagnoses, samples: one function a rule, from staged frames to
findings. Does not belong here: questionnaires (``clinical_queries``), single cells and rows (``query_rows``).
"""

from __future__ import annotations

import re

import polars as pl

from fm_platform.validation.query_rows import FOUND_SCHEMA, finding, found_frame
from fm_platform.validation.spellings import ONLY_IN, shown, spelled_twice
from fm_platform.validation.staged_visits import StagedVisits

RHEUMATIC = re.compile(
    r"arthrit|spondyl|lupus|sj[oö]gren|scleroderma|vasculit|polymyalgia|myosit|gout", re.IGNORECASE
)
NO_DIAGNOSIS = ("", "none", "no", "0", "nil", "-")


def dates_and_windows(staged: StagedVisits) -> pl.DataFrame:
    """FM008: visits follow each other in time, each in its window."""
    visits = staged.dated.sort("source", "subject_id", "position")
    before = pl.col("visit_date").shift(1).over("source", "subject_id")
    visits = visits.with_columns(before.alias("before"))
    rows = []
    for row in visits.to_dicts():
        if row["before"] is not None and row["visit_date"] <= row["before"]:
            rows.append(finding(row, "FM008", "date", value=str(row["visit_date"]), expected=f"after {row['before']}",
                            text="the visit is not after the one before it", severity="warn"))  # fmt: skip
        elif (
            row["study_day"] is not None
            and row["low"] is not None
            and not (row["low"] <= row["study_day"] <= row["high"])
        ):
            rows.append(finding(row, "FM008", "window", value=f"day {row['study_day']}",
                            expected=f"day {row['low']} to {row['high']}", severity="warn",
                            text=f"the visit on {row['visit_date']} is outside its window"))  # fmt: skip
    return found_frame(rows)


def baseline_after_dose(staged: StagedVisits) -> pl.DataFrame:
    """FM009: the baseline visit is on or before the first dose."""
    if "first_dose" not in staged.attributes:
        return pl.DataFrame(schema=FOUND_SCHEMA)
    dose = staged.attributes["first_dose"].select("subject_id", pl.col("value").alias("dose"))
    late = (
        staged.dated.filter("is_baseline")
        .join(dose, on="subject_id")
        .filter(pl.col("visit_date") > pl.col("dose"))
    )
    return found_frame(
        [
            finding(row, "FM009", "date", value=str(row["visit_date"]), expected=f"on or before {row['dose']}",
                text="the baseline visit is after the first dose")
            for row in late.to_dicts()
        ]
    )  # fmt: skip


def type_and_diagnosis(staged: StagedVisits) -> pl.DataFrame:
    """FM010: primary fibromyalgia has no rheumatic diagnosis beside it, secondary has a diagnosis."""
    if not {"fm_type", "concomitant_dx"} <= set(staged.attributes):
        return pl.DataFrame(schema=FOUND_SCHEMA)
    types = staged.attributes["fm_type"]
    diagnoses = staged.attributes["concomitant_dx"].select("subject_id", pl.col("value").alias("dx"))
    rows = []
    for row in types.join(diagnoses, on="subject_id", how="left").to_dicts():
        kind, dx = str(row["value"] or "").strip().lower(), str(row["dx"] or "").strip()
        text = None
        if kind == "primary" and RHEUMATIC.search(dx):
            text = "primary fibromyalgia with a rheumatic diagnosis"
        elif kind == "secondary" and dx.lower() in NO_DIAGNOSIS:
            text = "secondary fibromyalgia without a concomitant diagnosis"
        if text is not None:
            rows.append(finding({**row, "visit_id": None}, "FM010", "concomitant_dx", value=dx, text=text))
    return found_frame(rows)


def subjects_without_visits(staged: StagedVisits) -> pl.DataFrame:
    """FM011, the other way round: a subject of the population has a visit."""
    if not staged.study.visits:
        return pl.DataFrame(schema=FOUND_SCHEMA)
    alone = staged.population.join(staged.visits, on="subject_id", how="anti")
    return found_frame(
        [
            finding(
                {**row, "source": "", "visit_id": None},
                "FM011",
                "visits",
                text="the subject has no visit at all",
            )
            for row in alone.sort("subject_id").to_dicts()
        ]
    )


def missing_visits(staged: StagedVisits) -> pl.DataFrame:
    """FM016: a planned visit that is past has data, or a reason why not.

    Past means that the subject has a later visit, or, where dates and windows are known, that the newest
    date of all deliveries lies after the subject's window.
    """
    later = staged.planned.filter(~pl.col("is_baseline"))
    seen = staged.visits.select("subject_id", "visit_id").unique()
    attended = seen.join(staged.planned, on="visit_id").group_by("subject_id")
    reached = attended.agg(pl.col("position").max().alias("reached"))
    dated = staged.dated.filter(pl.col("study_day").is_not_null())
    newest = staged.visits["visit_date"].max()
    due = dated.group_by("subject_id").agg(
        (pl.col("visit_date") - pl.duration(days=pl.col("study_day") - 1)).min().alias("day_1")
    )
    expected = (
        staged.population.join(reached, on="subject_id")
        .join(later, how="cross")
        .join(seen, on=["subject_id", "visit_id"], how="anti")
        .join(due, on="subject_id", how="left")
    )
    rows = []
    for row in expected.sort("subject_id", "position").to_dicts():
        past = row["reached"] > row["position"]
        if not past and newest is not None and row["day_1"] is not None and row["high"] is not None:
            past = (newest - row["day_1"]).days + 1 > row["high"]
        if past:
            rows.append(finding(row, "FM016", "visit", source="", expected="a form, or a reason",
                            text="the visit is missing and nobody says why"))  # fmt: skip
    return found_frame(rows)


def samples_of_nobody(staged: StagedVisits) -> pl.DataFrame:
    """FM018: a sample belongs to a known subject, and no two samples are one subject at one visit."""
    if staged.samples is None:
        return pl.DataFrame(schema=FOUND_SCHEMA)
    known = set(staged.subjects["subject_id"])
    rows = []
    pairs = (
        staged.samples.filter(pl.len().over("subject_id", "visit_id") > 1) if staged.samples.height else None
    )
    twins = set(pairs["sample"]) if pairs is not None else set()
    for row in staged.samples.to_dicts():
        named = {**row, "source": "samples"}
        if row["subject_id"] and row["subject_id"] not in known:
            rows.append(
                finding(named, "FM018", row["sample"], text="the sample's subject is in no clinical source")
            )
        elif row["sample"] in twins and row["visit_id"] is not None:
            rows.append(
                finding(named, "FM018", row["sample"], text="another sample has the same subject and visit")
            )
    return found_frame(rows)


def subjects_spelled_twice(staged: StagedVisits) -> pl.DataFrame:
    """FM034: no two subjects have ids that are one to a reader, whichever sources they come from."""
    apart = [
        text
        for source in staged.study.clinical.values()
        for aliases in source.aliases.values()
        for text, mean in aliases.items()
        if text == mean
    ]
    rows = {row["subject_id"]: row for row in staged.subjects.to_dicts()}
    found = []
    for group in spelled_twice(rows, apart):
        for subject in group:
            others = " and ".join(shown(other) for other in group if other != subject)
            row = {**rows[subject], "visit_id": None}
            found.append(
                finding(
                    row,
                    "FM034",
                    "subject",
                    source="",
                    value=shown(subject),
                    text=f"{shown(subject)} differs from {others} {ONLY_IN}",
                    row_ids=tuple(row.get("_row_ids", ())),
                )
            )
    return found_frame(found)
