"""Exports of a tiny REDCap project in every shape that REDCap writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.redcap.dictionary import HEADINGS, Dictionary, read_dictionary
from fm_platform.sources.redcap.events import Events, read_events
from fm_platform.sources.redcap.export import FormTable, read_form

FIELDS = """\
record_id,start,text,Study ID,,,,
sex,start,radio,Sex,"0, Female | 1, Male",,,
name,start,text,Name,,,,y
height,start,text,Height (cm),,number,100,
wpi,pain,checkbox,Painful areas,"jaw_l, Jaw (left) | -1, None of these",,,
height2,pain,text,Height (cm),,integer,,
hint,pain,descriptive,<b>Please</b> rest,,,,
"""
KEYS = (
    "field_name form_name field_type field_label select_choices_or_calculations "
    "text_validation_type_or_show_slider_number text_validation_min identifier"
).split()
RAW = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,sex,name,height,start_complete,\
wpi___jaw_l,wpi____1,height2,pain_complete
1,base_arm_1,,,0,Ann,170.5,2,,,,
1,week_arm_1,,,,,,,1,0,171,2
1,week_arm_1,pain,1,,,,,0,1,172,0
2,base_arm_1,,,,,,,0,0,,
"""
LABELS = """\
Study ID;Event Name;Repeat Instrument;Repeat Instance;Sex;Name;Height (cm);Complete?;\
Painful areas (choice=Jaw (left));Painful areas (choice=None of these);Height (cm);Complete?
1;Base (Arm 1: Only);;;Female;Ann;170.5;Complete;;;;
1;Week (Arm 1: Only);;;;;;;Checked;Unchecked;171;Complete
1;Week (Arm 1: Only);Pain;1;;;;;Unchecked;Checked;172;Incomplete
2;Base (Arm 1: Only);;;;;;;Unchecked;Unchecked;;
"""
EVENTS = "event_name,arm_num,unique_event_name\nBase,1,base_arm_1\nWeek,1,week_arm_1\n"


def dictionary(folder: Path, fields: str = FIELDS, *, api: bool = True) -> Dictionary:
    header = ",".join(KEYS if api else [f'"{HEADINGS[key]}"' for key in KEYS])
    (folder / "dictionary.csv").write_text(f"{header}\n{fields}")
    return read_dictionary(folder / "dictionary.csv", "dictionary.csv")


def form(folder: Path, name: str, text: str | bytes, events: Events | None = None) -> FormTable:
    (folder / "data.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_form(
        name, name, folder / "data.csv", name="data.csv", dictionary=dictionary(folder), events=events
    )


def rows(read: FormTable) -> list[tuple[str, ...]]:
    return read.table.frame.drop("_row_id").rows()


def test_the_block_matrix_becomes_one_tidy_table_a_form(tmp_path: Path) -> None:
    start, pain = form(tmp_path, "start", RAW), form(tmp_path, "pain", RAW)
    assert start.table.columns == (
        "record_id", "redcap_event_name", "redcap_repeat_instance", "sex", "name", "height", "start_complete",
    )  # fmt: skip
    assert rows(start) == [("1", "base_arm_1", "", "0", "Ann", "170.5", "2")]
    assert rows(pain) == [
        ("1", "week_arm_1", "", "1", "0", "171", "2"),
        ("1", "week_arm_1", "1", "0", "1", "172", "0"),
    ]
    assert (pain.table.lines, pain.repeats) == ((3, 4), 4)
    assert (start.export_rows, start.empty_rows) == (4, 1)


def test_a_label_export_gives_the_same_rows_and_ids_as_a_raw_one(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS)
    events = read_events(tmp_path / "events.csv", "events.csv")
    for name in ("start", "pain"):
        raw, labels = form(tmp_path, name, RAW), form(tmp_path, name, LABELS, events)
        assert labels.table.frame.equals(raw.table.frame)
        assert labels.table.delimiter == ";"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_from_the_bytes(tmp_path: Path, encoding: str) -> None:
    read = form(tmp_path, "start", RAW.replace("Ann", "Zoë").encode(encoding))
    assert rows(read)[0][4] == "Zoë"


def test_an_export_without_events_and_repeat_columns_is_read(tmp_path: Path) -> None:
    read = form(tmp_path, "start", "record_id,sex,start_complete\n1,1,2\n2,,0\n")
    assert rows(read) == [("1", "1", "", "", "2"), ("2", "", "", "", "0")]
    assert read.repeats is None


def test_a_form_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    read = form(tmp_path, "pain", "record_id,sex\n1,1\n")
    assert read.table.frame.height == 0
    assert read.table.columns[-2:] == ("height2", "pain_complete")


def test_a_repeating_event_has_an_instance_without_an_instrument(tmp_path: Path) -> None:
    text = "record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,height2\n1,a,,1,9\n1,a,,2,8\n"
    read = form(tmp_path, "pain", text)
    assert [row[2] for row in rows(read)] == ["1", "2"]
    assert read.repeats == 2


def test_both_heading_styles_are_the_same_dictionary(tmp_path: Path) -> None:
    assert dictionary(tmp_path, api=True) == dictionary(tmp_path, api=False)


def test_cells_outside_a_repeating_form_are_refused(tmp_path: Path) -> None:
    text = RAW.replace("1,week_arm_1,pain,1,,", "1,week_arm_1,pain,1,1,")
    with pytest.raises(InputError, match=r"data.csv:4, column 'sex': the row repeats form pain"):
        form(tmp_path, "pain", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,weight\n1,5\n", r"data.csv:1, column 'weight': the field is not in the dictionary"),
        ("record_id,sex,sex\n1,1,1\n", r"data.csv:1, column 'sex': the column stands twice"),
        ("id,sex\n1,1\n", r"data.csv:1, column 'record_id': the export has no record id"),
        ("record_id,sex\n1,1\n2\n", r"data.csv:3, column 'record_id': 1 fields where the header has 2"),
        ("record_id,sex\n", r"data.csv:1, column 'record_id': the export has no records"),
        (
            "record_id,redcap_repeat_instrument,sex\n1,bp,1\n",
            r"data.csv:2, column 'redcap_repeat_instrument'",
        ),
        ("Study ID,Weight\n1,5\n", r"data.csv:1, column 'Weight': no field with this label follows"),
    ],
)
def test_a_wrong_export_is_refused_by_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        form(tmp_path, "start", text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('a,f,radio,A,"1, x | 1, y",,,\n', r"dictionary.csv:2, column 'a': choice '1, y'"),
        ("a,f,text,A,,,,\na,f,text,A,,,,\n", r"dictionary.csv:3, column 'a': the field stands on line 2"),
        ("Big,f,text,A,,,,\n", r"dictionary.csv:2, column 'Variable / Field Name'"),
    ],
)
def test_a_wrong_dictionary_is_refused_by_line_and_field(tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dictionary(tmp_path, fields)
