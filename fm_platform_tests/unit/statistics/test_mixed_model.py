"""The mixed model against R, against the analysis of variance, and as rows of stats.sensitivity."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fm_platform.statistics.ard import ARD_KEY, results
from fm_platform.statistics.mixed_model import NoFit, fit_mixed_model
from fm_platform.statistics.sensitivity import SENSITIVITY, sensitivity

ORACLE = Path(__file__).resolve().parents[2] / "oracles" / "mixed_model"
WEEKS = {week: at for at, week in enumerate(("0", "2", "4", "8", "12", "16"))}
VISITS = ("baseline", "week_4", "week_12")


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def placed(cells):
    """Values and which are known, of (subject, visit, value); only subjects the model takes."""
    subjects = {subject: at for at, subject in enumerate(dict.fromkeys(subject for subject, _, _ in cells))}
    values = np.zeros((len(subjects), 1 + max(visit for _, visit, _ in cells)), dtype=np.int64)
    known = np.zeros(values.shape, dtype=bool)
    for subject, visit, value in cells:
        values[subjects[subject], visit] = value
        known[subjects[subject], visit] = True
    has = known[:, 0] & known[:, 1:].any(axis=1)
    return values[has], known[has]


def agrees_with_r(name, cells):
    told = [row for row in read(ORACLE / "oracle.csv") if row["set"] == name]
    fit = fit_mixed_model(*placed(cells), 0)
    assert fit.residual_variance == pytest.approx(float(told[0]["within"]), rel=1e-6)
    assert fit.intercept_variance == pytest.approx(float(told[0]["between"]), rel=1e-6)
    assert len(told) == len(fit.contrasts) - 1
    for row in told:
        ours = fit.contrasts[int(row["visit"])]
        for field in ("estimate", "error", "df", "p_value"):
            assert getattr(ours, field) == pytest.approx(float(row[field]), rel=1e-5), (row, field)
        assert ours.estimate == pytest.approx(float(row["nlme_estimate"]), rel=1e-6)
        assert ours.error == pytest.approx(float(row["nlme_error"]), rel=1e-6)


@pytest.mark.parametrize("name", ["complete", "pairs", "holes", "many", "weak", "edge"])
def test_frozen_answers_of_lmertest_and_nlme(name):
    rows = [row for row in read(ORACLE / "inputs.csv") if row["set"] == name]
    agrees_with_r(name, [(row["subject"], int(row["visit"]), int(row["value"])) for row in rows])


def test_the_trial_in_cervical_dystonia_as_r_sees_it(shared_data):
    rows = read(shared_data / "medicaldata" / "cdystonia.csv")
    cells = [((row["site"], row["id"]), WEEKS[row["week"]], int(row["twstrs"])) for row in rows]
    assert len({subject for subject, _, _ in cells}) == 109
    agrees_with_r("cdystonia", cells)


@given(
    values=st.tuples(st.integers(4, 14), st.integers(2, 5)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(-60, 600))
    )
)
def test_complete_data_are_the_analysis_of_variance(values):
    n, visits = values.shape
    means = values.mean(axis=0)
    between = visits * values.mean(axis=1).var(ddof=1)
    left = values - means - values.mean(axis=1, keepdims=True) + values.mean()
    df = (n - 1) * (visits - 1)
    within = (left**2).sum() / df
    assume(within > 1e-3)
    # The intercepts' share stays on the grid that is searched.
    assume(between / within < 1e6 and not 0.999 < between / within < 1.001)
    fit = fit_mixed_model(values, np.ones(values.shape, dtype=bool), 0)
    if between < within:
        within, df = ((n - 1) * between + df * within) / (n * visits - visits), n * visits - visits
    assert fit.contrasts[0] is None
    for at in range(1, visits):
        contrast = fit.contrasts[at]
        assert contrast.estimate == pytest.approx(means[at] - means[0], rel=1e-6, abs=1e-6)
        assert contrast.error == pytest.approx(np.sqrt(2 * within / n), rel=1e-6)
        assert contrast.df == pytest.approx(df, rel=1e-4)


def test_two_visits_are_the_paired_t_test():
    from scipy import stats

    random = np.random.default_rng(3)
    base = random.integers(30, 90, 20)
    values = np.column_stack([base, base - random.integers(-4, 12, 20)])
    told = stats.ttest_rel(values[:, 1], values[:, 0])
    low, high = told.confidence_interval(0.95)
    ours = fit_mixed_model(values, np.ones((20, 2), dtype=bool), 0).contrasts[1]
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=1e-9)
    assert (ours.p_value, ours.df) == pytest.approx((told.pvalue, 19), rel=1e-9)


def holed(n=20):
    random = np.random.default_rng(11)
    values = random.integers(0, 11, (n, 3)) + random.integers(0, 11, (n, 1))
    known = random.random((n, 3)) > 0.2
    known[:, :2] = True
    return values, known


def test_order_of_subjects_changes_nothing_and_units_only_the_units():
    values, known = holed()
    fit, order = fit_mixed_model(values, known, 0), np.random.default_rng(5).permutation(len(values))
    assert fit_mixed_model(values[order], known[order], 0) == fit
    assert fit_mixed_model(values * 7, known, 0, 7).contrasts[2].low == pytest.approx(fit.contrasts[2].low)
    # Too large for 64-bit sums of squares.
    huge = fit_mixed_model(values * 2**40, known, 0, 2**40).contrasts[2]
    assert (huge.estimate, huge.p_value) == pytest.approx(
        (fit.contrasts[2].estimate, fit.contrasts[2].p_value)
    )
    assert fit_mixed_model(values + 10**9, known, 0).contrasts[1].error == pytest.approx(
        fit.contrasts[1].error
    )


def test_the_baseline_may_stand_anywhere():
    values, known = holed()
    first, last = (
        fit_mixed_model(values, known, 0),
        fit_mixed_model(values[:, [1, 2, 0]], known[:, [1, 2, 0]], 2),
    )
    assert last.contrasts[0].estimate == pytest.approx(first.contrasts[1].estimate)
    assert last.contrasts[1].df == pytest.approx(first.contrasts[2].df)


@pytest.mark.parametrize("change", [0, 3])
def test_changes_that_do_not_vary_have_no_fit(change):
    base = np.arange(12)
    with pytest.raises(NoFit, match="same for every subject"):
        fit_mixed_model(np.column_stack([base, base + change]), np.ones((12, 2), dtype=bool), 0)


def test_a_likelihood_without_a_maximum_within_reach_is_no_fit():
    base = np.arange(12) * 10**9
    values = np.column_stack([base, base + (np.arange(12) == 4)])
    with pytest.raises(NoFit, match="did not converge"):
        fit_mixed_model(values, np.ones((12, 2), dtype=bool), 0)


def table(values, known, strata=None):
    """stats.sensitivity of a study with one outcome."""
    subjects = [f"S{at:02}" for at in range(len(values))]
    cells = [
        (subjects[at], VISITS[visit], "pain", int(values[at, visit]), 1, [f"{subjects[at]}-{visit}"])
        for at, visit in np.argwhere(known)
    ]
    columns = ["subject_id", "visit_id", "outcome_id", "value_exact", "value_scale", "_row_ids"]
    people = pl.DataFrame(
        {"subject_id": subjects, "stratum": strata or ["x"] * len(subjects), "in_population": True}
    )
    outcomes = {
        "outcome_id": ["pain"],
        "better": ["lower"],
        "range_low": [0.0],
        "range_high": [30.0],
        "position": [1],
    }
    visits = {"visit_id": VISITS, "position": [1, 2, 3], "is_baseline": [True, False, False]}
    found = sensitivity(
        pl.DataFrame(cells, schema=columns, orient="row"),
        people,
        pl.DataFrame(outcomes),
        pl.DataFrame(visits),
    )
    assert found.schema == pl.Schema(SENSITIVITY.schema)
    return found


def modelled(found):
    return found.filter(pl.col("analysis") == "mixed_model")


def test_rows_come_with_the_twelfth_subject_that_has_a_later_value():
    values, known = holed(24)
    known[12, 1:] = known[13, 0] = False
    strata = ["a"] * 11 + ["b"] * 13
    found = table(values, known, strata)
    assert modelled(found)["stratum"].unique().to_list() == [None]
    assert modelled(found)["n"].to_list() == [22, 22]
    known[12, 2] = True
    found = table(values, known, strata)
    rows = modelled(found).filter(pl.col("stratum") == "b")
    assert rows["n"].to_list() == [12, 12]
    assert rows["n_imputed"].to_list() == [0, 0]
    assert found.group_by("outcome", "visit", "stratum", "analysis").len()["len"].max() == 1


def test_a_row_says_what_the_fit_says_and_reaches_the_results_data():
    values, known = holed()
    found = modelled(table(values, known)).filter(pl.col("stratum").is_null())
    fit = fit_mixed_model(values, known, 0)
    for row, contrast in zip(found.iter_rows(named=True), fit.contrasts[1:], strict=True):
        said = (row["mean_change"], row["mean_low"], row["mean_high"], row["mean_df"], row["p_value"])
        assert said == (contrast.estimate, contrast.low, contrast.high, contrast.df, contrast.p_value)
        assert row["note"] is None
        assert row["hl_estimate"] is None
    ard = results({"stats.sensitivity": table(values, known)})
    assert ard.select(pl.struct(ARD_KEY).is_duplicated().any()).item() is False
    mean = ard.filter(
        (pl.col("analysis_id") == "sensitivity/pain/week_12/mixed_model")
        & (pl.col("stat_name") == "mean_change")
        & pl.col("group").is_null()
    )
    assert mean["stat_value"].to_list() == [fit.contrasts[2].estimate]


def test_what_has_no_estimate_says_why():
    values, known = holed()
    known[:, 2] = False
    everyone = modelled(table(values, known)).filter(pl.col("stratum").is_null())
    week_4, week_12 = everyone.iter_rows(named=True)
    assert week_4["mean_change"] is not None
    assert (week_12["mean_change"], week_12["note"]) == (None, "no values at this visit")
    values[:, 1] = values[:, 0]
    still = modelled(table(values, known)).row(0, named=True)
    assert (still["mean_change"], still["p_value"]) == (None, None)
    assert still["note"] == "the changes at each visit are the same for every subject"


def test_no_variance_between_subjects_is_said_where_there_is_an_estimate():
    signs = np.tile([[5, 9, 0], [9, 5, 0]], (7, 1))
    known = np.tile([True, True, False], (14, 1))
    notes = modelled(table(signs, known)).filter(pl.col("stratum").is_null())["note"].to_list()
    assert notes == ["the variance between subjects is estimated as 0", "no values at this visit"]
