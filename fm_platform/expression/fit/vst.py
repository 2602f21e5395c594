"""Variance-stabilising transformation: counts on a scale on which noise is even.

Belongs here: the transformation that a dispersion trend implies (Anders and Huber 2010). Does not belong
here: fitting the trend (``trend``), what is drawn from the values.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.blocks import Workers
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.model import Options, fit_trend_only
from fm_platform.expression.fit.trend import Trend

_POINTS = 1000


def vst(
    counts: NDArray[np.int64],
    design: Floats | None = None,
    options: Options | None = None,
) -> Floats:
    """Transform a count matrix.

    Args:
        counts: Genes x samples.
        design: Samples x columns; None: blind to the design, as for quality control.
        options: How to fit the trend.

    Returns:
        Genes x samples, like log2 counts for large ones.

    Raises:
        InputError: Size factors are not defined.
    """
    options = options or Options(workers=Workers())
    blind = np.ones((counts.shape[1], 1)) if design is None else design
    factors, trend = fit_trend_only(counts, blind, options)
    return transform(counts / factors.T, trend)


def transform(normed: Floats, trend: Trend) -> Floats:
    """Transform normalised counts, any shape."""
    if trend.kind == "parametric":
        base, extra = trend.coefficients
        root = np.sqrt(base * normed * (1.0 + extra + base * normed))
        return np.asarray(
            np.log2((1.0 + extra + 2.0 * base * normed + 2.0 * root) / (4.0 * base)), dtype=np.float64
        )
    if trend.kind == "mean":
        level = trend.coefficients[0]
        inverse = 2.0 * np.arcsinh(np.sqrt(level * normed)) - math.log(level) - math.log(4.0)
        return np.asarray(inverse / math.log(2), dtype=np.float64)
    return _integrated(normed, trend)


def _integrated(normed: Floats, trend: Trend) -> Floats:
    """The integral of 1 / sqrt(variance), scaled to agree with log2 at two high counts."""
    high = float(normed.max())
    grid = np.sinh(np.linspace(np.arcsinh(0.0), np.arcsinh(high), _POINTS + 1))[1:]
    per_unit = 1.0 / np.sqrt(grid + trend(grid) * grid**2)
    steps = np.diff(grid, prepend=0.0) * 0.5 * (per_unit + np.concatenate([per_unit[:1], per_unit[:-1]]))
    curve = np.cumsum(steps)
    knots, heights = np.arcsinh(np.concatenate([[0.0], grid])), np.concatenate([[0.0], curve])
    first, second = (float(np.quantile(normed.mean(axis=1), q)) for q in (0.95, 0.999))
    at_first, at_second = np.interp(np.arcsinh([first, second]), knots, heights)
    slope = (math.log2(second) - math.log2(first)) / (at_second - at_first)
    values = np.interp(np.arcsinh(normed), knots, heights)
    return np.asarray(slope * values + math.log2(first) - slope * at_first, dtype=np.float64)
