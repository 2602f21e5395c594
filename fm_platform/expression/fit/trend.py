"""The curve of dispersion over mean expression.

Belongs here: the parametric curve a0 + a1 / mean with DESeq2's choice of genes and rounds (Love 2014,
equation 6), and what stands in when it cannot be fitted. Does not belong here: gene-wise estimates, the prior
around it.

Genes are sorted by value before anything is summed, so the curve does not depend on their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fm_platform.expression.fit.dispersion import MIN_DISPERSION
from fm_platform.expression.fit.gene_arrays import Floats

Kind = Literal["parametric", "local", "mean"]

_ROUNDS = 10
_NEAR, _FAR = 1e-4, 15.0
_GLM_ROUNDS = 25
_GLM_TOLERANCE = 1e-8
_KNOTS = 200
_SPAN = 0.7


@dataclass(frozen=True, eq=False)
class Trend:
    """The fitted curve.

    Attributes:
        kind: ``parametric``; ``local`` (a smooth of log dispersion over log mean); ``mean`` (flat).
        coefficients: (a0, a1) of the parametric curve, the level of a flat one.
        knots: Log means of a local curve.
        heights: Log dispersions there.
        note: What a reader should know, or None.
    """

    kind: Kind
    coefficients: tuple[float, ...] = ()
    knots: Floats | None = None
    heights: Floats | None = None
    note: str | None = None

    def __call__(self, means: Floats) -> Floats:
        """Dispersions at mean normalised counts; NaN where the mean is 0."""
        positive = np.where(means > 0, means, np.nan)
        if self.kind == "parametric":
            return np.asarray(self.coefficients[0] + self.coefficients[1] / positive, dtype=np.float64)
        if self.kind == "mean":
            return np.where(means > 0, self.coefficients[0], np.nan)
        assert self.knots is not None
        assert self.heights is not None
        return np.exp(np.interp(np.log(positive), self.knots, self.heights))


def fit_trend(means: Floats, dispersions: Floats) -> Trend:
    """Fit the curve.

    Args:
        means: Mean normalised count of the genes with reads.
        dispersions: Their gene-wise estimates.
    """
    used = dispersions > 100 * MIN_DISPERSION
    if not used.any():
        return Trend("mean", (10 * MIN_DISPERSION,), note="no gene is overdispersed: the trend is flat")
    means, dispersions = means[used], dispersions[used]
    order = np.lexsort((dispersions, means))
    means, dispersions = means[order], dispersions[order]
    coefficients = parametric(means, dispersions)
    if coefficients is not None:
        return Trend("parametric", coefficients)
    if len(means) < 10:
        return Trend(
            "mean",
            (float(_trimmed_mean(dispersions)),),
            note="the parametric trend could not be fitted and there are too few genes for a local one: "
            "the mean dispersion stands in",
        )
    knots, heights = _local(means, dispersions)
    return Trend(
        "local",
        knots=knots,
        heights=heights,
        note="the parametric dispersion trend could not be fitted; a local one stands in",
    )


def parametric(means: Floats, dispersions: Floats) -> tuple[float, float] | None:
    """(a0, a1) by DESeq2's rounds of regression on genes near the curve; None if they do not settle."""
    coefficients = (0.1, 1.0)
    for _ in range(_ROUNDS):
        ratio = dispersions / (coefficients[0] + coefficients[1] / means)
        good = (ratio > _NEAR) & (ratio < _FAR)
        fitted = gamma_glm(means[good], dispersions[good], coefficients)
        if fitted is None or min(fitted) <= 0:
            return None
        change = sum(np.log(new / old) ** 2 for new, old in zip(fitted, coefficients, strict=True))
        coefficients = fitted
        if change < 1e-6:
            return coefficients
    return None


def gamma_glm(means: Floats, dispersions: Floats, begin: tuple[float, float]) -> tuple[float, float] | None:
    """Gamma regression of dispersion on 1 / mean with identity link, by reweighting.

    Returns:
        (a0, a1), or None when a fitted value is not positive or the rounds do not settle.
    """
    if len(means) < 2:
        return None
    inverse = 1.0 / means
    a0, a1 = begin
    fitted = a0 + a1 * inverse
    deviance = _gamma_deviance(dispersions, fitted)
    for _ in range(_GLM_ROUNDS):
        weights = 1.0 / fitted**2
        s0, s1, s2 = weights.sum(), (weights * inverse).sum(), (weights * inverse * inverse).sum()
        t0, t1 = (weights * dispersions).sum(), (weights * inverse * dispersions).sum()
        determinant = s0 * s2 - s1 * s1
        if not determinant > 0:
            return None
        a0, a1 = float((s2 * t0 - s1 * t1) / determinant), float((s0 * t1 - s1 * t0) / determinant)
        fitted = a0 + a1 * inverse
        if not (fitted > 0).all():
            return None
        previous, deviance = deviance, _gamma_deviance(dispersions, fitted)
        if abs(deviance - previous) / (abs(deviance) + 0.1) < _GLM_TOLERANCE:
            return a0, a1
    return None


def _gamma_deviance(values: Floats, fitted: Floats) -> float:
    ratio = values / fitted
    return float(-2.0 * (np.log(ratio) - (ratio - 1.0)).sum())


def _trimmed_mean(values: Floats) -> float:
    ordered = np.sort(values)
    drop = int(len(ordered) * 0.001)
    return float(ordered[drop : len(ordered) - drop].mean())


def _local(means: Floats, dispersions: Floats) -> tuple[Floats, Floats]:
    """Local quadratic regression of log dispersion on log mean, weighted by the mean, on a grid of knots.

    Tricube weights over the nearest 70 % of the genes, as Loader's locfit does by default.
    """
    x, y = np.log(means), np.log(dispersions)
    knots = np.linspace(x[0], x[-1], _KNOTS) if x[-1] > x[0] else np.array([x[0], x[0] + 1.0])
    reach = max(int(_SPAN * len(x)), 3)
    heights = np.empty(len(knots))
    for index, knot in enumerate(knots):
        away = np.abs(x - knot)
        width = max(float(np.partition(away, reach - 1)[reach - 1]), 1e-9)
        weights = np.clip(1.0 - (away / width) ** 3, 0.0, None) ** 3 * means
        root = np.sqrt(weights / weights.max())
        basis = np.stack([root, root * (x - knot), root * (x - knot) ** 2], axis=1)
        heights[index] = np.linalg.lstsq(basis, root * y, rcond=None)[0][0]
    return knots, heights
