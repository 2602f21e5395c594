"""Does a gene stay called whichever sample is left out? Every contrast again, without one sample after the other.

Belongs here: the refits, what they say of the genes that the contrast calls, when they are too many. Does not belong
here: one fit (``run``), planning (``contrasts``).

A refit is a whole one: size factors, dispersions, prior, outliers and filtering are those of the samples left, for a
sample that shifts the trend counts as much as one that shifts a gene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrast
from fm_platform.expression.designs.sizing import sizing
from fm_platform.expression.run import run_plan
from fm_platform.study.expression import SizeFactorsSource

ESTIMATED = SizeFactorsSource()
AFFORDABLE = 5_000_000
"""Genes x samples x samples up to which refits are made unasked: about ten seconds on one core."""

STABILITY_TYPES = {
    "contrast": pl.String(),
    "gene_id": pl.String(),
    "padj": pl.Float64(),
    "log2_fold_change": pl.Float64(),
    "n_refits": pl.Int32(),
    "n_called": pl.Int32(),
    "lost_without": pl.List(pl.String()),
    "padj_max": pl.Float64(),
    "log2_fold_change_min": pl.Float64(),
    "log2_fold_change_max": pl.Float64(),
    "note": pl.String(),
}


@dataclass(frozen=True, eq=False)
class _Refit:
    """A contrast without one sample: adjusted p-values and fold changes of the called genes, NaN where none."""

    left_out: str
    padj: NDArray[np.float64]
    fold: NDArray[np.float64]


def called_genes(fitted: pl.DataFrame, alpha: float) -> pl.DataFrame:
    """The rows of a contrast's table with padj below alpha."""
    return fitted.filter(pl.col("padj") < alpha).sort("gene_id")


def stability_table(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    samples: pl.DataFrame,
    plan: ContrastPlan,
    called: pl.DataFrame,
    *,
    wanted: bool | None = None,
    size_factors: SizeFactorsSource = ESTIMATED,
    progress: Callable[[str], None] = lambda _: None,
) -> pl.DataFrame:
    """The rows of ``expression.stability`` of one contrast; key contrast, gene_id.

    Args:
        counts: Genes x samples of the study.
        lengths: Average transcript lengths of that shape, or None.
        gene_ids: One per row.
        samples: ``expression.samples``.
        plan: The contrast with all its samples.
        called: Of :func:`called_genes`.
        wanted: Whether refits are to be made; None: where they cost little (see :data:`AFFORDABLE`).
        size_factors: How those of the refits come about.
        progress: Told what is being done.

    Returns:
        One row per called gene. ``n_called`` of ``n_refits`` refits call it, too, with a fold change of the same sign
        (null without refits); ``lost_without`` names the samples without which it is not called. ``note`` says which
        refits cannot be.
    """
    if called.is_empty():
        return pl.DataFrame(schema=STABILITY_TYPES)
    cost = len(gene_ids) * len(plan.samples) ** 2
    if wanted is None and cost > AFFORDABLE:
        note = (
            f"no refits: {len(plan.samples)} of {len(gene_ids)} genes would take long; "
            "`stability: true` under expression: asks for them"
        )
        return _rows(plan, called, [], note)
    refits, refused = [], []
    for left_out in plan.samples:
        progress(f"{plan.contrast.id} without {left_out}")
        made = _without(left_out, counts, lengths, gene_ids, samples, plan, called, size_factors)
        if isinstance(made, str):
            refused.append(f"without {left_out}: {made}")
        else:
            refits.append(made)
    return _rows(plan, called, refits, _told(refused))


def _without(
    left_out: str,
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    samples: pl.DataFrame,
    plan: ContrastPlan,
    called: pl.DataFrame,
    size_factors: SizeFactorsSource,
) -> _Refit | str:
    """The refit, or why there is none."""
    try:
        left = plan_contrast(samples.filter(pl.col("sample_id") != left_out), plan.contrast)
        if left.status == "descriptive":
            return str(left.reason)
        options = sizing(size_factors, samples, gene_ids, left, counts.shape[1])
        frame = run_plan(counts, lengths, gene_ids, left, options=options).frame
    except InputError as error:
        return error.message
    found = called.select("gene_id").join(
        frame.select("gene_id", "padj", "log2_fold_change"), on="gene_id", how="left", maintain_order="left"
    )
    return _Refit(
        left_out,
        found["padj"].fill_null(np.nan).to_numpy(),
        found["log2_fold_change"].fill_null(np.nan).to_numpy(),
    )


def _told(refused: Sequence[str]) -> str | None:
    """Refits that cannot be, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for text in refused:
        who, _, why = text.partition(": ")
        by_reason.setdefault(why, []).append(who.removeprefix("without "))
    return "; ".join(f"no refit without {', '.join(who)}: {why}" for why, who in by_reason.items()) or None


def _rows(
    plan: ContrastPlan, called: pl.DataFrame, refits: Sequence[_Refit], note: str | None
) -> pl.DataFrame:
    shape = (len(refits), called.height)
    padj = np.array([refit.padj for refit in refits]).reshape(shape)
    fold = np.array([refit.fold for refit in refits]).reshape(shape)
    same = np.sign(fold) == np.sign(called["log2_fold_change"].to_numpy())
    keeps = (padj < plan.contrast.alpha) & same
    names = [refit.left_out for refit in refits]
    known = np.isfinite(padj)
    columns = {
        "contrast": [plan.contrast.id] * called.height,
        "gene_id": called["gene_id"],
        "padj": called["padj"],
        "log2_fold_change": called["log2_fold_change"],
        "n_refits": [len(refits)] * called.height,
        "n_called": keeps.sum(axis=0) if refits else [None] * called.height,
        "lost_without": [
            [names[index] for index in np.flatnonzero(~keeps[:, gene])] for gene in range(called.height)
        ],
        "padj_max": _extreme(np.max, padj, known.all(axis=0)),
        "log2_fold_change_min": _extreme(np.min, fold, np.isfinite(fold).all(axis=0)),
        "log2_fold_change_max": _extreme(np.max, fold, np.isfinite(fold).all(axis=0)),
        "note": [note] * called.height,
    }
    return pl.DataFrame(columns, schema=STABILITY_TYPES)


def _extreme(
    which: Callable[..., NDArray[np.float64]], values: NDArray[np.float64], known: NDArray[np.bool_]
) -> list[float | None]:
    """Over refits; None without any, or where one gives no value."""
    if not len(values):
        return [None] * values.shape[1]
    found = which(values, axis=0)
    return [float(value) if fine else None for value, fine in zip(found, known, strict=True)]
