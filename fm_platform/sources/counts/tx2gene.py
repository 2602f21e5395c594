"""Which gene each transcript belongs to, by a table of transcript and gene ids.

Belongs here: reading the table and looking transcripts up. Does not belong here: summing (``tximport``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.sources.files import SourceFile
from fm_platform.sources.records import read_records

TRANSCRIPT_NAMES = ("tx_id", "transcript_id", "target_id", "txname", "tx", "transcript", "enst")
GENE_NAMES = ("gene_id", "geneid", "ensgene", "gene", "ensg")


@dataclass(frozen=True, eq=False)
class TranscriptMap:
    """Transcript to gene, and the file that says so."""

    file: SourceFile
    gene_of: Mapping[str, str]


def read_tx2gene(path: Path, name: str) -> TranscriptMap:
    """Read a table of transcript and gene ids; with or without header, by name or in this order.

    Raises:
        InputError: It has fewer than two columns, an id is empty, or a transcript belongs to two genes.
    """
    records = read_records(path, name)
    header = [cell.strip().casefold() for cell in records.rows[0]]
    if len(header) < 2:
        raise InputError(
            "a tx2gene table needs a transcript and a gene column",
            file=name,
            line=records.lines[0],
            mend="two columns: tx_id and gene_id",
        )
    transcript = next((header.index(word) for word in TRANSCRIPT_NAMES if word in header), None)
    gene = next((header.index(word) for word in GENE_NAMES if word in header), None)
    named = transcript is not None and gene is not None and transcript != gene
    skip = 1 if named else 0
    at = (transcript, gene) if transcript is not None and gene is not None and named else (0, 1)
    gene_of: dict[str, str] = {}
    for row, line in zip(records.rows[skip:], records.lines[skip:], strict=True):
        if len(row) <= max(at) or not row[at[0]].strip() or not row[at[1]].strip():
            raise InputError(
                "a row without transcript or gene", file=name, line=line, mend="complete or remove it"
            )
        transcript_id, gene_id = row[at[0]].strip(), row[at[1]].strip()
        if gene_of.setdefault(transcript_id, gene_id) != gene_id:
            raise InputError(
                f"transcript {transcript_id!r} belongs to {gene_of[transcript_id]!r} and to {gene_id!r}",
                file=name,
                line=line,
                mend="give every transcript one gene",
            )
    return TranscriptMap(records.file, gene_of)


@dataclass(frozen=True, eq=False)
class Lookup:
    """The gene of each transcript (None: not in the table), and the rule that found it."""

    genes: list[str | None]
    rule: str


def look_up(transcripts: Sequence[str], table: TranscriptMap) -> Lookup:
    """Find the genes of transcripts: by equal ids; if none is, by the id before ``|`` or without version.

    Raises:
        InputError: No rule finds any; examples of both sides are shown.
    """
    exact = [table.gene_of.get(name) for name in transcripts]
    if any(exact):
        return Lookup(exact, "")
    barred = [table.gene_of.get(name.split("|", 1)[0]) for name in transcripts]
    if any(barred):
        return Lookup(barred, "what follows the first | of transcript ids was ignored")
    without = {_bare(name): gene for name, gene in table.gene_of.items()}
    bare = [without.get(_bare(name.split("|", 1)[0])) for name in transcripts]
    if any(bare) and len({_bare(name) for name in transcripts}) == len(transcripts):
        return Lookup(bare, "versions of transcript ids were ignored")
    raise InputError(
        f"no transcript is in it: the samples have e.g. {transcripts[0]!r}, the table e.g. "
        f"{next(iter(table.gene_of), '')!r}",
        file=table.file.name,
        mend="use the tx2gene table of the transcriptome that was indexed",
    )


def _bare(name: str) -> str:
    stem, dot, version = name.rpartition(".")
    return stem if dot and version.isdigit() else name
