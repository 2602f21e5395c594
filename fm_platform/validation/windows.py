"""Visits told by their day, for sources whose rows have a date but no visit column.

Belongs here: the SQL of study days and windows, shared by the gate and by staging. Does not belong here:
reading
dates (``cell_findings``), visit columns (``expressions``).

Day 1 is the subject's ``start:`` where a source declares one, else the subject's first date in the source. A
day
in no window is an unscheduled visit, ``day_<n>``: listed, never analysed.
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.study.model import Study
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import date
from fm_platform.validation.declared import SUBJECT_ID, DeclaredColumn
from fm_platform.warehouse.names import literal

START = "start_date"


def date_column(columns: Sequence[DeclaredColumn], source: str) -> str:
    """The file column with the date of a source's rows."""
    return next(entry.column for entry in columns if entry.source == source and entry.kind == "date")


def start_source(columns: Sequence[DeclaredColumn], source: str) -> tuple[str, str]:
    """The source and the file column that day 1 is taken from."""
    for entry in columns:
        if entry.role == "start" and entry.kind == "attribute":
            return entry.source, entry.column
    return source, date_column(columns, source)


def starts(study: Study, columns: Sequence[DeclaredColumn], source: str, table: str) -> str:
    """A SELECT of each subject's day 1.

    Args:
        study: The study.
        columns: Every declared column of the study.
        source: The source whose visits are told.
        table: SQL of the raw table of :func:`start_source`.
    """
    holder, column = start_source(columns, source)
    parts = [entry.column for entry in columns if entry.source == holder and entry.kind == "subject"]
    declaration = study.clinical[holder]
    return f"""select {expressions.subject_id(parts, declaration, "d")} as {SUBJECT_ID},
        min({date(expressions.text(column, "d"), declaration)}) as {START}
    from {table} as d
    group by 1"""


def visit_of_day(study: Study, day: str) -> str:
    """The visit that a study day belongs to; null without a day."""
    branches = []
    for visit in study.visits:
        window = visit.window or ((visit.day, visit.day) if visit.day is not None else None)
        if window is not None:
            branches.append(f"when {day} between {window[0]} and {window[1]} then {literal(visit.id)}")
    branches.append(f"when {day} is not null then 'day_' || cast({day} as varchar)")
    return f"case {' '.join(branches)} end"


def study_day(visited: str, start: str) -> str:
    """The study day of a date: 1 on the start date."""
    return f"(date_diff('day', {start}, {visited}) + 1)"
