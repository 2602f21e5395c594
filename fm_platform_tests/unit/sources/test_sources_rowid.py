"""A row's id depends on its source and content, not on where it stands."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from fm_platform.sources.rowid import row_ids

COLUMNS = ("subject", "visit", "pain")
ROWS = [("S1", "baseline", "7"), ("S1", "week_4", "4"), ("S2", "baseline", "9")]

tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.text(max_size=4), min_size=width, max_size=width), max_size=12)
)


def test_ids_are_32_hex_digits_and_unique():
    ids = row_ids("visits", COLUMNS, ROWS)
    assert len(set(ids)) == 3
    assert all(len(found) == 32 and set(found) <= set("0123456789abcdef") for found in ids)


def test_id_is_stable_across_releases():
    assert row_ids("visits", COLUMNS, ROWS[:1]) == ["0f95aba049868634c283de5c4aa8deef"]


def test_reordering_columns_keeps_ids():
    turned = [tuple(reversed(row)) for row in ROWS]
    assert row_ids("visits", COLUMNS[::-1], turned) == row_ids("visits", COLUMNS, ROWS)


def test_an_edit_changes_only_that_rows_id():
    edited = [ROWS[0], ("S1", "week_4", "5"), ROWS[2]]
    before, after = row_ids("visits", COLUMNS, ROWS), row_ids("visits", COLUMNS, edited)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_the_same_row_in_another_source_has_another_id():
    assert not set(row_ids("visits", COLUMNS, ROWS)) & set(row_ids("diary", COLUMNS, ROWS))


def test_identical_rows_are_told_apart_by_occurrence():
    once = row_ids("visits", COLUMNS, ROWS[:1])
    twice = row_ids("visits", COLUMNS, [ROWS[0], ROWS[0]])
    assert twice[0] == once[0]
    assert twice[1] != once[0]


def test_text_moved_between_cells_changes_the_id():
    assert row_ids("s", ("a", "b"), [("xy", "")]) != row_ids("s", ("a", "b"), [("x", "y")])
    assert row_ids("s", ("a", "b"), [("1:x", "")]) != row_ids("s", ("a", "b"), [("1", "x")])


@given(rows=tables, seed=st.integers())
def test_shuffling_rows_keeps_the_set_of_ids(rows, seed):
    columns = [f"c{position}" for position in range(len(rows[0]) if rows else 1)]
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    ids = row_ids("s", columns, rows)
    assert set(row_ids("s", columns, shuffled)) == set(ids)
    assert len(set(ids)) == len(rows)
