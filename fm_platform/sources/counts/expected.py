"""Expected counts: matrices of RSEM, salmon or kallisto whose values are counts but for reads that fit several genes.

Belongs here: telling them from TPM, logarithms and averages by names and values. Does not belong here: refusals
(``units``), single cells (``values``), their tools' own folders (``rsem``, ``transcripts``).

A read that fits one gene counts as 1, so many values are whole and every sample has some that are not. Values divided
by a size, a length or a total are whole by chance only; averages of two counts have no fractions but halves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDED = (
    "expected counts (as of RSEM, salmon or kallisto) are rounded to whole numbers; lengths are unknown, so there are "
    "no offsets (deliver the tool's own folder for these)"
)

_EXPECTED = re.compile(
    r"expected[._ -]?counts?|est[._ -]?counts|numreads|(genes|isoforms)\.results", re.IGNORECASE
)
_SCALED = re.compile(r"(?<![a-z])(tpm|fpkm|rpkm|cpm|tmm|rlog|vst|log2|normali[sz]ed)(?![a-z])", re.IGNORECASE)
_WHOLE = 0.2
_LEAST = 0.01
_LARGEST_LOG = 40.0
_MILLION = 1e6
_NEAR = 0.005


def scaled_by_name(name: str, columns: Sequence[str]) -> str | None:
    """The unit that a file's name, or all of its columns' names, give the values: ``TPM``; None if none does."""
    found = _SCALED.search(name.rsplit("/", 1)[-1])
    if found is None and columns:
        each = [_SCALED.search(column) for column in columns]
        found = each[0] if all(each) else None
    return found[1] if found else None


def are_expected_counts(numbers: NDArray[np.float64], name: str, columns: Sequence[str]) -> bool:
    """Whether a matrix with fractions holds expected counts.

    Args:
        numbers: Genes x samples; NaN where a cell is no number.
        name: The file's name.
        columns: The samples' headings.
    """
    if not numbers.size or not (np.isfinite(numbers) & (numbers >= 0)).all() or scaled_by_name(name, columns):
        return False
    totals = numbers.sum(axis=0)
    if (np.abs(totals - _MILLION) <= _NEAR * _MILLION).all():
        return False
    if _EXPECTED.search(name) or (columns and all(map(_EXPECTED.search, columns))):
        return True
    expressed = numbers > 0
    fraction = expressed & (numbers != np.floor(numbers))
    n_expressed, n_fraction = expressed.sum(axis=0), fraction.sum(axis=0)
    parts = np.mod(numbers[fraction], 1)
    return bool(
        numbers.max() >= _LARGEST_LOG
        and (n_fraction > 0).all()
        and n_fraction.sum() >= _LEAST * n_expressed.sum()
        and (n_fraction <= (1 - _WHOLE) * n_expressed).all()
        and (parts != 0.5).any()
    )
