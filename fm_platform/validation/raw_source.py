"""One clinical source as the gate sees it: its raw table, its declared columns, its rows' keys.

Belongs here: look-ups that every finder of the room needs. Does not belong here: what is wrong with a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.validation import expressions, windows
from fm_platform.validation.cell_findings import date
from fm_platform.validation.declared import DeclaredColumn, columns_of_source
from fm_platform.validation.roles import subject_sources

Relation = Callable[[str], str]
"""Turns a table's name (``raw.visits``) into the SQL that names it."""


@dataclass(frozen=True)
class RawSource:
    """A clinical source of a study.

    Attributes:
        study: The study.
        columns: Every declared column of the study.
        name: The source.
        relation: Names tables.
    """

    study: Study
    columns: tuple[DeclaredColumn, ...]
    name: str
    relation: Relation

    @property
    def table(self) -> str:
        """SQL of the raw table."""
        return self.relation(f"raw.{self.name}")

    @property
    def declaration(self) -> ClinicalSource:
        """What study.yaml says of it."""
        return self.study.clinical[self.name]

    @property
    def by_visit(self) -> bool:
        """Whether a row is a visit (otherwise it is a subject)."""
        return self.declaration.by_visit

    @property
    def own_columns(self) -> tuple[DeclaredColumn, ...]:
        """One entry per declared file column."""
        return columns_of_source(self.columns, self.name)

    @property
    def subject_parts(self) -> tuple[str, ...]:
        """The file columns that make up the subject's id."""
        entries = [entry for entry in self.columns if entry.source == self.name]
        return tuple(entry.column for entry in entries if entry.kind == "subject")

    @property
    def subject_id(self) -> str:
        """SQL of a row's subject."""
        return expressions.subject_id(self.subject_parts, self.declaration)

    @property
    def visit_column(self) -> str | None:
        """The file column that names the visit."""
        return next((entry.column for entry in self.own_columns if entry.kind == "visit"), None)

    @property
    def keys(self) -> str:
        """A SELECT of every row's keys: _row_id, subject_id, visit_id, visit_text (no visits: both null)."""
        if self.declaration.by_window:
            return self._keys_by_window()
        visit = self.visit_column
        visit_id = expressions.visit_id(visit, self.study) if visit else "cast(null as varchar)"
        visit_text = expressions.text(visit) if visit else "cast(null as varchar)"
        return f"""select _row_id, {self.subject_id} as subject_id, {visit_id} as visit_id,
    {visit_text} as visit_text
from {self.table}"""

    def _keys_by_window(self) -> str:
        column = windows.date_column(self.columns, self.name)
        holder, _ = windows.start_source(self.columns, self.name)
        starts = windows.starts(self.study, self.columns, self.name, self.relation(f"raw.{holder}"))
        cell = expressions.text(column)
        day = windows.study_day("k.visited", f"s.{windows.START}")
        return f"""select k._row_id, k.subject_id, {windows.visit_of_day(self.study, day)} as visit_id,
        k.visit_text
from (
    select _row_id, {self.subject_id} as subject_id, {date(cell, self.declaration)} as visited, {cell} as
    visit_text
    from {self.table}
) as k left join ({starts}) as s on s.subject_id = k.subject_id"""

    @property
    def subject_sources(self) -> tuple[RawSource, ...]:
        """The sources with one row a subject that a source of visits is held against."""
        names = subject_sources(self.study) if self.by_visit else ()
        return tuple(replace(self, name=name) for name in names)

    @property
    def known_subjects(self) -> str:
        """A SELECT of the subjects with exactly one row in one of :attr:`subject_sources`."""
        return " union ".join(
            f"""select subject_id from ({source.keys})
where subject_id is not null group by subject_id having count(*) = 1"""
            for source in self.subject_sources
        )
