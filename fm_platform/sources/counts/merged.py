"""nf-core/rnaseq's merged tables (``salmon.merged.gene_counts.tsv`` and siblings): which is right, by name.

Belongs here: telling the flavours apart, estimates to counts, the lengths beside them. Does not belong
here: salmon's own folders (``transcripts``), plain matrices (``table``).

``gene_counts`` with ``gene_lengths`` as offsets is the right pair. ``gene_counts_length_scaled`` has the
lengths worked in and is right by itself. ``gene_counts_scaled`` follows TPM, so long genes lose their
weight; TPM and lengths are no counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.errors import InputError
from fm_platform.sources.counts.layout import MatrixColumn, as_frame
from fm_platform.sources.counts.matrix import CountMatrix, CountOptions, InputNote, MatrixPart, folder_file
from fm_platform.sources.counts.table import check_genes, damage_notes, margin_notes
from fm_platform.sources.counts.units import inspect_whole, judge
from fm_platform.sources.delimited import check_header, check_lengths
from fm_platform.sources.files import SourceFile
from fm_platform.sources.records import Records, read_records
from fm_platform.sources.rowid import row_ids

Flavour = Literal["counts", "length_scaled", "scaled", "tpm", "lengths", "transcripts"]

_NAME = re.compile(
    r"(?P<tool>salmon|kallisto|rsem)\.merged\.(?P<what>(gene|transcript)_(counts|tpm|lengths)(_length)?(_scaled)?)\.tsv(\.gz)?$"
)
_REFUSED: dict[Flavour, str] = {
    "scaled": "gene_counts_scaled follows TPM: long genes lose the weight that their reads give them",
    "tpm": "gene_tpm holds TPM values, not counts",
    "lengths": "gene_lengths holds transcript lengths, not counts",
    "transcripts": "this table is of transcripts, not genes",
}
_RIGHT = "use gene_counts_length_scaled.tsv, or gene_counts.tsv with `lengths: ...gene_lengths.tsv`"
_ANNOTATION = ("gene_name", "gene_symbol", "symbol", "transcript_id(s)", "tx")


def is_merged(path: Path) -> bool:
    """Whether a file, or one in a folder, is a merged table by its name."""
    if path.is_dir():
        return any(_NAME.search(entry.name) for entry in path.iterdir())
    return _NAME.search(path.name) is not None


def merged_matrix(path: Path, *, source: str, name: str, options: CountOptions) -> CountMatrix:
    """Gene counts of a merged table, rounded, with the lengths beside it as offsets.

    Args:
        path: The table, or the folder that holds ``gene_counts.tsv`` and ``gene_lengths.tsv``.
        source: Part of every row id.
        name: What to call it.
        options: Of these, ``lengths`` and ``gene_id``.

    Raises:
        InputError: The table is one that must not be tested as counts, the lengths are missing or those of
            other genes or samples, or a value is no number of at least zero.
    """
    path, lengths_path, name = _pair(path, options.lengths, name)
    flavour, tool = _flavour(path, name)
    records = read_records(path, name)
    genes, samples, estimates, columns = _values(records, name)
    lengths, lengths_file, notes = None, None, []
    if flavour == "length_scaled":
        text = "gene_counts_length_scaled: lengths are worked into the counts, so no offsets are used"
        notes.append(InputNote("choice", text))
    elif lengths_path is not None:
        other = read_records(lengths_path, lengths_path.name)
        lengths = _lengths(other, lengths_path.name, genes, samples)
        lengths_file = other.file
        notes.append(
            InputNote("lengths", f"average transcript lengths of {lengths_path.name} are offsets of the test")
        )
    elif tool == "rsem":
        notes.append(InputNote("choice", "RSEM's expected counts without lengths: no offsets are used"))
    else:
        raise InputError(
            "gene_counts is not corrected for transcript length, and no lengths are given", file=name,
            mend="add `lengths: ...gene_lengths.tsv`, or use gene_counts_length_scaled.tsv",
        )  # fmt: skip
    counts = np.rint(estimates).astype(np.int64)
    notes.append(InputNote("rounded", "estimated counts are rounded to whole numbers"))
    lines = records.lines[1:]
    ids = tuple(row_ids(source, records.rows[0], records.rows[1:]))
    annotation = {"gene_id": genes}
    for entry in columns:
        if entry.kind == "annotation":
            annotation[entry.name] = tuple(row[entry.position] for row in records.rows[1:])
    files: list[SourceFile] = [records.file, *([lengths_file] if lengths_file else [])]
    return CountMatrix(
        source=source,
        file=records.file if lengths_file is None else folder_file(name, files),
        format="nf-core",
        gene_ids=genes,
        count_ids=samples,
        counts=counts,
        row_ids=ids,
        lines=tuple(lines),
        columns=as_frame(columns),
        annotation=pl.DataFrame(annotation, schema=dict.fromkeys(annotation, pl.String)),
        parts=(MatrixPart(records.file, path, ids, tuple(lines)),),
        lengths=lengths,
        notes=(
            *margin_notes(records),
            *notes,
            *judge(inspect_whole(counts, decimals=False), name),
            *damage_notes(genes, lines),
        ),
    )


def merged_files(path: Path, lengths: Path | None) -> list[Path]:
    """The files that a merged table is read from."""
    found, beside, _ = _pair(path, lengths, path.name)
    return [found, *([beside] if beside else [])]


def _pair(path: Path, lengths: Path | None, name: str) -> tuple[Path, Path | None, str]:
    """The table and its lengths; of a folder, the two of the same tool."""
    if not path.is_dir():
        return path, lengths, name
    tables = sorted(
        entry for entry in path.iterdir() if re.search(r"\.merged\.gene_counts\.tsv(\.gz)?$", entry.name)
    )
    if len(tables) != 1:
        raise InputError(
            f"the folder has {len(tables)} tables *.merged.gene_counts.tsv",
            file=name,
            mend="name one of the tables",
        )
    beside = tables[0].with_name(tables[0].name.replace("gene_counts", "gene_lengths"))
    chosen = lengths or (beside if beside.is_file() else None)
    return tables[0], chosen, f"{name}/{tables[0].name}"


def _flavour(path: Path, name: str) -> tuple[Flavour, str]:
    match = _NAME.search(path.name)
    if match is None:
        return "counts", "salmon"
    what = match["what"]
    flavour: Flavour = "counts"
    if what.startswith("transcript"):
        flavour = "transcripts"
    elif "tpm" in what:
        flavour = "tpm"
    elif what == "gene_lengths":
        flavour = "lengths"
    elif what.endswith("_length_scaled"):
        flavour = "length_scaled"
    elif what.endswith("_scaled"):
        flavour = "scaled"
    if flavour in _REFUSED:
        raise InputError(_REFUSED[flavour], file=name, mend=_RIGHT)
    return flavour, match["tool"]


def _values(
    records: Records, name: str
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64], list[MatrixColumn]]:
    """Gene ids, samples, values (genes x samples) and what each column is."""
    header, body, lines = records.rows[0], records.rows[1:], records.lines[1:]
    check_header(header, name, records.lines[0], matrix=True)
    check_lengths(records, len(header))
    columns = [
        MatrixColumn(position, column, "gene_id")
        if position == 0
        else MatrixColumn(position, column, "annotation")
        if column.casefold() in _ANNOTATION
        else MatrixColumn(position, column, "count", count_id=column)
        for position, column in enumerate(header)
    ]
    counted = [entry for entry in columns if entry.kind == "count"]
    if not counted or not body:
        raise InputError(
            "no genes or no samples in it", file=name, mend="use the table that nf-core/rnaseq wrote"
        )
    genes = tuple(row[0] for row in body)
    check_genes(genes, lines, name)
    values = []
    for entry in counted:
        texts = pl.Series([row[entry.position] for row in body], dtype=pl.String)
        numbers = texts.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
        if len(bad):
            raise InputError(
                f"{texts[int(bad[0])]!r} is no number of at least zero",
                file=name,
                line=lines[int(bad[0])],
                column=entry.name,
                mend="use the table as nf-core/rnaseq wrote it",
            )
        values.append(numbers)
    return genes, tuple(entry.name for entry in counted), np.column_stack(values), columns


def _lengths(
    records: Records, name: str, genes: Sequence[str], samples: Sequence[str]
) -> NDArray[np.float64]:
    """The lengths in the order of the counts' genes and samples."""
    own_genes, own_samples, values, _ = _values(records, name)
    lacking = sorted(set(genes) - set(own_genes)) or sorted(set(samples) - set(own_samples))
    if lacking:
        raise InputError(
            f"no length of {lacking[0]!r}", file=name, mend="use the lengths of the same run as the counts"
        )
    row_of = {gene: index for index, gene in enumerate(own_genes)}
    column_of = {sample: index for index, sample in enumerate(own_samples)}
    chosen = values[np.ix_([row_of[gene] for gene in genes], [column_of[sample] for sample in samples])]
    if not (chosen > 0).all():
        raise InputError(
            "a length of zero", file=name, mend="use gene_lengths.tsv as nf-core/rnaseq wrote it"
        )
    return chosen
