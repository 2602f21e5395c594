"""The gate of one clinical source: what is refused and why, and the verdict of every check.

Belongs here: running the rules and the suite in order, and putting their results together. Does not belong
here: the rules' SQL, the suite's content, writing tables, Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.study.model import Study
from fm_platform.validation import withdrawals
from fm_platform.validation.candidate import candidate
from fm_platform.validation.cell_findings import cell_findings
from fm_platform.validation.checks import Tally, agreement_check, row_checks, rule_check
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.expectations import expectations_of, suite_version
from fm_platform.validation.gx_suite import count_unexpected, gx_version
from fm_platform.validation.queries import count_queries
from fm_platform.validation.raw_source import RawSource, Relation
from fm_platform.validation.readings import require_one_reading
from fm_platform.validation.refusals import outcome_columns, refusals_check
from fm_platform.validation.roles import subject_sources, visit_sources
from fm_platform.validation.row_findings import row_findings
from fm_platform.validation.rules import rules_of
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.records import CheckOutcome

if TYPE_CHECKING:
    import duckdb

FINDING_SCHEMA: dict[str, pl.DataType] = {
    "_row_id": pl.String(),
    "scope": pl.String(),
    "column": pl.String(),
    "rule": pl.String(),
    "reason": pl.String(),
    "value": pl.String(),
}
"""The columns of ``quarantine.<source>``; its key is _row_id, rule, column (null for a row)."""

FINDING_KEY = ("_row_id", "rule", "column")


@dataclass(frozen=True)
class GateResult:
    """What the gate found.

    Attributes:
        findings: The rows of ``quarantine.<source>``, sorted by key.
        checks: The verdicts, in the order of ``check_declarations``.
        notes: What was taken from the cells because study.yaml does not say it.
    """

    findings: pl.DataFrame
    checks: list[CheckOutcome]
    notes: tuple[str, ...] = ()


def gate_inputs(study: Study, source: str) -> tuple[str, ...]:
    """The tables that the gate of a source reads."""
    others = subject_sources(study) if study.clinical[source].by_visit else ()
    if study.clinical[source].by_window:
        others += tuple(name for name, other in study.clinical.items() if "start" in other.columns)
    tables = [f"raw.{name}" for name in (source, *others)]
    if study.withdrawals is not None:
        tables.append(withdrawals.TABLE)
        if study.clinical[source].by_visit:
            tables += [f"raw.{name}" for name in visit_sources(study)]
    return tuple(dict.fromkeys(tables))


def gate(
    con: duckdb.DuckDBPyConnection,
    relation: Relation,
    study: Study,
    instruments: Sequence[Instrument],
    source: str,
) -> GateResult:
    """Judge every row of ``raw.<source>``.

    Args:
        con: A connection that sees the tables of :func:`gate_inputs`. It is only read.
        relation: Names a table (``raw.visits``) in SQL.
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        source: The clinical source.

    Raises:
        InputError: Numbers or dates could be read in two ways, or two subjects would get one id.
    """
    columns = declared_columns(study, instruments)
    delivered = RawSource(study, columns, source, relation)
    notes = require_one_reading(con, delivered)
    findings = find(con, delivered)
    counted = count_unexpected(
        expectations_of(study, columns, source), candidate(con, delivered), name=source
    )
    facts = {
        "suite_version": suite_version(study, instruments, source),
        "great_expectations": gx_version(),
    }
    form = isinstance(delivered.declaration, FormSource)
    checks = row_checks(_tally(con, delivered, findings), study.gate.max_set_aside, facts, may_be_empty=form)
    outcomes = outcome_columns(study, instruments, columns, source)
    if outcomes:
        checks.append(refusals_check(con, delivered, findings, outcomes, facts))
    checks.append(agreement_check(findings, counted, facts))
    for rule in rules_of(study, columns, source):
        queries = count_queries(con, delivered, instruments, rule)
        checks.append(rule_check(rule, findings, queries, facts))
    return GateResult(findings, checks, tuple(notes))


def find(con: duckdb.DuckDBPyConnection, source: RawSource) -> pl.DataFrame:
    """All findings of a source, sorted by key.

    Args:
        con: A connection that sees the raw tables.
        source: The source.
    """
    rules = rules_of(source.study, source.columns, source.name)
    looked_at = {entry.column for rule in rules if rule.scope == "cell" for entry in rule.columns}
    selects = [
        *(row_findings(rule.id, source) for rule in rules if rule.scope == "row"),
        *cell_findings(
            source.table,
            [entry for entry in source.own_columns if entry.column in looked_at],
            source.declaration,
        ),
    ]
    found = frame_of(con.sql("\nunion all by name\n".join(selects)))
    return found.select(pl.col(name).cast(kind) for name, kind in FINDING_SCHEMA.items()).sort(*FINDING_KEY)


def _tally(con: duckdb.DuckDBPyConnection, source: RawSource, findings: pl.DataFrame) -> Tally:
    """Rows read, and of them accepted and set aside, each counted on its own."""
    rows = frame_of(con.sql(f"select _row_id from {source.table}"))
    set_aside = findings.filter(pl.col("scope") == "row")["_row_id"].unique()
    withdrawn = findings.filter(pl.col("rule") == withdrawals.RULE)["_row_id"].unique()
    accepted = rows.filter(~pl.col("_row_id").is_in(set_aside.implode()))
    return Tally(
        read=rows.height, accepted=accepted.height, set_aside=set_aside.len(), withdrawn=withdrawn.len()
    )
