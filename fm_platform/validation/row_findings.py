"""The SQL that finds rows which break a rule about their keys: subject, visit, duplicates, demographics.

Belongs here: one SELECT a rule, with the reason in words. Does not belong here: single cells
(``cell_findings``), or running anything (``gate``).
"""

from __future__ import annotations

from fm_platform.validation import expressions
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.withdrawals import withdrawn_rows
from fm_platform.warehouse.names import literal


def row_findings(rule: str, source: RawSource) -> str:
    """A SELECT of the rows of a source that break one rule.

    Args:
        rule: FM007, FM011, FM022, FM023 or FM033.
        source: The source.

    Returns:
        SQL with the columns _row_id, scope, column, rule, reason, value.
    """
    finders = {
        "FM007": _duplicates,
        "FM011": _unknown_subjects,
        "FM022": _undeclared_visits,
        "FM023": _unnamed_subjects,
        "FM033": withdrawn_rows,
    }
    return f"""select _row_id, 'row' as scope, cast(null as varchar) as "column",
    {literal(rule)} as rule, reason, value
from ({finders[rule](source)})"""


def _duplicates(source: RawSource) -> str:
    key = "subject_id, visit_id" if source.by_visit else "subject_id"
    at = " || ' at ' || visit_id" if source.by_visit else ""
    present = "subject_id is not null" + (" and visit_id is not null" if source.by_visit else "")
    return f"""select _row_id, subject_id || ' has ' || times || ' rows'{at} as reason, subject_id as value
from (
    select _row_id, subject_id, visit_id, count(*) over (partition by {key}) as times
    from ({source.keys}) where {present}
) where times > 1"""


def _unknown_subjects(source: RawSource) -> str:
    places = " or ".join(other.name for other in source.subject_sources)
    reason = literal(f" has no accepted row in {places}")
    return f"""select k._row_id, k.subject_id || {reason} as reason, k.subject_id as value
from ({source.keys}) as k anti join ({source.known_subjects}) as known using (subject_id)
where k.subject_id is not null"""


def _undeclared_visits(source: RawSource) -> str:
    if source.declaration.by_window:
        return f"""select _row_id, visit_text as value,
    'the row has no date from which its visit and day could be told' as reason
from ({source.keys}) where visit_id is null"""
    return f"""select _row_id, visit_text as value,
    case when coalesce(visit_text, '') = '' then 'the row names no visit'
    else left(visit_text, 60) || ' is no visit that study.yaml declares'
    || {expressions.nearest_visit("visit_text", source.study)} end as reason
from ({source.keys}) where visit_id is null"""


def _unnamed_subjects(source: RawSource) -> str:
    reason = literal(f"the row names no subject ({' or '.join(source.subject_parts)} is empty)")
    return f"""select _row_id, {reason} as reason, cast(null as varchar) as value
from ({source.keys}) where subject_id is null"""
