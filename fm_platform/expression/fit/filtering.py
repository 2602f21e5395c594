"""Adjusted p-values: Benjamini-Hochberg after independent filtering by mean.

Belongs here: choosing the mean below which genes are not tested (Love 2014, "Automatic independent
filtering") and the adjustment. Does not belong here: the p-values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.lowess import lowess

_STEPS = 50
_ENOUGH_REJECTIONS = 10


@dataclass(frozen=True, eq=False)
class Filtered:
    """Adjusted p-values.

    Attributes:
        padj: NaN where there is no p-value or the mean is below ``threshold``.
        threshold: Mean normalised count from which genes were tested.
        share: The quantile that threshold is.
    """

    padj: Floats
    threshold: float
    share: float


def independent_filtering(base_mean: Floats, p: Floats, alpha: float) -> Filtered:
    """Choose the filter that gives the most rejections (smoothed), and adjust.

    Args:
        base_mean: Mean normalised count, all genes, zeros included.
        p: P-values, NaN where there is none.
        alpha: The level that rejections are counted at.
    """
    lowest = float((base_mean == 0).mean())
    highest = 0.95 if lowest < 0.95 else 1.0
    shares = np.linspace(lowest, highest, _STEPS)
    thresholds = np.quantile(base_mean, shares)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    sorted_p, sorted_mean = p[order], base_mean[order]
    rejections = np.array(
        [_rejections(sorted_p[sorted_mean >= threshold], alpha) for threshold in thresholds], dtype=np.float64
    )
    chosen = 0
    if rejections.max() > _ENOUGH_REJECTIONS:
        smooth = lowess(shares, rejections, fraction=0.2)
        some = rejections > 0
        wanted = smooth.max() - np.sqrt(((rejections[some] - smooth[some]) ** 2).mean())
        reached = np.flatnonzero(rejections > wanted)
        chosen = int(reached[0]) if len(reached) else 0
    kept = np.where(base_mean >= thresholds[chosen], p, np.nan)
    return Filtered(benjamini_hochberg(kept), float(thresholds[chosen]), float(shares[chosen]))


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values; NaN stays NaN and does not count."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    n = len(order)
    if n:
        raised = n / np.arange(1, n + 1) * p[order]
        adjusted[order] = np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1])
    return adjusted


def _rejections(sorted_p: Floats, alpha: float) -> int:
    n = len(sorted_p)
    below = np.flatnonzero(n / np.arange(1, n + 1) * sorted_p < alpha)
    return int(below[-1]) + 1 if len(below) else 0
