"""The generated staging models, run with row provenance over raw and quarantine tables."""

from __future__ import annotations

import datetime
from decimal import Decimal

DEMO = """
study: {id: mini, title: Mini}
clinical:
  participants:
    path: p.csv
    grain: subject
    columns: {subject: id, sex: sex, age: age}
  visits:
    path: v.csv
    grain: visit
    columns: {subject: id, visit: week, date: day, arm: arm, missing_reason: why}
    missing: ["", NA, {"-99": not_done}]
    dates: dmy
    units: {pain: {from: mm, to: nrs}}
visits:
  - {id: baseline, baseline: true, values: ["0"]}
  - {id: week_4, values: ["4"]}
unscheduled: [extra]
population: {group: [fm, "yes"]}
strata: fm_type
outcomes: [{id: twstrs, column: visits.twstrs, range: [6, 85]}]
"""

PARTICIPANTS = """
id,sex,age,group,fm_type
p1,f,44,fm,primary
p2,m,200,healthy,
p3,f,,yes,secondary
"""

VISITS = """
id,week,day,arm,why,pain,twstrs
p1,0,01.02.2021,a,,73,30
p1,4,,a,holiday,-99,NA
p1,extra,03.02.2021,a,,100,6.5
p2,0,31.02.2021,b,,105,86
p9,0,01.02.2021,b,,50,30
"""


def staged(warehouse):
    made = warehouse(DEMO)
    made.deliver("participants", PARTICIPANTS)
    made.deliver("visits", VISITS)
    made.stage()
    return made


def test_accepted_rows_are_typed_and_quarantined_cells_are_null(warehouse):
    made = staged(warehouse)
    assert made.rows(
        "staging.visits", "subject_id", "visit_id", "visit_date", "pain", "twstrs", "why", "_row_ids"
    ) == [
        (
            "p1",
            "baseline",
            datetime.date(2021, 2, 1),
            Decimal("7.3"),
            Decimal(30),
            None,
            ["participants:2", "visits:2"],
        ),
        (
            "p1",
            "extra",
            datetime.date(2021, 2, 3),
            Decimal(10),
            Decimal("6.5"),
            None,
            ["participants:2", "visits:4"],
        ),
        ("p1", "week_4", None, None, None, "holiday", ["participants:2", "visits:3"]),
        ("p2", "baseline", None, None, None, None, ["participants:3", "visits:5"]),
    ]


def test_columns_and_types_are_those_that_are_declared(warehouse):
    made = staged(warehouse)
    assert made.schema("staging.visits") == {
        "subject_id": "VARCHAR",
        "visit_id": "VARCHAR",
        "visit_date": "DATE",
        "id": "VARCHAR",
        "week": "VARCHAR",
        "day": "DATE",
        "arm": "VARCHAR",
        "why": "VARCHAR",
        "twstrs": "DECIMAL(18,6)",
        "pain": "DECIMAL(18,6)",
        "_row_ids": "VARCHAR[]",
    }


def test_subjects_gather_their_attributes_from_every_source(warehouse):
    made = staged(warehouse)
    columns = ("subject_id", "sex", "age", "arm", "site", "stratum", "in_population")
    assert made.rows("staging.stg_subjects", *columns) == [
        ("p1", "f", Decimal(44), "a", None, "primary", True),
        ("p2", "m", None, "b", None, None, False),
        ("p3", "f", None, None, None, "secondary", True),
    ]


def test_visits_planned_or_not_are_listed_with_their_reason(warehouse):
    made = staged(warehouse)
    assert made.rows("staging.stg_visits", "source", "subject_id", "visit_id", "missing_reason") == [
        ("visits", "p1", "baseline", None),
        ("visits", "p1", "extra", None),
        ("visits", "p1", "week_4", "holiday"),
        ("visits", "p2", "baseline", None),
    ]


def test_measures_are_long_without_nulls(warehouse):
    made = staged(warehouse)
    assert made.rows("staging.stg_measures", "subject_id", "visit_id", "variable", "value", "_row_ids") == [
        ("p1", "baseline", "visits.pain", Decimal("7.3"), ["participants:2", "visits:2"]),
        ("p1", "baseline", "visits.twstrs", Decimal(30), ["participants:2", "visits:2"]),
        ("p1", "extra", "visits.pain", Decimal(10), ["participants:2", "visits:4"]),
        ("p1", "extra", "visits.twstrs", Decimal("6.5"), ["participants:2", "visits:4"]),
    ]


def test_without_instruments_there_are_no_answers(warehouse):
    made = staged(warehouse)
    assert made.rows("staging.stg_answers", "subject_id") == []
    assert made.schema("staging.stg_answers")["answer"] == "SMALLINT"


