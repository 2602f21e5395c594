"""Scores from answers: golden cases, missing items, bounds, row ids, invariances."""

from __future__ import annotations

import random
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.errors import FmError
from fm_platform.instruments.registry import load_instrument
from fm_platform.instruments.scoring import SCORE_SCHEMA, score_answers

FIQR = load_instrument("fiqr")
ACR = load_instrument("acr2016")
AREAS = ACR.items_of(ACR.score("wpi"))
ANSWERS = {
    "subject_id": pl.String,
    "visit_id": pl.String,
    "item": pl.String,
    "answer": pl.Int16,
    "_row_ids": pl.List(pl.String),
}


def score(instrument, *forms, row_ids=None):
    """Score forms (item to answer or None) of subjects S0, S1, ... at one visit."""
    answers, visits = [], []
    for number, form in enumerate(forms):
        subject = f"S{number}"
        visits.append((subject, "v", [f"row{number}"]))
        answers += [
            (subject, "v", item, answer, [f"row{number}"])
            for item, answer in form.items()
            if answer is not None
        ]
    given_schema = {name: ANSWERS[name] for name in ("subject_id", "visit_id", "_row_ids")}
    return score_answers(
        instrument,
        pl.DataFrame(answers, schema=ANSWERS, orient="row"),
        pl.DataFrame(visits, schema=given_schema, orient="row"),
    )


def values(instrument, form):
    """Score id to exact value (None where there is none) of one form."""
    frame = score(instrument, form)
    return {
        row["score_id"]: None
        if row["value_exact"] is None
        else Fraction(row["value_exact"], row["value_scale"])
        for row in frame.iter_rows(named=True)
    }


def fiqr(function, overall, symptoms):
    return dict(zip(FIQR.item_ids, [*function, *overall, *symptoms], strict=True))


def acr(areas=(), **symptoms):
    form = dict.fromkeys(ACR.item_ids, 0)
    return form | dict.fromkeys(areas, 1) | symptoms


@pytest.mark.parametrize(
    ("form", "total"),
    [
        (fiqr([5] * 9, [5] * 2, [5] * 10), 50),
        (fiqr([0] * 9, [0] * 2, [0] * 10), 0),
        (fiqr([10] * 9, [10] * 2, [10] * 10), 100),
        (fiqr([5] * 8 + [None], [6, 6], [6] * 9 + [7]), Fraction(115, 2)),
        (fiqr([5] * 6 + [1, None, None], [7, None], [4] * 10), Fraction(331, 7)),
    ],
)
def test_fiqr_golden_totals(form, total):
    assert values(FIQR, form)["fiqr.total"] == total


def test_complete_questionnaires_are_whole_sixths():
    frame = score(FIQR, fiqr(range(9), [3, 4], range(10)))
    domains = frame.filter(
        pl.col("score_id").is_in(["fiqr.function", "fiqr.overall", "fiqr.symptoms", "fiqr.total"])
    )
    assert domains["value_scale"].to_list() == [6, 6, 6, 6]
    exact = dict(domains.select("score_id", "value_exact").iter_rows())
    assert exact["fiqr.total"] == 2 * 36 + 6 * 7 + 3 * 45
    assert not domains["prorated"].any()


def test_prorated_scores_are_2520ths_and_say_so():
    frame = score(FIQR, fiqr([5] * 6 + [1, None, None], [7, 7], [4] * 10))
    rows = {row["score_id"]: row for row in frame.iter_rows(named=True)}
    assert (rows["fiqr.function"]["value_scale"], rows["fiqr.total"]["value_scale"]) == (2520, 2520)
    assert (rows["fiqr.overall"]["value_scale"], rows["fiqr.overall"]["prorated"]) == (6, False)
    assert rows["fiqr.total"]["prorated"]
    assert (rows["fiqr.total"]["n_items"], rows["fiqr.total"]["n_missing"]) == (21, 2)


