"""What stands around a delivered table: comments and titles above it, remarks and empty rows below it, empty columns.

Belongs here: telling these from the table, by shape alone, and saying what was passed over. Does not belong here:
cutting text into records (``records``), what names and cells mean.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

COMMENT_MARKS = ("#", "!", "%")
"""How comment lines begin: those of most tools, of GEO's series matrices, and of MATLAB."""

_SAMPLED = 50
_PROSE_OF_TWO_COLUMNS = 3
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MARKED_NAME = re.compile(r"#+[^\s#]+")
_REMARK = re.compile(r"\s*#+\s+[^\W\d]")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|$)")


@dataclass(frozen=True)
class Body:
    """Records and the physical line each begins on, the header first; and what was passed over to find them."""

    rows: list[list[str]]
    lines: list[int]
    notes: tuple[str, ...] = ()


def comment_lines(text: str, delimiters: Sequence[str]) -> int:
    """How many lines at the top of a text are comments (blank lines between them included).

    A marked line right above the first record is the header, not a comment, if it has as many fields as that record and
    reads like names: ``#gene_id<TAB>s1<TAB>s2`` above ``G1<TAB>5<TAB>7``.

    Args:
        text: The whole text, or its beginning.
        delimiters: What may separate fields.
    """
    marked: list[str] = []
    lines = _lines(text)
    for line in lines:
        stripped = line.strip().lstrip("\"'")
        if stripped and stripped[0] not in COMMENT_MARKS:
            break
        marked.append(line)
    else:
        line = next((line for line in reversed(marked) if line.strip()), "")
    while marked and not marked[-1].strip():
        marked.pop()
    header = _marked_header(marked, line, next(filter(str.strip, lines), ""), delimiters)
    return len(marked) if header is None else header


def without_lines(text: str, count: int) -> str:
    """A text whose first lines are empty, so that all others keep their numbers."""
    ends = [found.end() for found, _ in zip(_LINE.finditer(text), range(count), strict=False)]
    return "\n" * count + text[ends[-1] :] if ends else text


def within_margins(rows: list[list[str]], lines: list[int]) -> Body:
    """The table without titles above it, remarks and empty rows below it, and empty columns without a name.

    Args:
        rows: All records of a file or worksheet.
        lines: The physical line each begins on.
    """
    notes: list[str] = []
    top = _titles(rows, lines)
    if top:
        notes.append(
            f"{_span(lines[:top])} above the table {'is a title' if top == 1 else 'are titles'} and passed over: "
            f"the header is on line {lines[top]}"
        )
        rows, lines = rows[top:], lines[top:]
    rows, lines, dropped = _without_remarks(rows, lines)
    if dropped:
        notes.append(f"{_span(dropped)} below the header: a remark or an empty row, passed over")
    cut, n_empty = _without_empty_columns(rows)
    if n_empty:
        notes.append(f"{n_empty} empty {'column' if n_empty == 1 else 'columns'} without a name left out")
    return Body(cut, lines, tuple(notes))


def without_tails(rows: list[list[str]]) -> tuple[list[list[str]], int]:
    """Records without empty fields beyond the header, and how many had some; of a matrix, where no cell may be empty.

    Where every other cell is a number, a field too many that is empty cannot come from an unquoted delimiter.
    """
    width = len(rows[0])
    if not any(len(row) == width for row in rows[1:]):
        return rows, 0
    long = {at for at, row in enumerate(rows) if len(row) > width and _width(row) <= width}
    return [row[:width] if at in long else row for at, row in enumerate(rows)], len(long)


