"""What a rebuilt table is held against, and which cause is named for one that differs, on literal records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fm_platform.lineage.code_state import CodeOf
from fm_platform.lineage.diff.records import Made
from fm_platform.lineage.environment import MadeWith
from fm_platform.lineage.erasures import Erasures
from fm_platform.lineage.recipe import Outcome, Rebuilt, Recipe, compare
from fm_platform.lineage.snapshots import Snapshot

LIBRARIES = {"polars": "2.0.0"}
INPUTS: Mapping[str, tuple[str, ...]] = {
    "raw.visits": (),
    "marts.scores": ("raw.visits",),
    "stats.change": ("marts.scores",),
}


def made(seq: int, table: str, digest: str, inputs: Mapping[str, str], **changed: Any) -> Made:
    code = {
        "files": [["a.py", changed.get("file", "1")]],
        "libraries": {"polars": changed.get("polars", "2.0.0")},
        "assets": {table: {"files": [0], "libraries": ["polars"]}},
    }
    parts = {"inputs": dict(inputs), "study": "s", "code": str(code), "extra": {}}
    return Made(seq, {"key": ["k"], "parts": parts, "value_digest": digest, "columns": []}, {}, code)


def tables(
    digests: Mapping[str, str], read: Mapping[str, str] | None = None, **changed: Any
) -> dict[str, Made]:
    """Three tables in a row, each made from the one before as it is, or as ``read`` says."""
    found = {**digests, **(read or {})}
    return {
        table: made(
            seq, table, digests[table], {name: found[name] for name in inputs}, **changed.get(table, {})
        )
        for seq, (table, inputs) in enumerate(INPUTS.items(), 1)
        if table in digests
    }


def compared(old: dict[str, Made], new: dict[str, Made], **rebuilt: Any) -> dict[str, Outcome]:
    environment = {"python": "3.11.9", "machine": "x86_64"}
    behind = {table: MadeWith(CodeOf({}, LIBRARIES), environment) for table in old}
    recipe = Recipe(
        snapshot=Snapshot(3, "2026-01-01", "snapshots/000003.duckdb", "0", 1, 3, "h", 9, "a"),
        record_hash="h", study={}, made=old, delivered={}, before=(), erasures=Erasures(), behind=behind,
        digests={table: str(one.body["value_digest"]) for table, one in old.items()},
    )  # fmt: skip
    here = environment | rebuilt.pop("here", {})
    now = {table: MadeWith(CodeOf({}, LIBRARIES), here) for table in new}
    return {outcome.table: outcome for outcome in compare(recipe, Rebuilt(new, now, **rebuilt))}


BEFORE = {"raw.visits": "r", "marts.scores": "m", "stats.change": "s"}


def test_equal_tables_are_equal_and_what_differed_is_told_all_the_same():
    new = tables(BEFORE, **{"marts.scores": {"polars": "2.1.0"}})
    found = compared(tables(BEFORE), new)
    assert all(outcome.equal for outcome in found.values())
    assert found["marts.scores"].causes == ("library polars 2.0.0 -> 2.1.0",)
    assert found["stats.change"].causes == ()


@pytest.mark.parametrize(
    ("changed", "cause"),
    [({"file": "2"}, "code a.py"), ({"polars": "2.1.0"}, "library polars 2.0.0 -> 2.1.0")],
)
def test_the_first_table_that_differs_names_its_own_cause_and_the_next_its_input(changed, cause):
    new = tables({**BEFORE, "marts.scores": "m2", "stats.change": "s2"}, **{"marts.scores": changed})
    found = compared(tables(BEFORE), new)
    assert found["raw.visits"].equal
    assert found["marts.scores"].causes == (cause,)
    assert found["stats.change"].causes == ("input marts.scores differs",)


def test_a_table_that_could_not_be_made_says_why_and_those_after_it_name_it():
    found = compared(
        tables(BEFORE),
        tables({"raw.visits": "r"}),
        errors={"marts.scores": "no such column", "stats.change": "no input"},
    )
    assert found["marts.scores"].rebuilt is None
    assert found["marts.scores"].causes == ("could not be made: no such column",)
    assert "input marts.scores differs" in found["stats.change"].causes


def test_a_table_made_from_a_state_that_the_publication_does_not_hold_says_so():
    old = tables(BEFORE, read={"raw.visits": "a later delivery"})
    found = compared(old, tables({**BEFORE, "marts.scores": "m2"}, read={"marts.scores": "m2"}))
    assert found["raw.visits"].equal
    assert "raw.visits as published is not the one that it was made from" in found["marts.scores"].causes[0]


def test_a_value_that_differs_for_no_recorded_reason_names_the_environment_or_says_that_there_is_none():
    new = tables({**BEFORE, "raw.visits": "r2"}, read={"raw.visits": "r"})
    assert "nothing that is recorded differs" in compared(tables(BEFORE), new)["raw.visits"].causes[0]
    moved = compared(tables(BEFORE), new, here={"machine": "aarch64"})["raw.visits"].causes[0]
    assert moved.endswith("machine x86_64 -> aarch64")
