"""Tables as programs write them: long fields, separator lines, trailing delimiters, titles, R's row names."""

from __future__ import annotations

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.delimited import ROW_NAMES, read_text_table
from fm_platform.sources.records import read_header


@pytest.fixture
def read(tmp_path):
    def make(text: str | bytes):
        path = tmp_path / "v.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = read_text_table("x", path, name="v.csv", row_names=ROW_NAMES)
        assert set(found.columns) - set(read_header(path, "v.csv")) <= {ROW_NAMES}
        return found

    return make


def rows(found) -> list[tuple[str, ...]]:
    return found.frame.drop("_row_id").rows()


@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("length", [131_072, 140_000, 2_000_000])
def test_a_field_of_any_length_is_read(read, quote, length):
    long = "x" * length
    assert rows(read(f"id,note\nS1,{quote}{long}{quote}\nS2,a\n")) == [("S1", long), ("S2", "a")]


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_excels_separator_line_is_no_header(read, line):
    found = read(f"{line}id;note\nS1;a,b\nS2;c,d\n")
    assert (rows(found), found.header_line, found.lines) == ([("S1", "a,b"), ("S2", "c,d")], 2, (3, 4))


@pytest.mark.parametrize(
    "text",
    [
        "id;pain;\nS1;7;\nS2;5;\n",
        "id;pain\nS1;7;\nS2;5;\n",
        "id;pain;\nS1;7\nS2;5\n",
        "id;pain;;\nS1;7;;\nS2;5;;\n",
    ],
)
def test_a_delimiter_at_the_end_of_lines_makes_no_column(read, text):
    assert rows(read(text)) == [("S1", "7"), ("S2", "5")]


def test_a_nameless_column_with_content_is_refused(read):
    with pytest.raises(InputError, match="column 3 has no name"):
        read("id;pain;\nS1;7;\nS2;5;x\n")


@pytest.mark.parametrize(
    "text",
    [
        '"","id","pain"\n"1","S1",7\n"2","S2",5\n',
        '"id" "pain"\n'.replace(" ", "\t") + '"1"\t"S1"\t7\n"2"\t"S2"\t5\n',
    ],
)
def test_row_names_of_r_are_a_column(read, text):
    found = read(text)
    assert found.columns == (ROW_NAMES, "id", "pain")
    assert rows(found) == [("1", "S1", "7"), ("2", "S2", "5")]


def test_one_column_is_a_table(read):
    assert rows(read("id\nS1\nS2\n")) == [("S1",), ("S2",)]
