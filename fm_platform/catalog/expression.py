"""The expression half: samples, counts, contrasts and differential expression.

Belongs here: which expression tables a study has and which function makes each. Does not belong here: those functions,
delivered files (``expression_inputs``), quality tables (``expression_qc``).
"""

from __future__ import annotations

from fm_platform.catalog.asset import Asset, Built, Step, columns, direct, indirect
from fm_platform.catalog.expression_genes import gene_assets
from fm_platform.catalog.expression_inputs import input_assets
from fm_platform.catalog.withdrawals import withdrawals_of
from fm_platform.expression.contrasts import ContrastPlan, levels_seen, plan_contrasts
from fm_platform.expression.counts import counts_array, expression_counts
from fm_platform.expression.lengths import lengths_array
from fm_platform.expression.offsets import contrast_size_factors, run_with_lengths
from fm_platform.expression.stored import stored_de_results, stored_results
from fm_platform.expression.tables import contrasts_table, expression_samples
from fm_platform.expression.withdrawn import without_withdrawn
from fm_platform.lineage.code import code_version
from fm_platform.study import Study
from fm_platform.validation.withdrawals import TABLE as WITHDRAWALS

COUNTS = "expression.counts"
SAMPLES = "expression.samples"
RESULTS = "expression.de_results"
CONTRASTS = "expression.contrasts"
ENGINE_LIBRARIES = ("pydeseq2", "numpy", "scipy")


def expression_assets(study: Study) -> list[Asset]:
    """Every expression asset of a study, but for its report table."""
    assets = [*input_assets(study), _samples(study), _counts(), *gene_assets(study)]
    return [*assets, _results(), _contrasts()] if study.contrasts else assets


# -- analysis-ready -----------------------------------------------------------------------------------------------


def _samples(study: Study) -> Asset:
    linked: tuple[str, ...] = ()
    if study.withdrawals is not None:
        linked = (WITHDRAWALS, *(("staging.stg_visits",) if study.has_clinical else ()))
    return Asset(
        table=SAMPLES,
        description="The samples of the sheet, matched with the columns of the count matrix.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=("raw.samples", "raw.count_columns", *linked),
        key=("sample_id",),
        study_keys=("expression", "visits"),
        code_version=code_version(build_samples),
        build=build_samples,
        lineage={
            "sample_id": direct("raw.samples", "_row_id"),
            "count_id": direct("raw.count_columns", "count_id", how="IDENTITY"),
            "position": direct("raw.count_columns", "position"),
        },
        columns=columns(
            sample_id="The sample",
            count_id="Its name in the count matrix",
            position="Where its counts stand in expression.counts, from 1",
            subject_id="The subject, as in the clinical half",
            visit_id="The visit, as in the clinical half",
        ),
    )


def build_samples(step: Step) -> Built:
    """``expression.samples``."""
    declared = step.study.expression
    assert declared is not None
    resolved = expression_samples(
        step.read("raw.samples"), step.read("raw.count_columns"), step.study, file=declared.samples.path
    )
    sheet = [name for name in resolved.frame.columns if not name.startswith("_")]
    lineage = {
        name: (*direct("raw.samples", name if name in step.warehouse.schema("raw.samples") else "_row_id"),)
        for name in sheet
    }
    lineage["count_id"] = direct("raw.count_columns", "count_id", how="IDENTITY")
    lineage["position"] = direct("raw.count_columns", "sheet", "position")
    frame = resolved.frame
    if step.study.withdrawals is not None:
        visits = step.read_if_any("staging.stg_visits") if step.study.has_clinical else None
        frame = without_withdrawn(frame, withdrawals_of(step), visits)
        left = direct(WITHDRAWALS, "subject", "date", "scope")
        lineage |= {name: (*lineage[name], *left) for name in ("position", "reason")}
    return Built(rows=frame, lineage=lineage)


def _counts() -> Asset:
    return Asset(
        table=COUNTS,
        description="The count matrix of all files: a list per gene in the order of expression.samples.position.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=("raw.counts", "raw.count_columns"),
        key=("gene_id",),
        code_version=code_version(build_counts),
        build=build_counts,
        lineage={
            "gene_id": direct("raw.counts", "gene_id", how="IDENTITY"),
            "counts": (
                *direct("raw.counts", "counts"),
                *indirect("raw.count_columns", "sheet", "position", "kind", "count_id", how="SORT"),
            ),
            "lengths": (
                *direct("raw.counts", "lengths"),
                *indirect("raw.count_columns", "sheet", "position", "kind", "count_id", how="SORT"),
            ),
        },
        columns=columns(
            gene_id="The gene",
            counts="Its count in every sample: counts[s.position] for a row s of expression.samples",
            lengths="Its average transcript length in every sample, in that order; null where none is known",
        ),
    )


def build_counts(step: Step) -> Built:
    """``expression.counts``."""
    return Built(rows=expression_counts(step.read("raw.counts"), step.read("raw.count_columns")))


# -- differential expression --------------------------------------------------------------------------------------

