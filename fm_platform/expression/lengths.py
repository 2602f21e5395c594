"""Average transcript lengths between files, tables and the engine, beside the counts.

Belongs here: the list column ``lengths`` of ``raw.counts`` and ``expression.counts``, and the array the engine wants.
Does not belong here: computing lengths (``sources``), offsets (the engine).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError

LENGTHS_TYPE = pl.List(pl.Float64())


def as_length_lists(lengths: NDArray[np.float64] | None, height: int) -> pl.Series:
    """One list per gene, or nulls where a delivery has no lengths. NaN becomes null within a list."""
    if lengths is None or np.isnan(lengths).all():
        return pl.Series("lengths", [None] * height, dtype=LENGTHS_TYPE)
    flat = pl.Series("lengths", np.ascontiguousarray(lengths).ravel()).fill_nan(None)
    lists: pl.Series = flat.reshape(lengths.shape).arr.to_list()
    return lists


def merge_lengths(merged: NDArray[np.float64], cells: tuple[NDArray[np.intp], ...], part: pl.Series) -> None:
    """Put one file's lengths where its counts are.

    Args:
        merged: Genes x samples, NaN where there is none; changed in place.
        cells: The file's rows and columns in it (``np.ix_``).
        part: The file's ``lengths``.
    """
    if part.null_count() < len(part):
        merged[cells] = np.array(part.to_list(), dtype=np.float64)


def lengths_array(counts: pl.DataFrame) -> NDArray[np.float64] | None:
    """``expression.counts.lengths`` as the engine wants it, genes sorted as in ``counts_array``.

    Returns:
        Float64, shape (genes, samples), NaN where there is no count; None when no sample has lengths.

    Raises:
        InputError: Some samples have lengths and others none.
    """
    in_order = counts.sort("gene_id")
    if in_order["lengths"].null_count() == in_order.height:
        return None
    width = int(in_order["counts"].list.len().max() or 0)  # type: ignore[arg-type]
    rows = [row if row is not None else [None] * width for row in in_order["lengths"].to_list()]
    lengths: NDArray[np.float64] = np.array(rows, dtype=np.float64)
    counted = np.array([[value is not None for value in row] for row in in_order["counts"].to_list()])
    lacking = counted & np.isnan(lengths)
    if lacking.any():
        samples = sorted({int(column) + 1 for column in np.argwhere(lacking)[:, 1]})
        raise InputError(
            f"samples at position {', '.join(map(str, samples[:10]))} have no transcript lengths, but others have",
            mend="deliver all samples from one quantifier (all kallisto, or all salmon)",
        )
    return lengths
