"""Criteria verdicts and severity bands as tables."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import polars as pl

from fm_platform.instruments.registry import load_instrument
from fm_platform.instruments.scoring import score_answers
from fm_platform.instruments.verdicts import BAND_SCHEMA, CRITERIA_SCHEMA, band_table, criteria_table
from fm_platform_tests.unit.instruments.bands import band_of

ACR, FIQR = load_instrument("acr2016"), load_instrument("fiqr")
AREAS = [item.id for item in ACR.items if item.domain == "wpi"]
SYMPTOMS = {
    "fatigue": 3,
    "unrefreshed": 3,
    "cognitive": 3,
    "headache": 0,
    "abdominal_cramps": 0,
    "depression": 0,
}


def verdicts(painful, unknown=(), duration=1, **symptoms):
    """Verdict and reason by version for one visit, from answers."""
    answered = {area: int(area in painful) for area in AREAS} | SYMPTOMS | symptoms
    answered |= {} if duration is None else {"duration_3_months": duration}
    rows = [("S1", "b", item, value, ["r1"]) for item, value in answered.items() if item not in unknown]
    answers = pl.DataFrame(
        rows, schema=["subject_id", "visit_id", "item", "answer", "_row_ids"], orient="row"
    )
    given = pl.DataFrame({"subject_id": ["S1"], "visit_id": ["b"], "_row_ids": [["r1"]]})
    long = answers.with_columns(instrument=pl.lit("acr2016"))
    found = criteria_table(score_answers(ACR, answers, given), long, [ACR, FIQR])
    assert found.schema == pl.Schema(CRITERIA_SCHEMA)
    return {row["version"]: (row["verdict"], row["undecided_by"]) for row in found.iter_rows(named=True)}


FOUR = ("upper_arm_l", "upper_arm_r", "hip_l", "hip_r")


def test_jaws_chest_and_abdomen_are_no_regions():
    found = verdicts(("jaw_l", "jaw_r", "chest", "abdomen"), headache=1, abdominal_cramps=1, depression=1)
    assert (found["2011"][0], found["2016"][0]) == ("met", "not_met")


def test_four_regions_and_nine_points_are_enough():
    assert verdicts(FOUR)["2016"] == ("met", None)


def test_three_areas_meet_the_older_criteria_only():
    found = verdicts(FOUR[:3])
    assert (found["2010"], found["2016"]) == (("met", None), ("not_met", None))


def test_what_is_unknown_and_could_decide_is_named():
    found = verdicts(FOUR[:3], unknown=("hip_r",))
    assert found["2011"] == ("met", None)
    assert found["2016"] == ("indeterminate", "wpi, regions")
    assert verdicts(FOUR, duration=None)["2016"] == ("indeterminate", "duration")
    assert verdicts(FOUR, duration=0)["2016"] == ("not_met", None)


def test_an_unknown_area_that_cannot_decide_leaves_the_verdict():
    assert verdicts(FOUR, unknown=("jaw_l",))["2016"] == ("met", None)
    assert verdicts((), unknown=("jaw_l",))["2016"] == ("not_met", None)


def test_bands_equal_the_label_of_each_value_in_each_scheme():
    values = [(30, 1), (3001, 100), (65, 1), (2521, 84), (0, 1), (100, 1), (93, 4), (46, 1)]
    rows = [
        ("fiqr", "fiqr.total", f"S{at}", "b", exact, scale, exact / scale, [f"r{at}"])
        for at, (exact, scale) in enumerate(values)
    ]
    columns = [
        "instrument",
        "score_id",
        "subject_id",
        "visit_id",
        "value_exact",
        "value_scale",
        "value",
        "_row_ids",
    ]
    found = band_table(pl.DataFrame(rows, schema=columns, orient="row"), [FIQR, ACR])
    assert found.schema == pl.Schema(BAND_SCHEMA)
    labels = {(row["subject_id"], row["scheme"]): row["band"] for row in found.iter_rows(named=True)}
    assert labels == {
        (f"S{at}", scheme): band_of(FIQR, "fiqr.total", scheme, Fraction(*values[at]))
        for at, scheme in product(range(len(values)), ("salaffi2018", "salaffi2021"))
    }
