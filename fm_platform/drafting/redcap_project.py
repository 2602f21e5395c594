"""``fm init --redcap``: a ready-made REDCap project from the instrument registry, and a study that reads its exports.

Belongs here: instruments as dictionary rows, and the study.yaml that fits them. Does not belong here: reading
dictionaries or exports (``sources``).

Item labels are paraphrases of the registry. Whoever fields a questionnaire needs its own wording and permission.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from fm_platform.drafting.scaffold import require_new, study_id_of, write_files
from fm_platform.instruments.model import Instrument, Item
from fm_platform.instruments.registry import load_instrument
from fm_platform.sources.redcap.dictionary import HEADINGS, checkbox_column

INSTRUMENTS = ("fiqr", "acr2016")
EVENTS = {"baseline_arm_1": "Baseline", "week_4_arm_1": "Week 4", "week_12_arm_1": "Week 12"}
LEAST_BOXES = 5
"""A domain of this many yes-no items becomes one checkbox field."""

NONE_CODE = "none"
_DAY = {"baseline": 1, "week_4": 29, "week_12": 85}
_WINDOW = {"week_4": "[15, 56]", "week_12": "[57, 112]"}

Row = dict[str, str]


def write_redcap_project(folder: Path) -> list[Path]:
    """Write the dictionary and event files to upload to REDCap, and a study.yaml for the project's exports.

    Args:
        folder: A folder that does not exist yet, or is empty.

    Returns:
        The files written.

    Raises:
        InputError: The folder has something in it.
        EnvironmentFailure: The folder cannot be written to.
    """
    require_new(folder)
    instruments = [load_instrument(name) for name in INSTRUMENTS]
    forms = ["demographics", *INSTRUMENTS]
    mapping = [("1", "baseline_arm_1", "demographics")]
    mapping += [("1", event, form) for event in EVENTS for form in forms[1:]]
    contents = {
        "redcap/dictionary.csv": dictionary_text(instruments),
        "redcap/events.csv": _table(["arm_num", "unique_event_name", "form"], mapping),
        "study.yaml": _study_yaml(study_id_of(folder), instruments),
    }
    return write_files(folder, contents)


def dictionary_text(instruments: Sequence[Instrument]) -> str:
    """A data dictionary with demographics and one form an instrument, in the layout that REDCap uploads."""
    rows = _demographics()
    for instrument in instruments:
        rows += _form(instrument)
    return _table(list(HEADINGS.values()), [[row.get(key, "") for key in HEADINGS] for row in rows])


def item_columns(instrument: Instrument) -> dict[str, str]:
    """Item to the column that an export of the project has of it."""
    boxes = {item.id for domain in instrument.domains for item in _boxes(instrument, domain)}
    return {
        item.id: checkbox_column(f"{instrument.id}_{item.domain}", item.id) if item.id in boxes
        else _field_name(instrument, item)
        for item in instrument.items
    }  # fmt: skip


def _demographics() -> list[Row]:
    def field(name: str, kind: str, label: str, choices: str = "", **more: str) -> Row:
        row = {"field_name": name, "form_name": "demographics", "field_type": kind, "field_label": label}
        return {**row, "select_choices_or_calculations": choices, **more}

    validation = "text_validation_type_or_show_slider_number"
    return [
        field("record_id", "text", "Study ID"),
        field("study_group", "radio", "Group", "fibromyalgia, Fibromyalgia | healthy, Healthy", required_field="y"),
        field("fm_type", "radio", "Type of fibromyalgia", "primary, Primary | secondary, Secondary"),
        field("concomitant_dx", "text", "Concomitant diagnoses (none, or names)"),
        field("sex", "radio", "Sex", "female, Female | male, Male", required_field="y"),
        field(
            "age", "text", "Age (years)",
            **{validation: "integer", "text_validation_min": "18", "text_validation_max": "120"},
        ),
        field("first_dose", "text", "Date of the first dose", **{validation: "date_ymd"}),
    ]  # fmt: skip


def _form(instrument: Instrument) -> list[Row]:
    def row(name: str, kind: str, label: str, **more: str) -> Row:
        return {
            "field_name": name,
            "form_name": instrument.id,
            "field_type": kind,
            "field_label": label,
            **more,
        }

    validation = "text_validation_type_or_show_slider_number"
    rows = [row(f"{instrument.id}_date", "text", "Date", required_field="y", **{validation: "date_ymd"})]
    done: set[str] = set()
    for item in instrument.items:
        boxes = _boxes(instrument, item.domain)
        if item in boxes:
            if item.domain not in done:
                listed = [f"{box.id}, {_plain(box.label)}" for box in boxes] + [f"{NONE_CODE}, None of these"]
                name = f"{instrument.id}_{item.domain}"
                rows.append(row(name, "checkbox", f"Which of these? ({item.recall})",
                                select_choices_or_calculations=" | ".join(listed)))  # fmt: skip
                done.add(item.domain)
            continue
        choices = item.choices or {str(value): str(value) for value in range(item.min, item.max + 1)}
        listed = [f"{code}, {_plain(label)}" for code, label in choices.items()]
        rows.append(row(_field_name(instrument, item), "radio", f"{item.label} ({item.recall})",
                        select_choices_or_calculations=" | ".join(listed)))  # fmt: skip
    return rows


def _boxes(instrument: Instrument, domain: str) -> list[Item]:
    """The items of a domain that is one checkbox field, if it is."""
    items = [item for item in instrument.items if item.domain == domain]
    yes_no = all((item.min, item.max) == (0, 1) for item in items)
    return items if yes_no and len(items) >= LEAST_BOXES else []


def _field_name(instrument: Instrument, item: Item) -> str:
    return item.id if item.id.startswith(instrument.id) else f"{instrument.id}_{item.id}"


def _plain(label: str) -> str:
    """A label without the signs that separate choices."""
    return label.replace("|", "/").replace(",", " -")


def _study_yaml(study_id: str, instruments: Sequence[Instrument]) -> str:
    dates = ", ".join(f"{instrument.id}_date" for instrument in instruments)
    uses = []
    for instrument in instruments:
        listed = ",\n      ".join(f"{item}: {column}" for item, column in item_columns(instrument).items())
        uses.append(f"  - use: {instrument.id}\n    source: {instrument.id}\n    items: {{\n      {listed}}}")
    visits = []
    for event, label in EVENTS.items():
        visit = event.removesuffix("_arm_1")
        window = f", window: {_WINDOW[visit]}" if visit in _WINDOW else ", baseline: true"
        visits.append(f"  - {{id: {visit}, label: {label}, day: {_DAY[visit]}{window}, values: [{event}]}}")
    return f"""\
# A study that reads the exports of the REDCap project whose dictionary and events stand in redcap/.
# In REDCap: upload redcap/dictionary.csv, define the three events, then export all records (raw, CSV) to redcap/.
study:
  id: {study_id}
  title: "{study_id}"
  synthetic: false

clinical:
  project:
    path: redcap/export*.csv
    pick: newest
    format: redcap
    dictionary: redcap/dictionary.csv
    events: redcap/events.csv
    columns:
      sex: sex
      age: age
      group: study_group
      fm_type: fm_type
      concomitant_dx: concomitant_dx
      first_dose: first_dose
      date: [{dates}]

visits:
{chr(10).join(visits)}

population: {{group: fibromyalgia}}
strata: fm_type

instruments:
{chr(10).join(uses)}

outcomes:
  - {{id: fiqr_total, label: FIQR total, score: fiqr.total, family: primary, better: lower}}
  - {{id: fibromyalgianess, label: Fibromyalgianess, score: acr2016.psd, family: primary, better: lower}}
  - {{id: pain, label: Pain, score: fiqr.pain, better: lower}}

responders:
  - {{id: pain30, outcome: pain, reduction: 0.30}}
"""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
