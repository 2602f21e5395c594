"""Transcript lengths as offsets of the test: normalization factors of every contrast's own samples.

Belongs here: from lengths to the factors that the engine takes, and running contrasts with them. Does not belong here:
fitting (``engine``), where lengths come from (``lengths``).

Method: Soneson, Love and Robinson 2015, doi 10.12688/f1000research.7563.2; factors as DESeq2 makes them: lengths over
their geometric mean, times size factors of the counts divided by these, scaled to geometric mean 1 in every gene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.contrasts import ContrastPlan
from fm_platform.expression.counts import NOT_COUNTED
from fm_platform.expression.engine import DeEngine, OnStage, run_contrasts
from fm_platform.expression.model import Options
from fm_platform.expression.qc_normalize import length_factors, size_factors
from fm_platform.expression.results import DeResult
from fm_platform.expression.size_factors import size_factors as median_ratios

LENGTHS_USED = "average transcript lengths are offsets"


def normalization_factors(
    counts: NDArray[np.int64], lengths: NDArray[np.float64], plan: ContrastPlan
) -> NDArray[np.float64]:
    """The factors of a contrast's samples.

    Args:
        counts: Genes x samples of the study, NOT_COUNTED where there is no count.
        lengths: Average transcript lengths of that shape, NaN where there is no count.
        plan: Whose samples are meant.

    Returns:
        Genes x samples of the study; 1 for other samples and for genes that a sample of the contrast lacks.
    """
    columns = np.array(plan.matrix_columns, dtype=np.int64)
    factors = np.ones(counts.shape)
    counted = np.flatnonzero((counts[:, columns] != NOT_COUNTED).all(axis=1))
    cells = np.ix_(counted, columns)
    by_length = length_factors(lengths[cells])
    logs = np.log(by_length * size_factors(counts[cells] / by_length).factors)
    factors[cells] = np.exp(logs - logs.mean(axis=1, keepdims=True))
    return factors


def contrast_size_factors(
    counts: NDArray[np.int64], lengths: NDArray[np.float64] | None, plan: ContrastPlan
) -> tuple[float, ...]:
    """The size factors that :func:`run_with_lengths` fits a contrast with, one per sample of the plan.

    Args:
        counts: Genes x samples of the study, NOT_COUNTED where there is no count.
        lengths: Of that shape, or None; with lengths a sample's factor is the mean of its genes' offsets.
        plan: Whose samples are meant.
    """
    columns = np.array(plan.matrix_columns, dtype=np.int64)
    chosen = counts[:, columns]
    counted = (chosen != NOT_COUNTED).all(axis=1)
    if lengths is None:
        factors = median_ratios(chosen[counted])
    else:
        factors = normalization_factors(counts, lengths, plan)[np.ix_(np.flatnonzero(counted), columns)].mean(
            axis=0
        )
    return tuple(float(factor) for factor in factors)


def run_with_lengths(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    plans: Sequence[ContrastPlan],
    *,
    shrink: str | None = None,
    on_stage: OnStage | None = None,
    options: Options | None = None,
) -> dict[str, DeResult]:
    """Test every contrast that is not skipped, with offsets where lengths are known.

    Args:
        counts: Genes x samples of the study.
        lengths: Of that shape, or None: then this is :func:`~fm_platform.expression.engine.run_contrasts`.
        gene_ids: One per row of counts.
        plans: In the order of study.yaml.
        shrink: With lengths, ``apeglm`` adds log2_fold_change_shrunk.
        on_stage: Told ``<contrast>: <stage>``.
        options: As in the engine; its factors are replaced.

    Returns:
        Results by contrast id, in the order of the plans.
    """
    if lengths is None:
        return run_contrasts(counts, gene_ids, plans, on_stage=on_stage, options=options)
    results = {}
    for plan in plans:
        if plan.design is None:
            continue
        name = plan.contrast.id
        factors = normalization_factors(counts, lengths, plan)
        stage = None if on_stage is None else _named(on_stage, name)
        engine = DeEngine(on_stage=stage, options=replace(options or Options(), factors=factors))
        result = engine.run(counts, gene_ids, plan, shrink=shrink)
        results[name] = replace(result, notes=(*result.notes, LENGTHS_USED))
    return results


def _named(on_stage: OnStage, name: str) -> OnStage:
    return lambda stage: on_stage(f"{name}: {stage}")
