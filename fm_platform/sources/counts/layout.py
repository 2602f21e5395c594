"""What each column of a count matrix is: gene id, counts of a sample, annotation, or something left aside.

Belongs here: the layouts that are understood, recognised by their headers. Does not belong here: cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import COLUMN_TYPES

ColumnKind = Literal["gene_id", "count", "annotation", "ignored"]

_PROVIDER_COUNT = re.compile(r"^counts?_(?P<sample>.+?)(?:\([^()]*\))?$", re.IGNORECASE)
_SCALED = re.compile(r"^(tpm|fpkm|rpkm|cpm|rlog|vst|norm(alized|alised)?)_", re.IGNORECASE)
_RESULT = re.compile(
    r"^(log2?fc|log2foldchange|fc|padj|pvalue|pval|qvalue|fdr|stat|basemean|lfcse)(_|$)", re.IGNORECASE
)
_OF_SAMPLE = re.compile(
    r"^(counts?|tpm|fpkm|rpkm|cpm|rlog|vst|norm(alized|alised)?)_(?P<sample>.+?)(?:\([^()]*\))?$",
    re.IGNORECASE,
)
_ANNOTATION = frozenset(
    {
        *("symbol", "gene_symbol", "gene_name", "genename", "external_gene_name", "hgnc_symbol"),
        *("description", "gene_description", "entrezid", "entrez_id", "entrez", "entrezgene", "ensembl_id"),
        *("gene_type", "gene_biotype", "biotype", "transcript_id(s)", "gene_version", "gene_source"),
        *("chr", "chrom", "chromosome", "seqname", "start", "end", "strand", "transcript_id"),
        *(
            "entrezgene_id",
            "entrezgene_accession",
            "chromosome_name",
            "start_position",
            "end_position",
            "uniprot_id",
        ),
        *("hgnc_id", "havana_gene", "locus_tag", "product", "gbkey", "dbxref", "db_xref", "ncbi_geneid"),
    }
)
_LENGTHS = frozenset(
    "length width gene_length genelength exon_length transcript_length eff_length efflength effective_length "
    "mean_length gene_width".split()
)
_FEATURECOUNTS = ("geneid", "chr", "start", "end", "strand", "length")
_ALIGNMENT = re.compile(
    r"[._-]*(Aligned(\.sortedByCoord|\.toTranscriptome)?\.out)?"
    r"([._-](sorted|sort|srt|markdup|dedup|umi_dedup|rmdup|merged|mLb|clN))*\.(bam|sam|cram)$"
)
_RSEM = re.compile(r"\.(genes|isoforms)\.results(\.gz)?$")
_STABLE_ID = re.compile(
    r"^(ENS[A-Z]*G\d{6,}(\.\d+)?(_PAR_Y)?|FBgn\d{7}|WBGene\d{8}|ERCC-\d{5}|AT[1-5MC]G\d{5})$"
)
_MANY = 0.75


@dataclass(frozen=True)
class MatrixColumn:
    """One column of the file.

    Attributes:
        name: The header as delivered.
        count_id: The sample's name in the matrix, if the column holds counts.
        reason: Why the column is ignored, if it is.
    """

    position: int
    name: str
    kind: ColumnKind
    count_id: str | None = None
    reason: str | None = None


def is_provider_header(header: Sequence[str]) -> bool:
    """Whether a header is that of a provider's sheet, with columns like ``Counts_<sample>(<group>)``."""
    return any(_PROVIDER_COUNT.match(column) and column.endswith(")") for column in header[1:])


def is_featurecounts_header(header: Sequence[str]) -> bool:
    """Whether a header begins as that of featureCounts: Geneid, Chr, Start, End, Strand, Length."""
    return tuple(column.strip().casefold() for column in header[:6]) == _FEATURECOUNTS


def is_stable_gene_id(text: str) -> bool:
    """Whether a text is a gene id of Ensembl, FlyBase, WormBase, TAIR or of the ERCC spike-ins."""
    return _STABLE_ID.match(text) is not None


def is_gene_header(header: Sequence[str]) -> bool:
    """Whether most columns are named by stable gene ids, so that samples are in rows."""
    genes = sum(is_stable_gene_id(column) for column in header[1:])
    return genes >= 3 and genes >= _MANY * (len(header) - 1)


