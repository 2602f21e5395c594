"""Delivered text without some of its content, every other line where it was.

Belongs here: blanking records and columns of delimited text, and telling files of counts that cannot be cut. Does not
belong here: whose records they are, or keeping the result.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection, Iterator, Sequence

from fm_platform.errors import InputError
from fm_platform.sources.counts.layout import is_gene_header, names_in
from fm_platform.sources.decoding import decode
from fm_platform.sources.records import BLANK, DELIMITERS

REDACTED = "redacted"
_HEADER_WITHIN = 200
"""Lines among which a header is looked for."""


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


def without_sample(
    data: bytes, samples: Collection[str], name: str, *, in_rows: bool = False
) -> bytes | None:
    """A file of counts without some samples.

    Args:
        data: The file, unpacked.
        samples: Their names.
        name: What to call the file in messages.
        in_rows: Whether samples are in rows.

    Returns:
        The file without the columns named after them; the same bytes if it mentions none of them; None where it must
        go as a whole: samples are in rows or numbered (MatrixMarket), the file is no text, or a sample is mentioned
        elsewhere than in the header.
    """
    try:
        text, _ = decode(data, name)
    except InputError:
        return None
    if in_rows or text.startswith("%%MatrixMarket") or any(map(is_gene_header, _first_lines(text))):
        return None
    cut = without_columns(data, samples, name)
    if cut is not None:
        return cut
    return None if any(_mentions(text, sample) for sample in samples) else data


def _first_lines(text: str) -> Iterator[list[str]]:
    for line in itertools.islice(io.StringIO(text), _HEADER_WITHIN):
        yield from (next(csv.reader([line], delimiter=delimiter), []) for delimiter in DELIMITERS)


def _mentions(text: str, sample: str) -> bool:
    """Whether a sample's name stands in a text as a word of its own; a number must begin a line, as counts do not."""
    word = rf"(?<![0-9A-Za-z]){re.escape(sample)}(?![0-9A-Za-z])"
    return re.search(rf"^[\s\"']*{word}" if sample.isdigit() else word, text, re.MULTILINE) is not None


def without_columns(data: bytes, samples: Collection[str], name: str) -> bytes | None:
    """A matrix without the columns of some samples; None when no line has a heading that names one.

    Lines before the header that mention a sample are blanked. Every line stays a line.

    Args:
        data: The file as delivered.
        samples: The samples, by their names in the matrix.
        name: What to call the file in messages.
    """
    text, encoding = decode(data, name)
    lines = list(io.StringIO(text, newline=""))
    found = _with_headings(lines, samples, DELIMITERS) or _with_headings(lines, samples, (BLANK,))
    if found is None:
        return None
    at, cells, delimiter = found
    positions = {place for place, cell in enumerate(cells) if names_in(cell) & set(samples)}
    before = ["\n" if any(sample in early for sample in samples) else early for early in lines[:at]]
    return "".join([*before, *_cut(lines[at:], positions, len(cells), delimiter)]).encode(encoding)


def _with_headings(
    lines: Sequence[str], samples: Collection[str], delimiters: Sequence[str]
) -> tuple[int, list[str], str] | None:
    """The header, if it names one of the samples: its place, its fields, their delimiter.

    Rows have as many fields as their header, or one more, as R writes them: a first field alone is a heading only
    then. Titles may stand above a header; below the first line that may be one, a number is a count.
    """
    head = [(at, line) for at, line in enumerate(lines[:_HEADER_WITHIN]) if line.strip()]
    for delimiter in delimiters:
        rows = [(at, next(csv.reader([line], delimiter=delimiter), [])) for at, line in head]
        wanted = set(samples)
        for (at, cells), (_, below) in itertools.pairwise(rows):
            if len(cells) < 2 or len(below) - len(cells) not in (0, 1):
                continue
            named = [place for place, cell in enumerate(cells) if names_in(cell) & wanted]
            if named and (named != [0] or len(below) > len(cells)):
                return at, cells, delimiter
            wanted = {sample for sample in wanted if not sample.isdigit()}
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
