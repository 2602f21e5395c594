"""Counts that a single sample makes: Cook's distances, their cutoff and what replaces such counts.

Belongs here: the robust dispersion that scales the distances, trimmed means, replacement (Love 2014,
"Automatic detection of count outliers"). Does not belong here: refitting, and what a flag does to a result.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.gene_arrays import Floats, sum_rows
from fm_platform.expression.fit.normal import Normal

FLAG_REPLICATES = 3
REPLACE_REPLICATES = 7
_LEAST_DISPERSION = 0.04
_REPLACEMENT_TRIM = 0.2


def cutoff(n_samples: int, n_columns: int) -> float:
    """The 0.99 quantile of F(columns, samples - columns)."""
    from scipy.special import fdtri

    return float(fdtri(n_columns, n_samples - n_columns, 0.99))


def replicated(normal: Normal, at_least: int) -> NDArray[np.bool_]:
    """Samples whose design row at least this many samples share."""
    sizes = np.array([len(rows) for rows in normal.members])
    return np.asarray(sizes[normal.cell_of] >= at_least)


def distances(normal: Normal, counts: Floats, normed: Floats, mu: Floats, leverage: Floats) -> Floats:
    """Cook's distances, samples x genes.

    Args:
        normal: The design.
        counts: Samples x genes.
        normed: Counts over size factors.
        mu: Fitted means, not floored.
        leverage: Diagonal of the hat matrix, samples x genes.
    """
    residual = counts - mu
    residual *= residual
    residual /= mu + robust_dispersions(normal, normed) * mu * mu
    residual *= leverage / (1.0 - leverage) ** 2
    residual /= normal.shape[1]
    return residual


def robust_dispersions(normal: Normal, normed: Floats) -> Floats:
    """Dispersions from trimmed variances: within cells of three or more replicates, else over all samples."""
    cells = [rows for rows in normal.members if len(rows) >= FLAG_REPLICATES]
    if cells:
        variance = _trimmed_variance(normed[cells[0]], *_trim(len(cells[0])))
        for rows in cells[1:]:
            np.maximum(variance, _trimmed_variance(normed[rows], *_trim(len(rows))), out=variance)
    else:
        variance = _trimmed_variance(normed, 1 / 8, 1.51)
    mean = sum_rows(normed) / len(normed)
    return np.asarray(np.maximum((variance - mean) / mean**2, _LEAST_DISPERSION), dtype=np.float64)


def replacements(normed: Floats, factors: Floats) -> Floats:
    """What each count would be if the sample were like the others: trimmed mean x factor, rounded down."""
    return np.floor(trimmed_mean(normed, _REPLACEMENT_TRIM) * np.broadcast_to(factors, normed.shape))


def trimmed_mean(values: Floats, trim: float) -> Floats:
    """Mean over samples without the given fraction at each end, per gene."""
    drop = math.floor(len(values) * trim)
    kept = np.sort(values, axis=0)[drop : len(values) - drop]
    return sum_rows(kept) / len(kept)


def _trimmed_variance(values: Floats, trim: float, scale: float) -> Floats:
    squares = values - trimmed_mean(values, trim)
    squares *= squares
    return scale * trimmed_mean(squares, trim)


def _trim(n: int) -> tuple[float, float]:
    """Trimmed fraction and the factor that makes the trimmed variance consistent, by cell size."""
    if n >= 24:
        return 1 / 8, 1.51
    return (1 / 4, 1.86) if n >= 4 else (1 / 3, 2.04)
