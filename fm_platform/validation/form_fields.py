"""The fields of a REDCap form as declared columns: what the dictionary says of type, range and choices.

Belongs here: reading dictionary fields as declarations, and what every column of a form inherits from it.
Does not
belong here: reading the dictionary (``sources``), finding rows that break it (``cell_findings``).

Free text and fields that identify a person are not staged unless study.yaml gives them a role.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal

from fm_platform.sources.redcap.dictionary import COMPLETE_CHOICES, ExportColumn
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.study.clinical import ClinicalSource
from fm_platform.validation.calendars import moment
from fm_platform.validation.declared import DATE, ITEM, NUMBER, STAGED_NAMES, DeclaredColumn, Mark

COMPLETE = next(code for code, label in COMPLETE_CHOICES.items() if label == "Complete")


def field_columns(name: str, source: ClinicalSource, used: Collection[str]) -> list[DeclaredColumn]:
    """The fields of a form that study.yaml does not name but staging types.

    Args:
        name: The source.
        source: Its declaration.
        used: Columns that have a use already.
    """
    if not isinstance(source, FormSource):
        return []
    found = [_field(name, column) for column in source.fields if column.name not in used]
    return [entry for entry in found if entry is not None and entry.column.lower() not in STAGED_NAMES]


def _field(name: str, column: ExportColumn) -> DeclaredColumn | None:
    field = column.field
    if field is None:
        return DeclaredColumn(name, column.name, "field", choices=tuple(column.choices), role="form status")
    if field.identifier:
        return None
    entry = DeclaredColumn(
        name, column.name, "field", role=field.label or field.name, required=field.required
    )
    if field.type == "checkbox":
        return replace(entry, type=ITEM, low=Decimal(0), high=Decimal(1), integer=True, required=False)
    if column.choices:
        return replace(entry, choices=tuple(column.choices))
    if field.validation.startswith(("integer", "number")) or field.type in ("calc", "slider"):
        whole = field.validation == "integer" or field.type == "slider"
        return replace(entry, type=NUMBER, low=field.low, high=field.high, integer=whole)
    if field.validation.startswith("date_"):
        return replace(entry, type=DATE, span=field.span)
    pattern = moment(field.validation)
    return replace(entry, pattern=pattern, span=field.span) if pattern else None


def with_form(source: ClinicalSource, columns: Sequence[DeclaredColumn]) -> list[DeclaredColumn]:
    """Columns with what they inherit: a decimal mark; for a box, the columns that tell empty from unseen."""
    shared = [replace(entry, mark=_mark(source, entry)) if entry.is_number else entry for entry in columns]
    if not isinstance(source, FormSource):
        return shared
    boxes: dict[str, list[str]] = {}
    for column in source.fields:
        if column.field is not None and column.code is not None:
            boxes.setdefault(column.field.name, []).append(column.name)
    box_of = {name: names for names in boxes.values() for name in names}
    status = f"{source.form}_complete"
    return [
        replace(entry, box=(status, *box_of[entry.column])) if entry.column in box_of else entry
        for entry in shared
    ]


def _mark(source: ClinicalSource, entry: DeclaredColumn) -> Mark:
    """The declared mark; of a REDCap field that of its validation; else what the cells of a measured number tell."""
    if not isinstance(source, FormSource):
        return source.decimal or ("point" if entry.type == ITEM else "either")
    field = next((column.field for column in source.fields if column.name == entry.column), None)
    if field is None or not field.validation.startswith("number"):
        return "either"
    return "comma" if "comma" in field.validation else "point"
