"""One planned contrast with whatever it needs: offsets, shrinkage, or no test at all.

Belongs here: choosing between the engine with and without transcript lengths and a description. Does not belong here:
planning (``contrasts``), fitting (``engine``), describing (``descriptive``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.compare import Hypothesis
from fm_platform.expression.contrasts import ContrastPlan
from fm_platform.expression.descriptive import describe
from fm_platform.expression.engine import DeEngine
from fm_platform.expression.offsets import LENGTHS_USED, normalization_factors
from fm_platform.expression.results import DeResult


def run_plan(
    counts: NDArray[np.int64],
    lengths: NDArray[np.float64] | None,
    gene_ids: Sequence[str],
    plan: ContrastPlan,
    *,
    engine: DeEngine | None = None,
    shrink: str | None = None,
    hypothesis: Hypothesis | None = None,
) -> DeResult:
    """The result of a contrast that is not skipped.

    Args:
        counts: Genes x samples of the study.
        lengths: Average transcript lengths of that shape, or None.
        gene_ids: One per row of counts.
        plan: The contrast.
        engine: Runs it; with one engine for several contrasts, neighbours that can share a fit do. With lengths, the
            factors among its options are replaced.
        shrink: ``apeglm`` adds log2_fold_change_shrunk.
        hypothesis: See :meth:`~fm_platform.expression.engine.DeEngine.run`.

    Raises:
        InputError: As the engine.
    """
    if plan.status == "descriptive":
        return describe(counts, lengths, gene_ids, plan)
    engine = engine or DeEngine()
    if lengths is None:
        return engine.run(counts, gene_ids, plan, shrink=shrink, hypothesis=hypothesis)
    engine.options = replace(engine.options, factors=normalization_factors(counts, lengths, plan))
    result = engine.run(counts, gene_ids, plan, shrink=shrink, hypothesis=hypothesis)
    return replace(result, notes=(*result.notes, LENGTHS_USED))
