"""The gate's checks: declared before there is data, decided after.

Belongs here: the names of the checks of a clinical source, and verdicts from counts. Does not belong here:
finding rows, Great Expectations, or Dagster's own check types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.expectations import Expectation
from fm_platform.validation.gx_suite import Counted
from fm_platform.validation.refusals import REFUSED, outcome_columns
from fm_platform.validation.rules import Rule, rules_of
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

RECONCILED = CheckDeclaration(
    "rows_reconciled", True, "Accepted rows and rows set aside add up to rows read."
)
ACCEPTED = CheckDeclaration("rows_accepted", True, "At least one row is accepted.")
WITHIN_LIMIT = CheckDeclaration(
    "set_aside_within_limit", True, "No larger share of rows is set aside than study.yaml allows."
)
AGREES = CheckDeclaration("gx_agrees", True, "Great Expectations counts what the rules found.")


@dataclass(frozen=True)
class Tally:
    """How many rows a source has, and what became of them; rows of withdrawn subjects are among those set aside."""

    read: int
    accepted: int
    set_aside: int
    withdrawn: int = 0


def check_declarations(
    study: Study, instruments: Sequence[Instrument], source: str
) -> list[CheckDeclaration]:
    """The checks that the gate of a source reports, known before there is data.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        source: The clinical source.
    """
    columns = declared_columns(study, instruments)
    rules = rules_of(study, columns, source)
    return [
        RECONCILED,
        ACCEPTED,
        WITHIN_LIMIT,
        *([REFUSED] if outcome_columns(study, instruments, columns, source) else []),
        AGREES,
        *(CheckDeclaration(rule.check, False, rule.description) for rule in rules),
    ]


def row_checks(
    tally: Tally, limit: float, facts: Mapping[str, Any], *, may_be_empty: bool = False
) -> list[CheckOutcome]:
    """The blocking checks on numbers of rows.

    Args:
        tally: The numbers.
        limit: The largest share of rows that may be set aside.
        facts: What every check says of the suite.
        may_be_empty: Whether no row at all is fine: a form of an export that nobody has begun.
    """
    empty = may_be_empty and tally.read == 0
    judged = tally.read - tally.withdrawn
    share = (tally.set_aside - tally.withdrawn) / judged if judged else 0.0
    counts = {"read": tally.read, "accepted": tally.accepted, "set_aside": tally.set_aside}
    if tally.withdrawn:
        counts["withdrawn"] = tally.withdrawn
    return [
        _decide(RECONCILED, tally.accepted + tally.set_aside == tally.read, {**counts, **facts}),
        _decide(ACCEPTED, tally.accepted > 0 or empty, {**counts, **facts}),
        _decide(WITHIN_LIMIT, share <= limit, {**counts, "share": share, "limit": limit, **facts}),
    ]


def agreement_check(
    findings: pl.DataFrame, counted: Sequence[Counted], facts: Mapping[str, Any]
) -> CheckOutcome:
    """Compare the findings with Great Expectations' counts, expectation by expectation."""
    differences = []
    for answer in counted:
        found = count_findings(findings, answer.expectation)
        if answer.unexpected != found:
            differences.append(
                {
                    "rules": list(answer.expectation.rules),
                    "column": answer.expectation.column or "",
                    "expectation": answer.expectation.type,
                    "duckdb": found,
                    "great_expectations": answer.unexpected,
                    "problem": answer.problem,
                }
            )
    compared = {"expectations": len(counted), "differences": differences}
    return _decide(AGREES, not differences, {**compared, **facts})


def count_findings(findings: pl.DataFrame, expectation: Expectation) -> int:
    """How many findings an expectation must reproduce."""
    return findings.filter(
        pl.col("rule").is_in(list(expectation.rules)),
        pl.col("column").eq_missing(pl.lit(expectation.column, dtype=pl.String)),
    ).height


def rule_check(
    rule: Rule, findings: pl.DataFrame, queries: Mapping[str, int], facts: Mapping[str, Any]
) -> CheckOutcome:
    """The verdict of one rule.

    Args:
        rule: The rule.
        findings: All findings of the source.
        queries: For rules that only count: file column to number.
        facts: What every check says of the suite.
    """
    if rule.scope == "query":
        counts, rows = dict(queries), sum(queries.values())
    else:
        columns = [entry.column for entry in rule.columns]
        own = findings.filter(pl.col("rule") == rule.id)
        if rule.scope == "cell":
            own = own.filter(pl.col("column").is_in(columns))
        rows = own["_row_id"].n_unique()
        counts = {column: own.filter(pl.col("column") == column).height for column in columns}
    metadata = {
        "rule": rule.id,
        "scope": rule.scope,
        "rows": rows,
        "columns": {column: count for column, count in counts.items() if count},
        "columns_checked": len(rule.columns),
        **facts,
    }
    return CheckOutcome(rule.check, rows == 0, description=rule.description, metadata=metadata)


def _decide(check: CheckDeclaration, passed: bool, metadata: Mapping[str, Any]) -> CheckOutcome:
    return CheckOutcome(check.name, passed, True, "ERROR", check.description, metadata)
