"""Count matrices: which layouts are understood, and what is refused as no counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts.reading import CountMatrix, read_counts
from fm_platform.sources.delimited import read_text_table

PROVIDER = (
    "Geneid,Symbol,EntrezID,Counts_FM_1(AB),Counts_MHC_67(C),TPM_FM_1(AB),TPM_MHC_67(C),log2FC_AB_C,padj_AB_C\n"
    "ENSG1,TSPAN13,27075.0,13,181,1.7,25.6,-2.4,6e-08\n"
    "ENSG2,,,0,85,0,6.9,,\n"
)


def counts(folder: Path, content: str | bytes, name: str = "counts.csv", **options: str) -> CountMatrix:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_counts(path, name=name, **options)


def refusal(folder: Path, content: str, **options: str) -> InputError:
    with pytest.raises(InputError) as caught:
        counts(folder, content, **options)
    assert caught.value.mend
    return caught.value


# -- layouts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "gene_id,a,b\nG1,1,2\nG2,0,30\n",
        ",a,b\nG1,1,2\nG2,0,30\n",
        '"","a","b"\n"G1",1,2\n"G2",0,30\n',
        "whatever;a;b\r\nG1;1;2\r\nG2;0;30\r\n",
        "gene\ta\tb\nG1\t1\t2\n\nG2\t0\t30\n",
        "a\tb\nG1\t1\t2\nG2\t0\t30\n",
        "a b,c\nG1,1,2\nG2,0,30\n".replace("a b,c", '"a","b"'),
        gzip.compress(b"gene_id,a,b\nG1,1,2\nG2,0,30\n", mtime=0),
        "gene_id,a,b\nG1,1.0,2\nG2,0, 3e1 \n",
    ],
)
def test_plain_matrices_are_read_alike(tmp_path, content):
    found = counts(tmp_path, content)
    assert (found.format, found.source) == ("plain", "counts")
    assert found.gene_ids == ("G1", "G2")
    assert found.count_ids == ("a", "b")
    assert found.counts.dtype == np.int64
    assert found.counts.tolist() == [[1, 2], [0, 30]]


def test_a_workbook_is_read(tmp_path, write_xlsx):
    path = write_xlsx(tmp_path / "c.xlsx", {"s": [["gene_id", "a", "b"], ["G1", 1, 2.0], ["G2", 0, 30]]})
    assert read_counts(path, name="c.xlsx").counts.tolist() == [[1, 2], [0, 30]]


def test_lines_are_physical(tmp_path):
    assert counts(tmp_path, "\ngene_id,a\nG1,1\n\nG2,2\n").lines == (3, 5)


def test_the_named_gene_id_column_is_used(tmp_path):
    found = counts(tmp_path, "symbol,ensembl,a\nX,G1,1\nX,G2,2\n", gene_id="ensembl")
    assert found.gene_ids == ("G1", "G2")
    assert found.count_ids == ("a",)
    assert found.annotation.to_dict(as_series=False) == {"gene_id": ["G1", "G2"], "symbol": ["X", "X"]}


def test_well_known_annotation_of_a_plain_matrix_is_no_sample(tmp_path):
    found = counts(tmp_path, "gene_id,gene_name,Length,a\nG1,X,900,1\nG2,,80,2\n")
    assert found.count_ids == ("a",)
    assert found.annotation.columns == ["gene_id", "gene_name", "Length"]


def test_a_providers_sheet_gives_counts_annotation_and_reasons(tmp_path):
    found = counts(tmp_path, PROVIDER)
    assert found.format == "provider"
    assert found.count_ids == ("FM_1", "MHC_67")
    assert found.counts.tolist() == [[13, 181], [0, 85]]
    assert found.annotation.rows() == [("ENSG1", "TSPAN13", "27075.0"), ("ENSG2", "", "")]
    assert found.columns.select("position", "column", "kind", "count_id").rows()[:5] == [
        (0, "Geneid", "gene_id", None),
        (1, "Symbol", "annotation", None),
        (2, "EntrezID", "annotation", None),
        (3, "Counts_FM_1(AB)", "count", "FM_1"),
        (4, "Counts_MHC_67(C)", "count", "MHC_67"),
    ]
    ignored = dict(found.columns.filter(kind="ignored").select("column", "reason").rows())
    assert ignored == {
        "TPM_FM_1(AB)": "TPM values are scaled, not counts",
        "TPM_MHC_67(C)": "TPM values are scaled, not counts",
        "log2FC_AB_C": "a result of the provider's own analysis",
        "padj_AB_C": "a result of the provider's own analysis",
    }


def test_samples_that_merely_begin_with_count_stay_a_plain_matrix(tmp_path):
    found = counts(tmp_path, "gene_id,count_a,count_b\nG1,1,2\n")
    assert (found.format, found.count_ids) == ("plain", ("count_a", "count_b"))


def test_of_several_worksheets_the_one_with_counts_is_taken(tmp_path, write_xlsx):
    sheet = [line.split(",") for line in PROVIDER.splitlines()]
    path = write_xlsx(tmp_path / "p.xlsx", {"about": [["made by"], ["someone"]], "genes": sheet})
    assert read_counts(path, name="p.xlsx").count_ids == ("FM_1", "MHC_67")


def test_of_several_plain_worksheets_none_is_guessed(tmp_path, write_xlsx):
    path = write_xlsx(tmp_path / "p.xlsx", {"one": [["g", "a"], ["G1", 1]], "two": [["g", "a"], ["G1", 2]]})
    with pytest.raises(InputError, match="not clear: one, two"):
        read_counts(path, name="p.xlsx")


def test_row_ids_cover_every_cell_of_the_row(tmp_path):
    before = counts(tmp_path, PROVIDER)
    after = counts(tmp_path, PROVIDER.replace("TSPAN13", "TSPAN14"))
    assert before.row_ids[0] != after.row_ids[0]
    assert before.row_ids[1] == after.row_ids[1]


def test_shuffled_rows_keep_their_ids(tmp_path):
    header, first, second = PROVIDER.splitlines()
    turned = counts(tmp_path, "\n".join([header, second, first]) + "\n")
    assert turned.row_ids == counts(tmp_path, PROVIDER).row_ids[::-1]


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("2.5", "2.5 is no whole number"),
        ("-1", "negative count -1"),
        ("-1.0", "negative count -1.0"),
        ("", "missing count ('')"),
        ("NA", "missing count ('NA')"),
        ("many", "'many' is no number"),
        ("inf", "'inf' is no number"),
        ("1_000", "'1_000' is no number"),
        ("1e300", "1e300 is too large for a count"),
        ("9223372036854775807", "9223372036854775807 is too large for a count"),
        ("99999999999999999999", "99999999999999999999 is too large for a count"),
    ],
)
def test_a_cell_that_is_no_count_names_line_and_column(tmp_path, cell, message):
    error = refusal(tmp_path, f"gene_id,a,b\nG1,1,2\nG2,7,{cell}\nG3,4,5\n")
    assert (error.line, error.column) == (3, "b")
    assert message in str(error)


@pytest.mark.parametrize("cell", ["1,068", "143,37", "1'068", "1.068.000", "1 068"])
def test_a_number_with_other_marks_says_how_numbers_are_written(tmp_path, cell):
    error = refusal(tmp_path, f"gene_id;a;b\nG1;1;2\nG2;7;{cell}\nG3;4;5\n")
    assert f"{cell!r} is no number" in str(error) or f'"{cell}" is no number' in str(error)
    assert "decimal point and without marks between thousands" in str(error.mend)


def test_a_row_or_column_without_a_count_may_be_none(tmp_path):
    row = refusal(tmp_path, "gene_id,a,b\ngroup,x,y\nG1,1,2\nG2,7,8\n")
    assert str(row.mend).startswith("remove the line if it is no gene")
    column = refusal(tmp_path, "gene_id,a,b,gc\nG1,1,2,0.4\nG2,7,8,0.6\n")
    assert (column.column, str(column.mend)[:36]) == ("gc", "remove the column if it is no sample")
    cell = refusal(tmp_path, "gene_id,a,b\nG1,1,x\nG2,7,8\n")
    assert str(cell.mend).startswith("correct the cell")


def test_the_first_bad_cell_of_the_file_is_named(tmp_path):
    error = refusal(tmp_path, "gene_id,a,b\nG1,1,2\nG2,7,x\nG3,y,5\n")
    assert (error.line, error.column) == (3, "b")


def test_a_matrix_of_fractions_looks_like_tpm(tmp_path):
    error = refusal(tmp_path, "gene_id,a,b\nG1,1.5,2.25\nG2,0,3.75\nG3,7,0.1\n")
    assert "TPM" in str(error)
    assert error.column is None


def test_column_sums_of_a_million_look_like_tpm(tmp_path):
    assert "one million" in str(refusal(tmp_path, "gene_id,a,b\nG1,1000.5,999000.25\nG2,998999.5,999.75\n"))
    assert "rounded TPM" in str(refusal(tmp_path, "gene_id,a,b\nG1,1001,999000\nG2,999000,1000\n"))


def test_logarithms_are_told_from_tpm(tmp_path):
    assert "logarithms" in str(refusal(tmp_path, "gene_id,a,b\nG1,-1.5,2.25\nG2,0.5,3.75\n"))


def test_a_repeated_gene_names_both_lines(tmp_path):
    error = refusal(tmp_path, "gene_id,a\nG1,1\nG2,2\nG1,3\n")
    assert "'G1' is on line 2 and again on line 4" in str(error)
    assert "--format transposed" in str(error.mend)


def test_a_header_of_one_name_may_be_a_title(tmp_path, write_xlsx):
    path = write_xlsx(tmp_path / "s.xlsx", {"s": [["Samples", None], ["sample", "1"], ["a", "x"]]})
    with pytest.raises(InputError, match="column 2 has no name") as caught:
        read_text_table("samples", path, name="s.xlsx")
    assert "if line 1 is a title, remove it" in str(caught.value.mend)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("gene_id,a\nG1,1\n ,2\n", 3, "without gene id"),
        ("gene_id,a,a\nG1,1,2\n", 1, "same name"),
        ("gene_id,a,\nG1,1,2\n", 1, "column 3 has no name"),
        ("gene_id,a\n", 1, "no genes"),
        ("gene_id,a,b\nG1,1,2\nG2,1", 3, "cut off"),
        ("a\tb\nG1\t1\t2\nG2\t1", 3, "cut off"),
        ("gene_id,symbol\nG1,X\n", 1, "no column of counts"),
        ("Geneid,Counts_A(x),Counts_A(y)\nG1,1,2\n", 1, "both hold counts of 'A'"),
    ],
)
def test_wrong_shapes_name_the_line(tmp_path, content, line, message):
    error = refusal(tmp_path, content)
    assert error.line == line
    assert message in str(error)


def test_unknown_format_and_gene_id_name_what_there_is(tmp_path):
    unknown = str(refusal(tmp_path, "g,a\nG1,1\n", format="wide"))
    assert "use one of: auto, plain, transposed, provider, featurecounts, star" in unknown
    assert "did you mean 'Geneid'?" in str(refusal(tmp_path, "Geneid,a\nG1,1\n", gene_id="GeneId"))


def test_a_provider_format_without_its_columns_is_refused(tmp_path):
    assert "Counts_<sample>(<group>)" in str(refusal(tmp_path, "Geneid,a\nG1,1\n", format="provider"))


# -- real files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shape", "corner"),
    [
        ("pasilla/pasilla_gene_counts.tsv", (14599, 7), ("untreated1", "FBgn0000003", 0)),
        ("tb_suscept/counts.txt", (11336, 50), ("s01-suscep-noninf", "ENSG00000279457", 53)),
        ("airway/airway_rawcounts.csv", (64102, 8), ("SRR1039508", "ENSG00000000003", 679)),
        ("airway/airway_scaledcounts.csv", (38694, 8), ("SRR1039508", "ENSG00000000003", 723)),
        ("GSE229750_partial/GSE229750_FM_HC.head.csv", (3, 10), ("FM_1", "ENSG00000106537", 13)),
        ("GSE229750_partial/GSE229750_FM_TCZ.head.csv", (9, 4), ("FM_1", "ENSG00000261026", 56)),
    ],
)
def test_real_matrices_are_read(shared_data, path, shape, corner):
    found = read_counts(shared_data / path, name=path)
    assert found.counts.shape == shape
    assert len(set(found.row_ids)) == shape[0]
    assert (found.count_ids[0], found.gene_ids[0], int(found.counts[0, 0])) == corner


def test_a_real_tpm_matrix_is_refused_as_tpm(shared_data):
    with pytest.raises(InputError, match="look like TPM"):
        read_counts(shared_data / "peac_ra" / "tpm.csv", name="tpm.csv")
