"""The expression part of the report: how each contrast was run, its volcano plot, its leading genes.

Belongs here: laying out DE results as printed tables. Does not belong here: HTML, testing genes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from fm_platform.expression.fit.gaps import REASONS
from fm_platform.reporting import format as fmt
from fm_platform.reporting.page import Head, ReportInput, RowGroup, TableView
from fm_platform.sources.counts.units import is_acceptance

ContrastRow = Mapping[str, Any]
"""A row of `expression.contrasts`. The report names, cuts and counts by it, not by study.yaml: when the half
is blocked, the shown results are those of an earlier declaration."""


def contrasts_in_order(report: ReportInput) -> list[ContrastRow]:
    """The contrasts, in the order of study.yaml; those no longer declared there come last."""
    table = report.table("expression.contrasts")
    if table is None:
        return []
    place = {contrast.id: index for index, contrast in enumerate(report.study.contrasts)}
    rows = table.iter_rows(named=True)
    return sorted(rows, key=lambda row: (place.get(row["contrast"], len(place)), row["contrast"]))


def contrast_title(row: ContrastRow) -> str:
    """What a contrast compares."""
    if row["variable"] is None:
        return str(row["label"])
    compared = f"{row['variable']}: {row['level']} vs {row['reference']}"
    return compared if row["label"] in (None, "", compared) else f"{row['label']} ({compared})"


def is_exploratory(row: ContrastRow) -> bool:
    """Whether a contrast has too little replication for a finding."""
    return bool(row["status"] == "exploratory")


def accepted(row: ContrastRow) -> tuple[str, ...]:
    """What is said wherever a contrast is shown of doubtful counts that were accepted."""
    return tuple(f"{_capital(note)}." for note in row["notes"] or () if is_acceptance(note))


def contrast_table(report: ReportInput) -> TableView | None:
    """How each contrast was run, and how many genes passed its cut-off."""
    contrasts = contrasts_in_order(report)
    if not contrasts:
        return None
    rows, notes = [], []
    for row in contrasts:
        title = contrast_title(row)
        rows.append(
            (
                title,
                str(row["design"]),
                _samples(row),
                _text(row["residual_df"]),
                str(row["status"]),
                _of(row["n_tested"], row.get("n_genes")),
                _passed(row),
            )
        )
        if row["reason"]:
            notes.append(f"{title}: {row['status']}, because of {row['reason']}.")
        if row.get("n_refits"):
            notes.append(
                f"{title}: {fmt.count(row['n_stable'])} of {fmt.count(row['n_significant'])} genes stay below the "
                f"cut-off, with the same sign, in each of {row['n_refits']} refits without one sample."
            )
        notes += [f"{title}: {note}" for note in row["notes"] or ()]
    heads = (
        Head("Contrast", numeric=False),
        Head("Design", numeric=False),
        *(Head(text) for text in ("Samples (level vs reference)", "Residual df")),
        Head("Status", numeric=False),
        *(Head(text) for text in ("Genes tested", "Genes with adjusted p below the cut-off")),
    )
    return TableView("Contrasts", heads, (RowGroup(tuple(rows)),), (*notes, *_engines(contrasts)))


def gap_table(report: ReportInput) -> TableView | None:
    """How many genes of each contrast lack a value, and why."""
    results, contrasts = report.table("expression.de_results"), contrasts_in_order(report)
    if results is None or not contrasts:
        return None
    counted = results.filter(pl.col("na_reason").is_not_null()).group_by("contrast", "na_reason").len()
    found = {(contrast, reason): n for contrast, reason, n in counted.iter_rows()}
    sizes = dict(results.group_by("contrast").len().iter_rows())
    shown = [reason for reason in REASONS if any(reason == seen for _, seen in found)]
    if not shown:
        return None
    rows = tuple(
        (
            contrast_title(row),
            fmt.count(sizes.get(row["contrast"])),
            *(fmt.count(found.get((row["contrast"], reason), 0)) for reason in shown),
        )
        for row in contrasts
        if row["status"] != "skipped"
    )
    heads = (Head("Contrast", numeric=False), Head("Genes"), *(Head(_reason(reason)) for reason in shown))
    notes = tuple(f"{_reason(reason)}: {REASONS[reason]}." for reason in shown)
    return TableView(
        "Genes without a p-value or without an adjusted one, by reason", heads, (RowGroup(rows),), notes
    )


def top_gene_table(report: ReportInput, row: ContrastRow) -> TableView | None:
    """The leading genes of one contrast."""
    genes = report.table("report.top_genes")
    if genes is None:
        return None
    mine = genes.filter(pl.col("contrast") == row["contrast"]).sort("rank")
    if mine.is_empty():
        return None
    rows = tuple(
        (
            str(gene["gene_id"]),
            str(gene["rank"]),
            fmt.number(gene["base_mean"], grouped=True),
            fmt.number(gene["log2_fold_change"], 2, signed=True),
            fmt.number(gene["lfc_se"], 2),
            fmt.small_p(gene["pvalue"]),
            fmt.small_p(gene["padj"]),
        )
        for gene in mine.iter_rows(named=True)
    )
    heads = (
        Head("Gene", numeric=False),
        *(Head(text) for text in ("Rank", "Base mean", "log2 fold change", "SE", "p", "Adjusted p")),
    )
    exploratory = is_exploratory(row)
    notes = (
        *(("Exploratory: a ranking to look at, not a list of findings.",) if exploratory else ()),
        *accepted(row),
        f"n = {_text(row['n_samples'])} samples, design {row['design']}. Ordered by p, then by gene.{direction(row)} "
        "Base mean: mean of the normalised counts of these samples; SE: standard error of the log2 fold change. "
        f"{_capital(row.get('test') or 'Wald test')}; p adjusted after Benjamini and Hochberg "
        f"({fmt.NOT_AVAILABLE}: not adjusted, its mean count is too low).",
        *_engines([row]),
    )
    caption = f"Genes with the smallest p-values, {contrast_title(row)}"
    return TableView(caption + (" (exploratory)" if exploratory else ""), heads, (RowGroup(rows),), notes)


def direction(row: ContrastRow) -> str:
    """Which sign of a fold change stands for what, as a sentence after a space; empty where that has no name."""
    if row["variable"] is None:
        return ""
    return (
        f" A positive log2 fold change means higher expression with {row['variable']} "
        f"{row['level']} than with {row['reference']}."
    )


def _reason(code: str) -> str:
    return "Cook's outlier" if code == "cooks_outlier" else _capital(code.replace("_", " "))


def _samples(row: ContrastRow) -> str:
    groups = (row.get("n_level"), row.get("n_reference"))
    return _text(row["n_samples"]) + (f" ({groups[0]} vs {groups[1]})" if None not in groups else "")


def _of(part: int | None, whole: int | None) -> str:
    return fmt.count(part) if whole is None or part is None else f"{fmt.count(part)} of {fmt.count(whole)}"


def _passed(row: ContrastRow) -> str:
    if row["n_significant"] is None:
        return fmt.NOT_AVAILABLE
    return f"{fmt.count(row['n_significant'])} at {row['alpha']:g}"


def _engines(contrasts: list[ContrastRow]) -> tuple[str, ...]:
    named = {f"{row['engine']} {row['engine_version']}" for row in contrasts if row["engine"]}
    return (f"Engine: {'; '.join(sorted(named))}.",) if named else ()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(value: object) -> str:
    return fmt.NOT_AVAILABLE if value is None else str(value)
