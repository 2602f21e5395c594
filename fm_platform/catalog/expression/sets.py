"""Gene sets as delivered, how they meet the matrix, and their enrichment in every contrast.

Belongs here: ``raw.gene_sets``, ``expression.gene_sets``, ``expression.enrichment`` as assets. Does not belong here:
matching and testing (``assets``).
"""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.catalog.delivered import source_rows
from fm_platform.expression.sets.gene_sets import enrichment_table, set_report
from fm_platform.lineage.code import code_version
from fm_platform.sources.gmt import read_gmt
from fm_platform.study.model import Study
from fm_platform.warehouse.table import direct, indirect

RAW = "raw.gene_sets"
REPORT = "expression.gene_sets"
ENRICHMENT = "expression.enrichment"
GENES = "expression.genes"
RESULTS = "expression.de_results"

_MATCHED = (
    *direct(RAW, "members"),
    *direct(GENES, "gene_id", "symbol"),
    *indirect(RAW, "collection", how="GROUP_BY"),
)
"""Whether members are looked up as ids or as symbols: a collection's affair."""
_ROWS = (
    *indirect(RESULTS, "contrast", how="GROUP_BY"),
    *indirect(RAW, "collection", "gene_set", how="GROUP_BY"),
)
_RANKED = (
    *_MATCHED,
    *direct(RESULTS, "stat"),
    *indirect(RESULTS, "gene_id", how="SORT"),
    *_ROWS,
)

_IN_CODE = {"method": "the method in code", "seed": "the seed in code"}


def set_assets(study: Study) -> list[Asset]:
    """The gene-set tables of a study that names GMT files."""
    return [_raw(study), _report(), _enrichment()] if study.gene_sets else []


def _raw(study: Study) -> Asset:
    return Asset(
        table=RAW,
        description="Gene sets as delivered: one row a line of a GMT file.",
        group="raw",
        kinds=("file", "duckdb"),
        half="expression",
        key=("collection", "gene_set"),
        study_keys=("gene_sets",),
        source_files=tuple(study.folder / path for path in study.gene_sets),
        code_version=code_version(build_raw_sets),
        build=build_raw_sets,
        columns=columns(
            _row_id="Hash of the line's content",
            collection="The GMT file",
            gene_set="The set",
            description="What the file says of it",
            members="Its members, each once",
            gmt_sha256="SHA-256 of the file",
        ),
    )


def build_raw_sets(step: Step) -> Built:
    """Read, keep and store the GMT files."""
    frames, origin = [], []
    for pattern in step.study.gene_sets:
        path = step.study.resolve(pattern, "gene_sets")
        found = read_gmt(path, name=path.relative_to(step.study.folder).as_posix())
        kept = step.keep("gene_sets", path)
        row_ids = found.frame["_row_id"].to_list()
        origin.append(source_rows("gene_sets", row_ids, found.lines, found.file.sha256, kept.path))
        frames.append(found.frame)
    return Built(rows=pl.concat(frames), source_rows=pl.concat(origin))


def _report() -> Asset:
    described = columns(
        collection="The GMT file",
        gene_set="The set",
        description="What the file says of it",
        n_members="Members in the file",
        n_in_matrix="Of these, in the matrix",
        not_in_matrix="Members that the matrix does not have: aliases, clone ids, genes not counted",
        other_case="Of these, those that it has in other letter case",
        matched_by="Whether members are looked up as gene_id or as symbol",
        gmt_sha256="SHA-256 of the file",
    )
    plain = {
        name: direct(RAW, name, how="IDENTITY")
        for name in ("collection", "gene_set", "description", "gmt_sha256")
    }
    plain["n_members"] = direct(RAW, "members")
    return Asset(
        table=REPORT,
        description="Which members of every gene set the matrix has, and which it does not.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(RAW, GENES),
        key=("collection", "gene_set"),
        code_version=code_version(build_report),
        build=build_report,
        lineage={column.name: plain.get(column.name, _MATCHED) for column in described},
        columns=described,
    )


def build_report(step: Step) -> Built:
    """``expression.gene_sets``."""
    return Built(rows=set_report(step.read(GENES), step.read(RAW)))


def _enrichment() -> Asset:
    described = columns(
        contrast="The contrast",
        collection="The GMT file",
        gene_set="The set",
        n_ranked="Members with a test statistic",
        es="Running-sum score; positive when members go up",
        nes="Score over the mean score of random sets of that size and sign",
        pvalue="Share of random sets of that size and sign with a score as extreme, the set itself counted",
        p_floor="The smallest p-value that the permutations can give",
        padj="Benjamini-Hochberg over the tested sets of the contrast and file",
        leading_edge="Members up to the peak of the running sum, most extreme first",
        n_genes="Genes in the ranking",
        matched_by="Whether members are looked up as gene_id or as symbol",
        method="How it was tested",
        seed="Seed of the permutations",
        gmt_sha256="SHA-256 of the file",
        note="Why a set was not tested",
    )
    plain = {
        "contrast": (*direct(RESULTS, "contrast", how="IDENTITY"), *_ROWS),
        **{
            name: (*direct(RAW, name, how="IDENTITY"), *_ROWS)
            for name in ("collection", "gene_set", "gmt_sha256")
        },
        "matched_by": (*_MATCHED, *_ROWS),
        **dict.fromkeys(_IN_CODE, ()),
    }
    return Asset(
        table=ENRICHMENT,
        description="Pre-ranked enrichment of every gene set in every contrast.",
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(RAW, GENES, RESULTS),
        key=("contrast", "collection", "gene_set"),
        code_version=code_version(build_enrichment),
        build=build_enrichment,
        lineage={column.name: plain.get(column.name, _RANKED) for column in described},
        columns=constants(described, **_IN_CODE),
    )


def build_enrichment(step: Step) -> Built:
    """``expression.enrichment``."""
    return Built(rows=enrichment_table(step.read(RESULTS), step.read(GENES), step.read(RAW)))
