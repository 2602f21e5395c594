"""What the site is asked: data queries over deliveries, their CSV, and completeness.

Belongs here: gathering what the rules look at, and the three assets. Does not belong here: the rules and the states
of queries (``validation``).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.clinical.query_lines import with_lines, with_rows
from fm_platform.catalog.clinical.query_present import QUERIES, STAGED, is_current, present
from fm_platform.catalog.clinical.redcap_quality import (
    form_cells,
    forms_of,
    redcap_quality_assets,
    redcap_queries,
)
from fm_platform.catalog.clinical.staged import ATTRIBUTES, read_staged
from fm_platform.catalog.earlier import accepted_losses, earlier_deliveries
from fm_platform.catalog.withdrawals import withdrawals_of
from fm_platform.instruments.model import Instrument
from fm_platform.lineage.code import code_version
from fm_platform.study.model import Study
from fm_platform.validation import clinical_queries, visit_queries
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.completeness import COMPLETENESS_KEY, completeness
from fm_platform.validation.declared import columns_of_source
from fm_platform.validation.deliveries import changed_cells, lost_keys
from fm_platform.validation.query_cells import CHANGED, LOST
from fm_platform.validation.query_history import CLOSED, LIFE_COLUMNS, OPEN, next_state
from fm_platform.validation.query_rows import FOUND_SCHEMA, found_frame, queries_of_source
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.withdrawals import ERASE, scopes_of, without_withdrawn
from fm_platform.validation.withdrawals import TABLE as WITHDRAWALS
from fm_platform.warehouse.database import Remembered
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import ColumnInput
from fm_platform.warehouse.table import direct, indirect

COMPLETENESS = "report.completeness"
SITE_FILE = "reports/data_queries.csv"
LIFE = Remembered(columns=LIFE_COLUMNS, state="state", past=CLOSED)
CLINICAL_RULES = (
    clinical_queries.pain_differs,
    clinical_queries.straight_lining,
    clinical_queries.areas_against_pain,
    clinical_queries.items_against_the_trend,
    clinical_queries.criteria_at_baseline,
    visit_queries.dates_and_windows,
    visit_queries.baseline_after_dose,
    visit_queries.type_and_diagnosis,
    visit_queries.subjects_without_visits,
    visit_queries.missing_visits,
    visit_queries.samples_of_nobody,
    visit_queries.subjects_spelled_twice,
)
_KEYS = (
    "clinical", "contrasts", "expression", "gate", "instruments", "outcomes", "population", "strata", "unscheduled",
    "visits",
)  # fmt: skip


def query_assets(study: Study, instruments: Sequence[Instrument]) -> list[Asset]:
    """The data queries of a clinical study, the file for the site, and completeness.

    Queries are of no half: while a gate blocks the clinical half, readers must see why.
    """
    sources = tuple(study.clinical)
    gated = tuple(f"{schema}.{source}" for source in sources for schema in ("raw", "quarantine", "staging"))
    samples = ("raw.samples",) if study.has_expression else ()
    withdrawals = (WITHDRAWALS,) if study.withdrawals is not None else ()
    asked = _asked(study, instruments)
    described = columns(
        query_id="The same question about the same cell has the same id in every delivery",
        rule="The rule that asks",
        severity="error: the gate refused it; query: please check; warn: unlikely",
        source="The clinical source",
        subject="The subject",
        event="The visit",
        item="The column or item",
        value="What was delivered",
        expected="What the rule expects",
        text="The question",
        state="open, reopened (was closed before), resolved (a cell it asks about changed), accepted (`fm accept`), "
        "removed (its row is no longer delivered), withdrawn (its subject withdrew), not asked (the rule is another)",
        raised_on="The day it was first asked (UTC)",
        resolved_on="The day it was closed",
        reopened_on="The day it came back",
        times_reopened="How often it came back",
        closed_by="What closed it, in words",
    )
    asked_for = (
        *indirect("staging.stg_answers", "instrument", "item", "subject_id"),
        *indirect("staging.stg_subjects", "in_population", "subject_id", how="JOIN"),
    )
    given = (
        *direct("staging.stg_visits", "subject_id", how="AGGREGATION"),
        *indirect("staging.stg_visits", "source", "visit_id", "missing_reason", how="GROUP_BY"),
        *asked_for,
    )
    answered = (
        *direct("staging.stg_answers", "item", how="AGGREGATION"),
        *indirect("staging.stg_answers", "visit_id", how="GROUP_BY"),
        *asked_for,
    )
    completed = {
        "n_expected": (*direct("staging.stg_subjects", "subject_id", how="AGGREGATION"), *asked_for),
        "n_given": given,
        "n_answered": answered,
        **dict.fromkeys(("n_missing", "share"), (*given, *answered)),
    }
    counted = columns(
        instrument="The questionnaire",
        item="The item",
        visit="The planned visit",
        n_expected="Subjects of the population",
        n_given="Of them, with a row of the questionnaire's source at the visit",
        n_answered="Of them, with an accepted answer",
        n_missing="n_given less n_answered",
        share="n_answered of n_given; null where it was given to nobody",
    )
    return [
        Asset(
            table=QUERIES,
            description="What the site is asked to check, with the life of every question over deliveries.",
            group="report",
            kinds=("polars", "duckdb"),
            half="both",
            inputs=(*gated, *STAGED, *samples, *withdrawals),
            key=("query_id",),
            study_keys=_KEYS,
            code_version=code_version(build_queries),
            tolerates_blocked=True,
            decided=(*sources, QUERIES),
            shows_origin=True,
            build=build_queries,
            lineage={column.name: asked for column in described},
            columns=described,
            remembered=LIFE,
        ),
        Asset(
            table="files.data_queries",
            description="The open data queries as a CSV for the study site.",
            group="report",
            kinds=("csv",),
            half="both",
            inputs=(QUERIES,),
            key=(),
            code_version=code_version(build_site_file),
            tolerates_blocked=True,
            build=build_site_file,
        ),
        Asset(
            table=COMPLETENESS,
            description="How many answers there are, by item and planned visit.",
            group="report",
            kinds=("polars", "duckdb"),
            half="clinical",
            inputs=("staging.stg_answers", "staging.stg_subjects", "staging.stg_visits"),
            key=COMPLETENESS_KEY,
            study_keys=("instruments", "visits"),
            code_version=code_version(build_completeness),
            build=build_completeness,
            lineage={column.name: completed.get(column.name, asked_for) for column in counted},
            columns=counted,
        ),
        *redcap_quality_assets(study),
    ]


def _asked(study: Study, instruments: Sequence[Instrument]) -> tuple[ColumnInput, ...]:
    """What the rules look at: each of it can raise a query or answer one, and so decides about every column."""
    declared = declared_columns(study, instruments)
    found: list[ColumnInput] = []
    for source in study.clinical:
        own = columns_of_source(declared, source)
        attributes = [entry.column for entry in own if entry.kind == "attribute" and entry.role in ATTRIBUTES]
        found += direct(f"quarantine.{source}", "column", "reason", "rule", "scope", "value")
        found += direct(f"raw.{source}", *dict.fromkeys(entry.column for entry in own))
        found += indirect(
            f"staging.{source}", *(["subject_id", *attributes] if attributes else []), how="JOIN"
        )
    for form in forms_of(study):
        found += form_cells(study, form)
    if study.expression is not None and study.expression.samples.subject is not None:
        sheet = study.expression.samples
        found += direct("raw.samples", *(name for name in (sheet.id, sheet.subject, sheet.visit) if name))
    if study.withdrawals is not None:
        found += indirect(WITHDRAWALS, "subject", "date", "scope", how="JOIN")
    visit = ("subject_id", "visit_id")
    return (
        *found,
        *direct("staging.stg_answers", "answer", "item"),
        *indirect("staging.stg_answers", "instrument", *visit, how="JOIN"),
        *direct("staging.stg_instrument_scores", "value"),
        *indirect("staging.stg_instrument_scores", "score_id", *visit, how="JOIN"),
        *direct("staging.stg_measures", "value", "variable"),
        *indirect("staging.stg_measures", *visit, how="JOIN"),
        *indirect("staging.stg_subjects", "subject_id", "in_population", how="JOIN"),
        *direct("staging.stg_visits", "visit_date"),
        *indirect("staging.stg_visits", "source", "missing_reason", *visit, how="JOIN"),
    )


def build_queries(step: Step) -> Built:
    """``report.data_queries``."""
    found = [pl.DataFrame(schema=FOUND_SCHEMA)]
    stood: dict[tuple[str, str, str | None], str] = {}
    for source in step.study.clinical:
        if is_current(step.history, f"quarantine.{source}"):
            asked, lost = _of_source(step, source)
            found += asked
            stood |= {(source, subject, visit): lines or "" for subject, visit, lines in lost.rows()}
    found.append(redcap_queries(step))
    staged = read_staged(step)
    if staged is not None:
        found += [rule(staged) for rule in CLINICAL_RULES]
    scopes = scopes_of(withdrawals_of(step))
    before = step.read_if_any(QUERIES)
    if before is not None:
        erased = [subject for subject, scope in scopes.items() if scope == ERASE]
        before = before.filter(~pl.col("subject").is_in(erased).fill_null(False))
    named = with_rows(step, without_withdrawn(pl.concat(found), scopes))
    table = next_state(named, before, present(step, scopes))
    table = with_lines(step, table, stood)
    states = dict(table.group_by("state").len().rows())
    return Built(rows=table, metadata={state: states.get(state, 0) for state in (*OPEN, *CLOSED)})


def _of_source(step: Step, source: str) -> tuple[list[pl.DataFrame], pl.DataFrame]:
    """What is asked about a source, and what an earlier delivery had."""
    connection = step.warehouse.connection
    view = RawSource(step.study, declared_columns(step.study, step.instruments), source, relation)
    earlier = earlier_deliveries(step, source)
    lost = lost_keys(connection, view, earlier, accepted_losses(step, source))
    rows: list[dict[str, object]] = []
    for subject, visit, _ in lost.rows():
        what = "visit" if visit is not None else "subject"
        text = f"an earlier delivery had this {what}, this one lacks it"
        rows.append(_row(LOST, "error", source, subject, visit, what, text))
    if earlier:
        for subject, visit, column, old, new, row_ids in changed_cells(connection, view, earlier).rows():
            text = f"{column} was {old!r} in an earlier delivery"
            changed = _row(CHANGED, "query", source, subject, visit, column, text)
            rows.append({**changed, "value": new, "expected": old, "_row_ids": row_ids})
    asked = queries_of_source(connection, view, step.instruments, step.read(f"quarantine.{source}"))
    return [asked, found_frame(rows)], lost


def _row(
    rule: str, severity: str, source: str, subject: str, event: str | None, item: str, text: str
) -> dict[str, object]:
    return {
        "rule": rule,
        "severity": severity,
        "source": source,
        "subject": subject,
        "event": event,
        "item": item,
        "value": None,
        "expected": None,
        "text": text,
        "_row_ids": [],
    }


def build_site_file(step: Step) -> Built:
    """The open queries as CSV; the last two columns are for the site."""
    table = step.read(QUERIES).filter(pl.col("state").is_in(OPEN))
    own = [
        name
        for name in table.columns
        if not name.startswith("_") and name not in ("resolved_on", "closed_by")
    ]
    listed = table.select(own).sort("subject", "event", "rule", "item", nulls_last=True)
    listed = listed.with_columns(pl.lit("").alias("answer"), pl.lit("").alias("answered_by"))
    return Built(files={SITE_FILE: listed.write_csv().encode()})


def build_completeness(step: Step) -> Built:
    """``report.completeness``."""
    return Built(
        rows=completeness(
            step.study,
            step.instruments,
            step.read("staging.stg_answers"),
            step.read("staging.stg_visits"),
            step.read("staging.stg_subjects"),
        )
    )
