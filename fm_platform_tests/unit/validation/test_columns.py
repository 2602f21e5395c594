"""What study.yaml declares of a source's columns."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from fm_platform.errors import InputError
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.headers import optional_columns, require_columns, required_columns

DEMO = """
study: {id: mini, title: Mini}
clinical:
  participants: {path: p.csv, grain: subject, columns: {subject: subject_id, sex: sex, age: age}}
  visits:
    path: v.csv
    grain: visit
    columns: {subject: subject_id, visit: visit, date: visit_date, arm: arm, missing_reason: reason}
    units: {pain: {from: mm, to: nrs}}
visits: [{id: baseline, baseline: true}]
population: {group: fibromyalgia}
strata: fm_type
instruments: [{use: fiqr, source: visits, items: "q{n}", total: fiqr_tot}]
outcomes:
  - {id: twstrs, column: visits.twstrs, range: [6, 85]}
"""

BARE = """
study: {id: mini, title: Mini}
clinical:
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: visit}}
visits: [{id: baseline, baseline: true}]
"""


def by_column(made, source: str) -> dict:
    declared = declared_columns(made.study, made.instruments)
    return {entry.column: entry for entry in declared if entry.source == source}


def test_every_declared_column_is_required_and_no_other(warehouse):
    made = warehouse(DEMO)
    assert required_columns(made.study, made.instruments, "participants") == (
        "subject_id", "sex", "age", "group", "fm_type",
    )  # fmt: skip
    assert required_columns(made.study, made.instruments, "visits") == (
        "subject_id", "visit", "visit_date", "arm", "reason",
        *(f"q{n}" for n in range(1, 22)), "fiqr_tot", "twstrs", "pain",
    )  # fmt: skip


def test_kinds_types_and_ranges(warehouse):
    columns = by_column(warehouse(DEMO), "visits")
    item, total, measure, pain = (columns[name] for name in ("q12", "fiqr_tot", "twstrs", "pain"))
    assert (item.kind, item.type, item.low, item.high, item.integer) == ("item", "SMALLINT", 0, 10, True)
    assert (item.instrument, item.item, item.domain) == ("fiqr", "fiqr_12_pain", "symptoms")
    assert (total.kind, total.role, total.low, total.high) == ("total", "fiqr.total.recorded", 0, 100)
    assert (measure.kind, measure.role, measure.low, measure.high) == ("measure", "visits.twstrs", 6, 85)
    assert (pain.role, pain.high, pain.factor) == ("visits.pain", Decimal(10), Fraction(1, 10))


def test_population_and_strata_may_name_a_role_or_a_column(warehouse):
    study = BARE.replace("visit: visit}", "visit: visit, arm: treat}")
    by_role = by_column(warehouse(study + "strata: arm\n"), "visits")
    by_file_column = by_column(warehouse(study + "strata: treat\n"), "visits")
    assert by_role == by_file_column
    assert by_role["treat"].role == "arm"


def test_a_file_may_lack_an_optional_item_unless_a_map_names_its_column(warehouse):
    made = warehouse(BARE + "instruments: [{use: acr2016, source: visits}]\n")
    assert optional_columns(made.study, made.instruments, "visits") == ("duration_3_months",)
    assert "duration_3_months" not in required_columns(made.study, made.instruments, "visits")
    assert by_column(made, "visits")["duration_3_months"].optional

    listed = ", ".join(f"{item}: {item}" for item in made.instruments[0].item_ids)
    mapped = warehouse(BARE + f"instruments: [{{use: acr2016, source: visits, items: {{{listed}}}}}]\n")
    assert optional_columns(mapped.study, mapped.instruments, "visits") == ()
    assert "duration_3_months" in required_columns(mapped.study, mapped.instruments, "visits")


def test_an_optional_item_in_other_capitals_does_not_pass_for_one_that_was_not_collected(warehouse):
    made = warehouse(BARE + "instruments: [{use: acr2016, source: visits}]\n")
    needed = list(required_columns(made.study, made.instruments, "visits"))
    require_columns(made.study, made.instruments, "visits", needed, file="v.csv")
    header = [*needed, "Duration_3_Months"]
    with pytest.raises(InputError, match=r"v\.csv:1, column 'Duration_3_Months'"):
        require_columns(made.study, made.instruments, "visits", header, file="v.csv")


class TestHeader:
    def test_complete(self, warehouse):
        made = warehouse(BARE)
        require_columns(made.study, made.instruments, "visits", ["other", "visit", "id"], file="v.csv")

    def test_a_misspelt_column_is_named_with_its_nearest(self, warehouse):
        made = warehouse(BARE)
        with pytest.raises(InputError, match=r"v\.csv:1, column 'visit': .* Mend: rename 'visitt'"):
            require_columns(made.study, made.instruments, "visits", ["id", "visitt"], file="v.csv")


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("outcomes: [{id: v, column: visits._row_id, range: [0, 1]}]", "platform's own"),
        ("outcomes: [{id: v, column: visits.Subject_ID, range: [0, 1]}]", "platform's own"),
        ("outcomes: [{id: v, column: visits.visit, range: [0, 1]}]", "declared as visit and as measure"),
        (
            "outcomes: [{id: a, column: visits.x, range: [0, 1]}, {id: b, column: visits.x, range: [0, 2]}]",
            "another range",
        ),
        ("instruments: [{use: acr2016, source: visits, total: wpi}]", "no score named total"),
        (
            "instruments: [{use: fiqr, source: visits, items: 'q{n}'}, "
            "{use: acr2016, source: visits, items: 'q{n}'}]",
            "declared as item fiqr.fiqr_01_comb_hair and as item acr2016.jaw_l",
        ),
    ],
)
def test_contradictions_are_refused_with_the_line(warehouse, addition, message):
    made = warehouse(BARE + addition + "\n")
    with pytest.raises(InputError, match=message) as caught:
        declared_columns(made.study, made.instruments)
    assert caught.value.line is not None
    assert caught.value.mend


@pytest.mark.parametrize(
    "addition",
    [
        "instruments: [{use: fiqr, source: people, items: 'q{n}'}]",
        "outcomes: [{id: v, column: people.x, range: [0, 1]}]",
    ],
)
def test_what_is_followed_over_visits_needs_a_source_of_visits(warehouse, addition):
    people = "  people: {path: p.csv, grain: subject, columns: {subject: id}}\nvisits:"
    made = warehouse(BARE.replace("visits: [", people + " [") + addition + "\n")
    with pytest.raises(InputError, match="one row a subject"):
        declared_columns(made.study, made.instruments)