def names_in(column: str) -> set[str]:
    """The samples that a column may be about in any layout: its heading, and what tools and providers mean by it."""
    heading = column.strip()
    path = heading.replace("\\", "/")
    names = {heading, _RSEM.sub("", path.rsplit("/", 1)[-1])}
    if _ALIGNMENT.search(path):
        names |= {_ALIGNMENT.sub("", path.rsplit("/", 1)[-1]), *path.split("/")[-2:-1]}
    named = _OF_SAMPLE.match(heading)
    return names | ({named["sample"]} if named else set())


def layout_of(
    header: Sequence[str],
    name: str,
    line: int,
    *,
    format: str,
    gene_id: str | None,
    texts: Collection[int] = (),
    row_numbers: bool = False,
) -> tuple[str, tuple[MatrixColumn, ...]]:
    """Say what every column of a file is.

    Args:
        header: The column names, the gene id's included (it may be empty, as R writes it).
        name: The file, for messages.
        line: The header's line, for messages.
        format: ``auto`` or one of :data:`FORMATS`.
        gene_id: The gene id column; default the first.
        texts: Columns whose cells are texts without a number among them: they hold no counts.
        row_numbers: Whether the first column only numbers the rows.

    Returns:
        The format, and one entry a column.

    Raises:
        InputError: The gene id column is missing, there are no counts, or two columns hold counts of the same
            sample.
    """
    chosen = format if format != "auto" else _detected(header)
    if chosen == "featurecounts" and not is_featurecounts_header(header):
        raise InputError(
            f"declared as featurecounts, but its columns are not Geneid, Chr, Start, End, Strand, Length, ...: "
            f"{', '.join(header[:6])}",
            file=name,
            line=line,
            mend="drop `format:` (fm de --format), or set it to plain",
        )
    gene_position = _gene_position(header, gene_id, name, line)
    describe = FORMATS[chosen]
    columns = tuple(
        MatrixColumn(position, column, "gene_id") if position == gene_position else describe(position, column)
        for position, column in enumerate(header)
    )
    if chosen == "featurecounts":
        columns = _short_names(_without_attributes(columns, texts))
    elif chosen == "plain":
        columns = _without_rsem_endings(columns)
        if all(_ALIGNMENT.search(entry.name) for entry in columns if entry.kind == "count"):
            columns = _short_names(columns)
    columns = tuple(
        replace(entry, kind="annotation", count_id=None, reason="holds text, not counts")
        if entry.kind == "count" and entry.position in texts
        else entry
        for entry in columns
    )
    if row_numbers:
        columns = (MatrixColumn(0, header[0], "ignored", reason="numbers the rows"), *columns[1:])
    _check_samples(columns, chosen, name, line)
    return chosen, columns


def as_frame(columns: Sequence[MatrixColumn]) -> pl.DataFrame:
    """The columns as a table: position (0-based), column, kind, count_id, reason."""
    return pl.DataFrame(
        [(entry.position, entry.name, entry.kind, entry.count_id, entry.reason) for entry in columns],
        schema=COLUMN_TYPES,
        orient="row",
    )


def _plain(position: int, column: str) -> MatrixColumn:
    """A plain matrix: every column is a sample, but for well-known names of gene annotation."""
    known = column.strip().casefold()
    if known in _LENGTHS:
        return MatrixColumn(position, column, "annotation", reason="lengths of genes, not counts of a sample")
    if known in _ANNOTATION:
        return MatrixColumn(position, column, "annotation")
    return MatrixColumn(position, column, "count", count_id=column)


def _provider(position: int, column: str) -> MatrixColumn:
    """A provider's sheet: only ``Counts_`` columns are samples, named without the group in brackets."""
    counts = _PROVIDER_COUNT.match(column)
    if counts:
        return MatrixColumn(position, column, "count", count_id=counts["sample"])
    scaled = _SCALED.match(column)
    if scaled:
        reason = f"{scaled[1]} values are scaled, not counts"
        return MatrixColumn(position, column, "ignored", reason=reason)
    if _RESULT.match(column):
        return MatrixColumn(position, column, "ignored", reason="a result of the provider's own analysis")
    return MatrixColumn(position, column, "annotation")


def _featurecounts(position: int, column: str) -> MatrixColumn:
    """featureCounts: five columns of annotation after the gene id, attributes if asked for, then one a BAM file."""
    if position < len(_FEATURECOUNTS):
        return MatrixColumn(position, column, "annotation")
    return MatrixColumn(position, column, "count", count_id=column)


