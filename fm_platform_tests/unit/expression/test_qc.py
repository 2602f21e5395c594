from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fm_platform.expression.quality.qc import (
    distances,
    outlier_scores,
    principal_components,
    rank_correlations,
)
from fm_platform.expression.quality.qc_normalize import length_factors, size_factors
from fm_platform.expression.quality.qc_tables import (
    distance_table,
    library_sizes,
    outlier_table,
    pca_table,
    sample_counts,
    size_factor_table,
)
from fm_platform.sources.counts.reading import read_counts


def _tables(
    counts: NDArray[np.int64], lengths: NDArray[np.float64] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """expression.counts and expression.samples of a matrix whose samples are s1, s2, ..."""
    genes = [f"g{i:05d}" for i in range(len(counts))]
    listed = [[None if value < 0 else value for value in row] for row in counts.tolist()]
    frame = pl.DataFrame(
        {
            "gene_id": genes,
            "counts": pl.Series(listed, dtype=pl.List(pl.Int64)),
            "lengths": pl.Series(
                [None] * len(genes) if lengths is None else lengths.tolist(), dtype=pl.List(pl.Float64)
            ),
            "_row_ids": [[f"row{i}"] for i in range(len(genes))],
        }
    )
    n = counts.shape[1]
    samples = pl.DataFrame(
        {
            "sample_id": [f"s{i + 1}" for i in range(n)],
            "position": pl.Series(range(1, n + 1), dtype=pl.Int32),
            "_row_ids": [[f"sheet{i}"] for i in range(n)],
        }
    )
    return frame, samples


def test_size_factors_are_those_of_deseq2(shared_data: Path) -> None:
    folder = shared_data / "pasilla"
    matrix = read_counts(folder / "pasilla_gene_counts.tsv", name="pasilla")
    oracle = pl.read_csv(folder / "oracle_R_DESeq2_1.38.3" / "size_factors.csv.gz")
    expected = dict(zip(oracle[""], oracle["sizeFactor"], strict=True))
    found = size_factors(matrix.counts.astype(float))
    assert found.method == "ratio"
    np.testing.assert_allclose(found.factors, [expected[name] for name in matrix.count_ids], rtol=1e-13)


def test_principal_components_are_those_of_r(shared_data: Path) -> None:
    folder = shared_data / "pasilla" / "oracle_R_DESeq2_1.38.3"
    values = pl.read_csv(folder / "vst_blind.csv.gz")
    oracle = pl.read_csv(folder / "pca_top500.csv.gz")
    assert oracle[""].to_list() == values.columns[1:]
    found = principal_components(values[:, 1:].to_numpy())
    expected = oracle[:, 1:].to_numpy()
    signs = np.sign((found.coordinates[:, :4] * expected).sum(axis=0))
    np.testing.assert_allclose(found.coordinates[:, :4] * signs, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("pasilla", "pasilla_gene_counts.tsv"),
        ("airway", "airway_rawcounts.csv"),
        ("tb_suscept", "counts.txt"),
    ],
)
def test_log2_components_are_close_to_those_of_vst(shared_data: Path, folder: str, file: str) -> None:
    matrix = read_counts(shared_data / folder / file, name=file)
    table = pca_table(sample_counts(*_tables(matrix.counts)))
    oracle = pl.read_csv(shared_data / folder / "oracle_R_DESeq2_1.38.3" / "pca_top500.csv.gz")
    place = {name: index for index, name in enumerate(oracle[""])}
    expected = oracle[[place[name] for name in matrix.count_ids]]
    for component in (1, 2):
        ours = table.filter(component=component)["coordinate"].to_numpy()
        assert abs(np.corrcoef(ours, expected[f"PC{component}"].to_numpy())[0, 1]) > 0.995


def test_the_sign_of_a_component_does_not_depend_on_the_order_of_samples() -> None:
    values = np.random.default_rng(0).normal(size=(60, 6))
    order = np.array([3, 1, 5, 0, 4, 2])
    np.testing.assert_allclose(
        principal_components(values).coordinates[order],
        principal_components(values[:, order]).coordinates,
        atol=1e-7,
    )


def test_variance_shares_add_up_and_constant_genes_take_no_part() -> None:
    values = np.vstack([np.random.default_rng(1).normal(size=(20, 5)), np.ones((3, 5))])
    found = principal_components(values)
    assert found.n_genes == 20
    assert found.shares.sum() == pytest.approx(1)
    assert (np.diff(found.shares) < 0).all()


