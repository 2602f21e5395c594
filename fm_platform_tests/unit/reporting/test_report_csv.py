from __future__ import annotations

import csv
import io
import math
from datetime import date
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.reporting.csv import table_csv


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_key_first_own_columns_left_out_and_origin_last() -> None:
    table = pl.DataFrame({"n": [6], "visit": ["week_4"], "outcome": ["pain"], "_row_ids": [["r1"]]})
    assert table_csv(table, ("outcome", "visit"), synthetic=True) == (
        "outcome,visit,n,data_origin\npain,week_4,6,synthetic\n"
    )
    assert table_csv(table, ("outcome", "visit"), synthetic=False).endswith(",study files\n")


def test_null_and_empty_text_differ_and_types_are_written_plainly() -> None:
    table = pl.DataFrame(
        {
            "key": ["a", None, ""],
            "truth": [True, False, None],
            "day": [date(2024, 5, 3), None, None],
            "exact": [Decimal("1.50"), None, None],
            "list": [["x", "y"], [], None],
            "number": [0.1, math.nan, None],
        }
    )
    assert table_csv(table, ("key",), synthetic=False).splitlines()[1:] == [
        'a,true,2024-05-03,1.50,"[""x"", ""y""]",0.10000000000000001,study files',
        ",false,,,[],nan,study files",
        '"",,,,,,study files',
    ]


@given(st.floats(allow_nan=False))
def test_floats_read_back_as_the_same_number(value: float) -> None:
    text = table_csv(pl.DataFrame({"k": [1], "x": [value]}), ("k",), synthetic=False)
    again = float(read(text)[1][1])
    assert again == value
    assert math.copysign(1, again) == math.copysign(1, value)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00")))
def test_any_text_reads_back(value: str) -> None:
    text = table_csv(pl.DataFrame({"k": [value], "x": ["y"]}), ("k",), synthetic=True)
    assert read(text)[1:] == [[value, "y", "synthetic"]]
