"""REDCap's data-quality rules E, F and H over a study's exports: their queries, and what they could not decide.

Belongs here: reading raw forms for the rules, and the table ``report.redcap_quality``. Does not belong here: the rules
(``validation.redcap_rules``).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.lineage.code import code_version
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.redcap_cells import exports_of
from fm_platform.validation.redcap_rules import LETTERS, Judged, judge, queries_of
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import ColumnInput
from fm_platform.warehouse.table import direct

QUALITY = "report.redcap_quality"
_CONSTANT = {
    "rule": "the rules of this version of the platform",
    "redcap_rule": "the rules of this version of the platform",
    "form": "the REDCap dictionary",
    "field": "the REDCap dictionary",
}
_DESCRIBED = columns(
    rule="The rule: FM030 outliers, FM031 hidden fields with a value, FM032 calculated fields",
    redcap_rule="Its letter in REDCap's Data Quality module: E, F, H",
    form="The form",
    field="The field",
    n_values="Values that were looked at",
    n_undecided="Of them, those of which the rule cannot say anything",
    n_queries="Values that the rule asks about",
    note="Why the rule says nothing about the field at all",
)
_SCHEMA: dict[str, Any] = {
    "rule": pl.String,
    "redcap_rule": pl.String,
    "form": pl.String,
    "field": pl.String,
    "n_values": pl.Int32,
    "n_undecided": pl.Int32,
    "n_queries": pl.Int32,
    "note": pl.String,
}


def forms_of(study: Study) -> dict[str, FormSource]:
    """The sources of a study that are forms of a REDCap export."""
    return {name: source for name, source in study.clinical.items() if isinstance(source, FormSource)}


def redcap_quality_assets(study: Study) -> list[Asset]:
    """The table of what the rules made of every field; none for a study without REDCap exports."""
    forms = forms_of(study)
    if not forms:
        return []
    cells = tuple(entry for name in forms for entry in form_cells(study, name, how="AGGREGATION"))
    return [
        Asset(
            table=QUALITY,
            description="REDCap's data-quality rules E, F and H, field by field: looked at, found, left open.",
            group="report",
            kinds=("polars", "duckdb"),
            half="clinical",
            inputs=tuple(f"raw.{name}" for name in forms),
            key=("rule", "form", "field"),
            study_keys=("clinical",),
            code_version=code_version(build_redcap_quality),
            build=build_redcap_quality,
            lineage={column.name: () if column.name in _CONSTANT else cells for column in _DESCRIBED},
            columns=constants(_DESCRIBED, **_CONSTANT),
        )
    ]


def form_cells(study: Study, name: str, *, how: str = "TRANSFORMATION") -> tuple[ColumnInput, ...]:
    """The fields of a form as inputs of what is computed from all of them."""
    return direct(f"raw.{name}", *(column.name for column in forms_of(study)[name].fields), how=how)


def build_redcap_quality(step: Step) -> Built:
    """``report.redcap_quality``."""
    rows: list[tuple[object, ...]] = []
    for one in _judged(step):
        numbers = (one.n_values, one.n_undecided, len(one.findings))
        rows.append((one.rule, LETTERS[one.rule], one.form, one.field, *numbers, one.note))
    return Built(rows=pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("rule", "form", "field"))


def redcap_queries(step: Step) -> pl.DataFrame:
    """The data queries of the rules, for exports of which every form was read."""
    judged = _judged(step)
    declared = declared_columns(step.study, step.instruments)
    asked = {one.form for one in judged if one.findings}
    keys = {
        name: frame_of(step.warehouse.connection.sql(RawSource(step.study, declared, name, relation).keys))
        for name in asked
    }
    return queries_of(judged, keys)


def _judged(step: Step) -> list[Judged]:
    forms = forms_of(step.study)
    unread = {form.export for name, form in forms.items() if not step.warehouse.exists(f"raw.{name}")}
    readable = {name: form for name, form in forms.items() if form.export not in unread}
    return [one for export in exports_of(readable, step.read) for one in judge(export)]
