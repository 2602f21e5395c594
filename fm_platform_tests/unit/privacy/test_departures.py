"""Whether tables may leave: classes over all tables together, bands, counts of few people."""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.errors import CheckFailed
from fm_platform.privacy.departures import Leaving, few_people, require_k, with_bands, without_variables
from fm_platform.privacy.k_anonymity import BANDINGS

AGES = Leaving(
    "marts.a", pl.DataFrame({"id": list("abcdef"), "AGE": [41, 42, 43, 51, 52, 53]}), "id", ("AGE",)
)
SEXES = Leaving(
    "marts.b",
    pl.DataFrame({"id": list("aabbccddeeff"), "sex": list("ffffffmmmmmm"), "x": range(12)}),
    "id",
    ("sex",),
)
TENS, TWENTIES = BANDINGS[2], BANDINGS[3]


def test_exact_ages_are_blocked_with_the_band_that_would_do():
    with pytest.raises(CheckFailed, match="6 of 6 people share age with fewer than 2 others") as refused:
        require_k([AGES], 3, BANDINGS[0])
    assert "--band 5" in str(refused.value)
    found = require_k([AGES], 3, TENS)
    assert (found.quasi_identifiers, found.k_achieved) == (("age",), 3)


def test_tables_are_judged_together_because_they_can_be_joined():
    other = Leaving(
        SEXES.table, SEXES.frame.with_columns(sex=pl.Series(list("ffmmffmmffmm"))), "id", ("sex",)
    )
    assert require_k([SEXES], 3, BANDINGS[0]).k_achieved == 3
    assert require_k([AGES, SEXES], 3, TENS).k_achieved == 3
    assert require_k([other], 3, BANDINGS[0]).k_achieved == 3
    with pytest.raises(CheckFailed, match="share age, sex with"):
        require_k([AGES, other], 3, TENS)


def test_fewer_than_three_never_leave_whatever_is_declared():
    pairs = Leaving("t", pl.DataFrame({"id": list("abcd"), "sex": list("ffmm")}), "id", ("sex",))
    with pytest.raises(CheckFailed, match="leave out a column"):
        require_k([pairs], 2, BANDINGS[0])


def test_tables_of_nobody_in_particular_have_nothing_to_judge():
    assert require_k([Leaving("report.t", pl.DataFrame({"n": [1]}))], 3, BANDINGS[0]).k_achieved is None


def test_bands_are_written_and_the_oldest_are_one_class_even_without():
    assert with_bands(AGES, TWENTIES).frame["AGE"].to_list() == ["40-59"] * 6
    assert with_bands(AGES, BANDINGS[0]).frame["AGE"].to_list() == AGES.frame["AGE"].to_list()
    old = Leaving("t", pl.DataFrame({"age": [93, 47]}), None, ("age",))
    assert with_bands(old, BANDINGS[0]).frame["age"].to_list() == ["90+", "47"]


def test_counts_of_few_people_are_found_and_leave_with_their_whole_variable():
    table = Leaving(
        "report.characteristics",
        pl.DataFrame(
            {
                "variable": ["n", "sex", "sex", "age", "site"],
                "count": [9, 7, 2, None, 1],
                "n": [9, 9, 9, 9, 9],
            }
        ),
    )
    assert few_people(table, ["age", "sex"], 3) == ("sex",)
    assert without_variables(table, ["sex"]).frame["variable"].to_list() == ["n", "age", "site"]
    assert few_people(Leaving("report.other", table.frame), ["sex"], 3) == ()


@pytest.mark.parametrize(
    ("in_strata", "expected"), [((4, 3), ()), ((3, 3), ("sex",)), ((5, 0), ("sex",)), ((4, 0), ())]
)
def test_what_the_strata_leave_of_a_total_is_a_count_too(in_strata, expected):
    """Seven men in all: a man in neither stratum is told by subtraction."""
    counts = pl.DataFrame(
        {
            "variable": ["sex"] * 3 + ["age"] * 2,
            "level": ["male"] * 3 + [None] * 2,
            "stratum": [None, "primary", "secondary", None, "primary"],
            "count": [7, *in_strata, None, None],
            "n": [9, 9, 9, 9, 9],
        }
    )
    table = Leaving("report.characteristics", counts)
    assert few_people(table, ["age", "sex"], 3) == expected
    ard = counts.select(
        "variable",
        pl.concat_str(pl.lit("characteristics/"), "variable").alias("analysis_id"),
        pl.col("stratum").alias("group"),
        pl.lit("count").alias("stat_name"),
        pl.col("count").cast(pl.Float64).alias("stat_value"),
        "n",
        pl.lit("stats.characteristics").alias("source_table"),
    )
    assert few_people(Leaving("stats.ard", ard), ["age", "sex"], 3) == expected
