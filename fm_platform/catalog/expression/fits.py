"""Contrasts: a table each, so that a changed contrast leaves the others alone, and the tables over all of them.

Belongs here: ``expression.fit_<contrast>`` and what repeats its columns (``expression.de_results``,
``expression.dispersions``, ``expression.cooks``), and ``expression.contrasts``. Does not belong here: planning, fitting
and testing (``assets``). Why so: ``docs/adr/0013-a-table-for-every-contrast.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fm_platform.catalog.asset import Asset, Built, Step, constants, direct, indirect
from fm_platform.catalog.expression.fit_columns import (
    CONTRAST_COLUMNS,
    COOKS,
    DISPERSIONS,
    FIT_COLUMNS,
    RESULT_COLUMNS,
)
from fm_platform.expression.counts import counts_array
from fm_platform.expression.designs.choice import levels_seen
from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrasts
from fm_platform.expression.designs.sizing import study_sizing
from fm_platform.expression.fit.engine import DeEngine
from fm_platform.expression.fit.offsets import contrast_size_factors
from fm_platform.expression.lengths import lengths_array
from fm_platform.expression.run import run_plan
from fm_platform.expression.stored import COOKS_COLUMNS, DISPERSION_COLUMNS, fit_table, stored_results
from fm_platform.expression.tables import contrasts_table
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.warehouse.names import identifier, relation
from fm_platform.warehouse.records import Column, ColumnInput

COUNTS = "expression.counts"
SAMPLES = "expression.samples"
RESULTS = "expression.de_results"
CONTRASTS = "expression.contrasts"
STABILITY = "expression.stability"
KEY = ("contrast", "gene_id")
_ENGINE = "engine"
_NAME_SAMPLES = ("na_detail", "fit_notes", "cooks_sample", "lost_without", "note")
"""Columns in which samples or subjects are named."""
_WITHOUT_REFITS = "null: `expression: stability: false` in study.yaml"


def fit_assets(study: Study) -> list[Asset]:
    """The assets of a study's contrasts; none without contrasts."""
    if not study.contrasts:
        return []
    own = [_fit(contrast.id) for contrast in study.contrasts]
    return [*own, *_united([asset.table for asset in own]), _contrasts(has_stability(study))]


def has_stability(study: Study) -> bool:
    """Whether contrasts have leave-one-out refits."""
    return bool(study.contrasts) and study.expression is not None and study.expression.stability is not False


def fit_table_name(contrast: str) -> str:
    """The table of one contrast."""
    return f"expression.fit_{contrast}"


def from_samples_and_counts(described: tuple[Column, ...]) -> Mapping[str, tuple[ColumnInput, ...]]:
    """Column lineage of a table of contrasts and genes that a fit gives."""
    fitted = (
        *direct(COUNTS, "counts", "lengths"),
        *direct(SAMPLES, "position"),
        *indirect(SAMPLES, "sample_id", "count_id", how="GROUP_BY"),
    )
    own = {
        "contrast": direct(SAMPLES, "sample_id", how="GROUP_BY"),
        "gene_id": direct(COUNTS, "gene_id", how="IDENTITY"),
        **dict.fromkeys(_NAME_SAMPLES, (*fitted, *direct(SAMPLES, "sample_id"))),
    }
    return {column.name: own.get(column.name, fitted) for column in described}


# -- one contrast -------------------------------------------------------------------------------------------------


def _fit(contrast: str) -> Asset:
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
        lineage=from_samples_and_counts(FIT_COLUMNS),
        columns=FIT_COLUMNS,
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
    return Built(rows=fit_table(plan, result), metadata={"status": plan.status})


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


def _contrasts(stability: bool) -> Asset:
    counted = direct(RESULTS, "contrast", "pvalue", "padj", "log2_fold_change", how="AGGREGATION")
    refitted = direct(STABILITY, "n_refits", "n_called", how="AGGREGATION") if stability else ()
    repeated = {name: name for name in ("contrast", "engine", "engine_version")} | {"notes": "fit_notes"}
    own = {
        **dict.fromkeys(("n_genes", "n_tested", "n_significant", "n_up", "n_down"), counted),
        **dict.fromkeys(("n_refits", "n_stable"), refitted),
        **{name: direct(RESULTS, source, how="IDENTITY") for name, source in repeated.items()},
    }
    own["size_factors"] = (
        *direct(COUNTS, "counts", "lengths", how="AGGREGATION"),
        *direct(SAMPLES, "position"),
    )
    sampled = direct(SAMPLES, "sample_id", "position", how="AGGREGATION")
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
        lineage={column.name: own.get(column.name, sampled) for column in CONTRAST_COLUMNS},
        columns=CONTRAST_COLUMNS
        if stability
        else constants(CONTRAST_COLUMNS, **dict.fromkeys(("n_refits", "n_stable"), _WITHOUT_REFITS)),
    )


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
    return Built(rows=contrasts_table(plans, results, refits, factors))
