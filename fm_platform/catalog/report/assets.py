"""Report tables, the report's files, and the publication.

Belongs here: which of them a study has, what they read, and gathering the report's input. Does not belong here: tables,
figures and pages themselves (``reporting``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, direct, indirect
from fm_platform.catalog.clinical.analyses import has_arms
from fm_platform.catalog.clinical.results_data import ARD, CELLS_CHECK, Layout, cells_check
from fm_platform.catalog.report.columns import (
    ARMS_COLUMNS,
    CHANGE_COLUMNS,
    CHARACTERISTICS_COLUMNS,
    RESPONDER_COLUMNS,
    TOP_GENE_COLUMNS,
)
from fm_platform.lineage.code import code_version
from fm_platform.lineage.environment import CONTEXT, Contexts, together
from fm_platform.lineage.graph import upstream_of
from fm_platform.lineage.history import History
from fm_platform.reporting.characteristics import characteristics
from fm_platform.reporting.csv import table_csv
from fm_platform.reporting.html import GateLine, HalfState, ReportInput, RunInfo, SourceLine, render_report
from fm_platform.reporting.sections import report_figures
from fm_platform.reporting.tables import (
    KEYS,
    between_arms_table,
    responders_table,
    symptom_change_table,
    top_genes,
)
from fm_platform.study.model import Study
from fm_platform.validation.roles import subject_role
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import Column, ColumnInput, ColumnLineage

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
_WHOLE_STUDY = tuple(sorted(set(Study.model_fields) - {"keep_snapshots", "schedule"}))


def report_assets(study: Study, upstream: Sequence[str]) -> list[Asset]:
    """The report tables that the study's halves allow, the report's files and the publication."""
    tables: list[Asset] = []
    if study.has_clinical:
        tables += [_characteristics(), _change(study), _responders()]
        if has_arms(study):
            tables.append(_arms())
    if study.contrasts:
        tables.append(_top_genes())
    report = _report(study)
    everything = (*upstream, *(asset.table for asset in tables), report.table)
    return [*tables, report, _publication(everything)]


# -- tables ---------------------------------------------------------------------------------------------------------


def _characteristics() -> Asset:
    people = "marts.participants"
    rows = indirect(people, "in_population", "stratum", "sex", "age", "arm", "site", how="GROUP_BY")
    age, levels = (
        direct(people, "age", how="AGGREGATION"),
        direct(people, "sex", "arm", "site", how="AGGREGATION"),
    )
    total = direct(people, "subject_id", how="AGGREGATION")
    own = {
        "stratum": (*direct(people, "stratum", how="GROUP_BY"), *rows),
        **dict.fromkeys(("level", "level_label", "percent"), (*levels, *rows)),
        **dict.fromkeys(("median", "q1", "q3", "low", "high"), (*age, *rows)),
        "n_missing": (*age, *levels, *rows),
        **dict.fromkeys(("n", "value", "count"), (*total, *age, *levels, *rows)),
    }
    return Asset(
        table="report.characteristics",
        description="Who the participants are, over all and by stratum.",
        group="report",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(people, ARD),
        key=KEYS["report.characteristics"],
        checks=(CELLS_CHECK,),
        study_keys=("labels", "strata", "study"),
        code_version=code_version(build_characteristics),
        build=build_characteristics,
        lineage={column.name: own.get(column.name, rows) for column in CHARACTERISTICS_COLUMNS},
        columns=CHARACTERISTICS_COLUMNS,
    )


def build_characteristics(step: Step) -> Built:
    """``report.characteristics``."""
    described = characteristics(step.read("marts.participants"), step.study)
    return _checked(step, described, "stats.characteristics", lambda statistics: statistics)


def _checked(step: Step, statistics: pl.DataFrame, table: str, lay_out: Layout) -> Built:
    """A report table with the check that the analysis results data alone give the same."""
    printed = lay_out(statistics)
    return Built(rows=printed, checks=lambda: [cells_check(step, printed, table, statistics.schema, lay_out)])


def _change(study: Study) -> Asset:
    stats = "stats.symptom_change"
    outcome, labels = _labelled_outcome(stats)
    tested = indirect(stats, "stratum") if _within_arms(study) else ()
    return Asset(
        table="report.symptom_change",
        description="Change from baseline by outcome, visit and stratum, ready to print.",
        group="report",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(stats, ARD, "study.outcomes", "study.visits"),
        key=KEYS["report.symptom_change"],
        study_keys=("clinical", "strata"),
        checks=(CELLS_CHECK,),
        code_version=code_version(build_change),
        build=build_change,
        lineage=_copied(
            CHANGE_COLUMNS,
            stats,
            **labels,
            better=(*direct("study.outcomes", "better", how="IDENTITY"), *outcome),
            change_text=direct(stats, "hl_estimate", "hl_low", "hl_high", "hl_level", "median_change"),
            **{name: (*direct(stats, name, how="IDENTITY"), *tested) for name in ("p_value", "p_floor")},
            p_text=(*direct(stats, "p_value", "p_floor"), *tested),
        ),
        columns=CHANGE_COLUMNS,
    )


def build_change(step: Step) -> Built:
    """``report.symptom_change``."""
    stats, outcomes, visits = (
        step.read(t) for t in ("stats.symptom_change", "study.outcomes", "study.visits")
    )
    within_arms = _within_arms(step.study)

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return symptom_change_table(statistics, outcomes, visits, within_arms=within_arms)

    return _checked(step, stats, "stats.symptom_change", lay_out)


def _within_arms(study: Study) -> bool:
    """Whether strata are the arms of a trial."""
    return study.strata is not None and subject_role(study, study.strata) == "arm"


def _labelled_outcome(stats: str) -> tuple[tuple[ColumnInput, ...], dict[str, tuple[ColumnInput, ...]]]:
    """What an outcome of a table of statistics is found by; and the labels and the order of its rows."""
    outcome = (
        *indirect("study.outcomes", "outcome_id", how="JOIN"),
        *indirect(stats, "outcome", how="JOIN"),
    )
    visit, visit_label = _labelled_visit(stats)
    label = direct("study.outcomes", "label", "outcome_id")
    return outcome, {
        "outcome_label": (*label, *direct(stats, "outcome"), *outcome),
        "visit_label": visit_label,
        "position": (
            *direct("study.outcomes", "position"),
            *direct("study.visits", "position"),
            *outcome,
            *visit,
        ),
    }


def _labelled_visit(stats: str) -> tuple[tuple[ColumnInput, ...], tuple[ColumnInput, ...]]:
    """What a visit of a table of statistics is found by, and its label."""
    visit = (*indirect("study.visits", "visit_id", how="JOIN"), *indirect(stats, "visit", how="JOIN"))
    return visit, (*direct("study.visits", "label", "visit_id"), *direct(stats, "visit"), *visit)


def _responders() -> Asset:
    stats = "stats.responders"
    definition = (
        *indirect("study.responders", "responder_id", how="JOIN"),
        *indirect(stats, "responder", how="JOIN"),
    )
    visit, visit_label = _labelled_visit(stats)
    return Asset(
        table="report.responders",
        description="Responders by definition, visit and stratum, ready to print.",
        group="report",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(stats, ARD, "study.responders", "study.outcomes", "study.visits"),
        key=KEYS["report.responders"],
        checks=(CELLS_CHECK,),
        code_version=code_version(build_responders),
        build=build_responders,
        lineage=_copied(
            RESPONDER_COLUMNS,
            stats,
            position=(*direct("study.visits", "position"), *definition, *visit),
            responder_label=(
                *direct("study.outcomes", "label", "outcome_id"),
                *direct("study.responders", "reduction_percent", "label"),
                *indirect("study.responders", "outcome_id", how="JOIN"),
                *direct(stats, "responder"),
                *definition,
            ),
            visit_label=visit_label,
            ci_text=direct(stats, "ci_low", "ci_high"),
            rate_text=direct(stats, "responders", "n"),
            nri_text=direct(stats, "responders", "n_nri", "nri_low", "nri_high"),
        ),
        columns=RESPONDER_COLUMNS,
    )


def build_responders(step: Step) -> Built:
    """``report.responders``."""
    stats, definitions, outcomes, visits = (
        step.read(t) for t in ("stats.responders", "study.responders", "study.outcomes", "study.visits")
    )

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return responders_table(statistics, definitions, outcomes, visits)

    return _checked(step, stats, "stats.responders", lay_out)


def _arms() -> Asset:
    stats = "stats.between_arms"
    outcome = (
        *indirect("study.outcomes", "outcome_id", how="JOIN"),
        *indirect(stats, "outcome", how="JOIN"),
    )
    visit = (*indirect("study.visits", "visit_id", how="JOIN"), *indirect(stats, "visit", how="JOIN"))
    return Asset(
        table="report.between_arms",
        description="Change from baseline of each arm against the reference arm, ready to print.",
        group="report",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(stats, ARD, "study.outcomes", "study.visits"),
        key=KEYS["report.between_arms"],
        study_keys=("labels",),
        checks=(CELLS_CHECK,),
        code_version=code_version(build_arms),
        build=build_arms,
        lineage=_copied(
            ARMS_COLUMNS,
            stats,
            outcome_label=(*direct("study.outcomes", "label", how="IDENTITY"), *outcome),
            visit_label=(*direct("study.visits", "label", how="IDENTITY"), *visit),
            position=(
                *direct("study.outcomes", "position"),
                *direct("study.visits", "position"),
                *indirect(stats, "arm", how="SORT"),
                *outcome,
                *visit,
            ),
            arm_label=direct(stats, "arm"),
            reference_label=direct(stats, "reference"),
            shift_text=direct(stats, "shift", "shift_low", "shift_high", "shift_level"),
            p_text=direct(stats, "p_value", "p_floor"),
        ),
        columns=ARMS_COLUMNS,
    )


def build_arms(step: Step) -> Built:
    """``report.between_arms``."""
    stats, outcomes, visits = (step.read(t) for t in ("stats.between_arms", "study.outcomes", "study.visits"))

    def lay_out(statistics: pl.DataFrame) -> pl.DataFrame:
        return between_arms_table(statistics, outcomes, visits, step.study)

    return _checked(step, stats, "stats.between_arms", lay_out)


def _top_genes() -> Asset:
    results, contrasts = "expression.de_results", "expression.contrasts"
    listed = (
        *indirect(results, "pvalue"),
        *indirect(results, "contrast", how="GROUP_BY"),
        *indirect(results, "gene_id", how="SORT"),
    )
    return Asset(
        table="report.top_genes",
        description="The genes with the smallest p-values of every contrast.",
        group="report",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(results, contrasts),
        key=KEYS["report.top_genes"],
        code_version=code_version(build_top_genes),
        build=build_top_genes,
        lineage={
            name: (*inputs, *listed)
            for name, inputs in _copied(
                TOP_GENE_COLUMNS,
                results,
                rank=direct(results, "pvalue", how="SORT"),
                status=(
                    *direct(contrasts, "status", how="IDENTITY"),
                    *indirect(contrasts, "contrast", how="JOIN"),
                ),
            ).items()
        },
        columns=TOP_GENE_COLUMNS,
    )


def build_top_genes(step: Step) -> Built:
    """``report.top_genes``."""
    return Built(rows=top_genes(step.read("expression.de_results"), step.read("expression.contrasts")))


def _copied(described: tuple[Column, ...], table: str, **own: tuple[ColumnInput, ...]) -> ColumnLineage:
    """Columns that repeat those of a table, but for some."""
    return {
        column.name: own.get(column.name) or direct(table, column.name, how="IDENTITY")
        for column in described
    }


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
    for table, key in KEYS.items():
        frame = report.tables.get(table)
        if frame is not None:
            text = table_csv(frame, key, synthetic=step.study.study.synthetic)
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
