"""What a REDCap dictionary says of times, datetimes, sliders and choices, held against an export."""

from __future__ import annotations

import re

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.errors import InputError
from fm_platform.sources.redcap.dictionary import read_dictionary
from fm_platform.validation.calendars import moment
from fm_platform.warehouse.home import Home

HEADER = (
    "field_name,form_name,field_type,field_label,select_choices_or_calculations,"
    "text_validation_type_or_show_slider_number,text_validation_min,text_validation_max\n"
)


@pytest.fixture
def fields(tmp_path):
    def read(*lines: str):
        path = tmp_path / "dictionary.csv"
        path.write_text(HEADER + "rid,base,text,ID,,,,\n" + "".join(f"{line}\n" for line in lines))
        return {field.name: field for field in read_dictionary(path, "dictionary.csv").fields}

    return read


def test_choices_without_codes_are_their_own_codes(fields):
    made = fields("a,base,dropdown,A,Low | Mid | High,,,", 'b,base,radio,B,"1, Yes | 0, No",,,')
    assert made["a"].choices == {"Low": "Low", "Mid": "Mid", "High": "High"}
    assert made["b"].choices == {"1": "Yes", "0": "No"}


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("1, Yes | maybe | 2, No", {"1": "Yes | maybe", "2": "No"}),
        ("1, a|b | 2, c", {"1": "a | b", "2": "c"}),
        ("One only", {"One only": "One only"}),
    ],
)
def test_a_bar_without_a_code_belongs_to_the_label(fields, text, choices):
    assert fields(f'a,base,radio,A,"{text}",,,')["a"].choices == choices


def test_a_code_that_is_there_twice_is_refused(fields):
    with pytest.raises(InputError, match="twice"):
        fields('a,base,radio,A,"1, x | 1, y",,,')


def test_a_slider_goes_from_0_to_100_unless_it_says_otherwise(fields):
    made = fields("a,base,slider,A,,,,", "b,base,slider,B,,,0,10", "c,base,text,C,,,,")
    assert [(made[name].low, made[name].high) for name in "abc"] == [(0, 100), (0, 10), (None, None)]


@pytest.mark.parametrize(
    ("validation", "good", "bad"),
    [
        ("time", ["14:05", "00:00"], ["25:99", "14:60", "2pm", "14"]),
        ("time_hh_mm_ss", ["14:05:59"], ["14:05", "24:00:00"]),
        ("time_mm_ss", ["59:59", "1:30"], ["60:00", "1:5"]),
        ("datetime_dmy", ["2024-01-31 14:05"], ["31-01-2024 14:05", "2024-02-30 10:00", "2024-01-31 24:00"]),
        ("datetime_mdy", ["2024-02-29 09:00"], ["02-29-2024 09:00", "2023-02-29 09:00"]),
        ("datetime_seconds_ymd", ["2024-01-31 14:05:09"], ["2024-01-31 14:05:61", "2024-01-31 14:05"]),
    ],
)  # fmt: skip
def test_times_and_datetimes_are_those_that_exist_year_first(validation, good, bad):
    pattern = moment(validation)
    assert [bool(re.fullmatch(pattern, text)) for text in [*good, *bad]] == [True] * len(good) + [
        False
    ] * len(bad)


def test_text_without_a_time_is_not_checked():
    assert [moment(name) for name in ("", "email", "date_ymd")] == ["", "", ""]


@pytest.mark.parametrize(
    ("validation", "low", "high", "span"),
    [
        ("date_dmy", "2024-01-31", "", ("2024-01-31", "")),
        ("date_dmy", "31-01-2024", "1/2/2024", ("2024-01-31", "2024-02-01")),
        ("date_mdy", "01-31-2024", "today", ("2024-01-31", "")),
        ("datetime_ymd", "2024-01-01 8:00", "now", ("2024-01-01 08:00", "")),
        ("time", "8:00", "18:00", ("08:00", "18:00")),
        ("time_mm_ss", "1:00", "", ("00:01:00", "")),
        ("time_hh_mm_ss", "8:00:00", "", ("08:00:00", "")),
        ("date_ymd", "[start]", "soon", ("", "")),
        ("integer", "1", "10", ("", "")),
    ],
)
def test_the_ends_of_a_range_of_dates_or_times_are_read_year_first(fields, validation, low, high, span):
    assert fields(f"a,base,text,A,,{validation},{low},{high}")["a"].span == span


def test_dates_and_times_outside_the_range_of_the_dictionary_are_asked_about(tmp_path):
    ranges = {
        "a": ("date_mdy", "01-31-2024", "today", "2024-01-31", "2024-01-30"),
        "b": ("time", "8:00", "18:00", "08:00", "18:01"),
        "c": ("datetime_seconds_ymd", "", "2024-02-01 00:00:00", "2024-02-01 00:00:00", "2024-02-01 00:00:01"),
        "d": ("time_mm_ss", "1:00", "10:00", "10:00", "30:01"),
        "e": ("datetime_dmy", "2024-01-01 00:00", "", "2024-01-01 00:00", "2023-12-31 23:59"),
    }  # fmt: skip
    lines = [
        f"{name},base,text,{name},,{kind},{low},{high}" for name, (kind, low, high, *_) in ranges.items()
    ]
    (tmp_path / "dictionary.csv").write_text(HEADER + "\n".join(["rid,base,text,ID,,,,", *lines]) + "\n")
    rows = [
        ",".join(["1", *(r[3] for r in ranges.values()), "2"]),
        ",".join(["2", *(r[4] for r in ranges.values()), "2"]),
    ]
    (tmp_path / "data.csv").write_text("\n".join([f"rid,{','.join(ranges)},base_complete", *rows]) + "\n")
    (tmp_path / "study.yaml").write_text(
        "study: {id: ends, title: Ends}\n"
        "clinical: {export: {path: data.csv, format: redcap, dictionary: dictionary.csv}}\n"
    )
    with open_session(build_catalog(tmp_path), Home(tmp_path / "home"), "run") as session:
        for table in session.plan().stale:
            if not table.startswith(("files.", "publish.")):
                session.materialize(table)
        asked = session.warehouse.read("report.data_queries")
    assert asked.select("rule", "subject", "item", "value").sort("item").rows() == [
        ("FM028", "2", name, entry[4]) for name, entry in ranges.items()
    ]
