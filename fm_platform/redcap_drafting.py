"""``fm init --from EXPORT --dictionary FILE``: a first mapping guessed from a REDCap export, every guess marked.

Belongs here: what an export's rows and a dictionary suggest. Does not belong here: other files (``drafting``).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl

from fm_platform.drafting import ROLES
from fm_platform.errors import InputError
from fm_platform.instruments.registry import library_ids, load_instrument
from fm_platform.scaffold import study_id_of
from fm_platform.sources.redcap_dictionary import Dictionary, read_dictionary
from fm_platform.sources.redcap_events import read_events
from fm_platform.sources.redcap_export import FormTable, read_form
from fm_platform.sources.redcap_header import EVENT, INSTANCE


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
    if folder.exists() and any(folder.iterdir()):
        raise InputError("the folder is not empty", file=folder, mend="name a new folder")
    fields = read_dictionary(dictionary, dictionary.name)
    known = read_events(events, events.name) if events is not None else None
    forms = {
        form: read_form(form, form, export, name=export.name, dictionary=fields, events=known)
        for form in fields.forms
    }
    names = {"path": f"redcap/{export.name}", "dictionary": f"redcap/{dictionary.name}"}
    if events is not None:
        names["events"] = f"redcap/{events.name}"
    text = _study_yaml(study_id_of(folder), names, fields, forms)
    copies = []
    (folder / "redcap").mkdir(parents=True)
    for file in [file for file in (export, dictionary, events) if file is not None]:
        copies.append(folder / "redcap" / file.name)
        shutil.copyfile(file, copies[-1])
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return [folder / "study.yaml", *copies]


def _study_yaml(study_id: str, names: dict[str, str], fields: Dictionary, forms: dict[str, FormTable]) -> str:
    record = fields.record_id.name
    longitudinal = any(EVENT in read.table.columns for read in forms.values())
    repeating = [form for form, read in forms.items() if read.repeats is not None]
    once = [
        form
        for form, read in forms.items()
        if longitudinal and form not in repeating and not read.table.frame[record].is_duplicated().any()
    ]
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
        *_visit_lines(forms),
        *_instrument_lines(fields, [form for form in forms if form not in once]),
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


def _visit_lines(forms: dict[str, FormTable]) -> list[str]:
    """Every event in the order of the export."""
    frames = [read.table.frame.select(EVENT) for read in forms.values() if EVENT in read.table.columns]
    if not frames:
        return []
    events = pl.concat(frames)[EVENT].unique(maintain_order=True).to_list()
    lines = ["visits:"]
    for at, event in enumerate(event for event in events if event):
        name = re.sub("[^a-z0-9_]+", "_", event.lower()).strip("_")
        name = name if name[:1].isalpha() else f"event_{name}"
        lines.append(
            f'  - {{id: {name}, values: ["{event}"]{", baseline: true" if at == 0 else ""}}}       # guess'
        )
    return [*lines, ""]


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
