"""From transcripts to genes: sums of estimated counts, and average transcript lengths for offsets.

Belongs here: the rule. Does not belong here: reading kallisto's and salmon's files (``transcripts``).

Method: Soneson, Love and Robinson 2015, doi 10.12688/f1000research.7563.2 (simple sum with average-length
offset).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class GeneEstimates:
    """Estimates by gene and sample, shape (genes, samples) each.

    Attributes:
        counts: Sum of the transcripts' estimated counts.
        lengths: Average transcript length in bases, weighted by abundance.
    """

    counts: NDArray[np.float64]
    lengths: NDArray[np.float64]


def summarize(
    gene_of: NDArray[np.int64],
    n_genes: int,
    counts: NDArray[np.float64],
    abundances: NDArray[np.float64],
    lengths: NDArray[np.float64],
) -> GeneEstimates:
    """Sum transcripts to genes.

    A gene's length in a sample is the mean of its transcripts' effective lengths, weighted by their
    abundance there. Where none is expressed, it is the geometric mean of the gene's lengths in the other
    samples; where none is expressed in any sample, the plain mean over samples and transcripts.

    Args:
        gene_of: Each transcript's gene, 0 to ``n_genes`` - 1.
        n_genes: Number of genes; each has a transcript.
        counts: Estimated counts, shape (transcripts, samples).
        abundances: TPM, of that shape.
        lengths: Effective lengths in bases, of that shape.
    """
    gene_counts = _sum(gene_of, n_genes, counts)
    weight = _sum(gene_of, n_genes, abundances)
    with np.errstate(invalid="ignore", divide="ignore"):
        averages = _sum(gene_of, n_genes, abundances * lengths) / weight
    per_transcript = lengths.mean(axis=1, keepdims=True)
    members = np.bincount(gene_of, minlength=n_genes)[:, None]
    plain = _sum(gene_of, n_genes, per_transcript) / members
    known = np.isfinite(averages)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(known, np.log(averages), 0.0)
        geometric = np.exp(logs.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True))
    substitute = np.where(known.any(axis=1, keepdims=True), geometric, plain)
    return GeneEstimates(gene_counts, np.where(known, averages, substitute))


def _sum(gene_of: NDArray[np.int64], n_genes: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums by gene, always added in the transcripts' order."""
    columns = [np.bincount(gene_of, weights=values[:, i], minlength=n_genes) for i in range(values.shape[1])]
    return np.column_stack(columns)
