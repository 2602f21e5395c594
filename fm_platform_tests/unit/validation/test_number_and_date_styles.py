"""A column writes its numbers and dates in one style: told by counting, declared where counting cannot tell.

Belongs here: cells in, values or a refusal out. Does not belong here: single bad cells (``test_cell_rules``).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from fm_platform.errors import InputError

STUDY = """
study: {{id: styles, title: Styles}}
clinical:
  visits:
    path: visits.csv
    grain: visit
    columns: {{subject: id, visit: visit, date: day}}
    missing: ["", k.A.]
{more}
visits: [{{id: v1, baseline: true}}]
outcomes: [{{id: level, column: visits.level, range: {range}}}]
"""


def delivered(warehouse, levels=(), days=(), span="[0, 100]", more=""):
    made = warehouse(STUDY.format(range=span, more=more))
    n = max(len(levels), len(days))
    levels, days = [*levels] + ["1"] * (n - len(levels)), [*days] + ["2024-01-01"] * (n - len(days))
    rows = [[f"s{at}", "v1", day, level] for at, (day, level) in enumerate(zip(days, levels, strict=True))]
    made.deliver_rows("visits", ["id", "visit", "day", "level"], rows)
    return made


def levels_of(made):
    made.stage()
    return [value for _, value in made.rows("staging.visits", "subject_id", "level")]


def days_of(made):
    made.stage()
    return [value for _, value in made.rows("staging.visits", "subject_id", "visit_date")]


class TestDecimalMarks:
    @pytest.mark.parametrize(
        ("cells", "values"),
        [
            (["52,6", "48,4", "k.A.", "42"], ["52.6", "48.4", None, "42"]),
            (["0,125", "0,250"], ["0.125", "0.25"]),
            (["7,25", "12,500", "2,5e1"], ["7.25", "12.5", "25"]),
            (["1.234,5", "7,5", "1.234.567,25"], ["1234.5", "7.5", "1234567.25"]),
            (
                ["1 234,5", "1\u00a0234\u202f567,25", "7\u200b", "\t8,5\t"],
                ["1234.5", "1234567.25", "7", "8.5"],
            ),
            (["1'234,5", "12\u2019000,5", "2"], ["1234.5", "12000.5", "2"]),
        ],
    )
    def test_a_comma_in_every_number_is_taken_and_noted(self, warehouse, cells, values):
        made = delivered(warehouse, cells, span="[0, 2000000]")
        result = made.gate("visits")
        assert "level has a decimal comma" in " ".join(result.notes)
        assert result.findings.is_empty()
        assert all(check.passed for check in result.checks)
        assert levels_of(made) == [value and Decimal(value) for value in values]

    @pytest.mark.parametrize(
        ("cells", "span"),
        [
            (["7,5", "6.5", "5"], "[0, 100]"),
            (["1.000", "2.500", "3.250"], "[0, 5000]"),
            (["1,000", "2,500", "3,250"], "[0, 5000]"),
            (["1.250", "3"], "[0, 2000]"),
        ],
    )
    def test_marks_that_contradict_or_could_part_thousands_are_refused(self, warehouse, cells, span):
        with pytest.raises(InputError) as refused:
            delivered(warehouse, cells, span=span).gate("visits")
        assert "decimal: comma" in refused.value.mend
        assert "decimal: point" in refused.value.mend

    def test_a_range_tells_thousands_from_decimals(self, warehouse):
        assert levels_of(delivered(warehouse, ["1.000", "7.250"], span="[0, 10]")) == [1, Decimal("7.25")]

    def test_under_a_declared_comma_a_point_is_no_decimal_mark(self, warehouse):
        made = delivered(warehouse, ["1.000", "7,5", "8"], more="    decimal: comma")
        assert [(column, value) for _, column, _, value in made.find("visits")] == [
            ("level", "1.000 is not a number")
        ]
        assert levels_of(made) == [None, Decimal("7.5"), 8]

    def test_thousands_are_parted_where_the_decimal_mark_tells(self, warehouse):
        assert levels_of(delivered(warehouse, ["1,234.5", "7.5"], span="[0, 2000]")) == [
            Decimal("1234.5"),
            Decimal("7.5"),
        ]

    def test_any_minus_is_one_and_other_blanks_part_nothing(self, warehouse):
        made = delivered(warehouse, ["\u22122.5", "\u20131", "12 34", "0 500", "5 / 6"], span="[-10, 2000]")
        assert levels_of(made) == [Decimal("-2.5"), -1, None, None, None]

    def test_under_a_declared_point_a_comma_is_none(self, warehouse):
        made = delivered(warehouse, ["1,000", "7.5", "8"], more="    decimal: point")
        assert levels_of(made) == [None, Decimal("7.5"), 8]

    @pytest.mark.parametrize(
        ("cells", "more", "key"),
        [
            (["52,6", "48,4", "42,3"], "    decimal: point", "decimal: comma"),
            (["52.6", "48.4", "42.3"], "    decimal: comma", "decimal: comma"),
            (["good", "bad", "fair"], "", "another column"),
            (["520", "484", "423"], "", "units"),
        ],
    )
    def test_a_column_without_one_usable_value_is_one_cause(self, warehouse, cells, more, key):
        with pytest.raises(InputError) as refused:
            delivered(warehouse, cells, more=more).gate("visits")
        assert "3" in refused.value.message
        assert key in refused.value.mend


class TestDates:
    @pytest.mark.parametrize(
        "cells",
        [
            ["01-Jan-2024", "29 Jan 2024", "01JAN2024"],
            ["Jan 1, 2024", "January 29 2024", "2024-Jan-01"],
            ["1. Januar 2024", "29. Jänner 2024", "1 janvier 2024"],
            ["1 de enero de 2024", "29 gennaio 2024", "1 stycznia 2024"],
            ["Montag, 1. Januar 2024", "29th of January 2024", "1er janvier 2024"],
            ["Monday, January 1, 2024", "lunes, 29 de enero de 2024", "1 stycznia 2024 r."],
            ["1. 1. 2024", "29.01.2024\t", "2024\u201101\u201101\u200b"],
            ["1 de janeiro de 2024", "29 januari 2024", "01JAN2024:10:15:00"],
        ],
    )
    def test_a_month_by_name_is_read(self, warehouse, cells):
        made = delivered(warehouse, days=cells, more="    dates: dmy")
        assert made.gate("visits").findings.is_empty()
        assert days_of(made) == [date(2024, 1, 1), date(2024, 1, 29), date(2024, 1, 1)]

    @pytest.mark.parametrize(
        ("name", "month"),
        [
            ("März", 3),
            ("Mai", 5),
            ("août", 8),
            ("Ma\u0308rz", 3),
            ("ottobre", 10),
            ("października", 10),
            ("Dez", 12),
            ("mrt", 3),
        ],
    )
    def test_names_of_other_languages(self, warehouse, name, month):
        assert days_of(delivered(warehouse, days=[f"5 {name} 2024"])) == [date(2024, month, 5)]

    def test_a_date_that_is_none_stays_a_finding(self, warehouse):
        cells = ["31-Feb-2024", "1 Foo 2024", "2024-01-01"]
        made = delivered(warehouse, days=cells)
        assert made.gate("visits").findings["value"].to_list() == cells[:2]

    def test_a_column_with_both_orders_contradicts_itself(self, warehouse):
        made = delivered(warehouse, days=["13/02/2024", "03/14/2024", "2024-01-01"])
        with pytest.raises(InputError, match=r"day first.*month first") as refused:
            made.gate("visits")
        assert "dates:" in refused.value.mend

    @pytest.mark.parametrize(
        ("cell", "hint"),
        [
            ("45292", "day number"),
            ("1704067200", "since 1970"),
            ("13-Feb-24", "two digits"),
            ("13/02/24", "two digits"),
            ("2024-01-01 11:30 PM", "AM or PM"),
            ("2024-02-01 10:00 UTC", "time zone"),
        ],
    )
    def test_a_refused_date_tells_what_it_looks_like(self, warehouse, cell, hint):
        made = delivered(warehouse, days=[cell, "2024-01-01"])
        assert [hint in reason for *_, reason in made.find("visits")] == [True]

    def test_a_column_without_one_date_is_one_cause(self, warehouse):
        made = delivered(warehouse, days=["13.02.2024", "14.02.2024", "15.02.2024"], more="    dates: ymd")
        with pytest.raises(InputError, match="none of the 3 values of this column is a date"):
            made.gate("visits")
        with pytest.raises(InputError, match=r"is a date \(45292\): .*day number"):
            delivered(warehouse, days=["45292", "45293", "45294"]).gate("visits")
