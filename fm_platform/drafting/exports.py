"""``fm init --from EXPORT``: a first mapping guessed from a CSV file, every guess marked.

Belongs here: what names and values of columns suggest. Does not belong here: REDCap exports (``redcap_project``),
templates without data (``scaffold``), anything that a refresh relies on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.drafting.scaffold import require_new, study_id_of
from fm_platform.errors import InputError
from fm_platform.instruments.registry import library_ids, load_instrument
from fm_platform.sources.delimited import TextTable, read_text_table

ROLES = {
    "site": r"(\w+_)?(site|cent(er|re)|hospital)|redcap_data_access_group",
    "arm": r"(\w+_)?(arm|treat(ment)?|allocation|randomi[sz]ation)",
    "sex": r"(\w+_)?(sex|gender)",
    "age": r"(\w+_)?age(_years)?",
}
_SUBJECT = r"(subject|patient|participant|record|study|subj|pat|case)?_?(id|no|nr|number|code)|usubjid|subject|patient"
_VISIT = r"visit(_?(name|no|nr|id))?|event(_name)?|timepoint|week|month|wave|redcap_event_name"
_CODES = ("NA", "N/A", "n/a", ".", "-", "-9", "-99", "-999", "99", "999", "NULL", "missing")
_NUMBER = r"^[+-]?[0-9]+([.][0-9]+)?$"
_MOST_VISITS = 24


@dataclass(frozen=True)
class Guess:
    """What a CSV file seems to be.

    Attributes:
        subject: The columns that name the subject; none where no column could.
        visit: The column that names the visit, if there is one.
        date: The column with the date, if there is one.
        roles: Further roles.
        visits: The texts of the visit column, in order.
        missing: Texts that seem to mean "no value".
        dates: The order of year, month and day.
        numbers: Numeric columns without a role, with lowest and highest value.
    """

    subject: tuple[str, ...]
    visit: str | None
    date: str | None
    roles: dict[str, str]
    visits: tuple[str, ...]
    missing: tuple[str, ...]
    dates: str | None
    numbers: dict[str, tuple[float, float]]


def draft_study(folder: Path, export: Path) -> list[Path]:
    """Write a study folder with a copy of an export and a study.yaml that maps it as far as can be guessed.

    Args:
        folder: A folder that does not exist yet, or is empty.
        export: A CSV, TSV or XLSX file.

    Returns:
        The files written.

    Raises:
        InputError: The folder has something in it, the export is no table, or no column could name the subject.
    """
    require_new(folder)
    table = read_text_table("visits", export, name=export.name)
    found = guess(table)
    if not found.subject:
        raise InputError(
            "no column tells the subjects apart",
            file=export,
            line=table.header_line,
            mend="add a column such as subject_id to the export: by it a corrected delivery is held against this one",
        )
    text = _study_yaml(study_id_of(folder), export.name, table, found)
    copy = folder / "clinical" / export.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(export, copy)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return [folder / "study.yaml", copy]


def guess(table: TextTable) -> Guess:
    """Guess what the columns of a table are, from their names and values."""
    cells = table.frame.select(pl.col(table.columns).str.strip_chars())
    missing = tuple(code for code in _CODES if _is_code(cells, code))
    roles = {role: name for role, pattern in ROLES.items() if (name := _named(table.columns, pattern))}
    visit = _named(table.columns, _VISIT)
    subject = _subject(
        cells, [name for name in table.columns if name not in (visit, *roles.values())], roles, visit
    )
    date = next(
        (name for name in table.columns if "date" in name.lower() and _order(cells[name]) != "none"), None
    )
    taken = {visit, date, *subject, *roles.values()}
    numbers = {
        name: span
        for name in table.columns
        if name not in taken and (span := _span(cells[name], missing)) is not None
    }
    return Guess(
        subject,
        visit,
        date,
        roles,
        _in_order(cells[visit].unique(maintain_order=True).to_list()) if visit else (),
        missing,
        _order(cells[date]) if date else None,
        numbers,
    )


def _named(columns: Sequence[str], pattern: str) -> str | None:
    return next((name for name in columns if re.fullmatch(pattern, name.strip().lower())), None)


def _subject(
    cells: pl.DataFrame, columns: Sequence[str], roles: dict[str, str], visit: str | None
) -> tuple[str, ...]:
    """The named id column, with the site where ids repeat between sites; else a column that could be one."""
    name = _named(columns, _SUBJECT) or _told_apart(cells, columns, visit)
    if name is None:
        return ()
    key = [name, *([visit] if visit else [])]
    site = roles.get("site")
    if (
        site
        and cells.select(key).is_duplicated().any()
        and not cells.select([*key, site]).is_duplicated().any()
    ):
        return (site, name)
    return (name,)


def _told_apart(cells: pl.DataFrame, columns: Sequence[str], visit: str | None) -> str | None:
    """The first column of codes of which no row is empty and no two rows (of one visit) are alike."""
    for name in columns:
        key = cells.select(name, *([visit] if visit else []))
        measured = cells[name].str.contains(r"^[+-]?[0-9]*[.,][0-9]+$").any()
        if not measured and not (cells[name] == "").any() and not key.is_duplicated().any():
            return name
    return None


def _is_code(cells: pl.DataFrame, code: str) -> bool:
    """Whether a text stands in a column that otherwise holds numbers it does not fit."""
    for name in cells.columns:
        values = cells[name].filter(cells[name] != "")
        others = values.filter(values != code)
        if len(others) == len(values) or not len(others) or not others.str.contains(_NUMBER).all():
            continue
        if not re.match(_NUMBER, code):
            return True
        highest, lowest = others.cast(pl.Float64).max(), others.cast(pl.Float64).min()
        if float(code) < 0 <= lowest or float(code) > 5 * max(float(highest), 1.0):  # type: ignore[operator, arg-type]
            return True
    return False


def _span(values: pl.Series, missing: Sequence[str]) -> tuple[float, float] | None:
    present = values.filter(~values.is_in(["", *missing]))
    if not len(present) or not present.str.contains(_NUMBER).all():
        return None
    numbers = present.cast(pl.Float64)
    return float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]


def _order(values: pl.Series) -> str:
    """The order of a column of dates; ``none`` where it holds others."""
    present = values.filter(values != "").str.replace_all("[/.]", "-")
    if not len(present):
        return "none"
    if present.str.contains(r"^\d{4}-\d{1,2}-\d{1,2}").all():
        return "ymd"
    if not present.str.contains(r"^\d{1,2}-\d{1,2}-\d{4}").all():
        return "none"
    second = present.str.extract(r"^\d{1,2}-(\d{1,2})-", 1).cast(pl.Int32)
    return "mdy" if (second > 12).any() else "dmy"


def _in_order(texts: Sequence[str]) -> tuple[str, ...]:
    """Visit texts: numbers by size, others as they first appear; baseline-like ones first."""
    present = [text for text in texts if text][:_MOST_VISITS]
    if present and all(re.match(_NUMBER, text) for text in present):
        return tuple(sorted(present, key=float))
    return tuple(sorted(present, key=lambda text: not re.search("base|screen|enrol|bl", text.lower())))


def _study_yaml(study_id: str, name: str, table: TextTable, found: Guess) -> str:
    quoted = [_quoted(column) for column in found.subject]
    columns = {"subject": quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"}
    by_visit = found.visit is not None or found.date is not None
    if found.visit:
        columns["visit"] = _quoted(found.visit)
    if found.date:
        columns["date"] = _quoted(found.date)
    columns |= {role: _quoted(column) for role, column in found.roles.items()}
    lines = [
        "# Drafted from an export. Lines marked `# guess` are guesses: check each, then remove the mark.",
        "study:",
        f"  id: {study_id}",
        f'  title: "{study_id}"',
        "  synthetic: false",
        "",
        "clinical:",
        "  visits:",
        f"    path: {_quoted('clinical/' + name)}",
        f"    grain: {'visit' if by_visit else 'subject'}               # guess",
        "    columns:",
        *(f"      {role}: {column}               # guess" for role, column in columns.items()),
    ]
    if found.missing:
        lines.append(f'    missing: ["", {", ".join(_quoted(code) for code in found.missing)}]       # guess')
    if found.dates:
        lines.append(f"    dates: {found.dates}               # guess")
    lines += [
        "",
        *_visit_lines(found, by_visit),
        *_instrument_lines(table, by_visit),
        *_outcome_lines(found, by_visit, _items_of(table)),
    ]
    return "\n".join(lines) + "\n"


def _visit_lines(found: Guess, by_visit: bool) -> list[str]:
    if not by_visit:
        return []
    if not found.visits:
        return [
            "visits:",
            "  - {id: baseline, label: Baseline, day: 1, baseline: true}       # guess: the first date",
            "",
        ]
    ids: dict[str, str] = {}
    for text in found.visits:
        plain = re.sub("[^a-z0-9_]+", "_", text.lower()).strip("_")
        ids[text] = plain if plain[:1].isalpha() else f"{_stem(found.visit or 'visit')}_{plain}"
    listed = [
        f"  - {{id: {visit}, values: [{_quoted(text)}]{', baseline: true' if at == 0 else ''}}}       # guess"
        for at, (text, visit) in enumerate(ids.items())
    ]
    return ["visits:", *listed, ""]


def _stem(name: str) -> str:
    return re.sub("[^a-z]+", "_", name.lower()).strip("_") or "visit"


def _instrument_lines(table: TextTable, by_visit: bool) -> list[str]:
    """Questionnaires whose items are there, by their own names or by a prefix and a running number."""
    if not by_visit:
        return []
    lines = []
    for name in library_ids():
        needed = [item.id for item in load_instrument(name).items if not item.optional]
        if set(needed) <= set(table.columns):
            lines.append(f"  - {{use: {name}, source: visits}}       # guess")
            continue
        for prefix in dict.fromkeys(
            re.sub(r"0?1$", "", column) for column in table.columns if column.endswith("1")
        ):
            for pattern in ("{n}", "{n:02}"):
                numbered = [
                    f"{prefix}{n:02}" if ":" in pattern else f"{prefix}{n}" for n in range(1, len(needed) + 1)
                ]
                if name in prefix.lower() and set(numbered) <= set(table.columns):
                    lines.append(
                        f'  - {{use: {name}, source: visits, items: "{prefix}{pattern}"}}       # guess'
                    )
                    break
    return ["instruments:", *dict.fromkeys(lines), ""] if lines else []


def _items_of(table: TextTable) -> set[str]:
    """Columns that are items of a questionnaire under their own names."""
    items: set[str] = set()
    for name in library_ids():
        known = load_instrument(name).items
        if {item.id for item in known if not item.optional} <= set(table.columns):
            items |= {item.id for item in known}
    return items


def _outcome_lines(found: Guess, by_visit: bool, items: set[str]) -> list[str]:
    """Plain numbers that could be followed, with the range they have; numbered ones are a questionnaire's items."""
    followed = {
        name: span
        for name, span in found.numbers.items()
        if span[0] < span[1] and name not in items and not re.search(r"\d$", name)
    }
    if not by_visit or not followed:
        return []
    listed = [
        f"  - {{id: {re.sub('[^A-Za-z0-9_-]+', '_', name)}, column: {_quoted('visits.' + name)}, "
        f"range: [{low:g}, {high:g}], better: lower}}       # guess: the range is what the file holds"
        for name, (low, high) in followed.items()
        if "." not in name and re.match("[A-Za-z]", name)
    ]
    return ["outcomes:", *listed[:12], ""]


def _quoted(text: str) -> str:
    """A YAML text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