def _without_attributes(columns: Sequence[MatrixColumn], texts: Collection[int]) -> tuple[MatrixColumn, ...]:
    """The columns of ``--extraAttributes`` are annotation: what stands before the BAM files or leading texts."""
    counts = [entry for entry in columns if entry.kind == "count"]
    n_bam = sum(_ALIGNMENT.search(entry.name) is not None for entry in counts)
    n_attributes = len(counts) - n_bam
    if not n_bam or not all(_ALIGNMENT.search(entry.name) for entry in counts[n_attributes:]):
        own = [entry.position in texts or entry.name.strip().casefold() in _ANNOTATION for entry in counts]
        n_attributes = own.index(False) if False in own else 0
    attributes = {entry.position for entry in counts[:n_attributes]}
    return tuple(
        replace(entry, kind="annotation", count_id=None) if entry.position in attributes else entry
        for entry in columns
    )


def _without_rsem_endings(columns: Sequence[MatrixColumn]) -> tuple[MatrixColumn, ...]:
    """rsem-generate-data-matrix names samples by their files: without folder and ``.genes.results`` if all end so."""
    counts = [entry for entry in columns if entry.kind == "count"]
    if not counts or not all(_RSEM.search(entry.name) for entry in counts):
        return tuple(columns)
    return tuple(
        replace(entry, count_id=_RSEM.sub("", entry.name.replace("\\", "/").rsplit("/", 1)[-1]))
        if entry.kind == "count"
        else entry
        for entry in columns
    )


def _short_names(columns: Sequence[MatrixColumn]) -> tuple[MatrixColumn, ...]:
    """BAM columns named by file name without its endings, or by folder where file names repeat."""
    paths = {entry.position: entry.name.replace("\\", "/") for entry in columns if entry.kind == "count"}
    names = {position: _ALIGNMENT.sub("", path.rsplit("/", 1)[-1]) for position, path in paths.items()}
    if len(set(names.values())) < len(names) or not all(names.values()):
        names = {
            position: path.rsplit("/", 2)[-2] if "/" in path else path for position, path in paths.items()
        }
    return tuple(
        replace(entry, count_id=names[entry.position]) if entry.position in names else entry
        for entry in columns
    )


def _detected(header: Sequence[str]) -> str:
    if is_featurecounts_header(header):
        return "featurecounts"
    return "provider" if is_provider_header(header) else "plain"


FORMATS: dict[str, Callable[[int, str], MatrixColumn]] = {
    "plain": _plain,
    "provider": _provider,
    "featurecounts": _featurecounts,
}
"""The layouts by name: each says what a column other than the gene id is."""


def _gene_position(header: Sequence[str], gene_id: str | None, name: str, line: int) -> int:
    if gene_id is None or gene_id in header:
        return 0 if gene_id is None else list(header).index(gene_id)
    near = get_close_matches(gene_id, header, n=1)
    raise InputError(
        f"there is no gene id column {gene_id!r}; the first column is {header[0]!r}",
        file=name,
        line=line,
        mend=f"did you mean {near[0]!r}?" if near else "correct `gene_id:` in study.yaml, or drop it",
    )


def _check_samples(columns: Sequence[MatrixColumn], format: str, name: str, line: int) -> None:
    counts = [entry for entry in columns if entry.kind == "count"]
    if len(columns) == 1:
        raise InputError(
            "one column only: its fields are separated by no comma, semicolon, tab or bar",
            file=name,
            line=line,
            mend="separate the fields by tabs or commas (R: write.table(x, sep='\\t', col.names=NA))",
        )
    if not counts:
        expected = {"provider": "named Counts_<sample>(<group>)", "featurecounts": "after Length"}.get(
            format, "beside the gene id"
        )
        raise InputError(
            f"no column of counts: none is {expected}",
            file=name,
            line=line,
            mend="deliver the raw count matrix",
        )
    seen: dict[str, MatrixColumn] = {}
    for entry in counts:
        earlier = seen.setdefault(str(entry.count_id), entry)
        if earlier is not entry:
            raise InputError(
                f"columns {earlier.name!r} and {entry.name!r} both hold counts of {entry.count_id!r}",
                file=name,
                line=line,
                mend="rename or remove one of them",
            )
