"""Delivered text without some of its content, every other line where it was.

Belongs here: blanking records and columns of delimited text. Does not belong here: whose records they are, or keeping
the result.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence

from fm_platform.sources.decoding import decode
from fm_platform.sources.records import BLANK, DELIMITERS

REDACTED = "redacted"


def without_records(data: bytes, starts: Collection[int], all_starts: Collection[int], name: str) -> bytes:
    """A file in which some records are empty lines, so that all others keep their line numbers.

    Args:
        data: The file as delivered.
        starts: The 1-based lines on which the records to remove begin.
        all_starts: The lines on which any record begins.
        name: What to call the file in messages.
    """
    text, encoding = decode(data, name)
    ordered = sorted(all_starts)
    gone: set[int] = set()
    for start in starts:
        after = next((line for line in ordered if line > start), None)
        gone |= set(range(start, after)) if after is not None else {start}
    kept = io.StringIO()
    last = max(ordered, default=0)
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        ending = line[len(line.rstrip("\r\n")) :]
        kept.write(ending if number in gone or (number > last and last in gone) else line)
    return kept.getvalue().encode(encoding)


def without_columns(data: bytes, headings: Collection[str], name: str) -> bytes | None:
    """A matrix without the columns of some headings; None when no line has such a heading.

    Lines before the header that mention a heading are blanked. Every line stays a line.

    Args:
        data: The file as delivered.
        headings: The headings to remove.
        name: What to call the file in messages.
    """
    text, encoding = decode(data, name)
    lines = list(io.StringIO(text, newline=""))
    found = _with_headings(lines, headings, DELIMITERS) or _with_headings(lines, headings, (BLANK,))
    if found is None:
        return None
    at, cells, delimiter = found
    positions = {place for place, cell in enumerate(cells) if cell.strip() in headings}
    before = ["\n" if any(heading in early for heading in headings) else early for early in lines[:at]]
    return "".join([*before, *_cut(lines[at:], positions, len(cells), delimiter)]).encode(encoding)


def _with_headings(
    lines: Sequence[str], headings: Collection[str], delimiters: Sequence[str]
) -> tuple[int, list[str], str] | None:
    """The first line that has one of the headings among several fields: its place, its fields, their delimiter."""
    for at, line in enumerate(lines):
        for delimiter in delimiters:
            cells = next(csv.reader([line], delimiter=delimiter), [])
            if len(cells) > 1 and any(cell.strip() in headings for cell in cells):
                return at, cells, delimiter
    return None


def _cut(lines: list[str], positions: set[int], width: int, delimiter: str) -> list[str]:
    """Lines without the fields at some places of the header; a row may have one field more than the header."""
    found = []
    for line in lines:
        ending = line[len(line.rstrip("\r\n")) :]
        cells = next(csv.reader([line], delimiter=delimiter), [])
        shift = 1 if len(cells) == width + 1 else 0
        out = io.StringIO()
        if cells:
            kept = [cell for place, cell in enumerate(cells) if place - shift not in positions]
            csv.writer(out, delimiter=delimiter, lineterminator="").writerow(kept)
        found.append(out.getvalue() + ending)
    return found
