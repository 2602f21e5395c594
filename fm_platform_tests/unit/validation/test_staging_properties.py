"""On any delivery: no row is lost, a staged cell is empty for one of two reasons only, and order means nothing."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.instruments.scoring import score_answers
from fm_platform.sources.rowid import row_ids
from fm_platform.validation.gate import FINDING_KEY
from fm_platform.validation.staging_models import staging_models
from fm_platform.warehouse.digest import frame_digest
from fm_platform.warehouse.names import relation

STUDY = """
study: {id: mini, title: Mini}
clinical:
  people: {path: p.csv, grain: subject, columns: {subject: id, age: age}}
  visits:
    path: v.csv
    grain: visit
    columns: {subject: [site, id], visit: week, date: day}
    missing: [NA, {"-99": not_done}]
    dates: dmy
    units: {mm: {from: mm, to: nrs}}
visits: [{id: baseline, baseline: true, values: ["0"]}, {id: week_4, values: ["4"]}]
unscheduled: [extra]
instruments: [{use: nrs.yaml, source: visits}]
outcomes: [{id: pain, column: visits.pain, range: [0, 10]}]
"""

NRS = """
id: nrs
title: Two ratings
citation: none
items:
  - {id: now, label: Now, domain: pain, min: 0, max: 10, recall: now}
  - {id: worst, label: Worst, domain: pain, min: -5, max: 5, recall: a week}
scores:
  - {id: now, label: Now, rule: item, item: now}
"""

MISSING = {"", "NA", "-99"}
TYPED = ("day", "now", "worst", "pain", "mm")
SPELLINGS = [
    "0",
    "7",
    "10",
    "11",
    "-5",
    "5.0",
    "5.5",
    "1e1",
    "100",
    "01.02.2021",
    "31.02.2021",
    "2020-02-29",
    "NA",
    "-99",
    "",
]

cells = (
    st.sampled_from(SPELLINGS) | st.text(max_size=6) | st.from_regex(r"[+-]?[0-9.,eE/-]{0,9}", fullmatch=True)
)
visit_rows = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", ""]),
        st.sampled_from(["1", "2", "NA", "a "]) | st.text(max_size=3).filter(lambda text: "-" not in text),
        st.sampled_from(["0", "4", "extra", "x", ""]),
        *[cells] * len(TYPED),
    ),
    max_size=15,
)
people_rows = st.lists(st.tuples(st.sampled_from(["1-1", "1-2", "2-1", "2-2", "1-a", ""]), cells), max_size=8)


@settings(max_examples=80)
@given(people=people_rows, visits=visit_rows)
def test_rows_reconcile_and_cells_are_null_only_if_missing_or_refused(warehouse, people, visits):
    made = _delivered(warehouse, people, visits)
    refused = {(row_id, column) for row_id, column, _, _ in made.find("visits") if column is not None}
    set_aside = {row_id for row_id, column, _, _ in made.find("visits") if column is None}
    own = "list_filter(_row_ids, lambda r: starts_with(r, 'visits:'))[1]"
    staged = made.con.sql(f"select {own}, {', '.join(TYPED)} from fm.staging.visits").fetchall()

    assert len(staged) + len(set_aside) == len(visits)
    assert {row[0] for row in staged}.isdisjoint(set_aside)
    for row_id, *values in staged:
        delivered = visits[int(row_id.split(":")[1]) - 2][3:]
        for column, value, text in zip(TYPED, values, delivered, strict=True):
            expected_null = _trimmed(text) in MISSING or (row_id, column) in refused
            assert (value is None) == expected_null, (column, text)


@settings(max_examples=40)
@given(people=people_rows, visits=visit_rows)
def test_every_staged_visit_belongs_to_a_staged_subject(warehouse, people, visits):
    made = _delivered(warehouse, people, visits)
    subjects = {row[0] for row in made.rows("staging.stg_subjects", "subject_id")}
    assert {row[0] for row in made.rows("staging.stg_visits", "subject_id")} <= subjects
    keys = made.rows("staging.visits", "subject_id", "visit_id")
    assert len(keys) == len(set(keys))
    assert all(part is not None for key in keys for part in key)


@settings(max_examples=12)
@given(people=people_rows, visits=visit_rows, data=st.data())
def test_permuting_patients_and_rows_changes_no_digest(warehouse, people, visits, data):
    first = _digests(warehouse, people, visits)
    mixed = data.draw(st.permutations(people)), data.draw(st.permutations(visits))
    assert _digests(warehouse, *mixed) == first


def _digests(warehouse, people, visits) -> dict[str, str]:
    """Digests, row ids included, of everything up to the scores."""
    made = warehouse(STUDY, nrs_yaml=NRS)
    headers = {"people": ["id", "age"], "visits": ["site", "id", "week", *TYPED]}
    for source, rows in (("people", people), ("visits", visits)):
        made.deliver_rows(source, headers[source], rows, row_ids(source, headers[source], rows))
    made.stage()
    keys = {model.name: model.key for model in staging_models(made.study, made.instruments)}
    keys |= {f"quarantine.{source}": FINDING_KEY for source in headers}
    found = {}
    for table, key in keys.items():
        listed = ", ".join(f'"{name}" nulls first' for name in key)
        frame = made.con.sql(f"select * from {relation(table)} order by {listed}").pl()
        found[table] = frame_digest(frame, list(made.schema(table).items()))
    answers, given = (
        made.con.sql(f"from {relation(f'staging.stg_{name}')}").pl() for name in ("answers", "visits")
    )
    own = answers.filter(answers["instrument"] == "nrs").drop("instrument")
    scores = score_answers(made.instruments[0], own, given.filter(given["source"] == "visits"))
    found["scores"] = frame_digest(scores, [(name, str(kind)) for name, kind in scores.schema.items()])
    return found


def _trimmed(text: str) -> str:
    blanks = "".join({character for character in text if unicodedata.category(character) == "Zs"})
    return text.strip(blanks) if blanks else text


def _delivered(warehouse, people, visits):
    made = warehouse(STUDY, nrs_yaml=NRS)
    made.deliver_rows("people", ["id", "age"], people)
    made.deliver_rows("visits", ["site", "id", "week", *TYPED], visits)
    made.stage()
    return made
