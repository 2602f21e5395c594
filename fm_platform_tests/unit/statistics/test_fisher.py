"""Fisher's exact test against R and by hand, and responders of an arm against the reference arm."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.statistics import fisher as module
from fm_platform.statistics.fisher import fisher
from fm_platform.statistics.responder_arms import RESPONDER_ARMS, responder_arms

ORACLE = Path(__file__).resolve().parents[2] / "oracles" / "fisher" / "oracle.csv"


def test_every_frozen_p_value_of_r_agrees():
    with ORACLE.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    differences = [
        abs(
            float(fisher(*(int(row[name]) for name in ("first", "n_first", "second", "n_second"))).p_value)
            - float(row["p_value"])
        )
        for row in rows
    ]
    assert len(differences) == 120
    assert max(differences) <= 1e-12


def test_the_lady_tasting_tea():
    """Three of four cups told right: 17/70 on one side, twice that on both (Fisher 1935)."""
    test = fisher(3, 4, 1, 4)
    assert (test.p_value, test.p_floor, test.method) == (Fraction(34, 70), Fraction(2, 70), "exact")


@given(data=st.data(), m=st.integers(1, 9), n=st.integers(1, 9))
def test_no_table_goes_below_the_floor_and_groups_may_change_places(data, m, n):
    first, second = data.draw(st.integers(0, m)), data.draw(st.integers(0, n))
    test = fisher(first, m, second, n)
    assert test.p_floor <= test.p_value <= 1
    assert test == fisher(second, n, first, m) == fisher(m - first, m, n - second, n)
    assert fisher(m, m, 0, n).p_value == test.p_floor


def test_large_groups_are_computed_in_doubles_and_say_so(monkeypatch):
    counted = fisher(310, 1000, 270, 1100)
    monkeypatch.setattr(module, "MOST_COUNTED", 100)
    doubled = fisher(310, 1000, 270, 1100)
    assert doubled.method == "exact in double precision"
    assert float(doubled.p_value) == pytest.approx(float(counted.p_value), rel=1e-10)
    assert float(doubled.p_floor) == pytest.approx(float(counted.p_floor), rel=1e-9)


@pytest.mark.parametrize("table", [(0, 0, 1, 2), (3, 2, 0, 2), (-1, 2, 0, 2)])
def test_impossible_tables_are_refused(table):
    with pytest.raises(ValueError, match="both groups need members"):
        fisher(*table)


def judged(arms: str, verdicts: list[bool | None]) -> tuple[pl.DataFrame, pl.DataFrame]:
    subjects = [f"S{at}" for at in range(len(arms))]
    status = pl.DataFrame(
        {
            "responder": ["pain30"] * len(arms),
            "subject_id": subjects,
            "visit": ["w12"] * len(arms),
            "stratum": [None] * len(arms),
            "responded": verdicts,
            "status": ["value missing" if verdict is None else "" for verdict in verdicts],
            "definition": ["pain improved"] * len(arms),
            "_row_ids": [[f"r{subject}"] for subject in subjects],
        },
        schema_overrides={"responded": pl.Boolean, "stratum": pl.String},
    )
    return status, pl.DataFrame({"subject_id": subjects, "arm": list(arms)})


def test_arms_are_compared_as_observed_and_with_the_missing_as_not_responding():
    status, people = judged("pppaaaa", [False, False, True, True, True, True, None])
    found = responder_arms(status, people, reference="p")
    assert found.schema == pl.Schema(RESPONDER_ARMS.schema)
    observed, imputed = found.iter_rows(named=True)
    assert (observed["arm"], observed["reference"], observed["denominator"]) == ("a", "p", "observed cases")
    assert (observed["responders_arm"], observed["n_arm"]) == (3, 3)
    assert (observed["responders_reference"], observed["n_reference"]) == (1, 3)
    assert observed["p_value"] == float(fisher(3, 3, 1, 3).p_value)
    assert (imputed["n_arm"], imputed["responders_arm"], imputed["n_missing"]) == (4, 3, 1)
    assert imputed["p_value"] == float(fisher(3, 4, 1, 3).p_value)


def test_an_arm_that_nobody_can_be_judged_in_has_a_reason_instead_of_a_p_value():
    row = responder_arms(*judged("pa", [True, None])).filter(pl.col("denominator") == "observed cases")
    assert (row["p_value"].item(), row["note"].item()) == (None, "an arm has nobody who can be judged")


def test_one_arm_gives_no_comparison():
    assert responder_arms(*judged("aaa", [True, False, None])).is_empty()
