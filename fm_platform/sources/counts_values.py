"""From texts to counts: whole numbers of at least zero, or a refusal that says what the matrix looks like.

Belongs here: the check of every cell. Does not belong here: headers, files, samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from fm_platform.errors import InputError

_LARGEST = 2.0**53
_MILLION = 1e6
_MILLION_TOLERANCE = 0.005
_MOSTLY = 0.5
_RAW_COUNTS = "deliver the raw counts (e.g. of featureCounts, HTSeq or STAR), not values made from them"


def parse_counts(
    columns: Sequence[str], cells: Sequence[Sequence[str]], lines: Sequence[int], name: str
) -> np.ndarray:
    """Turn texts into counts. ``12``, ``12.0`` and ``1.2e1`` are the count twelve.

    Args:
        columns: The header of each column of counts.
        cells: For each of them, its texts in row order.
        lines: The line of each row.
        name: The file, for messages.

    Returns:
        int64, shape (rows, columns).

    Raises:
        InputError: A cell is empty, no number, negative or no whole number (the first is named by line and
        column),
            or the matrix as a whole looks like TPM or another scaled unit.
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
        _refuse_scaled(np.column_stack([_numbers(texts) for texts in cells]), name)
        raise _first_bad_cell(columns, cells, lines, refused, name)
    if _near_million(counts.sum(axis=0, dtype=np.float64)):
        raise InputError(
            "every column adds up to about one million, so these look like rounded TPM values, not counts",
            file=name,
            mend=_RAW_COUNTS,
        )
    return counts


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


def _refuse_scaled(numbers: np.ndarray, name: str) -> None:
    """Refuse a matrix most of whose non-zero values are fractions."""
    expressed = numbers[np.isfinite(numbers) & (numbers != 0)]
    if expressed.size == 0 or (expressed != np.floor(expressed)).mean() < _MOSTLY:
        return
    if _near_million(np.nansum(numbers, axis=0)):
        found = "every column adds up to about one million, so these look like TPM values, not counts"
    elif (expressed < 0).any():
        found = "negative fractions: these look like logarithms or other transformed values, not counts"
    else:
        found = (
            "most values are fractions, so these look like TPM, other scaled values or estimates, not counts"
        )
    raise InputError(found, file=name, mend=_RAW_COUNTS)


def _near_million(totals: np.ndarray) -> bool:
    return bool((np.abs(totals - _MILLION) <= _MILLION_TOLERANCE * _MILLION).all())


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
    return InputError(
        _problem(cells[position][row].strip(), float(numbers[position][row])),
        file=name,
        line=lines[row],
        column=columns[position],
        mend="correct the cell, or deliver the raw count matrix",
    )


def _problem(text: str, number: float) -> str:
    if text.casefold() in ("", "na", "nan", "null", "n/a", "."):
        return f"missing count ({text!r})"
    if not np.isfinite(number):
        return f"{text!r} is no number"
    if number < 0:
        return f"negative count {text}"
    return f"{text} is too large for a count" if number >= _LARGEST else f"{text} is no whole number"
