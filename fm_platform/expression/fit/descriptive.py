"""One sample against one: fold changes to look at, without standard errors and p-values.

Belongs here: the description of an unreplicated contrast. Does not belong here: when a contrast is one (``contrasts``),
tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.designs.sizing import sample_factors
from fm_platform.expression.fit.checks import check_reads
from fm_platform.expression.fit.gaps import spread
from fm_platform.expression.fit.model import Options
from fm_platform.expression.fit.results import DeResult
from fm_platform.expression.quality.qc_normalize import length_factors

ENGINE = "description"
ENGINE_VERSION = "1.0"
ADDED = 0.5
"""Added to both normalised counts, so that a gene without reads in one sample has a finite fold change."""

NOTE = (
    "one sample against one: how much single samples scatter is unknown, so there is no test; fold changes are "
    f"log2 of normalised counts plus {ADDED:g}"
)


def describe(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    options: Options | None = None,
) -> DeResult:
    """The fold change of every gene between the two samples.

    Args:
        counts: Genes x samples of the study.
        lengths: Average transcript lengths of that shape, or None.
        gene_ids: One per row.
        plan: With one sample at either level.
        options: Where the size factors are from.

    Returns:
        ``base_mean`` is over all samples of the plan; lfc_se, stat, pvalue and padj are null, ``na_reason`` is
        ``unreplicated``, or ``all_zero`` or ``not_counted`` with no fold change either.

    Raises:
        InputError: A sample has no reads.
    """
    assert plan.design is not None
    (level,), (reference,) = plan.level_samples, plan.reference_samples
    columns = np.array(plan.matrix_columns)
    counted: NDArray[np.bool_] = (counts[:, columns] != NOT_COUNTED).all(axis=1)
    chosen = counts[np.ix_(counted, columns)]
    check_reads(chosen, plan)
    by_length = np.ones((1, 1)) if lengths is None else length_factors(lengths[np.ix_(counted, columns)])
    sized = chosen / by_length
    factors = sample_factors(
        sized, counted, plan.matrix_columns, options or Options(), ratio_or_poscounts=True
    )
    normed = chosen / (by_length * factors)
    fold = np.log2((normed[:, level] + ADDED) / (normed[:, reference] + ADDED))
    silent = ~chosen.any(axis=1)
    values = {
        "base_mean": normed.mean(axis=1),
        "log2_fold_change": np.where(silent, np.nan, fold),
        **dict.fromkeys(("lfc_se", "stat", "pvalue", "padj"), np.full(len(chosen), np.nan)),
    }
    none, zero = ~counted, np.zeros(len(counted), dtype=bool)
    zero[counted] = silent
    reason = np.where(none, "not_counted", np.where(zero, "all_zero", "unreplicated"))
    frame = pl.DataFrame(
        {
            "gene_id": pl.Series(gene_ids, dtype=pl.String),
            **{name: spread(column, counted) for name, column in values.items()},
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
    frame = frame.with_columns(
        na_reason=pl.Series(reason.tolist(), dtype=pl.String), na_detail=pl.lit(None, pl.String)
    )
    return DeResult(
        frame=frame,
        alpha=plan.contrast.alpha,
        size_factors=tuple(float(value) for value in factors),
        notes=(*plan.design.notes, NOTE),
        engine=ENGINE,
        engine_version=ENGINE_VERSION,
    )
