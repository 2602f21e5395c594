"""Rows that are aggregated, visits that are told by their day, and totals without answers."""

from __future__ import annotations

import datetime

import pytest

from fm_platform.errors import InputError
from fm_platform.instruments.recorded import NOTE, recorded_scores
from fm_platform.validation.staging_models import staging_models

VISITS = """
    visits:
      - {id: baseline, day: 1, baseline: true, window: [-7, 1]}
      - {id: week_4, window: [15, 56]}
    outcomes:
      - {id: pain, column: diary.pain, range: [0, 10]}
"""
DIARY = """
    study: {{id: s, title: S}}
    clinical:
      diary:
        path: diary.csv
        grain: {grain}
        {aggregate}
        columns: {{subject: id, date: on, note: note}}
"""
ROWS = """
    id,on,pain,note
    a,2024-01-01,7,x
    a,2024-02-01,4,y
    a,2024-02-02,5,
    a,2024-04-30,1,late
    b,,3,
    b,2024-03-01,6,
"""


def study(grain: str, aggregate: str = "") -> str:
    return DIARY.format(grain=grain, aggregate=f"aggregate: {aggregate}" if aggregate else "") + VISITS


@pytest.mark.parametrize(
    ("aggregate", "pain"),
    [("mean", "4.500000"), ("median", "4.500000"), ("min", "4.000000"), ("max", "5.000000"), ("first", "4.000000"),
     ("last", "5.000000")],
)  # fmt: skip
def test_records_of_one_window_become_one_visit(warehouse, aggregate: str, pain: str) -> None:
    made = warehouse(study("record", aggregate))
    made.deliver("diary", ROWS)
    made.stage()
    values = {row[:2]: str(row[2]) for row in made.rows("staging.diary", "subject_id", "visit_id", "pain")}
    assert values == {
        ("a", "baseline"): "7.000000",
        ("a", "week_4"): pain,
        ("a", "day_121"): "1.000000",
        ("b", "baseline"): "6.000000",
    }
    assert [row[1:] for row in made.find("diary")] == [
        (None, "FM022", "the row has no date from which its visit and day could be told")
    ]
    assert all(check.passed for check in made.gate("diary").checks if check.name == "gx_agrees")


def test_a_text_comes_from_the_last_row_that_has_one(warehouse) -> None:
    made = warehouse(study("record", "last"))
    made.deliver("diary", ROWS)
    made.stage()
    notes = {row[:2]: row[2] for row in made.rows("staging.diary", "subject_id", "visit_id", "note")}
    assert notes["a", "week_4"] == "y"


def test_an_aggregated_visit_names_every_row_behind_it(warehouse) -> None:
    made = warehouse(study("record", "mean"))
    made.deliver("diary", ROWS)
    made.stage()
    ids = {row[:2]: row[2] for row in made.rows("staging.diary", "subject_id", "visit_id", "_row_ids")}
    assert {"diary:3", "diary:4"} <= set(ids["a", "week_4"])


def test_two_visits_in_one_window_are_duplicates(warehouse) -> None:
    made = warehouse(study("visit"))
    made.deliver("diary", ROWS)
    found = [row[0] for row in made.find("diary") if row[2] == "FM007"]
    assert found == ["diary:3", "diary:4"]
    assert all(check.passed for check in made.gate("diary").checks if check.name == "gx_agrees")


def test_a_declared_start_is_day_1(warehouse) -> None:
    text = study("visit").replace(
        "clinical:\n",
        "clinical:\n      people: {path: p.csv, grain: subject, columns: {subject: id, start: began}}\n",
        1,
    )
    made = warehouse(text)
    made.deliver("people", "id,began\na,2024-01-31")
    made.deliver("diary", "id,on,pain,note\na,2024-01-30,3,\na,2024-03-01,2,")
    made.stage()
    assert made.rows("staging.diary", "visit_id", "visit_date") == [
        ("baseline", datetime.date(2024, 1, 30)),
        ("week_4", datetime.date(2024, 3, 1)),
    ]


def test_a_mean_of_answers_is_refused(warehouse) -> None:
    items = "instruments:\n      - {use: fiqr, source: diary, items: 'q{n}'}\n"
    text = study("record", "mean").replace("outcomes:", items + "    outcomes:")
    made = warehouse(text)
    with pytest.raises(InputError, match="whole numbers"):
        staging_models(made.study, made.instruments)


def test_windows_that_overlap_are_refused(warehouse) -> None:
    with pytest.raises(InputError, match="day 15 belongs to baseline and to week_4"):
        warehouse(study("visit").replace("[-7, 1]", "[-7, 15]"))


def test_a_total_without_answers_is_a_score_that_says_so(warehouse) -> None:
    made = warehouse(
        study("visit").replace(
            "outcomes:",
            "instruments:\n      - {use: fiqr, source: diary, items: none, total: tot}\n    outcomes:",
        )
    )
    made.deliver("diary", "id,on,pain,note,tot\na,2024-01-30,3,,47.5\nb,2024-01-30,3,,101")
    made.stage()
    measures = made.con.sql("select * from fm.staging.stg_measures").pl()
    scores = recorded_scores(made.instruments[0], ["total"], measures).rows()
    assert scores == [("a", "baseline", "fiqr", "fiqr.total", 47_500_000, 1_000_000, 47.5, 0, 0, False, NOTE)]
    assert not [check for check in made.gate("diary").checks if check.name.startswith("fm003")]
