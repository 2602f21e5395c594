"""Several files of counts as one matrix: samples that two files share must agree.

Belongs here: joining matrices gene by gene. Does not belong here: reading them, or matching samples to a
sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts import CountMatrix
from fm_platform.sources.files import SourceFile


@dataclass(frozen=True, eq=False)
class MergedCounts:
    """One matrix out of one file or several.

    Attributes:
        files: The files, in the order given.
        gene_ids: Genes whose count is known for every sample, in order of first appearance.
        count_ids: All samples, in order of first appearance.
        counts: int64, shape (genes, samples).
        row_ids: For each gene, the rows it was taken from (every file that has the gene).
        dropped: Genes left out: gene_id, reason, row_ids (list).
    """

    files: tuple[SourceFile, ...]
    gene_ids: tuple[str, ...]
    count_ids: tuple[str, ...]
    counts: np.ndarray
    row_ids: tuple[tuple[str, ...], ...]
    dropped: pl.DataFrame


def merge_counts(matrices: Sequence[CountMatrix]) -> MergedCounts:
    """Join matrices by gene id and sample name.

    A gene is kept if every sample has its count in at least one file: genes of all files, and genes that a
    file lacks while others cover all of its samples. The rest is returned in ``dropped`` with the reason,
    never filled with zeros.

    Raises:
        InputError: A sample that two files share has different counts for a gene, or no gene is left.
    """
    if not matrices:
        raise ValueError("at least one matrix is needed")
    genes = tuple(dict.fromkeys(gene for matrix in matrices for gene in matrix.gene_ids))
    samples = tuple(dict.fromkeys(sample for matrix in matrices for sample in matrix.count_ids))
    row_of = {gene: row for row, gene in enumerate(genes)}
    column_of = {sample: column for column, sample in enumerate(samples)}
    counts = np.zeros((len(genes), len(samples)), dtype=np.int64)
    origin = np.full(counts.shape, -1, dtype=np.int32)
    contributors: list[list[str]] = [[] for _ in genes]
    for number, matrix in enumerate(matrices):
        rows = np.array([row_of[gene] for gene in matrix.gene_ids], dtype=np.int64)
        cells = np.ix_(rows, np.array([column_of[sample] for sample in matrix.count_ids], dtype=np.int64))
        earlier = origin[cells]
        conflict = (earlier >= 0) & (counts[cells] != matrix.counts)
        if conflict.any():
            raise _disagreement(matrices, matrix, conflict, earlier, counts[cells])
        counts[cells] = matrix.counts
        origin[cells] = np.where(earlier >= 0, earlier, number)
        for row, row_id in zip(rows.tolist(), matrix.row_ids, strict=True):
            contributors[row].append(row_id)

    known: np.ndarray = np.asarray((origin >= 0).all(axis=1))
    if not known.any():
        raise InputError(
            "no gene has a count for every sample of the files together",
            file=" and ".join(matrix.file.name for matrix in matrices),
            mend="check that the files use the same kind of gene ids and hold all genes, not an excerpt",
        )
    return MergedCounts(
        files=tuple(matrix.file for matrix in matrices),
        gene_ids=tuple(gene for gene, kept in zip(genes, known, strict=True) if kept),
        count_ids=samples,
        counts=counts[known],
        row_ids=tuple(tuple(ids) for ids, kept in zip(contributors, known, strict=True) if kept),
        dropped=_dropped(matrices, genes, known, contributors),
    )


def _disagreement(
    matrices: Sequence[CountMatrix],
    matrix: CountMatrix,
    conflict: np.ndarray,
    earlier: np.ndarray,
    known: np.ndarray,
) -> InputError:
    row, column = (int(index) for index in np.argwhere(conflict)[0])
    other = matrices[int(earlier[row, column])]
    gene, sample = matrix.gene_ids[row], matrix.count_ids[column]
    more = int(conflict.sum()) - 1
    return InputError(
        f"gene {gene}, sample {sample}: {int(matrix.counts[row, column])} here, {int(known[row, column])} in "
        f"{other.file.name} line {other.lines[other.gene_ids.index(gene)]}"
        + (f" (and {more} more cells differ)" if more else ""),
        file=matrix.file.name,
        line=matrix.lines[row],
        mend="two files may share a sample only if its counts agree: correct one, or rename the sample in it",
    )


def _dropped(
    matrices: Sequence[CountMatrix],
    genes: Sequence[str],
    known: np.ndarray,
    contributors: Sequence[Sequence[str]],
) -> pl.DataFrame:
    present = [frozenset(matrix.gene_ids) for matrix in matrices]
    rows = []
    for position in np.flatnonzero(~known).tolist():
        lacking = [
            m.file.name for m, there in zip(matrices, present, strict=True) if genes[position] not in there
        ]
        reason = f"not in {', '.join(lacking)}, so its count is unknown for some samples"
        rows.append((genes[position], reason, list(contributors[position])))
    return pl.DataFrame(
        rows, schema={"gene_id": pl.String, "reason": pl.String, "row_ids": pl.List(pl.String)}, orient="row"
    )
