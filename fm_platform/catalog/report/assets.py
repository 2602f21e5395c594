"""Report tables, the report's files, and the publication.

Belongs here: which of them a study has, what they read, and gathering the report's input. Does not belong here: tables,
figures and pages themselves (``reporting``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, declared
from fm_platform.catalog.clinical.results_data import CELLS_CHECK, Layout, cells_check
from fm_platform.catalog.clinical.statistics import has_arms
from fm_platform.lineage.code import code_version
from fm_platform.lineage.environment import CONTEXT, Contexts, together
from fm_platform.lineage.graph import upstream_of
from fm_platform.lineage.history import History
from fm_platform.reporting.arms_table import ARMS, between_arms_table
from fm_platform.reporting.characteristics import CHARACTERISTICS, characteristics
from fm_platform.reporting.csv import table_csv
from fm_platform.reporting.html import GateLine, HalfState, ReportInput, RunInfo, SourceLine, render_report
from fm_platform.reporting.sections import report_figures
from fm_platform.reporting.tables import (
    CHANGE,
    CONTRASTS,
    DE_RESULTS,
    PRINTED,
    RESPONSE,
    TOP_GENES,
    responders_table,
    symptom_change_table,
    top_genes,
)
from fm_platform.statistics.arms import BETWEEN_ARMS
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.statistics.responders import RESPONDER_COUNTS
from fm_platform.statistics.sources import OUTCOMES, PEOPLE, RESPONDERS, VISITS
from fm_platform.study.model import Study
from fm_platform.validation.roles import subject_role
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.table import Table, indirect

PUBLICATION = "publish.warehouse"
REPORT = "files.report"
CLINICAL_INPUTS = (
    "report.characteristics",
    "report.symptom_change",
    "report.responders",
    "marts.participants",
    "marts.symptom_scores",
    "study.outcomes",
)
EXPRESSION_INPUTS = ("report.top_genes", "expression.contrasts", "expression.de_results")
_TESTED = ("p_value", "p_floor", "p_text")
"""What says nothing within an arm, so that it depends on the stratum there."""
_WHOLE_STUDY = tuple(sorted(set(Study.model_fields) - {"keep_snapshots", "schedule"}))


def report_assets(study: Study, upstream: Sequence[str]) -> list[Asset]:
    """The report tables that the study's halves allow, the report's files and the publication."""
    tables = _printed(study)
    report = _report(study)
    everything = (*upstream, *(asset.table for asset in tables), report.table)
    return [*tables, report, _publication(everything)]


# -- tables ---------------------------------------------------------------------------------------------------------


def _printed(study: Study) -> list[Asset]:
    clinical = {"half": "clinical", "checks": (CELLS_CHECK,)}
    tables = []
    if study.has_clinical:
        change = CHANGE
        if _within_arms(study):
            change = CHANGE.resting_on(indirect(SYMPTOM_CHANGE.name, "stratum"), *_TESTED)
        tables += [
            _table(
                CHARACTERISTICS, build_characteristics, study_keys=("labels", "strata", "study"), **clinical
            ),
            _table(change, build_change, study_keys=("clinical", "strata"), **clinical),
            _table(RESPONSE, build_responders, **clinical),
        ]
        if has_arms(study):
            tables.append(_table(ARMS, build_arms, study_keys=("labels",), **clinical))
    if study.contrasts:
        tables.append(_table(TOP_GENES, build_top_genes, half="expression"))
    return tables


def _table(table: Table, build: Callable[[Step], Built], **attributes: Any) -> Asset:
    return declared(
        table,
        group="report",
        kinds=("polars", "duckdb"),
        code_version=code_version(build),
        build=build,
        **attributes,
    )


def build_characteristics(step: Step) -> Built:
    """``report.characteristics``."""
    described = characteristics(step.read(PEOPLE), step.study)
    return _checked(step, described, CHARACTERISTICS.name, lambda statistics: statistics)


def _checked(step: Step, statistics: pl.DataFrame, table: str, lay_out: Layout) -> Built:
    """A report table with the check that the analysis results data alone give the same."""
    printed = lay_out(statistics)
    of = table.replace("report.", "stats.")
    return Built(rows=printed, checks=lambda: [cells_check(step, printed, of, statistics.schema, lay_out)])


def build_change(step: Step) -> Built:
    """``report.symptom_change``."""
    stats, outcomes, visits = (step.read(name) for name in (SYMPTOM_CHANGE.name, OUTCOMES, VISITS))
    within_arms = _within_arms(step.study)

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return symptom_change_table(statistics, outcomes, visits, within_arms=within_arms)

    return _checked(step, stats, CHANGE.name, lay_out)


def _within_arms(study: Study) -> bool:
    """Whether strata are the arms of a trial."""
    return study.strata is not None and subject_role(study, study.strata) == "arm"


def build_responders(step: Step) -> Built:
    """``report.responders``."""
    stats, definitions, outcomes, visits = (
        step.read(name) for name in (RESPONDER_COUNTS.name, RESPONDERS, OUTCOMES, VISITS)
    )

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return responders_table(statistics, definitions, outcomes, visits)

    return _checked(step, stats, RESPONSE.name, lay_out)


def build_arms(step: Step) -> Built:
    """``report.between_arms``."""
    stats, outcomes, visits = (step.read(name) for name in (BETWEEN_ARMS.name, OUTCOMES, VISITS))

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return between_arms_table(statistics, outcomes, visits, step.study)

    return _checked(step, stats, ARMS.name, lay_out)


def build_top_genes(step: Step) -> Built:
    """``report.top_genes``."""
    return Built(rows=top_genes(step.read(DE_RESULTS), step.read(CONTRASTS)))


# -- files and publication --------------------------------------------------------------------------------------------


def _report(study: Study) -> Asset:
    inputs: tuple[str, ...] = ()
    if study.has_clinical:
        inputs += ("report.between_arms",) if has_arms(study) else ()
        gated = [f"{schema}.{source}" for source in study.clinical for schema in ("raw", "quarantine")]
        inputs += (*CLINICAL_INPUTS, *gated)
    if study.contrasts:
        inputs += EXPRESSION_INPUTS
    elif study.has_expression:
        inputs += ("expression.samples", "expression.counts")
    return Asset(
        table=REPORT,
        description="The report as one self-contained HTML file, its tables as CSV and its figures as SVG.",
        group="report",
        kinds=("html", "csv", "matplotlib"),
        inputs=inputs,
        key=(),
        study_keys=_WHOLE_STUDY,
        tolerates_blocked=True,
        shows_origin=True,
        code_version=code_version(build_report),
        build=partial(build_report, shown=()),
    )


def with_records_shown(assets: Sequence[Asset]) -> list[Asset]:
    """The report among all assets, told which tables are behind it."""
    nodes = {asset.table: asset for asset in assets}
    shown = tuple(sorted(upstream_of(REPORT, nodes))) if REPORT in nodes else ()
    return [
        replace(asset, shows_records=shown, build=partial(build_report, shown=shown))
        if asset.table == REPORT
        else asset
        for asset in assets
    ]


def build_report(step: Step, shown: Sequence[str]) -> Built:
    """The report's files.

    Args:
        step: What a builder is given.
        shown: The tables behind it, of which it says what they were made with.
    """
    report = ReportInput(
        study=step.study,
        tables=_tables(step),
        run=_run_info(step, shown),
        head_hash=step.history.head[1],
        halves=_halves(step),
        gate=gate_lines(step),
        sources=_source_lines(step.history),
    )
    step.progress("drawing the figures")
    figures = report_figures(report)
    files = {"reports/report.html": render_report(report, figures).encode()}
    for table, printed in PRINTED.items():
        frame = report.tables.get(table)
        if frame is not None:
            text = table_csv(frame, printed.key, synthetic=step.study.study.synthetic)
            files[f"reports/tables/{table.split('.')[1]}.csv"] = text.encode()
    for figure in figures:
        files[f"reports/figures/{figure.name}.svg"] = figure.svg
    return Built(
        files=files,
        metadata={"report": str(step.warehouse.home.reports / "report.html"), "files": len(files)},
    )


def _run_info(step: Step, shown: Sequence[str]) -> RunInfo:
    """With what the tables behind the report were made, by their records."""
    made = {table: step.history.materialized[table] for table in shown if table in step.history.materialized}
    contexts = contexts_of(step)
    libraries, environment = together(contexts.made_with(table, entry.seq) for table, entry in made.items())
    return RunInfo(
        run_id=step.warehouse.run_id,
        publication=step.history.next_publication,
        code_versions={table: str(entry.body["parts"]["code"]) for table, entry in made.items()},
        libraries=libraries,
        environment=environment,
    )


def contexts_of(step: Step) -> Contexts:
    """The records of study, code and environment so far."""
    return Contexts.of(record for kind in CONTEXT for record in step.warehouse.records_of(kind))


def _tables(step: Step) -> dict[str, pl.DataFrame]:
    wanted = (CLINICAL_INPUTS if step.study.has_clinical else ()) + (
        EXPRESSION_INPUTS if step.study.contrasts else ()
    )
    if step.study.has_clinical and has_arms(step.study):
        wanted += ("report.between_arms",)
    found = {table: step.read_if_any(table) for table in wanted}
    return {table: frame for table, frame in found.items() if frame is not None}


def _halves(step: Step) -> tuple[HalfState, ...]:
    """How current each half is: the day its newest report table was made."""
    states = []
    for half, tables in (("clinical", CLINICAL_INPUTS), ("expression", EXPRESSION_INPUTS)):
        if (half == "clinical" and not step.study.has_clinical) or (
            half == "expression" and not step.study.contrasts
        ):
            continue
        made = [m.at for table in tables if (m := step.history.materialized.get(table)) is not None]
        reason = step.blocked.get(half, "")
        states.append(
            HalfState(
                "clinical" if half == "clinical" else "expression",
                max(made, default="")[:10],
                bool(reason),
                reason,
            )
        )
    return tuple(states)


def gate_lines(step: Step) -> tuple[GateLine, ...]:
    """What the gate did with each clinical source that it has judged."""
    lines = []
    for source in step.study.clinical:
        if not step.warehouse.exists(f"quarantine.{source}"):
            continue
        read = step.warehouse.query(f"SELECT count(*) FROM {relation(f'raw.{source}')}").item()
        aside, cells = step.warehouse.query(
            "SELECT count(DISTINCT _row_id) FILTER (scope = 'row'), count(DISTINCT (_row_id, \"column\")) FILTER "
            f"(scope = 'cell') FROM {relation(f'quarantine.{source}')}"
        ).row(0)
        lines.append(GateLine(source, read, read - aside, aside, cells))
    return tuple(lines)


def _source_lines(history: History) -> tuple[SourceLine, ...]:
    lines = {}
    for table, made in sorted(history.materialized.items()):
        if table.startswith("raw."):
            for entry in made.body.get("delivered", []):
                lines[entry["path"]] = SourceLine(
                    entry["source"], entry["path"], entry["bytes"], entry["sha256"]
                )
    return tuple(lines[path] for path in sorted(lines))


def _publication(everything: tuple[str, ...]) -> Asset:
    return Asset(
        table=PUBLICATION,
        description="The published warehouse: a plain DuckDB file that readers open while runs go on.",
        group="publish",
        kinds=("duckdb", "file"),
        inputs=everything,
        key=(),
        study_keys=("study",),
        tolerates_blocked=True,
        shows_origin=True,
        code_version=code_version(build_publication),
        build=build_publication,
    )


def build_publication(step: Step) -> Built:
    """The session publishes by itself: the record and the file belong to one transaction and one rename."""
    del step
    return Built()
