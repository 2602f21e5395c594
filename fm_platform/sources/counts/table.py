"""One table with genes in rows: plain matrices, providers' sheets and featureCounts.

Belongs here: from a file's records to a matrix whose columns the header explains. Does not belong here:
what the columns mean (``layout``), what a count is (``values``), samples in rows, folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts.layout import MatrixColumn, as_frame, is_provider_header, layout_of
from fm_platform.sources.counts.matrix import CountMatrix, CountOptions, InputNote, MatrixPart
from fm_platform.sources.counts.units import summary_row
from fm_platform.sources.counts.values import NOTHING, parse_counts
from fm_platform.sources.delimited import check_header, check_lengths
from fm_platform.sources.gene_symbols import damage, damaged
from fm_platform.sources.margins import is_number, row_numbers
from fm_platform.sources.records import Records
from fm_platform.sources.rowid import row_ids


def table_matrix(
    records: Records, path: Path, *, source: str, name: str, format: str, options: CountOptions
) -> CountMatrix:
    """The matrix of one table with genes in rows.

    Summary rows (``__no_feature``, ``N_unmapped``, ``Total``) are set aside.

    Args:
        records: The table, its header first.
        path: Where the file is.
        source: Part of every row id.
        name: What to call the file.
        format: ``auto`` (told from the header), ``plain``, ``provider`` or ``featurecounts``.
        options: Of these, ``gene_id``.

    Raises:
        InputError: The file has the wrong shape, a gene id is empty or repeated, a cell is no count, or the
            values are no counts. The message names file, line, column and mend.
    """
    header, body, lines = header_of(records), records.rows[1:], records.lines[1:]
    check_header(header, name, records.lines[0], matrix=True)
    check_lengths(records, len(header))
    if not body:
        raise InputError(
            "the matrix has a header but no genes",
            file=name,
            line=records.lines[0],
            mend="put data below the header, or ask for the delivery again",
        )
    texts = _text_columns(body)
    numbered = options.gene_id is None and _is_numbered(header, body, texts)
    found, columns = layout_of(
        header,
        name,
        records.lines[0],
        format=format,
        gene_id=header[1] if numbered else options.gene_id,
        texts=texts,
        row_numbers=numbered,
    )
    gene_column = next(entry.position for entry in columns if entry.kind == "gene_id")
    ids = row_ids(source, header, body)
    aside = [summary_row(row[gene_column]) for row in body]
    kept = [index for index, reason in enumerate(aside) if reason is None]
    notes = [
        InputNote("set_aside", reason, item=body[index][gene_column], line=lines[index])
        for index, reason in enumerate(aside)
        if reason is not None
    ]
    if notes:
        body, lines = [body[index] for index in kept], [lines[index] for index in kept]
        ids = [ids[index] for index in kept]
    by_column = list(zip(*body, strict=True))
    genes = by_column[gene_column]
    check_genes(genes, lines, name)
    counted = [entry for entry in columns if entry.kind == "count"]
    cells = [by_column[entry.position] for entry in counted]
    counts, remarks = parse_counts([entry.name for entry in counted], cells, lines, name)
    annotation = _annotation(columns, genes, by_column)
    return CountMatrix(
        source=source,
        file=records.file,
        format=found,
        gene_ids=genes,
        count_ids=tuple(str(entry.count_id) for entry in counted),
        counts=counts,
        row_ids=tuple(ids),
        lines=tuple(lines),
        columns=as_frame(columns),
        annotation=annotation,
        parts=(MatrixPart(records.file, path, tuple(ids), tuple(lines)),),
        notes=(*margin_notes(records), *remarks, *notes, *damage_notes(genes, lines)),
    )


def margin_notes(records: Records) -> list[InputNote]:
    """What stood around the table, as notes."""
    return [InputNote("set_aside", note) for note in records.notes]


def sheet_with_counts(sheets: Sequence[Records], name: str) -> Records:
    """The table of a file; of a workbook with several sheets, the one with ``Counts_`` columns.

    Raises:
        InputError: No worksheet holds anything, or which one has the counts is not clear.
    """
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


def header_of(records: Records) -> list[str]:
    """The header; where R left the row names' header out, an empty one is put in front."""
    header = records.rows[0]
    body = records.rows[1:]
    if body and len(body[0]) == len(header) + 1:
        return ["", *header]
    return header


def check_genes(genes: Sequence[str], lines: Sequence[int], name: str) -> None:
    """Refuse empty and repeated gene ids.

    Raises:
        InputError: Naming both lines; where a spreadsheet made two symbols one date, it says so.
    """
    seen: dict[str, int] = {}
    for gene, line in zip(genes, lines, strict=True):
        if not gene.strip():
            raise InputError(
                "a row without gene id", file=name, line=line, mend="name the gene or remove the row"
            )
        earlier = seen.setdefault(gene, line)
        if earlier != line:
            was = damage(gene)
            mend = (
                f"a spreadsheet turned symbols into dates ({gene} was {was}): export with symbols as text"
                if was
                else "use unique ids (e.g. Ensembl gene ids; `gene_id:` or --gene-id names their column), or add such "
                "rows up before delivery; where samples are in rows, say so (`format: transposed`, --format transposed)"
            )
            raise InputError(
                f"gene {gene!r} is on line {earlier} and again on line {line}",
                file=name,
                line=line,
                mend=mend,
            )


def damage_notes(genes: Sequence[str], lines: Sequence[int]) -> list[InputNote]:
    """A note for every gene id that a spreadsheet turned into a date or number."""
    found = damaged(genes)
    if not found:
        return []
    return [
        InputNote(
            "damaged_id", f"a spreadsheet changed this gene's id; it was {found[gene]}", item=gene, line=line
        )
        for gene, line in zip(genes, lines, strict=True)
        if gene in found
    ]


def _text_columns(body: Sequence[Sequence[str]]) -> set[int]:
    """The columns in which cells hold letters, and none a number."""
    found: set[int] = set()
    if len(body) < 2:
        return found
    for place, first in enumerate(body[0]):
        if is_number(first):
            continue
        cells = [text for row in body if (text := row[place].strip()) and text.casefold() not in NOTHING]
        lettered = any(map(str.isalpha, "".join(cells)))
        if lettered and not any(map(is_number, cells)):
            found.add(place)
    return found


def _is_numbered(header: Sequence[str], body: Sequence[Sequence[str]], texts: set[int]) -> bool:
    """Whether a nameless first column only numbers the rows, and the second holds the gene ids."""
    nameless = (
        header[0].strip() in ("", "X", "Unnamed: 0") and len(header) > 2
    )  # R's and pandas' second writing
    return nameless and 1 in texts and row_numbers([row[0] for row in body])


def _annotation(
    columns: Sequence[MatrixColumn], genes: Sequence[str], by_column: Sequence[Sequence[str]]
) -> pl.DataFrame:
    data: dict[str, Sequence[str]] = {"gene_id": genes}
    for entry in columns:
        if entry.kind == "annotation":
            key = entry.name if entry.name.casefold() != "gene_id" else f"{entry.name}_annotation"
            data[key] = by_column[entry.position]
    return pl.DataFrame(data, schema=dict.fromkeys(data, pl.String))
