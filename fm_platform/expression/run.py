"""One planned contrast with whatever it needs: offsets, shrinkage, or no test at all.

Belongs here: choosing between the engine with and without transcript lengths and a description. Does not belong here:
planning (``contrasts``), fitting (``engine``), describing (``descriptive``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.fit.compare import Hypothesis
from fm_platform.expression.fit.descriptive import describe
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.model import Options
from fm_platform.expression.fit.offsets import LENGTHS_USED, normalization_factors
from fm_platform.expression.fit.results import DeResult
from fm_platform.sources.counts.units import accepted_coverage


def run_plan(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    *,
    engine: DeEngine | None = None,
    shrink: str | None = None,
    hypothesis: Hypothesis | None = None,
    options: Options | None = None,
) -> DeResult:
    """The result of a contrast that is not skipped.

    Args:
        counts: Genes x samples of the study.
        lengths: Average transcript lengths of that shape, or None.
        gene_ids: One per row of counts.
        plan: The contrast.
        engine: Runs it; with one engine for several contrasts, neighbours that can share a fit do.
        shrink: ``apeglm`` adds log2_fold_change_shrunk.
        hypothesis: See :meth:`~fm_platform.expression.fit.engine.DeEngine.run`.
        options: Of this contrast; default: the engine's. With lengths, their factors become offsets.

    Raises:
        InputError: As the engine.
    """
    engine = engine or DeEngine()
    options = options or engine.options
    accepted = accepted_coverage(counts[:, plan.matrix_columns], plan.samples)
    if plan.status == "descriptive":
        result = describe(counts, lengths, gene_ids, plan, options)
        return replace(result, notes=(*accepted, *result.notes))
    if lengths is not None:
        factors = normalization_factors(counts, lengths, plan, options)
        options = replace(options, factors=factors, control_genes=None)
    before, engine.options = engine.options, options
    try:
        result = engine.run(counts, gene_ids, plan, shrink=shrink, hypothesis=hypothesis)
    finally:
        engine.options = before
    offsets = () if lengths is None else (LENGTHS_USED,)
    return replace(result, notes=(*accepted, *result.notes, *offsets))
