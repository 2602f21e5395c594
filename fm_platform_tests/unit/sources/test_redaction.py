"""Redacted copies: what is asked for is gone, every other line stands where it stood."""

from __future__ import annotations

import csv
import io

import pytest

from fm_platform.sources.redaction import without_columns, without_records, without_sample

TABLE = 'id,note\nA,"two\nlines"\n\nB,x\nA,last\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_records_become_empty_lines_and_others_keep_their_numbers(encoding: str, ending: str):
    text = TABLE.replace("x", "é").replace("\n", ending)
    kept = without_records(text.encode(encoding), [2, 6], [1, 2, 5, 6], "f.csv").decode(encoding)
    lines = kept.split(ending)
    assert lines == ["id,note", "", "", "", "B,é", "", ""]


def test_nothing_asked_for_changes_nothing():
    assert without_records(TABLE.encode(), [], [1, 2, 5, 6], "f.csv") == TABLE.encode()


def test_columns_of_a_matrix_are_cut_and_a_command_line_that_names_them_is_blanked():
    matrix = "# featureCounts -o x s1.bam s2.bam\nGeneid\ts1\ts2\ts3\ng1\t1\t2\t3\ng2\t4\t5\t6\n"
    kept = without_columns(matrix.encode(), {"s2"}, "f.txt")
    assert kept == b"\nGeneid\ts1\ts3\ng1\t1\t3\ng2\t4\t6\n"


def test_a_header_without_a_name_for_the_gene_column_is_aligned_with_its_rows():
    kept = without_columns(b"s1,s2\ng1,1,2\n", {"s1"}, "f.csv")
    assert kept is not None
    assert list(csv.reader(io.StringIO(kept.decode()))) == [["s2"], ["g1", "2"]]


def test_a_file_that_names_no_such_column_is_said_to_be_another_kind():
    assert without_columns(b"gene,a,b\ng1,1,2\n", {"s9"}, "f.csv") is None


def test_columns_that_r_separated_by_blanks_are_cut():
    kept = without_columns(b'"s1" "s2"\n"g 1" 1 2\n', {"s1"}, "f.txt")
    assert kept is not None
    assert list(csv.reader(io.StringIO(kept.decode()), delimiter=" ")) == [["s2"], ["g 1", "2"]]


PROVIDER = b"gene,Counts_7(a),TPM_7,Counts_70(7),symbol\ng1,1,5,2,x\n"


def test_every_column_of_a_sample_is_cut_whatever_a_provider_puts_before_its_name():
    assert without_sample(PROVIDER, {"7"}, "f.csv") == b"gene,Counts_70(7),symbol\ng1,2,x\n"


@pytest.mark.parametrize(
    "kept",
    [b"g1\t9\t70\ng2\t0\t7\n", b"gene,s70,s8\ng1,7,7\n", b"ENSG1\tACTB\n"],
    ids=["counts", "others", "no samples"],
)
def test_a_file_that_does_not_mention_the_sample_stays_as_it_is(kept: bytes):
    assert without_sample(kept, {"7", "s7"}, "f") == kept


@pytest.mark.parametrize(
    "gone",
    [
        b"sample,ENSG00000000001,ENSG00000000002,ENSG00000000003\na,1,2,3\n",
        b"7\n70\n",
        b"sample,ACTB,TP53\n7,1,2\ns1,3,4\n",
        b"%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 5\n",
        b"\x89HDF\r\n\x1a\n\x00",
        b"ACTB\t5\n# of s7\n",
    ],
    ids=["genes in columns", "a list of samples", "samples in rows", "MatrixMarket", "binary", "a remark"],
)
def test_a_file_that_cannot_be_cut_goes_as_a_whole(gone: bytes):
    assert without_sample(gone, {"7", "s7"}, "f") is None
