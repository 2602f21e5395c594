"""Data queries on questionnaires: what answers say of each other (FM006, FM012 to FM015).

Belongs here: one function a rule, from staged frames to findings. Does not belong here: visits, dates and subjects
(``visit_queries``), single cells and rows (``query_rows``).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from fm_platform.instruments.criteria import Bounds, Verdict, criteria_verdict
from fm_platform.validation.query_rows import FOUND_SCHEMA, finding, found_frame
from fm_platform.validation.rules import ACR2016, FIQR
from fm_platform.validation.staged_visits import WHO, StagedVisits

PAIN = "fiqr_12_pain"
LARGE_CHANGE = 8
PAIN_WITHOUT_AREAS = 4
MOST_AREAS = 19


def pain_differs(staged: StagedVisits) -> pl.DataFrame:
    """FM006: a separate pain column equals the FIQR's pain item."""
    item = staged.items(FIQR).filter(pl.col("item") == PAIN).select(*WHO, "answer")
    own = staged.measures.filter(pl.col("variable").str.to_lowercase().str.ends_with(".pain"))
    differing = own.join(item, on=WHO, suffix="_item").filter(pl.col("value") != pl.col("answer"))
    return found_frame(
        [
            finding(
                row,
                "FM006",
                row["variable"].split(".")[1],
                source=row["variable"].split(".")[0],
                value=f"{row['value'].normalize():f}",
                expected=str(row["answer"]),
                text="the pain column differs from the pain item of the FIQR",
            )
            for row in differing.to_dicts()
        ]
    )


def straight_lining(staged: StagedVisits) -> pl.DataFrame:
    """FM012: not every item of a FIQR has the same answer."""
    answered = staged.items(FIQR).group_by(WHO).agg(
        pl.len().alias("n"), pl.col("answer").min().alias("low"), pl.col("answer").max().alias("high"),
    )  # fmt: skip
    same = answered.filter((pl.col("low") == pl.col("high")) & (pl.col("n") > 2) & (pl.col("low") > 0))
    return found_frame(
        [
            finding(row, "FM012", FIQR, source=staged.source_of(FIQR), severity="warn", value=str(row["low"]),
                     text=f"all {row['n']} answers of the FIQR are {row['low']}")
            for row in same.to_dicts()
        ]
    )  # fmt: skip


def areas_against_pain(staged: StagedVisits) -> pl.DataFrame:
    """FM013: neither all 19 areas, nor none at a pain of 4 or more."""
    wpi = staged.score(f"{ACR2016}.wpi")
    pain = staged.items(FIQR).filter(pl.col("item") == PAIN).select(*WHO, "answer")
    rows = wpi.join(pain, on=WHO, how="left").filter(
        (pl.col("value") == MOST_AREAS) | ((pl.col("value") == 0) & (pl.col("answer") >= PAIN_WITHOUT_AREAS))
    )
    return found_frame(
        [
            finding(row, "FM013", "wpi", source=staged.source_of(ACR2016), severity="warn", value=f"{row['value']:g}",
                     text="all 19 areas hurt" if row["value"] else f"no area hurts, but pain is {row['answer']}")
            for row in rows.to_dicts()
        ]
    )  # fmt: skip


def items_against_the_trend(staged: StagedVisits) -> pl.DataFrame:
    """FM014: no item changes by 8 or more while the other items together change the other way."""
    answers = staged.items(FIQR).join(staged.planned, on="visit_id").filter(pl.col("answer").is_not_null())
    base = answers.filter("is_baseline").select("subject_id", "item", pl.col("answer").alias("base"))
    change = answers.filter(~pl.col("is_baseline")).join(base, on=["subject_id", "item"])
    change = change.with_columns((pl.col("answer").cast(pl.Int64) - pl.col("base")).alias("change"))
    others = (pl.col("change").sum().over(WHO) - pl.col("change")).alias("others")
    odd = change.with_columns(others).filter(
        (pl.col("change").abs() >= LARGE_CHANGE) & (pl.col("change").sign() * pl.col("others").sign() < 0)
    )
    return found_frame(
        [
            finding(row, "FM014", row["item"], source=staged.source_of(FIQR), severity="warn", value=f"{row['answer']}",
                     text=f"changed by {row['change']:+d} from {row['base']} while the other items together changed "
                     f"by {row['others']:+d}")
            for row in odd.to_dicts()
        ]
    )  # fmt: skip


def criteria_at_baseline(staged: StagedVisits) -> pl.DataFrame:
    """FM015: whoever is enrolled with fibromyalgia meets the 2016 criteria at baseline."""
    if not staged.study.population or not any(use.use == ACR2016 for use in staged.study.instruments):
        return pl.DataFrame(schema=FOUND_SCHEMA)
    baseline = staged.study.baseline.id
    bounds: dict[str, dict[str, dict[str, Any]]] = {}
    for part in ("wpi", "sss", "n_regions"):
        low, high = (staged.score(f"{ACR2016}.{part}_{end}") for end in ("min", "max"))
        for row in low.join(high, on=WHO, suffix="_max").filter(pl.col("visit_id") == baseline).to_dicts():
            bounds.setdefault(row["subject_id"], {})[part] = row
    months = staged.items(ACR2016).filter(
        (pl.col("item") == "duration_3_months") & (pl.col("visit_id") == baseline)
    )
    three_months = {row["subject_id"]: bool(row["answer"]) for row in months.to_dicts()}
    rows = []
    for subject in staged.population["subject_id"].sort():
        parts = bounds.get(subject, {})
        if len(parts) < 3:
            continue
        wpi, sss, regions = (Bounds(int(row["value"]), int(row["value_max"])) for row in parts.values())
        if criteria_verdict(wpi, sss, regions, three_months.get(subject)) is Verdict.NOT_MET:
            shown = ", ".join(f"{name} {row['value']:g}" for name, row in parts.items())
            row = {"subject_id": subject, "visit_id": baseline}
            rows.append(finding(row, "FM015", "criteria 2016", source=staged.source_of(ACR2016), value=shown,
                                 text="enrolled with fibromyalgia, but the 2016 criteria are not met"))  # fmt: skip
    return found_frame(rows)
