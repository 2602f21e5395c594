"""Folders of kallisto and salmon: transcript estimates in, gene counts with average transcript lengths out.

Belongs here: reading the files and joining them to a matrix. Does not belong here: the rule that sums
transcripts (``tximport``), finding the files (``sample_files``).
"""

from __future__ import annotations

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
from fm_platform.sources.counts.tx2gene import look_up, read_tx2gene
from fm_platform.sources.counts.tximport import summarize
from fm_platform.sources.counts.units import inspect_whole, judge
from fm_platform.sources.rowid import row_ids
from fm_platform.sources.sample_files import SampleFile, TabFile, read_tab, sample_files


@dataclass(frozen=True)
class Layout:
    """What a tool calls its columns: the feature's name, its estimated count, its TPM and its effective length."""

    name: str
    count: str
    abundance: str
    length: str


_LAYOUTS = {
    "kallisto": Layout("target_id", "est_counts", "tpm", "eff_length"),
    "salmon": Layout("Name", "NumReads", "TPM", "EffectiveLength"),
}


def transcript_matrix(
    folder: Path, *, source: str, name: str, format: str, options: CountOptions
) -> CountMatrix:
    """Gene counts and average transcript lengths of a folder of kallisto or salmon, by tximport's rule.

    Counts are rounded after summing, as DESeq2 does; the lengths go to the engine as offsets. Transcripts
    that tx2gene does not list are left out, and their reads are counted in a note.

    Args:
        folder: With a folder a sample.
        source: Part of every row id.
        name: What to call it.
        format: ``kallisto`` or ``salmon``.
        options: Of these, ``tx2gene``.

    Raises:
        InputError: tx2gene is not given, a file has the wrong shape, or the samples' transcripts differ.
    """
    if options.tx2gene is None:
        raise InputError(
            f"{format} counts transcripts, and no table says which gene each belongs to",
            file=name,
            mend="add `tx2gene:` (a table of transcript and gene ids) to counts in study.yaml (fm de --tx2gene)",
        )
    table = read_tx2gene(options.tx2gene, options.tx2gene.name)
    entries = sample_files(folder, format, name)
    files = [read_tab(entry) for entry in entries]
    layout = _LAYOUTS[format]
    transcripts = features(entries, files, layout)
    found = look_up(transcripts, table)
    kept = [index for index, gene in enumerate(found.genes) if gene is not None]
    genes = tuple(sorted({gene for gene in found.genes if gene is not None}))
    place = {gene: index for index, gene in enumerate(genes)}
    gene_of = np.array([place[gene] for gene in found.genes if gene is not None], dtype=np.int64)
    counts, abundances, lengths = (
        numbers_of(entries, files, column) for column in (layout.count, layout.abundance, layout.length)
    )
    estimates = summarize(gene_of, len(genes), counts[kept], abundances[kept], lengths[kept])
    rounded = np.rint(estimates.counts).astype(np.int64)
    samples = tuple(entry.sample for entry in entries)
    content = (
        [gene, *map(repr, values), *map(repr, sizes)]
        for gene, values, sizes in zip(
            genes, estimates.counts.tolist(), estimates.lengths.tolist(), strict=True
        )
    )
    ids = row_ids(source, ["", *samples, *(f"length {sample}" for sample in samples)], content)
    notes = [
        InputNote("choice", f"{len(kept)} transcripts summed to {len(genes)} genes by {table.file.name}"),
        InputNote("rounded", "estimated counts are summed by gene, then rounded to whole numbers"),
        InputNote("lengths", "average transcript lengths by gene and sample are offsets of the test"),
        *([InputNote("choice", found.rule)] if found.rule else []),
        *_unmapped(found.genes, counts, samples),
        *judge(inspect_whole(rounded, decimals=False), name),
    ]
    row_of = [ids[index] for index in gene_of]
    parts = tuple(
        MatrixPart(file.file, entry.path, tuple(row_of), tuple(file.lines[index + 1] for index in kept))
        for entry, file in zip(entries, files, strict=True)
    )
    first: dict[str, int] = {}
    for row_id, line in zip(parts[0].row_ids, parts[0].lines, strict=True):
        first.setdefault(row_id, line)
    return CountMatrix(
        source=source,
        file=folder_file(name, [*(file.file for file in files), table.file]),
        format=format,
        gene_ids=genes,
        count_ids=samples,
        counts=rounded,
        row_ids=tuple(ids),
        lines=tuple(first[row_id] for row_id in ids),
        columns=sample_columns(samples, [entry.name for entry in entries]),
        annotation=pl.DataFrame({"gene_id": pl.Series(genes, dtype=pl.String)}),
        parts=parts,
        lengths=estimates.lengths,
        notes=tuple(notes),
    )


def features(entries: Sequence[SampleFile], files: Sequence[TabFile], layout: Layout) -> list[str]:
    """The transcripts or genes, which every file lists in the same order.

    Args:
        entries: A file a sample.
        files: What they hold, their header first.
        layout: What their tool calls its columns.

    Raises:
        InputError: A column is missing, or the files' features differ.
    """
    first: list[str] = []
    for entry, file in zip(entries, files, strict=True):
        missing = [
            column
            for column in (layout.name, layout.count, layout.abundance, layout.length)
            if column not in file.first
        ]
        if missing:
            raise InputError(
                f"there is no column {missing[0]!r}; the header has {', '.join(file.first)}",
                file=entry.name,
                line=file.lines[0],
                mend="name the folder that the quantifier wrote",
            )
        own = file.columns[file.first.index(layout.name)][1:].to_list()
        first = first or own
        if own != first or not own:
            raise InputError(
                f"its {len(own)} rows are not the {len(first)} of {entries[0].name}, in that order",
                file=entry.name,
                mend="quantify all samples with the same index",
            )
    return first


def numbers_of(entries: Sequence[SampleFile], files: Sequence[TabFile], column: str) -> NDArray[np.float64]:
    """A column of every file, shape (transcripts, samples).

    Raises:
        InputError: A cell is no number of at least zero.
    """
    columns = []
    for entry, file in zip(entries, files, strict=True):
        texts = file.columns[file.first.index(column)][1:]
        numbers = texts.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
        if len(bad):
            raise InputError(
                f"{texts[int(bad[0])]!r} is no number of at least zero",
                file=entry.name,
                line=file.lines[int(bad[0]) + 1],
                column=column,
                mend="quantify the sample again",
            )
        columns.append(numbers)
    return np.column_stack(columns)


def _unmapped(
    genes: Sequence[str | None], counts: NDArray[np.float64], samples: Sequence[str]
) -> list[InputNote]:
    left = np.array([gene is None for gene in genes])
    if not left.any():
        return []
    share = counts[left].sum(axis=0) / np.maximum(counts.sum(axis=0), 1e-300)
    worst = int(np.argmax(share))
    text = (
        f"{int(left.sum())} transcripts are not in tx2gene and were left out, with up to "
        f"{100 * share[worst]:.2f} % of a sample's reads ({samples[worst]})"
    )
    return [InputNote("unmapped", text)]
