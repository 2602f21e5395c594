"""Rules about single cells: which value breaks which rule, and what the reason says."""

from __future__ import annotations

import pytest

HEAD = """
study: {id: mini, title: Mini}
visits:
  - {id: baseline, baseline: true}
  - {id: week_4}
"""

NRS = """
id: nrs
title: A numeric rating scale
citation: none
items:
  - {id: pain, label: Pain, domain: pain, min: 0, max: 10, recall: now}
scores:
  - {id: pain, label: Pain, rule: item, item: pain}
"""


def one_column(warehouse, declaration: str, column: str, cells: list[str], extra: str = "") -> dict:
    """The findings of a file with one row per cell: cell to (rule, reason)."""
    made = warehouse(
        HEAD
        + f"""
clinical:
  visits:
    path: v.csv
    grain: visit
    columns: {{subject: id, visit: visit{extra}}}
{declaration}"""
    )
    made.deliver_rows(
        "visits", ["id", "visit", column], [[f"s{n}", "baseline", cell] for n, cell in enumerate(cells)]
    )
    found = {int(row_id.split(":")[1]) - 2: (rule, reason) for row_id, _, rule, reason in made.find("visits")}
    return {cell: found[position] for position, cell in enumerate(cells) if position in found}


class TestItems:
    @pytest.fixture
    def fiqr(self, warehouse):
        def judge(*cells: str) -> dict:
            made = warehouse(
                HEAD
                + """
clinical:
  visits:
    path: v.csv
    grain: visit
    columns: {subject: id, visit: visit}
    missing: ["", NA, {"-99": not_done}]
instruments: [{use: fiqr, source: visits, items: "q{n}"}]
"""
            )
            names = [f"q{n}" for n in range(1, 22)]
            rows = [[f"s{n}", "baseline", cell, *["5"] * 20] for n, cell in enumerate(cells)]
            made.deliver_rows("visits", ["id", "visit", *names], rows)
            found = made.find("visits")
            assert {column for _, column, _, _ in found} <= {"q1"}
            by_row = {int(row_id.split(":")[1]) - 2: (rule, why) for row_id, _, rule, why in found}
            return {cell: by_row[n] for n, cell in enumerate(cells) if n in by_row}

        return judge

    def test_the_whole_range_is_accepted(self, fiqr):
        assert fiqr(*(str(n) for n in range(11))) == {}

    def test_whole_numbers_may_be_written_with_zeros_signs_and_blanks(self, fiqr):
        assert fiqr("5.0", "+5", "05", " 5 ", "-0", "5.") == {}

    def test_missing_codes_are_no_findings(self, fiqr):
        assert fiqr("", "  ", "NA", "-99") == {}

    def test_outside_the_range(self, fiqr):
        assert fiqr("11", "-1") == {
            "11": ("FM001", "11 is outside 0..10"),
            "-1": ("FM001", "-1 is outside 0..10"),
        }

    @pytest.mark.parametrize(
        "cell",
        ["5.5", "5,0", "five", "5 or 6", "0x5", "1e1", "5_0", "٥", "NaN", "inf", "5.0000001", "9" * 40],
    )
    def test_text_that_is_no_whole_number(self, fiqr, cell):
        assert fiqr(cell) == {cell: ("FM001", f"{cell} is not a whole number")}

    def test_an_undeclared_code_is_a_finding(self, fiqr):
        assert fiqr("-9") == {"-9": ("FM001", "-9 is outside 0..10")}


def test_items_of_other_instruments_break_fm002(warehouse):
    made = warehouse(
        HEAD
        + """
clinical:
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: visit}}
instruments: [{use: acr2016, source: visits}]
"""
    )
    items = [item.id for item in made.instruments[0].items if not item.optional]
    answers = ["2" if item == "jaw_l" else "4" if item == "fatigue" else "1" for item in items]
    made.deliver_rows("visits", ["id", "visit", *items], [["s1", "baseline", *answers]])
    assert sorted(made.find("visits")) == [
        ("visits:2", "fatigue", "FM002", "4 is outside 0..3"),
        ("visits:2", "jaw_l", "FM002", "2 is outside 0..1"),
    ]


def test_an_instrument_of_ones_own_with_a_0_to_10_item_detects_another_unit(warehouse):
    made = warehouse(
        HEAD
        + """
clinical:
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: visit}}
instruments: [{use: nrs.yaml, source: visits}]
""",
        nrs_yaml=NRS,
    )
    made.deliver("visits", "id,visit,pain\ns1,baseline,73\ns2,baseline,101\ns3,baseline,10\n")
    assert [(row, rule) for row, _, rule, _ in made.find("visits")] == [
        ("visits:2", "FM019"),
        ("visits:3", "FM002"),
    ]


