"""Counts between files, tables and the engine: one list per gene in a fixed sample order.

Belongs here: ``raw.counts``, ``raw.count_columns`` and ``expression.counts`` as frames, and the array the
engine wants. Does not belong here: reading files (``sources``) and sample sheets (``samples``). Why lists:
``docs/adr/0003-count-storage.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.expression.lengths import as_length_lists, merge_lengths
from fm_platform.sources.counts.reading import CountMatrix

NOT_COUNTED = -1
"""In a genes x samples array: no file has a count of that gene for that sample (null in tables)."""

SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_name", "genename", "external_gene_name", "hgnc_symbol")
"""Names under which count files carry gene symbols."""

COUNTS_LONG_SQL = """\
select c.gene_id, s.sample_id, c.counts[s.position] as count
from expression.counts as c
cross join expression.samples as s
where s.position is not null"""
"""``expression.counts_long``: one row per gene and sample, for people who write SQL."""


def raw_counts(matrices: Sequence[CountMatrix]) -> pl.DataFrame:
    """``raw.counts``: one row per line of a file.

    Returns:
        ``_row_id``, sheet (the file), gene_id, symbol (the file's own, if it has any), counts and lengths (the file's
        count columns, in file order).
    """
    return pl.concat(
        pl.DataFrame(
            {
                "_row_id": pl.Series(matrix.row_ids, dtype=pl.String),
                "sheet": pl.repeat(matrix.file.name, len(matrix.gene_ids), dtype=pl.String, eager=True),
                "gene_id": pl.Series(matrix.gene_ids, dtype=pl.String),
                "symbol": _symbols(matrix),
                "counts": _as_lists(matrix.counts),
                "lengths": as_length_lists(matrix.lengths, len(matrix.gene_ids)),
            }
        )
        for matrix in matrices
    )


def raw_count_columns(matrices: Sequence[CountMatrix]) -> pl.DataFrame:
    """``raw.count_columns``: what every column of every count file is.

    Returns:
        sheet, position (0-based in the file), column, kind, count_id, reason.
    """
    return pl.concat(
        matrix.columns.select(
            pl.lit(matrix.file.name).alias("sheet"),
            pl.col("position").cast(pl.Int32),
            "column",
            "kind",
            "count_id",
            "reason",
        )
        for matrix in matrices
    )


def count_ids(count_columns: pl.DataFrame) -> tuple[str, ...]:
    """All samples that have counts, by file name and position in the file, each once.

    Args:
        count_columns: ``raw.count_columns``, in any order.
    """
    counted = count_columns.filter(pl.col("kind") == "count").sort("sheet", "position")
    return tuple(dict.fromkeys(counted["count_id"]))


def expression_counts(raw: pl.DataFrame, count_columns: pl.DataFrame) -> pl.DataFrame:
    """``expression.counts``: one row per gene over all files.

    A sample that several files hold must have the same counts in each. Where no file has a count of a gene
    for a sample, the entry is null.

    Args:
        raw: ``raw.counts``, in any order.
        count_columns: ``raw.count_columns``, in any order.

    Returns:
        gene_id, counts (in the order of :func:`count_ids`: the entry at 1-based
        ``expression.samples.position`` is that sample's), lengths (average transcript lengths in that order; null
        without); sorted by gene_id.

    Raises:
        InputError: A sample's counts differ between files.
    """
    samples = count_ids(count_columns)
    genes = raw["gene_id"].unique().sort()
    merged = np.full((len(genes), len(samples)), NOT_COUNTED, dtype=np.int64)
    lengths = np.full(merged.shape, np.nan)
    for sheet in sorted(raw["sheet"].unique()):
        part = raw.filter(pl.col("sheet") == sheet)
        here = count_ids(count_columns.filter(pl.col("sheet") == sheet))
        at_columns = np.array([samples.index(name) for name in here])
        cells = np.ix_(genes.search_sorted(part["gene_id"]).to_numpy(), at_columns)
        values = _as_array(part["counts"])
        earlier = merged[cells]
        clash = np.argwhere((earlier != NOT_COUNTED) & (earlier != values))
        if len(clash):
            row, column = (int(index) for index in clash[0])
            raise InputError(
                f"gene {part['gene_id'][row]}, sample {here[column]}: {int(values[row, column])} "
                f"here, {int(earlier[row, column])} in another file ({len(clash)} cells differ)",
                file=sheet,
                mend="files may share a sample only if its counts agree: correct one, or rename the sample",
            )
        merged[cells] = values
        merge_lengths(lengths, cells, part["lengths"])
    return pl.DataFrame(
        {
            "gene_id": genes,
            "counts": _as_lists(merged),
            "lengths": as_length_lists(lengths, len(genes)),
        }
    )


def counts_array(counts: pl.DataFrame) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """``expression.counts`` as the engine wants it, sorted by gene so that no result depends on row order.

    Returns:
        Gene ids, and int64 counts of shape (genes, samples) with :data:`NOT_COUNTED` for null.
    """
    in_order = counts.sort("gene_id")
    return tuple(in_order["gene_id"]), _as_array(in_order["counts"])


def _symbols(matrix: CountMatrix) -> pl.Series:
    """The matrix's own column of gene symbols, if it has one; empty texts are null."""
    for column in matrix.annotation.columns:
        if column.casefold() in SYMBOL_COLUMNS:
            symbols = matrix.annotation[column]
            return symbols.set(symbols == "", None)
    return pl.Series([None] * len(matrix.gene_ids), dtype=pl.String)


def _as_lists(values: NDArray[np.int64]) -> pl.Series:
    """One list per row."""
    flat = pl.Series(np.ascontiguousarray(values, dtype=np.int64).ravel())
    if (values == NOT_COUNTED).any():
        flat = flat.set(flat == NOT_COUNTED, None)
    lists: pl.Series = flat.reshape(values.shape).arr.to_list()
    return lists


def _as_array(lists: pl.Series) -> NDArray[np.int64]:
    """Rows of equal length as an array."""
    flat = lists.explode().fill_null(NOT_COUNTED).to_numpy()
    array: NDArray[np.int64] = flat.reshape(len(lists), -1).astype(np.int64, copy=False)
    return array
