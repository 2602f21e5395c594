"""A flat REDCap export taken apart: one tidy table of text a form.

Belongs here: the block matrix of an export (which rows and cells belong to which form), repeating forms and
events,
labels back to codes. Does not belong here: types and ranges of values, three-state checkboxes (the gate's),
studies.

A form has a row wherever one of its cells says something: any text but that of an unchecked box. Cells
outside the
form of a repeating row must be empty. Nothing is dropped: rows of which no form has a cell are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.delimited import ROW_ID, TextTable
from fm_platform.sources.files import hash_file
from fm_platform.sources.records import Records, read_records
from fm_platform.sources.redcap.dictionary import Dictionary, ExportColumn
from fm_platform.sources.redcap.events import Events
from fm_platform.sources.redcap.header import EVENT, INSTANCE, REPEAT_FORM, STRUCTURE, Header, read_header
from fm_platform.sources.rowid import row_ids

_UNCHECKED = ("", "0", "Unchecked")


@dataclass(frozen=True)
class FormTable:
    """One form of an export.

    Attributes:
        table: The tidy table: record id, event and instance, the form's columns in dictionary order, its
        status.
            A column that the export lacks is empty throughout.
        delivered: The columns that the export has.
        export_rows: Rows of the export.
        empty_rows: Rows of the export in which no form has a cell.
        cells: Cells of this form in the export that say something; the table has as many.
        repeats: Line of the first repeated row of the form, if any.
        structure: The columns about a row: event, instance, data access group.
    """

    table: TextTable
    delivered: tuple[str, ...]
    export_rows: int
    empty_rows: int
    cells: int
    repeats: int | None
    structure: tuple[str, ...] = ()

    @property
    def available(self) -> tuple[str, ...]:
        """The columns of the table that were delivered, or stand for what the project does not have."""
        return (*self.delivered, *(name for name in self.structure if name not in self.delivered))


@dataclass(frozen=True)
class _Export:
    """An export with its rows assigned to forms: form to the rows' positions."""

    records: Records
    header: Header
    rows: Mapping[str, tuple[int, ...]]
    empty_rows: int


def read_form(
    source: str,
    form: str,
    path: Path,
    *,
    name: str,
    dictionary: Dictionary,
    events: Events | None = None,
    structure: Sequence[str] = (),
) -> FormTable:
    """Read one form of an export.

    Args:
        source: The source's name in study.yaml; part of every row id.
        form: The form's name in the dictionary.
        path: The export.
        name: What to call it in messages.
        dictionary: The project's dictionary.
        events: The project's events, to turn labels of events into unique names.
        structure: Structural columns that the table has whether or not the export does.

    Raises:
        InputError: The file is no export of this project; the message names line and field.
    """
    export = _export(path, name, hash_file(path, name).sha256, _Hashed(dictionary))
    header, own = export.header, export.header.forms.get(form, {})
    wanted = dictionary.columns_of(form)
    stamp = f"{form}_timestamp"
    columns = [
        *((stamp, own[stamp]) for _ in range(stamp in own)),
        *((c.name, own.get(c.name)) for c in wanted),
    ]
    kept = [key for key in STRUCTURE if (key in header.structure and key != REPEAT_FORM) or key in structure]
    body: list[list[str]] = []
    cells = 0
    for at in export.rows.get(form, ()):
        row = export.records.rows[at]
        keys = [row[header.record_id], *(_structural(key, row, header, events) for key in kept)]
        values = [
            "" if place is None else _code(row[place[0]], place[1], header.labels) for _, place in columns
        ]
        cells += sum(1 for _, place in own.items() if row[place[0]])
        body.append([*keys, *values])
    names = [dictionary.record_id.name, *kept, *(column for column, _ in columns)]
    lines = tuple(export.records.lines[at] for at in export.rows.get(form, ()))
    repeated = INSTANCE in header.structure
    repeats = next(
        (line for line, row in zip(lines, body, strict=True) if repeated and row[names.index(INSTANCE)]), None
    )
    data: dict[str, Sequence[str]] = {ROW_ID: row_ids(source, names, body)}
    data.update(zip(names, zip(*body, strict=True) if body else ([] for _ in names), strict=True))
    return FormTable(
        TextTable(
            source=source,
            file=export.records.file,
            columns=tuple(names),
            frame=pl.DataFrame(data, schema=dict.fromkeys(data, pl.String)),
            lines=lines,
            delimiter=export.records.delimiter,
            encoding=export.records.encoding,
            header_line=export.records.lines[0],
        ),
        delivered=(dictionary.record_id.name, *header.structure, *own),
        export_rows=len(export.records.rows) - 1,
        empty_rows=export.empty_rows,
        cells=cells,
        repeats=repeats,
        structure=tuple(kept),
    )


