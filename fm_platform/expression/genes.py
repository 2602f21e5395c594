"""``expression.genes`` and ``expression.input_notes``: what genes are called, and what the readers remarked.

Belongs here: joining annotation with the genes of the matrix; the readers' notes as a table. Does not belong here:
reading either (``sources``).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.sources.counts.reading import CountMatrix
from fm_platform.sources.gene_annotation import GENE_COLUMNS
from fm_platform.sources.gene_symbols import damage

NOTE_TYPES = {
    "sheet": pl.String(),
    "position": pl.Int32(),
    "kind": pl.String(),
    "item": pl.String(),
    "line": pl.Int64(),
    "note": pl.String(),
}
_ABOUT = ("biotype", "description", "chromosome", "start", "end", "strand")


def input_notes(matrices: Sequence[CountMatrix]) -> pl.DataFrame:
    """``expression.input_notes``: one row a remark of a reader, in its order; key sheet, position."""
    rows: list[tuple[object, ...]] = [
        (matrix.file.name, position, note.kind, note.item, note.line, note.text)
        for matrix in matrices
        for position, note in enumerate(matrix.notes)
    ]
    return pl.DataFrame(rows, schema=NOTE_TYPES, orient="row")


def expression_genes(
    counts: pl.DataFrame, raw_counts: pl.DataFrame, annotation: pl.DataFrame | None
) -> pl.DataFrame:
    """``expression.genes``: every gene of the matrix with what is known of it; key gene_id.

    A gene is found in the annotation by equal id, else, where that is unambiguous, by its id without version
    (``ENSG00000000003.15``). The annotation's symbol goes before the count file's.

    Args:
        counts: ``expression.counts``.
        raw_counts: ``raw.counts``, whose symbols are used where the annotation has none.
        annotation: ``raw.genes``; None when no annotation is declared.

    Returns:
        gene_id, symbol, symbol_source (``annotation``, ``counts`` or null), biotype, description, chromosome, start,
        end, strand, match (``exact``, ``without version`` or null), damage (what a symbol or id was before a
        spreadsheet changed it); sorted by gene_id.
    """
    own = raw_counts.filter(pl.col("symbol").is_not_null()).group_by("gene_id").agg(pl.col("symbol").min())
    genes = counts.select("gene_id").join(own, on="gene_id", how="left").sort("gene_id")
    if annotation is None:
        nothing = pl.DataFrame(schema={"_row_id": pl.String, **dict.fromkeys(GENE_COLUMNS, pl.String)})
        annotation = nothing
    known = annotation.with_columns(pl.col(GENE_COLUMNS).replace("", None))
    exact = dict(zip(known["gene_id"], range(known.height), strict=True))
    bare = _unambiguous([_bare(gene) for gene in known["gene_id"]])
    rows = []
    for gene, symbol in genes.select("gene_id", "symbol").iter_rows():
        at = exact.get(gene)
        match = "exact" if at is not None else None
        if at is None:
            at = bare.get(_bare(gene))
            match = "without version" if at is not None else None
        found = known.row(at, named=True) if at is not None else {}
        chosen = found.get("symbol") or symbol
        origin = "annotation" if found.get("symbol") else "counts" if symbol else None
        about = (found.get(name) for name in _ABOUT)
        rows.append(
            (gene, chosen, origin, *about, match, damage(gene) or (damage(chosen) if chosen else None))
        )
    names = ("gene_id", "symbol", "symbol_source", *_ABOUT, "match", "damage")
    schema = dict.fromkeys(names, pl.String())
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("start", "end").cast(pl.Int64, strict=False))


def _bare(gene: str) -> str:
    stem, dot, version = gene.rpartition(".")
    return stem if dot and version.isdigit() else gene


def _unambiguous(keys: Sequence[str]) -> dict[str, int]:
    """The place of every key that is there once."""
    places: dict[str, int] = {}
    twice: set[str] = set()
    for place, key in enumerate(keys):
        if places.setdefault(key, place) != place:
            twice.add(key)
    return {key: place for key, place in places.items() if key not in twice}
