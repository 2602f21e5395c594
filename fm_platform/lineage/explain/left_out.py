"""What a number was not computed from, and why: quarantined rows and cells, subjects without values, unused samples.

Belongs here: finding them in the published file. Does not belong here: what the number was computed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fm_platform.lineage.impact.origin import has_table, rows_of_subject
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.reader import Published

LISTED = 50
CONTRASTS, SAMPLES = "expression.contrasts", "expression.samples"
_SUBJECT_COLUMNS = ("subject_id", "USUBJID", "subject")
_PAIRED = {"outcome", "visit", "stratum"}
_IMPUTING = ("locf", "bocf", "best_case", "worst_case", "mixed_model")
_JUDGED = {"responder", "visit", "stratum"}
_MISSING = "value missing"
_COUNTS_AS = {
    "non-responder imputation": "counts as not responding",
    "best case": "counts as responding",
}
"""What whoever lacks a value counts as, by the denominator of a rate."""


@dataclass(frozen=True)
class Refused:
    """A delivered row or cell that the gate kept out."""

    source: str
    path: str
    line: int
    scope: str
    column: str | None
    rule: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A subject or sample that the number could have counted.

    Attributes:
        imputed: Whether it counts all the same, with a value taken in place of the missing one.
    """

    what: str
    name: str
    reason: str
    imputed: bool = False


def quarantined(
    published: Published, table: str, column: str | None, row: Mapping[str, Any]
) -> list[Refused]:
    """Rows that were set aside and cells that were nulled on the way to a number.

    Of a row about one subject, those of the same subject; of other rows, all that stand upstream. Cells count when the
    explained column is computed from their column.

    Args:
        published: The open published warehouse.
        table: The explained table.
        column: The explained column; None for the whole row.
        row: The explained row.
    """
    subject = next((row[name] for name in _SUBJECT_COLUMNS if row.get(name)), None)
    found: list[Refused] = []
    for source in _sources(published, table):
        read = _columns_read(published, table, column, f"raw.{source}")
        condition, values = "(q.scope = 'row' OR list_contains(?::VARCHAR[], q.\"column\"))", [read]
        refused = f"FROM quarantine.{identifier(source)} AS q"
        if published.recall(f"SELECT 1 {refused} WHERE {condition} LIMIT 1", values).is_empty():
            continue
        if subject is not None:
            condition += " AND list_contains(?::VARCHAR[], q._row_id)"
            values.append(rows_of_subject(published, source, str(subject)))
        rows = published.recall(
            'SELECT DISTINCT s.source, s.path, s.line, q.scope, q."column", q.rule, q.reason '
            f"{refused} JOIN audit.source_rows AS s ON s._row_id = q._row_id "
            f'AND s.source = ? WHERE {condition} ORDER BY s.path, s.line, q.rule, q."column" LIMIT {LISTED}',
            [source, *values],
        )
        found += [Refused(*entry) for entry in rows.rows()]
    return found[:LISTED]


def left_out(published: Published, row: Mapping[str, Any], column: str | None = None) -> list[LeftOut]:
    """Subjects of the population, or samples of the sheet, that a statistic does not count.

    Args:
        published: The open published warehouse.
        row: The explained row.
        column: The explained column; None for the whole row.
    """
    if set(row) >= _PAIRED and has_table(published, "marts.symptom_scores"):
        found = _without_pair(published, row)
        return [replace(one, imputed=True) for one in found] if _fills_holes(row, column) else found
    if set(row) >= _JUDGED and has_table(published, "stats.responder_status"):
        return _not_judged(published, row)
    if "contrast" in row and has_table(published, CONTRASTS):
        return _unused_samples(published, str(row["contrast"]))
    return []


def _fills_holes(row: Mapping[str, Any], column: str | None) -> bool:
    """Whether whoever lacks a value counts all the same: an imputing analysis, a rate with non-responders imputed."""
    return row.get("analysis") in _IMPUTING or "nri" in (column or "").split("_")


