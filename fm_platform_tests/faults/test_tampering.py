"""``fm verify``: an untouched home holds; any alteration is found and named; a new delivery is not an alteration."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from fm_platform_tests.e2e.conftest import Workspace, run_fm


def verify(home: Path, *options: str) -> tuple[int, dict]:
    outcome = run_fm("verify", "--json", "--home", str(home), *options)
    return outcome.code, json.loads(outcome.out)


def flip_byte(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 0x01
    path.write_bytes(bytes(content))


def in_work(home: Path, *statements: str) -> None:
    with duckdb.connect(str(home / "work.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_untouched_home_is_consistent_but_not_anchored(refreshed):
    code, found = verify(refreshed.home)
    assert code == 0
    assert found["consistent"]
    assert not found["anchored"]
    assert found["pending"] == []
    assert "not anchored" in run_fm("verify", "--home", str(refreshed.home)).out


def test_the_head_that_the_report_prints_anchors_the_chain(refreshed):
    report = (refreshed.home / "reports" / "report.html").read_text(encoding="utf-8")
    with duckdb.connect(str(refreshed.home / "work.duckdb"), read_only=True) as connection:
        hashes = [row[0] for row in connection.sql("SELECT hash FROM audit.ledger").fetchall()]
    printed = [digest for digest in hashes if digest in report]
    assert len(printed) == 1
    code, found = verify(refreshed.home, "--head", printed[0])
    assert code == 0
    assert found["anchored"]
    code, found = verify(refreshed.home, "--head", "0" * 64)
    assert code == 1
    assert "cut short or rewritten" in found["problems"][0]


def stored_source(home: Path) -> str:
    path = sorted((home / "sources").glob("*.gz"))[0]
    flip_byte(path, 0.5)
    return path.name


def stored_source_header(home: Path) -> str:
    path = sorted((home / "sources").glob("*.gz"))[0]
    content = bytearray(path.read_bytes())
    content[9] ^= 0xFF
    path.write_bytes(bytes(content))
    return path.name


def published_file(home: Path) -> str:
    flip_byte(home / "warehouse.duckdb", 0.7)
    return "warehouse.duckdb"


def snapshot(home: Path) -> str:
    flip_byte(home / "snapshots" / "000001.duckdb", 0.3)
    return "snapshots/000001.duckdb"


def report(home: Path) -> str:
    flip_byte(home / "reports" / "report.html", 0.4)
    return "reports/report.html"


def missing_report_table(home: Path) -> str:
    (home / "reports" / "tables" / "responders.csv").unlink()
    return "reports/tables/responders.csv"


def work_value(home: Path) -> str:
    in_work(
        home,
        "UPDATE stats.symptom_change SET p_value = p_value / 2 WHERE outcome = 'pain' AND visit = 'week_4'",
    )
    return "stats.symptom_change"


def work_links(home: Path) -> str:
    in_work(home, "UPDATE audit.links SET \"role\" = 'decides' WHERE table_name = 'stats.symptom_change'")
    return "stats.symptom_change"


def origin_line(home: Path) -> str:
    in_work(home, "UPDATE audit.source_rows SET line = line + 1 WHERE source = 'visits' AND line = 2")
    return "raw.visits"


def dropped_table(home: Path) -> str:
    in_work(home, "DROP TABLE report.responders")
    return "report.responders"


def foreign_table(home: Path) -> str:
    in_work(home, "CREATE TABLE stats.extra AS SELECT 1 AS a")
    return "stats.extra"


def ledger_body(home: Path) -> str:
    in_work(home, """UPDATE audit.ledger SET body = replace(body, '"actor"', '"Actor"') WHERE seq = 1""")
    return "ledger record 1"


def ledger_time(home: Path) -> str:
    in_work(home, """UPDATE audit.ledger SET "at" = '2020-01-01' WHERE seq = 4""")
    return "ledger record 4"


def ledger_gap(home: Path) -> str:
    in_work(home, "DELETE FROM audit.ledger WHERE seq = 7")
    return "ledger record 7"


def ledger_tail(home: Path) -> str:
    in_work(
        home,
        "DELETE FROM audit.ledger WHERE seq = (SELECT max(seq) FROM audit.ledger)",
        "UPDATE audit.head SET seq = (SELECT max(seq) FROM audit.ledger)",
        "UPDATE audit.head SET hash = (SELECT l.hash FROM audit.ledger AS l WHERE l.seq = head.seq)",
    )
    return "cut short"


ALTERATIONS = [
    stored_source, stored_source_header, published_file, snapshot, report, missing_report_table, work_value,
    work_links, origin_line, dropped_table, foreign_table, ledger_body, ledger_time, ledger_gap, ledger_tail,
]  # fmt: skip


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
def test_an_alteration_is_found_and_named(workspace: Workspace, alter: Callable[[Path], str]):
    named = alter(workspace.home)
    code, found = verify(workspace.home)
    assert code == 1
    assert any(named in problem for problem in found["problems"]), found["problems"]


def test_a_new_delivery_is_pending_not_altered(workspace):
    assert workspace.fm("refresh").code == 0
    workspace.edit("clinical/visits.csv", lambda text: text.replace("synthetic", "synthetic ", 1))
    code, found = verify(workspace.home)
    assert code == 0
    assert found["pending"] == ["clinical/visits.csv"]


def test_a_read_only_copy_without_the_study_is_verified(refreshed, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(refreshed.home, copy)
    state = copy / "state.json"
    state.write_text(state.read_text(encoding="utf-8").replace(str(refreshed.study), str(tmp_path / "gone")))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        code, found = verify(copy)
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    assert code == 0
    assert found["consistent"]


def test_an_altered_table_is_not_laundered_by_a_refresh(workspace):
    in_work(workspace.home, "UPDATE marts.symptom_change SET change = change - 1")
    outcome = workspace.fm("refresh", "--select", "stats.symptom_change", "--force")
    assert outcome.code == 1
    assert "marts.symptom_change" in outcome.err


def test_a_home_that_was_never_refreshed_says_so(tmp_path):
    outcome = run_fm("verify", "--home", str(tmp_path / "nothing"))
    assert outcome.code == 2
    assert "never refreshed" in outcome.err
