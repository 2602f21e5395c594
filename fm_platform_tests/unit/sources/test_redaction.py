"""Redacted copies: what is asked for is gone, every other line stands where it stood."""

from __future__ import annotations

import csv
import io

import pytest

from fm_platform.sources.redaction import without_columns, without_records

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
