"""Several exports judged as one: against counting by hand and by brute force."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.privacy.departures import Leaving
from fm_platform.privacy.k_anonymity import BANDINGS
from fm_platform.privacy.together import (
    Departed,
    few_in_between,
    finest,
    hidden_variables,
    smallest_class,
    tells_more,
    widths_of,
)

KEY = ("variable", "level", "stratum")


def counts(*rows: tuple[str, str | None, str | None, int]) -> Leaving:
    """``report.characteristics`` with only these counts."""
    names = ["variable", "level", "stratum", "count"]
    frame = pl.DataFrame(
        [dict(zip(names, row, strict=True)) for row in rows], schema_overrides={"level": pl.String}
    )
    return Leaving(
        "report.characteristics",
        frame.with_columns(n=pl.lit(None, pl.Int64), stratum=pl.col("stratum").cast(pl.String)),
    )


def test_what_was_suppressed_is_hidden_until_somebody_lets_it_out_with_a_reason():
    first = Departed(1, 3, suppressed=frozenset({"age", "sex"}))
    second = Departed(1, 3, revealed=frozenset({"sex"}))
    assert hidden_variables([]) == frozenset()
    assert hidden_variables([first, second]) == {"age"}
    assert hidden_variables([first, second, first]) == {"age", "sex"}


def test_the_finest_band_counts_whatever_the_case_of_the_name():
    assert finest([{"AGE": 20}, {"age": 5, "sex": None}, {"age": 40}]) == {"age": 5, "sex": None}
    assert finest([{"age": None}, {"age": 5}]) == {"age": None}


def test_numbers_that_are_left_out_are_not_told():
    table = Leaving("t", pl.DataFrame({"id": ["a"], "age": [40], "sex": ["f"]}), "id", ("age", "sex"))
    assert widths_of(table, BANDINGS[0]) == {"age": None, "sex": None}
    assert widths_of(table, BANDINGS[2]) == {"age": 10, "sex": None}
    assert widths_of(table, BANDINGS[-1]) == {"sex": None}


def test_only_what_is_finer_or_new_tells_more_and_a_first_export_never_does():
    before = [Departed(1, 3, {"t": {"age": 10}})]
    assert not tells_more([{"AGE": 10}], before)
    assert not tells_more([{"AGE": 40}], before)
    assert tells_more([{"AGE": 5}], before)
    assert tells_more([{"sex": None}], before)
    assert not tells_more([{"sex": None}], [])


@given(
    st.lists(st.tuples(st.integers(18, 110), st.sampled_from("fm")), min_size=1, max_size=14),
    st.sampled_from([None, 5, 10, 20, 40]),
    st.sampled_from([None, 5, 10, 20, 40]),
)
@settings(max_examples=60, deadline=None)
def test_the_smallest_class_is_that_of_a_join_by_hand(people, width, earlier_width):
    """Whoever holds an age in bands twice can keep the narrower band: 5, 10, 20 and 40 are multiples of each other."""
    ids = [f"P{n}" for n in range(len(people))]
    one = Leaving("one", pl.DataFrame({"id": ids, "AGE": [age for age, _ in people]}), "id", ("AGE",))
    two = Leaving(
        "two",
        pl.DataFrame({"who": ids, "age": [age for age, _ in people], "sex": [sex for _, sex in people]}),
        "who",
        ("age", "sex"),
    )
    widths = finest([{"AGE": width}, {"age": earlier_width, "sex": None}])

    def seen(age: int) -> tuple[int, ...]:
        return tuple(-1 if age >= 90 else age if w is None else age // w for w in (width, earlier_width))

    by_hand = Counter((seen(age), sex) for age, sex in people)
    assert smallest_class([one, two], widths) == (min(by_hand.values()), ("age", "sex"))


@pytest.mark.parametrize(
    ("men", "expected"), [(6, ()), (7, ("sex",)), (8, ("sex",)), (9, ()), (4, ("sex",)), (3, ())]
)
def test_a_difference_of_fewer_than_three_people_is_found_in_either_direction(men, expected):
    then = counts(("sex", "female", None, 5), ("sex", "male", None, 6))
    now = counts(("sex", "female", None, 5), ("sex", "male", None, men))
    assert few_in_between(now, then, KEY, ["sex"], 3) == expected
    assert few_in_between(then, now, KEY, ["sex"], 3) == expected


def test_a_level_that_appears_or_goes_is_a_difference_from_none():
    then = counts(("sex", "female", None, 5), ("site", "A", None, 9))
    now = counts(("sex", "female", None, 5), ("sex", "male", None, 2), ("site", "A", None, 10))
    assert few_in_between(now, then, KEY, ["sex", "site"], 3) == ("sex", "site")
    assert few_in_between(now, then, KEY, ["sex"], 3) == ("sex",)
    assert few_in_between(then, now, KEY, ["sex"], 3) == ("sex",)


def test_a_row_by_stratum_is_compared_with_its_own_stratum():
    then = counts(("sex", "male", None, 9), ("sex", "male", "primary", 5))
    now = counts(("sex", "male", None, 9), ("sex", "male", "primary", 6))
    assert few_in_between(now, then, KEY, ["sex"], 3) == ("sex",)
    assert few_in_between(then, then, KEY, ["sex"], 3) == ()
