"""Matrices with samples in rows and genes in columns.

Belongs here: telling sample columns from gene columns, naming samples, turning the table. Does not belong
here: what a count is (``values``), matrices with genes in rows (``table``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts.layout import is_gene_header, is_stable_gene_id
from fm_platform.sources.counts.matrix import (
    COLUMN_TYPES,
    CountMatrix,
    CountOptions,
    InputNote,
    MatrixPart,
    sample_columns,
)
from fm_platform.sources.counts.table import check_genes, damage_notes, margin_notes
from fm_platform.sources.counts.units import summary_row
from fm_platform.sources.counts.values import parse_counts
from fm_platform.sources.delimited import check_header, check_lengths
from fm_platform.sources.margins import is_number, row_numbers
from fm_platform.sources.records import Records
from fm_platform.sources.rowid import row_ids

JOINED_BY = "-"

_OF_SAMPLES = frozenset(
    {
        *(
            "sample",
            "sample_id",
            "sampleid",
            "id",
            "name",
            "subject",
            "subject_id",
            "patient",
            "patient_id",
            "donor",
        ),
        *(
            "age",
            "sex",
            "gender",
            "bmi",
            "weight",
            "height",
            "race",
            "ethnicity",
            "group",
            "condition",
            "treatment",
        ),
        *(
            "status",
            "diagnosis",
            "disease",
            "case",
            "control",
            "genotype",
            "tissue",
            "cell_type",
            "visit",
            "time",
        ),
        *(
            "timepoint",
            "day",
            "week",
            "month",
            "year",
            "hour",
            "hours",
            "dose",
            "batch",
            "run",
            "lane",
            "plate",
            "pool",
        ),
        *(
            "site",
            "center",
            "centre",
            "replicate",
            "rep",
            "rin",
            "library_size",
            "size_factor",
            "sizefactor",
            "depth",
        ),
    }
)
"""Headings that describe samples, in lower case: none of them is a gene's symbol."""


def transposed_matrix(
    records: Records, header: Sequence[str], path: Path, *, source: str, name: str, options: CountOptions
) -> CountMatrix:
    """The matrix of a table with samples in rows, turned so that genes are rows.

    A gene is a column, so its row id covers the column and its line is the header's. The columns that
    describe samples are those before the first gene: where most headers are stable gene ids, all that are
    none; otherwise the first, the columns of texts, and those with a heading that no gene has (``age``, ``batch``).

    Args:
        records: The table, its header first.
        header: Its header (with R's missing first name put in).
        path: Where the file is.
        source: Part of every row id.
        name: What to call the file.
        options: Of these, ``sample_id``.

    Raises:
        InputError: The samples have no unique names, or a cell is no count.
    """
    body, lines, header_line = records.rows[1:], records.lines[1:], records.lines[0]
    check_header(header, name, header_line, matrix=True)
    check_lengths(records, len(header))
    by_column = list(zip(*body, strict=True))
    if not by_column:
        raise InputError(
            "the matrix has a header but no samples",
            file=name,
            line=header_line,
            mend="put data below the header, or ask for the delivery again",
        )
    described = _describing(header, by_column)
    samples, chosen = _samples(header, by_column, described, options, name, header_line)
    aside = {position: reason for position, column in enumerate(header) if (reason := summary_row(column))}
    positions = [
        position for position in range(len(header)) if position not in described and position not in aside
    ]
    genes = tuple(header[position] for position in positions)
    at_header = (header_line,) * len(genes)
    check_genes(genes, at_header, name)
    cells = [by_column[position] for position in positions]
    counts, remarks = parse_counts(genes, cells, lines, name, samples_in_rows=True)
    content = ([gene, *column] for gene, column in zip(genes, cells, strict=True))
    ids = tuple(row_ids(source, ["", *samples], content))
    notes = [
        InputNote("choice", f"samples are in rows and named by {chosen}"),
        *(
            InputNote("set_aside", reason, item=header[position], line=header_line)
            for position, reason in aside.items()
        ),
    ]
    return CountMatrix(
        source=source,
        file=records.file,
        format="transposed",
        gene_ids=genes,
        count_ids=samples,
        counts=np.ascontiguousarray(counts.T),
        row_ids=ids,
        lines=at_header,
        columns=_columns(samples, [header[position] for position in sorted(described)]),
        annotation=pl.DataFrame({"gene_id": pl.Series(genes, dtype=pl.String)}),
        parts=(MatrixPart(records.file, path, ids, at_header),),
        notes=(*margin_notes(records), *notes, *remarks, *damage_notes(genes, at_header)),
    )


def _describing(header: Sequence[str], by_column: Sequence[Sequence[str]]) -> set[int]:
    """The positions of the columns that describe samples."""
    if is_gene_header(header):
        return {
            p for p, column in enumerate(header) if not is_stable_gene_id(column) and not summary_row(column)
        }
    return {
        position
        for position, column in enumerate(header)
        if position == 0 or column.strip().casefold() in _OF_SAMPLES or _is_text(by_column[position])
    }


def _is_text(cells: Sequence[str]) -> bool:
    """Whether a column holds texts and not one number."""
    return not any(map(is_number, cells)) and any(map(str.isalpha, "".join(cells)))


def _samples(
    header: Sequence[str],
    by_column: Sequence[Sequence[str]],
    described: set[int],
    options: CountOptions,
    name: str,
    line: int,
) -> tuple[tuple[str, ...], str]:
    """The samples' names, and in words what they are made of."""
    available = [header[position] for position in sorted(described)]
    missing = [column for column in options.sample_id if column not in header]
    if missing:
        raise InputError(
            f"there is no column {missing[0]!r} to name samples by",
            file=name,
            line=line,
            mend=f"correct `sample_id:`; columns that describe samples: {', '.join(available)}",
        )
    if row_numbers(by_column[0]) and not header[0].strip() and len(available) > 1:
        available = available[1:]  # a table's running row numbers name nothing
    trials = [list(options.sample_id)] if options.sample_id else [available[:1], available]
    for columns in trials:
        cells = [by_column[list(header).index(column)] for column in columns]
        samples = tuple(JOINED_BY.join(parts) for parts in zip(*cells, strict=True))
        if len(set(samples)) == len(samples) and all(sample.strip() for sample in samples):
            return samples, " and ".join(repr(column) if column else "the first column" for column in columns)
    repeated = next(sample for sample in samples if samples.count(sample) > 1 or not sample.strip())
    raise InputError(
        f"{' and '.join(trials[-1])} do not name samples uniquely: {repeated!r} is there more than once",
        file=name,
        line=line,
        mend="name with `sample_id:` the columns that tell samples apart",
    )


def _columns(samples: Sequence[str], described: Sequence[str]) -> pl.DataFrame:
    """``raw.count_columns`` of the turned matrix: one count column a sample; genes are rows."""
    reason = "describes samples; the sample sheet says what they are"
    first = len(samples) + 1
    rest = pl.DataFrame(
        [(first + index, column, "ignored", None, reason) for index, column in enumerate(described)],
        schema=COLUMN_TYPES,
        orient="row",
    )
    return pl.concat([sample_columns(samples, samples), rest])
