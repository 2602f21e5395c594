"""Leave-one-out refits of contrasts: ``expression.stability_<contrast>`` and ``expression.stability``.

Belongs here: these assets. Does not belong here: the refits (``expression.stability``).
"""

from __future__ import annotations

from functools import partial

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.expression.fits import (
    COUNTS,
    KEY,
    SAMPLES,
    STABILITY,
    fit_lineage,
    fit_table_name,
    has_stability,
    plans_of,
    union_of,
)
from fm_platform.catalog.expression.read_columns import design_inputs
from fm_platform.expression.counts import counts_array
from fm_platform.expression.lengths import lengths_array
from fm_platform.expression.quality.stability import called_genes, stability_table
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.warehouse.records import ColumnInput
from fm_platform.warehouse.table import direct, indirect

STABILITY_COLUMNS = columns(
    contrast="The contrast",
    gene_id="A gene that the contrast calls: padj below its alpha",
    padj="Its adjusted p-value with all samples",
    log2_fold_change="Its fold change with all samples, log2",
    n_refits="Refits, each without one sample",
    n_called="Of these, refits that call it, too, with a fold change of the same sign",
    lost_without="Samples without which it is not called",
    padj_max="The largest adjusted p-value of all refits; null where one gives none",
    log2_fold_change_min="The smallest fold change of all refits",
    log2_fold_change_max="The largest one",
    note="Which refits cannot be, and why",
)


def stability_assets(study: Study) -> list[Asset]:
    """The assets, unless study.yaml says ``stability: false``."""
    if not has_stability(study):
        return []
    own = [_stability(study, contrast.id) for contrast in study.contrasts]
    taken = {column.name: column.name for column in STABILITY_COLUMNS if column.name not in KEY}
    tables = [asset.table for asset in own]
    described = "How many refits without one sample call a gene that its contrast calls."
    return [*own, union_of(STABILITY, described, tables, taken, STABILITY_COLUMNS)]


def _stability(study: Study, contrast: str) -> Asset:
    fitted = fit_table_name(contrast)
    return Asset(
        table=f"{STABILITY}_{contrast}",
        description=f"Contrast {contrast} without one sample after the other: genes that stay called.",
        group="expression",
        kinds=("numpy", "duckdb"),
        half="expression",
        inputs=(SAMPLES, COUNTS, fitted),
        key=KEY,
        study_keys=(f"contrasts.{contrast}", "expression.size_factors", "expression.stability"),
        code_version=code_version(build_stability),
        build=partial(build_stability, contrast=contrast),
        lineage=_lineage(study, contrast),
        columns=STABILITY_COLUMNS,
    )


def _lineage(
    study: Study, contrast: str, samples: pl.DataFrame | None = None
) -> dict[str, tuple[ColumnInput, ...]]:
    """Column lineage: what a refit without one sample is made from, and which genes the whole fit calls."""
    fitted = fit_table_name(contrast)
    called = indirect(fitted, "padj", "gene_id")
    matched = (*indirect(COUNTS, "gene_id", how="JOIN"), *called)
    signed = (*indirect(fitted, "log2_fold_change"), *matched)
    refits = fit_lineage(study, contrast, STABILITY_COLUMNS, samples)
    planned = design_inputs(study, next(entry for entry in study.contrasts if entry.id == contrast), samples)
    own = {
        name: (*direct(fitted, name, how="IDENTITY"), *called) for name in (*KEY, "padj", "log2_fold_change")
    }
    own["n_refits"] = (*direct(SAMPLES, "position", how="AGGREGATION"), *planned, *called)
    own["note"] = (*direct(SAMPLES, "sample_id"), *planned, *called)
    own |= {name: (*refits[name], *signed) for name in ("n_called", "lost_without")}
    return {name: own.get(name, (*inputs, *matched)) for name, inputs in refits.items()}


def build_stability(step: Step, contrast: str) -> Built:
    """``expression.stability_<contrast>``."""
    assert step.study.expression is not None
    (plan,) = plans_of(step, contrast)
    counts = step.read(COUNTS)
    gene_ids, matrix = counts_array(counts)
    rows = stability_table(
        matrix,
        lengths_array(counts),
        gene_ids,
        step.read(SAMPLES),
        plan,
        called_genes(step.read(fit_table_name(contrast)), plan.contrast.alpha),
        wanted=step.study.expression.stability,
        size_factors=step.study.expression.size_factors,
        progress=step.progress,
    )
    stable = rows.filter(pl.col("n_called") == pl.col("n_refits")).height
    return Built(
        rows=rows,
        lineage=_lineage(step.study, contrast, step.read(SAMPLES)),
        metadata={"called": rows.height, "called_in_every_refit": stable},
    )
