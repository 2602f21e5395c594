"""Gene annotation as delivered, and what is known of every gene of the matrix.

Belongs here: ``raw.genes`` and ``expression.genes``. Does not belong here: reading and joining them.
"""

from __future__ import annotations

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.delivered import source_rows
from fm_platform.expression.genes import expression_genes
from fm_platform.lineage.code import code_version
from fm_platform.sources.gene_annotation import read_genes
from fm_platform.study.model import Study
from fm_platform.warehouse.records import ColumnLineage
from fm_platform.warehouse.table import direct, indirect

RAW_GENES = "raw.genes"
GENES = "expression.genes"
_ABOUT = {
    "biotype": "What kind of gene it is",
    "description": "Its name in words",
    "chromosome": "Where it is",
    "start": "Its first base",
    "end": "Its last base",
    "strand": "+ or -",
}
"""What an annotation says about a gene beyond its names."""


def gene_assets(study: Study) -> list[Asset]:
    """``expression.genes``, and ``raw.genes`` where an annotation is declared."""
    assert study.expression is not None
    declared = study.expression.genes
    return [_genes(False)] if declared is None else [_raw(study), _genes(True)]


def _raw(study: Study) -> Asset:
    assert study.expression is not None
    assert study.expression.genes is not None
    return Asset(
        table=RAW_GENES,
        description="Gene annotation as delivered: one row a gene of a GTF or table, as text.",
        group="raw",
        kinds=("file", "duckdb"),
        half="expression",
        key=("gene_id",),
        study_keys=("expression",),
        source_files=(study.folder / study.expression.genes.path,),
        code_version=code_version(build_raw_genes),
        build=build_raw_genes,
        columns=columns(
            _row_id="Hash of source, row content and occurrence",
            gene_id="The gene",
            symbol="Its symbol",
            **_ABOUT,
        ),
    )


def build_raw_genes(step: Step) -> Built:
    """Read, keep and store the gene annotation."""
    assert step.study.expression is not None
    declared = step.study.expression.genes
    assert declared is not None
    path = step.study.resolve(declared.path, "expression", "genes", "path")
    name = path.relative_to(step.study.folder).as_posix()
    table = read_genes(path, name=name, id=declared.id, symbol=declared.symbol)
    kept = step.keep("genes", path)
    row_ids = table.frame["_row_id"].to_list()
    return Built(
        rows=table.frame,
        source_rows=source_rows("genes", row_ids, table.lines, table.file.sha256, kept.path),
        metadata={"file": name, "sha256": table.file.sha256, "genes": table.frame.height},
    )


def _genes(annotated: bool) -> Asset:
    return Asset(
        table=GENES,
        description="Every gene of the matrix: symbol, place, and whether a spreadsheet changed its name.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=("expression.counts", "raw.counts", *([RAW_GENES] if annotated else [])),
        key=("gene_id",),
        code_version=code_version(build_genes),
        build=build_genes,
        lineage=_lineage(annotated),
        columns=columns(
            gene_id="The gene",
            symbol="Its symbol: the annotation's, else the count file's",
            symbol_source="annotation or counts",
            **_ABOUT,
            match="How it was found in the annotation: exact, without version, or not (null)",
            damage="What its id or symbol was before a spreadsheet made it a date or number",
        ),
    )


def _lineage(annotated: bool) -> ColumnLineage:
    gene = direct("expression.counts", "gene_id", how="IDENTITY")
    rows = indirect("expression.counts", "gene_id", how="JOIN")
    counted = (*direct("raw.counts", "symbol"), *indirect("raw.counts", "gene_id", how="JOIN"))
    if not annotated:
        symbol = (*counted, *rows)
        about = dict.fromkeys((*_ABOUT, "match"), rows)
    else:
        found = (*indirect(RAW_GENES, "gene_id", how="JOIN"), *rows)
        symbol = (*counted, *direct(RAW_GENES, "symbol"), *found)
        about = {name: (*direct(RAW_GENES, name, how="IDENTITY"), *found) for name in _ABOUT}
        about["match"] = (*gene, *direct(RAW_GENES, "gene_id"))
    return {
        "gene_id": gene,
        "symbol": symbol,
        "symbol_source": symbol,
        **about,
        "damage": (*direct("expression.counts", "gene_id"), *symbol),
    }


def build_genes(step: Step) -> Built:
    """``expression.genes``."""
    assert step.study.expression is not None
    annotation = step.read(RAW_GENES) if step.study.expression.genes is not None else None
    rows = expression_genes(step.read("expression.counts"), step.read("raw.counts"), annotation)
    return Built(
        rows=rows,
        metadata={
            "named": rows.height - rows["symbol"].null_count(),
            "not_in_annotation": rows["match"].null_count() if annotation is not None else rows.height,
            "changed_by_a_spreadsheet": rows.height - rows["damage"].null_count(),
        },
    )
