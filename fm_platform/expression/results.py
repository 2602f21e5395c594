"""What a contrast yields: one row per gene with a reason for every gap, and how it was made.

Belongs here: the result type and its columns. Does not belong here: fitting (``engine``) and tables over
several contrasts (``tables``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

SHRUNK = "log2_fold_change_shrunk"
DISPERSION = "dispersion"

DESEQ2_NAMES: Mapping[str, str] = {
    "base_mean": "baseMean",
    "log2_fold_change": "log2FoldChange",
    "lfc_se": "lfcSE",
    "stat": "stat",
    "pvalue": "pvalue",
    "padj": "padj",
}
"""Our column names and DESeq2's."""


@dataclass(frozen=True, eq=False)
class DeResult:
    """The result of one contrast.

    Attributes:
        frame: One row per gene, in the order given: gene_id, base_mean (mean normalised count),
            log2_fold_change, lfc_se, stat (Wald z), pvalue (two-sided), padj (Benjamini-Hochberg after
            independent filtering), na_reason, na_detail (which sample, which mean; null for engines that do
            not say), log2_fold_change_shrunk when asked for, and
            dispersion (the one used, from engines that say it). na_reason: ``all_zero`` (no sample has a
            read), ``cooks_outlier`` (one sample decides; no p), ``low_mean_filtered`` (p, but no adjusted p),
            ``not_counted`` (the file of some sample lacks the gene), ``not_estimated`` (the fit gave no p),
            or null.
        alpha: The level that independent filtering was tuned for.
        size_factors: One per sample of the plan.
        notes: Warnings of the fit, in plain words.
        engine: Name of the engine, with its mode if it has several.
        engine_version: Its version.
        mode: ``r_compat``, ``exact`` or None.
    """

    frame: pl.DataFrame
    alpha: float
    size_factors: tuple[float, ...]
    notes: tuple[str, ...]
    engine: str
    engine_version: str
    mode: str | None = None

    @property
    def n_tested(self) -> int:
        """Genes with a p-value."""
        return self.frame.height - self.frame["pvalue"].null_count()

    @property
    def n_up(self) -> int:
        """Genes with padj < alpha and a positive fold change."""
        return self._significant(pl.col("log2_fold_change") > 0)

    @property
    def n_down(self) -> int:
        """Genes with padj < alpha and a negative fold change."""
        return self._significant(pl.col("log2_fold_change") < 0)

    @property
    def n_significant(self) -> int:
        """Genes with padj < alpha."""
        return self._significant(pl.lit(True))

    def _significant(self, condition: pl.Expr) -> int:
        return self.frame.filter((pl.col("padj") < self.alpha) & condition).height


@dataclass(frozen=True, eq=False)
class Gaps:
    """What an engine knows about values it does not give, for the counted genes.

    Attributes:
        outlier: Genes without p-value because of one sample.
        samples: That sample's name.
        distances: Its Cook's distance.
        threshold: Mean below which there is no adjusted p-value.
    """

    outlier: NDArray[np.bool_]
    samples: Sequence[str | None]
    distances: NDArray[np.float64]
    threshold: float


def assemble(
    gene_ids: Sequence[str],
    values: Mapping[str, NDArray[np.float64]],
    counted: NDArray[np.bool_],
    cooks: NDArray[np.bool_],
    gaps: Gaps | None = None,
) -> pl.DataFrame:
    """The frame of a :class:`DeResult`.

    Args:
        gene_ids: All genes, in matrix order.
        values: The columns of :data:`DESEQ2_NAMES` and possibly :data:`SHRUNK` and :data:`DISPERSION`, one value
            per counted gene, NaN where there is none.
        counted: Per gene, whether every sample of the contrast has a count for it.
        cooks: Per counted gene, whether Cook's distance flags it.
        gaps: Details for ``na_detail``.
    """
    columns = {name: _spread(column, counted) for name, column in values.items()}
    flagged = np.zeros(len(counted), dtype=bool)
    flagged[counted] = cooks
    without_p = pl.col("pvalue").is_null()
    reason = (
        pl.when(~pl.lit(pl.Series(counted)))
        .then(pl.lit("not_counted"))
        .when(pl.col("base_mean") == 0)
        .then(pl.lit("all_zero"))
        .when(without_p & pl.lit(pl.Series(flagged)))
        .then(pl.lit("cooks_outlier"))
        .when(without_p)
        .then(pl.lit("not_estimated"))
        .when(pl.col("padj").is_null())
        .then(pl.lit("low_mean_filtered"))
    )
    frame = pl.DataFrame({"gene_id": pl.Series(gene_ids, dtype=pl.String), **columns})
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None)).with_columns(na_reason=reason)
    return frame.with_columns(na_detail=pl.lit(None, pl.String) if gaps is None else _detail(gaps, counted))


def _detail(gaps: Gaps, counted: NDArray[np.bool_]) -> pl.Expr:
    """Which sample made an outlier, and below which mean genes were filtered."""
    said = [
        f"sample {name}, Cook's distance {distance:.3g}" if flagged else None
        for flagged, name, distance in zip(gaps.outlier, gaps.samples, gaps.distances, strict=True)
    ]
    texts: list[str | None] = [None] * len(counted)
    for position, text in zip(np.flatnonzero(counted), said, strict=True):
        texts[position] = text
    below = pl.format(
        "mean {} below {}", pl.col("base_mean").round_sig_figs(3), pl.lit(round(gaps.threshold, 6))
    )
    return (
        pl.when(pl.col("na_reason") == "cooks_outlier")
        .then(pl.lit(pl.Series(texts, dtype=pl.String)))
        .when(pl.col("na_reason") == "low_mean_filtered")
        .then(below)
    )


def _spread(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    full = np.full(len(counted), np.nan)
    full[counted] = values
    return full
