"""Count matrices: a delivery in, one typed matrix with gene ids, sample names, row ids and lines out.

Belongs here: which reader takes a delivery, by its declared or detected format. Does not belong here: any one
format (``table``, ``transposed``, ``per_sample``, ``transcripts``, ``rsem``, ``merged``, ``mtx``, ``h5ad``), the sample
sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from fm_platform.errors import InputError
from fm_platform.sources.counts.h5ad import h5ad_matrix, is_h5ad
from fm_platform.sources.counts.layout import is_featurecounts_header, is_gene_header
from fm_platform.sources.counts.matrix import CountMatrix, CountOptions, Strand
from fm_platform.sources.counts.merged import is_merged, merged_files, merged_matrix
from fm_platform.sources.counts.mtx import is_mtx, mtx_files, mtx_matrix
from fm_platform.sources.counts.per_sample import per_sample_matrix
from fm_platform.sources.counts.rsem import rsem_matrix
from fm_platform.sources.counts.table import header_of, sheet_with_counts, table_matrix
from fm_platform.sources.counts.tools import told_by_header
from fm_platform.sources.counts.transcripts import transcript_matrix
from fm_platform.sources.counts.transposed import transposed_matrix
from fm_platform.sources.counts.units import inspect_depth, judge
from fm_platform.sources.margins import without_tails
from fm_platform.sources.records import Records, worksheets
from fm_platform.sources.sample_files import folder_format, sample_files
from fm_platform.study.expression import CountFormat

__all__ = ["FORMATS", "CountMatrix", "count_files", "read_counts"]

FORMATS = tuple(name for name in get_args(CountFormat) if name != "auto")
"""The formats by the names that study.yaml and ``fm de --format`` use; ``auto`` tells them apart."""

FOLDERS = ("star", "htseq", "kallisto", "salmon", "rsem")


def read_counts(
    path: Path,
    *,
    source: str = "counts",
    name: str,
    format: str = "auto",
    gene_id: str | None = None,
    tx2gene: Path | None = None,
    strand: Strand | None = None,
    lengths: Path | None = None,
    sample_id: tuple[str, ...] = (),
    layer: str | None = None,
    accept: tuple[str, ...] = (),
) -> CountMatrix:
    """Read a delivery of counts: a table (text, gzipped or not, or a workbook), a folder, or an h5ad file.

    In a table the first column holds gene ids whatever its header; R's ``write.table`` form, whose header
    is one field short, is understood. Of a workbook with several sheets, the one with ``Counts_`` columns
    is taken.

    Args:
        path: Where the file or folder is.
        source: Part of every row id.
        name: What to call it in messages and in the ledger.
        format: ``auto`` or one of :data:`FORMATS`. ``auto`` goes by first bytes, file names and headers,
            never by values.
        gene_id: The gene id column's header; default the first column (h5ad: the index of var).
        tx2gene: Table of transcripts and genes; kallisto and salmon need it.
        strand: STAR's column; default the one with most reads.
        lengths: Transcript lengths beside nf-core's gene_counts.
        sample_id: Where samples are rows: the columns that name a sample.
        layer: The layer of an h5ad file; default ``counts``, else X.
        accept: What the values may look like without being refused.

    Raises:
        InputError: The delivery has the wrong shape, a gene id is empty or repeated, a cell is no count, or
            the values are TPM, logarithms or the like. The message names file, line, column and mend.
    """
    options = CountOptions(gene_id, tx2gene, strand, lengths, tuple(sample_id), layer, accept)
    matrix = _matrix(path, source, name, format, options)
    depth = inspect_depth(matrix.counts, matrix.count_ids, matrix.gene_ids)
    return replace(matrix, notes=(*matrix.notes, *judge([depth] if depth else [], name, accept)))


def _matrix(path: Path, source: str, name: str, format: str, options: CountOptions) -> CountMatrix:
    """The matrix by the reader of its format."""
    chosen = resolved_format(path, format, name)
    if chosen in ("star", "htseq"):
        return per_sample_matrix(path, source=source, name=name, format=chosen, options=options)
    if chosen in ("kallisto", "salmon"):
        return transcript_matrix(path, source=source, name=name, format=chosen, options=options)
    if chosen == "rsem":
        return rsem_matrix(path, source=source, name=name, options=options)
    if chosen == "mtx":
        return mtx_matrix(path, source=source, name=name, options=options)
    if chosen == "nf-core":
        return merged_matrix(path, source=source, name=name, options=options)
    if chosen == "h5ad":
        return h5ad_matrix(path, source=source, name=name, options=options)
    records = _evened(sheet_with_counts(worksheets(path, name), name))
    header = header_of(records)
    _refuse_other_tables(header, records.lines[0], name)
    if chosen == "transposed" or (chosen == "auto" and is_gene_header(header)):
        return transposed_matrix(records, header, path, source=source, name=name, options=options)
    return table_matrix(records, path, source=source, name=name, format=chosen, options=options)


def _evened(records: Records) -> Records:
    """The records without empty fields beyond the header at the ends of some."""
    rows, n_long = without_tails(records.rows)
    if not n_long:
        return records
    said = (
        f"{n_long} {'row ends' if n_long == 1 else 'rows end'} with empty fields beyond the header, left out"
    )
    return replace(records, rows=rows, notes=(*records.notes, said))


def _refuse_other_tables(header: Sequence[str], line: int, name: str) -> None:
    """Refuse what a tool wrote beside its counts or of a single sample: its columns are no samples."""
    told = None if is_featurecounts_header(header) else told_by_header(header)
    if told is not None:
        raise InputError(f"this is {told[0]}", file=name, line=line, mend=told[1])


def count_files(
    path: Path, format: str = "auto", *, tx2gene: Path | None = None, lengths: Path | None = None
) -> list[Path]:
    """Every file that a delivery is read from.

    Of one that is missing, the path that was asked for; of a folder that is not understood, every file in it.

    Args:
        path: The file or folder.
        format: As in :func:`read_counts`.
        tx2gene: As there.
        lengths: As there.
    """
    try:
        chosen = resolved_format(path, format, path.name)
        if chosen in FOLDERS:
            found = [entry.path for entry in sample_files(path, chosen, path.name)]
        elif chosen == "mtx":
            found = list(vars(mtx_files(path, path.name)).values())
        else:
            found = merged_files(path, lengths) if chosen == "nf-core" else [path]
    except InputError:
        found = [path]  # reading it tells what is wrong
    if found == [path] and path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file()]
    return [*found, *([tx2gene] if tx2gene is not None else [])]


def resolved_format(path: Path, format: str, name: str) -> str:
    """The format, declared or told by first bytes and file names; ``auto``: the header decides.

    Args:
        path: Where the file or folder is.
        format: As in :func:`read_counts`.
        name: What to call it.

    Raises:
        InputError: There is no such format, or the folder's files are not known by name.
    """
    if format not in ("auto", *FORMATS):
        raise InputError(
            f"count format {format!r} is unknown", file=name, mend=f"use one of: auto, {', '.join(FORMATS)}"
        )
    if format != "auto":
        return format
    if is_merged(path):
        return "nf-core"
    if is_mtx(path):
        return "mtx"
    if path.is_dir():
        return folder_format(path, name)
    return "h5ad" if is_h5ad(path) else "auto"
