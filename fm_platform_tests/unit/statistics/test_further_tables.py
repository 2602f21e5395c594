"""The tables beside stats.symptom_change: sensitivity, omnibus, response in detail, arms, results as data."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import polars as pl
import pytest

from fm_platform.instruments.registry import load_instrument
from fm_platform.statistics.ard import ARD_COLUMNS, ARD_KEY, recalled, results, unlike, unprinted
from fm_platform.statistics.arms import BETWEEN_ARMS, between_arms
from fm_platform.statistics.friedman import TooLarge, friedman
from fm_platform.statistics.hodges_lehmann import hodges_lehmann
from fm_platform.statistics.omnibus import friedman_tests
from fm_platform.statistics.rank_sum import rank_sum
from fm_platform.statistics.responder_status import responder_status
from fm_platform.statistics.responder_tables import mcnemar_tests, responder_rates
from fm_platform.statistics.sensitivity import SENSITIVITY, sensitivity
from fm_platform.statistics.signed_rank import signed_rank

VISITS = pl.DataFrame(
    {
        "visit_id": ["week_12", "baseline", "week_4"],
        "position": [3, 1, 2],
        "is_baseline": [False, True, False],
    }
)
OUTCOMES = pl.DataFrame(
    {
        "outcome_id": ["pain"],
        "score_id": ["fiqr.pain"],
        "family": ["primary"],
        "better": ["lower"],
        "range_low": [0.0],
        "range_high": [10.0],
        "position": [1],
    }
)
DEFINITIONS = pl.DataFrame({"responder_id": ["pain30"], "outcome_id": ["pain"], "reduction_percent": [30]})
SUBJECTS = "ABCDEF"


def people(arms=None):
    return pl.DataFrame(
        {
            "subject_id": list(SUBJECTS),
            "stratum": ["x", "x", "x", "x", "y", "y"],
            "arm": list(arms) if arms else [None] * 6,
            "in_population": [True] * 6,
        },
        schema_overrides={"arm": pl.String},
    )


def scores(**by_visit):
    """{visit: six values, None for missing}, as marts.symptom_scores."""
    rows = [
        (subject, visit, "pain", value, 1, [f"{subject}-{visit}"])
        for visit, values in by_visit.items()
        for subject, value in zip(SUBJECTS, values, strict=True)
        if value is not None
    ]
    columns = ["subject_id", "visit_id", "outcome_id", "value_exact", "value_scale", "_row_ids"]
    return pl.DataFrame(rows, schema=columns, orient="row")


HOLES = scores(baseline=[8, 7, 9, 6, 8, None], week_4=[5, None, 6, 6, 4, 3], week_12=[4, None, None, 7, 3, 2])


def analyses(frame=HOLES, visit="week_12", stratum=None):
    found = sensitivity(frame, people(), OUTCOMES, VISITS)
    assert found.schema == pl.Schema(SENSITIVITY.schema)
    chosen = found.filter((pl.col("visit") == visit) & pl.col("stratum").eq_missing(pl.lit(stratum)))
    return {row["analysis"]: row for row in chosen.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("analysis", "n", "n_imputed", "changes"),
    [
        ("complete_pairs", 3, 0, [-4, 1, -5]),
        ("bocf", 5, 2, [-4, 0, 0, 1, -5]),
        ("locf", 5, 2, [-4, 0, -3, 1, -5]),
        ("best_case", 6, 3, [-4, -7, -9, 1, -5, -8]),
        ("worst_case", 6, 3, [-4, 3, 1, 1, -5, 2]),
    ],
)
def test_each_way_to_fill_holes_is_what_it_says(analysis, n, n_imputed, changes):
    found = analyses()[analysis]
    assert (found["n"], found["n_imputed"]) == (n, n_imputed)
    assert found["hl_estimate"] == float(hodges_lehmann(changes).estimate)
    assert found["p_value"] == float(signed_rank(changes).p_value)


def test_bounds_enclose_the_estimate_of_every_possible_completion():
    found = analyses()
    completions = product((0, 5, 10), repeat=3)
    estimates = [float(hodges_lehmann([-4, b - 7, c - 9, 1, -5, 2 - f]).estimate) for b, c, f in completions]
    assert found["best_case"]["hl_estimate"] == min(estimates)
    assert found["worst_case"]["hl_estimate"] == max(estimates)


def test_leave_one_out_spans_every_series_without_one_patient():
    found = analyses(visit="week_4")["leave_one_out"]
    changes = [-3, -3, 0, -4]
    rest = [changes[:at] + changes[at + 1 :] for at in range(4)]
    p_values = [float(signed_rank(left).p_value) for left in rest]
    estimates = [float(hodges_lehmann(left).estimate) for left in rest]
    assert (found["p_min"], found["p_max"]) == (min(p_values), max(p_values))
    assert (found["estimate_min"], found["estimate_max"]) == (min(estimates), max(estimates))


def test_a_stratum_without_pairs_has_rows_that_say_so():
    found = analyses(scores(baseline=[8] * 6, week_4=[1, 1, 1, 1, None, None]), "week_4", "y")
    assert {row["note"] for name, row in found.items() if row["n"] == 0} == {"no pairs"}
    assert found["worst_case"]["n"] == 2


def test_friedman_takes_the_complete_subjects_of_the_visits_that_were_held():
    frame = scores(baseline=[8, 7, 9, 6, 8, None], week_4=[5, 6, 6, 6, 4, 3], week_12=[4, 5, None, 7, 3, 2])
    row = friedman_tests(frame, people(), OUTCOMES, VISITS).row(0, named=True)
    expected = friedman([(8, 5, 4), (7, 6, 5), (6, 6, 7), (8, 4, 3)])
    assert (row["n"], row["n_missing"], row["n_visits"]) == (4, 2, 3)
    assert row["p_value"] == float(expected.p_value)


def test_two_visits_are_no_omnibus():
    row = friedman_tests(scores(baseline=[8] * 6, week_4=[5] * 6), people(), OUTCOMES, VISITS).row(
        0, named=True
    )
    assert (row["p_value"], row["note"]) == (None, "fewer than three visits have values")


def test_friedman_beyond_reach_is_refused_when_small_and_labelled_when_large():
    from scipy.stats import friedmanchisquare

    row = [3, 1, 4, 1, 5, 9]
    with pytest.raises(TooLarge):
        friedman([row[at % 6 :] + row[: at % 6] for at in range(19)], approximate=True)
    rows = [[(at * 7 + visit * visit * 5) % 23 for visit in range(6)] for at in range(40)]
    found = friedman(rows, approximate=True)
    assert found.method == "chi-square approximation"
    assert float(found.p_value) == pytest.approx(friedmanchisquare(*zip(*rows, strict=True)).pvalue)


def status(frame=HOLES, instrument_scores=None, instruments=()):
    empty = frame.rename({"outcome_id": "score_id"}).clear()
    own = empty if instrument_scores is None else instrument_scores
    return responder_status(frame, own, people(), DEFINITIONS, OUTCOMES, VISITS, instruments=instruments)


def test_everyone_expected_has_a_verdict_or_a_reason():
    found = status(scores(baseline=[10, 10, 0, 6, 8, None], week_4=[7, 8, 0, None, 4, 3]))
    at_four = found.filter(pl.col("visit") == "week_4").sort("subject_id")
    assert at_four["responded"].to_list() == [True, False, None, None, True, None]
    assert at_four["status"].to_list() == [
        "responder", "non-responder", "baseline is zero", "value missing", "responder", "value missing",
    ]  # fmt: skip


def test_both_denominators_and_the_best_case():
    rates = responder_rates(status())
    at_twelve = rates.filter((pl.col("visit") == "week_12") & pl.col("stratum").is_null())
    assert at_twelve.select("denominator", "responders", "n").rows() == [
        ("observed cases", 2, 3),
        ("non-responder imputation", 2, 6),
        ("best case", 5, 6),
    ]


def test_mcnemar_compares_visits_in_their_order():
    frame = scores(baseline=[10] * 6, week_4=[5, 5, 5, 5, 9, 9], week_12=[5, 5, 5, 9, 9, 9])
    row = mcnemar_tests(status(frame), VISITS).row(0, named=True)
    assert (row["first_visit"], row["second_visit"]) == ("week_4", "week_12")
    assert [row[name] for name in ("n", "both", "only_first", "only_second", "neither")] == [6, 3, 1, 0, 2]
    assert row["p_value"] == 1


PARTS = ("pain", "function", "sleep_quality", "energy", "depression", "anxiety", "memory")


def composite(**changes):
    """Statuses of the two FM30 composites for subject A, whose scores fall from 10 by the given points."""
    rows = [
        ("A", visit, f"fiqr.{part}", 10 - (fall if visit == "week_4" else 0), 1, [f"{part}-{visit}"])
        for part in PARTS
        if (fall := changes.get(part, 0)) is not None
        for visit in ("baseline", "week_4")
    ]
    columns = ["subject_id", "visit_id", "score_id", "value_exact", "value_scale", "_row_ids"]
    own = pl.DataFrame(rows, schema=columns, orient="row")
    found = status(HOLES.clear(), own, (load_instrument("fiqr"),))
    chosen = found.filter((pl.col("subject_id") == "A") & (pl.col("visit") == "week_4"))
    return {row["responder"]: row["responded"] for row in chosen.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("changes", "short", "long"),
    [
        ({"pain": 3, "function": 1, "energy": 3}, True, False),
        ({"pain": 3, "function": 1, "energy": 3, "anxiety": 3}, True, True),
        ({"pain": 3, "function": 1, "anxiety": 3, "memory": 3}, False, True),
        ({"pain": 2, "function": 9, "energy": 9, "anxiety": 9}, False, False),
        ({"pain": 3, "function": 1, "energy": 3, "anxiety": None}, True, None),
        ({"pain": None, "function": 1, "energy": 3, "anxiety": 3}, None, None),
        ({"pain": None, "function": 0, "energy": 3, "anxiety": 3}, False, False),
    ],
)
def test_fm30_composites_in_three_valued_logic(changes, short, long):
    found = composite(**changes)
    assert (found["fiqr.fm30_short"], found["fiqr.fm30_long"]) == (short, long)


def test_arms_are_compared_with_the_reference_and_adjusted_in_their_family():
    frame = scores(baseline=[8] * 6, week_4=[4, 5, 3, 7, 8, 6])
    found = between_arms(frame, people("bbbaaa"), OUTCOMES, VISITS)
    assert found.schema == pl.Schema(BETWEEN_ARMS.schema)
    row = found.row(0, named=True)
    expected = rank_sum([-4, -3, -5], [-1, 0, -2])
    assert (row["arm"], row["reference"], row["n_arm"], row["n_reference"]) == ("b", "a", 3, 3)
    assert (row["p_value"], row["shift"]) == (float(expected.p_value), -3)
    assert (row["family_size"], row["p_holm"], row["p_bh"]) == (2, 0.2, 0.2)
    swapped = between_arms(frame, people("bbbaaa"), OUTCOMES, VISITS, reference="b").row(0, named=True)
    assert (swapped["arm"], swapped["shift"], swapped["p_value"]) == ("a", 3, row["p_value"])


def test_one_arm_gives_no_comparison():
    assert between_arms(HOLES, people("aaaaaa"), OUTCOMES, VISITS).is_empty()
    assert between_arms(HOLES, people(), OUTCOMES, VISITS).is_empty()


def test_every_statistic_is_one_row_and_found_again():
    table = sensitivity(HOLES, people(), OUTCOMES, VISITS)
    ard = results({"stats.sensitivity": table})
    assert ard.columns == [column.name for column in ARD_COLUMNS]
    assert not ard.select(ARD_KEY).is_duplicated().any()
    cell = ard.filter(
        (pl.col("analysis_id") == "sensitivity/pain/week_12/locf")
        & pl.col("group").is_null()
        & (pl.col("stat_name") == "hl_estimate")
    ).row(0, named=True)
    assert (cell["stat_value"], cell["n"]) == (float(hodges_lehmann([-4, 0, -3, 1, -5]).estimate), 5)
    again = recalled(ard, table, "stats.sensitivity", table.schema)
    assert again.schema == table.schema
    assert again.drop("engine_version").equals(table.drop("engine_version"))


def test_an_altered_cell_is_named():
    table = sensitivity(HOLES, people(), OUTCOMES, VISITS)
    ard = results({"stats.sensitivity": table})
    hit = (pl.col("analysis") == "pratt") & (pl.col("visit") == "week_4") & pl.col("stratum").is_null()
    again = recalled(ard, table, "stats.sensitivity", table.schema).drop("engine_version")
    printed = table.drop("engine_version")
    key = ("outcome", "visit", "stratum", "analysis")
    assert unlike(printed, again, key) == {}
    altered = printed.with_columns(pl.when(hit).then(0.5).otherwise("p_value").alias("p_value"))
    assert unlike(altered, again, key) == {"p_value": 1}
    blanked = printed.with_columns(pl.when(hit).then(None).otherwise("method").alias("method"))
    assert unlike(blanked, again, key) == {"method": 1}
    assert unlike(printed, again.filter(~hit.fill_null(False)), key)["n"] == 1
    assert unprinted(ard, printed.filter(~hit), "stats.sensitivity") == 1


def test_the_sensitivity_rows_repeat_the_primary_p():
    assert Fraction(analyses()["complete_pairs"]["p_value"]) == signed_rank([-4, 1, -5]).p_value