def test_distances_and_rank_correlations() -> None:
    values = np.array([[0.0, 3, 0], [0, 4, 1], [1, 9, 2]])
    assert distances(values)[0, 1] == pytest.approx(np.sqrt(9 + 16 + 64))
    correlations = rank_correlations(values)
    assert correlations[1, 2] == 1
    assert correlations[0, 1] == pytest.approx(np.sqrt(3) / 2)


def test_library_sizes_count_reads_and_genes() -> None:
    counts, samples = _tables(np.array([[10, 0, 0], [30, 5, 0], [-1, 5, 0]]))
    found = library_sizes(counts, samples).rows()
    assert found[0] == ("s1", 40, 2, 2, "g00001", 0.75, 1.0)
    assert found[1][:4] == ("s2", 10, 3, 2)
    assert found[2] == ("s3", 0, 3, 0, None, None, None)


def test_a_swapped_sample_is_an_outlier(simulate: Callable[..., NDArray[np.int64]]) -> None:
    values = simulate(["a"] * 8, "b", genes=400)
    values[:, 3] = values[::-1, 3]
    found = outlier_table(sample_counts(*_tables(values)))
    assert found.filter(pl.col("outlier"))["sample_id"].to_list() == ["s4"]
    assert found["threshold"].unique().to_list() == [-5.0]


def test_three_samples_are_too_few_for_an_outlier() -> None:
    found = outlier_table(sample_counts(*_tables(np.array([[1, 2, 3], [4, 5, 9]]))))
    assert found["outlier"].to_list() == [None] * 3
    assert "too few" in found["note"][0]


def test_scores_are_mad_scores() -> None:
    correlations = np.array([[1, 0.9, 0.8], [0.9, 1, 0.7], [0.8, 0.7, 1]])
    found = outlier_scores(correlations)
    np.testing.assert_allclose(found.means, [0.85, 0.8, 0.75])
    np.testing.assert_allclose(found.scores, [1 / 1.4826, 0, -1 / 1.4826])


def test_samples_without_reads_and_genes_not_counted_everywhere_are_left_out() -> None:
    data = sample_counts(*_tables(np.array([[1, 2, 0], [4, -1, 0], [5, 6, 0]])))
    assert data.ids == ("s1", "s2")
    assert data.genes == ("g00000", "g00002")
    assert distance_table(data)["n_genes"].to_list() == [2]


def test_without_a_gene_read_in_all_samples_positive_counts_are_used() -> None:
    found = size_factor_table(sample_counts(*_tables(np.array([[4, 0], [0, 4], [8, 0], [0, 8]]))))
    assert found["method"].to_list() == ["poscounts"] * 2
    assert found["size_factor"].to_list() == pytest.approx([1, 1])


def test_lengths_are_divided_out_before_size_factors() -> None:
    lengths = np.array([[100.0, 400], [100, 400], [300, 300]])
    counts = np.array([[50, 200], [10, 40], [60, 60]])
    np.testing.assert_allclose(length_factors(lengths)[:, 0], [0.5, 0.5, 1])
    data = sample_counts(*_tables(counts, lengths))
    found = size_factor_table(data)
    assert found["size_factor"].to_list() == pytest.approx([1, 1])
    assert found["method"][0].endswith("length factors")
    np.testing.assert_allclose(data.log2[:, 0], data.log2[:, 1])


def test_kallisto_counts_with_lengths_change_in_the_direction_of_the_count_matrix(shared_data: Path) -> None:
    """The hundred genes that DESeq2 is surest of in the count matrix, by paired differences of log values."""
    folder = shared_data / "airway_kallisto"
    matrix = read_counts(
        folder / "kallisto", name="kallisto", tx2gene=folder / "Homo_sapiens.GRCh38.tx2gene.tsv.gz"
    )
    data = sample_counts(*_tables(matrix.counts, matrix.lengths))
    oracle = pl.read_csv(
        shared_data / "airway" / "oracle_R_DESeq2_1.38.3" / "results.csv.gz", null_values="NA"
    )
    sheet = pl.read_csv(folder / "airway_metadata.csv")
    treated = dict(zip(sheet["id"], sheet["dex"] == "treated", strict=True))
    signs = np.array([1.0 if treated[name] else -1.0 for name in matrix.count_ids])
    change = dict(zip(matrix.gene_ids, data.log2 @ signs, strict=True))
    top = oracle.filter(pl.col("").is_in(matrix.gene_ids)).sort("pvalue", nulls_last=True).head(100)
    same = [change[gene] * lfc > 0 for gene, lfc in top.select("", "log2FoldChange").iter_rows()]
    assert sum(same) == len(same) == 100
