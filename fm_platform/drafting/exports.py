"""``fm init --from EXPORT``: a first mapping guessed from a CSV file, every guess marked.

Belongs here: what names and values of columns suggest. Does not belong here: REDCap exports (``redcap_project``),
templates without data (``scaffold``), anything that a refresh relies on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.drafting.scaffold import require_new, study_id_of
from fm_platform.drafting.structure import (
    changes_within,
    has_decimal_comma,
    in_visit_order,
    is_key,
    may_name_people,
    may_name_visits,
    numbers_of,
    order_of_dates,
    repeated_words,
    subject_and_visit,
    usual_scale,
    visit_beside,
)
from fm_platform.drafting.words import NO_VALUE, fold, is_named
from fm_platform.errors import InputError
from fm_platform.instruments.registry import library_ids, load_instrument
from fm_platform.sources.delimited import ROW_NAMES, TextTable, read_text_table

ROLES = {
    "site": r"(\w+_)?(site|cent(er|re)|hospital)|redcap_data_access_group",
    "arm": r"(\w+_)?(arm|treat(ment)?|allocation|randomi[sz]ation)",
    "sex": r"(\w+_)?(sex|gender)",
    "age": r"(\w+_)?age(_years)?",
}
_SUBJECT = r"(subject|patient|participant|record|study|subj|pat|case)?_?(id|no|nr|number|code)|usubjid|subject|patient"
_VISIT = r"visit(_?(name|no|nr|id))?|event(_name)?|timepoint|week|month|wave|redcap_event_name"
_CODES = (*NO_VALUE, "-9", "-99", "-999", "99", "999")
_MOST_OUTCOMES = 12
_PLAIN_NUMBER = r"^[+-]?[0-9]+([.][0-9]+)?$"


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
        dates: The order of year, month and day, where it must be said.
        comma: Whether numbers have a decimal comma.
        numbers: Numeric columns without a role that change from visit to visit, with a usual range.
    """

    subject: tuple[str, ...]
    visit: str | None
    date: str | None
    roles: dict[str, str]
    visits: tuple[str, ...]
    missing: tuple[str, ...]
    dates: str | None
    comma: bool
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
    table = read_text_table("visits", export, name=export.name, row_names=ROW_NAMES)
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
    """Guess what the columns of a table are, from their cells first and their names second."""
    cells = table.frame.select(pl.col(table.columns).str.strip_chars())
    missing = tuple(code for code in dict.fromkeys(_CODES) if _is_code(cells, code))
    dated = {
        name: order
        for name in table.columns
        if (order := order_of_dates(_present(cells[name], missing))) != "none"
    }
    roles = _roles([name for name in table.columns if name not in dated])
    free = [name for name in table.columns if name not in dated and name not in roles.values()]
    visit = _named(free, _VISIT) or next(
        (name for name in free if is_named(name, "visit") and may_name_visits(cells, name)), None
    )
    subject = _subject(cells, [name for name in free if name != visit], roles, visit)
    if subject and visit is None and cells.select(subject).is_duplicated().any():
        visit = visit_beside(cells, subject, [name for name in free if name not in subject])
    elif not subject and visit is None and (pair := subject_and_visit(cells, free)):
        subject, visit = (pair[0],), pair[1]
    date = _visit_date(cells, dated, subject)
    taken = {visit, date, *subject, *roles.values()}
    numbers = {}
    for name in (name for name in table.columns if name not in taken and name not in dated):
        values = numbers_of(cells[name], missing)
        if values is not None and _is_followed(cells, subject, name, visit, missing):
            numbers[name] = usual_scale(float(values.min()), float(values.max()))  # type: ignore[arg-type]
    names = set(cells[visit].to_list()) if visit else set()
    words = [word for name in numbers for word in repeated_words(cells[name]) if word not in names]
    missing = tuple(dict.fromkeys((*missing, *words)))
    return Guess(
        subject,
        visit,
        date,
        roles,
        in_visit_order(cells[visit].unique(maintain_order=True).to_list()) if visit else (),
        missing,
        dated[date] if date and dated[date] != "named" else None,
        has_decimal_comma(
            cells, [name for name in table.columns if numbers_of(cells[name], missing) is not None]
        ),
        numbers,
    )


def _present(values: pl.Series, missing: Sequence[str]) -> pl.Series:
    return values.filter(~values.is_in(["", *missing]))


def _roles(columns: Sequence[str]) -> dict[str, str]:
    """Roles by their English names, else by a word of another language; a column has one."""
    roles: dict[str, str] = {}
    for role, pattern in ROLES.items():
        open_ = [name for name in columns if name not in roles.values()]
        name = _named(open_, pattern) or next((name for name in open_ if is_named(name, role)), None)
        if name:
            roles[role] = name
    return roles


