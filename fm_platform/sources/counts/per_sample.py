"""STAR's ReadsPerGene.out.tab and HTSeq's count files: one file a sample, one line a gene.

Belongs here: joining them to a matrix, STAR's strand, summary rows. Does not belong here: finding the files
(``sample_files``), transcripts (``transcripts``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Strand,
    folder_file,
    sample_columns,
)
from fm_platform.sources.counts.table import check_genes, damage_notes
from fm_platform.sources.counts.tools import told_by_header
from fm_platform.sources.counts.units import inspect_whole, judge, summary_row
from fm_platform.sources.counts.values import all_decimals, whole_numbers
from fm_platform.sources.margins import is_number
from fm_platform.sources.rowid import row_ids
from fm_platform.sources.sample_files import SampleFile, TabFile, read_tab, sample_files

STRANDS: tuple[Strand, ...] = ("unstranded", "forward", "reverse")
"""The columns of STAR's file after the gene id: all reads, read 1 on the gene's strand, read 2 on it."""


def per_sample_matrix(
    folder: Path, *, source: str, name: str, format: str, options: CountOptions
) -> CountMatrix:
    """The matrix of a folder of STAR or HTSeq files.

    Args:
        folder: Where it is.
        source: Part of every row id.
        name: What to call it.
        format: ``star`` or ``htseq``.
        options: Of these, ``strand``.

    Raises:
        InputError: A file has the wrong shape, the files list different genes, or samples disagree on the
            strand.
    """
    entries = sample_files(folder, format, name)
    tables, headed = _without_headers([read_tab(entry) for entry in entries], format)
    width = 4 if format == "star" else 2 + _attributes(tables[0])
    for entry, table in zip(entries, tables, strict=True):
        if len(table.columns) != width:
            told = told_by_header(table.first)
            problem = f"this is {told[0]}" if told else f"{len(table.columns)} columns; {_SHAPE[format]}"
            mend = told[1] if told else _OTHERWISE
            raise InputError(problem, file=entry.name, line=table.lines[0], mend=mend)
    genes, kept, notes = _genes(entries, tables, 1 if format == "star" else -1)
    column, choice = _strand(entries, tables, kept, options.strand) if format == "star" else (width - 1, [])
    cells = [table.columns[column].gather(own).to_list() for table, own in zip(tables, kept, strict=True)]
    lines_of = [[table.lines[index] for index in own] for table, own in zip(tables, kept, strict=True)]
    lines = lines_of[0]
    counts, remarks = _parse(entries, lines_of, cells)
    samples = tuple(entry.sample for entry in entries)
    content = ([gene, *values] for gene, values in zip(genes, zip(*cells, strict=True), strict=True))
    ids = tuple(row_ids(source, ["", *samples], content))
    parts = tuple(
        MatrixPart(table.file, entry.path, ids, tuple(own))
        for entry, table, own in zip(entries, tables, lines_of, strict=True)
    )
    return CountMatrix(
        source=source,
        file=folder_file(name, [table.file for table in tables]),
        format=format,
        gene_ids=genes,
        count_ids=samples,
        counts=counts,
        row_ids=ids,
        lines=tuple(lines),
        columns=sample_columns(samples, [entry.name for entry in entries]),
        annotation=pl.DataFrame(
            {"gene_id": pl.Series(genes, dtype=pl.String)}
            | {
                f"attribute_{at}": tables[0].columns[at].gather(kept[0])
                for at in range(1, width - 1)
                if format == "htseq"
            }
        ),
        parts=parts,
        notes=(*headed, *choice, *notes, *remarks, *damage_notes(genes, lines)),
    )


_SHAPE = {
    "star": "STAR's ReadsPerGene.out.tab has four: gene, unstranded, forward and reverse",
    "htseq": "HTSeq's files have two, separated by a tab (or comma, semicolon, blank): gene and count, and between "
    "them texts (--additional-attr)",
}
_OTHERWISE = "remove the file from the folder, or set `format:` (fm de --format); a table of all samples: name the file"
_HEADED = "the first line of each file is a header and was passed over"


def _without_headers(tables: list[TabFile], format: str) -> tuple[list[TabFile], list[InputNote]]:
    """HTSeq's files without a first line that names their columns, if all have one above numbers."""
    headed = format == "htseq" and all(
        len(table.lines) > 1
        and len(table.columns) > 1
        and not is_number(table.columns[-1][0])
        and [is_number(column[1]) for column in table.columns[1:]]
        == [False] * (len(table.columns) - 2) + [True]
        and told_by_header(table.first) is None
        for table in tables
    )
    if not headed:
        return tables, []
    cut = [TabFile(table.file, [column[1:] for column in table.columns], table.lines[1:]) for table in tables]
    return cut, [InputNote("set_aside", _HEADED)]


