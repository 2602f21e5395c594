"""Publication: what readers get, what they keep while it changes, and what a crash leaves."""

from __future__ import annotations

import hashlib
import shutil

import duckdb
import polars as pl
import pytest

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.warehouse.database import TableWrite, Warehouse
from fm_platform.warehouse.files import place_files, stage_files
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.publish import Publication, finish_interrupted, publish
from fm_platform.warehouse.reader import open_published


def put(warehouse: Warehouse, value: str, table: str = "t.x") -> None:
    warehouse.write(TableWrite(table, ("k",), pl.DataFrame({"k": ["a"], "v": [value]}), {}))


def publish_value(warehouse: Warehouse, value: str, number: int) -> LedgerRecord:
    put(warehouse, value)
    return publish(
        warehouse, Publication(["t.x", "audit.ledger"], facts={"table": "publish.warehouse"}), number
    )


def published_value(home: Home, table: str = "t.x") -> str:
    with duckdb.connect(str(home.published), read_only=True) as connection:
        return connection.sql(f"SELECT v FROM {table}").fetchone()[0]


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_published_file_is_the_recorded_one_and_is_kept_by_number(warehouse, home):
    body = publish_value(warehouse, "one", 1).content
    assert body["sha256"] == sha256(home.published) == sha256(home.path / body["snapshot"])
    assert body["bytes"] == home.published.stat().st_size
    assert body["snapshot"] == "snapshots/000001.duckdb"
    publish_value(warehouse, "two", 2)
    assert sorted(path.name for path in home.snapshots.iterdir()) == ["000001.duckdb", "000002.duckdb"]
    assert sha256(home.snapshots / "000001.duckdb") == body["sha256"]
    assert list(home.scratch.iterdir()) == []


def test_a_reader_with_the_old_file_open_keeps_reading_it(warehouse, home):
    publish_value(warehouse, "old", 1)
    with open_published(home) as reader:
        publish_value(warehouse, "new", 2)
        assert reader.query("SELECT v FROM t.x").item() == "old"
        later = shutil.copyfile(home.published, home.path / "later.duckdb")
        with duckdb.connect(str(later), read_only=True) as connection:
            assert connection.sql("SELECT v FROM t.x").fetchall() == [("new",)]
        assert reader.query("SELECT count(*) FROM audit.ledger").item() == 1


def test_comments_views_and_derived_tables_are_in_the_file(warehouse, home):
    put(warehouse, "one")
    publication = Publication(
        ["t.x"],
        derived={"audit.extra": pl.DataFrame({"n": [1]})},
        views={"t.long": "SELECT k, upper(v) AS loud FROM t.x"},
        comments={"t.x": ("What it's for", {"v": 'A "value"', "gone": "no such column"})},
    )
    publish(warehouse, publication, 1)
    moved = home.path / "other name.duckdb"
    shutil.copyfile(home.published, moved)
    with duckdb.connect(str(moved), read_only=True) as connection:
        assert connection.sql("SELECT loud FROM t.long").fetchall() == [("ONE",)]
        assert connection.sql("SELECT n FROM audit.extra").fetchall() == [(1,)]
        assert connection.sql("SELECT comment FROM duckdb_tables() WHERE table_name = 'x'").fetchall() == [
            ("What it's for",)
        ]
        found = connection.sql(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'x' AND column_name = 'v'"
        )
        assert found.fetchall() == [('A "value"',)]


def test_a_blocked_half_comes_from_the_last_publication(warehouse, home):
    put(warehouse, "clinical 1", "raw.visits")
    put(warehouse, "genes 1", "raw.genes")
    publish(warehouse, Publication(["raw.visits", "raw.genes"]), 1)
    put(warehouse, "clinical 2", "raw.visits")
    put(warehouse, "genes 2", "raw.genes")
    publish(warehouse, Publication(["raw.genes"], previous=["raw.visits"], previous_sources=["visits"]), 2)
    assert published_value(home, "raw.visits") == "clinical 1"
    assert published_value(home, "raw.genes") == "genes 2"


def test_replaced_values_leave_no_bytes_behind(warehouse, home):
    marker = "Zq7-withdrawn-subject-Zq7"
    publish_value(warehouse, marker, 1)
    assert marker.encode() in home.published.read_bytes()
    put(warehouse, "someone else")
    publish(warehouse, Publication(["t.x"]), 2)
    assert marker.encode() not in home.published.read_bytes()


def test_a_publication_that_was_recorded_but_not_moved_is_finished_by_the_next_holder(warehouse, home):
    publish_value(warehouse, "old", 1)
    shutil.rmtree(home.snapshots)
    home.snapshots.write_text("in the way")
    with pytest.raises(EnvironmentFailure, match="publication 2 could not be written"):
        publish_value(warehouse, "new", 2)
    last = warehouse.records()[-1]
    assert last.kind == "publication"
    assert last.content["number"] == 2
    assert published_value(home) == "old"

    home.snapshots.unlink()
    home.snapshots.mkdir()
    assert finish_interrupted(home, last.content)
    assert published_value(home) == "new"
    assert sha256(home.snapshots / "000002.duckdb") == last.content["sha256"]
    assert finish_interrupted(home, last.content)


def test_a_half_written_publication_is_never_moved_into_place(warehouse, home):
    record = publish_value(warehouse, "old", 1).content
    building = home.scratch / "publication-000002.duckdb"
    building.write_bytes(home.published.read_bytes()[:5000])
    assert not finish_interrupted(home, {**record, "number": 2, "sha256": "0" * 64})
    assert published_value(home) == "old"
    publish_value(warehouse, "new", 2)
    assert published_value(home) == "new"


def test_without_a_publication_there_is_nothing_to_finish(home):
    assert finish_interrupted(home, None)
    with pytest.raises(InputError, match="nothing is published"), open_published(home):
        pass


def test_a_reader_s_sql_sees_no_python_variable_and_changes_no_setting(warehouse, home):
    publish_value(warehouse, "one", 1)
    secret_frame = pl.DataFrame({"a": [1]})
    assert secret_frame.height == 1
    with open_published(home) as reader:
        for sql in (
            "SELECT * FROM secret_frame",
            "SET threads = 1",
            "CREATE TABLE t.y AS SELECT 1",
            "not sql",
        ):
            with pytest.raises(InputError):
                reader.query(sql)
        assert reader.query("SELECT v FROM t.x WHERE k = ?", ["a"]).item() == "one"


def test_staged_files_appear_only_when_placed_and_placing_is_repeatable(home):
    recorded = stage_files(home, {"reports/a.html": b"one", "reports/figures/b.svg": b"two"})
    assert recorded["reports/a.html"] == hashlib.sha256(b"one").hexdigest()
    assert not (home.path / "reports/a.html").exists()
    assert place_files(home, recorded) == []
    assert (home.path / "reports/figures/b.svg").read_bytes() == b"two"
    assert place_files(home, recorded) == []
    assert list(home.scratch.iterdir()) == []


def test_files_that_are_neither_aside_nor_in_place_are_named(home):
    recorded = stage_files(home, {"reports/a.html": b"one", "reports/b.html": b"two"})
    (home.scratch / f"file-{recorded['reports/b.html']}").unlink()
    assert place_files(home, recorded) == ["reports/b.html"]
    assert (home.path / "reports/a.html").read_bytes() == b"one"


def test_two_files_of_the_same_content_are_both_placed(home):
    recorded = stage_files(home, {"reports/a.csv": b"same", "reports/b.csv": b"same"})
    assert place_files(home, recorded) == []
    assert (home.path / "reports/a.csv").read_bytes() == (home.path / "reports/b.csv").read_bytes() == b"same"