class _Hashed:
    """A dictionary as part of a cache's key."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary

    def __hash__(self) -> int:
        return hash((self.dictionary.file, len(self.dictionary.fields)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.dictionary == self.dictionary


@lru_cache(maxsize=2)
def _export(path: Path, name: str, sha256: str, dictionary: _Hashed) -> _Export:
    """Read an export once for all its forms; ``sha256`` makes a changed file another one."""
    try:
        records = read_records(path, name)
    except InputError as error:
        if error.line is None and "empty" in error.message:
            raise InputError(
                "the export is empty: not even a header",
                file=name,
                line=1,
                column=dictionary.dictionary.record_id.name,
                mend="export the project again, with at least one record",
            ) from None
        raise
    header = read_header(records.rows[0], dictionary.dictionary, name, records.lines[0])
    rows: dict[str, list[int]] = {}
    empty = 0
    for at, row in enumerate(records.rows[1:], start=1):
        if len(row) != len(records.rows[0]):
            raise InputError(
                f"{len(row)} fields where the header has {len(records.rows[0])}",
                file=name,
                line=records.lines[at],
                column=records.rows[0][min(len(row), len(records.rows[0])) - 1],
                mend="copy the export again; a field that holds the delimiter must be quoted",
            )
        present = _forms_of(row, header, dictionary.dictionary, name, records.lines[at])
        empty += not present
        for form in present:
            rows.setdefault(form, []).append(at)
    if len(records.rows) == 1:
        raise InputError(
            "the export has no records",
            file=name,
            line=records.lines[0],
            column=dictionary.dictionary.record_id.name,
            mend="export the project again, with its records",
        )
    return _Export(records, header, {form: tuple(at) for form, at in rows.items()}, empty)


def _forms_of(row: Sequence[str], header: Header, dictionary: Dictionary, name: str, line: int) -> list[str]:
    """The forms of which a row has a cell."""
    present = [
        form
        for form, columns in header.forms.items()
        if any(
            row[place] and not (column.code is not None and row[place] in _UNCHECKED)
            for place, column in columns.values()
        )
    ]
    repeated = row[header.structure[REPEAT_FORM]].strip() if REPEAT_FORM in header.structure else ""
    if not repeated:
        return present
    form = repeated if repeated in dictionary.forms else repeated.casefold().replace(" ", "_")
    if form not in dictionary.forms:
        raise InputError(
            f"{repeated!r} is no form of the dictionary {dictionary.file}",
            file=name,
            line=line,
            column=REPEAT_FORM,
            mend="download the dictionary again, or export raw data",
        )
    for other in present:
        if other != form:
            column = next(c for c, (place, _) in header.forms[other].items() if row[place] not in _UNCHECKED)
            raise InputError(
                f"the row repeats form {form}, but a field of form {other} is filled",
                file=name,
                line=line,
                column=column,
                mend="export the project again",
            )
    return [form]


def _structural(key: str, row: Sequence[str], header: Header, events: Events | None) -> str:
    value = row[header.structure[key]] if key in header.structure else ""
    return events.unique_name(value) if key == EVENT and events is not None else value


def _code(value: str, column: ExportColumn, labels: bool) -> str:
    """A delivered answer as its code; free values, and answers that are no choice, as delivered."""
    if not column.choices or not value or (value in column.choices and not labels):
        return value
    text = " ".join(value.split())
    codes = [code for code, label in column.choices.items() if label == text]
    return codes[0] if len(codes) == 1 else value
