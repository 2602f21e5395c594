"""The expression half: which tables a study has, and its samples and counts ready for analysis.

Belongs here: putting the half together, ``expression.samples`` and ``expression.counts``. Does not belong here:
delivered files (``inputs``), contrasts (``fits``), quality tables (``quality``).
"""

from __future__ import annotations

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.catalog.expression.fits import fit_assets
from fm_platform.catalog.expression.genes import gene_assets
from fm_platform.catalog.expression.inputs import input_assets
from fm_platform.catalog.expression.read_columns import columns_read
from fm_platform.catalog.expression.sex_genes import sex_gene_assets
from fm_platform.catalog.expression.stability import stability_assets
from fm_platform.catalog.withdrawals import withdrawals_of
from fm_platform.expression.counts import expression_counts
from fm_platform.expression.designs.withdrawn import without_withdrawn
from fm_platform.expression.tables import expression_samples
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.validation.withdrawals import TABLE as WITHDRAWALS
from fm_platform.warehouse.table import direct, indirect

COUNTS = "expression.counts"
SAMPLES = "expression.samples"


def expression_assets(study: Study) -> list[Asset]:
    """Every expression asset of a study, but for its report table."""
    contrast_assets = [*stability_assets(study), *fit_assets(study)]
    ready = [_samples(study), _counts(), *gene_assets(study), *sex_gene_assets(study)]
    return [*input_assets(study), *ready, *contrast_assets]


def _samples(study: Study) -> Asset:
    assert study.expression is not None
    sheet = study.expression.samples
    roles = {"subject_id": sheet.subject, "visit_id": sheet.visit}
    named = indirect("raw.samples", sheet.count_id or sheet.id, how="JOIN")
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
            "count_id": (*direct("raw.count_columns", "count_id", how="IDENTITY"), *named),
            "position": (*direct("raw.count_columns", "position"), *named),
            **{name: direct("raw.samples", "_row_id") for name, column in roles.items() if column},
            **{name: direct("raw.samples", "_row_id") for name in columns_read(study)},
        },
        columns=constants(
            columns(
                sample_id="The sample",
                count_id="Its name in the count matrix",
                position="Where its counts stand in expression.counts, from 1",
                subject_id="The subject, as in the clinical half",
                visit_id="The visit, as in the clinical half",
            ),
            subject_id="null: study.yaml names no column of the sheet",
            visit_id="null: study.yaml names no column of the sheet",
        ),
    )


def build_samples(step: Step) -> Built:
    """``expression.samples``."""
    declared = step.study.expression
    assert declared is not None
    resolved = expression_samples(
        step.read("raw.samples"), step.read("raw.count_columns"), step.study, file=declared.samples.path
    )
    sheet = declared.samples
    given = step.warehouse.schema("raw.samples")
    matched = (*direct("raw.samples", sheet.count_id or sheet.id), *direct("raw.count_columns", "count_id"))
    lineage = {
        name: direct("raw.samples", name, how="IDENTITY") if name in given else matched
        for name in resolved.frame.columns
        if not name.startswith("_")
    }
    roles = {"sample_id": sheet.id, "subject_id": sheet.subject, "visit_id": sheet.visit}
    lineage |= {name: direct("raw.samples", own) if own in given else () for name, own in roles.items()}
    named = indirect("raw.samples", sheet.count_id or sheet.id, how="JOIN")
    lineage["count_id"] = (*direct("raw.count_columns", "count_id", how="IDENTITY"), *named)
    lineage["position"] = (*direct("raw.count_columns", "sheet", "position"), *named)
    lineage["position"] += indirect("raw.count_columns", "count_id", "kind", how="JOIN")
    frame = resolved.frame
    if step.study.withdrawals is not None:
        visits = step.read_if_any("staging.stg_visits") if step.study.has_clinical else None
        frame = without_withdrawn(frame, withdrawals_of(step), visits)
        left = direct(WITHDRAWALS, "subject", "date", "scope")
        lineage |= {name: (*lineage[name], *left) for name in ("position", "reason")}
    return Built(rows=frame, lineage=lineage)


def _counts() -> Asset:
    placed = (
        *indirect("raw.counts", "gene_id", how="GROUP_BY"),
        *indirect("raw.counts", "sheet", how="JOIN"),
        *indirect("raw.count_columns", "sheet", "position", "kind", "count_id", how="SORT"),
    )
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
            **{name: (*direct("raw.counts", name), *placed) for name in ("counts", "lengths")},
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
