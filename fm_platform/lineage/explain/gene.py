"""How a gene's result came about: its counts, where they stand in the matrix, the samples, and the fit's facts.

Belongs here: putting together what is published about one gene in one contrast. Does not belong here: fitting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.lineage.impact.origin import has_table
from fm_platform.lineage.links.book import LinkBook
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.reader import Published

RESULTS, CONTRASTS, SAMPLES = "expression.de_results", "expression.contrasts", "expression.samples"
SHEET = "raw.samples"
DISPERSIONS = "expression.dispersions"


@dataclass(frozen=True)
class GeneSample:
    """One sample of a contrast.

    Attributes:
        count: The gene's count; null where the sample's file lacks the gene.
        column: The heading of its column in the matrix, or its file.
        matrix: The file or folder.
        sheet_line: Its line in the sample sheet.
        size_factor: What its counts were divided by.
        design: Its values of the design's variables, by column of the sample sheet.
    """

    sample_id: str
    count_id: str
    matrix: str | None
    column: str | None
    sheet: str | None
    sheet_line: int | None
    count: int | None
    size_factor: float | None
    design: Mapping[str, str | None]


@dataclass(frozen=True)
class GeneFit:
    """A gene in a contrast.

    Attributes:
        n_tested: Genes of the contrast with a p-value.
        n_adjusted: Those of them that independent filtering kept: the family of ``padj``.
        pvalue: The gene's p-value.
        rank: The rank j of a p-value p in the family at which ``padj`` is n_adjusted p / j; null without ``padj``.
        ranked_p: That p-value: the gene's own, or a larger one where it gives less.
    """

    gene_id: str
    contrast: str
    design: str
    variable: str | None
    level: str | None
    reference: str | None
    compares: str
    subset: str
    alpha: float
    engine: str | None
    engine_version: str | None
    dispersion: float | None
    n_tested: int
    n_adjusted: int
    na_reason: str | None
    pvalue: float | None
    rank: int | None
    ranked_p: float | None
    notes: Sequence[str]
    samples: Sequence[GeneSample]


def gene_fit(published: Published, row: Mapping[str, Any]) -> GeneFit | None:
    """The fit behind a row that names a gene and a contrast; None for other rows.

    Args:
        published: The open published warehouse.
        row: The explained row.
    """
    if not {"gene_id", "contrast"} <= set(row) or not has_table(published, RESULTS):
        return None
    result = published.recall(
        f"SELECT * FROM {RESULTS} WHERE contrast = ? AND gene_id = ?", [row["contrast"], row["gene_id"]]
    )
    declared = published.recall(f"SELECT * FROM {CONTRASTS} WHERE contrast = ?", [row["contrast"]])
    if result.is_empty() or declared.is_empty():
        return None
    gene, contrast = result.first(), declared.first()
    factors = contrast.get("size_factors") or [None] * len(contrast["samples"])
    family = published.recall(
        f"WITH own AS (SELECT pvalue, padj FROM {RESULTS} WHERE contrast = ?), "
        "here AS (SELECT max(pvalue) AS p FROM own "
        f"WHERE padj = (SELECT padj FROM {RESULTS} WHERE contrast = ? AND gene_id = ?)) "
        "SELECT count(pvalue) AS n_tested, count(padj) AS n_adjusted, (SELECT p FROM here) AS ranked_p, "
        "nullif(count(padj) FILTER (pvalue <= (SELECT p FROM here)), 0) AS rank FROM own",
        [row["contrast"], row["contrast"], row["gene_id"]],
    ).first()
    by_sample = dict(zip(contrast["samples"], factors, strict=True))
    designs = _designs(published, contrast["design"])
    return GeneFit(
        gene_id=gene["gene_id"],
        samples=[
            GeneSample(
                **sample, size_factor=by_sample[sample["sample_id"]], design=designs[sample["sample_id"]]
            )
            for sample in _samples(published, gene["gene_id"], contrast["samples"])
        ],
        dispersion=_dispersion(published, row),
        na_reason=gene["na_reason"],
        pvalue=gene["pvalue"],
        compares=_compares(contrast),
        notes=contrast["notes"],
        **family,
        **{
            name: contrast[name]
            for name in (
                "contrast", "design", "variable", "level", "reference", "subset", "alpha", "engine", "engine_version",
            )
        },
    )  # fmt: skip


def _compares(contrast: Mapping[str, Any]) -> str:
    """What a contrast compares: its levels, or how it is called."""
    if contrast["variable"] is None:
        return str(contrast["label"])
    return f"{contrast['variable']} {contrast['level']} against {contrast['reference']}"


def _dispersion(published: Published, row: Mapping[str, Any]) -> float | None:
    if not has_table(published, DISPERSIONS):
        return None
    found = published.recall(
        f"SELECT dispersion FROM {DISPERSIONS} WHERE contrast = ? AND gene_id = ?",
        [row["contrast"], row["gene_id"]],
    )
    return float(found["dispersion"][0]) if found.height and found["dispersion"][0] is not None else None


def _samples(published: Published, gene: str, samples: Sequence[str]) -> list[dict[str, Any]]:
    found = published.recall(
        f"WITH sheet AS ({_sheet_lines(published)}) "
        'SELECT s.sample_id, s.count_id, c.sheet AS matrix, c."column" AS "column", r.path AS sheet, '
        "r.line AS sheet_line, g.counts[s.position] AS count FROM expression.samples AS s "
        "JOIN expression.counts AS g ON g.gene_id = ? "
        'LEFT JOIN (SELECT count_id, min(sheet) AS sheet, min_by("column", sheet) AS "column" '
        "FROM raw.count_columns WHERE kind = 'count' GROUP BY count_id) AS c ON c.count_id = s.count_id "
        "LEFT JOIN sheet AS r ON r.sample_id = s.sample_id "
        "WHERE list_contains(?::VARCHAR[], s.sample_id) ORDER BY s.position",
        [gene, list(samples)],
    )
    return found.to_dicts()


def _designs(published: Published, design: str) -> dict[str, dict[str, str | None]]:
    """The values of a design's variables by sample."""
    named = re.findall(r"\w+", design)
    variables = [name for name in published.schema(SAMPLES) if name in named]
    listed = "".join(f", CAST({identifier(name)} AS VARCHAR) AS {identifier(name)}" for name in variables)
    found = published.recall(f"SELECT sample_id AS fm_sample{listed} FROM {SAMPLES}")
    return {row.pop("fm_sample"): row for row in found.to_dicts()}


def _sheet_lines(published: Published) -> str:
    """A SELECT of where each sample stands in the sheet: sample_id, path, line."""
    return (
        f"SELECT l.sample_id, r.path, r.line FROM ({LinkBook(published).delivered_pairs(SAMPLES, SHEET)}) AS l "
        "JOIN audit.source_rows AS r ON r._row_id = l._row_id AND r.source = 'samples'"
    )
