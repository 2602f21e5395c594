"""The quality tables of samples as assets.

Belongs here: their columns in words, inputs and column lineage. Does not belong here: measures (``assets``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.expression.quality.qc_tables import (
    SampleCounts,
    distance_table,
    library_sizes,
    outlier_table,
    pca_table,
    sample_counts,
    size_factor_table,
)
from fm_platform.lineage.code import code_version
from fm_platform.warehouse.records import Column, ColumnInput
from fm_platform.warehouse.table import direct, indirect

COUNTS = "expression.counts"
SAMPLES = "expression.samples"

_NAMES = ("sample_id", "sample_a", "sample_b")
_SAMPLE = "The sample"
_TRANSFORM = "How counts were made comparable"
_GENES_USED = "Genes used: those that every sample has a count of"


def qc_assets() -> list[Asset]:
    """Tables for looking at samples; every study with counts has them."""
    return [_library_sizes(), _size_factors(), _pca(), _distances(), _outliers()]


def _asset(
    table: str,
    description: str,
    key: tuple[str, ...],
    described: tuple[Column, ...],
    build: Callable[[Step], Built],
    *,
    lengths: bool = True,
    constant: Mapping[str, str] | None = None,
    **own: tuple[ColumnInput, ...],
) -> Asset:
    placed = indirect(SAMPLES, "position")
    values = (*direct(COUNTS, "counts", *(["lengths"] if lengths else [])), *direct(SAMPLES, "position"))
    named = (*direct(SAMPLES, "sample_id", how="IDENTITY"), *placed)
    return Asset(
        table=table,
        description=description,
        group="expression",
        kinds=("polars", "duckdb"),
        half="expression",
        inputs=(SAMPLES, COUNTS),
        key=key,
        code_version=code_version(build),
        build=build,
        lineage={
            **{column.name: named if column.name in _NAMES else values for column in described},
            **own,
            **dict.fromkeys(constant or {}, ()),
        },
        columns=constants(described, **(constant or {})),
    )


def _library_sizes() -> Asset:
    return _asset(
        "expression.library_sizes",
        "Reads and detected genes of every sample.",
        ("sample_id",),
        columns(
            sample_id=_SAMPLE,
            reads="Sum of its counts",
            genes_counted="Genes that its file has a count of",
            genes_detected="Genes with at least one read",
            top_gene="The gene with most reads",
            top_gene_share="Its share of the reads",
            top_100_share="The share of the hundred genes with most reads",
        ),
        build_library_sizes,
        lengths=False,
        top_gene=(*direct(COUNTS, "gene_id", "counts"), *direct(SAMPLES, "position")),
    )


def build_library_sizes(step: Step) -> Built:
    """``expression.library_sizes``."""
    return Built(rows=library_sizes(step.read(COUNTS), step.read(SAMPLES)))


def _size_factors() -> Asset:
    return _asset(
        "expression.size_factors",
        "Median-of-ratios size factors over all samples (a contrast has its own, over its samples).",
        ("sample_id",),
        columns(
            sample_id=_SAMPLE,
            size_factor="What its counts are divided by",
            n_genes="Genes that the factors are made from",
            method="ratio, or poscounts where no gene has reads in every sample",
        ),
        build_size_factors,
    )


def build_size_factors(step: Step) -> Built:
    """``expression.size_factors``."""
    return Built(rows=size_factor_table(_data(step)))


def _pca() -> Asset:
    return _asset(
        "expression.pca",
        "Principal components of samples over the 500 most variable genes.",
        ("sample_id", "component"),
        columns(
            sample_id=_SAMPLE,
            component="The component, from 1",
            coordinate="Where the sample lies on the component",
            variance_share="Its share of the variance of the genes used",
            n_genes="Genes used",
            transform=_TRANSFORM,
        ),
        build_pca,
        sample_id=(
            *direct(SAMPLES, "sample_id", how="IDENTITY"),
            *indirect(SAMPLES, "position"),
            *indirect(COUNTS, "counts", "lengths"),
        ),
    )


def build_pca(step: Step) -> Built:
    """``expression.pca``."""
    return Built(rows=pca_table(_data(step)))


def _distances() -> Asset:
    return _asset(
        "expression.sample_distances",
        "Distance and rank correlation of every pair of samples.",
        ("sample_a", "sample_b"),
        columns(
            sample_a="The sample that comes first in the matrix",
            sample_b="The other one",
            distance="Euclidean distance over all genes",
            spearman="Rank correlation over all genes",
            n_genes=_GENES_USED,
            transform=_TRANSFORM,
        ),
        build_distances,
    )


def build_distances(step: Step) -> Built:
    """``expression.sample_distances``."""
    return Built(rows=distance_table(_data(step)))


def _outliers() -> Asset:
    return _asset(
        "expression.outliers",
        "Samples whose mean rank correlation with all others is far below the usual, in MADs.",
        ("sample_id",),
        columns(
            sample_id=_SAMPLE,
            mean_correlation="Its mean rank correlation with all other samples",
            median_correlation="The median of these over all samples",
            mad="Their median absolute deviation, times 1.4826",
            score="(mean_correlation - median_correlation) / mad",
            threshold="A score at or below this makes an outlier",
            outlier="Whether the sample is one",
            n_samples="Samples compared",
            note="Why there is no score",
        ),
        build_outliers,
        constant={"threshold": "the threshold in code"},
        n_samples=direct(SAMPLES, "position", how="AGGREGATION"),
    )


def build_outliers(step: Step) -> Built:
    """``expression.outliers``."""
    rows = outlier_table(_data(step))
    return Built(rows=rows, metadata={"outliers": rows.filter(pl.col("outlier"))["sample_id"].to_list()})


def _data(step: Step) -> SampleCounts:
    return sample_counts(step.read(COUNTS), step.read(SAMPLES))