class TestMeasures:
    OUTCOME = "outcomes: [{id: twstrs, column: visits.twstrs, range: [6, 85]}]"

    def test_numbers_of_the_range_in_any_plain_spelling(self, warehouse):
        cells = ["6", "85", "6.5", "+7", "1e1", "8.50e+01", "47.285714285714", "07"]
        assert one_column(warehouse, self.OUTCOME, "twstrs", cells) == {}

    def test_outside_the_range_and_unreadable(self, warehouse):
        declared = f"    decimal: point\n{self.OUTCOME}"
        assert one_column(warehouse, declared, "twstrs", ["5.9", "86", "7,5", "1e99", "1" * 30]) == {
            "5.9": ("FM025", "5.9 is outside 6..85"),
            "86": ("FM025", "86 is outside 6..85"),
            "7,5": ("FM025", "7,5 is not a number"),
            "1e99": ("FM025", "1e99 is outside 6..85"),
            "1" * 30: ("FM025", f"{'1' * 30} is outside 6..85"),
        }

    def test_a_rating_scale_that_holds_millimetres_is_a_unit_mismatch(self, warehouse):
        outcome = "outcomes: [{id: pain, column: visits.pain, range: [0, 10]}]"
        assert one_column(warehouse, outcome, "pain", ["10", "11", "100", "100.5", "-1"]) == {
            "11": ("FM019", "11 is outside 0..10, as if in another unit (declare it under units)"),
            "100": ("FM019", "100 is outside 0..10, as if in another unit (declare it under units)"),
            "100.5": ("FM025", "100.5 is outside 0..10"),
            "-1": ("FM025", "-1 is outside 0..10"),
        }

    def test_a_declared_unit_is_converted_before_it_is_judged(self, warehouse):
        unit = "    units: {pain: {from: mm, to: nrs}}"
        assert one_column(warehouse, unit, "pain", ["73", "100", "0", "101"]) == {
            "101": ("FM025", "101 is outside 0..10 after conversion of its unit")
        }

    def test_age_has_a_range_of_its_own(self, warehouse):
        found = one_column(warehouse, "", "age", ["0", "65.5", "120", "121", "90+"], extra=", age: age")
        assert found == {
            "121": ("FM025", "121 is outside 0..120"),
            "90+": ("FM025", "90+ is not a number"),
        }


class TestDates:
    def judge(self, warehouse, order: str, cells: list[str]) -> list[str]:
        declared = f"    dates: {order}" if order else ""
        found = one_column(warehouse, declared, "day", cells, extra=", date: day")
        assert {rule for rule, _ in found.values()} <= {"FM024"}
        return list(found)

    def test_year_first_is_read_under_any_order(self, warehouse):
        cells = ["2021-03-04", "2021/3/4", "2021-03-04 10:20", "2021-03-04T10:20:30Z", "2020-02-29"]
        assert [self.judge(warehouse, order, cells) for order in ("", "ymd", "dmy", "mdy")] == [
            [],
            [],
            [],
            [],
        ]

    def test_the_declared_order_decides(self, warehouse):
        assert self.judge(warehouse, "dmy", ["25.03.2021", "3/4/2021", "03/25/2021"]) == ["03/25/2021"]
        assert self.judge(warehouse, "mdy", ["03/25/2021", "3/4/2021", "25.03.2021"]) == ["25.03.2021"]
        assert self.judge(warehouse, "ymd", ["20210304", "25.03.2021"]) == ["25.03.2021"]

    @pytest.mark.parametrize(
        "cell",
        [
            "2021-02-29",
            "2021-13-01",
            "soon",
            "21-03-04",
            "0021-03-04",
            "infinity",
            "2021-03-04 noon",
            "44259",
        ],
    )
    def test_what_is_no_date(self, warehouse, cell):
        assert self.judge(warehouse, "", [cell]) == [cell]

    def test_the_reason_names_the_order(self, warehouse):
        found = one_column(warehouse, "    dates: dmy", "day", ["31.02.2021"], extra=", date: day")
        assert found == {"31.02.2021": ("FM024", "31.02.2021 is not a date in the order day, month, year")}

    def test_without_a_declared_order_a_date_with_one_reading_is_accepted(self, warehouse):
        assert self.judge(warehouse, "", ["25/03/2021", "03/25/2021", "04.04.2021"]) == []
