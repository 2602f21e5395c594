"""What Great Expectations is asked about a source, as plain data.

Belongs here: the list of expectations generated from the rules, and its hash, which is the suite's version.
Does not belong here: Great Expectations itself (``gx_suite``), or the frame it looks at (``candidate``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation import calendars, expressions
from fm_platform.validation.cell_findings import date_rule
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import DATE, ITEM, DeclaredColumn
from fm_platform.validation.rules import Rule, range_rule, rules_of

SUBJECT, VISIT, VISIT_TEXT, KNOWN, WITHDRAWN = "_subject", "_visit", "_visit_text", "_known", "_withdrawn"
"""Candidate columns that stand for a row's keys; cells stand under their file column's name."""

YES, NO = "yes", "no"

LARGEST_NUMBER = 1e15
LARGEST_SET = 1000
"""Whole-number ranges up to this size are asked for as a set of values."""


@dataclass(frozen=True)
class Expectation:
    """One expectation and the findings whose number it must reproduce.

    Attributes:
        type: The class in ``great_expectations.expectations``.
        arguments: Its arguments, plain JSON values.
        rules: The rules whose findings it counts.
        column: The file column that those findings are in; None for rows.
    """

    type: str
    arguments: tuple[tuple[str, Any], ...]
    rules: tuple[str, ...]
    column: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form that is hashed."""
        return {
            "type": self.type,
            "arguments": dict(self.arguments),
            "rules": list(self.rules),
            "column": self.column,
        }


def expectations_of(study: Study, columns: Sequence[DeclaredColumn], source: str) -> tuple[Expectation, ...]:
    """The suite of a source: one expectation per column of a cell rule, one per row rule.

    Args:
        study: The study.
        columns: Every declared column of the study.
        source: The clinical source.
    """
    found: list[Expectation] = []
    for rule in rules_of(study, columns, source):
        if rule.scope == "row":
            found.append(_of_rows(rule, study, source))
        elif rule.id == "FM027":
            found += [_of_field(study, entry) for entry in rule.columns]
        elif rule.id == "FM024":
            found += [_of_dates(study, entry) for entry in rule.columns]
        elif rule.scope == "cell" and rule.id != "FM019":
            found += [_of_numbers(entry) for entry in rule.columns]
    return tuple(found)


def suite_version(study: Study, instruments: Sequence[Instrument], source: str) -> str:
    """SHA-256 of the suite of a source; does not import Great Expectations."""
    columns = declared_columns(study, instruments)
    suite = [expectation.as_json() for expectation in expectations_of(study, columns, source)]
    canonical = json.dumps(suite, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def calendar_pattern(orders: Sequence[str]) -> str:
    """A pattern for the dates of 1900 to 2199 that exist, written without reading a calendar twice.

    Args:
        orders: ``ymd``, ``compact``, ``dmy`` or ``mdy``.
    """
    return rf"^{calendars.dates(orders)}\Z"


def _of_rows(rule: Rule, study: Study, source: str) -> Expectation:
    if rule.id == "FM023":
        return Expectation("ExpectColumnValuesToNotBeNull", (("column", SUBJECT),), (rule.id,))
    if rule.id == "FM022" and study.clinical[source].by_window:
        return Expectation("ExpectColumnValuesToNotBeNull", (("column", VISIT),), (rule.id,))
    if rule.id == "FM022":
        known = [text for visit in study.visits for text in visit.found_as] + list(study.unscheduled)
        return Expectation(
            "ExpectColumnValuesToBeInSet", (("column", VISIT_TEXT), ("value_set", known)), (rule.id,)
        )
    if rule.id == "FM033":
        return Expectation(
            "ExpectColumnValuesToBeInSet", (("column", WITHDRAWN), ("value_set", [NO])), (rule.id,)
        )
    if rule.id == "FM011":
        return Expectation(
            "ExpectColumnValuesToBeInSet", (("column", KNOWN), ("value_set", [YES])), (rule.id,)
        )
    if not study.clinical[source].by_visit:
        return Expectation("ExpectColumnValuesToBeUnique", (("column", SUBJECT),), (rule.id,))
    return Expectation(
        "ExpectCompoundColumnsToBeUnique",
        (("column_list", [SUBJECT, VISIT]), ("ignore_row_if", "any_value_is_missing")),
        (rule.id,),
    )


def _of_numbers(entry: DeclaredColumn) -> Expectation:
    assert entry.low is not None
    assert entry.high is not None
    rules = tuple(dict.fromkeys([range_rule(entry), "FM019"]))
    if entry.integer and entry.high - entry.low <= LARGEST_SET:
        values = list(range(int(entry.low), int(entry.high) + 1))
        return Expectation(
            "ExpectColumnValuesToBeInSet",
            (("column", entry.column), ("value_set", values)),
            rules,
            entry.column,
        )
    return Expectation(
        "ExpectColumnValuesToBeBetween",
        (("column", entry.column), ("min_value", float(entry.low)), ("max_value", float(entry.high))),
        rules,
        entry.column,
    )


def _of_field(study: Study, entry: DeclaredColumn) -> Expectation:
    """What the dictionary says: a type or a list of choices; ranges of REDCap are soft and are queries."""
    if entry.type == DATE:
        return _of_dates(study, entry)
    if entry.choices:
        return Expectation(
            "ExpectColumnValuesToBeInSet",
            (("column", entry.column), ("value_set", list(entry.choices))),
            ("FM027",),
            entry.column,
        )
    if entry.pattern:
        arguments = (("column", entry.column), ("regex", rf"^(?:{entry.pattern})\Z"))
        return Expectation("ExpectColumnValuesToMatchRegex", arguments, ("FM027",), entry.column)
    if entry.type == ITEM:
        return _of_numbers(entry)
    return Expectation(
        "ExpectColumnValuesToBeBetween",
        (("column", entry.column), ("min_value", -LARGEST_NUMBER), ("max_value", LARGEST_NUMBER)),
        ("FM027",),
        entry.column,
    )


def _of_dates(study: Study, entry: DeclaredColumn) -> Expectation:
    pattern = calendar_pattern(expressions.date_orders(study.clinical[entry.source]))
    return Expectation(
        "ExpectColumnValuesToMatchRegex",
        (("column", entry.column), ("regex", pattern)),
        (date_rule(entry),),
        entry.column,
    )
