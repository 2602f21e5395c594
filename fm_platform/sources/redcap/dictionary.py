"""A REDCap data dictionary: the fields of every form, with types, ranges, choices and identifiers.

Belongs here: reading the dictionary (the 18 columns of the project page, or the API's snake-case names) and
the
columns that an export has of it. Does not belong here: reading exports, or what study.yaml makes of a form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.sources.records import read_records

HEADINGS = {
    "field_name": "Variable / Field Name",
    "form_name": "Form Name",
    "section_header": "Section Header",
    "field_type": "Field Type",
    "field_label": "Field Label",
    "select_choices_or_calculations": "Choices, Calculations, OR Slider Labels",
    "field_note": "Field Note",
    "text_validation_type_or_show_slider_number": "Text Validation Type OR Show Slider Number",
    "text_validation_min": "Text Validation Min",
    "text_validation_max": "Text Validation Max",
    "identifier": "Identifier?",
    "branching_logic": "Branching Logic (Show field only if...)",
    "required_field": "Required Field?",
    "custom_alignment": "Custom Alignment",
    "question_number": "Question Number (surveys only)",
    "matrix_group_name": "Matrix Group Name",
    "matrix_ranking": "Matrix Ranking?",
    "field_annotation": "Field Annotation",
}
"""The API's name of a dictionary column to the heading of the downloaded file."""

COMPLETE_CHOICES = {"0": "Incomplete", "1": "Unverified", "2": "Complete"}
CHECKBOX_CHOICES = {"0": "Unchecked", "1": "Checked"}

_NEEDED = ("field_name", "form_name", "field_type", "field_label")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_FIXED_CHOICES = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
_DATE_END = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/]\d{4}"
_END = re.compile(rf"(?P<date>{_DATE_END})?\s*(?P<time>\d{{1,2}}:\d{{2}}(:\d{{2}})?)?")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Attributes:
        name, form, type, label: As in the dictionary (``type`` in lower case).
        choices: Code to label, for fields with a list of answers.
        validation: ``integer``, ``number``, ``date_ymd``...; empty for none.
        low, high: Inclusive bounds of a number; None where there are none.
        span: Inclusive ends of a date (``2024-01-31``), a time (``08:00``) or both; empty where open, or where the
            end depends on the day (``today``) or another field.
        identifier: Whether the field is marked as identifying a person.
        required: Whether REDCap asks for a value.
        branching: The condition under which the field is shown.
        calculation: The equation of a calculated field.
        line: Its line in the dictionary.
    """

    name: str
    form: str
    type: str
    label: str
    choices: Mapping[str, str]
    validation: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    span: tuple[str, str] = ("", "")
    identifier: bool = False
    required: bool = False
    branching: str = ""
    calculation: str = ""
    line: int = 0


@dataclass(frozen=True)
class ExportColumn:
    """A column that an export has of a form.

    Attributes:
        name: Its heading in a raw export.
        label: Its heading in a label export.
        choices: Code to label; empty for free values.
        field: The field behind it; None for the form's own columns.
        code: The choice that a checkbox column stands for.
    """

    name: str
    label: str
    choices: Mapping[str, str]
    field: Field | None = None
    code: str | None = None


@dataclass(frozen=True)
class Dictionary:
    """A data dictionary; the first field is the record id."""

    file: str
    fields: tuple[Field, ...]

    @property
    def record_id(self) -> Field:
        """The field that names the record."""
        return self.fields[0]

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms in order."""
        return tuple(dict.fromkeys(field.form for field in self.fields))

    def columns_of(self, form: str) -> tuple[ExportColumn, ...]:
        """What an export has of a form, less the record id; its status last."""
        columns = [
            column
            for field in self.fields
            if field.form == form and field is not self.record_id
            for column in _columns_of_field(field)
        ]
        return (*columns, ExportColumn(f"{form}_complete", "Complete?", COMPLETE_CHOICES))


def read_dictionary(path: Path, name: str) -> Dictionary:
    """Read a data dictionary.

    Args:
        path: Where the file is.
        name: What to call it in messages.

    Raises:
        InputError: The file is no data dictionary, or a field contradicts itself; the message names line and
        field.
    """
    records = read_records(path, name)
    places = _places(records.rows[0], name, records.lines[0])
    fields: list[Field] = []
    seen: dict[str, int] = {}
    for row, line in zip(records.rows[1:], records.lines[1:], strict=True):
        cells = {key: _given(row[place]) if place < len(row) else "" for key, place in places.items()}
        field = _field(cells, name, line)
        if field.name in seen:
            raise InputError(
                f"the field stands on line {seen[field.name]}, too",
                file=name,
                line=line,
                column=field.name,
                mend="download the dictionary again",
            )
        seen[field.name] = line
        fields.append(field)
    if not fields:
        raise InputError("the dictionary has no fields", file=name, line=1, mend="download it again")
    return Dictionary(name, tuple(fields))


