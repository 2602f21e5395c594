"""The result of one contrast as it is stored, and back: what every row says about the fit it comes from.

Belongs here: the table of a fit, its columns that other tables repeat, and reading results again. Does not belong here:
computing them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.fit.fit_facts import FACT_TYPES
from fm_platform.expression.fit.results import DESEQ2_NAMES, SHRUNK, DeResult

_NOTE_BREAK = "\n"

RESULT_TYPES: Mapping[str, pl.DataType] = {
    "contrast": pl.String(),
    "gene_id": pl.String(),
    **dict.fromkeys((*DESEQ2_NAMES, SHRUNK), pl.Float64()),
    "na_reason": pl.String(),
    "na_detail": pl.String(),
    "n_samples": pl.Int32(),
    "engine": pl.String(),
    "engine_version": pl.String(),
    "fit_notes": pl.String(),
}
"""The columns of ``expression.de_results``; its key is contrast, gene_id."""

FIT_TYPES: Mapping[str, pl.DataType] = {**RESULT_TYPES, **FACT_TYPES}
"""The table of one contrast: results, then what the fit found besides."""

DISPERSION_COLUMNS = {
    "base_mean": "base_mean",
    "gene_wise": "dispersion_gene_wise",
    "trend": "dispersion_trend",
    "prior_variance": "dispersion_prior_variance",
    "map": "dispersion_map",
    "dispersion": "dispersion",
    "outlier": "dispersion_outlier",
}
"""``expression.dispersions`` but for its key: column, and that of the contrast's table."""

COOKS_COLUMNS = {
    "sample_id": "cooks_sample",
    "distance": "cooks_distance",
    "cutoff": "cooks_cutoff",
    "flagged": "cooks_flagged",
    "replaced": "cooks_replaced",
}
"""``expression.cooks`` but for its key: column, and that of the contrast's table."""


def fit_table(plan: ContrastPlan, result: DeResult | None) -> pl.DataFrame:
    """The table of one contrast; key contrast, gene_id. Empty for a skipped contrast.

    Args:
        plan: The contrast.
        result: Its result; None when it is skipped.
    """
    if result is None:
        return pl.DataFrame(schema=dict(FIT_TYPES))
    rows = result.frame
    if result.facts is not None:
        rows = rows.join(result.facts, on="gene_id", how="left", maintain_order="left")
    rows = rows.with_columns(
        contrast=pl.lit(plan.contrast.id),
        n_samples=pl.lit(len(plan.samples)),
        engine=pl.lit(result.engine),
        engine_version=pl.lit(result.engine_version),
        fit_notes=pl.lit(_NOTE_BREAK.join(result.notes) or None),
    )
    absent = [pl.lit(None).alias(name) for name in FIT_TYPES if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in FIT_TYPES.items())


def stored_results(plans: Sequence[ContrastPlan], stored: pl.DataFrame) -> dict[str, DeResult]:
    """The results of each contrast that the table holds, but for size factors and facts of the fit.

    Args:
        plans: In the order of study.yaml.
        stored: ``expression.de_results``.
    """
    found = {}
    for plan in plans:
        rows = stored.filter(pl.col("contrast") == plan.contrast.id)
        if rows.is_empty():
            continue
        first = rows.row(0, named=True)
        found[plan.contrast.id] = DeResult(
            frame=rows.select("gene_id", *DESEQ2_NAMES, SHRUNK, "na_reason", "na_detail"),
            alpha=plan.contrast.alpha,
            size_factors=(),
            notes=tuple((first["fit_notes"] or "").split(_NOTE_BREAK)) if first["fit_notes"] else (),
            engine=first["engine"],
            engine_version=first["engine_version"],
        )
    return found
