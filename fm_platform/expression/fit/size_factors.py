"""Size factors: how deeply each sample was sequenced.

Belongs here: median of ratios (Anders and Huber 2010, doi 10.1186/gb-2010-11-10-r106), its variant for
matrices with a zero in every gene, control genes, and factors given by the user. Does not belong here:
anything per gene and sample (normalization factors are the caller's).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.fit.gene_arrays import Floats

SizeFactorKind = Literal["ratio", "poscounts"]


def size_factors(
    counts: NDArray[np.int64] | Floats,
    kind: SizeFactorKind = "ratio",
    control_genes: NDArray[np.bool_] | None = None,
) -> Floats:
    """Size factors of the samples.

    Args:
        counts: Genes x samples; counts over length factors, too.
        kind: ``ratio``: medians over genes without any zero; ``poscounts``: geometric means over the
            positive counts, factors scaled to geometric mean 1.
        control_genes: Use only these genes.

    Raises:
        InputError: No gene qualifies.
    """
    used = counts if control_genes is None else counts[control_genes]
    if kind == "ratio":
        used = used[(used > 0).all(axis=1)]
        logs = np.log(used)
        centre = _row_means(logs)
    else:
        used = used[(used > 0).any(axis=1)]
        logs = np.where(used > 0, np.log(np.where(used > 0, used, 1)), 0.0)
        centre = _row_means(logs)
    if not len(used):
        raise InputError(
            f"every {'control ' * (control_genes is not None)}gene has a zero in some sample, so size factors by "
            "median ratio are not defined",
            mend="use poscounts size factors, or leave out the samples with few reads by `subset:`",
        )
    factors = np.empty(counts.shape[1])
    for sample in range(counts.shape[1]):
        present = used[:, sample] > 0
        if not present.any():
            raise InputError("a sample has no reads among the genes that size factors use")
        factors[sample] = np.exp(np.median(logs[present, sample] - centre[present]))
    if kind == "poscounts":
        factors /= np.exp(np.log(factors).mean())
    return factors


def check_factors(factors: Floats, n_genes: int, n_samples: int) -> Floats:
    """Factors given by the user, as samples x 1 or samples x genes.

    Args:
        factors: One per sample, or genes x samples.
        n_genes: Genes of the matrix.
        n_samples: Samples of the contrast.

    Raises:
        InputError: Of another shape, or not all positive and finite.
    """
    if factors.shape not in ((n_samples,), (n_genes, n_samples)):
        raise InputError(
            f"factors have shape {factors.shape}; {n_samples} samples and {n_genes} genes were expected",
            mend="give one factor per sample, or a genes x samples table",
        )
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise InputError("size and normalization factors must be positive and finite")
    return factors[:, None] if factors.ndim == 1 else np.ascontiguousarray(factors.T)


def _row_means(values: Floats) -> Floats:
    total = values[:, 0].copy()
    for column in values.T[1:]:
        total += column
    return np.asarray(total / values.shape[1], dtype=np.float64)
