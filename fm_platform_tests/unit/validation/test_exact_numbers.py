"""Numbers are staged and ranked with all the decimals that they were delivered with.

Belongs here: texts in, exact numbers out. Does not belong here: the statistics of exact numbers.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest

from fm_platform.catalog.models import models_folder
from fm_platform.instruments.recorded import recorded_scores
from fm_platform.sql.loader import load_models
from fm_platform.validation.staging_models import staging_models

STUDY = """
study: {{id: exact, title: Exact numbers}}
clinical:
  visits:
    path: visits.csv
    grain: visit
    columns: {{subject: id, visit: visit}}
{more}
visits: [{{id: v1, baseline: true}}, {{id: v2}}]
outcomes: [{{id: level, column: visits.level, range: {range}}}]
"""


def staged(warehouse, cells, span="[0, 1]", more=""):
    made = warehouse(STUDY.format(range=span, more=more))
    rows = [[f"s{at}", "v1", cell] for at, cell in enumerate(cells)]
    made.deliver_rows("visits", ["id", "visit", "level"], rows)
    made.stage()
    return made


def exact(made):
    """The values of ``marts.symptom_scores`` by subject, as fractions."""
    made.con.execute("create schema if not exists fm.study")
    made.con.execute(
        "create table fm.study.outcomes as select 'level' as outcome_id, null::varchar as score_id, "
        "'visits.level' as variable"
    )
    made.con.execute("create table fm.study.visits as select unnest(['v1', 'v2']) as visit_id")
    made.con.execute(
        "create table fm.staging.stg_instrument_scores (score_id varchar, subject_id varchar, visit_id varchar, "
        "value_exact bigint, value_scale bigint)"
    )
    models = load_models(models_folder(), staging_models(made.study, made.instruments))
    scores = next(model for model in models if model.name == "marts.symptom_scores")
    made.con.execute("use fm")
    rows = made.con.sql(scores.sql).pl()
    assert rows.schema["value_exact"] == rows.schema["value_scale"] == pl.Int64
    return {
        row["subject_id"]: Fraction(row["value_exact"], row["value_scale"])
        for row in rows.iter_rows(named=True)
    }


@pytest.mark.parametrize(
    ("cells", "span"),
    [
        (["0.0000000025", "0.0000000014", "1"], "[0, 1]"),
        (["2.5E-09", "1.4e-9", "31E-10", "+.5e-12"], "[0, 1]"),
        (["0.1234567", "0.1234561", "0.5"], "[0, 1]"),
        (["-0.00000001", "10", "9.99999999"], "[-10, 10]"),
        (["0.30000000000000004", "9.9", "1E+01"], "[0, 10]"),
        (["1234567890123.25", "1e14", "0.5"], "[0, 1000000000000000]"),
    ],
)
def test_a_number_is_staged_and_ranked_as_it_is_written(warehouse, cells, span):
    made = staged(warehouse, cells, span)
    assert made.find("visits") == []
    expected = {f"s{at}": Fraction(Decimal(cell)) for at, cell in enumerate(cells)}
    for table, column in (("staging.visits", "level"), ("staging.stg_measures", "value")):
        assert {who: Fraction(value) for who, value in made.rows(table, "subject_id", column)} == expected
    assert exact(made) == expected


def test_what_has_no_more_than_six_decimals_keeps_its_type(warehouse):
    made = staged(warehouse, ["0.123456", "0.5000000000", "1"])
    assert made.schema("staging.visits")["level"] == "DECIMAL(18,6)"
    assert made.schema("staging.stg_measures")["value"] == "DECIMAL(18,6)"


def test_more_digits_than_can_be_ranked_are_a_finding_and_no_rounding(warehouse):
    made = staged(warehouse, ["0.1234567890123456789", "1e-30", "0.5", "1.0000000000000001"])
    assert {(row, rule, reason) for row, _, rule, reason in made.find("visits")} == {
        ("visits:2", "FM025", "0.1234567890123456789 has more decimals than are kept exactly (18)"),
        ("visits:3", "FM025", "1e-30 has more decimals than are kept exactly (18)"),
        ("visits:5", "FM025", "1.0000000000000001 is outside 0..1"),
    }
    assert exact(made) == {"s2": Fraction(1, 2)}


def test_a_unit_is_converted_without_a_rounding(warehouse):
    made = staged(warehouse, ["12.3456789", "70"], "[0, 10]", "    units: {level: {from: mm, to: nrs}}")
    assert exact(made) == {"s0": Fraction("1.23456789"), "s1": Fraction(7)}


def test_a_recorded_total_keeps_its_decimals():
    class Fiq:
        id = "fiq"

    measures = pl.DataFrame(
        {
            "subject_id": ["a", "b"],
            "visit_id": ["v1", "v1"],
            "variable": ["fiq.total.recorded"] * 2,
            "value": [Decimal("52.123456789"), Decimal("7.100000000")],
            "_row_ids": [["1"], ["2"]],
        },
        schema_overrides={"value": pl.Decimal(38, 9)},
    )
    rows = recorded_scores(Fiq(), ["total"], measures)
    assert rows.select("value_exact", "value_scale").rows() == [(52123456789, 10**9), (7100000, 10**6)]
