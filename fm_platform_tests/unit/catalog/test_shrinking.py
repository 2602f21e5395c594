"""When numbers of analysed subjects stop a study, and when they do not.

Belongs here: verdicts on literal frames. Does not belong here: whole runs (``faults/test_shrinking``).
"""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.catalog.clinical.shrinking import Before, against_published, paired

VISITS = pl.DataFrame(
    {"visit_id": ["base", "later"], "is_baseline": [True, False], "position": [1, 2], "day": [1, 29]}
)
OUTCOMES = pl.DataFrame({"outcome_id": ["pain"], "position": [1]})


def verdict(base: str, later: str, outside: str = ""):
    """The check on subjects that are single letters."""
    scores = pl.DataFrame(
        [(who, visit, "pain") for visit, all_ in (("base", base), ("later", later)) for who in all_],
        schema={"subject_id": pl.String, "visit_id": pl.String, "outcome_id": pl.String},
        orient="row",
    )
    people = sorted({*base, *later})
    participants = pl.DataFrame(
        {"subject_id": people, "in_population": [who not in outside for who in people]}
    )
    return paired(scores, participants, OUTCOMES, VISITS)


@pytest.mark.parametrize(
    ("base", "later"),
    [("abc", ""), ("abcdef", "xy"), ("ab", "xyz"), ("", "xyz"), ("abc", "cxyz")],
    ids=["not yet", "two others", "two at baseline", "never at baseline", "one of them"],
)
def test_a_study_that_has_just_begun_goes_on(base, later):
    assert verdict(base, later).passed


def test_three_and_three_others_stop_it_and_are_named():
    check = verdict("abcd", "xyz")
    assert (check.passed, check.blocking) == (False, True)
    assert check.told.startswith("pain: 4 subjects at base (a, b, c, ...), 3 others at later (x, y, z).")
    assert check.metadata == {"apart": [{"outcome": "pain", "visit": "later", "n_baseline": 4, "n_visit": 3}]}


def test_only_the_population_counts():
    assert verdict("abc", "wxyz", outside="yz").passed
    assert not verdict("abcw", "wxyz", outside="w").passed


def numbers(now: int, then: str, limit: float = 0.2, **known: object):
    """The two checks on a number of subjects now, and the single letters that were analysed then."""
    change = pl.DataFrame(
        {
            "outcome": ["pain", "pain"],
            "visit": ["later"] * 2,
            "stratum": [None, "a"],
            "n": [now, 0],
            "n_expected": 20,
        },
        schema_overrides={"stratum": pl.String},
    )
    schema = dict.fromkeys(("subject_id", "visit_id", "outcome_id"), pl.String)
    pairs = pl.DataFrame([(who, "later", "pain") for who in then], schema=schema, orient="row")
    return against_published(change, Before(pairs, **known), limit)


def test_a_delivery_that_takes_a_quarter_stops_with_both_numbers():
    told, far = numbers(9, "abcdefghijkl")
    assert (told.passed, told.blocking, told.told) == (False, False, "")
    assert (far.passed, far.blocking) == (False, True)
    assert far.told == "pain at later: 9 subjects, 12 in the last publication"
    row = {"outcome": "pain", "visit": "later", "n": 9, "n_expected": 20, "n_before": 12, "n_explained": 0}
    assert far.metadata == {"limit": 0.2, "over": [row]}


@pytest.mark.parametrize(
    ("now", "then", "known"),
    [
        (10, "abcdefghijkl", {}),
        (1, "abc", {}),
        (9, "abcdefghijkl", {"limit": 0.25}),
        (9, "abcdefghijkl", {"delivered": False}),
        (9, "abcdefghijkl", {"accepted": {("pain", "later"): 9}}),
        (8, "abcdefghijkl", {"gone": {("a", None), ("b", "later"), ("x", None)}}),
    ],
    ids=["two of twelve", "two of three", "allowed", "no delivery", "accepted", "two withdrew"],
)
def test_a_smaller_fall_and_one_that_is_nobodys_delivery_are_told_and_stop_nothing(now, then, known):
    told, far = numbers(now, then, **known)
    assert far.passed
    assert not told.passed
    assert told.told.startswith(f"pain at later: {now} subjects, {len(then)} in the last publication")


@pytest.mark.parametrize(
    ("now", "then", "known"),
    [
        (12, "abcdefghijkl", {}),
        (14, "abcdefghijkl", {}),
        (3, "", {}),
        (9, "abcdefghijkl", {"gone": {("a", None), ("b", "later"), ("c", None), ("c", "later")}}),
    ],
    ids=["as many", "more", "never published", "all withdrew"],
)
def test_no_fall_but_by_those_who_are_known_to_be_gone_is_none(now, then, known):
    assert [check.passed for check in numbers(now, then, **known)] == [True, True]


def test_what_was_accepted_covers_no_further_fall():
    assert not numbers(8, "abcdefghijkl", accepted={("pain", "later"): 9})[1].passed
