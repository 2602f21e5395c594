"""Looking at samples before any test: library sizes, principal components, distances, outliers.

Belongs here: measures of samples from counts or log values. Does not belong here: tables and their names
(``qc_tables``), normalisation (``qc_normalize``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOP_GENES = 500
"""Principal components are those of the most variable genes, this many, as DESeq2's plotPCA takes them."""

MAX_COMPONENTS = 10
MAD_TO_SD = 1.4826
OUTLIER_SCORE = -5.0
"""A sample is an outlier when its mean correlation lies this many MADs from the median, or further below."""

DECIMALS = 8
"""Results are rounded to this: the last digits of a matrix product depend on threads and machine."""


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components.

    Attributes:
        coordinates: Shape (samples, components).
        shares: Share of the variance of the genes used, one a component.
        n_genes: Genes used.
    """

    coordinates: Floats
    shares: Floats
    n_genes: int


def principal_components(values: Floats, *, top: int = TOP_GENES) -> Components:
    """Principal components of samples over the most variable genes, centred, not scaled.

    The sign of a component is free; it is chosen so that the gene with the largest absolute weight (the first of
    equals) has a positive one.

    Args:
        values: Log values, shape (genes, samples).
        top: How many genes.
    """
    variances = values.var(axis=1)
    chosen = np.sort(np.argsort(-variances, kind="stable")[:top])
    chosen = chosen[variances[chosen] > 0]
    centred = values[chosen] - values[chosen].mean(axis=1, keepdims=True)
    n = min(values.shape[1] - 1, len(chosen), MAX_COMPONENTS)
    if n < 1:
        return Components(np.zeros((values.shape[1], 0)), np.zeros(0), len(chosen))
    weights, singular, right = np.linalg.svd(centred, full_matrices=False)
    leading = weights[:, :n].round(DECIMALS)
    largest = np.abs(leading).argmax(axis=0)
    signs = np.where(leading[largest, np.arange(n)] < 0, -1.0, 1.0)
    coordinates = (right[:n].T * singular[:n] * signs).round(DECIMALS) + 0.0
    return Components(coordinates, (singular[:n] ** 2 / (singular**2).sum()).round(DECIMALS), len(chosen))


def distances(values: Floats) -> Floats:
    """Euclidean distances between samples over all genes, shape (samples, samples).

    Args:
        values: Log values, shape (genes, samples).
    """
    n = values.shape[1]
    found = np.zeros((n, n))
    for i in range(n):
        found[i] = np.sqrt(((values - values[:, [i]]) ** 2).sum(axis=0))
    return found.round(DECIMALS)


def rank_correlations(values: Floats) -> Floats:
    """Spearman correlations between samples (ties share their mean rank), shape (samples, samples)."""
    ranks = np.column_stack([_ranks(values[:, i]) for i in range(values.shape[1])])
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = ((centred.T @ centred) / np.outer(norms, norms)).round(DECIMALS)
    return found


@dataclass(frozen=True, eq=False)
class OutlierScores:
    """How far each sample's mean correlation with the others lies from the usual.

    Attributes:
        means: Mean correlation with all other samples.
        median: Their median.
        mad: Their median absolute deviation, times 1.4826.
        scores: (mean - median) / mad; NaN when mad is zero.
    """

    means: Floats
    median: float
    mad: float
    scores: Floats


def outlier_scores(correlations: Floats) -> OutlierScores:
    """MAD scores of the samples' mean correlations; needs three samples or more."""
    n = len(correlations)
    means = (correlations.sum(axis=1) - np.diag(correlations)) / (n - 1)
    median = float(np.median(means))
    mad = float(np.median(np.abs(means - median)) * MAD_TO_SD)
    scores = (means - median) / mad if mad > 0 else np.full(n, np.nan)
    return OutlierScores(means, median, mad, scores)


def _ranks(values: Floats) -> Floats:
    """Mean ranks, from 1."""
    _, at, times = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    ranks: Floats = (last - (times - 1) / 2)[at]
    return ranks
