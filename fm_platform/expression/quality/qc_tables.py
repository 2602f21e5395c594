"""The quality tables of samples: library sizes, size factors, PCA, distances, outliers.

Belongs here: their columns and keys, and which samples and genes take part. Does not belong here: the measures
(``qc``, ``qc_normalize``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.expression.counts import NOT_COUNTED, counts_array
from fm_platform.expression.lengths import lengths_array
from fm_platform.expression.quality.qc import (
    OUTLIER_SCORE,
    distances,
    outlier_scores,
    principal_components,
    rank_correlations,
)
from fm_platform.expression.quality.qc_normalize import (
    PRIOR_COUNT,
    SizeFactors,
    length_factors,
    log2_normalized,
    size_factors,
)

LOG2 = f"log2(count / size factor + {PRIOR_COUNT})"
LOG2_LENGTHS = f"log2(count / (size factor x length factor) + {PRIOR_COUNT})"
MIN_FOR_OUTLIERS = 4

_IDS = {"sample_id": pl.String()}


@dataclass(frozen=True, eq=False)
class SampleCounts:
    """The samples that can be compared, and the genes that all of them have a count of.

    Attributes:
        ids: Sample ids in matrix order; those without counts or without a single read are left out.
        genes: Gene ids.
        counts: Shape (genes, samples).
        lengths: Average transcript lengths of that shape, or None.
    """

    ids: tuple[str, ...]
    genes: tuple[str, ...]
    counts: NDArray[np.int64]
    lengths: NDArray[np.float64] | None

    @cached_property
    def size_factors(self) -> SizeFactors:
        """Over all of these samples."""
        return size_factors(self.counts / self._length_factors)

    @cached_property
    def log2(self) -> NDArray[np.float64]:
        """Log2 values, shape (genes, samples)."""
        return log2_normalized(
            self.counts.astype(np.float64), self._length_factors * self.size_factors.factors
        )

    @property
    def transform(self) -> str:
        """How :attr:`log2` is made."""
        return LOG2 if self.lengths is None else LOG2_LENGTHS

    @cached_property
    def _length_factors(self) -> NDArray[np.float64]:
        return np.ones((1, 1)) if self.lengths is None else length_factors(self.lengths)


def sample_counts(counts: pl.DataFrame, samples: pl.DataFrame) -> SampleCounts:
    """What the quality tables are made from.

    Args:
        counts: ``expression.counts``.
        samples: ``expression.samples``.
    """
    genes, matrix = counts_array(counts)
    lengths = lengths_array(counts)
    placed = samples.filter(pl.col("position").is_not_null()).sort("position")
    at = placed["position"].to_numpy() - 1
    chosen = matrix[:, at]
    read = np.where(chosen == NOT_COUNTED, 0, chosen).sum(axis=0) > 0
    at, placed = at[read], placed.filter(pl.Series(read))
    kept = (matrix[:, at] != NOT_COUNTED).all(axis=1)
    return SampleCounts(
        ids=tuple(placed["sample_id"]),
        genes=tuple(gene for gene, keep in zip(genes, kept, strict=True) if keep),
        counts=matrix[np.ix_(kept, at)],
        lengths=None if lengths is None else lengths[np.ix_(kept, at)],
    )


def library_sizes(counts: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """``expression.library_sizes``; key sample_id. Every sample with a place in the matrix, read or not."""
    genes, matrix = counts_array(counts)
    rows = []
    for sample in samples.filter(pl.col("position").is_not_null()).sort("position").iter_rows(named=True):
        own = matrix[:, sample["position"] - 1]
        counted = own != NOT_COUNTED
        own = np.where(counted, own, 0)
        reads = int(own.sum())
        largest = int(np.argmax(own))
        hundred = int(np.sort(own)[-100:].sum())
        rows.append(
            {
                "sample_id": sample["sample_id"],
                "reads": reads,
                "genes_counted": int(counted.sum()),
                "genes_detected": int((own > 0).sum()),
                "top_gene": genes[largest] if reads else None,
                "top_gene_share": int(own[largest]) / reads if reads else None,
                "top_100_share": hundred / reads if reads else None,
            }
        )
    types = {
        **_IDS,
        **dict.fromkeys(("reads", "genes_counted", "genes_detected"), pl.Int64()),
        "top_gene": pl.String(),
        **dict.fromkeys(("top_gene_share", "top_100_share"), pl.Float64()),
    }
    return pl.DataFrame(rows, schema=types, orient="row")


def size_factor_table(data: SampleCounts) -> pl.DataFrame:
    """``expression.size_factors``; key sample_id."""
    types = {**_IDS, "size_factor": pl.Float64(), "n_genes": pl.Int64(), "method": pl.String()}
    if not data.ids:
        return pl.DataFrame(schema=types)
    found = data.size_factors
    rows = zip(data.ids, found.factors.tolist(), strict=True)
    method = found.method if data.lengths is None else f"{found.method}, counts divided by length factors"
    return pl.DataFrame(
        [(name, factor, found.n_genes, method) for name, factor in rows], schema=types, orient="row"
    )


def pca_table(data: SampleCounts) -> pl.DataFrame:
    """``expression.pca``; key sample_id, component."""
    types = {
        **_IDS,
        "component": pl.Int32(),
        "coordinate": pl.Float64(),
        "variance_share": pl.Float64(),
        "n_genes": pl.Int64(),
        "transform": pl.String(),
    }
    if len(data.ids) < 2:
        return pl.DataFrame(schema=types)
    found = principal_components(data.log2)
    rows = [
        (
            name,
            c + 1,
            float(found.coordinates[i, c]),
            float(share),
            found.n_genes,
            data.transform,
        )
        for i, name in enumerate(data.ids)
        for c, share in enumerate(found.shares)
    ]
    return pl.DataFrame(rows, schema=types, orient="row")


def distance_table(data: SampleCounts) -> pl.DataFrame:
    """``expression.sample_distances``; key sample_a, sample_b: each pair once, in matrix order."""
    types = {
        "sample_a": pl.String(),
        "sample_b": pl.String(),
        "distance": pl.Float64(),
        "spearman": pl.Float64(),
        "n_genes": pl.Int64(),
        "transform": pl.String(),
    }
    if len(data.ids) < 2:
        return pl.DataFrame(schema=types)
    apart, alike = distances(data.log2), rank_correlations(data.log2)
    rows = [
        (
            data.ids[i],
            data.ids[j],
            float(apart[i, j]),
            float(alike[i, j]),
            len(data.genes),
            data.transform,
        )
        for i in range(len(data.ids))
        for j in range(i + 1, len(data.ids))
    ]
    return pl.DataFrame(rows, schema=types, orient="row").with_columns(pl.col("spearman").fill_nan(None))


def outlier_table(data: SampleCounts) -> pl.DataFrame:
    """``expression.outliers``; key sample_id. ``score`` is null, with a note, where none can be given."""
    types = {
        **_IDS,
        "mean_correlation": pl.Float64(),
        "median_correlation": pl.Float64(),
        "mad": pl.Float64(),
        "score": pl.Float64(),
        "threshold": pl.Float64(),
        "outlier": pl.Boolean(),
        "n_samples": pl.Int32(),
        "note": pl.String(),
    }
    n = len(data.ids)
    rows: list[tuple[object, ...]] = []
    if n < MIN_FOR_OUTLIERS:
        few = f"{n} samples are too few to call one an outlier"
        rows += [(name, None, None, None, None, OUTLIER_SCORE, None, n, few) for name in data.ids]
        return pl.DataFrame(rows, schema=types, orient="row")
    found = outlier_scores(rank_correlations(data.log2))
    note = None if found.mad > 0 else "all samples correlate alike"
    for i, name in enumerate(data.ids):
        score = float(found.scores[i]) if found.mad > 0 else None
        outlier = score <= OUTLIER_SCORE if score is not None else None
        mean = float(found.means[i])
        rows.append((name, mean, found.median, found.mad, score, OUTLIER_SCORE, outlier, n, note))
    return pl.DataFrame(rows, schema=types, orient="row")
