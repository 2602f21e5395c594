"""The curve of dispersion over mean expression.

Belongs here: the parametric curve a0 + a1 / mean with DESeq2's choice of genes and rounds (Love 2014,
equation 6), and what stands in when it cannot be fitted. Does not belong here: gene-wise estimates, the prior
around it, the smoother (``local_quadratic``), the regression inside a round (``gamma_regression``).

Genes are sorted by value before anything is summed, so the curve does not depend on their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fm_platform.expression.fit.dispersion import MIN_DISPERSION
from fm_platform.expression.fit.gamma_regression import gamma_regression
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.local_quadratic import LocalCurve, fit_local

Kind = Literal["parametric", "local", "mean"]

_ROUNDS = 11
_NEAR, _FAR = 1e-4, 15.0


@dataclass(frozen=True, eq=False)
class Trend:
    """The fitted curve.

    Attributes:
        kind: ``parametric``; ``local`` (a smooth of log dispersion over log mean); ``mean`` (flat).
        coefficients: (a0, a1) of the parametric curve, the level of a flat one.
        curve: Log dispersion over log mean of a local one.
    """

    kind: Kind
    coefficients: tuple[float, ...] = ()
    curve: LocalCurve | None = None

    @property
    def note(self) -> str:
        """Which trend was taken, in words."""
        if self.kind == "parametric":
            return "dispersion trend: {:.4g} + {:.4g} / mean".format(*self.coefficients)
        if self.kind == "mean":
            return "dispersion trend: flat, as no gene is overdispersed"
        return "dispersion trend: a local regression, as the parametric one could not be fitted"

    def __call__(self, means: Floats) -> Floats:
        """Dispersions at mean normalised counts; NaN where the mean is 0."""
        positive = np.where(means > 0, means, np.nan)
        if self.kind == "parametric":
            return np.asarray(self.coefficients[0] + self.coefficients[1] / positive, dtype=np.float64)
        if self.kind == "mean":
            return np.where(means > 0, self.coefficients[0], np.nan)
        assert self.curve is not None
        return np.exp(self.curve(np.log(positive)))


def fit_trend(means: Floats, dispersions: Floats) -> Trend:
    """Fit the curve: the parametric one, or DESeq2's local one where that cannot be fitted.

    Args:
        means: Mean normalised count of the genes with reads.
        dispersions: Their gene-wise estimates.
    """
    used = dispersions > 100 * MIN_DISPERSION
    if not used.any():
        return Trend("mean", (10 * MIN_DISPERSION,))
    means, dispersions = means[used], dispersions[used]
    order = np.lexsort((dispersions, means))
    means, dispersions = means[order], dispersions[order]
    coefficients = parametric(means, dispersions)
    if coefficients is not None:
        return Trend("parametric", coefficients)
    return Trend("local", curve=fit_local(np.log(means), np.log(dispersions), means))


def parametric(means: Floats, dispersions: Floats) -> tuple[float, float] | None:
    """(a0, a1) by DESeq2's rounds of regression on genes near the curve; None if they do not settle.

    A round may end without its regression having settled; the last one may not.
    """
    coefficients = (0.1, 1.0)
    for _ in range(_ROUNDS):
        ratio = dispersions / (coefficients[0] + coefficients[1] / means)
        good = (ratio > _NEAR) & (ratio < _FAR)
        fitted = gamma_regression(means[good], dispersions[good], coefficients)
        if fitted is None or min(fitted.coefficients) <= 0:
            return None
        pairs = zip(fitted.coefficients, coefficients, strict=True)
        change = sum(np.log(new / old) ** 2 for new, old in pairs)
        coefficients = fitted.coefficients
        if change < 1e-6 and fitted.settled:
            return coefficients
    return None