_FIT = (
    *direct(COUNTS, "counts", "lengths"),
    *direct(SAMPLES, "position"),
    *indirect(SAMPLES, "sample_id", "count_id", how="GROUP_BY"),
)
RESULT_COLUMNS = columns(
    contrast="The contrast",
    gene_id="The gene",
    base_mean="Mean of counts divided by size factors, over the contrast's samples",
    log2_fold_change="Level over reference, log2",
    lfc_se="Standard error of log2_fold_change",
    stat="Wald statistic",
    pvalue="Two-sided p-value",
    padj="Benjamini-Hochberg adjusted p-value after independent filtering",
    dispersion="The dispersion that the gene was fitted with; null from engines that do not say",
    na_reason="Why a value is missing",
    n_samples="Samples of the contrast",
    engine="What computed it",
    engine_version="Its version",
    fit_notes="What the engine remarked on the fit",
)
CONTRAST_COLUMNS = columns(
    contrast="The contrast",
    label="How tables and figures call it",
    design="The model formula",
    variable="The compared variable",
    level="The level that is compared",
    reference="The level that it is compared with",
    subset="The samples it is restricted to",
    status="run, exploratory or skipped",
    reason="Why it is exploratory or skipped",
    n_samples="Samples used",
    n_level="Samples at the level",
    n_reference="Samples at the reference",
    residual_df="Samples less coefficients",
    alpha="False discovery rate that independent filtering aims at",
    n_genes="Genes in the matrix",
    n_tested="Genes with a p-value",
    n_significant="Genes with padj below alpha",
    n_up="Of these, higher at the level",
    n_down="Of these, lower at the level",
    engine="What computed it",
    engine_version="Its version",
    samples="The samples used",
    size_factors="What their counts were divided by, in that order",
    notes="What the engine remarked on the fit",
)


def _results() -> Asset:
    own = {
        "contrast": direct(SAMPLES, "sample_id", how="GROUP_BY"),
        "gene_id": direct(COUNTS, "gene_id", how="IDENTITY"),
    }
    return Asset(
        table=RESULTS,
        description="Differential expression of every contrast, one row a contrast and gene.",
        group="expression",
        kinds=("pydeseq2", "duckdb"),
        half="expression",
        inputs=(SAMPLES, COUNTS),
        key=("contrast", "gene_id"),
        study_keys=("contrasts",),
        code_version=code_version(build_results, ENGINE_LIBRARIES),
        build=build_results,
        lineage={column.name: own.get(column.name, _FIT) for column in RESULT_COLUMNS},
        columns=RESULT_COLUMNS,
    )


def build_results(step: Step) -> Built:
    """Fit and test every contrast."""
    plans = _plans(step)
    counts = step.read(COUNTS)
    gene_ids, matrix = counts_array(counts)
    results = run_with_lengths(matrix, lengths_array(counts), gene_ids, plans, on_stage=step.progress)
    return Built(
        rows=stored_de_results(plans, results, counts),
        metadata={plan.contrast.id: plan.status for plan in plans},
    )


def _contrasts() -> Asset:
    return Asset(
        table=CONTRASTS,
        description="Every declared contrast: design, samples, status and how many genes it calls.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(SAMPLES, RESULTS, COUNTS),
        key=("contrast",),
        study_keys=("contrasts",),
        code_version=code_version(build_contrasts),
        build=build_contrasts,
        lineage={
            column.name: (
                *direct(RESULTS, "contrast", "pvalue", "padj", "log2_fold_change", how="AGGREGATION"),
            )
            if column.name.startswith(("n_genes", "n_tested", "n_sig", "n_up", "n_down"))
            else direct(RESULTS, column.name if column.name != "notes" else "fit_notes", how="IDENTITY")
            if column.name in ("contrast", "engine", "engine_version", "notes")
            else (*direct(COUNTS, "counts", "lengths", how="AGGREGATION"), *indirect(SAMPLES, "position"))
            if column.name == "size_factors"
            else direct(SAMPLES, "sample_id", "position", how="AGGREGATION")
            for column in CONTRAST_COLUMNS
        },
        columns=CONTRAST_COLUMNS,
    )


def build_contrasts(step: Step) -> Built:
    """``expression.contrasts``."""
    plans = _plans(step)
    counts = step.read(COUNTS)
    _, matrix = counts_array(counts)
    lengths = lengths_array(counts)
    factors = {
        plan.contrast.id: contrast_size_factors(matrix, lengths, plan)
        for plan in plans
        if plan.design is not None
    }
    return Built(rows=contrasts_table(plans, stored_results(plans, step.read(RESULTS), factors)))


def _plans(step: Step) -> tuple[ContrastPlan, ...]:
    """The contrasts as the samples allow them; levels that an earlier delivery had may be gone."""
    before = step.read_if_any(CONTRASTS)
    seen = levels_seen(before) if before is not None else set()
    return plan_contrasts(step.read(SAMPLES), step.study, seen_levels=seen)
