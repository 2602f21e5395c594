"""The clinical half: delivered files, the gate, staging, marts and statistics.

Belongs here: which clinical tables a study has and which function makes each. Does not belong here: those functions.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.clinical.double_programming import SAME_IN_SQL, same_in_sql
from fm_platform.catalog.clinical.forms import EXPORT_RECONCILED, build_form, form_columns, form_files
from fm_platform.catalog.clinical.marts import clinical_marts
from fm_platform.catalog.clinical.results_data import results_data
from fm_platform.catalog.clinical.statistics import statistics_assets
from fm_platform.catalog.clinical.typed import build_typed
from fm_platform.catalog.delivered import source_rows, with_optional_items
from fm_platform.catalog.disclosure.assets import privacy_assets
from fm_platform.catalog.earlier import accepted_losses, earlier_deliveries
from fm_platform.catalog.models import model_asset, model_cache, models_folder
from fm_platform.catalog.redelivered import refuse_erased, subjects_of
from fm_platform.instruments.model import Instrument
from fm_platform.instruments.recorded import recorded_scores
from fm_platform.instruments.scoring import score_answers
from fm_platform.lineage.code import code_version
from fm_platform.sources.delimited import ROW_NAMES, read_text_table
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.sql.loader import load_models
from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.validation.checks import check_declarations
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import columns_of_source
from fm_platform.validation.deliveries import NOTHING_LOST, lost_keys, nothing_lost
from fm_platform.validation.gate import GateResult, gate, gate_inputs
from fm_platform.validation.headers import optional_columns, require_columns
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.record_numbers import SEQ, SEQ_DESCRIPTION, numbered
from fm_platform.validation.score_models import SQL_SCORES, score_model
from fm_platform.validation.staging_models import staging_models
from fm_platform.validation.withdrawals import TABLE as WITHDRAWALS
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import Column
from fm_platform.warehouse.table import direct, indirect

SCORES = "staging.stg_instrument_scores"
GATE_KEYS = ("gate", "population", "strata", "unscheduled", "visits")


def clinical_assets(
    study: Study, instruments: tuple[Instrument, ...], models: Path | None = None
) -> list[Asset]:
    """Every clinical asset of a study, but for its report tables."""
    assets: list[Asset] = []
    for source in study.clinical:
        assets += [_raw(study, source), _quarantine(study, instruments, source)]
    second = score_model(study, instruments)
    generated = [*staging_models(study, instruments), *([second] if second else [])]
    typed = {f"staging.{source}" for source in study.clinical}
    for model in load_models(models or models_folder(), generated, model_cache()):
        build = build_typed if model.name in typed else None
        assets.append(model_asset(model, half="clinical", group=model.schema, build=build))
    assets += [
        _scores(study, checked=second is not None),
        *clinical_marts(instruments),
        *privacy_assets(study, instruments),
    ]
    return [*assets, *statistics_assets(study), results_data(study)]


# -- delivered files ----------------------------------------------------------------------------------------------


def _raw(study: Study, source: str) -> Asset:
    declared = study.clinical[source]
    form = isinstance(declared, FormSource)
    path = study.folder / declared.path
    files = sorted(study.folder.glob(declared.path))[-1:] if declared.pick else [path]
    return Asset(
        table=f"raw.{source}",
        description=f"{f'Form {source} of ' if form else ''}{declared.path} as delivered: every cell is text.",
        group="raw",
        kinds=("file", "duckdb"),
        half="clinical",
        key=("_row_id",),
        study_keys=_keys_of(declared),
        source_files=(*(files or [path]), *form_files(study, declared)),
        code_version=code_version(build_raw),
        checks=(EXPORT_RECONCILED,) if form else (),
        build=partial(build_raw, source=source),
        columns=(
            Column(
                "_row_id",
                "Hash of source, row content and occurrence: the same row keeps it wherever it stands",
            ),
            *form_columns(declared),
        ),
    )


def _keys_of(source: ClinicalSource) -> tuple[str, ...]:
    """The keys of study.yaml that say which columns a source has: outcomes and answers belong to visits."""
    return ("clinical", "instruments", "outcomes") if source.by_visit else ("clinical",)


def build_raw(step: Step, source: str) -> Built:
    """Read, keep and store one clinical file."""
    declared = step.study.clinical[source]
    path = step.study.resolve(declared.path, "clinical", source, "path", pick=declared.pick)
    name = path.relative_to(step.study.folder).as_posix()
    if isinstance(declared, FormSource):
        return build_form(step, source, declared, path, name)
    table = read_text_table(source, path, name=name, sheet=declared.sheet, row_names=ROW_NAMES)
    for note in table.notes:
        step.progress(f"{name}: {note}")
    require_columns(step.study, step.instruments, source, table.columns, file=name)
    refuse_erased(step, subjects_of(table.frame, declared.columns["subject"]), "subjects", name)
    kept = step.keep(source, path)
    return Built(
        rows=with_optional_items(table.frame, optional_columns(step.study, step.instruments, source)),
        source_rows=source_rows(
            source, table.frame["_row_id"].to_list(), table.lines, table.file.sha256, kept.path
        ),
        metadata={
            "file": name,
            "sha256": table.file.sha256,
            "delimiter": table.delimiter,
            "encoding": table.encoding,
            "remarks": list(table.notes),
        },
    )


# -- the gate -----------------------------------------------------------------------------------------------------


def _quarantine(study: Study, instruments: tuple[Instrument, ...], source: str) -> Asset:
    raw = f"raw.{source}"
    declared = declared_columns(study, instruments)

    def names(name: str) -> tuple[str, ...]:
        return tuple(entry.column for entry in columns_of_source(declared, name))

    read = direct(raw, *names(source))
    for table in gate_inputs(study, source):
        if table == WITHDRAWALS:
            read += indirect(table, "subject", "date", "scope", how="JOIN")
        elif table != raw:
            read += indirect(table, *names(table.removeprefix("raw.")), how="JOIN")
    return Asset(
        table=f"quarantine.{source}",
        description=f"What the gate found in {raw}: cells that are nulled, rows that are set aside, and why.",
        group="quarantine",
        kinds=("duckdb", "greatexpectations"),
        half="clinical",
        inputs=gate_inputs(study, source),
        key=("_row_id", "rule", "column"),
        study_keys=tuple(sorted((*_keys_of(study.clinical[source]), *GATE_KEYS))),
        code_version=code_version(build_quarantine),
        checks=(*check_declarations(study, instruments, source), NOTHING_LOST),
        decided=(source,),
        build=partial(build_quarantine, source=source),
        lineage=dict.fromkeys(("scope", "column", "rule", "reason", "value"), read),
        columns=columns(
            _row_id="The raw row",
            scope="cell: the cell is nulled and the row kept; row: the row is set aside",
            column="The column of a cell; null for a row",
            rule="The rule that it breaks",
            reason="What is wrong, in words",
            value="The cell as delivered",
        ),
    )


def build_quarantine(step: Step, source: str) -> Built:
    """Run the gate over one source."""
    step.progress(f"gate over {source}: rules in DuckDB, confirmed by Great Expectations")
    result = gate(step.warehouse.connection, relation, step.study, step.instruments, source)
    facts: dict[str, Any] = _decisions(result)
    for note in result.notes:
        step.progress(note)
    if result.notes:
        facts["read_as"] = list(result.notes)
    view = RawSource(step.study, declared_columns(step.study, step.instruments), source, relation)
    earlier = earlier_deliveries(step, source)
    lost = lost_keys(step.warehouse.connection, view, earlier, accepted_losses(step, source))
    return Built(
        rows=result.findings,
        checks=lambda: [*result.checks, nothing_lost(lost, len(earlier))],
        records=[("quarantine", {"source": source, **facts})],
        metadata=facts,
    )


def _decisions(result: GateResult) -> dict[str, int]:
    """How many rows are set aside and cells nulled."""
    rows = result.findings.filter(pl.col("scope") == "row")
    cells = result.findings.filter(pl.col("scope") == "cell")
    return {
        "rows_set_aside": rows["_row_id"].n_unique(),
        "cells_nulled": cells.select("_row_id", "column").n_unique(),
    }


# -- scores ---------------------------------------------------------------------------------------


def _scores(study: Study, *, checked: bool) -> Asset:
    answers, visits, measures = "staging.stg_answers", "staging.stg_visits", "staging.stg_measures"
    recorded = any(use.recorded_only for use in study.instruments)
    rows = (
        *indirect(visits, "source", "subject_id", "visit_id", "missing_reason"),
        *indirect(answers, "subject_id", "visit_id", how="JOIN"),
        *(indirect(measures, "variable") if recorded else ()),
    )
    answered = (
        *direct(answers, "answer", "item"),
        *indirect(answers, "instrument"),
        *(direct(measures, "value") if recorded else ()),
        *rows,
    )
    own = {
        name: (
            *direct(visits, name, how="IDENTITY"),
            *(direct(measures, name, how="IDENTITY") if recorded else ()),
            *rows,
        )
        for name in ("subject_id", "visit_id")
    }
    named = (*(direct(measures, "variable") if recorded else ()), *rows)
    return Asset(
        table=SCORES,
        description="Scores of every instrument at every visit at which it was given, as exact fractions.",
        group="staging",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(
            "staging.stg_answers",
            "staging.stg_measures",
            "staging.stg_visits",
            *((SQL_SCORES,) if checked else ()),
        ),
        key=("subject_id", "visit_id", "score_id"),
        study_keys=("instruments", "visits"),
        checks=(SAME_IN_SQL,) if checked else (),
        code_version=code_version(build_scores),
        build=build_scores,
        lineage={
            **own,
            **dict.fromkeys(("instrument", "score_id", "n_items"), named),
            **dict.fromkeys(
                ("value_exact", "value_scale", "value", "n_missing", "prorated", "note"), answered
            ),
            SEQ: direct("staging.stg_visits", "visit_id"),
        },
        columns=columns(
            subject_id="The subject",
            visit_id="The visit",
            instrument="The instrument",
            score_id="instrument.score",
            value_exact="The score times value_scale, a whole number",
            value_scale="What value_exact is divided by",
            value="The score, for display",
            n_items="Items that the score is made of",
            n_missing="How many of them were not answered",
            prorated="Whether the answered items stand for the missing ones",
            note="Why there is no value, or that a total was recorded and not recomputed",
            seq=SEQ_DESCRIPTION,
        ),
    )


def build_scores(step: Step) -> Built:
    """Score every instrument."""
    answers = step.read("staging.stg_answers")
    visits = step.read("staging.stg_visits")
    answered = visits.join(answers, on=["subject_id", "visit_id"], how="semi")["subject_id", "visit_id"]
    took_place = pl.concat(
        [visits.filter(pl.col("missing_reason").is_null())["subject_id", "visit_id"], answered]
    )
    visits = visits.join(
        took_place.unique(), on=["subject_id", "visit_id"], how="semi", maintain_order="left"
    )
    recorded, computed = [_no_scores()], [_no_scores()]
    for use, instrument in zip(step.study.instruments, step.instruments, strict=True):
        if use.recorded_only:
            recorded.append(recorded_scores(instrument, tuple(use.totals), step.read("staging.stg_measures")))
            continue
        given = visits.filter(pl.col("source") == use.source).select("subject_id", "visit_id")
        own = answers.filter(pl.col("instrument") == instrument.id).drop("instrument")
        computed.append(score_answers(instrument, own, given))
    own_rows = pl.concat(computed)
    names = [score for instrument in step.instruments for score in instrument.score_ids]
    return Built(
        rows=numbered(pl.concat([own_rows, *recorded]), step.study, names, "score_id"),
        checks=lambda: [same_in_sql(own_rows, step.read(SQL_SCORES))] if len(computed) > 1 else [],
    )


def _no_scores() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "subject_id": pl.String,
            "visit_id": pl.String,
            "instrument": pl.String,
            "score_id": pl.String,
            "value_exact": pl.Int64,
            "value_scale": pl.Int64,
            "value": pl.Float64,
            "n_items": pl.Int32,
            "n_missing": pl.Int32,
            "prorated": pl.Boolean,
            "note": pl.String,
        }
    )