def _sources(published: Published, table: str) -> list[str]:
    found = published.recall(
        "WITH RECURSIVE up(t) AS (SELECT ?::VARCHAR UNION "
        "SELECT input_table FROM audit.table_inputs JOIN up ON table_name = up.t) "
        "SELECT DISTINCT substr(t, 12) AS source FROM up WHERE starts_with(t, 'quarantine.') ORDER BY source",
        [table],
    )["source"]
    return [source for source in found if has_table(published, f"quarantine.{source}")]


def _columns_read(published: Published, table: str, column: str | None, raw: str) -> list[str]:
    """The raw columns that a column's values come from, through however many tables."""
    start = "column_name = ?" if column else "?::VARCHAR IS NULL"
    return published.recall(
        "WITH RECURSIVE up(t, c) AS ("
        "SELECT input_table, input_column FROM audit.column_lineage "
        f"WHERE table_name = ? AND {start} AND kind = 'DIRECT' "
        "UNION SELECT l.input_table, l.input_column FROM audit.column_lineage AS l "
        "JOIN up ON l.table_name = up.t AND l.column_name = up.c AND l.kind = 'DIRECT') "
        "SELECT DISTINCT c FROM up WHERE t = ?",
        [table, column, raw],
    )["c"]


def _without_pair(published: Published, row: Mapping[str, Any]) -> list[LeftOut]:
    found = published.recall(
        "WITH people AS (SELECT subject_id FROM marts.participants WHERE in_population "
        "AND (?::VARCHAR IS NULL OR stratum = ?)), "
        "given AS (SELECT s.subject_id, v.is_baseline, s.visit_id FROM marts.symptom_scores AS s "
        "JOIN study.visits AS v ON v.visit_id = s.visit_id "
        "WHERE s.outcome_id = ? AND (v.is_baseline OR s.visit_id = ?)) "
        "SELECT p.subject_id, bool_or(coalesce(g.is_baseline, false)) AS before, "
        "bool_or(coalesce(g.visit_id = ?, false)) AS after "
        "FROM people AS p LEFT JOIN given AS g USING (subject_id) GROUP BY p.subject_id "
        "HAVING NOT (before AND after) ORDER BY p.subject_id",
        [row["stratum"], row["stratum"], row["outcome"], row["visit"], row["visit"]],
    )
    words = {
        (True, False): f"no value at {row['visit']}",
        (False, True): "no value at baseline",
        (False, False): f"no value at baseline and at {row['visit']}",
    }
    return [LeftOut("subject", subject, words[before, after]) for subject, before, after in found.rows()]


def _not_judged(published: Published, row: Mapping[str, Any]) -> list[LeftOut]:
    found = published.recall(
        "SELECT subject_id, status FROM stats.responder_status WHERE responder = ? AND visit = ? "
        "AND (?::VARCHAR IS NULL OR stratum = ?) AND responded IS NULL ORDER BY subject_id",
        [row["responder"], row["visit"], row["stratum"], row["stratum"]],
    )
    counts_as = _COUNTS_AS.get(str(row.get("denominator")))
    return [
        LeftOut("subject", subject, f"{status}: {counts_as}", imputed=True)
        if counts_as and status == _MISSING
        else LeftOut("subject", subject, status)
        for subject, status in found.rows()
    ]


def _unused_samples(published: Published, contrast: str) -> list[LeftOut]:
    declared = published.recall(f"SELECT subset, samples FROM {CONTRASTS} WHERE contrast = ?", [contrast])
    if declared.is_empty():
        return []
    subset, used = declared.values[0]
    found = published.recall(
        f"SELECT sample_id, reason FROM {SAMPLES} WHERE NOT list_contains(?::VARCHAR[], sample_id) ORDER BY sample_id",
        [list(used)],
    )
    other = f"outside the contrast's subset, {subset}" if subset else "not among the contrast's samples"
    return [LeftOut("sample", sample, reason or other) for sample, reason in found.rows()]
