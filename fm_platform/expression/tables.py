"""The room's tables as frames, ready to be written.

Belongs here: columns, types and keys of ``expression.samples`` and ``expression.contrasts``. Does not belong here:
computing what they hold, or writing them. Counts are in ``counts``, results in ``stored``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from fm_platform.expression.counts import count_ids
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.designs.samples import ResolvedSamples, absent_role, resolve_samples
from fm_platform.expression.fit.results import DeResult
from fm_platform.study.model import Study

_TEXTS = pl.List(pl.String)
UNTESTED = "none"

CONTRAST_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "contrast": pl.String,
    "label": pl.String,
    "design": pl.String,
    "variable": pl.String,
    "level": pl.String,
    "reference": pl.String,
    "test": pl.String,
    "subset": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "n_samples": pl.Int32,
    "n_level": pl.Int32,
    "n_reference": pl.Int32,
    "residual_df": pl.Int32,
    "alpha": pl.Float64,
    "n_genes": pl.Int32,
    "n_tested": pl.Int32,
    "n_significant": pl.Int32,
    "n_up": pl.Int32,
    "n_down": pl.Int32,
    "n_refits": pl.Int32,
    "n_stable": pl.Int32,
    "engine": pl.String,
    "engine_version": pl.String,
    "samples": _TEXTS,
    "size_factors": pl.List(pl.Float64),
    "notes": _TEXTS,
}
"""``expression.contrasts``; key contrast."""


def expression_samples(
    sheet: pl.DataFrame,
    count_columns: pl.DataFrame,
    study: Study,
    *,
    reconcile: str | None = None,
    file: Path | str | None = None,
) -> ResolvedSamples:
    """``expression.samples`` of a study; key sample_id. Visits are translated to the study's visit ids.

    Args:
        sheet: ``raw.samples``.
        count_columns: ``raw.count_columns``.
        study: With an expression half.
        reconcile: See :func:`~fm_platform.expression.designs.reconcile.match_ids`.
        file: The sheet, for errors.

    Raises:
        InputError: As :func:`~fm_platform.expression.designs.samples.resolve_samples`.
    """
    return _resolved(sheet, count_ids(count_columns), study, reconcile, file)


def samples_of_sheet(sheet: pl.DataFrame, study: Study, *, file: Path | str | None = None) -> pl.DataFrame:
    """What is known of ``expression.samples`` before counts are read: every sample that a name is given for has some.

    Raises:
        InputError: As :func:`expression_samples`, but for names that the matrix lacks.
    """
    _require_roles(sheet, study)
    assert study.expression is not None, "the study has no expression half"
    declared = study.expression.samples
    given = [text for text in sheet[declared.count_id or declared.id].to_list() if text]
    return _resolved(sheet, given, study, None, file).frame


def _require_roles(sheet: pl.DataFrame, study: Study) -> None:
    assert study.expression is not None, "the study has no expression half"
    absent = absent_role(sheet, study.expression.samples)
    if absent is not None:
        raise study.error(absent.message, "expression", "samples", absent.role, mend=absent.mend)


def _resolved(
    sheet: pl.DataFrame,
    given: Sequence[str],
    study: Study,
    reconcile: str | None,
    file: Path | str | None,
) -> ResolvedSamples:
    _require_roles(sheet, study)
    assert study.expression is not None, "the study has no expression half"

    def visit_id(text: str) -> str | None:
        visit = study.visit_of(text)
        return visit.id if visit is not None else None

    return resolve_samples(
        sheet,
        study.expression.samples,
        given,
        reconcile=reconcile,
        visit_of=visit_id if study.visits else None,
        file=file,
    )


def contrasts_table(
    plans: Sequence[ContrastPlan],
    results: Mapping[str, DeResult],
    stability: pl.DataFrame | None = None,
    factors: Mapping[str, Sequence[float]] | None = None,
) -> pl.DataFrame:
    """``expression.contrasts``: one row per declared contrast, skipped ones included.

    Args:
        plans: In the order of study.yaml.
        results: By contrast id; none for skipped contrasts.
        stability: ``expression.stability``, or None.
        factors: By contrast id, the size factor of every sample of the plan.
    """
    sized = factors or {}
    rows = [
        {**_contrast_row(plan, results.get(plan.contrast.id)), "size_factors": sized.get(plan.contrast.id)}
        for plan in plans
    ]
    made = pl.DataFrame(rows, schema=dict(CONTRAST_TYPES), orient="row")
    if stability is None:
        return made
    refitted = (
        stability.filter(pl.col("n_refits") > 0)
        .group_by("contrast")
        .agg(
            n_refits=pl.col("n_refits").max(),
            n_stable=(pl.col("n_called") == pl.col("n_refits")).sum().cast(pl.Int32),
        )
    )
    joined = made.drop("n_refits", "n_stable").join(
        refitted, on="contrast", how="left", maintain_order="left"
    )
    return joined.select(list(CONTRAST_TYPES))


def _contrast_row(plan: ContrastPlan, result: DeResult | None) -> dict[str, object]:
    contrast = plan.contrast
    row: dict[str, object] = {
        "contrast": contrast.id,
        "label": contrast.label or contrast.compares,
        "design": contrast.design,
        "variable": contrast.variable,
        "level": contrast.level,
        "reference": contrast.reference,
        "test": UNTESTED if plan.status == "descriptive" else contrast.test,
        "subset": contrast.restriction,
        "status": plan.status,
        "reason": plan.reason,
        "n_samples": len(plan.samples),
        "n_level": plan.n_level if contrast.pair else None,
        "n_reference": plan.n_reference if contrast.pair else None,
        "residual_df": plan.residual_df,
        "alpha": contrast.alpha,
        "samples": list(plan.samples),
        "notes": list(result.notes) if result else [],
    }
    if result is not None:
        row |= {
            "n_genes": result.frame.height,
            "n_tested": result.n_tested,
            "n_significant": result.n_significant,
            "n_up": result.n_up,
            "n_down": result.n_down,
            "engine": result.engine,
            "engine_version": result.engine_version,
        }
    return {name: row.get(name) for name in CONTRAST_TYPES}
