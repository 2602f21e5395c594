"""The type that every reader of counts returns, whatever the delivery looked like.

Belongs here: the matrix, where its rows stand in which files, and what its reader has to say about it. Does
not belong here: reading any format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.sources.files import SourceFile

NoteKind = Literal["unit", "rounded", "set_aside", "choice", "lengths", "damaged_id", "unmapped"]
Strand = Literal["unstranded", "forward", "reverse"]


@dataclass(frozen=True)
class InputNote:
    """What a reader chose, rounded, set aside or remarked, in plain words.

    Attributes:
        item: The row, column or file that it is about, if it is about one.
        line: Its line in the file.
    """

    kind: NoteKind
    text: str
    item: str | None = None
    line: int | None = None


@dataclass(frozen=True, eq=False)
class MatrixPart:
    """One delivered file of a matrix, and which of its lines made which row.

    Attributes:
        path: Where the file is.
        row_ids: Row ids of the matrix; one that several lines made stands once for each.
        lines: The 1-based physical line, aligned with ``row_ids``. In an h5ad file the gene's position; in
            a matrix with samples in rows, where a gene is a column, the header's line.
    """

    file: SourceFile
    path: Path
    row_ids: tuple[str, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class CountOptions:
    """What study.yaml or the command line says about a delivery of counts.

    Attributes:
        gene_id: The gene id column's header; default the first column.
        tx2gene: Table of transcript and gene ids, for kallisto and salmon.
        strand: Which column of STAR's ReadsPerGene.out.tab; default the one with most reads.
        lengths: Table of average transcript lengths beside nf-core's merged gene counts.
        sample_id: Where samples are rows: the columns whose values, joined by ``-``, name a sample.
        layer: The layer of an h5ad file; default ``counts`` if there is one, else X.
        accept: What the values may look like without being refused.
    """

    gene_id: str | None = None
    tx2gene: Path | None = None
    strand: Strand | None = None
    lengths: Path | None = None
    sample_id: tuple[str, ...] = ()
    layer: str | None = None
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CountMatrix:
    """One delivery of counts (a file, or a folder with a file a sample).

    Attributes:
        file: The file; of a folder, its name and a hash over the hashes of its files.
        format: One of ``fm_platform.sources.counts.FORMATS``.
        gene_ids: One a row, unique.
        count_ids: One a column of ``counts``: the sample's name in the matrix.
        counts: int64, shape (genes, samples).
        row_ids: One a gene: hash of the source name and all of the row's cells.
        lines: The (first) 1-based physical line of each row.
        columns: Every column of the file: position, column, kind (gene_id, count, annotation, ignored),
            count_id, reason. Of a folder, one count column a sample.
        annotation: ``gene_id`` and the annotation columns, as text.
        parts: The files and which of their lines made which row.
        lengths: Average transcript length by gene and sample (bases), shape (genes, samples); None where the
            format knows none.
        notes: What the reader chose, rounded, set aside or remarked.
    """

    source: str
    file: SourceFile
    format: str
    gene_ids: tuple[str, ...]
    count_ids: tuple[str, ...]
    counts: NDArray[np.int64]
    row_ids: tuple[str, ...]
    lines: tuple[int, ...]
    columns: pl.DataFrame
    annotation: pl.DataFrame
    parts: tuple[MatrixPart, ...] = ()
    lengths: NDArray[np.float64] | None = None
    notes: tuple[InputNote, ...] = ()


def folder_file(name: str, files: Sequence[SourceFile]) -> SourceFile:
    """A folder as one delivered thing: name, SHA-256 over its files, their total size."""
    digest = hashlib.sha256("".join(f"{file.name}\0{file.sha256}\n" for file in files).encode())
    return SourceFile(name, digest.hexdigest(), sum(file.size for file in files))


def sample_columns(count_ids: Sequence[str], files: Sequence[str]) -> pl.DataFrame:
    """``CountMatrix.columns`` of a folder: the gene id and a count column a sample, named by file."""
    return pl.DataFrame(
        [(0, "gene_id", "gene_id", None, None)]
        + [
            (position, file, "count", sample, None)
            for position, (sample, file) in enumerate(zip(count_ids, files, strict=True), start=1)
        ],
        schema=COLUMN_TYPES,
        orient="row",
    )


COLUMN_TYPES = {
    "position": pl.Int64(),
    "column": pl.String(),
    "kind": pl.String(),
    "count_id": pl.String(),
    "reason": pl.String(),
}
