"""The report's tables: statistics and results joined with their labels and written for people.

Belongs here: pure functions from warehouse frames to `report.*` frames. Does not belong here: computing statistics,
HTML, CSV. `position` (of genes: `rank`) is a row's place on the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.arms_table import ARMS
from fm_platform.reporting.characteristics import CHARACTERISTICS
from fm_platform.reporting.columns import outcome_of, place, shown, visit_of
from fm_platform.statistics.ard import ARD
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.statistics.responders import RESPONDER_COUNTS
from fm_platform.statistics.sources import OUTCOMES, RESPONDERS, VISITS
from fm_platform.warehouse.records import Column
from fm_platform.warehouse.table import Inputs, Table, count, direct, indirect, number, probability, text


def _visit_label(table: str) -> Column:
    label = direct(VISITS, "label", "visit_id")
    return text(
        "visit_label", "How the table calls the visit", label, direct(table, "visit"), visit_of(table)
    )


_CHANGE, _RESPONSE = SYMPTOM_CHANGE.name, RESPONDER_COUNTS.name
_DEFINITION = (
    *indirect(RESPONDERS, "responder_id", how="JOIN"),
    *indirect(_RESPONSE, "responder", how="JOIN"),
)

CHANGE = Table(
    "report.symptom_change",
    "Change from baseline by outcome, visit and stratum, ready to print.",
    key=SYMPTOM_CHANGE.key,
    reads=(_CHANGE, ARD, OUTCOMES, VISITS),
    columns=(
        *SYMPTOM_CHANGE.repeated("outcome visit stratum"),
        place(
            direct(OUTCOMES, "position"), direct(VISITS, "position"), outcome_of(_CHANGE), visit_of(_CHANGE)
        ),
        text(
            "outcome_label",
            "How the table calls the outcome",
            direct(OUTCOMES, "label", "outcome_id"),
            direct(_CHANGE, "outcome"),
            outcome_of(_CHANGE),
        ),
        _visit_label(_CHANGE),
        *SYMPTOM_CHANGE.repeated("family"),
        text(
            "better",
            "Whether lower or higher values are better",
            direct(OUTCOMES, "better", how="IDENTITY"),
            outcome_of(_CHANGE),
        ),
        *SYMPTOM_CHANGE.repeated(
            "n n_missing n_zero n_eff improved unchanged worsened median_baseline median_change hl_estimate hl_low "
            "hl_high hl_level p_value p_floor p_holm holm_floor rank_biserial family_size method note engine_version",
            printed=True,
        ),
        shown(
            "change_text",
            "The change as printed",
            direct(_CHANGE, "hl_estimate", "hl_low", "hl_high", "hl_level", "median_change"),
        ),
        shown("p_text", "The p-value as printed, with its floor", direct(_CHANGE, "p_value", "p_floor")),
    ),
)
RESPONSE = Table(
    "report.responders",
    "Responders by definition, visit and stratum, ready to print.",
    key=RESPONDER_COUNTS.key,
    reads=(_RESPONSE, ARD, RESPONDERS, OUTCOMES, VISITS),
    columns=(
        *RESPONDER_COUNTS.repeated("responder visit stratum"),
        place(direct(VISITS, "position"), _DEFINITION, visit_of(_RESPONSE)),
        text(
            "responder_label",
            "How the table calls the definition",
            direct(OUTCOMES, "label", "outcome_id"),
            direct(RESPONDERS, "reduction_percent", "label"),
            indirect(RESPONDERS, "outcome_id", how="JOIN"),
            direct(_RESPONSE, "responder"),
            _DEFINITION,
        ),
        _visit_label(_RESPONSE),
        *RESPONDER_COUNTS.repeated(
            "n n_missing responders n_nri rate ci_low ci_high ci_level rate_nri nri_low nri_high denominator method "
            "note engine_version",
            printed=True,
        ),
        shown("rate_text", "The rate as printed", direct(_RESPONSE, "responders", "n")),
        shown("ci_text", "The interval as printed", direct(_RESPONSE, "ci_low", "ci_high")),
        shown(
            "nri_text",
            "Rate and interval of everyone expected, as printed",
            direct(_RESPONSE, "responders", "n_nri", "nri_low", "nri_high"),
        ),
    ),
)

DE_RESULTS, CONTRASTS = "expression.de_results", "expression.contrasts"
_LISTED = (
    *indirect(DE_RESULTS, "pvalue"),
    *indirect(DE_RESULTS, "contrast", how="GROUP_BY"),
    *indirect(DE_RESULTS, "gene_id", how="SORT"),
)


def _copied(name: str) -> Inputs:
    return (*direct(DE_RESULTS, name, how="IDENTITY"), *_LISTED)


TOP_GENES = Table(
    "report.top_genes",
    "The genes with the smallest p-values of every contrast.",
    key=("contrast", "rank"),
    reads=(DE_RESULTS, CONTRASTS),
    columns=(
        text("contrast", "The contrast", _copied("contrast")),
        count(
            "rank",
            "Rank by p-value within the contrast, from 1",
            direct(DE_RESULTS, "pvalue", how="SORT"),
            _LISTED,
        ),
        text("gene_id", "The gene", _copied("gene_id"), written="text"),
        number("base_mean", "Mean of counts divided by size factors", _copied("base_mean"), written="0.1"),
        number("log2_fold_change", "Level over reference, log2", _copied("log2_fold_change"), written="0.01"),
        number("lfc_se", "Standard error of log2_fold_change", _copied("lfc_se"), written="0.01"),
        probability("pvalue", "Two-sided p-value", _copied("pvalue"), written="small p"),
        probability("padj", "Adjusted p-value", _copied("padj"), written="small p"),
        text(
            "status",
            "run or exploratory",
            direct(CONTRASTS, "status", how="IDENTITY"),
            indirect(CONTRASTS, "contrast", how="JOIN"),
            _LISTED,
        ),
        count("n_samples", "Samples of the contrast", _copied("n_samples"), type="INTEGER"),
        text("engine", "What computed it", _copied("engine")),
        text("engine_version", "Its version", _copied("engine_version")),
    ),
)

PRINTED: Mapping[str, Table] = {
    table.name: table for table in (CHARACTERISTICS, CHANGE, RESPONSE, ARMS, TOP_GENES)
}
"""The tables that the report prints, in its order."""


def symptom_change_table(
    stats: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame, *, within_arms: bool = False
) -> pl.DataFrame:
    """Change from baseline by outcome, visit and stratum, with the texts that a reader sees.

    Args:
        stats: `stats.symptom_change`, one row per outcome, visit and stratum (null: all participants).
        outcomes: `study.outcomes`.
        visits: `study.visits`.
        within_arms: Whether the strata are the arms of a trial: then their p-values are left out, because a
            change within an arm says nothing about the treatment.

    Returns:
        `report.symptom_change`: every statistic as it came (values in units of the outcome's scale, change is
        visit minus baseline), `change_text` (median change, and the Hodges-Lehmann estimate with its achieved
        interval) and `p_text` (exact p with its attainable floor).
    """
    labelled = _labelled(stats, _outcome_labels(outcomes), visits, "outcome")
    table = _as_declared(labelled, CHANGE)
    if within_arms:
        table = table.with_columns(pl.when(pl.col("stratum").is_null()).then(pl.col("p_value", "p_floor")))
    rows = list(table.iter_rows(named=True))
    texts = [
        pl.Series("change_text", [_change_text(row) for row in rows], dtype=pl.String),
        pl.Series("p_text", [fmt.p_value(row["p_value"], row["p_floor"]) for row in rows], dtype=pl.String),
    ]
    return table.with_columns(texts)


def _change_text(row: Mapping[str, Any]) -> str:
    if row["median_change"] is None:
        return fmt.NOT_AVAILABLE
    text = f"median {fmt.number(row['median_change'], signed=True)}"
    if row["hl_estimate"] is None:
        return text
    limits = fmt.interval(row["hl_low"], row["hl_high"], row["hl_level"])
    return f"{text}; HL {fmt.number(row['hl_estimate'], signed=True)} ({limits})"


def responders_table(
    stats: pl.DataFrame, responders: pl.DataFrame, outcomes: pl.DataFrame, visits: pl.DataFrame
) -> pl.DataFrame:
    """Responder rates by definition, visit and stratum.

    Args:
        stats: `stats.responders`; `rate`, `ci_low` and `ci_high` are shares between 0 and 1.
        responders: `study.responders`.
        outcomes: `study.outcomes`, for the label of what improves.
        visits: `study.visits`.

    Returns:
        `report.responders`, with `rate_text` ("4/6 (67%)"), `ci_text`, and `nri_text`: the same with
        everyone expected in the denominator and the missing counted as not responding.
    """
    definitions = (
        responders.with_row_index("entry_position")
        .join(_outcome_labels(outcomes).rename({"outcome": "outcome_id"}), on="outcome_id", how="left")
        .select(
            responder=pl.col("responder_id"),
            responder_label=pl.coalesce(
                "label",
                pl.format("{}: improved by at least {}% of baseline", "outcome_label", "reduction_percent"),
            ),
            entry_position=pl.col("entry_position").cast(pl.Int64),
        )
    )
    labelled = _labelled(stats, definitions, visits, "responder")
    table = _as_declared(labelled, RESPONSE)
    rows = list(table.iter_rows(named=True))
    texts = [
        pl.Series("rate_text", [_rate_text(row["responders"], row["n"]) for row in rows], dtype=pl.String),
        pl.Series(
            "ci_text", [fmt.rate_interval(row["ci_low"], row["ci_high"]) for row in rows], dtype=pl.String
        ),
        pl.Series("nri_text", [_nri_text(row) for row in rows], dtype=pl.String),
    ]
    return table.with_columns(texts)


def _nri_text(row: Mapping[str, Any]) -> str:
    rate = _rate_text(row["responders"], row["n_nri"])
    return (
        rate if rate == fmt.NOT_AVAILABLE else f"{rate}; {fmt.rate_interval(row['nri_low'], row['nri_high'])}"
    )


def _rate_text(responders: int | None, n: int | None) -> str:
    if responders is None or not n:
        return fmt.NOT_AVAILABLE
    return f"{responders}/{n} ({fmt.percent(responders, n)})"


def top_genes(results: pl.DataFrame, contrasts: pl.DataFrame, n: int = 20) -> pl.DataFrame:
    """The genes with the smallest p-values of each contrast.

    Args:
        results: `expression.de_results`; genes without a p-value take no part.
        contrasts: `expression.contrasts`, which says how each contrast was run.
        n: Genes a contrast.

    Returns:
        `report.top_genes`, ordered by p-value and then by gene id; `rank` counts from 1 within a contrast.
    """
    ranked = (
        results.filter(pl.col("pvalue").is_not_null() & pl.col("pvalue").is_not_nan())
        .sort("contrast", "pvalue", "gene_id")
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("contrast"))
        .filter(pl.col("rank") <= n)
    )
    how_run = contrasts.select(
        *_text("contrast", "status", "engine", "engine_version"),
        pl.col("n_samples").cast(pl.Int64),
    )
    return _as_declared(ranked.join(how_run, on="contrast", how="left").sort("contrast", "rank"), TOP_GENES)


def _labelled(stats: pl.DataFrame, entries: pl.DataFrame, visits: pl.DataFrame, entry: str) -> pl.DataFrame:
    """Statistics with the labels of their entry and visit, in page order."""
    visit_labels = visits.select(
        visit=pl.col("visit_id"),
        visit_label=_label_or_id("visit_id"),
        visit_position=pl.col("position").cast(pl.Int64),
    )
    return (
        stats.drop(
            [name for name in (*entries.columns, "position") if name != entry and name in stats.columns]
        )
        .join(entries, on=entry, how="left")
        .join(visit_labels, on="visit", how="left")
        .with_columns(
            pl.col(f"{entry}_label").fill_null(pl.col(entry)),
            pl.col("visit_label").fill_null(pl.col("visit")),
        )
        .sort(
            "entry_position",
            entry,
            "visit_position",
            "visit",
            "stratum",
            nulls_last=[True, True, True, True, False],
        )
        .with_columns(position=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    )


def _outcome_labels(outcomes: pl.DataFrame) -> pl.DataFrame:
    return outcomes.select(
        outcome=pl.col("outcome_id"),
        outcome_label=_label_or_id("outcome_id"),
        better=pl.col("better").cast(pl.String),
        entry_position=pl.col("position").cast(pl.Int64),
    )


def _label_or_id(identifier: str) -> pl.Expr:
    label = pl.col("label").cast(pl.String)
    return pl.when(label.fill_null("") == "").then(pl.col(identifier)).otherwise(label)


def _as_declared(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The table's columns but for the texts that are still to be written."""
    return frame.select(
        pl.col(column.name).cast(table.schema[column.name])
        for column in table.columns
        if column.name in frame.columns
    )


def _text(*names: str) -> Sequence[pl.Expr]:
    return [pl.col(name).cast(pl.String) for name in names]
