"""Printed tables of change from baseline and of responders.

Belongs here: laying out `report.symptom_change` and `report.responders`, with the small-sample facts that a
reader needs beside a p-value. Does not belong here: HTML, and any test.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.characteristics import strata_labels
from fm_platform.reporting.page import Head, ReportInput, RowGroup, TableView
from fm_platform.statistics.multiplicity import HOLM_FLOOR

Row = Mapping[str, Any]


def change(report: ReportInput) -> TableView | None:
    """Change of all participants by outcome and visit."""
    table = _part(report, "report.symptom_change", stratified=False)
    if table is None:
        return None
    heads = (
        Head("Visit", numeric=False),
        *(Head(text) for text in ("n", "Missing", "Better/ same/ worse", "Baseline median", "Median change")),
        *(Head(text) for text in ("HL estimate", "HL interval (level)", "p", "p, Holm", "Rank-biserial r")),
    )
    headings = outcome_headings(report)
    groups = tuple(
        RowGroup(
            tuple((row["visit_label"], *_change_cells(row)) for row in rows), _heading(rows[0], headings)
        )
        for rows in _by(table, "outcome")
    )
    return TableView("Change from baseline, all participants", heads, groups, _change_notes(table))


def _change_cells(row: Row) -> tuple[str, ...]:
    return (
        _count(row["n"]),
        _count(row["n_missing"]),
        "/".join(_count(row[name]) for name in ("improved", "unchanged", "worsened")),
        fmt.number(row["median_baseline"]),
        fmt.number(row["median_change"], signed=True),
        fmt.number(row["hl_estimate"], signed=True),
        _interval(row),
        row["p_text"] or fmt.NOT_AVAILABLE,
        fmt.p_value(row["p_holm"]),
        fmt.number(row["rank_biserial"], 2),
    )


def _interval(row: Row) -> str:
    if row["hl_low"] is None or row["hl_high"] is None:
        return fmt.NOT_AVAILABLE
    return f"{fmt.interval(row['hl_low'], row['hl_high'], None)} ({fmt.short_number(100 * row['hl_level'])}%)"


def change_by_stratum(report: ReportInput) -> TableView | None:
    """Change by outcome, visit and stratum."""
    table = _part(report, "report.symptom_change", stratified=True)
    labels = strata_labels(report.table("marts.participants"), report.study)
    if table is None or not labels:
        return None
    heads = (
        Head("Visit and stratum", numeric=False),
        *(
            Head(text)
            for text in (
                "n",
                "Missing",
                "Better/ same/ worse",
                "Baseline median",
                "Median change",
                "HL estimate",
                "p",
            )
        ),
    )
    groups, headings = [], outcome_headings(report)
    for rows in _by(table, "outcome"):
        cells = []
        for row in rows:
            values = _change_cells(row)
            name = f"{row['visit_label']}, {labels.get(row['stratum'], row['stratum'])}"
            cells.append((name, *values[:6], values[7]))
        groups.append(RowGroup(tuple(cells), _heading(rows[0], headings)))
    unprinted = table["p_value"].is_null().all()
    notes = (
        "p-values within an arm are not printed: they say nothing about the treatment."
        if unprinted
        else "Descriptive: groups this small rarely allow a small p-value, whatever the change. "
        "Floor: the smallest p that so few could give.",
        *_methods(table),
    )
    return TableView("Change from baseline, by stratum", heads, tuple(groups), notes)


def _change_notes(table: pl.DataFrame) -> tuple[str, ...]:
    floors = (
        table.filter(pl.col("n_eff").is_not_null() & pl.col("p_floor").is_not_null())
        .select("n_eff", "p_floor")
        .unique()
        .sort("n_eff", descending=True)
    )
    notes = [
        "n: participants with a value at baseline and at the visit; Missing: those without. Change is visit "
        "minus baseline, in points of the scale that stands beside each outcome. The test uses those whose "
        "value changed.",
        "HL: Hodges-Lehmann estimate of the change, with its exact interval at the level it really reaches; "
        "no 95% interval exists for five pairs or fewer. Rank-biserial r is −1 if every value fell and +1 "
        "if every one rose.",
        *_methods(table),
    ]
    if floors.height:
        facts = [f"{fmt.p_value(floor)} if {n} changed" for n, floor in floors.iter_rows()]
        notes.append(f"Floor, the smallest two-sided p attainable: {'; '.join(facts)}.")
    families = table.filter(pl.col("family").is_not_null() & pl.col(HOLM_FLOOR).is_not_null())
    for family, size, floor in (
        families.group_by("family", "family_size").agg(pl.col(HOLM_FLOOR).min()).sort("family").iter_rows()
    ):
        notes.append(
            f"Holm adjustment over the {size} declared tests of family {family}: no adjusted p can fall "
            f"below {fmt.p_value(floor)}."
        )
    if families.height and table["family"].null_count():
        notes.append(f"{fmt.NOT_AVAILABLE} under p, Holm: the outcome belongs to no declared family.")
    return tuple(notes)


def responders(report: ReportInput) -> TableView | None:
    """Responder rates by definition, visit and stratum."""
    table = report.table("report.responders")
    if table is None:
        return None
    labels = strata_labels(report.table("marts.participants"), report.study)
    groups = []
    for rows in _by(table, "responder"):
        cells = []
        for row in rows:
            stratum = row["stratum"]
            group = "all" if stratum is None else labels.get(stratum, stratum)
            cells.append(
                (f"{row['visit_label']}, {group}" if labels else row["visit_label"], *_rate_cells(row))
            )
        groups.append(RowGroup(tuple(cells), rows[0]["responder_label"]))
    heads = (
        Head("Visit", numeric=False),
        *(Head(text) for text in ("Responders / n (%)", "Interval of the rate (level)")),
        Head("Missing as non-responders: responders / expected (%); interval"),
    )
    cases = ", ".join(table["denominator"].drop_nulls().unique().sort().to_list())
    notes = (
        f"n ({cases or 'none'}): participants with a baseline above zero and a value at the visit. Last column: "
        "everyone expected at the visit counts, without a value as a non-responder.",
        *_methods(table),
    )
    return TableView("Responders by definition, visit and group", heads, tuple(groups), notes)


def _rate_cells(row: Row) -> tuple[str, str, str]:
    imputed = row["nri_text"] or fmt.NOT_AVAILABLE
    if row["ci_low"] is None or row["ci_level"] is None:
        return row["rate_text"] or fmt.NOT_AVAILABLE, fmt.NOT_AVAILABLE, imputed
    return row["rate_text"], f"{row['ci_text']} ({fmt.short_number(100 * row['ci_level'])}%)", imputed


def _methods(table: pl.DataFrame) -> tuple[str, ...]:
    used = table.filter(pl.col("n") > 0)
    pairs = used.select("method", "engine_version").unique().sort("method", "engine_version")
    texts = [
        f"{method} (version {version})" if version else method
        for method, version in pairs.iter_rows()
        if method
    ]
    return (f"Method: {'; '.join(texts)}.",) if texts else ()


def _part(report: ReportInput, name: str, *, stratified: bool) -> pl.DataFrame | None:
    table = report.table(name)
    if table is None:
        return None
    part = table.filter(pl.col("stratum").is_not_null() if stratified else pl.col("stratum").is_null())
    return None if part.is_empty() else part


def _by(table: pl.DataFrame, column: str) -> list[list[Row]]:
    rows = table.sort("position").iter_rows(named=True)
    return [list(members) for _, members in groupby(rows, key=lambda row: row[column])]


def outcome_headings(report: ReportInput) -> dict[str, str]:
    """What stands above an outcome's rows: its name, the ends of its scale, which way is better.

    Args:
        report: Outcomes that `study.outcomes` no longer declares have no entry.
    """
    outcomes = report.table("study.outcomes")
    if outcomes is None:
        return {}
    return {row["outcome_id"]: _described(row) for row in outcomes.iter_rows(named=True)}


def _described(row: Row) -> str:
    name = str(row["label"] or row["outcome_id"])
    low, high = row["range_low"], row["range_high"]
    if low is not None and high is not None:
        name += f", {fmt.short_number(low)} to {fmt.short_number(high)}"
    better = {"lower": "lower is better", "higher": "higher is better"}.get(row["better"] or "", "")
    return f"{name} ({better})" if better else name


def _heading(row: Row, headings: Mapping[str, str]) -> str:
    return headings.get(row["outcome"]) or str(row["outcome_label"])


def _count(value: int | None) -> str:
    return fmt.NOT_AVAILABLE if value is None else str(value)