def _named(columns: Sequence[str], pattern: str) -> str | None:
    return next((name for name in columns if re.fullmatch(pattern, name.strip().lower())), None)


def _visit_date(cells: pl.DataFrame, dated: Mapping[str, str], subject: Sequence[str]) -> str | None:
    """The date that grows from visit to visit: no birth date, and not the same at every visit of a subject."""
    repeated = bool(subject) and cells.select(subject).is_duplicated().any()
    open_ = [
        name
        for name in dated
        if not is_named(name, "birth") and (not repeated or changes_within(cells, subject, name))
    ]
    return next((name for name in open_ if is_named(name, "date")), open_[0] if open_ and repeated else None)


def _is_followed(
    cells: pl.DataFrame, subject: Sequence[str], name: str, visit: str | None, missing: Sequence[str]
) -> bool:
    """Whether a column changes within a subject; where nobody has two visits, whether it changes at all."""
    if not subject or visit is None or not cells.select(subject).is_duplicated().any():
        return True
    return changes_within(cells.filter(~pl.col(name).is_in(list(missing))), subject, name)


def _subject(
    cells: pl.DataFrame, columns: Sequence[str], roles: dict[str, str], visit: str | None
) -> tuple[str, ...]:
    """The named id column, with the site where ids repeat between sites; else a column that could be one."""
    words = [name for name in columns if is_named(name, "subject") and may_name_people(cells, name)]
    words.sort(key=lambda name: not is_key(cells, [name, *([visit] if visit else [])]))
    name = _named(columns, _SUBJECT) or (words[0] if words else None) or _told_apart(cells, columns, visit)
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
    return next(
        (
            name
            for name in columns
            if may_name_people(cells, name) and is_key(cells, [name, *([visit] if visit else [])])
        ),
        None,
    )


def _is_code(cells: pl.DataFrame, code: str) -> bool:
    """Whether a text stands in a column that otherwise holds numbers it does not fit; a word for it, anywhere."""
    number = re.match(_PLAIN_NUMBER, code)
    for name in cells.columns:
        values = cells[name].filter(cells[name] != "")
        others = values.filter(values != code)
        if len(others) == len(values):
            continue
        if not number:
            return True
        read = numbers_of(others, _CODES)
        if read is None:
            continue
        highest, lowest = read.max(), read.min()
        if float(code) < 0 <= lowest or float(code) > 5 * max(float(highest), 1.0):  # type: ignore[operator, arg-type]
            return True
    return False


def _study_yaml(study_id: str, name: str, table: TextTable, found: Guess) -> str:
    quoted = [_quoted(column) for column in found.subject]
    columns = {"subject": quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"}
    by_visit = found.visit is not None or found.date is not None
    followed = _followed(found, _items_of(table)) if by_visit else {}
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
    if found.comma:
        lines.append("    decimal: comma               # guess")
    if found.dates:
        lines.append(f"    dates: {found.dates}               # guess")
    lines += [
        "",
        *_visit_lines(found, by_visit),
        *_instrument_lines(table, by_visit),
        *_outcome_lines(found, followed),
        *_responder_lines(followed),
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


def _followed(found: Guess, items: set[str]) -> dict[str, str]:
    """Plain numbers that could be followed, with their ids; numbered ones are a questionnaire's items."""
    ids: dict[str, str] = {}
    for name in found.numbers:
        if name in items or "." in name or re.search(r"\d$", name):
            continue
        folded = re.sub("[^a-zA-Z0-9]+", "_", fold(name)).strip("_")
        base = folded if folded[:1].isalpha() else f"outcome_{len(ids) + 1}"
        ids[name] = base if base not in ids.values() else f"{base}_{len(ids) + 1}"
    return dict(list(ids.items())[:_MOST_OUTCOMES])


def _outcome_lines(found: Guess, followed: Mapping[str, str]) -> list[str]:
    """The outcomes, each with a usual range."""
    listed = [
        f"  - {{id: {outcome}, column: {_quoted('visits.' + name)}, "
        f"range: [{found.numbers[name][0]:g}, {found.numbers[name][1]:g}], better: lower}}"
        "       # guess: a usual range that holds what the file has"
        for name, outcome in followed.items()
    ]
    return ["outcomes:", *listed, ""] if listed else []


def _responder_lines(followed: Mapping[str, str]) -> list[str]:
    """Pain that falls by 30 %, the usual definition of a response."""
    pain = [outcome for name, outcome in followed.items() if is_named(name, "pain")]
    lines = [
        f"  - {{id: {outcome}_30, outcome: {outcome}, reduction: 0.30}}       # guess" for outcome in pain
    ]
    return ["responders:", *lines, ""] if lines else []


def _quoted(text: str) -> str:
    """A YAML text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
