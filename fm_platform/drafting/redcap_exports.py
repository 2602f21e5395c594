"""``fm init --from EXPORT --dictionary FILE``: a first mapping guessed from a REDCap export, every guess marked.

Belongs here: what an export's rows and a dictionary suggest. Does not belong here: other files (``drafting``).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl

from fm_platform.drafting.exports import ROLES
from fm_platform.drafting.scaffold import require_new, study_id_of
from fm_platform.instruments.registry import library_ids, load_instrument
from fm_platform.sources.redcap.dictionary import Dictionary, Field, read_dictionary
from fm_platform.sources.redcap.events import Events, read_events
from fm_platform.sources.redcap.export import FormTable, read_form
from fm_platform.sources.redcap.header import EVENT, INSTANCE

_ARM = re.compile(r"_arm_\d+$")
_MOST_OUTCOMES = 12


def draft_redcap_study(
    folder: Path, export: Path, dictionary: Path, events: Path | None = None
) -> list[Path]:
    """Write a study folder with copies of an export and its dictionary and a study.yaml that maps them.

    Args:
        folder: A folder that does not exist yet, or is empty.
        export: A flat export.
        dictionary: The project's data dictionary.
        events: The project's events, or its form-event mapping.

    Returns:
        The files written.

    Raises:
        InputError: The folder has something in it, or the files do not fit each other.
    """
    require_new(folder)
    fields = read_dictionary(dictionary, dictionary.name)
    known = read_events(events, events.name) if events is not None else None
    forms = {
        form: read_form(form, form, export, name=export.name, dictionary=fields, events=known)
        for form in fields.forms
    }
    names = {"path": f"redcap/{export.name}", "dictionary": f"redcap/{dictionary.name}"}
    if events is not None:
        names["events"] = f"redcap/{events.name}"
    text = _study_yaml(study_id_of(folder), names, fields, forms, known)
    copies = []
    (folder / "redcap").mkdir(parents=True)
    for file in [file for file in (export, dictionary, events) if file is not None]:
        copies.append(folder / "redcap" / file.name)
        shutil.copyfile(file, copies[-1])
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return [folder / "study.yaml", *copies]


def _study_yaml(
    study_id: str,
    names: dict[str, str],
    fields: Dictionary,
    forms: dict[str, FormTable],
    events: Events | None,
) -> str:
    record = fields.record_id.name
    longitudinal = any(EVENT in read.table.columns for read in forms.values())
    repeating = [form for form, read in forms.items() if read.repeats is not None]
    once = [
        form
        for form, read in forms.items()
        if longitudinal
        and form not in repeating
        and read.table.frame.height
        and not read.table.frame[record].is_duplicated().any()
    ]
    by_visit = [form for form in forms if longitudinal and form not in once]
    lines = [
        "# Drafted from a REDCap export. Lines marked `# guess` are guesses: check each, then remove the mark.",
        "study:",
        f"  id: {study_id}",
        f'  title: "{study_id}"',
        "  synthetic: false",
        "",
        "clinical:",
        "  project:",
        f'    path: "{names["path"]}"',
        "    format: redcap",
        f'    dictionary: "{names["dictionary"]}"',
    ]
    if "events" in names:
        lines.append(f'    events: "{names["events"]}"')
    if once:
        lines.append(f"    subject_forms: [{', '.join(once)}]       # guess: one row a record in this export")
    if repeating:
        listed = ", ".join(f"{form}: last" for form in repeating)
        lines.append(f"    repeating: {{{listed}}}       # guess: or mean, median, first, min, max")
    roles = _roles(fields)
    if longitudinal and "events" not in names:
        roles = {"visit": EVENT, **roles}
    if roles:
        lines += [
            "    columns:",
            *(f"      {role}: {column}       # guess" for role, column in roles.items()),
        ]
    lines += [
        "",
        *_visit_lines(forms, events),
        *_instrument_lines(fields, by_visit),
        *_outcome_lines(fields, forms, by_visit),
    ]
    return "\n".join(lines) + "\n"


def _roles(fields: Dictionary) -> dict[str, str]:
    """Roles by field names; labels of answers become the platform's labels by themselves."""
    found: dict[str, str] = {}
    for form in fields.forms:
        for column in fields.columns_of(form):
            for role, pattern in ROLES.items():
                if column.code is None and re.fullmatch(pattern, column.name):
                    found.setdefault(role, column.name)
    return found


