"""Delimited files and worksheets become tables of text, as delivered, or are refused with line and mend."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.sources.delimited import TextTable, read_text_table, require_columns
from fm_platform.sources.files import hash_file
from fm_platform.sources.records import read_header


def table(folder: Path, content: str | bytes, name: str = "visits.csv") -> TextTable:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_text_table("visits", path, name=f"clinical/{name}")


def rows(found: TextTable) -> list[tuple[str, ...]]:
    return found.frame.drop("_row_id").rows()


def refusal(folder: Path, content: str | bytes, name: str = "visits.csv") -> InputError:
    with pytest.raises(InputError) as caught:
        table(folder, content, name)
    assert caught.value.exit_code == 2
    assert caught.value.file == f"clinical/{name}"
    assert caught.value.mend
    return caught.value


# -- what is read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_detected(tmp_path, delimiter):
    found = table(tmp_path, f"id{delimiter}pain\nS1{delimiter}7\nS2{delimiter}4\n")
    assert found.delimiter == delimiter
    assert found.columns == ("id", "pain")
    assert rows(found) == [("S1", "7"), ("S2", "4")]


def test_decimal_commas_do_not_pass_for_the_delimiter(tmp_path):
    assert rows(table(tmp_path, "id;pain\nS1;7,5\nS2;4,0\n")) == [("S1", "7,5"), ("S2", "4,0")]


def test_a_delimiter_inside_quoted_headers_is_not_counted(tmp_path):
    found = table(tmp_path, '"id; site; arm",pain\nS1,7\n')
    assert found.columns == ("id; site; arm", "pain")


def test_a_single_column_is_a_table(tmp_path):
    assert rows(table(tmp_path, "id\nS1\nS2\n")) == [("S1",), ("S2",)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,site\nS1,Zürich\n".encode(), "utf-8"),
        ("id,site\nS1,Zürich\n".encode("utf-8-sig"), "utf-8-sig"),
        ("id,site\nS1,Zürich\n".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "id,site\nS1,Zürich\n".encode("utf-16-be"), "utf-16"),
        ("id,site\nS1,Zürich\n".encode("cp1252"), "cp1252"),
    ],
)
def test_encoding_is_detected(tmp_path, content, encoding):
    found = table(tmp_path, content)
    assert found.encoding == encoding
    assert found.columns == ("id", "site")
    assert rows(found) == [("S1", "Zürich")]


def test_gzip_is_detected_by_content_and_hashed_as_delivered(tmp_path):
    packed = gzip.compress(b"id,pain\nS1,7\n")
    found = table(tmp_path, packed, name="visits.dat")
    assert rows(found) == [("S1", "7")]
    assert found.file.sha256 == hashlib.sha256(packed).hexdigest()
    assert found.file.size == len(packed)
    assert found.file == hash_file(tmp_path / "visits.dat", "clinical/visits.dat")


def test_cells_are_kept_exactly_as_delivered(tmp_path):
    found = table(tmp_path, 'id,note,code\n 01 ,"NA",\nS2,"say ""ah"", now",-99\n')
    assert rows(found) == [(" 01 ", "NA", ""), ("S2", 'say "ah", now', "-99")]
    assert found.frame.null_count().row(0) == (0, 0, 0, 0)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_row_knows_its_physical_line(tmp_path, end):
    lines = ["id,note", "S1,plain", '"S2","two', 'lines"', "", "S3,after a blank", "", "  "]
    found = table(tmp_path, end.join(lines) + end)
    assert [row[0] for row in rows(found)] == ["S1", "S2", "S3"]
    assert found.lines == (2, 3, 6)
    assert rows(found)[1][1] == f"two{end}lines"


def test_blank_lines_above_the_header_are_tolerated(tmp_path):
    found = table(tmp_path, "\n\nid,pain\nS1,7\n")
    assert found.header_line == 3
    assert found.lines == (4,)


def test_a_row_of_empty_cells_is_a_row(tmp_path):
    assert rows(table(tmp_path, "id,pain\n,\nS1,7\n")) == [("", ""), ("S1", "7")]


def test_row_ids_survive_another_delimiter_encoding_and_order(tmp_path):
    plain = table(tmp_path, "id,site\nS1,Zürich\nS2,Genève\n", "a.csv")
    other = table(tmp_path, "site;id\nGenève;S2\n\nZürich;S1\n".encode("cp1252"), "b.csv")
    assert plain.frame.columns[0] == "_row_id"
    assert set(plain.frame["_row_id"]) == set(other.frame["_row_id"])


# -- workbooks -------------------------------------------------------------------------------------------


def test_a_worksheet_is_read_as_text_with_its_row_numbers(tmp_path, write_xlsx):
    cells = [
        ["id", "visit_date", "pain", "note", None],
        ["S1", dt.date(2021, 3, 2), 7, None, None],
        [],
        ["S2", "2021-03-09", 7.5, " x ", None],
    ]
    path = write_xlsx(tmp_path / "visits.xlsx", {"data": cells, "empty": []})
    found = read_text_table("visits", path, name="visits.xlsx")
    assert found.columns == ("id", "visit_date", "pain", "note")
    assert rows(found) == [("S1", "2021-03-02", "7", ""), ("S2", "2021-03-09", "7.5", " x ")]
    assert found.lines == (2, 4)
    assert (found.encoding, found.sheet) == ("xlsx", "data")


def test_the_named_worksheet_is_read(tmp_path, write_xlsx):
    path = write_xlsx(tmp_path / "v.xlsx", {"one": [["a"], ["1"]], "two": [["b"], ["2"]]})
    assert read_text_table("visits", path, name="v.xlsx", sheet="two").columns == ("b",)
    with pytest.raises(InputError, match=r"no worksheet 'three'.*Mend: use one of: one, two"):
        read_text_table("visits", path, name="v.xlsx", sheet="three")
    with pytest.raises(InputError, match=r"several worksheets hold data: one, two.*`sheet:`"):
        read_text_table("visits", path, name="v.xlsx")


def test_a_workbook_with_a_broken_worksheet_is_refused(tmp_path, write_xlsx):
    whole = write_xlsx(tmp_path / "v.xlsx", {"one": [["a"], ["1"]]})
    broken = tmp_path / "broken.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(broken, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            target.writestr(entry, content.replace(b'r="A2"', b'r="??"'))
    with pytest.raises(InputError, match=r"worksheet 'one' cannot be read.*Mend: save it again"):
        read_text_table("visits", broken, name="v.xlsx")


def test_a_sheet_asked_of_a_text_file_is_refused(tmp_path):
    (tmp_path / "v.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="this is a text file"):
        read_text_table("visits", tmp_path / "v.csv", name="v.csv", sheet="one")


# -- what is refused -------------------------------------------------------------------------------------


def test_a_truncated_last_row_is_said_to_be_cut_off(tmp_path):
    error = refusal(tmp_path, "id,visit,pain\nS1,baseline,7\nS1,wee")
    assert error.line == 3
    assert "2 fields where the header has 3" in str(error)
    assert "cut off" in str(error)


@pytest.mark.parametrize("row", ["S1", "S1,baseline,7,8"])
def test_a_ragged_row_names_its_line(tmp_path, row):
    error = refusal(tmp_path, f"id,visit,pain\nS0,baseline,1\n{row}\nS2,baseline,3\n")
    assert error.line == 3
    assert "cut off" not in str(error)


def test_an_unclosed_quote_names_the_line_it_begins_on(tmp_path):
    error = refusal(tmp_path, 'id,note\nS1,fine\nS2,"never closed\nS3,x\nS4,y\n')
    assert error.line == 3
    assert "unclosed quote" in str(error)


def test_an_unclosed_quote_in_a_long_file_is_recognised(tmp_path):
    error = refusal(tmp_path, 'id,note\nS1,"open\n' + "S2,a rather long line\n" * 20_000)
    assert (error.line, "unclosed quote" in str(error)) == (2, True)


def test_text_after_a_closing_quote_is_refused(tmp_path):
    error = refusal(tmp_path, 'id,note\nS1,"a"b\n')
    assert (error.line, "text after a closing quote" in str(error)) == (2, True)


@pytest.mark.parametrize("header", ["id,pain,id", "id,pain,ID"])
def test_repeated_column_names_are_refused(tmp_path, header):
    error = refusal(tmp_path, f"{header}\n1,2,3\n")
    assert (error.line, error.column) == (1, header[-2:])
    assert "columns 1 and 3 have the same name" in str(error)


@pytest.mark.parametrize("header", [",pain", "id, ", '"id",""'])
def test_nameless_columns_are_refused(tmp_path, header):
    error = refusal(tmp_path, f"{header}\n1,2\n")
    assert error.line == 1
    assert "has no name" in str(error)


def test_names_of_the_platforms_own_kind_are_refused(tmp_path):
    assert refusal(tmp_path, "id,_row_id\n1,2\n").column == "_row_id"


@pytest.mark.parametrize(
    "content", [b"", b"\n\n  \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", gzip.compress(b"", mtime=0)]
)
def test_empty_files_are_refused(tmp_path, content):
    assert "empty" in str(refusal(tmp_path, content))


def test_a_header_without_rows_is_refused(tmp_path):
    error = refusal(tmp_path, "id,pain\n\n")
    assert (error.line, "header but no rows" in str(error)) == (1, True)


def test_a_nul_byte_names_its_line(tmp_path):
    error = refusal(tmp_path, b"id,pain\nS1,7\nS2,\x00\x00\n")
    assert (error.line, "NUL byte" in str(error)) == (3, True)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG image"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel workbook"),
        (b"PAR1\x15\x04", "Parquet file"),
        (b"id,pain\nS1,\x05\n", "control character 0x05"),
        (b"\x81\x8d\x8f\x90\n", "not cp1252"),
        (bytes(range(256)) * 4, "NUL byte"),
        (b"PK\x03\x04 cut off", "damaged or cut off"),
        (gzip.compress(b"id,pain\nS1,7\n" * 50, mtime=0)[:-12], "damaged or cut off"),
    ],
)
def test_binary_and_damaged_files_are_refused(tmp_path, content, what):
    assert what in str(refusal(tmp_path, content))


def test_utf8_with_one_broken_character_is_not_read_as_cp1252(tmp_path):
    error = refusal(tmp_path, "id,site\nS1,Zürich\nS2,Gen".encode() + b"\xe8ve\n")
    assert (error.line, "not utf-8" in str(error)) == (3, True)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"clinical/x\.csv: file not found"):
        read_text_table("visits", tmp_path / "x.csv", name="clinical/x.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_text_table("visits", tmp_path, name="clinical")


def test_a_file_behind_a_file_is_a_failure_of_the_environment(tmp_path):
    (tmp_path / "plain").write_text("x")
    with pytest.raises(EnvironmentFailure, match="cannot be read") as caught:
        read_text_table("visits", tmp_path / "plain" / "v.csv", name="v.csv")
    assert caught.value.exit_code == 3


# -- the columns study.yaml relies on --------------------------------------------------------------------


def test_a_wrong_header_names_missing_found_and_nearest(tmp_path):
    found = table(tmp_path, "Subject,visit,vist_date\nS1,baseline,2021-03-02\n")
    require_columns(found, ["visit"])
    with pytest.raises(InputError) as caught:
        require_columns(found, ["subject", "visit", "visit_date", "visit_date"])
    text = str(caught.value)
    assert text.startswith("clinical/visits.csv:1: columns 'subject', 'visit_date' missing")
    assert "the header has 'Subject', 'visit', 'vist_date'" in text
    assert "'Subject' may be meant for 'subject'" in text
    assert "'vist_date' may be meant for 'visit_date'" in text


# -- real files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("medicaldata/cdystonia.csv", (631, 7)),
        ("pasilla/pasilla_sample_annotation.csv", (7, 6)),
        ("tb_suscept/experiment-info.txt", (50, 10)),
        ("redcap/longitudinal/data.csv", (18, 125)),
        ("redcap/simple/data.csv", (5, 24)),
    ],
)
def test_real_files_are_read(shared_data, path, shape):
    found = read_text_table("x", shared_data / path, name=path)
    assert (len(rows(found)), len(found.columns)) == shape
    assert len(set(found.frame["_row_id"])) == shape[0]


def test_a_workbook_with_titles_above_its_table_is_read(shared_data):
    found = read_text_table(
        "x", shared_data / "medicaldata" / "messy_glucose.xlsx", name="messy_glucose.xlsx"
    )
    assert found.columns == ("pat_id", "Race", "Sex", "DofB", "glucose PRE", "glucose POST")
    assert (found.header_line, len(rows(found))) == (4, 30)
    assert found.notes[0].startswith("lines 1 to 3 above the table are titles")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("rows", [3, 60_000])
def test_the_header_alone_is_that_of_the_whole_file(tmp_path, encoding, rows):
    path = tmp_path / "v.csv"
    lines = ["", "id;größe;x", *(f'{n};"a;b";1,5' for n in range(rows))]
    path.write_text("\n".join(lines), encoding=encoding)
    assert read_header(path, "v.csv") == list(read_text_table("v", path, name="v.csv").columns)
    packed = tmp_path / "v.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_header(packed, "v.csv.gz") == ["id", "größe", "x"]
