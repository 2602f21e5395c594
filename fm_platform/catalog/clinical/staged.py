"""The staged half of a study, read for the rules that look at visits as a whole.

Belongs here: reading tables into ``StagedVisits``. Does not belong here: the rules.
"""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.staged_visits import StagedVisits
from fm_platform.warehouse.names import identifier, relation

ATTRIBUTES = ("fm_type", "concomitant_dx", "first_dose", "start")


def read_staged(step: Step) -> StagedVisits | None:
    """The staged tables as they are now; None when a blocked half never made them."""
    names = ("subjects", "visits", "answers", "measures", "instrument_scores")
    frames = [step.read_if_any(f"staging.stg_{name}") for name in names]
    present = [frame for frame in frames if frame is not None]
    if len(present) < len(names):
        return None
    subjects, visits, answers, measures, scores = present
    return StagedVisits(
        step.study, subjects, visits, answers, measures, scores, _attributes(step), _samples(step)
    )


def _attributes(step: Step) -> dict[str, pl.DataFrame]:
    found: dict[str, pl.DataFrame] = {}
    for entry in declared_columns(step.study, step.instruments):
        table = f"staging.{entry.source}"
        if entry.kind != "attribute" or entry.role not in ATTRIBUTES or entry.role in found:
            continue
        if step.warehouse.exists(table) and entry.column in step.warehouse.schema(table):
            rows = step.warehouse.query(
                f"SELECT subject_id, {identifier(entry.column)} AS value FROM {relation(table)} "
                f"WHERE {identifier(entry.column)} IS NOT NULL ORDER BY subject_id, value"
            )
            source = pl.lit(entry.source).alias("source")
            found[entry.role] = rows.unique("subject_id", keep="first", maintain_order=True).with_columns(
                source
            )
    return found


def _samples(step: Step) -> pl.DataFrame | None:
    """Sample, subject and visit of the sample sheet, as far as study.yaml names their columns."""
    expression = step.study.expression
    raw = step.read_if_any("raw.samples")
    if expression is None or raw is None or expression.samples.subject not in raw.columns:
        return None
    visit = expression.samples.visit
    return raw.select(
        pl.col(expression.samples.id).alias("sample"),
        pl.col(str(expression.samples.subject)).str.strip_chars().alias("subject_id"),
        (pl.col(visit) if visit in raw.columns else pl.lit(None, pl.String)).alias("visit_id"),
        pl.concat_list("_row_id").alias("_row_ids"),
    )
