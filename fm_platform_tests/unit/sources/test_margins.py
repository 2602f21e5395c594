"""What stands around a table (comments, titles, empty columns, R's row names) is no part of it, and is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts.reading import CountMatrix, read_counts
from fm_platform.sources.delimited import TextTable, read_text_table
from fm_platform.sources.records import read_header

PLAIN = [["gene_id", "a", "b"], ["G1", "1", "2"], ["G2", "0", "30"]]
SHEET = "sample,group\na,x\nb,y\n"


def counts(folder: Path, content: str, name: str = "counts.tsv") -> CountMatrix:
    path = folder / name
    path.write_text(content)
    return read_counts(path, name=name)


def sheet(folder: Path, content: str, row_names: str | None = "sample") -> TextTable:
    path = folder / "samples.csv"
    path.write_text(content)
    return read_text_table("samples", path, name="samples.csv", row_names=row_names)


def cells(table: TextTable) -> list[tuple[str, ...]]:
    return [table.columns, *table.frame.drop("_row_id").rows()]


def lines_of(rows: list[list[str]], delimiter: str = "\t") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def is_plain(found: CountMatrix) -> bool:
    return (found.gene_ids, found.count_ids, found.counts.tolist()) == (
        ("G1", "G2"),
        ("a", "b"),
        [[1, 2], [0, 30]],
    )


# -- comments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "above",
    [
        "# made by a tool\n# version 2\n",
        "#made by a tool, version 2\n\n",
        '# "a" tool\'s "unbalanced, quote\n',
        '"# made, by a tool"\t\t\n',
        '!Series_title\t"Cells"\n!Sample_title\t"one"\t"two"\n!series_matrix_table_begin\n',
        "%%MATLAB\n% exported\n",
        "\n# after a blank line\n",
    ],
)
def test_comment_lines_above_the_header_are_passed_over(tmp_path, above):
    found = counts(tmp_path, above + lines_of(PLAIN))
    assert is_plain(found)
    first = above.count("\n") + 2
    assert found.lines == (first, first + 1)
    assert "and passed over" in found.notes[0].text


def test_a_series_matrix_ends_where_geo_says(tmp_path):
    end = "!series_matrix_table_end\n"
    found = counts(tmp_path, "!Series_title\tx\n!series_matrix_table_begin\n" + lines_of(PLAIN) + end)
    assert is_plain(found)
    assert "line 6 below the header" in found.notes[1].text


def test_remarks_between_rows_are_passed_over(tmp_path):
    rows = lines_of(PLAIN, ",").splitlines(keepends=True)
    found = counts(
        tmp_path, rows[0] + rows[1] + "# week 3, second run, and, so on\n# end\n" + rows[2], "c.csv"
    )
    assert is_plain(found)
    assert found.lines == (2, 5)


@pytest.mark.parametrize("mark", ["#", "!", "%"])
def test_a_sample_sheet_may_have_comments(tmp_path, mark):
    found = sheet(tmp_path, f"{mark} from the lab, v2\n{SHEET}")
    assert cells(found) == [("sample", "group"), ("a", "x"), ("b", "y")]
    assert (found.header_line, found.lines) == (2, (3, 4))


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("#gene_id\ta\tb\nG1\t1\t2\nG2\t0\t30\n", "#gene_id"),
        ("# one\n#id\ta\tb\nG1\t1\t2\nG2\t0\t30\n", "#id"),
    ],
)
def test_a_marked_header_is_the_header(tmp_path, content, first):
    found = counts(tmp_path, content)
    assert is_plain(found)
    assert found.columns["column"][0] == first


def test_a_subject_whose_id_begins_with_a_mark_is_no_comment(tmp_path):
    with pytest.raises(InputError, match="cut off"):
        sheet(tmp_path, "id,pain\n#1,3\n#2")
    assert cells(sheet(tmp_path, "#id,pain\n#1,3\n#2,4\n")) == [("#id", "pain"), ("#1", "3"), ("#2", "4")]


# -- titles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "above",
    [
        [["Raw counts, project X"], []],
        [["Table S3. Counts"], [], ["Made in May"], [], []],
        [["COUNTS"]],
        [["Project", "X"], [], []],
    ],
)
def test_titles_of_a_workbook_are_passed_over(tmp_path, write_xlsx, above):
    path = write_xlsx(tmp_path / "c.xlsx", {"counts": [*above, *PLAIN]})
    found = read_counts(path, name="c.xlsx")
    assert is_plain(found)
    header = len(above) + 1
    assert found.lines == (header + 1, header + 2)
    assert f"the header is on line {header}" in found.notes[0].text


@pytest.mark.parametrize(
    "above",
    [
        "Raw counts of X\n",
        "Raw counts of X,,\n,,\n",
        '"Counts, of X"\n\n',
        "Counts\nMade by me\n\n",
        "Counts,,\n",
    ],
)
def test_titles_of_a_text_file_are_passed_over(tmp_path, above):
    found = counts(tmp_path, above + lines_of(PLAIN, ","), "counts.csv")
    assert is_plain(found)
    header = above.count("\n") + 1
    assert found.lines == (header + 1, header + 2)


def test_a_title_does_not_decide_the_delimiter(tmp_path):
    assert is_plain(counts(tmp_path, "Counts, raw; all | lanes\n" + lines_of(PLAIN)))


def test_samples_named_by_numbers_stand_below_a_title(tmp_path):
    found = counts(tmp_path, "Raw counts of X\n\ngene,1,2\nG1,5,6\n", "c.csv")
    assert (found.count_ids, found.counts.tolist()) == (("1", "2"), [[5, 6]])


@pytest.mark.parametrize("title", ["The samples of X\n", "Samples\n\n", "Samples,\n,\n"])
def test_a_sample_sheet_may_have_a_title(tmp_path, title):
    found = sheet(tmp_path, title + SHEET)
    assert cells(found) == [("sample", "group"), ("a", "x"), ("b", "y")]
    assert found.notes


def test_a_title_of_one_word_above_names_is_passed_over(tmp_path, write_xlsx):
    rows = [["Samples", None], ["sample", "group"], ["a", "x"], ["b", "y"]]
    path = write_xlsx(tmp_path / "s.xlsx", {"s": rows})
    found = read_text_table("samples", path, name="s.xlsx")
    assert cells(found) == [("sample", "group"), ("a", "x"), ("b", "y")]
    assert found.header_line == 2
    assert cells(sheet(tmp_path, ",group\na,x\nb,y\n"))[0] == ("sample", "group")
    assert cells(sheet(tmp_path, "Samples,\n" + SHEET))[0] == ("sample", "group")


def test_titles_of_two_fields_above_names_are_passed_over(tmp_path, write_xlsx):
    rows = [
        ["Study:", "FM7"],
        ["Date:", "May"],
        [],
        ["sample", "group", "batch"],
        ["a", "x", "p"],
        ["b", "y", "q"],
    ]
    path = write_xlsx(tmp_path / "s.xlsx", {"s": rows})
    found = read_text_table("samples", path, name="s.xlsx")
    assert cells(found) == [("sample", "group", "batch"), ("a", "x", "p"), ("b", "y", "q")]
    with pytest.raises(InputError, match="column 3 has no name"):
        sheet(tmp_path, "sample,group,\na,x,p\nb,y,q\n")


def test_a_header_without_names_is_no_title(tmp_path):
    with pytest.raises(InputError, match="column 2 has no name"):
        counts(tmp_path, "gene_id,,\nG1,1,2\nG2,3,4\n", "c.csv")
    with pytest.raises(InputError, match="4 fields where the header has 2"):
        sheet(tmp_path, "id,site\nS1,a,b,c\nS2,a,b,c\n")


# -- empty columns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", ["\t", ","])
@pytest.mark.parametrize(
    ("header", "rows"),
    [(["", ""], ["", ""]), ([], [""]), ([], ["", ""]), (["", ""], []), ([""], ["", "", ""])],
    ids=["both", "rows", "rows twice", "header", "more in rows"],
)
def test_trailing_delimiters_make_no_column(tmp_path, header, rows, delimiter):
    table = [PLAIN[0] + header, *(row + rows for row in PLAIN[1:])]
    found = counts(tmp_path, lines_of(table, delimiter))
    assert is_plain(found)
    assert "without a name left out" in found.notes[0].text


@pytest.mark.parametrize(
    "content",
    [
        "gene_id,a,b\nG1,1,2,,\nG2,0,30\n",
        "gene_id,a,b,,\nG1,1,2,,\nG2,0,30\n",
        "gene_id,a,b\nG1,1,2\nG2,0,30,\n",
        "a\tb\t\nG1\t1\t2\t\nG2\t0\t30\t\n",
    ],
)
def test_counts_with_delimiters_at_the_ends_of_some_lines_are_read(tmp_path, content):
    found = counts(tmp_path, content)
    assert is_plain(found)
    assert any("empty" in note.text for note in found.notes)


def test_a_sheet_of_r_with_a_tab_at_every_end_is_read(tmp_path):
    table = cells(sheet(tmp_path, "group\t\ns1\ta\t\ns2\tb\t\n"))
    assert table == [("sample", "group"), ("s1", "a"), ("s2", "b")]


def test_trailing_delimiters_of_a_sheet_make_no_column(tmp_path):
    expected = [("sample", "group"), ("a", "x"), ("b", "y")]
    assert cells(sheet(tmp_path, "sample,group,,\na,x,,\nb,y,,\n,,,\n")) == expected
    assert cells(sheet(tmp_path, "sample,group\na,x,\nb,y,\n")) == expected


def test_r_row_names_and_trailing_delimiters_are_told_apart(tmp_path):
    assert is_plain(counts(tmp_path, "a\tb\nG1\t1\t2\t\nG2\t0\t30\t\n"))


def test_spacer_columns_are_left_out(tmp_path):
    table = [["", row[0], "", *row[1:]] for row in PLAIN]
    assert is_plain(counts(tmp_path, lines_of(table)))


def test_a_column_with_cells_needs_a_name(tmp_path):
    with pytest.raises(InputError, match="column 3 has no name"):
        counts(tmp_path, "gene_id\ta\t\nG1\t1\t\nG2\t3\t4\n")


def test_one_row_with_an_empty_field_too_many_is_a_fault(tmp_path):
    with pytest.raises(InputError, match="4 fields where the header has 3") as caught:
        sheet(tmp_path, "id,visit,pain\nS0,baseline,1\nS1,,baseline,\nS2,baseline,3\n")
    assert caught.value.line == 3


# -- R's row names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "group\tlib\ns1\ta\tx\ns2\tb\ty\n",
        '"group","lib"\n"s1","a","x"\n"s2","b","y"\n',
        '"","group","lib"\n"s1","a","x"\n"s2","b","y"\n',
        "\tgroup\tlib\ns1\ta\tx\ns2\tb\ty\n",
        '"group" "lib"\n"s1" "a" "x"\n"s2" "b" "y"\n',
        "group lib\ns1 a x\ns2 b y\n",
    ],
)
def test_sheets_that_r_wrote_are_read(tmp_path, content):
    found = sheet(tmp_path, content, "library")
    assert cells(found) == [("library", "group", "lib"), ("s1", "a", "x"), ("s2", "b", "y")]
    assert found.notes == ("the first column has no name (R's row names): it is called 'library'",)


@pytest.mark.parametrize(
    "content", ['"a" "b"\n"G1" 1 2\n"G2" 0 30\n', "a b\nG1 1 2\nG2 0 30\n", "id a b\nG1 1 2\nG2 0 30\n"]
)
def test_counts_that_r_wrote_with_blanks_are_read(tmp_path, content):
    assert is_plain(counts(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        "name\nAnn Lee\nJo Day\n",
        "full name\nAnn Lee\nJo Day\n",
        "full name\nAnn B Lee\nJo Day\n",
        '"a b"\n"c d"\n',
    ],
)
def test_blanks_within_a_single_column_cut_nothing(tmp_path, content):
    assert len(sheet(tmp_path, content).columns) == 1


@pytest.mark.parametrize("content", ["group\ns1\ta\ns2\tb x\n", '"group"\n"s1" "a"\n"s2" "b x"\n'])
def test_a_sheet_of_one_column_and_row_names_is_read(tmp_path, content):
    assert cells(sheet(tmp_path, content)) == [("sample", "group"), ("s1", "a"), ("s2", "b x")]


def test_an_unquoted_decimal_comma_makes_no_row_names(tmp_path):
    with pytest.raises(InputError, match="4 fields where the header has 3") as caught:
        sheet(tmp_path, "id,visit,pain\nS1,v1,1,5\nS1,v2,2,5\nS2,v1,3,0\n", "row_names")
    assert "quote fields" in caught.value.mend


def test_row_names_beside_a_column_of_that_name_keep_apart(tmp_path):
    found = sheet(tmp_path, "sample\tlib\n1\ta\tx\n2\tb\ty\n")
    assert found.columns == ("row_names", "sample", "lib")


def test_elsewhere_r_row_names_are_refused_with_the_mend(tmp_path):
    with pytest.raises(InputError, match=r"R's write\.table writes row names.*col\.names = NA") as caught:
        sheet(tmp_path, "group\tlib\ns1\ta\tx\ns2\tb\ty\n", None)
    assert caught.value.line == 1


# -- the header alone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", ["# a comment\n", "The samples of X\n\n", ""])
@pytest.mark.parametrize("rows", [3, 40_000])
def test_the_header_alone_is_that_of_the_table(tmp_path, above, rows):
    path = tmp_path / "v.csv"
    path.write_text(above + "id,site,\n" + "".join(f"S{n},Zurich,\n" for n in range(rows)))
    assert read_header(path, "v.csv") == ["id", "site"]


def test_files_of_one_sample_may_have_comments_and_trailing_tabs(tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "a.txt").write_text("# htseq 2\nG1\t1\t\nG2\t0\t\n")
    (tmp_path / "h" / "b.txt").write_text("G1\t2\nG2\t30\n")
    found = read_counts(tmp_path / "h", name="h")
    assert is_plain(found)
    assert [part.lines for part in found.parts] == [(2, 3), (1, 2)]


@pytest.mark.parametrize(
    "content",
    [
        '"","gene_id","a","b"\n"1","G1",1,2\n"2","G2",0,30\n',
        "Unnamed: 0,gene_id,a,b\n0,G1,1,2\n1,G2,0,30\n",
        "gene_id\ta\tb\n1\tG1\t1\t2\n2\tG2\t0\t30\n",
    ],
)
def test_running_row_numbers_are_no_gene_ids(tmp_path, content):
    found = counts(tmp_path, content)
    assert is_plain(found)
    assert found.columns.row(0)[2:] == ("ignored", None, "numbers the rows")


def test_numbers_that_are_gene_ids_stay_gene_ids(tmp_path):
    found = counts(tmp_path, ",symbol,a\n1,A1BG,5\n2,A2M,7\n9,NAT1,3\n")
    assert found.gene_ids == ("1", "2", "9")


def test_a_remark_filled_up_to_the_table_s_width_is_passed_over(tmp_path):
    assert is_plain(counts(tmp_path, "gene_id,a,b\nG1,1,2\n# second batch,,\nG2,0,30\n", "c.csv"))


def test_groups_on_a_comment_line_as_wide_as_the_table_are_no_header(tmp_path):
    assert is_plain(counts(tmp_path, "#group\tx\tx\n" + lines_of(PLAIN)))
    assert is_plain(counts(tmp_path, "#donor\tP1\tP2\n#age\t31\t42\n" + lines_of(PLAIN)))


@pytest.mark.parametrize(
    "above",
    ["\tx\tx\n", "group\tx\tx\n", "Table\n\tx\tx\n", "Table S1, counts\n\n\tx\tx\nbatch\t-\t-\n"],
)
def test_groups_above_the_header_are_passed_over(tmp_path, above):
    found = counts(tmp_path, above + lines_of(PLAIN))
    assert is_plain(found)
    assert f"the header is on line {above.count(chr(10)) + 1}" in found.notes[0].text


def test_a_header_that_repeats_a_name_is_no_line_above_it(tmp_path):
    for body in ("G1\t1\t2\nG2\t0\t30\n", "\nG1\t1\t2\nG2\t0\t30\n"):
        with pytest.raises(InputError, match="have the same name"):
            counts(tmp_path, "gene\ta\ta\n" + body)


def test_fields_that_nothing_separates_are_named(tmp_path):
    with pytest.raises(InputError, match=r"counts\.tsv:1: one column only") as caught:
        counts(tmp_path, "gene_id    a   b\nG1   1    2\nG2  0  30\n")
    assert "tabs or commas" in str(caught.value.mend)
