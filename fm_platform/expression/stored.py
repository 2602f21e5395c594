"""``expression.de_results`` as it is stored, and back: what every row says about the fit it comes from.

Belongs here: adding the fit's facts to the rows, and reading them again. Does not belong here: computing them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from fm_platform.expression.contrasts import ContrastPlan
from fm_platform.expression.results import DeResult
from fm_platform.expression.tables import DE_RESULT_TYPES, de_results

FIT_TYPES = {
    "n_samples": pl.Int32(),
    "engine": pl.String(),
    "engine_version": pl.String(),
    "fit_notes": pl.String(),
}
_NOTE_BREAK = "\n"


def stored_de_results(
    plans: Sequence[ContrastPlan], results: Mapping[str, DeResult], counts: pl.DataFrame
) -> pl.DataFrame:
    """``expression.de_results`` with number of samples, engine, its version and its remarks in every row.

    Args:
        plans: In the order of study.yaml.
        results: By contrast id.
        counts: ``expression.counts``, whose row ids the genes carry.
    """
    facts = pl.DataFrame(
        [
            {
                "contrast": plan.contrast.id,
                "n_samples": len(plan.samples),
                "engine": result.engine,
                "engine_version": result.engine_version,
                "fit_notes": _NOTE_BREAK.join(result.notes) or None,
            }
            for plan in plans
            if (result := results.get(plan.contrast.id)) is not None
        ],
        schema={"contrast": pl.String(), **FIT_TYPES},
    )
    joined = de_results(plans, results, counts).join(facts, on="contrast", how="left", maintain_order="left")
    return joined.select(pl.exclude("_row_ids"), "_row_ids")


def stored_results(
    plans: Sequence[ContrastPlan], stored: pl.DataFrame, factors: Mapping[str, tuple[float, ...]]
) -> dict[str, DeResult]:
    """The results of each contrast that the table holds.

    Args:
        plans: In the order of study.yaml.
        stored: ``expression.de_results``.
        factors: Size factors by contrast, one per sample.
    """
    own = [name for name in DE_RESULT_TYPES if name not in ("contrast", "_row_ids")]
    found = {}
    for plan in plans:
        rows = stored.filter(pl.col("contrast") == plan.contrast.id)
        if rows.is_empty():
            continue
        first = rows.row(0, named=True)
        found[plan.contrast.id] = DeResult(
            frame=rows.select(own),
            alpha=plan.contrast.alpha,
            size_factors=factors.get(plan.contrast.id, ()),
            notes=tuple((first["fit_notes"] or "").split(_NOTE_BREAK)) if first["fit_notes"] else (),
            engine=first["engine"],
            engine_version=first["engine_version"],
        )
    return found
