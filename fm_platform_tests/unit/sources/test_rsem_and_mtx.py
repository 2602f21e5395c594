"""RSEM's folders, matrices of expected counts, and MatrixMarket files with their lists."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import CountMatrix
from fm_platform.sources.counts.reading import count_files, read_counts

GENES = "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
ISOFORMS = "transcript_id\tgene_id\tlength\teffective_length\texpected_count\tTPM\tFPKM\tIsoPct\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


def texts(matrix: CountMatrix, kind: str) -> list[str]:
    return [note.text for note in matrix.notes if note.kind == kind]


# -- RSEM's folders --------------------------------------------------------------------------------------------


def gene_files(folder: Path, one: str = "one.genes.results", two: str = "two.genes.results.gz") -> Path:
    write(folder / one, GENES + "G1\tT1,T2\t900\t700.5\t10.5\t9\t8\nG2\tT3\t90\t0\t0\t0\t0\n")
    write(folder / two, GENES + "G1\tT1,T2\t900\t650.25\t11.5\t9\t8\nG2\tT3\t90\t1.5\t3.51\t1\t1\n")
    return folder


def test_expected_counts_are_rounded_as_r_rounds_and_lengths_kept(tmp_path):
    found = read_counts(gene_files(tmp_path / "rsem"), name="rsem")
    assert (found.format, found.count_ids, found.gene_ids) == ("rsem", ("one", "two"), ("G1", "G2"))
    assert found.counts.tolist() == [[10, 12], [0, 4]]
    assert found.lengths is not None
    assert found.lengths.tolist() == [[700.5, 650.25], [1, 1.5]]
    assert "1 effective lengths of zero are taken as 1" in texts(found, "lengths")
    assert texts(found, "rounded")
    assert [(part.file.name, part.lines) for part in found.parts] == [
        ("rsem/one.genes.results", (2, 3)),
        ("rsem/two.genes.results.gz", (2, 3)),
    ]
    assert found.parts[0].row_ids == found.row_ids


def test_files_of_one_name_are_called_by_their_folders(tmp_path):
    folder = gene_files(tmp_path / "r", "one/rsem.genes.results", "two/rsem.genes.results")
    assert read_counts(folder, name="r").count_ids == ("one", "two")


def test_files_of_any_name_are_read_when_declared(tmp_path):
    folder = gene_files(tmp_path / "r", "one.rsem.txt", "two.rsem.txt")
    found = read_counts(folder, name="r", format="rsem")
    assert (found.count_ids, found.counts.tolist()) == (("one.rsem", "two.rsem"), [[10, 12], [0, 4]])


def test_gene_files_are_taken_beside_isoform_files(tmp_path):
    folder = gene_files(tmp_path / "r")
    write(folder / "one.isoforms.results", ISOFORMS + "T1\tG1\t900\t700\t10\t9\t8\t100\n")
    assert read_counts(folder, name="r").gene_ids == ("G1", "G2")
    assert {path.name for path in count_files(folder)} == {"one.genes.results", "two.genes.results.gz"}


def isoform_files(folder: Path) -> Path:
    write(
        folder / "a.isoforms.results",
        ISOFORMS
        + "T1\tG2\t9\t100\t5.25\t30\t1\t75\nT2\tG2\t9\t200\t2.5\t10\t1\t25\nT3\tG1\t9\t0\t0\t0\t0\t0\n",
    )
    write(
        folder / "b.isoforms.results",
        ISOFORMS + "T1\tG2\t9\t110\t0\t0\t0\t0\nT2\tG2\t9\t220\t4\t10\t1\t100\nT3\tG1\t9\t0\t0\t0\t0\t0\n",
    )
    return folder


def test_isoforms_are_summed_by_their_own_genes(tmp_path):
    found = read_counts(isoform_files(tmp_path / "r"), name="r")
    assert (found.gene_ids, found.counts.tolist()) == (("G1", "G2"), [[0, 0], [8, 4]])
    assert found.lengths is not None
    np.testing.assert_allclose(found.lengths, [[1, 1], [(30 * 100 + 10 * 200) / 40, 220]], rtol=1e-14)
    assert "isoforms summed to genes by their column gene_id" in texts(found, "choice")
    assert found.lines == (4, 2)


def test_isoforms_follow_a_tx2gene_table_where_there_is_one(tmp_path):
    tx2gene = write(tmp_path / "t.tsv", "tx\tgene\nT1\tA\nT2\tB\n")
    found = read_counts(isoform_files(tmp_path / "r"), name="r", tx2gene=tx2gene)
    assert (found.gene_ids, found.counts.tolist()) == (("A", "B"), [[5, 0], [2, 4]])
    assert "1 isoforms are not in it" in texts(found, "choice")[0]


def test_an_rsem_file_that_is_damaged_is_named(tmp_path):
    folder = gene_files(tmp_path / "r")
    write(folder / "two.genes.results.gz", GENES + "G1\tT1\t900\t650\tx\t9\t8\nG2\tT3\t90\t1\t3\t1\t1\n")
    with pytest.raises(InputError, match="'x' is no number") as caught:
        read_counts(folder, name="r")
    assert (caught.value.file, caught.value.line, caught.value.column) == (
        "r/two.genes.results.gz",
        2,
        "expected_count",
    )
    write(folder / "two.genes.results.gz", GENES + "G1\tT1\t900\t650\t1\t9\t8\n")
    with pytest.raises(InputError, match="its 1 rows are not the 2 of r/one"):
        read_counts(folder, name="r")


# -- matrices of expected counts -------------------------------------------------------------------------------


def expected_counts(genes: int = 400, fractions: float = 0.3) -> np.ndarray:
    """Whole counts, and reads that fit several genes shared out among some of them."""
    generator = np.random.default_rng(5)
    counts = generator.poisson(
        np.exp(generator.normal(4, 1.5, genes))[:, None] * [1.0, 1.2, 0.9, 1.1]
    ).astype(float)
    shared = generator.random(counts.shape) < fractions
    return counts + shared * np.round(generator.random(counts.shape), 2)


def matrix(path: Path, values: np.ndarray, heading: str = "s{}", form: str = "{:.2f}") -> CountMatrix:
    header = "\t".join(["", *(heading.format(i) for i in range(values.shape[1]))])
    rows = ["\t".join([f"g{i}", *map(form.format, row)]) for i, row in enumerate(values.tolist())]
    path.write_text("\n".join([header, *rows]) + "\n")
    return read_counts(path, name=path.name)


@pytest.mark.parametrize("fractions", [0.05, 0.3, 0.6])
def test_a_matrix_of_expected_counts_is_rounded_with_a_note(tmp_path, fractions):
    values = expected_counts(fractions=fractions)
    found = matrix(tmp_path / "m.tsv", values)
    assert (found.counts == np.rint(values)).all()
    assert "rounded to whole numbers" in texts(found, "rounded")[0]
    assert found.lengths is None


def test_the_matrix_of_rsem_generate_data_matrix_names_samples_by_file(tmp_path):
    values = expected_counts(genes=3, fractions=1)
    found = matrix(tmp_path / "m.tsv", values, '"out/s{}.genes.results"')
    assert found.count_ids == ("s0", "s1", "s2", "s3")
    assert (found.counts == np.rint(values)).all()


def test_a_file_that_is_named_expected_counts_is_rounded_whatever_its_fractions(tmp_path):
    values = expected_counts(genes=5, fractions=1)
    assert (matrix(tmp_path / "rsem.expected_count.tsv", values).counts == np.rint(values)).all()


@pytest.mark.parametrize("name", ["gene_tpm.tsv", "FPKM.tsv", "counts_normalized.tsv", "cpm-all.tsv"])
def test_scaled_values_are_refused_by_the_files_name(tmp_path, name):
    with pytest.raises(InputError, match=r"by name these are|look like"):
        matrix(tmp_path / name, expected_counts())
    with pytest.raises(InputError, match="by name these are FPKM values"):
        matrix(tmp_path / "m.tsv", expected_counts(), "FPKM_s{}")


def test_values_that_were_divided_are_no_expected_counts(tmp_path):
    counts = np.floor(expected_counts())
    with pytest.raises(InputError, match="not counts"):
        matrix(tmp_path / "m.tsv", counts / counts.sum(axis=0) * 1e6, form="{:.4f}")
    factors = np.array([1.0, 1.31, 0.77, 1.12])  # as DESeq2 normalizes: one sample keeps its whole numbers
    with pytest.raises(InputError, match=r"no whole number|not counts"):
        matrix(tmp_path / "m.tsv", counts / factors, form="{:.4f}")
    with pytest.raises(InputError, match=r"no whole number|not counts"):
        matrix(tmp_path / "m.tsv", np.log2(np.minimum(counts, 30) + 1), form="{:.4f}")


def test_averages_of_two_counts_are_no_expected_counts(tmp_path):
    counts = np.floor(expected_counts())
    with pytest.raises(InputError, match=r"no whole number|not counts"):
        matrix(tmp_path / "m.tsv", (counts + counts[:, ::-1]) / 2)


def test_fractions_in_one_sample_alone_are_a_fault(tmp_path):
    values = np.floor(expected_counts())
    values[7, 2] += 0.25
    with pytest.raises(InputError, match="no whole number") as caught:
        matrix(tmp_path / "m.tsv", values)
    assert (caught.value.line, caught.value.column) == (9, "s2")


# -- MatrixMarket ----------------------------------------------------------------------------------------------

MTX = "%%MatrixMarket matrix coordinate integer general\n%made up\n3 2 4\n1 1 5\n2 1 7\n1 2 6\n3 2 9\n"
FEATURES = "G1\tACTB\tGene Expression\nG2\tTP53\tGene Expression\nG3\tMYC\tGene Expression\n"
COUNTS = [[5, 6], [7, 0], [0, 9]]


@pytest.mark.parametrize(
    ("matrix", "features", "barcodes", "packed"),
    [
        ("matrix.mtx", "features.tsv", "barcodes.tsv", ".gz"),
        ("matrix.mtx", "genes.tsv", "barcodes.tsv", ""),
        ("GSM1_x_matrix.mtx", "GSM1_x_features.tsv", "GSM1_x_barcodes.tsv", ".gz"),
        ("cells_x_genes.mtx", "cells_x_genes.genes.txt", "cells_x_genes.barcodes.txt", ""),
    ],
)
def test_a_matrix_market_folder_is_read(tmp_path, matrix, features, barcodes, packed):
    folder = tmp_path / "m"
    write(folder / (matrix + packed), MTX)
    write(folder / (features + packed), FEATURES)
    write(folder / (barcodes + packed), "s1\ns2\n")
    found = read_counts(folder, name="m")
    assert (found.format, found.count_ids, found.gene_ids) == ("mtx", ("s1", "s2"), ("G1", "G2", "G3"))
    assert found.counts.tolist() == COUNTS
    assert found.annotation["gene_name"].to_list() == ["ACTB", "TP53", "MYC"]
    assert found.lines == (1, 2, 3)
    assert len(count_files(folder)) == 3
    alone = read_counts(folder / (matrix + packed), name="m/x.mtx")
    assert alone.counts.tolist() == COUNTS


def mtx(folder: Path, matrix: str = MTX, features: str = FEATURES, samples: str = "s1\ns2\n") -> CountMatrix:
    write(folder / "matrix.mtx", matrix)
    write(folder / "features.tsv", features)
    write(folder / "barcodes.tsv", samples)
    return read_counts(folder, name="m")


def test_lists_with_a_header_and_samples_in_rows_are_understood(tmp_path):
    turned = "%%MatrixMarket matrix coordinate integer general\n2 3 4\n1 1 5\n1 2 7\n2 1 6\n2 3 9\n"
    found = mtx(tmp_path, turned, "gene\n" + "G1\nG2\nG3\n", "sample\ns1\ns2\n")
    assert (found.counts.tolist(), found.count_ids, found.lines) == (COUNTS, ("s1", "s2"), (2, 3, 4))
    assert "it was turned" in texts(found, "choice")[0]


def test_features_that_are_no_genes_are_set_aside(tmp_path):
    features = FEATURES.replace("TP53\tGene Expression", "CD3\tAntibody Capture").replace(
        "G3", "__no_feature"
    )
    found = mtx(tmp_path, features=features)
    assert (found.gene_ids, found.counts.tolist()) == (("G1",), [[5, 6]])
    assert [note.item for note in found.notes if note.kind == "set_aside"] == ["G2", "__no_feature"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samples": "s1\ns2\ns3\ns4\n"}, "the matrix is 3 x 2, but m/features.tsv lists 3 genes"),
        ({"matrix": MTX[:70]}, "cannot be read as MatrixMarket"),
        ({"samples": "s1\ns1\n"}, "sample 's1' is there twice"),
        ({"matrix": MTX.replace("integer", "real").replace("1 1 5", "1 1 5.5")}, "no counts"),
        ({"matrix": MTX.replace("1 1 5", "1 1 -5")}, "no counts"),
    ],
)
def test_a_damaged_matrix_market_folder_says_what_is_wrong(tmp_path, change, said):
    with pytest.raises(InputError, match=said) as caught:
        mtx(tmp_path, **change)
    assert caught.value.mend


def test_a_matrix_without_its_lists_says_which_is_missing(tmp_path):
    write(tmp_path / "matrix.mtx.gz", MTX)
    with pytest.raises(InputError, match=r"no features\.tsv or genes\.tsv beside matrix\.mtx\.gz"):
        read_counts(tmp_path, name="m")


def test_a_matrix_a_sample_is_asked_for_as_one(tmp_path):
    for sample in ("a", "b"):
        mtx_folder = tmp_path / sample
        write(mtx_folder / "matrix.mtx", MTX)
    with pytest.raises(InputError, match="2 MatrixMarket files"):
        read_counts(tmp_path, name="m")


def test_a_folder_without_a_matrix_says_so(tmp_path):
    write(tmp_path / "s1.txt", "G1\t1\n")
    with pytest.raises(InputError, match="0 MatrixMarket files") as caught:
        read_counts(tmp_path, name="m", format="mtx")
    assert "drop `format: mtx`" in str(caught.value.mend)
