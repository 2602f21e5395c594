"""Contrasts: a table each, so that a changed contrast leaves the others alone, and the tables over all of them.

Belongs here: ``expression.fit_<contrast>`` and what repeats its columns (``expression.de_results``,
``expression.dispersions``, ``expression.cooks``), and ``expression.contrasts``. Does not belong here: planning, fitting
and testing (``assets``). Why so: ``docs/adr/0013-a-table-for-every-contrast.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, constants
from fm_platform.catalog.expression.fit_columns import (
    CONTRAST_COLUMNS,
    COOKS,
    DISPERSIONS,
    FIT_COLUMNS,
    RESULT_COLUMNS,
)
from fm_platform.catalog.expression.read_columns import design_inputs, size_factor_inputs, subject_inputs
from fm_platform.expression.counts import counts_array
from fm_platform.expression.designs.choice import levels_seen
from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrasts
from fm_platform.expression.designs.sizing import study_sizing
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.offsets import contrast_size_factors
from fm_platform.expression.fit.results import SHRUNK
from fm_platform.expression.lengths import lengths_array
from fm_platform.expression.run import run_plan
from fm_platform.expression.stored import COOKS_COLUMNS, DISPERSION_COLUMNS, fit_table, stored_results
from fm_platform.expression.tables import contrasts_table
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.warehouse.names import identifier, relation
from fm_platform.warehouse.records import Column, ColumnInput
from fm_platform.warehouse.table import direct, indirect

COUNTS = "expression.counts"
SAMPLES = "expression.samples"
RESULTS = "expression.de_results"
CONTRASTS = "expression.contrasts"
STABILITY = "expression.stability"
KEY = ("contrast", "gene_id")
_ENGINE = "engine"
_OF_THE_PLAN = ("n_samples", "engine", "engine_version")
"""Columns that samples and design decide, whatever was counted."""
_NOT_SHRUNK = "null: the contrast asks for no shrunken fold changes"
_DECLARED = "stands under `contrasts:` in study.yaml"
_OF_STUDY = ("contrast", "label", "design", "variable", "level", "reference", "subset", "alpha")
_WITHOUT_REFITS = "null: `expression: stability: false` in study.yaml"


def fit_assets(study: Study) -> list[Asset]:
    """The assets of a study's contrasts; none without contrasts."""
    if not study.contrasts:
        return []
    own = [_fit(study, contrast.id) for contrast in study.contrasts]
    return [*own, *_united([asset.table for asset in own]), _contrasts(study)]


def has_stability(study: Study) -> bool:
    """Whether contrasts have leave-one-out refits."""
    return bool(study.contrasts) and study.expression is not None and study.expression.stability is not False


def fit_table_name(contrast: str) -> str:
    """The table of one contrast."""
    return f"expression.fit_{contrast}"


def fit_lineage(
    study: Study, contrast: str, described: tuple[Column, ...], samples: pl.DataFrame | None = None
) -> dict[str, tuple[ColumnInput, ...]]:
    """Column lineage of a table of a contrast and its genes that a fit gives.

    Args:
        study: The study.
        contrast: The contrast.
        described: The table's columns.
        samples: ``expression.samples``, once it is there.
    """
    declared = next(entry for entry in study.contrasts if entry.id == contrast)
    chosen = design_inputs(study, declared, samples)
    rows = indirect(COUNTS, "gene_id", how="GROUP_BY")
    counted = direct(COUNTS, "counts", "lengths")
    fitted = (*counted, *chosen, *size_factor_inputs(study, samples))
    paired = subject_inputs(study) if declared.pair is not None else ()
    named = direct(SAMPLES, "sample_id")
    planned = (*direct(SAMPLES, "position", how="AGGREGATION"), *chosen)
    own = {
        "contrast": rows,
        "gene_id": direct(COUNTS, "gene_id", how="IDENTITY"),
        **dict.fromkeys(_OF_THE_PLAN, (*planned, *rows)),
        **dict.fromkeys(("na_detail", "cooks_sample", "lost_without", "note"), (*fitted, *named)),
        "fit_notes": (*fitted, *named, *paired),
    }
    if declared.shrink is None:
        own[SHRUNK] = ()
    return {column.name: own.get(column.name, fitted) for column in described}


