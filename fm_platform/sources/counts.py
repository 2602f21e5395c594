"""Count matrices: a file in, one typed matrix with gene ids, sample names, row ids and lines out.

Belongs here: reading one file as counts. Does not belong here: what its columns mean (``counts_layout``),
what a count is (``counts_values``), several files (``expression``), the sample sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts_layout import MatrixColumn, as_frame, is_provider_header, layout_of
from fm_platform.sources.counts_values import parse_counts
from fm_platform.sources.delimited import check_header, check_lengths
from fm_platform.sources.files import SourceFile
from fm_platform.sources.records import Records, worksheets
from fm_platform.sources.rowid import row_ids


@dataclass(frozen=True, eq=False)
class CountMatrix:
    """One file of counts, genes in the file's order.

    Attributes:
        format: ``plain`` or ``provider``.
        gene_ids: One a row, unique.
        count_ids: One a column of ``counts``: the sample's name in the matrix.
        counts: int64, shape (genes, samples).
        row_ids: One a gene: hash of the source name and all of the row's cells.
        lines: The 1-based physical line of each row.
        columns: Every column of the file: position, column, kind (gene_id, count, annotation, ignored),
        count_id,
            reason.
        annotation: ``gene_id`` and the annotation columns, as text.
    """

    source: str
    file: SourceFile
    format: str
    gene_ids: tuple[str, ...]
    count_ids: tuple[str, ...]
    counts: np.ndarray
    row_ids: tuple[str, ...]
    lines: tuple[int, ...]
    columns: pl.DataFrame
    annotation: pl.DataFrame


def read_counts(
    path: Path, *, source: str = "counts", name: str, format: str = "auto", gene_id: str | None = None
) -> CountMatrix:
    """Read a count matrix with genes in rows, from delimited text (gzipped or not) or a workbook.

    The first column holds gene ids whatever its header; R's ``write.table`` form, whose header is one field
    short, is understood. In a provider's sheet the columns ``Counts_<sample>(<group>)`` are taken and TPM,
    fold changes and p-values listed as ignored. Of a workbook with several sheets, the one with such
    columns is taken.

    Args:
        path: Where the file is.
        source: Part of every row id.
        name: What to call the file in messages and in the ledger.
        format: ``auto``, ``plain`` or ``provider``.
        gene_id: The gene id column's header; default the first column.

    Raises:
        InputError: The file has the wrong shape, a gene id is empty or repeated, a cell is no count, or the
        values
            look like TPM. The message names file, line, column and mend.
    """
    records = _sheet_with_counts(worksheets(path, name), name)
    header, body, lines = _header(records), records.rows[1:], records.lines[1:]
    check_header(header, name, records.lines[0], matrix=True)
    check_lengths(records, len(header))
    if not body:
        raise InputError(
            "the matrix has a header but no genes",
            file=name,
            line=records.lines[0],
            mend="ask for the delivery again",
        )
    found, columns = layout_of(header, name, records.lines[0], format=format, gene_id=gene_id)
    by_column = list(zip(*body, strict=True))
    genes = by_column[next(entry.position for entry in columns if entry.kind == "gene_id")]
    _check_genes(genes, lines, name)
    counted = [entry for entry in columns if entry.kind == "count"]
    cells = [by_column[entry.position] for entry in counted]
    return CountMatrix(
        source=source,
        file=records.file,
        format=found,
        gene_ids=genes,
        count_ids=tuple(str(entry.count_id) for entry in counted),
        counts=parse_counts([entry.name for entry in counted], cells, lines, name),
        row_ids=tuple(row_ids(source, header, body)),
        lines=tuple(lines),
        columns=as_frame(columns),
        annotation=_annotation(columns, genes, by_column),
    )


def _sheet_with_counts(sheets: Sequence[Records], name: str) -> Records:
    if not sheets:
        raise InputError("every worksheet is empty", file=name, mend="ask for the delivery again")
    if len(sheets) == 1:
        return sheets[0]
    with_counts = [sheet for sheet in sheets if is_provider_header(sheet.rows[0])]
    if len(with_counts) == 1:
        return with_counts[0]
    titles = ", ".join(str(sheet.sheet) for sheet in sheets)
    raise InputError(
        f"several worksheets hold data, and which one has the counts is not clear: {titles}",
        file=name,
        mend="keep that worksheet only, or export it as CSV",
    )


def _header(records: Records) -> list[str]:
    """The header; where R left the row names' header out, an empty one is put in front."""
    header = records.rows[0]
    body = records.rows[1:]
    if body and len(body[0]) == len(header) + 1:
        return ["", *header]
    return header


def _check_genes(genes: Sequence[str], lines: Sequence[int], name: str) -> None:
    seen: dict[str, int] = {}
    for gene, line in zip(genes, lines, strict=True):
        if not gene.strip():
            raise InputError(
                "a row without gene id", file=name, line=line, mend="name the gene or remove the row"
            )
        earlier = seen.setdefault(gene, line)
        if earlier != line:
            raise InputError(
                f"gene {gene!r} is on line {earlier} and again on line {line}",
                file=name,
                line=line,
                mend="use unique ids (e.g. Ensembl gene ids), or add such rows up before delivery",
            )


def _annotation(
    columns: Sequence[MatrixColumn], genes: Sequence[str], by_column: Sequence[Sequence[str]]
) -> pl.DataFrame:
    data: dict[str, Sequence[str]] = {"gene_id": genes}
    for entry in columns:
        if entry.kind == "annotation":
            key = entry.name if entry.name.casefold() != "gene_id" else f"{entry.name}_annotation"
            data[key] = by_column[entry.position]
    return pl.DataFrame(data, schema=dict.fromkeys(data, pl.String))
