"""How far true dispersions scatter around the trend.

Belongs here: the variance of the normal prior of log dispersion (Love 2014, "Estimation of prior variance")
and the spread by which outliers are told. Does not belong here: the trend itself.

With more than 3 residual degrees of freedom the sampling variance of a log dispersion is close to
trigamma(df / 2) and is subtracted. With fewer its distribution is skewed: the prior variance is then the one
whose simulated residuals resemble the observed ones most (Kullback-Leibler divergence of histograms, smoothed
over the candidate variances by loess). The simulation is a table in this folder, so results do not depend on
a random-number generator; the table holds draws of R's, which DESeq2 uses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fm_platform.expression.fit.dispersion import MIN_DISPERSION
from fm_platform.expression.fit.gene_arrays import Floats

SMALLEST_VARIANCE = 0.25
FEW_DF = 3
OUTLIER_SPREADS = 2.0
"""A gene-wise dispersion more than this many spreads above the trend is kept as it is."""

_MAD_SCALE = 1.4826
"""Makes the median absolute deviation estimate a standard deviation, to the digits that R uses."""

_TABLE = Path(__file__).with_name("simulated_residuals.csv")
_EDGES = np.arange(-20, 21) / 2
_SPAN, _CELL = 0.2, 0.2


@dataclass(frozen=True)
class PriorWidth:
    """The scatter around the trend.

    Attributes:
        variance: Prior variance of log dispersion.
        residual_variance: Squared MAD of the observed log residuals.
        note: What a reader should know, or None.
    """

    variance: float
    residual_variance: float
    note: str | None = None

    @property
    def outlier_margin(self) -> float:
        """Log residuals above this mark dispersion outliers."""
        return OUTLIER_SPREADS * math.sqrt(self.residual_variance)


def fit_prior(dispersions: Floats, trend: Floats, residual_df: int) -> PriorWidth:
    """Estimate the prior variance.

    Args:
        dispersions: Gene-wise estimates of the genes with reads.
        trend: The curve at these genes.
        residual_df: Samples minus design columns.
    """
    from scipy.special import polygamma

    used = dispersions >= 100 * MIN_DISPERSION
    if not used.any():
        return PriorWidth(
            SMALLEST_VARIANCE, 0.0, note="no gene is overdispersed: the prior of dispersions is a guess"
        )
    residuals = np.log(dispersions[used]) - np.log(trend[used])
    middle = np.median(residuals)
    spread = float(np.median(np.abs(residuals - middle))) * _MAD_SCALE
    observed = spread * spread
    if residual_df <= FEW_DF:
        return PriorWidth(max(_most_alike(residuals, residual_df), SMALLEST_VARIANCE), observed)
    expected = float(polygamma(1, residual_df / 2))
    return PriorWidth(max(observed - expected, SMALLEST_VARIANCE), observed)


def _most_alike(residuals: Floats, df: int) -> float:
    """The candidate variance whose simulated residuals are nearest to the observed ones."""
    inside = residuals[(residuals > _EDGES[0]) & (residuals < _EDGES[-1])]
    if not len(inside):
        return SMALLEST_VARIANCE
    width = _EDGES[1] - _EDGES[0]
    bins = np.searchsorted(_EDGES, inside, side="left") - 1
    observed = np.bincount(bins, minlength=len(_EDGES) - 1) / len(inside) / width
    table = np.loadtxt(_TABLE, delimiter=",")
    simulated = table[table[:, 0] == df][:, 2:]
    candidates = np.linspace(0.0, 8.0, len(simulated))
    divergences = np.empty(len(candidates))
    for index, draws in enumerate(simulated):
        density = draws / draws.sum() / width
        both = np.concatenate([observed, density])
        small = both[both > 0].min()
        divergences[index] = (observed * (np.log(observed + small) - np.log(density + small))).sum()
    fine = np.linspace(0.0, 8.0, 1000)
    return float(fine[loess(candidates, divergences, fine).argmin()])


def loess(x: Floats, y: Floats, at: Floats) -> Floats:
    """Loess (Cleveland and Devlin 1988): local quadratics at the corners of a k-d tree, blended by cubics.

    Args:
        x: Increasing.
        y: One value each.
        at: Where to evaluate.
    """
    smallest_cell = int(len(x) * _SPAN * _CELL)
    margin = 0.005 * (x[-1] - x[0])
    corners = np.array([x[0] - margin, *sorted(_cuts(x, 0, len(x) - 1, smallest_cell)), x[-1] + margin])
    reach = int(len(x) * _SPAN + 1e-5)
    values, slopes = np.empty(len(corners)), np.empty(len(corners))
    for index, corner in enumerate(corners):
        away = np.abs(x - corner)
        root = np.sqrt(np.clip(1.0 - (away / np.sort(away)[reach - 1]) ** 3, 0.0, None) ** 3)
        basis = np.stack([root, root * (x - corner), root * (x - corner) ** 2], axis=1)
        values[index], slopes[index] = np.linalg.lstsq(basis, root * y, rcond=None)[0][:2]
    cell = np.clip(np.searchsorted(corners, at, side="right") - 1, 0, len(corners) - 2)
    length = corners[cell + 1] - corners[cell]
    s = (at - corners[cell]) / length
    smooth = (1 + 2 * s) * (1 - s) ** 2 * values[cell] + s * (1 - s) ** 2 * length * slopes[cell]
    smooth += s**2 * (3 - 2 * s) * values[cell + 1] + s**2 * (s - 1) * length * slopes[cell + 1]
    return np.asarray(smooth, dtype=np.float64)


def _cuts(x: Floats, low: int, high: int, smallest: int) -> list[float]:
    if high - low + 1 <= smallest:
        return []
    middle = (low + high) // 2
    return [float(x[middle]), *_cuts(x, low, middle, smallest), *_cuts(x, middle + 1, high, smallest)]
