"""When numbers of analysed subjects stop a study, and when they do not.

Belongs here: verdicts on literal frames. Does not belong here: whole runs (``faults/test_shrinking``).
"""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.catalog.clinical.shrinking import paired

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