def test_answers_are_long_and_totals_are_measures(warehouse):
    made = warehouse(
        """
        study: {id: mini, title: Mini}
        clinical:
          visits: {path: v.csv, grain: visit, columns: {subject: id, visit: week}}
        visits: [{id: baseline, baseline: true, values: ["0"]}]
        instruments: [{use: fiqr, source: visits, items: "q{n:02}", total: tot}]
        """
    )
    items = [f"q{n:02}" for n in range(1, 22)]
    made.deliver_rows("visits", ["id", "week", *items, "tot"], [["p1", "0", "11", "", *["4.0"] * 19, "40.5"]])
    made.stage()
    answers = made.rows("staging.stg_answers", "subject_id", "visit_id", "instrument", "item", "answer")
    expected = [item.id for item in made.instruments[0].items][2:]
    assert answers == sorted(("p1", "baseline", "fiqr", item, 4) for item in expected)
    assert made.rows("staging.stg_measures", "variable", "value") == [
        ("fiqr.total.recorded", Decimal("40.5"))
    ]


def test_items_in_another_unit_become_whole_numbers(warehouse):
    columns = ", ".join(f"q{n}: {{from: mm, to: nrs}}" for n in range(1, 22))
    made = warehouse(
        f"""
        study: {{id: mini, title: Mini}}
        clinical:
          visits:
            path: v.csv
            grain: visit
            columns: {{subject: id, visit: week}}
            units: {{{columns}}}
        visits: [{{id: baseline, baseline: true, values: ["0"]}}]
        instruments: [{{use: fiqr, source: visits, items: "q{{n}}"}}]
        """
    )
    items = [f"q{n}" for n in range(1, 22)]
    made.deliver_rows("visits", ["id", "week", *items], [["p1", "0", "70", "73", "110", *["100.0"] * 18]])
    made.stage()
    assert made.rows("staging.visits", "q1", "q2", "q3", "q4") == [(7, None, None, 10)]
    assert made.find("visits") == [
        ("visits:2", "q2", "FM001", "73 is not a whole number after conversion of its unit"),
        ("visits:2", "q3", "FM001", "110 is outside 0..10 after conversion of its unit"),
    ]


def test_subjects_may_stand_in_a_source_of_visits(warehouse):
    made = warehouse(
        """
        study: {id: mini, title: Mini}
        clinical:
          visits:
            path: v.csv
            grain: visit
            columns: {subject: [site, id], visit: week, arm: treat, age: age, sex: sex, site: site}
        visits: [{id: baseline, baseline: true, values: ["0"]}, {id: week_2, values: ["2"]}]
        """
    )
    made.deliver("visits", "week,site,id,treat,age,sex\n0,1,1,B,65,F\n2,1,1,B,65,F\n0,2,1,A,40,M\n")
    made.stage()
    columns = ("subject_id", "sex", "age", "arm", "site", "in_population", "_row_ids")
    assert made.rows("staging.stg_subjects", *columns) == [
        ("1-1", "F", Decimal(65), "B", "1", True, ["visits:2", "visits:3"]),
        ("2-1", "M", Decimal(40), "A", "2", True, ["visits:4"]),
    ]


def test_a_study_of_subjects_alone_has_empty_visit_tables(warehouse):
    made = warehouse(
        """
        study: {id: mini, title: Mini}
        clinical:
          people: {path: p.csv, grain: subject, columns: {subject: id, sex: sex}}
        """
    )
    made.deliver("people", "id,sex\np1,f\n")
    made.stage()
    assert made.rows("staging.stg_subjects", "subject_id", "sex") == [("p1", "f")]
    assert made.rows("staging.stg_visits", "visit_id") == []


def test_staged_key_names_in_other_case_are_not_staged_twice(warehouse):
    made = warehouse(
        """
        study: {id: mini, title: Mini}
        clinical:
          visits:
            path: v.csv
            grain: visit
            columns: {subject: Subject_ID, visit: VISIT_ID, date: Visit_Date}
        visits: [{id: baseline, baseline: true, values: ["0"]}]
        """
    )
    made.deliver("visits", "Subject_ID,VISIT_ID,Visit_Date\np1,0,2021-02-03\n")
    made.stage()
    assert list(made.schema("staging.visits")) == ["subject_id", "visit_id", "visit_date", "_row_ids"]
    assert made.rows("staging.visits", "visit_date") == [(datetime.date(2021, 2, 3),)]


def test_column_names_with_blanks_and_quotes_are_kept(warehouse):
    made = warehouse(
        """
        study: {id: mini, title: Mini}
        clinical:
          visits: {path: v.csv, grain: visit, columns: {subject: "patient's id", visit: "week no."}}
        visits: [{id: baseline, baseline: true, values: ["it's 0"]}]
        outcomes: [{id: pain, column: 'visits.pain "now"', range: [0, 5]}]
        """
    )
    made.deliver_rows("visits", ["patient's id", "week no.", 'pain "now"'], [["o'hara", "it's 0", "3"]])
    made.stage()
    assert made.rows("staging.visits", "subject_id", "visit_id", 'pain "now"') == [
        ("o'hara", "baseline", Decimal(3))
    ]
