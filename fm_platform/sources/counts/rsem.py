"""Folders of RSEM: expected counts and effective lengths of a file a sample in, gene counts with lengths out.

Belongs here: ``*.genes.results``, and ``*.isoforms.results`` summed to genes. Does not belong here: the rule that sums
isoforms (``tximport``), kallisto and salmon (``transcripts``), matrices of expected counts (``table``, ``estimates``).

As tximport reads them (type ``rsem``, without and with ``txIn``); effective lengths of zero become 1, as its
documentation has it, so that they can be offsets.
"""

from __future__ import annotations

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
from fm_platform.sources.counts.transcripts import Layout, features, numbers_of
from fm_platform.sources.counts.tx2gene import look_up, read_tx2gene
from fm_platform.sources.counts.tximport import GeneEstimates, summarize
from fm_platform.sources.counts.units import inspect_whole, judge
from fm_platform.sources.files import SourceFile
from fm_platform.sources.rowid import row_ids
from fm_platform.sources.sample_files import SampleFile, TabFile, read_tab, sample_files

_GENES = Layout("gene_id", "expected_count", "TPM", "effective_length")
_ISOFORMS = Layout("transcript_id", "expected_count", "TPM", "effective_length")


def rsem_matrix(folder: Path, *, source: str, name: str, options: CountOptions) -> CountMatrix:
    """Gene counts and effective lengths of a folder of RSEM; gene files are taken where there are any.

    Counts are rounded, as DESeq2 does; the lengths go to the engine as offsets.

    Args:
        folder: With the samples' files in it or below it.
        source: Part of every row id.
        name: What to call it.
        options: Of these, ``tx2gene`` (isoforms only; default: the files' own column ``gene_id``).

    Raises:
        InputError: A file has the wrong shape, a value is no number of at least zero, or the samples' genes differ.
    """
    entries = sample_files(folder, "rsem", name)
    files = [read_tab(entry) for entry in entries]
    of_genes = _ISOFORMS.name not in files[0].first
    layout = _GENES if of_genes else _ISOFORMS
    ids = features(entries, files, layout)
    counts, abundances, lengths = (
        numbers_of(entries, files, column) for column in (layout.count, layout.abundance, layout.length)
    )
    others: list[SourceFile] = []
    notes: list[InputNote] = []
    if of_genes:
        check_genes(ids, files[0].lines[1:], entries[0].name)
        genes, kept, gene_of = tuple(ids), list(range(len(ids))), np.arange(len(ids))
        estimates = GeneEstimates(counts, lengths)
    else:
        named, other, said = _genes_of(ids, entries, files, options)
        others, notes = other, [InputNote("choice", said)]
        kept = [at for at, gene in enumerate(named) if gene]
        genes = tuple(sorted({gene for gene in named if gene}))
        place = {gene: at for at, gene in enumerate(genes)}
        gene_of = np.array([place[gene] for gene in named if gene], dtype=np.int64)
        estimates = summarize(gene_of, len(genes), counts[kept], abundances[kept], lengths[kept])
    usable, n_zero = _usable(estimates.lengths)
    rounded = np.rint(estimates.counts).astype(np.int64)
    samples = tuple(entry.sample for entry in entries)
    content = (
        [gene, *map(repr, values), *map(repr, sizes)]
        for gene, values, sizes in zip(genes, estimates.counts.tolist(), usable.tolist(), strict=True)
    )
    row_of_gene = row_ids(source, ["", *samples, *(f"length {sample}" for sample in samples)], content)
    rows = tuple(row_of_gene[at] for at in gene_of)
    parts = tuple(
        MatrixPart(file.file, entry.path, rows, tuple(file.lines[at + 1] for at in kept))
        for entry, file in zip(entries, files, strict=True)
    )
    first: dict[str, int] = {}
    for row_id, line in zip(parts[0].row_ids, parts[0].lines, strict=True):
        first.setdefault(row_id, line)
    lines = tuple(first[row_id] for row_id in row_of_gene)
    notes += [
        InputNote("rounded", "RSEM's expected counts are rounded to whole numbers"),
        InputNote("lengths", "effective lengths by gene and sample are offsets of the test"),
        *([InputNote("lengths", f"{n_zero} effective lengths of zero are taken as 1")] if n_zero else []),
    ]
    return CountMatrix(
        source=source,
        file=folder_file(name, [*(file.file for file in files), *others]),
        format="rsem",
        gene_ids=genes,
        count_ids=samples,
        counts=rounded,
        row_ids=tuple(row_of_gene),
        lines=lines,
        columns=sample_columns(samples, [entry.name for entry in entries]),
        annotation=pl.DataFrame({"gene_id": pl.Series(genes, dtype=pl.String)}),
        parts=parts,
        lengths=usable,
        notes=(
            *notes,
            *judge(inspect_whole(rounded, decimals=False), name),
            *damage_notes(genes, lines),
        ),
    )


def _genes_of(
    isoforms: list[str], entries: list[SampleFile], files: list[TabFile], options: CountOptions
) -> tuple[list[str | None], list[SourceFile], str]:
    """The gene of every isoform, the further file that says so, and what was done in words."""
    if options.tx2gene is not None:
        table = read_tx2gene(options.tx2gene, options.tx2gene.name)
        found = look_up(isoforms, table)
        n_left = sum(gene is None for gene in found.genes)
        left = f"; {n_left} isoforms are not in it and were left out" if n_left else ""
        return found.genes, [table.file], f"isoforms summed to genes by {table.file.name}{left}"
    if "gene_id" not in files[0].first:
        raise InputError(
            "isoforms without a column gene_id, and no table says which gene each belongs to",
            file=entries[0].name,
            line=files[0].lines[0],
            mend="deliver *.genes.results, or add `tx2gene:` to counts in study.yaml (--tx2gene)",
        )
    own = files[0].columns[files[0].first.index("gene_id")][1:].to_list()
    return [gene or None for gene in own], [], "isoforms summed to genes by their column gene_id"


def _usable(lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Lengths of which none is zero, and how many were."""
    zero = ~(lengths > 0)
    return np.where(zero, 1.0, lengths), int(zero.sum())
