"""A MatrixMarket file with its lists of genes and samples, as 10x Genomics' and other tools write them.

Belongs here: ``matrix.mtx``, ``features.tsv`` (or ``genes.tsv``) and ``barcodes.tsv``, gzipped or not, side by side.
Does not belong here: single cells as such, h5ad files (``h5ad``).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import (
    CountMatrix,
    CountOptions,
    InputNote,
    MatrixPart,
    folder_file,
    sample_columns,
)
from fm_platform.sources.counts.table import check_genes, damage_notes
from fm_platform.sources.counts.units import inspect_whole, judge, summary_row
from fm_platform.sources.counts.values import rounded_counts
from fm_platform.sources.decoding import decode
from fm_platform.sources.files import SourceFile, read_content
from fm_platform.sources.rowid import row_ids
from fm_platform.sources.sample_files import visible_files

EXPRESSION = "Gene Expression"
"""What 10x's features.tsv calls the features that are genes."""

_MATRIX = re.compile(r"\.mtx(\.gz)?$", re.IGNORECASE)
_GENES = re.compile(r"(features|genes)\.(tsv|txt)(\.gz)?$", re.IGNORECASE)
_SAMPLES = re.compile(r"(barcodes|cells|samples)\.(tsv|txt)(\.gz)?$", re.IGNORECASE)
_HEADING = re.compile(
    r"(gene|feature|barcode|sample|cell|id|symbol|name)s?([ _.]?(id|name|symbol)s?)?", re.IGNORECASE
)
_MOST_CELLS = 300_000_000
_POOL = "add the cells of each sample up (pseudobulk) and deliver genes x samples"


@dataclass(frozen=True)
class MtxFiles:
    """The three files of a matrix."""

    matrix: Path
    genes: Path
    samples: Path