def _fit_columns(study: Study, contrast: str) -> tuple[Column, ...]:
    declared = next(entry for entry in study.contrasts if entry.id == contrast)
    return constants(FIT_COLUMNS, **({SHRUNK: _NOT_SHRUNK} if declared.shrink is None else {}))


# -- one contrast -------------------------------------------------------------------------------------------------


def _fit(study: Study, contrast: str) -> Asset:
    return Asset(
        table=fit_table_name(contrast),
        description=f"Contrast {contrast}: test, dispersions and Cook's distance of every gene.",
        group="expression",
        kinds=("numpy", "duckdb"),
        half="expression",
        inputs=(SAMPLES, COUNTS),
        key=KEY,
        study_keys=(f"contrasts.{contrast}", "expression.size_factors"),
        code_version=code_version(build_fit),
        build=partial(build_fit, contrast=contrast),
        lineage=fit_lineage(study, contrast, FIT_COLUMNS),
        columns=_fit_columns(study, contrast),
    )


def build_fit(step: Step, contrast: str) -> Built:
    """``expression.fit_<contrast>``: fit and test one contrast."""
    (plan,) = plans_of(step, contrast)
    counts = step.read(COUNTS)
    result = None
    if plan.design is not None:
        gene_ids, matrix = counts_array(counts)
        engine = step.memory.recall(_ENGINE, None, DeEngine)
        engine.on_stage = step.progress
        result = run_plan(
            matrix,
            lengths_array(counts),
            gene_ids,
            plan,
            engine=engine,
            shrink=plan.contrast.shrink,
            options=study_sizing(step.study, step.read(SAMPLES), gene_ids, plan, matrix.shape[1]),
        )
    return Built(
        rows=fit_table(plan, result),
        lineage=fit_lineage(step.study, contrast, FIT_COLUMNS, step.read(SAMPLES)),
        metadata={"status": plan.status},
    )


def plans_of(step: Step, contrast: str | None = None) -> tuple[ContrastPlan, ...]:
    """The contrasts as the samples allow them, or one of them; levels that an earlier delivery had may be gone."""
    before = step.read_if_any(CONTRASTS)
    seen = levels_seen(before) if before is not None else set()
    return plan_contrasts(step.read(SAMPLES), step.study, only=contrast, seen_levels=seen)


# -- all contrasts ------------------------------------------------------------------------------------------------


def _united(tables: list[str]) -> list[Asset]:
    results = {column.name: column.name for column in RESULT_COLUMNS if column.name not in KEY}
    return [
        union_of(
            RESULTS,
            "Differential expression of every contrast, one row a contrast and gene.",
            tables,
            results,
            RESULT_COLUMNS,
        ),
        union_of(
            "expression.dispersions",
            "Dispersions of every contrast's fit: of the gene, of the trend, shrunken, used.",
            tables,
            DISPERSION_COLUMNS,
            DISPERSIONS,
            present="dispersion",
        ),
        union_of(
            "expression.cooks",
            "The count that weighs most in every gene of every contrast, and what was done about it.",
            tables,
            COOKS_COLUMNS,
            COOKS,
            present="cooks_distance",
        ),
    ]


def union_of(
    table: str,
    description: str,
    tables: list[str],
    taken: Mapping[str, str],
    described: tuple[Column, ...],
    *,
    present: str | None = None,
) -> Asset:
    """An asset that holds columns of the contrasts' own tables, all contrasts one after the other.

    Args:
        table: Its name.
        description: What it holds.
        tables: The contrasts' tables.
        taken: Column to the one it repeats; the key goes without saying.
        described: Its columns in words.
        present: Rows without a value in this column are left out.
    """
    return Asset(
        table=table,
        description=description,
        group="expression",
        kinds=("sql", "duckdb"),
        half="expression",
        inputs=tuple(tables),
        key=KEY,
        code_version=code_version(build_union),
        build=partial(build_union, tables=tables, taken=taken, present=present),
        lineage={
            column.name: tuple(
                entry
                for source in tables
                for entry in (
                    *direct(source, taken.get(column.name, column.name), how="IDENTITY"),
                    *(indirect(source, present) if present is not None else ()),
                )
            )
            for column in described
        },
        columns=described,
    )