@pytest.mark.parametrize(
    ("function", "overall", "symptoms", "scored"),
    [
        ([5] * 5 + [None] * 4, [5] * 2, [5] * 10, True),
        ([5] * 4 + [None] * 5, [5] * 2, [5] * 10, False),
        ([5] * 9, [5, None], [5] * 10, True),
        ([5] * 9, [None, None], [5] * 10, False),
        ([5] * 9, [5] * 2, [5] * 5 + [None] * 5, True),
        ([5] * 9, [5] * 2, [5] * 4 + [None] * 6, False),
    ],
)
def test_half_of_a_domain_must_be_answered(function, overall, symptoms, scored):
    assert (values(FIQR, fiqr(function, overall, symptoms))["fiqr.total"] is not None) == scored


def test_a_score_without_value_says_why():
    frame = score(FIQR, fiqr([5] * 4 + [None] * 5, [5] * 2, [None] + [5] * 9))
    notes = dict(frame.filter(pl.col("value").is_null()).select("score_id", "note").iter_rows())
    assert notes == {
        "fiqr.function": "4 of 9 items answered, 5 needed",
        "fiqr.total": "no value for function",
        "fiqr.pain": "not answered",
    }
    assert frame.filter(pl.col("value").is_not_null())["note"].null_count() == frame.height - 3


def test_items_are_outcomes_of_their_own():
    found = values(FIQR, fiqr([0] * 9, [0, 0], range(10)))
    assert (found["fiqr.pain"], found["fiqr.energy"], found["fiqr.sleep_quality"]) == (0, 1, 3)


def test_a_visit_without_any_answer_has_rows_with_null():
    frame = score(FIQR, {})
    assert frame.height == len(FIQR.scores)
    assert frame["value"].null_count() == frame.height
    assert frame.schema == pl.Schema(SCORE_SCHEMA)


def test_no_visits_no_rows():
    assert score(FIQR).height == 0
    assert score(FIQR).schema == pl.Schema(SCORE_SCHEMA)


def test_acr_golden_a_jaws_chest_and_abdomen_reach_no_region():
    severe = {
        "fatigue": 3,
        "unrefreshed": 3,
        "cognitive": 3,
        "headache": 1,
        "abdominal_cramps": 1,
        "depression": 1,
    }
    found = values(ACR, acr(["jaw_l", "jaw_r", "chest", "abdomen"], **severe))
    assert (found["acr2016.wpi"], found["acr2016.n_regions"], found["acr2016.sss"]) == (4, 0, 12)


def test_acr_golden_d_one_area_in_each_limb_region():
    areas = ["upper_arm_l", "upper_arm_r", "hip_l", "lower_leg_r"]
    found = values(ACR, acr(areas, fatigue=3, unrefreshed=3, cognitive=3))
    assert (found["acr2016.wpi"], found["acr2016.n_regions"]) == (4, 4)
    assert (found["acr2016.psd"], found["acr2016.sss_severity"]) == (13, 9)


def test_an_unknown_area_leaves_the_wpi_empty_with_its_bounds():
    found = values(ACR, acr(["neck", "hip_l"], chest=None, hip_r=None, fatigue=2))
    assert found["acr2016.wpi"] is None
    assert (found["acr2016.wpi_min"], found["acr2016.wpi_max"]) == (2, 4)
    assert (found["acr2016.psd"], found["acr2016.psd_min"], found["acr2016.psd_max"]) == (None, 4, 6)
    assert (found["acr2016.n_regions"], found["acr2016.n_regions_min"], found["acr2016.n_regions_max"]) == (
        None,
        2,
        3,
    )


def test_regions_are_known_when_the_unknown_area_cannot_change_them():
    found = values(ACR, acr(["neck"], lower_back=None, chest=None))
    assert found["acr2016.n_regions"] == 1


def test_duration_is_no_part_of_a_score():
    with_duration = values(ACR, acr(["neck"], duration_3_months=1))
    assert with_duration == values(ACR, acr(["neck"], duration_3_months=None))


@pytest.mark.parametrize(
    ("item", "answers", "message"),
    [
        ("fiqr_12_pain", [11], "outside the range of fiqr_12_pain"),
        ("fiqr_12_pain", [-1], "outside the range of fiqr_12_pain"),
        ("fiqr_99", [1], "does not have: fiqr_99"),
        ("fiqr_12_pain", [1, 1], "two answers"),
    ],
)
def test_what_no_gate_lets_through_is_an_error(item, answers, message):
    frame = pl.DataFrame(
        [("A", "v", item, answer, ["r"]) for answer in answers], schema=ANSWERS, orient="row"
    )
    visits = pl.DataFrame({"subject_id": ["A"], "visit_id": ["v"], "_row_ids": [["r"]]})
    with pytest.raises(FmError, match=message):
        score_answers(FIQR, frame, visits)


