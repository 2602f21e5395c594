"""Row links of the expression half: samples, counts, fits, quality, gene sets.

Belongs here: which genes and samples stand behind a number, as a condition. Does not belong here: computing it
(``expression``).

A fit takes all genes together: library sizes, the dispersion trend and the adjustment rest on every gene. The gene's
own row gives the value; the others are its family, which is said as a whole and not row by row.
"""

from __future__ import annotations

from fm_platform.catalog.asset import RowsOf
from fm_platform.study.model import Study
from fm_platform.warehouse.names import identifier, literal

COUNTS, SAMPLES, RAW_COUNTS = "expression.counts", "expression.samples", "raw.counts"
COUNT_COLUMNS, SHEET, GENES = "raw.count_columns", "raw.samples", "expression.genes"
RESULTS, CONTRASTS, STABILITY = "expression.de_results", "expression.contrasts", "expression.stability"
DESIGN, FAMILY = "design", "family"
_GENE = "i.gene_id = o.gene_id"
_SAMPLE = "i.sample_id = o.sample_id"
_CONTRAST = "i.contrast = o.contrast"
_USED = "c.contrast = o.contrast AND list_contains(c.samples, i.sample_id)"
_OF_CONTRAST = ', "expression"."contrasts" AS c'
_EVERY_GENE = RowsOf(COUNTS, role=FAMILY)
_EVERY_SAMPLE = RowsOf(SAMPLES, role=FAMILY)


def expression_links(study: Study) -> dict[str, tuple[RowsOf, ...]]:
    """Table to the rows behind its rows."""
    if study.expression is None:
        return {}
    sheet_id = identifier(study.expression.samples.id)
    fitted = (RowsOf(COUNTS, _GENE), _EVERY_GENE, RowsOf(SAMPLES, _USED, _OF_CONTRAST, DESIGN))
    links = {
        COUNT_COLUMNS: (RowsOf(RAW_COUNTS),),
        "expression.input_notes": (RowsOf(RAW_COUNTS),),
        COUNTS: (RowsOf(RAW_COUNTS, _GENE), RowsOf(COUNT_COLUMNS, "i.kind IN ('count', 'gene_id')")),
        SAMPLES: (
            RowsOf(SHEET, f"trim(i.{sheet_id}) = o.sample_id"),
            RowsOf(COUNT_COLUMNS, "i.count_id = o.count_id"),
            RowsOf("raw.withdrawals", "trim(i.subject) = o.subject_id"),
            RowsOf("staging.stg_visits", "i.subject_id = o.subject_id AND i.visit_id = o.visit_id"),
        ),
        GENES: (RowsOf(COUNTS, _GENE), RowsOf(RAW_COUNTS, _GENE), RowsOf("raw.genes", _annotated())),
        "expression.library_sizes": (RowsOf(COUNTS), RowsOf(SAMPLES, _SAMPLE)),
        "expression.size_factors": (RowsOf(COUNTS), RowsOf(SAMPLES, _SAMPLE), _EVERY_SAMPLE),
        "expression.pca": (RowsOf(COUNTS), RowsOf(SAMPLES, _SAMPLE), _EVERY_SAMPLE),
        "expression.outliers": (RowsOf(COUNTS), RowsOf(SAMPLES, _SAMPLE), _EVERY_SAMPLE),
        "expression.sample_distances": (
            RowsOf(COUNTS),
            RowsOf(SAMPLES, "i.sample_id IN (o.sample_a, o.sample_b)"),
            _EVERY_SAMPLE,
        ),
        "expression.sex_genes": (
            RowsOf(COUNTS),
            RowsOf(GENES),
            RowsOf(SAMPLES, _SAMPLE),
            RowsOf("staging.stg_subjects", "i.subject_id = o.subject_id"),
            RowsOf(SHEET, f"trim(i.{sheet_id}) = o.sample_id"),
        ),
        CONTRASTS: (
            RowsOf(RESULTS, _CONTRAST),
            RowsOf(STABILITY, _CONTRAST),
            RowsOf(SAMPLES, "list_contains(o.samples, i.sample_id)"),
            RowsOf(SAMPLES, "NOT list_contains(coalesce(o.samples, []), i.sample_id)", role="decides"),
            RowsOf(COUNTS),
        ),
        "expression.gene_sets": (
            RowsOf("raw.gene_sets", "i.collection = o.collection AND i.gene_set = o.gene_set"),
            RowsOf(GENES),
        ),
        "expression.enrichment": (
            RowsOf("raw.gene_sets", "i.collection = o.collection AND i.gene_set = o.gene_set"),
            RowsOf(RESULTS, _CONTRAST),
            RowsOf(GENES),
        ),
        "report.top_genes": (
            RowsOf(RESULTS, f"{_CONTRAST} AND {_GENE}"),
            RowsOf(CONTRASTS, _CONTRAST),
        ),
    }
    own = [contrast.id for contrast in study.contrasts]
    for contrast in own:
        fit = f"expression.fit_{contrast}"
        links[fit] = fitted
        links[f"{STABILITY}_{contrast}"] = (RowsOf(fit, f"{_CONTRAST} AND {_GENE}"), *fitted)
    for table, prefix in (
        (RESULTS, "expression.fit_"),
        ("expression.dispersions", "expression.fit_"),
        ("expression.cooks", "expression.fit_"),
        (STABILITY, f"{STABILITY}_"),
    ):
        links[table] = tuple(
            RowsOf(f"{prefix}{contrast}", f"o.contrast = {literal(contrast)} AND {_CONTRAST} AND {_GENE}")
            for contrast in own
        )
    return links


def _annotated() -> str:
    """A gene's row of the annotation: the same id, or the same but for its version."""
    return "(i.gene_id = o.gene_id OR split_part(i.gene_id, '.', 1) = split_part(o.gene_id, '.', 1))"
