"""The forms of one REDCap export side by side, so that a field of one can be looked up from a row of another.

Belongs here: which cell an expression means by a field. Does not belong here: expressions (``sources``), rules
(``redcap_rules``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import polars as pl

from fm_platform.sources.redcap.dictionary import ExportColumn, checkbox_column
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.sources.redcap.header import EVENT
from fm_platform.sources.redcap.logic import Reference
from fm_platform.sources.redcap.values import BLANK, UNKNOWN, Lookup, Unknown

Row = Mapping[str, str]


class Form:
    """One form: its declaration and its raw rows."""

    def __init__(self, name: str, source: FormSource, table: pl.DataFrame) -> None:
        self.name, self.source, self.table = name, source, table
        self.record_id = source.columns["subject"][0]

    @cached_property
    def rows(self) -> list[Row]:
        """The raw rows."""
        return list(self.table.iter_rows(named=True))

    @cached_property
    def filled(self) -> frozenset[str]:
        """Columns with a value in some row: of the others it cannot be told whether they were exported."""
        return frozenset(name for name in self.table.columns if (self.table[name] != "").any())

    @cached_property
    def by_place(self) -> dict[tuple[str, str], list[Row]]:
        """Rows by record and event."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row[self.record_id], row.get(EVENT, "")), []).append(row)
        return found

    def columns_of(self, field: str) -> tuple[ExportColumn, ...]:
        """The columns of a field, of a checkbox its boxes."""
        return tuple(c for c in self.source.fields if c.field is not None and c.field.name == field)


class Export:
    """All forms of an export."""

    def __init__(self, forms: Sequence[Form]) -> None:
        self.forms = forms
        self._form_of = {column.name: form for form in forms for column in form.source.fields}
        self._missing = {form.name: set(form.source.missing_codes) for form in forms}

    def cell(self, form: Form, row: Row, reference: Reference) -> str | Unknown:
        """What a field is in a row of a form.

        A field of another form is looked up at the same event, or at the event that the expression names: blank where
        that form has no row there, undecided where it has several.
        """
        if reference.instance is not None or "-" in reference.field:
            return UNKNOWN
        if reference.field == form.record_id:
            return row[form.record_id]
        boxed = reference.code is not None
        name = checkbox_column(reference.field, str(reference.code)) if boxed else reference.field
        holder = self._form_of.get(name)
        if holder is None or name not in holder.filled:
            return UNKNOWN
        event = row.get(EVENT, "") if reference.event is None else reference.event
        if holder is form and event == row.get(EVENT, ""):
            found: Sequence[Row] = (row,)
        else:
            found = holder.by_place.get((row[form.record_id], event), ())
        if len(found) > 1:
            return UNKNOWN
        empty = "0" if boxed else BLANK
        value = found[0][name].strip() if found else empty
        return empty if value in self._missing[holder.name] else value

    def lookup(self, form: Form, row: Row) -> Lookup:
        """:meth:`cell` for one row."""
        return lambda reference: self.cell(form, row, reference)


def exports_of(sources: Mapping[str, FormSource], read: Callable[[str], pl.DataFrame]) -> list[Export]:
    """The exports among a study's sources, form by form.

    Args:
        sources: Source name to form.
        read: Gives ``raw.<source>``.
    """
    names = dict.fromkeys(source.export for source in sources.values())
    return [
        Export(
            [Form(name, form, read(f"raw.{name}")) for name, form in sources.items() if form.export == export]
        )
        for export in names
    ]
