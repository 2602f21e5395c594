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

from fm_platform.expression.fit.gaps import Gaps, reasons, spread

SHRUNK = "log2_fold_change_shrunk"

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
            independent filtering), na_reason and na_detail (see :data:`~fm_platform.expression.fit.gaps.REASONS`), and
            log2_fold_change_shrunk when asked for.
        alpha: The level that independent filtering was tuned for.
        size_factors: One per sample of the plan.
        notes: Warnings of the fit, in plain words.
        engine: Name of the engine, with its mode if it has several.
        engine_version: Its version.
        mode: ``r_compat``, ``exact`` or None.
        facts: One row per fitted gene with its dispersions and Cook's distance (``fit_facts``); None where the
            engine does not give them.
    """

    frame: pl.DataFrame
    alpha: float
    size_factors: tuple[float, ...]
    notes: tuple[str, ...]
    engine: str
    engine_version: str
    mode: str | None = None
    facts: pl.DataFrame | None = None

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


def assemble(
    gene_ids: Sequence[str],
    values: Mapping[str, NDArray[np.float64]],
    counted: NDArray[np.bool_],
    gaps: Gaps,
) -> pl.DataFrame:
    """The frame of a :class:`DeResult`.

    Args:
        gene_ids: All genes, in matrix order.
        values: The columns of :data:`DESEQ2_NAMES` and possibly :data:`SHRUNK`, one value per counted gene,
            NaN where there is none.
        counted: Per gene, whether every sample of the contrast has a count for it.
        gaps: What is known about missing values.
    """
    columns = {name: spread(column, counted) for name, column in values.items()}
    frame = pl.DataFrame({"gene_id": pl.Series(gene_ids, dtype=pl.String), **columns})
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    return frame.with_columns(*reasons(gaps, counted))
