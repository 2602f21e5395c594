"""Gene annotation as delivered: a GTF (its gene lines) or a table.

Belongs here: one row a gene, as text, with row ids and lines. Does not belong here: joining it with counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.decoding import decode
from fm_platform.sources.delimited import read_text_table
from fm_platform.sources.files import SourceFile, read_content
from fm_platform.sources.rowid import row_ids

GENE_COLUMNS = ("gene_id", "symbol", "biotype", "description", "chromosome", "start", "end", "strand")
"""What is kept of an annotation; empty where it says nothing."""

_NAMES: dict[str, tuple[str, ...]] = {
    "gene_id": ("gene_id", "geneid", "ensgene", "ensembl_id", "ensembl_gene_id", "ensembl", "gene"),
    "symbol": ("symbol", "gene_symbol", "gene_name", "external_gene_name", "hgnc_symbol", "genename"),
    "biotype": ("biotype", "gene_biotype", "gene_type"),
    "description": ("description", "gene_description"),
    "chromosome": ("chromosome", "chr", "chrom", "seqname", "chromosome_name"),
    "start": ("start", "start_position"),
    "end": ("end", "end_position"),
    "strand": ("strand",),
}
_GTF = re.compile(r"\.(gtf|gff2?)(\.gz)?$", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'(\w+) "([^"]*)"')


@dataclass(frozen=True, eq=False)
class GeneTable:
    """Annotation, one row a gene.

    Attributes:
        frame: ``_row_id`` and :data:`GENE_COLUMNS`, all text.
        lines: The line of each row.
    """

    file: SourceFile
    frame: pl.DataFrame
    lines: tuple[int, ...]


def read_genes(path: Path, *, name: str, id: str | None = None, symbol: str | None = None) -> GeneTable:
    """Read gene annotation.

    Args:
        path: A GTF (told by its name, gzipped or not) or a table.
        name: What to call it.
        id: The table's column of gene ids; default by its usual names.
        symbol: The table's column of symbols; default by its usual names.

    Raises:
        InputError: There is no such column, no gene, or a gene is there twice.
    """
    if _GTF.search(path.name):
        file, rows, lines = _gtf(path, name)
    else:
        file, rows, lines = _table(path, name, {"gene_id": id, "symbol": symbol})
    if not rows:
        raise InputError(
            "no gene in it", file=name, mend="a GTF needs lines of feature `gene` or `transcript`"
        )
    seen: dict[str, int] = {}
    for row, line in zip(rows, lines, strict=True):
        if seen.setdefault(row[0], line) != line:
            raise InputError(
                f"gene {row[0]!r} is on line {seen[row[0]]} and again here",
                file=name,
                line=line,
                mend="keep one of them",
            )
    frame = pl.DataFrame(rows, schema=dict.fromkeys(GENE_COLUMNS, pl.String), orient="row")
    ids = pl.Series("_row_id", row_ids("genes", GENE_COLUMNS, rows), dtype=pl.String)
    return GeneTable(file, frame.insert_column(0, ids), tuple(lines))


def _gtf(path: Path, name: str) -> tuple[SourceFile, list[list[str]], list[int]]:
    """The gene lines; of a GTF without them, the first transcript line of each gene (its place is then unknown)."""
    content = read_content(path, name)
    genes: list[list[str]] = []
    lines: list[int] = []
    transcripts: dict[str, tuple[list[str], int]] = {}
    for number, line in enumerate(decode(content.data, name)[0].split("\n"), start=1):
        cells = line.rstrip("\r").split("\t")
        if line.startswith("#") or len(cells) != 9 or cells[2] not in ("gene", "transcript"):
            continue
        said = dict(_ATTRIBUTE.findall(cells[8]))
        gene_id = said.get("gene_id", "")
        if not gene_id:
            raise InputError(
                "no gene_id", file=name, line=number, mend="use the GTF as Ensembl or GENCODE gives it"
            )
        about = [
            gene_id,
            said.get("gene_name", ""),
            said.get("gene_biotype") or said.get("gene_type", ""),
            said.get("description", ""),
            cells[0],
        ]
        if cells[2] == "gene":
            genes.append([*about, cells[3], cells[4], cells[6]])
            lines.append(number)
        else:
            transcripts.setdefault(gene_id, ([*about, "", "", cells[6]], number))
    if not genes:
        genes = [row for row, _ in transcripts.values()]
        lines = [number for _, number in transcripts.values()]
    return content.file, genes, lines


def _table(
    path: Path, name: str, declared: dict[str, str | None]
) -> tuple[SourceFile, list[list[str]], list[int]]:
    table = read_text_table("genes", path, name=name)
    by_name = {column.strip().casefold(): column for column in table.columns}
    columns: list[Sequence[str]] = []
    for wanted, usual in _NAMES.items():
        column = declared.get(wanted) or next((by_name[word] for word in usual if word in by_name), None)
        if (column is not None and column not in table.columns) or (column is None and wanted == "gene_id"):
            raise InputError(
                f"no column {column!r}" if column else "no column of gene ids",
                file=name,
                line=table.header_line,
                mend=f"name it under `genes:` (`id:`, `symbol:`); the header has {', '.join(table.columns)}",
            )
        columns.append(table.frame[column].to_list() if column else [""] * table.frame.height)
    rows = [list(row) for row in zip(*columns, strict=True)]
    return table.file, rows, list(table.lines)
