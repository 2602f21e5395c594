"""The table that compares the sex a sample's reads show with the sex somebody recorded.

Belongs here: where a study records sexes, the asset and its check. Does not belong here: the rule
(``expression.quality.sex_genes``).
"""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.expression.quality.sex_genes import SEX_GENES_SCHEMA, sex_gene_table
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.validation.roles import label_columns
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, ColumnInput
from fm_platform.warehouse.table import direct, indirect

COUNTS = "expression.counts"
GENES = "expression.genes"
SAMPLES = "expression.samples"
SUBJECTS = "staging.stg_subjects"
SHEET_COLUMNS = ("sex", "gender")
"""Columns of a sample sheet that record sexes, where the clinical half does not."""

AS_RECORDED = CheckDeclaration(
    "samples_show_the_recorded_sex",
    False,
    "No sample's X- and Y-linked genes speak against the sex recorded for its subject.",
)


def sex_gene_assets(study: Study) -> list[Asset]:
    """``expression.sex_genes``."""
    clinical = _of_clinical(study)
    described = columns(
        sample_id="The sample",
        subject_id="Its subject",
        female_per_million="Counts of XIST per million counts",
        male_per_million="Counts of DDX3Y, EIF1AY, KDM5D and RPS4Y1 per million counts",
        markers="Those of the five genes that the matrix has",
        expressed_sex="female or male, where one has 1 per million and ten times the other; else null",
        recorded_sex="The subject's sex in the clinical half, else in the sheet",
        agrees="Whether the two are the same; null where either is",
        note="Why something is null",
    )
    return [
        Asset(
            table="expression.sex_genes",
            description="The sex that each sample's reads show, beside the recorded one: swapped samples disagree.",
            group="expression",
            kinds=("polars", "duckdb"),
            half="both" if clinical else "expression",
            inputs=(SAMPLES, COUNTS, GENES, *((SUBJECTS,) if clinical else ())),
            key=("sample_id",),
            study_keys=("expression", "labels", *(["clinical"] if clinical else [])),
            tolerates_blocked=clinical,
            checks=(AS_RECORDED,),
            code_version=code_version(build_sex_genes),
            build=build_sex_genes,
            lineage=_lineage(study, direct(SUBJECTS, "sex") if clinical else ()),
            columns=constants(
                described,
                subject_id="null: study.yaml names no column of the sheet",
                recorded_sex="null: neither the clinical half nor the sheet has it",
            ),
        )
    ]


def build_sex_genes(step: Step) -> Built:
    """``expression.sex_genes``."""
    counts, genes, samples = (step.read_if_any(table) for table in (COUNTS, GENES, SAMPLES))
    if counts is None or genes is None or samples is None:
        return Built(rows=pl.DataFrame(schema=SEX_GENES_SCHEMA), checks=lambda: [_check(None)])
    clinical = _of_clinical(step.study)
    subjects = step.read_if_any(SUBJECTS) if clinical else None
    sheet = None if clinical else next((n for n in samples.columns if n.lower() in SHEET_COLUMNS), None)
    if subjects is not None:
        sexes = dict(subjects.select("subject_id", "sex").iter_rows())
        said = {row["sample_id"]: sexes.get(row["subject_id"]) for row in samples.iter_rows(named=True)}
    else:
        said = dict(samples.select("sample_id", sheet).iter_rows()) if sheet else {}
    labels = _labels(step.study, sheet)
    said = {name: labels.get(text, text) if text is not None else None for name, text in said.items()}
    found = sex_gene_table(counts, genes, samples, said)
    return Built(
        rows=found,
        lineage=_lineage(step.study, direct(SAMPLES, sheet)) if sheet else None,
        checks=lambda: [_check(found)],
        metadata={"compared": found["agrees"].count(), "disagree": int((~found["agrees"]).sum())},
    )


def _of_clinical(study: Study) -> bool:
    """Whether the clinical half records sexes, and samples name subjects."""
    assert study.expression is not None
    roles = {role for source in study.clinical.values() for role in source.columns}
    return "sex" in roles and study.expression.samples.subject is not None


def _labels(study: Study, sheet: str | None) -> dict[str, str]:
    """What levels of sex are called in study.yaml, where they are codes."""
    names = [*label_columns(study, "sex"), *([sheet] if sheet else [])]
    return {level: text for name in reversed(names) for level, text in study.labels.get(name, {}).items()}


def _lineage(study: Study, recorded: tuple[ColumnInput, ...]) -> dict[str, tuple[ColumnInput, ...]]:
    """Column lineage, given where sexes are recorded."""
    assert study.expression is not None
    marked = (
        *direct(COUNTS, "gene_id"),
        *direct(GENES, "symbol"),
        *indirect(GENES, "gene_id", how="JOIN"),
        *indirect(SAMPLES, "position"),
    )
    counted = (*direct(COUNTS, "counts"), *marked)
    placed = indirect(SAMPLES, "position")
    named = study.expression.samples.subject is not None
    of_subject = (*indirect(SAMPLES, "subject_id", how="JOIN"), *indirect(SUBJECTS, "subject_id", how="JOIN"))
    said = (*recorded, *(of_subject if any(entry.table == SUBJECTS for entry in recorded) else ()))
    return {
        "sample_id": (*direct(SAMPLES, "sample_id", how="IDENTITY"), *placed),
        "subject_id": (*direct(SAMPLES, "subject_id", how="IDENTITY"), *placed) if named else (),
        **dict.fromkeys(("female_per_million", "male_per_million", "expressed_sex"), counted),
        "markers": marked,
        "recorded_sex": (*said, *placed) if said else (),
        **dict.fromkeys(("agrees", "note"), (*counted, *said)),
    }


def _check(found: pl.DataFrame | None) -> CheckOutcome:
    against = [] if found is None else found.filter(~pl.col("agrees"))["sample_id"].to_list()
    return CheckOutcome(
        AS_RECORDED.name,
        not against,
        AS_RECORDED.blocking,
        "WARN",
        AS_RECORDED.description if not against else f"Against the recorded sex: {', '.join(against)}.",
        {"compared": 0 if found is None else int(found["agrees"].count()), "disagree": len(against)},
    )
