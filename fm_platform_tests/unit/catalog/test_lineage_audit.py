"""The audit of declared lineage: what it changes, what it takes for a difference, what it calls undeclared."""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.lineage_audit.bench import Trial
from fm_platform.catalog.lineage_audit.columns import ROWS, ColumnJudge
from fm_platform.catalog.lineage_audit.comparison import difference, own_columns
from fm_platform.catalog.lineage_audit.perturbation import Change, changes_of_column, changes_of_rows
from fm_platform.warehouse.records import Column, ColumnInput

VISITS = pl.DataFrame(
    {
        "subject": ["a", "a", "b", "b"],
        "visit": ["v1", "v2", "v1", "v2"],
        "pain": [5, 3, 8, 2],
        "text": ["3", "2024-02-28", "yes", None],
        "seen": [True, False, True, True],
        "counts": [[1, 2], [3, 4], [5, 6], [7, 8]],
    }
)
KEY = ("subject", "visit")


def test_every_change_leaves_types_rows_and_a_unique_key():
    for column in VISITS.columns:
        changes = list(changes_of_column(VISITS, KEY, column, samples=2, seed="1"))
        assert changes, column
        for change in changes:
            assert change.rows.schema == VISITS.schema
            assert change.rows.drop(column).equals(VISITS.drop(column))
            assert not change.rows.select(KEY).is_duplicated().any()
            differing = VISITS[column].ne_missing(change.rows[column])
            assert [at for at, moved in enumerate(differing) if moved] == list(change.places)


def test_a_text_that_reads_as_number_or_day_stays_one():
    shifted = next(c for c in changes_of_column(VISITS, KEY, "text", 0, "1") if c.how.startswith("shifted"))
    assert shifted.rows["text"].to_list() == ["4", "2024-02-29", "yes~", "invented"]


def test_equal_seeds_give_equal_changes():
    one, other = (
        [c.rows["pain"].to_list() for c in changes_of_column(VISITS, KEY, "pain", 3, "7")] for _ in range(2)
    )
    assert one == other


def test_rows_are_taken_away_in_half_and_one_by_one():
    changes = list(changes_of_rows(VISITS, samples=3, seed="1"))
    assert [change.rows.height for change in changes] == [2, 3, 3, 3]
    for change in changes:
        kept = VISITS.with_row_index().filter(~pl.col("index").is_in(change.places)).drop("index")
        assert kept.equals(change.rows)


def test_rounding_is_no_difference_and_a_moved_value_is_one_at_its_keys_alone():
    before = own_columns(pl.DataFrame({"k": [1, 2], "x": [1.0, 2.0], "_row_ids": [["r"], ["s"]]}))
    rounded = before.with_columns(x=pl.col("x") * (1 + 1e-9))
    assert difference(before, rounded, ["k"]).at_keys == frozenset()
    assert difference(before, rounded, ["k"]).in_all == frozenset()
    swapped = before.with_columns(x=pl.Series([2.0, 1.0]))
    found = difference(before, swapped, ["k"])
    assert (found.at_keys, found.in_all) == ({"x"}, frozenset())
    assert found.examples["x"] == "k=1: 1.0 became 2.0"


def test_rows_that_come_and_go_are_named_by_key():
    before = pl.DataFrame({"k": [1, None], "x": ["a", "b"]})
    after = pl.DataFrame({"k": [None, 3], "x": ["b", "c"]})
    found = difference(before, after, ["k"])
    assert (found.removed["k"].to_list(), found.added["k"].to_list()) == ([1], [3])
    assert (found.at_keys, found.in_all) == (frozenset(), {"k", "x"})


# -- the judge ----------------------------------------------------------------------------------------------------

LINEAGE = {
    "who": (ColumnInput("t", "subject", "DIRECT", "IDENTITY"),),
    "mean": (ColumnInput("t", "pain"), ColumnInput("t", "text", "INDIRECT", "FILTER")),
    "engine": (),
}
COLUMNS = (Column("who", ""), Column("mean", ""), Column("engine", "", constant="in code"))
BEFORE = pl.DataFrame({"who": ["a", "b"], "mean": [4.0, 5.0], "engine": ["e", "e"]})


def trial(column: str | None, after: pl.DataFrame, table: str = "t") -> Trial:
    change = Change(column, "changed", VISITS, (0,))
    return Trial(table, change, VISITS, difference(BEFORE, after, ["who"]))


def judged(*trials: Trial) -> ColumnJudge:
    judge = ColumnJudge("out.means", ["who"], LINEAGE, COLUMNS)
    for one in trials:
        judge.see(one, KEY, frozenset())
    return judge


def found(judge: ColumnJudge) -> list[tuple[str, str, str]]:
    return [(entry.column, entry.input_table, entry.input_column) for entry in judge.undeclared]


def test_a_declared_effect_is_silent_and_seen():
    judge = judged(trial("pain", BEFORE.with_columns(mean=pl.Series([4.5, 5.0]))))
    assert judge.undeclared == []
    assert judge.unseen == []


def test_an_undeclared_effect_is_named_with_an_example():
    judge = judged(trial("seen", BEFORE.with_columns(mean=pl.Series([4.5, 5.0]))))
    assert found(judge) == [("mean", "t", "seen")]
    assert judge.undeclared[0].example == "who=a: 4.0 became 4.5"


def test_a_renamed_row_is_no_effect_on_its_values():
    assert found(judged(trial("subject", BEFORE.with_columns(who=pl.Series(["b", "a"]))))) == []
    assert found(judged(trial("subject", BEFORE.with_columns(who=pl.Series(["x", "b"]))))) == []
    moved = BEFORE.with_columns(mean=pl.Series([4.5, 5.0]))
    assert found(judged(trial("subject", moved))) == [("mean", "t", "subject")]


def test_a_column_that_decides_which_rows_there_are_needs_a_path_to_each_but_constants():
    assert found(judged(trial("text", BEFORE.head(1)))) == [("who", "t", "text")]


def test_rows_taken_away_may_be_spoken_for_by_any_column_of_their_table():
    assert found(judged(trial(None, BEFORE.head(1)))) == []
    assert found(judged(trial(None, BEFORE.head(1), table="other"))) == [
        ("mean", "other", ROWS),
        ("who", "other", ROWS),
    ]


def test_a_declared_path_without_an_effect_is_noted_with_its_trials():
    judge = judged(trial("pain", BEFORE), trial("pain", BEFORE))
    assert judge.undeclared == []
    assert [(entry.column, entry.input_column, entry.trials) for entry in judge.unseen] == [
        ("mean", "pain", 2)
    ]


def test_a_refused_change_shows_nothing():
    judge = judged(Trial("t", Change("pain", "changed", VISITS, (0,)), VISITS, None))
    assert (judge.undeclared, judge.unseen) == ([], [])