def _attributes(table: TabFile) -> int:
    """How many columns of texts (``--additional-attr``) stand between gene and count."""
    between = [column for column in table.columns[1:-1] if not any(map(is_number, column))]
    return len(between) if len(between) == len(table.columns) - 2 else 0


def _genes(
    entries: Sequence[SampleFile], tables: Sequence[TabFile], shown: int
) -> tuple[tuple[str, ...], list[list[int]], list[InputNote]]:
    """The genes of all files, the rows of each that hold them, and the summary rows set aside with column ``shown``."""
    named = [table.columns[0].to_list() for table in tables]
    other = [own for own in named if own != named[0]]
    reasons = {gene: reason for gene in set(named[0]).union(*other) if (reason := summary_row(gene))}
    usual = _apart(named[0], reasons)
    split = [usual if own == named[0] else _apart(own, reasons) for own in named]
    kept = [places for places, _ in split]
    first = [named[0][index] for index in kept[0]]
    if not first:
        raise InputError("no row is a gene", file=entries[0].name, mend="name the folder of count files")
    for entry, table, rows, places in zip(entries, tables, named, kept, strict=True):
        own = [rows[index] for index in places]
        if own != first:
            at = next(
                (i for i, (a, b) in enumerate(zip(own, first, strict=False)) if a != b),
                min(len(own), len(first)),
            )
            raise InputError(
                f"its genes differ from those of {entries[0].name} ({len(own)} genes against {len(first)})",
                file=entry.name,
                line=table.lines[places[min(at, len(own) - 1)]] if places else table.lines[0],
                mend="count all samples against the same annotation, or remove the file if it holds no counts",
            )
    notes = [
        InputNote(
            "set_aside",
            reasons[gene],
            item=f"{gene} ({entry.sample}: {table.columns[shown][aside[gene]]})",
            line=table.lines[aside[gene]],
        )
        for gene in dict.fromkeys(gene for _, aside in split for gene in aside)
        for entry, table, (_, aside) in zip(entries, tables, split, strict=True)
        if gene in aside
    ]
    genes = tuple(first)
    check_genes(genes, [tables[0].lines[index] for index in kept[0]], entries[0].name)
    return genes, kept, notes


def _apart(rows: Sequence[str], reasons: Mapping[str, str]) -> tuple[list[int], dict[str, int]]:
    """The places of the genes of a file, and those of its summary rows by name."""
    kept = [index for index, gene in enumerate(rows) if gene not in reasons]
    return kept, {gene: index for index, gene in enumerate(rows) if gene in reasons}


def _strand(
    entries: Sequence[SampleFile],
    tables: Sequence[TabFile],
    kept: Sequence[list[int]],
    declared: Strand | None,
) -> tuple[int, list[InputNote]]:
    """STAR's column, and why: the declared one, or the one with most reads in every sample."""
    if declared is not None:
        return 1 + STRANDS.index(declared), [InputNote("choice", f"STAR's {declared} column, as declared")]
    totals = []
    for table, own in zip(tables, kept, strict=True):
        texts = [table.columns[column].gather(own) for column in (1, 2, 3)]
        totals.append([int(column.cast(pl.Int64, strict=False).sum()) for column in texts])
    chosen = {int(np.argmax(values)) for values in totals}
    if len(chosen) > 1:
        shown = "; ".join(
            f"{entry.sample}: {', '.join(map(str, values))}"
            for entry, values in zip(entries, totals, strict=True)
        )
        raise InputError(
            f"samples disagree on which strand column has most reads (unstranded, forward, reverse): {shown}",
            file=entries[0].name,
            mend="declare `strand: unstranded`, `forward` or `reverse` as the library was made",
        )
    column = chosen.pop()
    whole = np.array(totals, dtype=np.int64).sum(axis=0)
    shown = ", ".join(f"{strand} {int(total)}" for strand, total in zip(STRANDS, whole, strict=True))
    text = f"STAR's {STRANDS[column]} column, which has most reads in every sample ({shown} in all)"
    return 1 + column, [InputNote("choice", text)]


def _parse(
    entries: Sequence[SampleFile], lines_of: Sequence[Sequence[int]], cells: Sequence[Sequence[str]]
) -> tuple[NDArray[np.int64], list[InputNote]]:
    """The counts of all files; a bad cell is named by its own file and line."""
    parsed = [
        whole_numbers([entry.sample], [texts], lines, entry.name)[:, 0]
        for entry, lines, texts in zip(entries, lines_of, cells, strict=True)
    ]
    counts = np.column_stack(parsed)
    return counts, judge(inspect_whole(counts, decimals=all_decimals(cells)), entries[0].name)
