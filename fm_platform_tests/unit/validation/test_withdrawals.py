"""The list of withdrawals: what it may say, and what follows for losses and questions."""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.validation.withdrawals import (
    accepted_absences,
    check_withdrawals,
    scopes_of,
    without_withdrawn,
)


def listed(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["subject", "date", "scope"], orient="row")


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (listed(("A", "2024-02-30", "stop")), "no date"),
        (listed(("A", "2024-02-01", "forget")), "stop, exclude, erase"),
        (listed(("A", "2024-02-01", "stop"), ("A ", "2024-02-02", "erase")), "twice"),
        (listed((" ", "2024-02-01", "stop")), "no subject"),
        (listed(("A", "2024-02-01", "stop")).drop("scope"), "scope"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(frame: pl.DataFrame, word: str):
    with pytest.raises(InputError) as raised:
        check_withdrawals(frame, list(range(2, 2 + frame.height)), "withdrawals.csv")
    assert word in str(raised.value)
    assert "withdrawals.csv" in str(raised.value)


def test_who_left_may_be_absent_and_who_stopped_may_lack_visits():
    frame = listed(("A", "2024-02-01", "exclude"), ("B", "2024-02-01", "stop"))
    assert accepted_absences(frame, ["v0", "v1"]) == {("A", None), ("B", "v0"), ("B", "v1")}


def test_nobody_is_asked_about_who_left_nor_why_later_visits_of_who_stopped_are_missing():
    found = pl.DataFrame(
        {"rule": ["FM003", "FM016", "FM003", "FM016", "FM016"], "subject": ["A", "A", "B", "B", None]}
    )
    frame = listed(("A", "2024-02-01", "erase"), ("B", "2024-02-01", "stop"))
    assert without_withdrawn(found, scopes_of(frame)).rows() == [("FM003", "B"), ("FM016", None)]
