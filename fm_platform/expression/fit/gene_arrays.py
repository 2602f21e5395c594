"""Arithmetic on samples x genes arrays in an order that does not depend on how many genes there are.

Belongs here: sums over samples, products with small matrices, cutting genes into runs that fit the cache.
Does not belong here: statistics. BLAS is avoided on purpose: its results may depend on the shape of the whole
array.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Genes: TypeAlias = NDArray[np.int64] | NDArray[np.bool_]

_PIECE = 65_536
"""Values of one array in a piece of genes."""


def pieces(n_samples: int, n_genes: int) -> list[slice]:
    """Runs of genes whose arrays fit the processor's cache."""
    width = max(64, _PIECE // n_samples)
    return [slice(begin, min(begin + width, n_genes)) for begin in range(0, n_genes, width)]


def weighted_rows(weights: Floats, rows: Floats) -> Floats:
    """weights @ rows, summed in a fixed order without BLAS."""
    made = np.zeros((weights.shape[0], rows.shape[1]))
    for target, line in zip(made, weights, strict=True):
        for index in np.flatnonzero(line):
            np.add(target, times(float(line[index]), rows[index]), out=target)
    return made


def columns(values: Floats, genes: Genes) -> Floats:
    """Some columns, contiguous."""
    return np.ascontiguousarray(values[:, genes])


def sum_rows(values: Floats) -> Floats:
    """Sums over the first axis, first row first, whatever the number of genes.

    NumPy adds row to row where the columns lie side by side in memory; a single column it would sum in pairs.
    """
    if values.shape[1] == 1:
        return np.add.accumulate(values, axis=0)[-1]
    if values.strides[0] < values.strides[1]:
        values = np.ascontiguousarray(values)
    return np.asarray(np.add.reduce(values, axis=0), dtype=np.float64)


def times(factor: float, values: Floats) -> Floats:
    """factor * values, without a copy for 1."""
    return values if factor == 1.0 else factor * values