def _places(header: list[str], name: str, line: int) -> dict[str, int]:
    """Dictionary column to its position; headings in either style, in any letter case."""
    known = {key: key for key in HEADINGS} | {text.casefold(): key for key, text in HEADINGS.items()}
    places: dict[str, int] = {}
    for position, heading in enumerate(header):
        key = known.get(heading.strip().casefold())
        if key is not None:
            places.setdefault(key, position)
    absent = [HEADINGS[key] for key in _NEEDED if key not in places]
    if absent:
        raise InputError(
            f"this is no REDCap data dictionary: no column {absent[0]!r}",
            file=name,
            line=line,
            column=absent[0],
            mend="download it in REDCap under Data Dictionary, or take the metadata of the API",
        )
    return places


def _given(cell: str) -> str:
    """A cell without blanks around it; R writes NA for an empty one."""
    text = cell.strip()
    return "" if text == "NA" else text


def _field(cells: Mapping[str, str], name: str, line: int) -> Field:
    field, kind = cells["field_name"], cells["field_type"].lower()
    for key in ("field_name", "form_name"):
        if not _NAME.match(cells[key]):
            raise InputError(
                f"{cells[key]!r} is no {key.replace('_', ' ')} of REDCap",
                file=name,
                line=line,
                column=HEADINGS[key],
                mend="names are lower-case letters, digits and _, beginning with a letter",
            )
    validation = cells.get("text_validation_type_or_show_slider_number", "").lower() if kind == "text" else ""
    numeric = validation.startswith(("integer", "number"))
    ends = [cells.get(f"text_validation_{end}", "") for end in ("min", "max")]
    low, high = (_bound(end) for end in ends)
    first, last = (_moment(end, validation) for end in ends)
    if kind == "slider":
        low, high = (Decimal(0) if low is None else low), (Decimal(100) if high is None else high)
    return Field(
        name=field,
        form=cells["form_name"],
        type=kind,
        label=plain_label(cells["field_label"]),
        choices=_choices(cells, kind, name, line),
        validation=validation,
        low=low if numeric or kind == "slider" else None,
        high=high if numeric or kind == "slider" else None,
        span=(first, last),
        identifier=cells.get("identifier", "").lower() in ("y", "yes", "1", "true"),
        required=cells.get("required_field", "").lower() in ("y", "yes", "1", "true"),
        branching=cells.get("branching_logic", ""),
        calculation=cells.get("select_choices_or_calculations", "") if kind == "calc" else "",
        line=line,
    )


def _choices(cells: Mapping[str, str], kind: str, name: str, line: int) -> dict[str, str]:
    if kind in _FIXED_CHOICES:
        return dict(_FIXED_CHOICES[kind])
    if kind not in ("radio", "dropdown", "checkbox"):
        return {}
    found: dict[str, str] = {}
    for part in _parts(cells.get("select_choices_or_calculations", "")):
        code, comma, label = part.partition(",")
        if code.strip() in found:
            raise InputError(
                f"choice {part!r}: its code is there twice",
                file=name,
                line=line,
                column=cells["field_name"],
                mend="give each choice a code of its own in REDCap, and download the dictionary again",
            )
        found[code.strip()] = plain_label(label if comma else code)
    return found


def _parts(text: str) -> list[str]:
    """The choices of a list: ``code, label``, or labels that are their own codes.

    Where choices have codes, what follows a ``|`` without one belongs to the label before it.
    """
    parts = [part.strip() for part in text.split("|") if part.strip()]
    if not any("," in part for part in parts):
        return parts
    joined: list[str] = []
    for part in parts:
        if joined and "," not in part:
            joined[-1] = f"{joined[-1]} | {part}"
        else:
            joined.append(part)
    return joined


def _bound(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _moment(text: str, validation: str) -> str:
    """The end of a range of dates or times, year first, with hours; empty for what is none."""
    found = _END.fullmatch(text.strip())
    if found is None or not validation.startswith(("date", "time")):
        return ""
    parts = found["date"].replace("/", "-").split("-") if found["date"] else []
    if parts and len(parts[0]) < 4:
        day, month = parts[:2] if "dmy" in validation else (parts[1], parts[0])
        parts = [parts[2], month, day]
    written = "-".join(part.zfill(2) for part in parts)
    time = ":".join(part.zfill(2) for part in found["time"].split(":")) if found["time"] else ""
    if validation == "time_mm_ss" and time:
        time = f"00:{time}"
    return f"{written} {time}".strip()


def plain_label(text: str) -> str:
    """A label without markup, blanks collapsed."""
    return " ".join(_TAG.sub("", text).split())


def _columns_of_field(field: Field) -> list[ExportColumn]:
    if field.type == "descriptive":
        return []
    if field.type != "checkbox":
        return [ExportColumn(field.name, field.label, field.choices, field)]
    return [
        ExportColumn(
            checkbox_column(field.name, code),
            f"{field.label} (choice={label})",
            CHECKBOX_CHOICES,
            field,
            code,
        )
        for code, label in field.choices.items()
    ]


def checkbox_column(field: str, code: str) -> str:
    """The export column of one choice: ``race___1``; signs in the code become ``_``."""
    return f"{field}___{re.sub(r'[^a-z0-9_]', '_', code.lower())}"