@dataclass(frozen=True, eq=False)
class _List:
    """A list beside the matrix: its rows cut at tabs, and their lines."""

    file: SourceFile
    rows: list[list[str]]
    lines: list[int]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many genes or samples it may list: its first row may be a header."""
        headed = bool(self.rows) and _HEADING.fullmatch(self.rows[0][0].strip()) is not None
        return (len(self.rows), len(self.rows) - 1) if headed else (len(self.rows),)


def is_mtx(path: Path) -> bool:
    """Whether a file, or one in or below a folder, is a MatrixMarket file by its name."""
    return bool(_found(path, _MATRIX))


def mtx_files(path: Path, name: str) -> MtxFiles:
    """The matrix and the two lists beside it.

    Args:
        path: The folder, or the matrix in it.
        name: What to call it.

    Raises:
        InputError: There is not one of each.
    """
    matrices = _found(path, _MATRIX)
    if len(matrices) != 1:
        shown = ", ".join(str(entry.relative_to(path)) for entry in matrices[:5]) or "none"
        raise InputError(
            f"{len(matrices)} MatrixMarket files: {shown}",
            file=name,
            mend="name one of them, or deliver one matrix with all samples as columns"
            if matrices
            else "name the folder that holds matrix.mtx, or drop `format: mtx` (fm de --format mtx)",
        )
    matrix = matrices[0]
    lists = []
    for pattern, what in ((_GENES, "features.tsv or genes.tsv"), (_SAMPLES, "barcodes.tsv or samples.tsv")):
        beside = [entry for entry in sorted(matrix.parent.iterdir()) if pattern.search(entry.name)]
        stem = _MATRIX.sub("", matrix.name).removesuffix("matrix")
        own = [entry for entry in beside if entry.name.startswith(stem)] or beside
        if len(own) != 1:
            raise InputError(
                f"{len(own) or 'no'} {what} beside {matrix.name}",
                file=name,
                mend="deliver the matrix with its list of genes and its list of samples beside it, named so "
                "(tab-separated, gzipped or not)",
            )
        lists.append(own[0])
    return MtxFiles(matrix, *lists)


def mtx_matrix(path: Path, *, source: str, name: str, options: CountOptions) -> CountMatrix:
    """The matrix of a MatrixMarket file. A gene's line is its line in the list of genes.

    Args:
        path: The folder, or the matrix in it.
        source: Part of every row id.
        name: What to call it.
        options: None of them applies.

    Raises:
        InputError: A file is missing or damaged, the lists do not fit the matrix, or its values are no counts.
    """
    files = mtx_files(path, name)
    folder = name if path.is_dir() else str(Path(name).parent)
    listed = _read_list(files.genes, f"{folder}/{files.genes.name}")
    cells = _read_list(files.samples, f"{folder}/{files.samples.name}")
    shown = f"{folder}/{files.matrix.relative_to(path).as_posix()}" if path.is_dir() else name
    matrix_file, numbers, turned = _read_matrix(files.matrix, shown, listed, cells)
    notes = [InputNote("choice", "the matrix has samples in rows; it was turned")] if turned else []
    aside = [_aside(row) for row in listed.rows]
    notes += [
        InputNote("set_aside", reason, item=row[0], line=line)
        for row, line, reason in zip(listed.rows, listed.lines, aside, strict=True)
        if reason is not None
    ]
    kept = [at for at, reason in enumerate(aside) if reason is None]
    genes = tuple(listed.rows[at][0] for at in kept)
    lines = tuple(listed.lines[at] for at in kept)
    check_genes(genes, lines, listed.file.name)
    samples = tuple(row[0] for row in cells.rows)
    if len(set(samples)) < len(samples):
        repeated = next(sample for at, sample in enumerate(samples) if sample in samples[:at])
        raise InputError(
            f"sample {repeated!r} is there twice", file=cells.file.name, mend="give every column its own name"
        )
    counts, remarks = rounded_counts(numbers[kept], shown)
    content = ([gene, *map(str, row)] for gene, row in zip(genes, counts.tolist(), strict=True))
    ids = tuple(row_ids(source, ["", *samples], content))
    annotation = {"gene_id": genes}
    if all(len(listed.rows[at]) > 1 for at in kept):
        annotation["gene_name"] = tuple(listed.rows[at][1] for at in kept)
    return CountMatrix(
        source=source,
        file=folder_file(name, [matrix_file, listed.file, cells.file]),
        format="mtx",
        gene_ids=genes,
        count_ids=samples,
        counts=counts,
        row_ids=ids,
        lines=lines,
        columns=sample_columns(samples, samples),
        annotation=pl.DataFrame(annotation, schema=dict.fromkeys(annotation, pl.String)),
        parts=(MatrixPart(listed.file, files.genes, ids, lines),),
        notes=(
            *notes,
            *remarks,
            *judge(inspect_whole(counts, decimals=False), shown),
            *damage_notes(genes, lines),
        ),
    )


def _found(path: Path, pattern: re.Pattern[str]) -> list[Path]:
    if not path.is_dir():
        return [path] if pattern.search(path.name) else []
    return [entry for entry in visible_files(path) if pattern.search(entry.name)]


def _aside(row: Sequence[str]) -> str | None:
    """Why a feature is no gene, if it is none."""
    if len(row) > 2 and row[2].strip() not in ("", EXPRESSION):
        return f"a feature of kind {row[2].strip()}, not {EXPRESSION}"
    return summary_row(row[0])


def _read_list(path: Path, name: str) -> _List:
    content = read_content(path, name)
    text, _ = decode(content.data, name)
    filled = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    rows = [[cell.strip().strip('"') for cell in line.split("\t")] for _, line in filled]
    return _List(content.file, rows, [number for number, _ in filled])


def _read_matrix(
    path: Path, name: str, genes: _List, samples: _List
) -> tuple[SourceFile, NDArray[np.float64], bool]:
    """Genes x samples as float64, and whether it was turned to be that; a list's header is taken off."""
    from scipy.io import mmread

    content = read_content(path, name)
    try:
        found = mmread(io.BytesIO(content.data))
        shape = found.shape
    except (ValueError, TypeError, OverflowError, EOFError) as error:
        raise InputError(
            f"it cannot be read as MatrixMarket ({error})", file=name, mend="copy it again, or write it again"
        ) from None
    if shape[0] * shape[1] > _MOST_CELLS:
        raise InputError(
            f"{shape[0]} x {shape[1]} values: these are single cells, not samples", file=name, mend=_POOL
        )
    turned = not _fits(shape, genes, samples) and _fits(shape[::-1], genes, samples)
    if not turned and not _fits(shape, genes, samples):
        raise InputError(
            f"the matrix is {shape[0]} x {shape[1]}, but {genes.file.name} lists {len(genes.rows)} genes and "
            f"{samples.file.name} {len(samples.rows)} samples",
            file=name,
            mend="deliver the three files of one run",
        )
    dense = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    dense = dense.T if turned else dense
    for listed, size in ((genes, dense.shape[0]), (samples, dense.shape[1])):
        if len(listed.rows) == size + 1:
            del listed.rows[0], listed.lines[0]
    return content.file, dense.astype(np.float64), turned


def _fits(shape: tuple[int, ...], genes: _List, samples: _List) -> bool:
    """Whether a shape is that of the lists."""
    return all(size in listed.sizes for size, listed in zip(shape, (genes, samples), strict=True))
