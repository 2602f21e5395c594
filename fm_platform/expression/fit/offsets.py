"""Transcript lengths as offsets of the test: normalization factors of every contrast's own samples.

Belongs here: from lengths to the factors that the engine takes. Does not belong here: running contrasts with them
(``run``), where lengths come from (``lengths``).

Method: Soneson, Love and Robinson 2015, doi 10.12688/f1000research.7563.2; factors as DESeq2 makes them: lengths over
their geometric mean, times size factors of the counts divided by these, scaled to geometric mean 1 in every gene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.designs.sizing import sample_factors
from fm_platform.expression.fit.model import Options
from fm_platform.expression.quality.qc_normalize import length_factors

LENGTHS_USED = "average transcript lengths are offsets"
ESTIMATED = Options()


def normalization_factors(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64],
    plan: ContrastPlan,
    options: Options = ESTIMATED,
) -> NDArray[np.float64]:
    """The factors of a contrast's samples.

    Args:
        counts: Genes x samples of the study, NOT_COUNTED where there is no count.
        lengths: Average transcript lengths of that shape, NaN where there is no count.
        plan: Whose samples are meant.
        options: Where the size factors are from.

    Returns:
        Genes x samples of the study; 1 for other samples and for genes that a sample of the contrast lacks.
    """
    columns = np.array(plan.matrix_columns, dtype=np.int64)
    factors = np.ones(counts.shape)
    counted = (counts[:, columns] != NOT_COUNTED).all(axis=1)
    cells = np.ix_(counted, columns)
    by_length = length_factors(lengths[cells])
    values = counts[cells] / by_length
    sized = sample_factors(values, counted, plan.matrix_columns, options, ratio_or_poscounts=True)
    logs = np.log(by_length * sized)
    factors[cells] = np.exp(logs - logs.mean(axis=1, keepdims=True))
    return factors


def contrast_size_factors(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    plan: ContrastPlan,
    options: Options = ESTIMATED,
) -> tuple[float, ...]:
    """The size factors that a contrast is fitted with, one per sample of the plan.

    Args:
        counts: Genes x samples of the study, NOT_COUNTED where there is no count.
        lengths: Of that shape, or None; with lengths a sample's factor is the mean of its genes' offsets.
        plan: Whose samples are meant.
        options: Where the size factors are from.
    """
    columns = np.array(plan.matrix_columns, dtype=np.int64)
    counted = (counts[:, columns] != NOT_COUNTED).all(axis=1)
    if lengths is None:
        factors = sample_factors(counts[np.ix_(counted, columns)], counted, plan.matrix_columns, options)
    else:
        offsets = normalization_factors(counts, lengths, plan, options)
        factors = offsets[np.ix_(counted, columns)].mean(axis=0)
    return tuple(float(factor) for factor in factors)
