"""Gamma regression of dispersion on 1 / mean with identity link, as R's glm takes its steps.

Belongs here: reweighted least squares, halved steps, and when they end. Does not belong here: which genes enter
(``trend``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

_ROUNDS = 25
_HALVINGS = 25
_TOLERANCE = 1e-8
_SAME_DIRECTION = 1e-11
"""Spread of 1 / mean beside its size (both as lengths), below which it counts as constant."""


@dataclass(frozen=True)
class GammaRegression:
    """The fit.

    Attributes:
        coefficients: (a0, a1) of a0 + a1 / mean.
        settled: Whether the deviance ended by itself.
    """

    coefficients: tuple[float, float]
    settled: bool


def gamma_regression(
    means: Floats, dispersions: Floats, begin: tuple[float, float]
) -> GammaRegression | None:
    """Fit a0 + a1 / mean.

    Args:
        means: Of each gene, positive.
        dispersions: Of each gene, positive.
        begin: Where to begin, both positive.

    Returns:
        None where R's glm stops: fewer than two different means, or no halving gives positive fitted values.
    """
    if len(means) < 2:
        return None
    inverse = 1.0 / means
    now = begin
    deviance = _deviance(dispersions, now[0] + now[1] * inverse)
    for _ in range(_ROUNDS):
        step = _least_squares(inverse, dispersions, now[0] + now[1] * inverse)
        if step is None:
            return None
        previous = deviance
        for _ in range(_HALVINGS + 1):
            deviance = _deviance(dispersions, step[0] + step[1] * inverse)
            if math.isfinite(deviance):
                break
            step = (step[0] + now[0]) / 2, (step[1] + now[1]) / 2
        else:
            return None
        now = step
        if abs(deviance - previous) / (abs(deviance) + 0.1) < _TOLERANCE:
            return GammaRegression(now, settled=True)
    return GammaRegression(now, settled=False)


def _least_squares(inverse: Floats, values: Floats, fitted: Floats) -> tuple[float, float] | None:
    """The regression of values on (1, inverse) with weights 1 / fitted^2; None if ``inverse`` is constant."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        weights = 1.0 / fitted**2
        total = weights.sum()
        centre, level = (weights * inverse).sum() / total, (weights * values).sum() / total
        away = weights * (inverse - centre)
        spread = float((away * (inverse - centre)).sum())
        whole = float((weights * inverse * inverse).sum())
    if not (math.isfinite(whole) and spread > _SAME_DIRECTION**2 * whole):
        return None
    slope = float((away * values).sum()) / spread
    return float(level - slope * centre), slope


def _deviance(values: Floats, fitted: Floats) -> float:
    """Infinite where a fitted value is not positive."""
    if not (fitted > 0).all():
        return math.inf
    ratio = values / fitted
    with np.errstate(over="ignore"):
        return float(-2.0 * (np.log(ratio) - (ratio - 1.0)).sum())
