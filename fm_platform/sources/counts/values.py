"""From texts to counts: whole numbers of at least zero, or a refusal that says what the matrix looks like.

Belongs here: the check of every cell. Does not belong here: what the matrix as a whole looks like
(``units``), headers, files, samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts.expected import ROUNDED, are_expected_counts, scaled_by_name
from fm_platform.sources.counts.matrix import InputNote
from fm_platform.sources.counts.units import RAW_COUNTS, inspect_fractions, inspect_whole, judge, total_column

NOTHING = ("", "na", "nan", "null", "n/a", ".")
"""Texts that stand for a missing count, in lower case."""

_LARGEST = 2.0**53
_MARKED = re.compile(r"\d+([.,' \u2019\u00a0\u202f]\d+)+")
"""A number with a decimal comma or with marks between thousands."""


def parse_counts(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    lines: Sequence[int],
    name: str,
    *,
    samples_in_rows: bool = False,
) -> tuple[np.ndarray, list[InputNote]]:
    """Turn texts into counts. ``12``, ``12.0`` and ``1.2e1`` are the count twelve.

    Args:
        columns: The header of each column of counts.
        cells: For each of them, its texts in row order.
        lines: The line of each row.
        name: The file, for messages.
        samples_in_rows: Whether a column is a gene rather than a sample.

    Returns:
        int64, shape (rows, columns); and remarks on values that are counts, but look unusual.

    Raises:
        InputError: A cell is empty, no number, negative or no whole number where the others are no expected counts (the
            first is named by line and column), or the matrix as a whole looks like TPM or another scaled unit.
    """
    numbers = _expected(columns, cells, name, samples_in_rows=samples_in_rows)
    if numbers is None:
        notes = []
        counts = whole_numbers(columns, cells, lines, name, samples_in_rows=samples_in_rows)
    else:
        notes = [InputNote("rounded", ROUNDED)]
        counts = np.rint(numbers).astype(np.int64)
    if not samples_in_rows:
        _refuse_totals(counts, columns, name)
    decimals = numbers is None and all_decimals(cells)
    findings = inspect_whole(counts.T if samples_in_rows else counts, decimals=decimals)
    return counts, [*notes, *judge(findings, name)]


def rounded_counts(numbers: np.ndarray, name: str) -> tuple[np.ndarray, list[InputNote]]:
    """Turn numbers of a format without texts into counts; expected counts are rounded, with a note.

    Args:
        numbers: Genes x samples.
        name: The file, for messages.

    Returns:
        int64, of that shape, and the note.

    Raises:
        InputError: They are no counts.
    """
    if not _bad(numbers).any():
        return numbers.astype(np.int64), []
    if are_expected_counts(numbers, name, ()):
        return np.rint(numbers).astype(np.int64), [InputNote("rounded", ROUNDED)]
    finding = inspect_fractions(numbers)
    if finding is not None:
        raise finding.error(name)
    raise InputError("it holds values that are no counts", file=name, mend=RAW_COUNTS)


def whole_numbers(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    lines: Sequence[int],
    name: str,
    *,
    samples_in_rows: bool = False,
) -> np.ndarray:
    """As :func:`parse_counts`, without asking what the whole numbers look like.

    Raises:
        InputError: A cell is no count, or most values are fractions.
    """
    counts = np.empty((len(lines), len(columns)), dtype=np.int64)
    refused: list[int] = []
    for position, texts in enumerate(cells):
        whole = _whole_numbers(texts)
        if whole is None:
            refused.append(position)
        else:
            counts[:, position] = whole
    if refused:
        numbers = np.column_stack([_numbers(texts) for texts in cells])
        finding = inspect_fractions(numbers.T if samples_in_rows else numbers)
        if finding is not None:
            raise finding.error(name)
        unit = scaled_by_name(name, () if samples_in_rows else columns)
        if unit is not None and not np.array_equal(numbers, np.floor(numbers)):
            raise InputError(
                f"fractions, and by name these are {unit} values, not counts", file=name, mend=RAW_COUNTS
            )
        raise _first_bad_cell(columns, cells, lines, refused, name)
    return counts


def _expected(
    columns: Sequence[str], cells: Sequence[Sequence[str]], name: str, *, samples_in_rows: bool
) -> np.ndarray | None:
    """The numbers of a matrix of expected counts; None if it is none, or holds whole numbers only."""
    if not cells or all(_whole_numbers(texts) is not None for texts in cells):
        return None
    numbers = np.column_stack([_numbers(texts) for texts in cells])
    by_sample, headings = (numbers.T, ()) if samples_in_rows else (numbers, tuple(columns))
    return numbers if are_expected_counts(by_sample, name, headings) else None


def _refuse_totals(counts: np.ndarray, columns: Sequence[str], name: str) -> None:
    position = total_column(counts)
    if position is not None:
        raise InputError(
            "this column is the sum of all others, so it holds row totals, not the counts of a sample",
            file=name,
            column=columns[position],
            mend="remove it from the matrix",
        )


def all_decimals(cells: Sequence[Sequence[str]]) -> bool:
    """Whether no cell is written as a plain whole number (``723.0``, ``2e3``)."""
    return bool(cells) and not any(text.strip().isdigit() for texts in cells for text in texts)


def _whole_numbers(texts: Sequence[str]) -> np.ndarray | None:
    """The counts of a column, or None if one of its cells is no count."""
    whole = pl.Series(texts, dtype=pl.String).str.strip_chars().cast(pl.Int64, strict=False)
    if not whole.null_count():
        found = whole.to_numpy()
        return found if found.min() >= 0 and found.max() < _LARGEST else None
    numbers = _numbers(texts)
    return None if _bad(numbers).any() else numbers.astype(np.int64)


def _numbers(texts: Sequence[str]) -> np.ndarray:
    """A column as float64; NaN where a cell is no number."""
    series = pl.Series(texts, dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return series.fill_null(float("nan")).to_numpy()


def _bad(numbers: np.ndarray) -> np.ndarray:
    """Which values are no counts (NaN compares false, so it is bad)."""
    return np.asarray(~((numbers >= 0) & (numbers < _LARGEST) & (numbers == np.floor(numbers))))


def _first_bad_cell(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    lines: Sequence[int],
    refused: Sequence[int],
    name: str,
) -> InputError:
    """The complaint about the bad cell that stands first in the file."""
    numbers = {position: _numbers(cells[position]) for position in refused}
    row, position = min((int(np.argmax(_bad(numbers[position]))), position) for position in refused)
    text, number = cells[position][row].strip(), float(numbers[position][row])
    marked = np.isnan(number) and _MARKED.fullmatch(text) is not None
    return InputError(
        _problem(text, number),
        file=name,
        line=lines[row],
        column=columns[position],
        mend="write numbers with a decimal point and without marks between thousands"
        if marked
        else f"{_no_counts(cells, numbers, row, position)}correct the cell, or deliver the raw count matrix",
    )


def _no_counts(
    cells: Sequence[Sequence[str]], numbers: Mapping[int, np.ndarray], row: int, position: int
) -> str:
    """What a bad cell shows if its whole row, or its whole column, holds no count."""
    if len(cells[0]) > 1 and _bad(numbers[position]).all():
        return "remove the column if it is no sample; else "
    in_row = [_bad(numbers[at][row : row + 1]).all() if at in numbers else False for at in range(len(cells))]
    return "remove the line if it is no gene; else " if len(cells) > 1 and all(in_row) else ""


def _problem(text: str, number: float) -> str:
    if text.casefold() in NOTHING:
        return f"missing count ({text!r})"
    if not np.isfinite(number):
        return f"{text!r} is no number"
    if number < 0:
        return f"negative count {text}"
    return f"{text} is too large for a count" if number >= _LARGEST else f"{text} is no whole number"
