"""The header of a flat REDCap export: what every column is, in a raw and in a label export.

Belongs here: matching headings with the dictionary. Does not belong here: rows and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from fm_platform.errors import InputError
from fm_platform.sources.redcap.dictionary import Dictionary, ExportColumn, plain_label

EVENT, REPEAT_FORM, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
STRUCTURE = {
    EVENT: "Event Name",
    REPEAT_FORM: "Repeat Instrument",
    INSTANCE: "Repeat Instance",
    "redcap_data_access_group": "Data Access Group",
    "redcap_survey_identifier": "Survey Identifier",
}
"""Columns about a row, not about a form: name in a raw export to heading in a label export."""

TIMESTAMP = "Survey Timestamp"


@dataclass(frozen=True)
class Header:
    """The columns of an export.

    Attributes:
        record_id: Position of the record id.
        structure: Structural column to position.
        forms: Form to its columns that the export has, with their positions.
        labels: Whether headings are labels.
    """

    record_id: int
    structure: dict[str, int]
    forms: dict[str, dict[str, tuple[int, ExportColumn]]]
    labels: bool


def read_header(header: Sequence[str], dictionary: Dictionary, name: str, line: int) -> Header:
    """Say what every column of an export is.

    Args:
        header: The headings.
        dictionary: The project's dictionary.
        name: The file, for messages.
        line: The header's line, for messages.

    Raises:
        InputError: No record id, an empty or repeated heading, or a column that is in no form.
    """
    names = [heading.strip() for heading in header]
    for position, heading in enumerate(names, start=1):
        if not heading:
            raise InputError(
                f"column {position} has no name",
                file=name,
                line=line,
                column=f"#{position}",
                mend="export again from REDCap; a spreadsheet or R has added a column of row numbers",
            )
    if dictionary.record_id.name in names:
        return _raw(names, dictionary, name, line)
    if dictionary.record_id.label and plain_label(names[0]) == dictionary.record_id.label:
        return _labelled(names, dictionary, name, line)
    raise InputError(
        f"the export has no record id {dictionary.record_id.name!r} (label {dictionary.record_id.label!r})",
        file=name,
        line=line,
        column=dictionary.record_id.name,
        mend=f"export it, too, or name the dictionary of this project; {dictionary.file} begins with it",
    )


def _raw(names: Sequence[str], dictionary: Dictionary, name: str, line: int) -> Header:
    known = {
        column.name: (form, column) for form in dictionary.forms for column in dictionary.columns_of(form)
    }
    for form in dictionary.forms:
        known.setdefault(f"{form}_timestamp", (form, ExportColumn(f"{form}_timestamp", TIMESTAMP, {})))
    found = Header(names.index(dictionary.record_id.name), {}, {}, labels=False)
    taken: set[str] = set()
    for position, heading in enumerate(names):
        if heading in taken:
            raise InputError(
                "the column stands twice in the header",
                file=name,
                line=line,
                column=heading,
                mend="export again from REDCap",
            )
        taken.add(heading)
        if heading in STRUCTURE:
            found.structure[heading] = position
        elif heading in known:
            form, column = known[heading]
            found.forms.setdefault(form, {})[column.name] = (position, column)
        elif position != found.record_id:
            near = get_close_matches(heading, list(known), n=1)
            hint = f"; {near[0]!r} is" if near else ""
            raise _unknown(heading, f"the field is not in the dictionary {dictionary.file}{hint}", name, line)
    return found


def _labelled(names: Sequence[str], dictionary: Dictionary, name: str, line: int) -> Header:
    """Labels repeat (two fields ``Height (cm)``, a ``Complete?`` for every form), so their order decides."""
    found = Header(0, {}, {}, labels=True)
    structural = {label: key for key, label in STRUCTURE.items()}
    expected = [
        (form, column)
        for form in dictionary.forms
        for column in (
            ExportColumn(f"{form}_timestamp", TIMESTAMP, {}),
            *dictionary.columns_of(form),
        )
    ]
    at = 0
    for position, heading in enumerate(names[1:], start=1):
        label = plain_label(heading)
        if label in structural and structural[label] not in found.structure and not found.forms:
            found.structure[structural[label]] = position
            continue
        ahead = next((n for n in range(at, len(expected)) if expected[n][1].label == label), None)
        if ahead is None:
            raise _unknown(
                heading, f"no field with this label follows in the dictionary {dictionary.file}", name, line
            )
        form, column = expected[ahead]
        found.forms.setdefault(form, {})[column.name] = (position, column)
        at = ahead + 1
    return found


def _unknown(heading: str, message: str, name: str, line: int) -> InputError:
    return InputError(
        message,
        file=name,
        line=line,
        column=heading,
        mend="download the dictionary again: the project has changed; or export without this column",
    )
