"""The comparison of arms: `report.between_arms` and its printed table.

Belongs here: labels, texts and layout. Does not belong here: the test, comparisons within an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.change_tables import outcome_headings
from fm_platform.reporting.columns import outcome_of, place, shown, visit_of
from fm_platform.reporting.page import Head, ReportInput, RowGroup, TableView
from fm_platform.statistics.ard import ARD
from fm_platform.statistics.arms import BETWEEN_ARMS
from fm_platform.statistics.sources import OUTCOMES, VISITS
from fm_platform.study.model import Study
from fm_platform.warehouse.table import Table, direct, indirect, text

_STATS = BETWEEN_ARMS.name

ARMS = Table(
    "report.between_arms",
    "Change from baseline of each arm against the reference arm, ready to print.",
    key=BETWEEN_ARMS.key,
    reads=(_STATS, ARD, OUTCOMES, VISITS),
    columns=(
        *BETWEEN_ARMS.repeated("outcome visit arm reference"),
        place(
            direct(OUTCOMES, "position"),
            direct(VISITS, "position"),
            indirect(_STATS, "arm", how="SORT"),
            outcome_of(_STATS),
            visit_of(_STATS),
        ),
        text(
            "outcome_label",
            "How the table calls the outcome",
            direct(OUTCOMES, "label", how="IDENTITY"),
            outcome_of(_STATS),
        ),
        text(
            "visit_label",
            "How the table calls the visit",
            direct(VISITS, "label", how="IDENTITY"),
            visit_of(_STATS),
        ),
        text("arm_label", "How the table calls the arm", direct(_STATS, "arm")),
        text("reference_label", "How the table calls the reference arm", direct(_STATS, "reference")),
        *BETWEEN_ARMS.repeated(
            "n n_arm n_reference n_missing family_size median_change_arm median_change_reference shift shift_low "
            "shift_high shift_level superiority p_value p_floor p_holm holm_floor family method note engine_version",
            printed=True,
        ),
        shown(
            "shift_text",
            "The shift as printed",
            direct(_STATS, "shift", "shift_low", "shift_high", "shift_level"),
        ),
        shown("p_text", "The p-value as printed, with its floor", direct(_STATS, "p_value", "p_floor")),
    ),
)


def between_arms_table(
    stats: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame, study: Study
) -> pl.DataFrame:
    """Change against the reference arm by outcome, visit and arm, with the texts that a reader sees.

    Args:
        stats: `stats.between_arms`.
        outcomes: `study.outcomes`.
        visits: `study.visits`.
        study: For the labels of arms.

    Returns:
        `report.between_arms`: every statistic as it came, `shift_text` and `p_text`, in page order.
    """
    outcome = outcomes.select(outcome="outcome_id", outcome_label="label", _outcome="position")
    visit = visits.select(visit="visit_id", visit_label="label", _visit="position")
    joined = stats.join(outcome, on="outcome", how="left").join(visit, on="visit", how="left")
    rows = list(joined.sort("_outcome", "_visit", "arm").iter_rows(named=True))
    texts = {
        "arm_label": [study.label("arm", row["arm"]) for row in rows],
        "reference_label": [study.label("arm", row["reference"]) for row in rows],
        "shift_text": [_shift_text(row) for row in rows],
        "p_text": [fmt.p_value(row["p_value"], row["p_floor"]) for row in rows],
    }
    return (
        joined.sort("_outcome", "_visit", "arm")
        .with_columns(pl.Series(name, values, dtype=pl.String) for name, values in texts.items())
        .with_columns(position=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
        .select(pl.col(name).cast(kind) for name, kind in ARMS.schema.items())
    )


def _shift_text(row: Mapping[str, Any]) -> str:
    if row["shift"] is None:
        return fmt.NOT_AVAILABLE
    limits = fmt.interval(row["shift_low"], row["shift_high"], row["shift_level"])
    return f"{fmt.number(row['shift'], signed=True)} ({limits})"


def between_arms(report: ReportInput) -> TableView | None:
    """The printed comparison of arms."""
    table = report.table("report.between_arms")
    if table is None:
        return None
    groups, headings = [], outcome_headings(report)
    for (outcome, label), members in groupby(
        table.sort("position").iter_rows(named=True), lambda row: (row["outcome"], row["outcome_label"])
    ):
        rows = tuple(
            (
                f"{row['visit_label']}, {row['arm_label']} against {row['reference_label']}",
                f"{row['n_arm']} / {row['n_reference']}",
                str(row["n_missing"]),
                fmt.number(row["median_change_arm"], signed=True),
                fmt.number(row["median_change_reference"], signed=True),
                row["shift_text"],
                row["p_text"],
                fmt.p_value(row["p_holm"]),
            )
            for row in members
        )
        groups.append(RowGroup(rows, headings.get(outcome) or label))
    heads = (
        Head("Visit and arms", numeric=False),
        *(Head(text) for text in ("n arm / reference", "Missing", "Median change, arm")),
        *(Head(text) for text in ("Median change, reference", "HL shift (interval)", "p", "p, Holm")),
    )
    used = table.filter(pl.col("n") > 0).select("method", "engine_version").unique().sort("method")
    methods = "; ".join(f"{method} (version {version})" for method, version in used.iter_rows())
    alone = table["family"].null_count() > 0
    notes = (
        "Changes from baseline are compared between arms; n: participants with a value at baseline and at the visit; "
        "Missing: those without.",
        "HL shift: Hodges-Lehmann estimate of the change in the arm minus that in the reference arm, in points of the "
        "scale that stands beside each outcome, with its exact interval at the level it really reaches.",
        "Floor: the smallest two-sided p that arms of these sizes and values could give.",
        "No p-value is printed for a change within an arm.",
        *(
            (f"{fmt.NOT_AVAILABLE} under p, Holm: the outcome belongs to no declared family.",)
            if alone
            else ()
        ),
        *((f"Method: {methods}.",) if methods else ()),
    )
    return TableView("Change from baseline, arm against arm", heads, tuple(groups), notes)
