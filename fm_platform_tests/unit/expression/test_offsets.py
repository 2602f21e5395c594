from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fm_platform.expression.de import run_de
from fm_platform.expression.designs.contrasts import ContrastPlan
from fm_platform.expression.fit.offsets import normalization_factors
from fm_platform.expression.run import run_plan
from fm_platform.sources.counts.matrix import CountOptions

GROUPS = ["a", "b", "a", "b", "a", "b"]


@pytest.fixture
def two_groups(plan: Callable[..., ContrastPlan]) -> ContrastPlan:
    return plan("~ group", "group", "b", "a", group=GROUPS)


def test_equal_lengths_change_nothing_but_the_scale_of_base_means(
    two_groups: ContrastPlan, simulate: Any
) -> None:
    counts = simulate(GROUPS, up_in="b", genes=120)
    genes = [f"g{i}" for i in range(len(counts))]
    without = run_plan(counts, None, genes, two_groups)
    with_lengths = run_plan(counts, np.full(counts.shape, 900.0), genes, two_groups)
    for name in ("log2_fold_change", "stat", "pvalue"):
        np.testing.assert_allclose(with_lengths.frame[name], without.frame[name], rtol=1e-2, atol=1e-4)
    assert "average transcript lengths are offsets" in with_lengths.notes


def test_a_gene_twice_as_long_in_one_group_is_corrected(two_groups: ContrastPlan, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="a", genes=120, fold=1.0)
    lengths = np.full(counts.shape, 1000.0)
    in_b = np.array(GROUPS) == "b"
    lengths[0, in_b] = 2000
    doubled = counts.copy()
    doubled[0, in_b] *= 2
    genes = [f"g{i}" for i in range(len(counts))]
    plain = run_plan(counts, None, genes, two_groups)
    corrected = run_plan(doubled, lengths, genes, two_groups)
    misled = run_plan(doubled, None, genes, two_groups)
    change = "log2_fold_change"
    assert corrected.frame[change][0] == pytest.approx(plain.frame[change][0], abs=0.1)
    assert misled.frame[change][0] == pytest.approx(plain.frame[change][0] + 1, abs=0.1)


def test_factors_have_geometric_mean_one_in_every_gene(two_groups: ContrastPlan, simulate: Any) -> None:
    counts = simulate(GROUPS, up_in="b", genes=50)
    lengths = np.random.default_rng(2).uniform(500, 3000, counts.shape)
    factors = normalization_factors(counts, lengths, two_groups)
    np.testing.assert_allclose(np.log(factors).mean(axis=1), 0, atol=1e-12)


def test_airway_kallisto_agrees_in_direction_with_the_count_matrix(shared_data: Path, tmp_path: Path) -> None:
    """On the hundred genes that DESeq2 is surest of in the count matrix."""
    folder = shared_data / "airway_kallisto"
    out = tmp_path / "de.csv"
    summary = run_de(
        folder / "kallisto",
        folder / "airway_metadata.csv",
        "~ celltype + dex",
        "dex,treated,control",
        out=out,
        options=CountOptions(tx2gene=folder / "Homo_sapiens.GRCh38.tx2gene.tsv.gz"),
    )
    assert "average transcript lengths are offsets" in summary.notes
    ours = pl.read_csv(out).select("gene_id", ours="log2FoldChange")
    oracle = shared_data / "airway" / "oracle_R_DESeq2_1.38.3" / "results.csv.gz"
    theirs = pl.read_csv(oracle, null_values="NA").rename({"": "gene_id"})
    both = theirs.join(ours, on="gene_id").sort("pvalue", nulls_last=True).head(100)
    assert both.filter(pl.col("ours") * pl.col("log2FoldChange") > 0).height == 100
    assert (both["ours"] - both["log2FoldChange"]).abs().median() < 0.1  # type: ignore[operator]
