"""Rules about whole rows, and input that stops the study."""

from __future__ import annotations

import pytest

from fm_platform.errors import InputError
from fm_platform.validation.readings import require_one_reading

VISITS = """
study: {id: mini, title: Mini}
clinical:
  visits:
    path: v.csv
    grain: visit
    columns: {subject: id, visit: week}
    missing: ["", NA, {"-99": not_done}]
visits:
  - {id: baseline, baseline: true, values: ["0", start]}
  - {id: week_4, values: ["4"]}
unscheduled: [extra]
"""

WITH_PARTICIPANTS = """
study: {id: mini, title: Mini}
clinical:
  participants: {path: p.csv, grain: subject, columns: {subject: id, sex: sex}}
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: week}}
visits: [{id: baseline, baseline: true, values: ["0"]}]
"""

COMPOSITE = """
study: {id: mini, title: Mini}
clinical:
  visits: {path: v.csv, grain: visit, columns: {subject: [site, id], visit: week}}
visits: [{id: baseline, baseline: true, values: ["0"]}]
"""


def found(made, source: str = "visits") -> list[tuple[str, str, str]]:
    return [(row, rule, reason) for row, _, rule, reason in made.find(source)]


def test_an_accepted_file_has_no_findings(warehouse):
    made = warehouse(VISITS)
    made.deliver("visits", "id,week\ns1,0\ns1,4\ns1,extra\ns2,start\n")
    assert found(made) == []


def test_a_row_without_a_subject(warehouse):
    made = warehouse(VISITS)
    made.deliver("visits", "id,week\n,0\nNA,0\n  ,4\ns1,0\n")
    reason = "the row names no subject (id is empty)"
    assert found(made) == [(f"visits:{line}", "FM023", reason) for line in (2, 3, 4)]


def test_a_numeric_missing_code_is_still_an_id(warehouse):
    made = warehouse(VISITS)
    made.deliver("visits", "id,week\n-99,0\n")
    assert found(made) == []


def test_a_visit_that_nobody_declared(warehouse):
    made = warehouse(VISITS)
    made.deliver("visits", "id,week\ns1,12\ns2,\ns3,EXTRA\n")
    assert found(made) == [
        ("visits:2", "FM022", "12 is no visit that study.yaml declares"),
        ("visits:3", "FM022", "the row names no visit"),
        ("visits:4", "FM022", "EXTRA is no visit that study.yaml declares (is extra meant?)"),
    ]


def test_of_two_rows_for_one_visit_none_is_taken(warehouse):
    made = warehouse(VISITS)
    made.deliver("visits", "id,week\ns1,0\ns1,start\ns1,4\n s2 ,4\ns2,4\n")
    assert found(made) == [
        ("visits:2", "FM007", "s1 has 2 rows at baseline"),
        ("visits:3", "FM007", "s1 has 2 rows at baseline"),
        ("visits:5", "FM007", "s2 has 2 rows at week_4"),
        ("visits:6", "FM007", "s2 has 2 rows at week_4"),
    ]


def test_of_two_rows_for_one_participant_none_is_taken(warehouse):
    made = warehouse(WITH_PARTICIPANTS)
    made.deliver("participants", "id,sex\np1,f\np1,m\np2,f\n")
    assert found(made, "participants") == [
        ("participants:2", "FM007", "p1 has 2 rows"),
        ("participants:3", "FM007", "p1 has 2 rows"),
    ]


def test_a_visit_needs_a_participant_whose_own_row_is_accepted(warehouse):
    made = warehouse(WITH_PARTICIPANTS)
    made.deliver("participants", "id,sex\np1,f\np1,m\np2,f\n")
    made.deliver("visits", "id,week\np1,0\np2,0\np3,0\n")
    assert found(made) == [
        ("visits:2", "FM011", "p1 has no accepted row in participants"),
        ("visits:4", "FM011", "p3 has no accepted row in participants"),
    ]


def test_a_row_may_break_several_rules(warehouse):
    made = warehouse(WITH_PARTICIPANTS)
    made.deliver("participants", "id,sex\np1,f\n")
    made.deliver("visits", "id,week\np3,12\n,12\n")
    assert [(row, rule) for row, rule, _ in found(made)] == [
        ("visits:2", "FM011"),
        ("visits:2", "FM022"),
        ("visits:3", "FM022"),
        ("visits:3", "FM023"),
    ]


def test_ids_that_restart_at_every_site_are_different_subjects(warehouse):
    made = warehouse(COMPOSITE)
    made.deliver("visits", "site,id,week\n1,1,0\n2,1,0\n1,,0\n")
    assert found(made) == [("visits:4", "FM023", "the row names no subject (site or id is empty)")]
    require_one_reading(made.con, made.view("visits"))


def test_composite_ids_that_collide_stop_the_study(warehouse):
    made = warehouse(COMPOSITE)
    made.deliver("visits", "site,id,week\na,b-c,0\na-b,c,0\n")
    with pytest.raises(InputError, match="would get the same id") as caught:
        require_one_reading(made.con, made.view("visits"))
    assert caught.value.line == made.study.line_of("clinical", "visits")


class TestAmbiguousDates:
    STUDY = VISITS.replace("visit: week", "visit: week, date: day")

    def test_an_undeclared_order_stops_the_study_at_the_file_and_line(self, warehouse):
        made = warehouse(self.STUDY)
        made.deliver("visits", "id,week,day\ns1,0,25/03/2021\ns2,0,05/06/2021\ns3,0,03/04/2021\n")
        made.con.execute(
            """create table fm.audit.source_rows as select * from (values
            ('visits', 'visits:3', 'sha', 'clinical/v.csv', 3),
            ('visits', 'visits:4', 'sha', 'clinical/v.csv', 4)
            ) as t (source, _row_id, file_sha256, path, line)"""
        )
        with pytest.raises(InputError, match=r"clinical/v\.csv:3, column 'day': .* Mend: add `dates: dmy`"):
            require_one_reading(made.con, made.view("visits"))

    def test_without_a_record_of_lines_it_points_at_study_yaml(self, warehouse):
        made = warehouse(self.STUDY)
        made.deliver("visits", "id,week,day\ns3,0,03/04/2021\n")
        with pytest.raises(InputError, match=r"study\.yaml:4: source visits, column 'day'"):
            require_one_reading(made.con, made.view("visits"))

    @pytest.mark.parametrize("cell", ["04/04/2021", "25/03/2021", "2021-03-04", "99/99/2021", "NA", ""])
    def test_one_reading_or_none_at_all_goes_on(self, warehouse, cell):
        made = warehouse(self.STUDY)
        made.deliver("visits", f"id,week,day\ns3,0,{cell}\n")
        require_one_reading(made.con, made.view("visits"))

    def test_a_declared_order_is_enough(self, warehouse):
        made = warehouse(self.STUDY.replace("missing:", "dates: dmy\n    missing:"))
        made.deliver("visits", "id,week,day\ns3,0,03/04/2021\n")
        require_one_reading(made.con, made.view("visits"))
