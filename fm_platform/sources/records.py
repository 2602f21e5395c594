"""From characters or a worksheet to records: lists of texts, each with the physical line it begins on.

Belongs here: delimiters, quotes, worksheets, blank lines. Does not belong here: what stands around the table
(``margins``), what the first record's names mean, and whether records have the right length.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.sources.decoding import decode
from fm_platform.sources.files import Content, SourceFile, read_content
from fm_platform.sources.margins import (
    comment_lines,
    is_number,
    r_row_names,
    within_margins,
    without_lines,
)
from fm_platform.sources.workbooks import Workbook

DELIMITERS = (",", ";", "\t", "|")
BLANK = " "
"""What R's ``write.table`` puts between fields by default."""

_SNIFFED_RECORDS = 50
_MOST = 0.5
_HEAD = 1 << 18
_NO_PLAIN_TEXT = (b"PK", b"\x1f\x8b", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_FIELD = (1 << 31) - 1
"""The standard library refuses fields of more than 131,072 characters unless it is told not to."""


@dataclass(frozen=True)
class Records:
    """A file cut into records, the header first.

    Attributes:
        delimiter: What separated the fields (empty for a worksheet).
        encoding: The text encoding, or ``xlsx``.
        sheet: The worksheet's name, if it is one.
        rows: Texts as delivered. Blank lines are not among them.
        lines: The 1-based physical line each record begins on (a worksheet's row number).
        notes: What stood around the table and was passed over: comments, titles, empty columns.
    """

    file: SourceFile
    delimiter: str
    encoding: str
    sheet: str | None
    rows: list[list[str]]
    lines: list[int]
    notes: tuple[str, ...] = ()


def read_records(path: Path, name: str, sheet: str | None = None) -> Records:
    """Read the records of a text file (gzipped or not) or of one worksheet of a workbook.

    Args:
        path: Where the file is.
        name: What to call it in messages.
        sheet: The worksheet; needed when several are not empty.

    Raises:
        InputError: The file is no table of text, or a quote is never closed, or the worksheet is not there.
    """
    content = read_content(path, name)
    if content.kind == "xlsx":
        return _worksheet(content, sheet)
    if sheet is not None:
        raise InputError(
            f"worksheet {sheet!r} asked for, but this is a text file",
            file=name,
            mend="drop `sheet:` in study.yaml",
        )
    return _text(content)


def read_header(path: Path, name: str, sheet: str | None = None) -> list[str]:
    """The header of a table; of a long text file without reading the rest.

    Args:
        path: Where the file is.
        name: What to call it in messages.
        sheet: The worksheet; needed when several are not empty.

    Raises:
        InputError: As :func:`read_records`.
        OSError: It cannot be opened.
    """
    with path.open("rb") as handle:
        head = handle.read(_HEAD)
    end = head.rfind(b"\n") + 1
    if len(head) < _HEAD or not end or head.startswith(_NO_PLAIN_TEXT):
        return read_records(path, name, sheet).rows[0]
    text, _ = decode(head[:end], name)
    text, told = _without_separator_line(text)
    text = without_lines(text, comment_lines(text, DELIMITERS))
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        rows.extend(row for row in _cut(text, told or _delimiter(text)) if any(cell.strip() for cell in row))
    if len(rows) < _SNIFFED_RECORDS:  # long fields: the beginning holds too few records to judge by
        return read_records(path, name, sheet).rows[0]
    return within_margins(rows, list(range(1, len(rows) + 1))).rows[0]


def worksheets(path: Path, name: str) -> list[Records]:
    """Read every worksheet of a workbook that is not empty; for a text file, its records alone.

    Args:
        path: Where the file is.
        name: What to call it in messages.
    """
    return worksheets_in(read_content(path, name))


def worksheets_in(content: Content) -> list[Records]:
    """The same of a file that has been read."""
    if content.kind != "xlsx":
        return [_text(content)]
    workbook = Workbook(content.data, content.file.name)
    sheets = [_load_sheet(workbook, content, title) for title in workbook.sheets]
    return [sheet for sheet in sheets if sheet.rows]


# -- text ----------------------------------------------------------------------------------------------


def _text(content: Content) -> Records:
    text, encoding = decode(content.data, content.file.name)
    text, told = _without_separator_line(text)
    comments = comment_lines(text, DELIMITERS)
    text = without_lines(text, comments)
    delimiter = told or _delimiter(text)
    rows, lines = _split(text, delimiter, content.file.name)
    if not rows:
        raise InputError("the file is empty", file=content.file.name, mend="ask for the delivery again")
    body = within_margins(rows, lines)
    above = "line 1 is a comment" if comments == 1 else f"lines 1 to {comments} are comments"
    notes = ([f"{above} and passed over"] if comments else []) + [*body.notes]
    return Records(content.file, delimiter, encoding, None, body.rows, body.lines, tuple(notes))


def _split(text: str, delimiter: str, name: str) -> tuple[list[list[str]], list[int]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    before = 0
    width = 0
    try:
        for row in reader:
            blank = not row or (len(row) == 1 and width != 1 and not row[0].strip())
            if not blank:
                rows.append(row)
                lines.append(before + 1)
                width = width or len(row)
            before = reader.line_num
    except csv.Error as error:
        shown = "text after a closing quote" if "expected after" in str(error) else "an unclosed quote"
        raise InputError(
            f"the record that begins here has {shown}",
            file=name,
            line=before + 1,
            mend='close it, or write a quote inside a field as ""; if the file was cut off, copy it again',
        ) from None
    return rows, lines


def _cut(text: str, delimiter: str) -> Iterator[list[str]]:
    """Records for a look at them: quotes may be broken."""
    csv.field_size_limit(_LONGEST_FIELD)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _without_separator_line(text: str) -> tuple[str, str]:
    """The text with Excel's ``sep=;`` line blanked, and the delimiter that it names (empty: there is no such line)."""
    first, end, rest = text.partition("\n")
    told = first.rstrip("\r").strip('"')
    if len(told) != len("sep=;") or told[:-1].lower() != "sep=" or told[-1] not in DELIMITERS:
        return text, ""
    return end + rest, told[-1]


def _delimiter(text: str) -> str:
    """The delimiter under which most of the first records have as many fields as the header.

    A blank is one only where no other is, and R's ``write.table`` shows by its quotes, by numbers in every row, or by
    row names beside a header of several fields.
    """
    best, best_score = DELIMITERS[0], (0.0, 1)
    for candidate in DELIMITERS:
        score = _fit(text, candidate)
        if score > best_score:
            best, best_score = candidate, score
    if not best_score[0] and _is_cut_by_blanks(text):
        return BLANK
    return best


def _is_cut_by_blanks(text: str) -> bool:
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        rows.extend(islice(filter(None, _cut(text, BLANK)), _SNIFFED_RECORDS))
    widths = {len(row) for row in rows[1:]}
    if len(widths) != 1 or min(widths) < 2 or len(rows[0]) - min(widths) not in (-1, 0):
        return False
    numbers = all(all(map(is_number, row[1:])) for row in rows[1:])
    return text.lstrip().startswith('"') or numbers or (len(rows[0]) > 1 and r_row_names(rows))


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """The share of the first records that fit a header, and its width; records above it are titles."""
    sample: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        sample.extend(islice((row for row in _cut(text, delimiter) if any(row)), _SNIFFED_RECORDS))
    best = (0.0, 0)
    for top, header in enumerate(sample):
        width = len(header)
        if width >= 2:
            fitting = sum(len(row) in (width, width + 1) for row in sample[top + 1 :])
            share = (1 + fitting) / len(sample)
            if not top or (share > _MOST and share > best[0]):
                best = (share, width)
        if sum(1 for cell in header if cell.strip()) > 1:
            break  # no title
    return best


# -- workbooks -----------------------------------------------------------------------------------------


def _worksheet(content: Content, sheet: str | None) -> Records:
    workbook = Workbook(content.data, content.file.name)
    titles = list(workbook.sheets)
    if sheet is not None and sheet not in titles:
        raise InputError(
            f"there is no worksheet {sheet!r}",
            file=content.file.name,
            mend=f"use one of: {', '.join(titles)}",
        )
    if sheet is not None:
        titles = [sheet]
    filled = [found for found in (_load_sheet(workbook, content, title) for title in titles) if found.rows]
    if not filled:
        raise InputError("the worksheet is empty", file=content.file.name, mend="ask for the delivery again")
    if len(filled) > 1:
        names = ", ".join(str(found.sheet) for found in filled)
        raise InputError(
            f"several worksheets hold data: {names}",
            file=content.file.name,
            mend="name one with `sheet:` in study.yaml, or export it as CSV",
        )
    return filled[0]


def _load_sheet(workbook: Workbook, content: Content, title: str) -> Records:
    """One worksheet as text; trailing columns that are empty throughout (Excel keeps them) are left out."""
    found = workbook.sheet(title)
    width = max(map(len, found.values()), default=0)
    body = within_margins([[*row, *[""] * (width - len(row))] for row in found.values()], list(found))
    return Records(content.file, "", "xlsx", title, body.rows, body.lines, body.notes)
