"""Subjects who withdrew: the delivered list, and which rows it takes out of the analysis.

Belongs here: the list's shape, the rule FM033, and what follows for questions and losses. Does not belong here: purging
what is kept (``catalog.erasure``), samples (``expression.withdrawn``).

Scopes: ``stop`` takes out what was collected after the date, ``exclude`` everything, ``erase`` everything, which
``fm erase`` then purges from the home as well.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from fm_platform.errors import InputError
from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import date
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.roles import visit_sources

TABLE = "raw.withdrawals"
RULE = "FM033"
COLUMNS = ("subject", "date", "scope")
ERASE = "erase"
SCOPES = ("stop", "exclude", ERASE)
LEAVES = ("exclude", ERASE)
"""Scopes that leave nothing of the subject in the analysis."""

_UNASKED_AFTER_STOP = (RULE, "FM016")


def check_withdrawals(frame: pl.DataFrame, lines: Sequence[int], file: str) -> None:
    """Check the delivered list.

    Args:
        frame: subject, date and scope as text, and whatever else the file has.
        lines: The line of each row.
        file: What to call the file.

    Raises:
        InputError: A column is missing, a subject stands twice or is empty, a date or a scope cannot be read.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(
            f"the list of withdrawals has no column {', '.join(missing)}",
            file=file,
            line=1,
            mend="its columns are subject, date, scope",
        )
    seen: set[str] = set()
    for line, row in zip(lines, frame.select(COLUMNS).to_dicts(), strict=True):
        subject, scope = row["subject"].strip(), row["scope"].strip()
        if not subject or subject in seen:
            what = f"subject {subject} stands twice" if subject else "the row names no subject"
            raise InputError(what, file=file, line=line, column="subject", mend="one row a subject")
        seen.add(subject)
        if scope not in SCOPES:
            raise InputError(
                f"scope {scope!r} is not known",
                file=file,
                line=line,
                column="scope",
                mend=f"use {', '.join(SCOPES)}",
            )
        try:
            datetime.date.fromisoformat(row["date"].strip())
        except ValueError:
            raise InputError(
                f"{row['date']!r} is no date",
                file=file,
                line=line,
                column="date",
                mend="write it as 2024-05-31",
            ) from None


def withdrawals_sql(source: RawSource) -> str:
    """A SELECT of the list: subject_id, withdrawn_on, scope."""
    return f"""select trim(subject) as subject_id, cast(trim("date") as date) as withdrawn_on, trim(scope) as scope
from {source.relation(TABLE)}"""


def withdrawn_rows(source: RawSource) -> str:
    """A SELECT of the rows that FM033 sets aside: _row_id, reason, value.

    A visit's day is the row's own date, else the latest date that another source gives for the subject at that visit.
    A row whose day is not known cannot be shown to be from before a stop, and is set aside, too.
    """
    said = "w.scope || ', ' || cast(w.withdrawn_on as varchar)"
    everything = f"""select k._row_id, k.subject_id || ' withdrew (' || {said} || ')' as reason, k.subject_id as value
from ({source.keys}) as k join ({withdrawals_sql(source)}) as w on w.subject_id = k.subject_id
where w.scope in {expressions.texts(LEAVES)}"""
    if not source.by_visit:
        return everything
    late = f"""select k._row_id, k.subject_id || case
    when d.visited is null then ' withdrew, and the day of the visit is not known ('
    else ' had withdrawn before the visit (' end || {said} || ')' as reason, k.subject_id as value
from ({source.keys}) as k join ({withdrawals_sql(source)}) as w on w.subject_id = k.subject_id
left join ({_days(source)}) as d on d._row_id = k._row_id
where w.scope = 'stop' and (d.visited is null or d.visited > w.withdrawn_on)"""
    return f"{everything} union all {late}"


def _days(source: RawSource) -> str:
    """A SELECT of each row's day: _row_id, visited."""
    own = _date_column(source)
    if own is not None:
        visited = date(expressions.text(own), source.declaration)
        return f"select _row_id, {visited} as visited from {source.table}"
    others = [
        RawSource(source.study, source.columns, name, source.relation)
        for name in visit_sources(source.study)
        if name != source.name
    ]
    dated = [
        f"select k.subject_id, k.visit_id, {date(expressions.text(column, 'r'), other.declaration)} as visited "
        f"from ({other.keys}) as k join {other.table} as r on r._row_id = k._row_id"
        for other in others
        if (column := _date_column(other)) is not None
    ]
    if not dated:
        return f"select _row_id, cast(null as date) as visited from {source.table}"
    return f"""select k._row_id, max(o.visited) as visited from ({source.keys}) as k
left join ({" union all ".join(dated)}) as o on o.subject_id = k.subject_id and o.visit_id = k.visit_id
group by k._row_id"""


def _date_column(source: RawSource) -> str | None:
    return next((entry.column for entry in source.own_columns if entry.kind == "date"), None)


def accepted_absences(withdrawals: pl.DataFrame, visits: Collection[str]) -> set[tuple[str, str | None]]:
    """What may be absent from a delivery: whoever left, and single visits of whoever stopped.

    Args:
        withdrawals: ``raw.withdrawals``.
        visits: Ids of the planned visits.
    """
    found: set[tuple[str, str | None]] = set()
    for subject, scope in withdrawals.select("subject", "scope").rows():
        name = subject.strip()
        found |= {(name, None)} if scope.strip() in LEAVES else {(name, visit) for visit in visits}
    return found


def scopes_of(withdrawals: pl.DataFrame) -> dict[str, str]:
    """Scope by subject."""
    return {
        subject.strip(): scope.strip() for subject, scope in withdrawals.select("subject", "scope").rows()
    }


def nobody_asks(rule: str, subject: str | None, scopes: Mapping[str, str]) -> bool:
    """Whether a question is idle because its subject withdrew: any after leaving, those about absence after a stop."""
    scope = scopes.get(subject or "")
    return scope in LEAVES or (scope is not None and rule in _UNASKED_AFTER_STOP)


def without_withdrawn(found: pl.DataFrame, scopes: Mapping[str, str]) -> pl.DataFrame:
    """Questions to the site, less those about subjects who withdrew.

    Args:
        found: What is asked, with the columns rule and subject.
        scopes: What :func:`scopes_of` gives.
    """
    asked = [
        not nobody_asks(rule, subject, scopes) for rule, subject in found.select("rule", "subject").rows()
    ]
    return found.filter(pl.Series(asked, dtype=pl.Boolean))