def _visit_lines(forms: dict[str, FormTable], events: Events | None) -> list[str]:
    """The events that every arm has, in order, one visit for those that differ in the arm only; others unscheduled."""
    found = _events_in_order(forms)
    if not found:
        return []
    names = [name for name in events.names if name in found] if events is not None else []
    names += [name for name in found if name not in names]
    visits: dict[str, list[str]] = {}
    for name in names:
        visits.setdefault(_ARM.sub("", name), []).append(name)
    arms = max(len(values) for values in visits.values())
    lines = ["visits:"]
    common = [(visit, values) for visit, values in visits.items() if len(values) == arms]
    for at, (visit, values) in enumerate(common):
        listed = ", ".join(f'"{value}"' for value in values)
        lines.append(
            f"  - {{id: {_visit_id(visit)}, values: [{listed}]{', baseline: true' if at == 0 else ''}}}       # guess"
        )
    others = [f'"{value}"' for values in visits.values() if len(values) < arms for value in values]
    if others:
        lines.append(f"unscheduled: [{', '.join(others)}]       # guess: events that not every arm has")
    return [*lines, ""]


def _events_in_order(forms: dict[str, FormTable]) -> list[str]:
    """The events of an export in the order of its lines."""
    seen: list[tuple[int, str]] = []
    for read in forms.values():
        if EVENT in read.table.columns:
            seen += zip(read.table.lines, read.table.frame[EVENT].to_list(), strict=True)
    return list(dict.fromkeys(event for _, event in sorted(seen) if event))


def _visit_id(event: str) -> str:
    name = re.sub("[^a-z0-9_]+", "_", event.lower()).strip("_")
    return name if name[:1].isalpha() else f"event_{name}"


def _outcome_lines(fields: Dictionary, forms: dict[str, FormTable], by_visit: list[str]) -> list[str]:
    """Numbers of the forms with one row a visit, with the range of the dictionary, or else of the export."""
    lines = []
    for form in by_visit:
        for column in fields.columns_of(form):
            field = column.field
            if field is None or field.identifier or column.code is not None or not _is_number(field):
                continue
            span = _range(field, forms[form].table.frame[column.name])
            if span is None:
                continue
            lines.append(
                f"  - {{id: {column.name}, column: {form}.{column.name}, range: [{span[0]:g}, {span[1]:g}], "
                "better: lower}       # guess"
            )
    return ["outcomes:", *lines[:_MOST_OUTCOMES], ""] if lines else []


def _range(field: Field, cells: pl.Series) -> tuple[float, float] | None:
    """The range of the dictionary, or else that of the export; None where nothing varies."""
    texts = cells.str.replace(",", ".").cast(pl.Float64, strict=False).drop_nulls()
    numbers: list[float] = texts.to_list()
    if len(set(numbers)) < 2:
        return None
    low = min(numbers) if field.low is None else float(field.low)
    return low, max(numbers) if field.high is None else float(field.high)


def _is_number(field: Field) -> bool:
    return field.type in ("calc", "slider") or field.validation.startswith(("integer", "number"))


def _instrument_lines(fields: Dictionary, forms: list[str]) -> list[str]:
    lines = []
    for name in library_ids():
        needed = [item.id for item in load_instrument(name).items if not item.optional]
        for form in forms:
            columns = [column.name for column in fields.columns_of(form) if column.name != INSTANCE]
            if set(needed) <= set(columns):
                lines.append(f"  - {{use: {name}, source: {form}}}       # guess")
            elif {f"{name}_{item}" for item in needed} <= set(columns):
                lines.append(f'  - {{use: {name}, source: {form}, items: "{name}_{{id}}"}}       # guess')
    return ["instruments:", *lines, ""] if lines else []
