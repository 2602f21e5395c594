"""Worksheets as text: exact numbers, dates, errors, formulas, and cells far from the table."""

from __future__ import annotations

import zipfile

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.delimited import read_text_table

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


@pytest.fixture
def sheet(tmp_path, write_xlsx):
    """Reads a worksheet given as the XML of its rows below the header ``id,value``."""

    def read(rows: str, header: str = "", prolog: str = "", **parts: str):
        plain = write_xlsx(tmp_path / "plain.xlsx", {"data": [["id", "value"]]})
        path = tmp_path / "made.xlsx"
        above = header or f'<row r="1">{text("A1", "id")}{text("B1", "value")}</row>'
        body = f"{prolog}<worksheet {_MAIN}><sheetData>{above}{rows}</sheetData></worksheet>"
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
            for entry in source.namelist():
                own = body if entry.startswith("xl/worksheets/") else parts.get(entry)
                target.writestr(entry, source.read(entry) if own is None else own)
        return read_text_table("x", path, name="made.xlsx")

    return read


def text(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def values(found) -> list[str]:
    return found.frame["value"].to_list()


def numbered(*cells: str) -> str:
    """Rows with an id and a cell given as XML, in which ``@`` is its place."""
    made = [
        f'<row r="{row}">{text(f"A{row}", f"S{row}")}{cell.replace("@", f"B{row}")}</row>'
        for row, cell in enumerate(cells, start=2)
    ]
    return "".join(made)


def test_a_number_is_read_as_it_is_stored(sheet):
    stored = ["7", "52.600000000000001", "2.5E-9", "1E20", "0.1234567890123", "-0.5"]
    found = sheet(numbered(*(f'<c r="@"><v>{number}</v></c>' for number in stored)))
    assert values(found) == [
        "7", "52.6", "0.0000000025", "100000000000000000000", "0.1234567890123", "-0.5"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "formula",
    [
        '<c r="@"><f>7+0</f><v /></c>',
        '<c r="@"><f>A1</f></c>',
        '<c r="@" t="n"><f t="shared" ref="B2:B3" si="0">7+0</f><v></v></c>',
        '<c r="@" t="str"><f>LEFT(A1)</f></c>',
    ],
)
def test_a_formula_without_a_stored_result_is_refused_by_its_cell(sheet, formula):
    with pytest.raises(InputError, match=r"cell B3 .* formula without a stored result") as refused:
        sheet(numbered('<c r="@"><f>3+4</f><v>7</v></c>', formula))
    assert refused.value.line == 3
    assert "save" in refused.value.mend


def test_a_formula_with_its_result_is_its_result(sheet):
    cells = ['<c r="@"><f>3+4</f><v>7</v></c>', '<c r="@" t="str"><f>""</f><v></v></c>']
    assert values(sheet(numbered(*cells))) == ["7", ""]


def test_an_error_is_no_blank(sheet):
    cells = [f'<c r="@" t="e"><f>x</f><v>{code}</v></c>' for code in ("#N/A", "#DIV/0!", "#REF!")]
    assert values(sheet(numbered(*cells, '<c r="@" t="b"><v>1</v></c>'))) == [
        "#N/A",
        "#DIV/0!",
        "#REF!",
        "true",
    ]


def test_dates_follow_their_format(sheet):
    cells = [f'<c r="@" s="1"><v>{serial}</v></c>' for serial in ("45292", "45292.4375", "59", "61")]
    found = sheet(numbered(*cells, '<c r="@" s="0"><v>45292</v></c>'))
    assert values(found) == ["2024-01-01", "2024-01-01 10:30:00", "1900-02-28", "1900-03-01", "45292"]


@pytest.mark.parametrize("far", ['<c r="XFD1048576" s="0"/>', text("XFD1048576", " ")])
def test_a_blank_cell_far_away_costs_nothing(sheet, far):
    found = sheet(numbered('<c r="@"><v>7</v></c>') + f'<row r="1048576">{far}</row>')
    assert (found.columns, values(found)) == (("id", "value"), ["7"])


def test_content_far_from_the_table_is_refused_by_its_cell(sheet):
    with pytest.raises(InputError, match=r"cell XFD1048576 .* far from the table"):
        sheet(numbered('<c r="@"><v>7</v></c>') + f'<row r="1048576">{text("XFD1048576", "x")}</row>')


def test_titles_above_the_table_are_named_and_left_out(sheet):
    above = f'<row r="1">{text("A1", "Export of the study")}</row>'
    header = f'{above}<row r="3">{text("A3", "id")}{text("B3", "value")}</row>'
    found = sheet(f'<row r="4">{text("A4", "S1")}<c r="B4"><v>7</v></c></row>', header=header)
    assert (found.header_line, found.lines, values(found)) == (3, (4,), ["7"])
    assert len(found.notes) == 1


def test_entities_are_refused(sheet):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(InputError, match="entities"):
        sheet(numbered(text("@", "&b;")), prolog=bomb)
