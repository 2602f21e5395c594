"""``expression.gene_sets`` and ``expression.enrichment``: sets against the matrix's genes, and against rankings.

Belongs here: what members are called in the matrix, which sets are tested, the tables. Does not belong here: the
score (``enrichment``), reading GMT files (``sources``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from fm_platform.expression.sets.enrichment import PERMUTATIONS, SEED, enrich

MIN_SIZE = 15
MAX_SIZE = 500
METHOD = f"pre-ranked GSEA, weight 1, {PERMUTATIONS} gene permutations"

_TEXTS = pl.List(pl.String())
SET_REPORT_TYPES = {
    "collection": pl.String(),
    "gene_set": pl.String(),
    "description": pl.String(),
    "n_members": pl.Int32(),
    "n_in_matrix": pl.Int32(),
    "not_in_matrix": _TEXTS,
    "other_case": _TEXTS,
    "matched_by": pl.String(),
    "gmt_sha256": pl.String(),
}
ENRICHMENT_TYPES = {
    "contrast": pl.String(),
    "collection": pl.String(),
    "gene_set": pl.String(),
    "n_ranked": pl.Int32(),
    "es": pl.Float64(),
    "nes": pl.Float64(),
    "pvalue": pl.Float64(),
    "p_floor": pl.Float64(),
    "padj": pl.Float64(),
    "leading_edge": _TEXTS,
    "n_genes": pl.Int32(),
    "matched_by": pl.String(),
    "method": pl.String(),
    "seed": pl.Int64(),
    "gmt_sha256": pl.String(),
    "note": pl.String(),
}


def identifiers(genes: pl.DataFrame, sets: pl.DataFrame) -> str:
    """Whether members are gene ids or symbols of the matrix: what more of them are found as; ids if equal.

    Args:
        genes: ``expression.genes``.
        sets: ``raw.gene_sets`` of one collection.
    """
    members = set(sets["members"].explode())
    by_id, by_symbol = (len(members & set(genes[name].drop_nulls())) for name in ("gene_id", "symbol"))
    return "symbol" if by_symbol > by_id else "gene_id"


def set_report(genes: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """``expression.gene_sets``: which members the matrix has; key collection, gene_set.

    ``not_in_matrix`` are aliases, clone ids and genes that were not counted; ``other_case`` are those of them that
    the matrix has in other letter case (another species, usually), which are not taken for the same gene.
    """
    rows = []
    for collection in sorted(sets["collection"].unique()):
        own = sets.filter(collection=collection)
        matched_by = identifiers(genes, own)
        known = set(genes[matched_by].drop_nulls())
        folded = {name.casefold() for name in known}
        for entry in own.sort("gene_set").iter_rows(named=True):
            lacking = sorted(member for member in entry["members"] if member not in known)
            rows.append(
                {
                    **{name: entry[name] for name in ("collection", "gene_set", "description", "gmt_sha256")},
                    "n_members": len(entry["members"]),
                    "n_in_matrix": len(entry["members"]) - len(lacking),
                    "not_in_matrix": lacking,
                    "other_case": [member for member in lacking if member.casefold() in folded],
                    "matched_by": matched_by,
                }
            )
    return pl.DataFrame(rows, schema=SET_REPORT_TYPES, orient="row")


def enrichment_table(results: pl.DataFrame, genes: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """``expression.enrichment``: every set against every contrast's ranking; key contrast, collection, gene_set.

    Genes are ranked by the Wald statistic, highest first, equal ones by gene id. Where several genes share a symbol,
    the one with the largest absolute statistic stands for it. ``padj`` is Benjamini-Hochberg over the tested sets of a
    contrast and collection. A set with fewer than 15 or more than 500 ranked members is not tested and says so.

    Args:
        results: ``expression.de_results``.
        genes: ``expression.genes``.
        sets: ``raw.gene_sets``.
    """
    symbol_of = dict(zip(genes["gene_id"], genes["symbol"], strict=True))
    rows: list[dict[str, Any]] = []
    for contrast in results["contrast"].unique(maintain_order=True):
        tested = results.filter(pl.col("contrast") == contrast, pl.col("stat").is_not_null())
        for collection in sorted(sets["collection"].unique()):
            own = sets.filter(collection=collection).sort("gene_set")
            matched_by = identifiers(genes, own)
            names, statistics = _ranking(tested, symbol_of if matched_by == "symbol" else None)
            rows += _collection(contrast, own, matched_by, names, statistics)
    return pl.DataFrame(rows, schema=ENRICHMENT_TYPES, orient="row")


def _ranking(
    tested: pl.DataFrame, symbol_of: Mapping[str, str | None] | None
) -> tuple[list[str], np.ndarray]:
    """Names and statistics, highest first, each name once."""
    best: dict[str, tuple[float, str]] = {}
    for gene, stat in tested.select("gene_id", "stat").sort("gene_id").iter_rows():
        name = gene if symbol_of is None else symbol_of.get(gene)
        if name and (name not in best or abs(stat) > abs(best[name][0])):
            best[name] = (stat, gene)
    ordered = sorted(best, key=lambda name: (-best[name][0], best[name][1]))
    return ordered, np.array([best[name][0] for name in ordered], dtype=np.float64)


def _collection(
    contrast: str, own: pl.DataFrame, matched_by: str, names: list[str], statistics: np.ndarray
) -> list[dict[str, Any]]:
    place = {name: index for index, name in enumerate(names)}
    positions = [
        np.array(sorted(place[member] for member in members if member in place), dtype=np.int64)
        for members in own["members"]
    ]
    largest = min(MAX_SIZE, len(names) - 1)
    chosen = [index for index, members in enumerate(positions) if MIN_SIZE <= len(members) <= largest]
    found = dict(zip(chosen, enrich(statistics, [positions[index] for index in chosen]), strict=True))
    adjusted = dict(zip(chosen, _benjamini_hochberg([found[index].pvalue for index in chosen]), strict=True))
    rows = []
    for index, entry in enumerate(own.iter_rows(named=True)):
        n_ranked = len(positions[index])
        row: dict[str, Any] = {
            "contrast": contrast,
            "collection": entry["collection"],
            "gene_set": entry["gene_set"],
            "n_ranked": n_ranked,
            "n_genes": len(names),
            "matched_by": matched_by,
            "method": METHOD,
            "seed": SEED,
            "gmt_sha256": entry["gmt_sha256"],
        }
        if index in found:
            result = found[index]
            row |= {
                "es": result.es,
                "nes": result.nes if np.isfinite(result.nes) else None,
                "pvalue": result.pvalue,
                "p_floor": result.p_floor,
                "padj": adjusted[index],
                "leading_edge": [names[at] for at in result.leading_edge],
            }
        else:
            row["note"] = (
                f"not tested: {n_ranked} ranked members, outside {MIN_SIZE} to {largest}"
                if names
                else "not tested: the contrast gives no test statistic to rank by"
            )
        rows.append(row)
    return [{name: row.get(name) for name in ENRICHMENT_TYPES} for row in rows]


def _benjamini_hochberg(p_values: list[float]) -> list[float]:
    p = np.array(p_values)
    order = np.argsort(-p, kind="stable")
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