def test_answers_at_a_visit_that_was_not_given_are_an_error():
    frame = pl.DataFrame([("A", "v", "fiqr_12_pain", 1, ["r"])], schema=ANSWERS, orient="row")
    visits = pl.DataFrame({"subject_id": ["B"], "visit_id": ["v"], "_row_ids": [["r"]]})
    with pytest.raises(FmError, match="not among the visits"):
        score_answers(FIQR, frame, visits)


def forms(instrument):
    """Forms with some answers missing."""
    return st.fixed_dictionaries(
        {item.id: st.one_of(st.none(), st.integers(item.min, item.max)) for item in instrument.items}
    )


@pytest.mark.parametrize("instrument", [FIQR, ACR], ids=lambda instrument: instrument.id)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_scores_stay_in_range_and_rise_with_every_item(instrument, data):
    form = data.draw(forms(instrument))
    item = data.draw(st.sampled_from(instrument.items))
    low = data.draw(st.integers(item.min, item.max - 1))
    high = data.draw(st.integers(low + 1, item.max))
    before = values(instrument, form | {item.id: low})
    after = values(instrument, form | {item.id: high})
    for score_id, value in before.items():
        assert (value is None) == (after[score_id] is None) or score_id.startswith("acr2016.n_regions")
        if value is not None and after[score_id] is not None:
            least, most = instrument.range_of(score_id)
            assert least <= value <= after[score_id] <= most
            declared = instrument.score(score_id)
            moves = item.id in instrument.items_of(declared) and declared.rule != "groups"
            assert (value < after[score_id]) == moves or declared.rule == "groups"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bounds_contain_every_completed_value(data):
    form = data.draw(forms(ACR))
    completed = {
        item.id: form[item.id] if form[item.id] is not None else data.draw(st.integers(item.min, item.max))
        for item in ACR.items
    }
    bounds, known, whole = values(ACR, form), values(ACR, form), values(ACR, completed)
    for name in ("wpi", "sss", "psd", "n_regions"):
        assert bounds[f"acr2016.{name}_min"] <= whole[f"acr2016.{name}"] <= bounds[f"acr2016.{name}_max"]
        assert known[f"acr2016.{name}"] in (None, whole[f"acr2016.{name}"])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_the_order_of_rows_changes_nothing(data, seed):
    answers, visits = [], []
    for subject in "CAB":
        visits.append((subject, "v", [f"row{subject}"]))
        form = data.draw(forms(FIQR))
        answers += [
            (subject, "v", item, value, [f"row{subject}"])
            for item, value in form.items()
            if value is not None
        ]
    given_schema = {name: ANSWERS[name] for name in ("subject_id", "visit_id", "_row_ids")}

    def run():
        return score_answers(
            FIQR,
            pl.DataFrame(answers, schema=ANSWERS, orient="row"),
            pl.DataFrame(visits, schema=given_schema, orient="row"),
        )

    first = run()
    shuffler = random.Random(seed)
    shuffler.shuffle(answers)
    shuffler.shuffle(visits)
    assert run().equals(first)
    assert first.equals(first.sort("subject_id", "visit_id", "score_id"))


def test_the_double_is_the_exact_value_divided_by_its_scale():
    frame = score(FIQR, fiqr([5] * 6 + [1, None, None], [7, None], [4] * 10))
    for row in frame.iter_rows(named=True):
        assert row["value"] == float(Fraction(row["value_exact"], row["value_scale"]))


def test_a_pain_scale_from_a_file_of_ones_own(tmp_path):
    (tmp_path / "nrs.yaml").write_text(
        "id: nrs\ntitle: Pain\ncitation: none\n"
        "items: [{id: now, label: Pain now, domain: pain, min: 0, max: 10, recall: now}]\n"
        "scores: [{id: pain, label: Pain, rule: item, item: now}]\n"
    )
    frame = score(load_instrument("nrs.yaml", tmp_path), {"now": 7})
    assert frame.select("score_id", "value_exact", "value_scale").rows() == [("nrs.pain", 7, 1)]
