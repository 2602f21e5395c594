"""The tables stats.symptom_change and stats.responders."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from fm_platform.errors import FmError
from fm_platform.statistics.change import SYMPTOM_CHANGE, symptom_change
from fm_platform.statistics.responders import RESPONDER_COUNTS, responders, responds

VISITS = pl.DataFrame(
    {
        "visit_id": ["week_12", "baseline", "week_4"],
        "position": [3, 1, 2],
        "is_baseline": [False, True, False],
    }
)
OUTCOMES = pl.DataFrame(
    {
        "outcome_id": ["fiqr_total", "pain"],
        "family": ["primary", None],
        "better": ["lower", "lower"],
        "position": [1, 2],
    },
    schema_overrides={"family": pl.String},
)
RESPONDERS = pl.DataFrame(
    {"responder_id": ["pain30", "pain50"], "outcome_id": ["pain", "pain"], "reduction_percent": [30, 50]}
)
SCORE_SCHEMA = {
    "subject_id": pl.String,
    "visit_id": pl.String,
    "outcome_id": pl.String,
    "value_exact": pl.Int64,
    "value_scale": pl.Int64,
    "_row_ids": pl.List(pl.String),
}
STRATA = {
    "A": "primary",
    "B": "primary",
    "C": "secondary",
    "D": "secondary",
    "E": "secondary",
    "F": "secondary",
}


def people(strata=None, outside=()):
    strata = STRATA if strata is None else strata
    return pl.DataFrame(
        {
            "subject_id": list(strata),
            "stratum": list(strata.values()),
            "in_population": [subject not in outside for subject in strata],
        },
        schema_overrides={"stratum": pl.String},
    )


def tables(values):
    """The two marts from {(outcome, visit): {subject: value or (exact, scale)}}: change, then scores."""
    rows = []
    for (outcome, visit), by_subject in values.items():
        for subject, value in by_subject.items():
            exact, scale = value if isinstance(value, tuple) else (value, 1)
            rows.append((subject, visit, outcome, exact, scale, [f"{subject}-{visit}"]))
    scores = pl.DataFrame(rows, schema=SCORE_SCHEMA, orient="row")
    base = scores.filter(pl.col("visit_id") == "baseline").select(
        "subject_id", "outcome_id", base_exact="value_exact", base_scale="value_scale"
    )
    change = (
        scores.filter(pl.col("visit_id") != "baseline")
        .rename({"value_exact": "post_exact", "value_scale": "post_scale"})
        .join(base, on=["subject_id", "outcome_id"])
    )
    return change, scores


def six(*values):
    return dict(zip("ABCDEF", values, strict=True))


FIQR = {
    ("fiqr_total", "baseline"): six((360, 6), (400, 6), (420, 6), (300, 6), (450, 6), (390, 6)),
    ("fiqr_total", "week_4"): six((330, 6), (382, 6), (372, 6), (300, 6), (438, 6), (318, 6)),
}


def row(frame, outcome, visit, stratum=None, key="outcome"):
    chosen = frame.filter(
        (pl.col(key) == outcome) & (pl.col("visit") == visit) & pl.col("stratum").eq_missing(pl.lit(stratum))
    )
    return chosen.row(0, named=True)


def run(values, participants=None):
    change, scores = tables(values)
    return symptom_change(
        change, scores, people() if participants is None else participants, OUTCOMES, VISITS
    )


def test_one_row_for_each_outcome_later_visit_and_stratum():
    frame = run(FIQR)
    assert frame.schema == pl.Schema(SYMPTOM_CHANGE.schema)
    assert frame.select("outcome", "visit", "stratum").rows() == [
        (outcome, visit, stratum)
        for outcome in ("fiqr_total", "pain")
        for visit in ("week_4", "week_12")
        for stratum in (None, "primary", "secondary")
    ]


def test_without_strata_there_are_only_rows_over_all():
    frame = run(FIQR, people(dict.fromkeys("ABCDEF")))
    assert frame.height == 4
    assert frame["stratum"].null_count() == 4


def test_one_zero_change_among_six():
    found = row(run(FIQR), "fiqr_total", "week_4")
    assert (found["n"], found["n_expected"], found["n_missing"], found["n_zero"], found["n_eff"]) == (
        6,
        6,
        0,
        1,
        5,
    )
    assert (found["p_value"], found["p_floor"], found["p_num"], found["p_den"]) == (0.0625, 0.0625, 2, 32)
    assert (found["w_plus"], found["w_minus"], found["rank_biserial"]) == (0, 15, -1)
    assert (found["improved"], found["unchanged"], found["worsened"]) == (5, 1, 0)
    assert (found["median_baseline"], found["median_change"]) == (395 / 6, -4)
    assert (found["hl_low"], found["hl_high"], found["hl_level"]) == (-12, 0, 0.96875)
    assert found["note"] is None


def test_holm_runs_over_the_declared_family_in_rows_over_all():
    frame = run(FIQR)
    found = row(frame, "fiqr_total", "week_4")
    assert (found["family"], found["family_size"], found["p_holm"], found["holm_floor"]) == (
        "primary",
        2,
        0.125,
        0.125,
    )
    for other in (row(frame, "fiqr_total", "week_4", "secondary"), row(frame, "pain", "week_4")):
        assert (other["family"], other["family_size"], other["p_holm"]) == (None, None, None)


def test_a_declared_visit_without_data_has_n_zero_and_nulls():
    found = row(run(FIQR), "fiqr_total", "week_12")
    assert (found["n"], found["n_missing"], found["family_size"]) == (0, 6, 2)
    assert [found[name] for name in ("p_value", "p_holm", "hl_estimate", "median_change", "w_plus")] == [
        None
    ] * 5


def test_five_pairs_have_no_interval_and_say_so():
    values = {key: {s: v for s, v in by.items() if s != "A"} for key, by in FIQR.items()}
    found = row(run(values), "fiqr_total", "week_4")
    assert (found["n"], found["n_missing"], found["hl_low"], found["hl_level"]) == (5, 1, None, None)
    assert "no 95 % interval" in found["note"]


def test_strata_are_compared_on_their_own():
    found = row(run(FIQR), "fiqr_total", "week_4", "primary")
    assert (found["n"], found["n_expected"], found["p_value"], found["median_change"]) == (2, 2, 0.5, -4)


def test_only_the_population_counts():
    found = row(run(FIQR, people(outside=("F",))), "fiqr_total", "week_4")
    assert (found["n"], found["n_expected"]) == (5, 5)


def test_everyone_unchanged_is_p_one_without_effect():
    values = {("pain", visit): six(5, 6, 7, 8, 4, 3) for visit in ("baseline", "week_4")}
    found = row(run(values), "pain", "week_4")
    assert (found["p_value"], found["n_eff"], found["rank_biserial"], found["hl_estimate"]) == (1, 0, None, 0)
    assert found["note"] == "no change observed"


def test_prorated_and_complete_scores_meet_on_one_scale():
    """A change of 5 in sixths and the same change in 2520ths are a tie, and a prorated equal is a zero."""
    values = {
        ("fiqr_total", "baseline"): six((300, 6), (126000, 2520), (300, 6), (300, 6), (300, 6), (300, 6)),
        ("fiqr_total", "week_4"): six((270, 6), (270, 6), (126000, 2520), (276, 6), (282, 6), (288, 6)),
    }
    frame = run(values)
    found = row(frame, "fiqr_total", "week_4")
    assert (found["n_zero"], found["n_tied_groups"]) == (1, 1)
    assert row(frame, "fiqr_total", "week_4", "primary")["median_change"] == -5


def test_higher_is_better_turns_the_directions_and_not_the_sign():
    outcomes = OUTCOMES.with_columns(better=pl.lit("higher"))
    change, scores = tables(FIQR)
    found = row(symptom_change(change, scores, people(), outcomes, VISITS), "fiqr_total", "week_4")
    assert (found["improved"], found["worsened"], found["rank_biserial"]) == (0, 5, -1)


def test_the_order_of_rows_changes_nothing():
    change, scores = tables(FIQR)
    first = symptom_change(change, scores, people(), OUTCOMES, VISITS)
    for seed in range(5):
        mixed = [
            frame.sample(fraction=1, shuffle=True, seed=seed)
            for frame in (change, scores, people(), OUTCOMES)
        ]
        assert symptom_change(*mixed, VISITS).equals(first)


def test_a_pair_without_its_score_row_is_an_error():
    change, scores = tables(FIQR)
    with pytest.raises(FmError, match="symptom_scores lacks"):
        symptom_change(change, scores.head(3), people(), OUTCOMES, VISITS)


# -- responders ---------------------------------------------------------------------------------------------


def rates(values, outcomes=OUTCOMES):
    change, scores = tables(values)
    return responders(change, scores, people(), RESPONDERS, outcomes, VISITS)


PAIN = {
    ("pain", "baseline"): six(10, 8, 7, 9, 6, 10),
    ("pain", "week_4"): six(7, 4, 7, 6, 4, 9),
    ("pain", "week_12"): six(7, 4, 7, 6, 6, 9),
}


def test_published_responder_counts_with_their_intervals():
    frame = rates(PAIN)
    assert frame.schema == pl.Schema(RESPONDER_COUNTS.schema)
    week_4 = row(frame, "pain30", "week_4", key="responder")
    week_12 = row(frame, "pain30", "week_12", key="responder")
    assert (week_4["responders"], week_4["n"], round(week_4["rate"], 4)) == (4, 6, 0.6667)
    assert (round(week_4["ci_low"], 3), round(week_4["ci_high"], 3)) == (0.223, 0.957)
    assert (round(week_4["wilson_low"], 3), round(week_4["wilson_high"], 3)) == (0.300, 0.903)
    assert (week_12["responders"], week_12["rate"]) == (3, 0.5)
    assert row(frame, "pain50", "week_4", key="responder")["responders"] == 1
    assert week_4["denominator"] == "observed cases"


@pytest.mark.parametrize(
    ("base", "post", "expected"),
    [((70, 10), (49, 10), 1), ((10, 1), (7, 1), 1), ((10, 1), (71, 10), 0), ((7, 1), (5, 1), 0)],
)
def test_exactly_thirty_percent_counts(base, post, expected):
    values = {("pain", "baseline"): {"A": base}, ("pain", "week_4"): {"A": post}}
    assert row(rates(values), "pain30", "week_4", key="responder")["responders"] == expected


def test_a_baseline_of_zero_is_left_out_and_counted():
    values = {("pain", "baseline"): six(0, 8, 8, 8, 8, 8), ("pain", "week_4"): six(3, 2, 8, 8, 8, 8)}
    found = row(rates(values), "pain30", "week_4", key="responder")
    assert (found["n"], found["responders"], found["n_base_zero"], found["n_missing"]) == (5, 1, 1, 0)


def test_only_zero_baselines_have_no_rate():
    values = {("pain", "baseline"): {"A": 0}, ("pain", "week_4"): {"A": 0}}
    found = row(rates(values), "pain30", "week_4", key="responder")
    assert (found["n"], found["rate"], found["ci_low"], found["note"]) == (
        0,
        None,
        None,
        "every baseline is zero",
    )


def test_missing_subjects_are_counted_and_not_in_the_denominator():
    values = {("pain", "baseline"): six(8, 8, 8, 8, 8, 8), ("pain", "week_4"): {"A": 2, "B": 8}}
    found = row(rates(values), "pain30", "week_4", key="responder")
    assert (found["n"], found["responders"], found["n_missing"], found["n_expected"]) == (2, 1, 4, 6)
    later = row(rates(values), "pain30", "week_12", key="responder")
    assert (later["n"], later["rate"], later["note"]) == (0, None, "no complete pairs")


def test_higher_is_better_counts_rises():
    values = {("pain", "baseline"): {"A": 10, "B": 10}, ("pain", "week_4"): {"A": 13, "B": 5}}
    found = row(
        rates(values, OUTCOMES.with_columns(better=pl.lit("higher"))), "pain30", "week_4", key="responder"
    )
    assert found["responders"] == 1


def test_the_responder_rule_is_exact_for_any_whole_numbers():
    draw = random.Random(3)
    base = np.array([draw.randint(1, 10**17) for _ in range(200)] + [10, 7, 100, 3])
    post = np.array([draw.randint(0, int(b)) for b in base[:200]] + [7, 5, 71, 2])
    for percent in (14, 30, 50):
        expected = [
            Fraction(int(b) - int(p), int(b)) >= Fraction(percent, 100)
            for b, p in zip(base, post, strict=True)
        ]
        assert responds(base, post, percent, "lower").tolist() == expected