def r_row_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether every row has one field more than the header, the first of them different in each row.

    R's ``write.table`` leaves the row names' header out. An unquoted decimal comma makes a field too many, too, but
    nothing that is unique of the first column.
    """
    one_more = len(rows) > 1 and all(len(row) == len(rows[0]) + 1 for row in rows[1:])
    return one_more and len({row[0] for row in rows[1:]}) == len(rows) - 1


def row_numbers(cells: Sequence[str]) -> bool:
    """Whether the cells of a column are running numbers from 0 or 1, as R and pandas number rows."""
    first = cells[0].strip() if cells else ""
    return first in ("0", "1") and all(
        cell.strip() == str(number) for number, cell in enumerate(cells, start=int(first))
    )


def is_number(text: str) -> bool:
    """Whether a text is a decimal number."""
    return _NUMBER.fullmatch(text.strip()) is not None


# -- above -------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[str]:
    return (found[1] for found in _LINE.finditer(text))


def _marked_header(marked: Sequence[str], record: str, after: str, delimiters: Sequence[str]) -> int | None:
    """The place of the header among marked lines, if it is there: of those as wide as the record, the last of names.

    A record of names right above one (``after``) of numbers is the header itself: what is marked describes its columns.
    """
    for delimiter in delimiters:
        cells, *above = (_fields(line, delimiter) for line in (record, *reversed(marked)))
        width = len(cells)
        if width > 2 and len({*cells}) == width and not any(map(is_number, cells)):
            numbers = _fields(after, delimiter)[1:]
            if len(numbers) == width - 1 and all(map(is_number, numbers)):
                continue
        wide = above[: next((at for at, fields in enumerate(above) if len(fields) != width), len(above))]
        wide = [fields for fields in wide if len({*fields}) == width]
        if width < 2 or not wide:
            continue
        named = next((at for at, fields in enumerate(wide) if not any(map(is_number, fields))), 0)
        below = cells if named == 0 else wide[named - 1]
        if any(map(is_number, below)) or _MARKED_NAME.fullmatch(wide[named][0].strip()):
            return len(marked) - 1 - named
    return None


def _fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line that are not blank; none where it cannot be cut."""
    try:
        return _filled(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return []


def _titles(rows: Sequence[Sequence[str]], lines: Sequence[int]) -> int:
    """How many records stand above the header: too narrow for it, and set apart by what they are."""
    head = rows[:_SAMPLED]
    widths = Counter(_width(row) for row in head)
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    if usual < 2:
        return 0
    for least in (usual, usual - 1):
        top = next((at for at, row in enumerate(head) if _width(row) >= max(2, least)), 0)
        named = top + sum(1 for _ in takewhile(_repeats, head[top:]))
        if top < named < len(head) and _names_above_numbers(head[named], head[named + 1 :]):
            return named
        above, header, below = head[:top], head[top], head[top + 1 :]
        if above and (
            _names_above_numbers(header, below)
            or _padded(above, header, usual, apart=not _filled(above[-1]) or lines[top] - lines[top - 1] > 1)
            or (least < usual and _apart(above, lines[: top + 1], usual))
        ):
            return top
    return 0


def _apart(above: Sequence[Sequence[str]], lines: Sequence[int], usual: int) -> bool:
    """Whether records above a header are set apart from it, by an empty line or as a sentence in a field of its own."""
    if any(not _filled(row) for row in above) or lines[-1] - lines[0] > len(above):
        return True
    alone = all(len(_filled(row)) <= 1 for row in above)
    words = max((len(cell.split()) for row in above for cell in _filled(row)), default=0)
    unpadded_pair = usual == 2 and any(len(row) == 1 for row in above)
    return alone and words >= (_PROSE_OF_TWO_COLUMNS if unpadded_pair else 2)


def _padded(above: Sequence[Sequence[str]], header: Sequence[str], usual: int, *, apart: bool) -> bool:
    """Whether records of empty fields but a text in the first, or set apart, stand above a full record of names.

    No header is like that: it names every column, but for R's row names, which are the first.
    """
    names = _filled(header)
    padded = all(len(row) >= usual > _width(row) for row in above)
    alone = all(len(_filled(row)) == 1 and row[0].strip() for row in above)
    full = len({*names}) == len(names) == len(header) and not any(map(is_number, names))
    return padded and (alone or apart) and full


def _repeats(row: Sequence[str]) -> bool:
    """Whether a record says of columns what several have alike, such as their groups; names are all different."""
    said = _filled(row)
    return len(said) > len({*said}) and not any(map(is_number, said))


def _names_above_numbers(header: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a record reads like the header of columns of numbers, and in no such column like a number itself."""
    found = False
    for place in range(1, len(header)):
        cells = [row[place].strip() for row in below if place < len(row) and row[place].strip()]
        if cells and all(is_number(cell) for cell in cells):
            if is_number(header[place]):
                return False
            found = found or bool(header[place].strip())
    return found


# -- below and beside ----------------------------------------------------------------------------------------------


def _without_remarks(rows: list[list[str]], lines: list[int]) -> tuple[list[list[str]], list[int], list[int]]:
    """Records without remarks (``!series_matrix_table_end``, ``# second batch, week 3``) and empty ones at the end."""
    if not rows or len(rows[0]) < 2:
        return rows, lines, []
    end = len(rows)
    while end > 1 and not _width(rows[end - 1]):
        end -= 1
    ids = {row[0].strip()[:1] for row in rows[1:end] if len(row) > 1}
    remarks = {
        at
        for at in range(1, end)
        if rows[at]
        and (mark := rows[at][0].strip()[:1]) in COMMENT_MARKS
        and (
            (len(rows[at]) == 1 and mark not in ids)
            or ((len(rows[at]) != len(rows[0]) or _width(rows[at]) == 1) and _REMARK.match(rows[at][0]))
        )
    }
    if not remarks and end == len(rows):
        return rows, lines, []
    kept = [at for at in range(end) if at not in remarks]
    gone = [lines[at] for at in range(len(rows)) if at >= end or at in remarks]
    return [rows[at] for at in kept], [lines[at] for at in kept], gone


def _without_empty_columns(rows: list[list[str]]) -> tuple[list[list[str]], int]:
    """Records without columns that have neither name nor cell, and how many columns that were.

    Empty fields beyond the header count as a column where most rows have them; in a single row they are a fault.
    """
    if not rows:
        return rows, 0
    n_empty = 0
    if len(rows) > 1 and all(len(row) == len(rows[0]) + 1 for row in rows[1:]):  # R's header, one field short
        while all(row and not row[-1].strip() for row in rows):
            rows, n_empty = [row[:-1] for row in rows], n_empty + 1
    width = max(map(_width, rows))
    usual = Counter(map(len, rows[1:] or rows)).most_common(1)[0][0]
    reached = max(len(rows[0]), usual)
    if reached > width:
        n_empty += reached - width
        rows = [row[:width] if len(row) <= reached else row for row in rows]
    if not all(name.strip() for name in rows[0]) and all(len(row) == len(rows[0]) for row in rows):
        spare = {
            place
            for place, name in enumerate(rows[0])
            if not name.strip() and all(not row[place].strip() for row in rows)
        }
        if spare and len(rows) > 1 and len(rows[0]) - len(spare) > 1:
            rows = [[cell for place, cell in enumerate(row) if place not in spare] for row in rows]
            n_empty += len(spare)
    return rows, n_empty


def _width(row: Sequence[str]) -> int:
    """Fields up to the last one that is not blank."""
    width = len(row)
    while width and not row[width - 1].strip():
        width -= 1
    return width


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell.strip()]


def _span(lines: Sequence[int]) -> str:
    """``line 3`` or ``lines 1 to 2`` or ``lines 7, 9``."""
    if len(lines) == 1:
        return f"line {lines[0]}"
    if lines[-1] - lines[0] == len(lines) - 1:
        return f"lines {lines[0]} to {lines[-1]}"
    return f"lines {', '.join(map(str, lines[:10]))}"
