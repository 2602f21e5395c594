"""Why a gene has no value in a result, in a code and in words.

Belongs here: the reason codes, what an engine must know to give them, their precedence. Does not belong here: deciding
what an outlier or a filtered gene is (``cooks``, ``filtering``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

REASONS: Mapping[str, str] = {
    "not_counted": "the file of some sample does not list the gene",
    "all_zero": "no sample of the contrast has a read",
    "cooks_outlier": "one sample decides the result (Cook's distance), so no p-value is given",
    "not_converged": "the fit of the gene did not end, and gave no p-value",
    "not_estimated": "the fit gave no p-value",
    "contrast_all_zero": "no read in any compared sample: fold change 0 and p 1 stand for no information",
    "replaced_to_zero": "all reads are counts that one sample decides (Cook's distance), replaced by 0: "
    "fold change 0 and p 1 stand for no information",
    "low_mean_filtered": "independent filtering left the gene out: a p-value, but no adjusted one",
    "unreplicated": "one sample against one: a fold change, but no test",
}
"""Every ``na_reason`` and what it means; the first that holds is given. Null: the gene has all values."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """What an engine knows about values that it does not give, for the counted genes.

    Attributes:
        outlier: Genes without p-value because of one sample.
        silent: Genes with reads, but none at the compared levels.
        unsettled: Genes whose fit did not end by itself.
        samples: Name of the sample that makes an outlier, or None.
        distances: Its Cook's distance.
        emptied: Outliers that have no reads left once the outlier count is replaced.
        threshold: Mean below which there is no adjusted p-value, or None if the engine does not say.
    """

    outlier: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    unsettled: NDArray[np.bool_] | None = None
    samples: Sequence[str | None] = ()
    distances: NDArray[np.float64] | None = None
    emptied: NDArray[np.bool_] | None = None
    threshold: float | None = None


def reasons(gaps: Gaps, counted: NDArray[np.bool_]) -> tuple[pl.Expr, pl.Expr]:
    """``na_reason`` and ``na_detail`` of a frame with base_mean, pvalue and padj of every gene.

    Args:
        gaps: For the counted genes.
        counted: Per gene of the frame, whether every sample of the contrast has a count for it.
    """
    without_p = pl.col("pvalue").is_null()
    reason = (
        pl.when(pl.lit(pl.Series(~counted)))
        .then(pl.lit("not_counted"))
        .when(without_p & _flags(gaps.outlier, counted))
        .then(pl.lit("cooks_outlier"))
        .when(_flags(gaps.emptied, counted))
        .then(pl.lit("replaced_to_zero"))
        .when(pl.col("base_mean") == 0)
        .then(pl.lit("all_zero"))
        .when(without_p & _flags(gaps.unsettled, counted))
        .then(pl.lit("not_converged"))
        .when(without_p)
        .then(pl.lit("not_estimated"))
        .when(_flags(gaps.silent, counted))
        .then(pl.lit("contrast_all_zero"))
        .when(pl.col("padj").is_null())
        .then(pl.lit("low_mean_filtered"))
    )
    detail = (
        pl.when(reason.is_in(["cooks_outlier", "replaced_to_zero"]))
        .then(_texts(_outliers(gaps), counted))
        .when(reason == "low_mean_filtered")
        .then(_below(gaps.threshold))
    )
    return reason.alias("na_reason"), detail.alias("na_detail")


def spread(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values of the counted genes among those of all genes; NaN for the others."""
    full = np.full(len(counted), np.nan)
    full[counted] = values
    return full


def _flags(values: NDArray[np.bool_] | None, counted: NDArray[np.bool_]) -> pl.Expr:
    full = np.zeros(len(counted), dtype=bool)
    if values is not None:
        full[counted] = values
    return pl.lit(pl.Series(full))


def _texts(values: Sequence[str | None], counted: NDArray[np.bool_]) -> pl.Expr:
    texts: list[str | None] = [None] * len(counted)
    for position, text in zip(np.flatnonzero(counted), values, strict=True):
        texts[position] = text
    return pl.lit(pl.Series(texts, dtype=pl.String))


def _outliers(gaps: Gaps) -> list[str | None]:
    """Which sample it is, for every flagged gene."""
    said: list[str | None] = [None] * len(gaps.outlier)
    if gaps.distances is None:
        return said
    for index in np.flatnonzero(gaps.outlier).tolist():
        said[index] = f"sample {gaps.samples[index]}, Cook's distance {gaps.distances[index]:.3g}"
        if gaps.emptied is not None and gaps.emptied[index]:
            said[index] = f"{said[index]}; without its reads the gene has none"
    return said


def _below(threshold: float | None) -> pl.Expr:
    if threshold is None:
        return pl.lit(None, pl.String)
    return pl.format("mean {} below {}", pl.col("base_mean").round_sig_figs(3), pl.lit(round(threshold, 6)))
