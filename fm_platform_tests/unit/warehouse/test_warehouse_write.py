"""A table and its records: written together or not at all, and by SQL that reaches nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from fm_platform.errors import CheckFailed, EnvironmentFailure
from fm_platform.warehouse.database import TableDigests, TableWrite, Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import first_break
from fm_platform.warehouse.records import CheckOutcome

FIRST = pl.DataFrame({"k": ["a", "b"], "v": [1, 2]})
SECOND = pl.DataFrame({"k": ["a", "b", "c"], "v": [1, 9, 3]})
KILLED = """
import os, sys
from pathlib import Path
import polars as pl
from fm_platform.warehouse.database import TableWrite, open_warehouse
from fm_platform.warehouse.home import Home

def die(_):
    os._exit(9)

with open_warehouse(Home(Path(sys.argv[1])), "killed") as warehouse:
    frame = pl.DataFrame({"k": ["z"], "v": [0]})
    warehouse.write(TableWrite("t.x", ("k",), frame, {}, before=[("source", {"a": 1})], checks=die))
"""


def origin(source: str, *row_ids: str) -> pl.DataFrame:
    rows = [(source, row_id, "f" * 64, f"{source}.csv", line) for line, row_id in enumerate(row_ids, start=2)]
    schema = {
        "source": pl.String,
        "_row_id": pl.String,
        "file_sha256": pl.String,
        "path": pl.String,
        "line": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def state_of(warehouse: Warehouse) -> tuple[object, ...]:
    """Everything that a failed write must leave as it was."""
    tables = {table: warehouse.read(table).rows() for table in warehouse.tables()}
    return warehouse.tables(), tables, warehouse.records(), warehouse.head()


def test_a_table_and_its_records_are_written_in_order(warehouse):
    def checks(written: TableDigests) -> list[CheckOutcome]:
        assert warehouse.read("t.x").rows() == FIRST.rows()
        return [
            CheckOutcome("first", True),
            CheckOutcome("second", False, True, "ERROR", "text", {"n": written.rows}),
        ]

    before = [("source", {"sha256": "1"}), ("quarantine", {"cells": 0})]
    record, outcomes = warehouse.write(
        TableWrite("t.x", ("k",), FIRST, {"actor": "me"}, before=before, checks=checks)
    )
    records = warehouse.records()
    assert [entry.kind for entry in records] == ["source", "quarantine", "materialization", "check", "check"]
    assert record == records[2]
    assert record.content["actor"] == "me"
    assert record.content["rows"] == 2
    assert record.content["columns"] == [["k", "VARCHAR"], ["v", "BIGINT"]]
    assert [outcome.name for outcome in outcomes] == ["first", "second"]
    assert records[4].content["metadata"] == {"n": 2}
    assert records[4].content["value_digest"] == record.content["value_digest"]
    assert first_break(records, warehouse.head()) is None


def test_an_error_after_the_table_was_replaced_leaves_all_as_before(warehouse):
    warehouse.write(TableWrite("t.x", ("k",), FIRST, {}, source_rows=origin("x", "r1", "r2")))
    before = state_of(warehouse)

    def broken(written: TableDigests) -> list[CheckOutcome]:
        assert written.rows == 3
        raise RuntimeError("a check broke")

    write = TableWrite(
        "t.x", ("k",), SECOND, {}, before=[("source", {"a": 1})], source_rows=origin("x", "r9"), checks=broken
    )
    with pytest.raises(RuntimeError, match="a check broke"):
        warehouse.write(write)
    assert state_of(warehouse) == before
    warehouse.write(TableWrite("t.x", ("k",), SECOND, {}))
    assert warehouse.read("t.x").rows() == SECOND.rows()


def test_a_table_whose_first_write_fails_does_not_exist(warehouse):
    before = state_of(warehouse)
    for rows in (FIRST.vstack(FIRST), "SELECT * FROM fm.t.not_there"):
        with pytest.raises((CheckFailed, duckdb.CatalogException)):
            warehouse.write(TableWrite("t.new", ("k",), rows, {}))
    assert state_of(warehouse) == before
    assert not warehouse.exists("t.new")


def test_facts_that_the_ledger_cannot_hold_leave_all_as_before(warehouse):
    warehouse.write(TableWrite("t.x", ("k",), FIRST, {}))
    before = state_of(warehouse)
    with pytest.raises(ValueError, match="JSON"):
        warehouse.write(TableWrite("t.x", ("k",), SECOND, {"share": float("nan")}))
    assert state_of(warehouse) == before


def test_a_process_killed_between_table_and_record_leaves_both_as_before(home):
    with open_warehouse(home, "first") as warehouse:
        warehouse.write(TableWrite("t.x", ("k",), FIRST, {}))
        before = state_of(warehouse)
    finished = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.path)], capture_output=True, check=False
    )
    assert finished.returncode == 9, finished.stderr
    with open_warehouse(home, "second") as warehouse:
        assert state_of(warehouse) == before
        warehouse.write(TableWrite("t.x", ("k",), SECOND, {}))
        assert first_break(warehouse.records(), warehouse.head()) is None


@pytest.mark.parametrize("keys", [["a", "a"], [None, None]])
def test_a_repeated_key_is_refused_and_nothing_is_changed(warehouse, keys):
    warehouse.write(TableWrite("t.x", ("k", "w"), FIRST.with_columns(w=pl.lit(1)), {}))
    before = state_of(warehouse)
    repeated = pl.DataFrame({"k": keys, "w": [1, 1]}, schema={"k": pl.String, "w": pl.Int64})
    with pytest.raises(CheckFailed, match=r"t\.x: 1 keys \(k, w\) stand for more than one row"):
        warehouse.write(TableWrite("t.x", ("k", "w"), repeated, {}))
    assert state_of(warehouse) == before


def test_origins_are_replaced_for_the_written_source_alone(warehouse):
    warehouse.write(TableWrite("raw.x", ("k",), FIRST, {}, source_rows=origin("x", "r1", "r2")))
    warehouse.write(TableWrite("raw.y", ("k",), FIRST, {}, source_rows=origin("y", "r1")))
    digest = warehouse.source_rows_digest(["y"])
    record, _ = warehouse.write(TableWrite("raw.x", ("k",), FIRST, {}, source_rows=origin("x", "r7")))
    found = warehouse.query("SELECT source, _row_id FROM fm.audit.source_rows ORDER BY ALL").rows()
    assert found == [("x", "r7"), ("y", "r1")]
    assert warehouse.source_rows_digest(["y"]) == digest
    assert record.content["row_sources"] == ["x"]
    assert record.content["source_rows_digest"] == warehouse.source_rows_digest(["x"])


def test_names_with_quotes_and_blanks_are_names(warehouse):
    frame = pl.DataFrame({'k"; DROP TABLE x; --': ["a"], "select": [1], "É": [2]})
    warehouse.write(TableWrite('odd "schema".a b', ('k"; DROP TABLE x; --',), frame, {}))
    assert warehouse.read('odd "schema".a b').rows() == [("a", 1, 2)]
    assert list(warehouse.schema('odd "schema".a b')) == frame.columns


def test_a_table_without_rows_keeps_its_columns(warehouse):
    record, _ = warehouse.write(TableWrite("t.x", ("k",), FIRST.clear(), {}))
    assert record.content["rows"] == 0
    assert warehouse.schema("t.x") == {"k": "VARCHAR", "v": "BIGINT"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{outside}/secret.csv')",
        "SELECT * FROM '{outside}/secret.csv'",
        "SELECT * FROM read_text('{home}/../outside/secret.csv')",
        "SELECT * FROM glob('{outside}/*')",
        "SELECT * FROM read_text('{neighbour}/secret.csv')",
        "COPY (SELECT 1) TO '{outside}/stolen.csv'",
        "ATTACH '{outside}/other.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SELECT * FROM secret_frame",
    ],
)
def test_sql_in_the_work_database_reaches_no_other_file_and_no_python_variable(
    warehouse, statement, tmp_path
):
    secret_frame = pl.DataFrame({"secret": [1]})
    assert secret_frame.height == 1
    outside, neighbour = tmp_path / "outside", Path(f"{warehouse.home.path}-neighbour")
    for folder in (outside, neighbour):
        folder.mkdir()
        (folder / "secret.csv").write_text("a\n1\n")
    sql = statement.format(outside=outside, home=warehouse.home.path, neighbour=neighbour)
    with pytest.raises(duckdb.Error):
        warehouse.connection.execute(sql).fetchall()
    assert sorted(path.name for path in outside.iterdir()) == ["secret.csv"]


def test_a_file_that_is_no_database_is_an_environment_failure(home: Home):
    home.work.write_text("not a database, but long enough to look like a file " * 400)
    with (
        pytest.raises(EnvironmentFailure, match=r"work\.duckdb.*cannot be opened"),
        open_warehouse(home, "r"),
    ):
        pass


def test_read_only_access_creates_and_changes_nothing(home: Home):
    with open_warehouse(home, "r") as warehouse:
        warehouse.write(TableWrite("t.x", ("k",), FIRST, {}))
    content = home.work.read_bytes()
    with open_warehouse(home, "r", read_only=True) as warehouse:
        assert warehouse.read("t.x").rows() == FIRST.rows()
        with pytest.raises(duckdb.Error, match="read-only"):
            warehouse.write(TableWrite("t.x", ("k",), SECOND, {}))
    assert home.work.read_bytes() == content