def build_union(step: Step, tables: list[str], taken: Mapping[str, str], present: str | None) -> Built:
    """Columns of all contrasts' tables."""
    names = {**{name: name for name in KEY}, **taken}
    chosen = ", ".join(f"{identifier(own)} AS {identifier(name)}" for name, own in names.items())
    rows = "" if present is None else f" WHERE {identifier(present)} IS NOT NULL"
    return Built(rows=" UNION ALL ".join(f"SELECT {chosen} FROM {relation(table)}{rows}" for table in tables))


def _contrasts(study: Study) -> Asset:
    stability = has_stability(study)
    without_refits = {} if stability else dict.fromkeys(("n_refits", "n_stable"), _WITHOUT_REFITS)
    return Asset(
        table=CONTRASTS,
        description="Every declared contrast: design, samples, status and how many genes it calls.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(SAMPLES, RESULTS, COUNTS, *([STABILITY] if stability else [])),
        key=("contrast",),
        study_keys=("contrasts", "expression.size_factors"),
        code_version=code_version(build_contrasts),
        build=partial(build_contrasts, stability=stability),
        lineage=_contrasts_lineage(study),
        columns=constants(CONTRAST_COLUMNS, **dict.fromkeys(_OF_STUDY, _DECLARED), **without_refits),
    )


def _contrasts_lineage(
    study: Study, samples: pl.DataFrame | None = None
) -> dict[str, tuple[ColumnInput, ...]]:
    """Column lineage of ``expression.contrasts``: the plan of each contrast, and what its results come to."""
    chosen = tuple(
        dict.fromkeys(entry for one in study.contrasts for entry in design_inputs(study, one, samples))
    )
    planned = (*direct(SAMPLES, "position", how="AGGREGATION"), *chosen)
    repeated = subject_inputs(study)
    of_contrast = indirect(RESULTS, "contrast", how="GROUP_BY")
    called = (*direct(RESULTS, "padj", how="AGGREGATION"), *of_contrast)
    turned = (*direct(RESULTS, "log2_fold_change", how="AGGREGATION"), *called)
    own = {
        **dict.fromkeys(_OF_STUDY, ()),
        **dict.fromkeys(("status", "reason"), (*planned, *repeated)),
        "n_genes": (*direct(RESULTS, "gene_id", how="AGGREGATION"), *of_contrast),
        "n_tested": (*direct(RESULTS, "pvalue", how="AGGREGATION"), *of_contrast),
        "n_significant": called,
        **dict.fromkeys(("n_up", "n_down"), turned),
        **dict.fromkeys(("n_refits", "n_stable"), ()),
        "engine": (*direct(RESULTS, "engine", how="IDENTITY"), *of_contrast),
        "engine_version": (*direct(RESULTS, "engine_version", how="IDENTITY"), *of_contrast),
        "notes": (*direct(RESULTS, "fit_notes", how="IDENTITY"), *of_contrast),
        "samples": (*direct(SAMPLES, "sample_id", how="IDENTITY"), *chosen),
        "size_factors": (
            *direct(COUNTS, "counts", "lengths", how="AGGREGATION"),
            *size_factor_inputs(study, samples),
            *chosen,
        ),
    }
    if has_stability(study):
        refitted = (
            *direct(STABILITY, "n_refits", how="AGGREGATION"),
            *indirect(STABILITY, "contrast", how="GROUP_BY"),
        )
        own["n_refits"] = refitted
        own["n_stable"] = (*direct(STABILITY, "n_called", how="AGGREGATION"), *refitted)
    return {column.name: own.get(column.name, planned) for column in CONTRAST_COLUMNS}


def build_contrasts(step: Step, stability: bool) -> Built:
    """``expression.contrasts``."""
    plans = plans_of(step)
    refits = step.read(STABILITY) if stability else None
    counts = step.read(COUNTS)
    gene_ids, matrix = counts_array(counts)
    samples = step.read(SAMPLES)
    lengths = lengths_array(counts)
    factors = {
        plan.contrast.id: contrast_size_factors(
            matrix, lengths, plan, study_sizing(step.study, samples, gene_ids, plan, matrix.shape[1])
        )
        for plan in plans
        if plan.design is not None
    }
    results = stored_results(plans, step.read(RESULTS))
    return Built(
        rows=contrasts_table(plans, results, refits, factors), lineage=_contrasts_lineage(step.study, samples)
    )
