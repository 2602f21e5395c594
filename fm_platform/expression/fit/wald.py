"""Wald tests of a contrast: standard errors, thresholds and the four alternatives.

Belongs here: one test statistic per gene for any contrast vector. Does not belong here: adjustment, flags.

The contrast is formed first and the threshold is applied to it (Love 2014, "Wald test" and "Hypothesis tests
with thresholds on effect size"), whatever coefficients it combines.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from fm_platform.expression.fit.blocks import Columns
from fm_platform.expression.fit.gene_arrays import Floats, pieces
from fm_platform.expression.fit.irls import RIDGE, means
from fm_platform.expression.fit.stages import Setting

Alternative = Literal["greaterAbs", "lessAbs", "greater", "less"]
ALTERNATIVES: tuple[Alternative, ...] = ("greaterAbs", "lessAbs", "greater", "less")


def contrast(
    own: Floats | None, beta: Floats, dispersion: Floats, setting: Setting, vector: Floats
) -> Columns:
    """Estimate and standard error of a contrast, log2.

    The covariance is that of the ridge-penalised estimate: A^-1 X'WX A^-1 with A = X'WX + ridge.

    Args:
        own: Normalization factors, samples x genes, or None.
        beta: Columns x genes, natural logarithms.
        dispersion: Per gene.
        setting: What all genes share.
        vector: Weight of each design column.

    Returns:
        estimate, se.
    """
    normal = setting.normal
    factors = setting.factors(own)
    estimate, variance = np.zeros(len(dispersion)), np.empty(len(dispersion))
    for column in np.flatnonzero(vector):
        estimate += vector[column] * beta[column]
    for part in pieces(normal.shape[0], len(dispersion)):
        these = factors if factors.shape[1] == 1 else factors[:, part]
        mu = means(normal, these, np.ascontiguousarray(beta[:, part]))
        gram = normal.gram(normal.by_cell(mu / (1.0 + dispersion[part] * mu)))
        factor = normal.factor(normal.add_ridge(gram, RIDGE))
        right = np.repeat(np.asarray(vector, dtype=np.float64)[:, None], gram.shape[1], axis=1)
        variance[part] = normal.quadratic(gram, normal.solve(factor, right))
    return {"estimate": estimate / math.log(2), "se": np.sqrt(np.maximum(variance, 0.0)) / math.log(2)}


def wald_test(
    estimate: Floats, se: Floats, *, threshold: float = 0.0, alternative: Alternative = "greaterAbs"
) -> tuple[Floats, Floats]:
    """Statistic and p-value per gene.

    Args:
        estimate: Log2 fold changes.
        se: Their standard errors.
        threshold: Log2 fold change that bounds the null hypothesis, not negative.
        alternative: ``greaterAbs``: size of the change > threshold (statistic 0 inside it); ``lessAbs``:
        smaller;
            ``greater``: change > threshold; ``less``: change < -threshold.
    """
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        if alternative == "greater":
            stat = np.where(estimate >= threshold, (estimate - threshold) / se, 0.0)
            p = ndtr(-(estimate - threshold) / se)
        elif alternative == "less":
            stat = np.where(estimate <= -threshold, (estimate + threshold) / se, 0.0)
            p = ndtr((estimate + threshold) / se)
        elif alternative == "lessAbs":
            above, below = (threshold - estimate) / se, (estimate + threshold) / se
            stat = np.maximum(np.minimum(above, below), 0.0)
            p = np.maximum(ndtr(-above), ndtr(-below))
        elif threshold == 0:
            stat = estimate / se
            p = 2.0 * ndtr(-np.abs(stat))
        else:
            beyond = np.maximum(np.abs(estimate) - threshold, 0.0) / se
            stat = np.copysign(beyond, estimate)
            p = np.minimum(1.0, 2.0 * ndtr(-(np.abs(estimate) - threshold) / se))
    missing = ~(np.isfinite(estimate) & np.isfinite(se))
    return np.where(missing, np.nan, stat), np.where(missing, np.nan, p)
