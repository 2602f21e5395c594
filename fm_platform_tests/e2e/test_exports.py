"""What the ledger says of exports, and how it is read: independent hashes, the ledger by DuckDB, exit codes."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import stat
from pathlib import Path

import duckdb
import pytest

from fm_platform.warehouse.lock import hold_lock
from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from, run_fm


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ledger(database: Path) -> list[dict]:
    """Every record of a database, read by DuckDB alone."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute("SELECT * FROM audit.ledger ORDER BY seq").fetchall()
        names = [column[0] for column in connection.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def verified(home: Path) -> tuple[int, dict]:
    outcome = run_fm("verify", "--home", str(home), "--json")
    return outcome.code, json.loads(outcome.out)


def files_below(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): sha256(p) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def exported(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home from which everything left once: ``out`` beside the home has it. Tests only read it."""
    folder = tmp_path_factory.mktemp("exported")
    place = copy_to_export_from(refreshed, folder)
    out = folder / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FM_ACTOR", "j.doe")
        for arguments in (
            (
                "tables",
                "report.symptom_change",
                "report.top_genes",
                "-o",
                str(out / "tables"),
                "--reason",
                "revision",
            ),
            ("ro-crate", "-o", str(out / "crate")),
            ("ro-crate", "--with-data", "--reason", "audit of the sponsor", "-o", str(out / "full")),
            ("openlineage", "-o", str(out / "events.ndjson")),
            ("data-docs", "-o", str(out / "docs.html")),
        ):
            outcome = place.fm("export", *arguments)
            assert outcome.code == 0, outcome.err
    return place


def test_every_export_is_a_record_with_the_hash_of_every_file(exported, refreshed):
    out = exported.home.parent / "out"
    records = ledger(exported.home / "work.duckdb")
    before = ledger(refreshed.home / "work.duckdb")
    assert records[: len(before)] == before
    added = records[len(before) :]
    assert [record["kind"] for record in added] == ["export"] * 5
    bodies = [json.loads(record["body"]) for record in added]
    assert [body["form"] for body in bodies] == ["tables", "ro-crate", "ro-crate", "openlineage", "data-docs"]
    assert [body["holds"] for body in bodies] == ["tables", "no rows", "row-level data", "no rows", "no rows"]
    assert [body.get("reason") for body in bodies] == ["revision", None, "audit of the sponsor", None, None]
    assert {body["actor"] for body in bodies} == {"j.doe"}
    assert {body["publication"] for body in bodies} == {1}
    left = [files_below(out / name) for name in ("tables", "crate", "full")]
    left += [{name: sha256(out / name)} for name in ("events.ndjson", "docs.html")]
    for body, files in zip(bodies, left, strict=True):
        assert {entry["path"]: entry["sha256"] for entry in body["files"]} == files
    tables = {entry["table"]: entry for entry in bodies[0]["files"]}
    assert set(tables) == {"report.symptom_change", "report.top_genes"}
    lines = (out / "tables" / "report.symptom_change.csv").read_text(encoding="utf-8").splitlines()
    assert tables["report.symptom_change"]["rows"] == len(lines) - 1
    assert [*tables["report.symptom_change"]["columns"], "data_origin"] == lines[0].split(",")
    assert str(out) not in "".join(record["body"] for record in added), "no folder of this machine"


def test_the_chain_goes_on_and_verify_covers_it(exported, refreshed, tmp_path):
    records = ledger(exported.home / "work.duckdb")
    for record, following in itertools.pairwise(records):
        assert following["prev_hash"] == record["hash"]
        fields = {name: value for name, value in following.items() if name != "hash"}
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == following["hash"]
    code, found = verified(exported.home)
    assert (code, found["problems"]) == (0, [])
    assert found["head"]["hash"] == records[-1]["hash"]
    for head in (records[-1]["hash"], ledger(refreshed.home / "work.duckdb")[-1]["hash"]):
        assert run_fm("verify", "--home", str(exported.home), "--head", head).code == 0
    damaged = tmp_path / "home"
    shutil.copytree(exported.home, damaged)
    with duckdb.connect(str(damaged / "work.duckdb")) as connection:
        connection.execute(
            "UPDATE audit.ledger SET body = replace(body, 'audit of the sponsor', 'nothing') WHERE kind = 'export'"
        )
    code, found = verified(damaged)
    assert code == 1
    assert "(export) was altered" in found["problems"][0]
    assert run_fm("exports", "--home", str(damaged)).code == 1


def test_exporting_changes_no_publication_and_makes_nothing_stale(exported, refreshed):
    assert sha256(exported.home / "warehouse.duckdb") == sha256(refreshed.home / "warehouse.duckdb")
    assert files_below(exported.home / "snapshots") == files_below(refreshed.home / "snapshots")
    for command in ("status", "snapshots"):
        here, there = (json.loads(place.fm(command, "--json").out) for place in (exported, refreshed))
        assert here == there, command


def test_a_refresh_after_an_export_publishes_nothing_and_the_next_publication_holds_the_record(
    workspace, tmp_path
):
    assert workspace.fm("export", "openlineage", "-o", str(tmp_path / "events")).code == 0
    before = sha256(workspace.home / "warehouse.duckdb")
    assert workspace.fm("refresh").code == 0
    assert sha256(workspace.home / "warehouse.duckdb") == before
    again = workspace.fm("refresh", "--select", "publish.warehouse", "--force", "--reason", "once more")
    assert again.code == 0, again.err
    assert [r["kind"] for r in ledger(workspace.home / "warehouse.duckdb")].count("export") == 1
    assert verified(workspace.home)[0] == 0
    assert len(json.loads(workspace.fm("exports", "--json").out)) == 1


def test_exports_are_listed_with_who_why_and_what(exported):
    outcome = exported.fm("exports")
    assert outcome.code == 0, outcome.err
    assert "holds row-level data  by j.doe: audit of the sponsor" in outcome.out
    listed = json.loads(exported.fm("exports", "--json").out)
    assert [entry["form"] for entry in listed] == [
        "tables",
        "ro-crate",
        "ro-crate",
        "openlineage",
        "data-docs",
    ]
    records = ledger(exported.home / "work.duckdb")
    assert [(e["seq"], e["hash"]) for e in listed] == [(r["seq"], r["hash"]) for r in records[-5:]]


def test_a_file_is_traced_to_the_exports_that_wrote_it(exported, tmp_path):
    out = exported.home.parent / "out"
    renamed = tmp_path / "from-a-mail.csv"
    shutil.copyfile(out / "tables" / "report.top_genes.csv", renamed)
    found = json.loads(exported.fm("exports", "--file", str(renamed), "--json").out)
    assert [(entry["form"], entry["reason"]) for entry in found] == [
        ("tables", "revision"),
        ("ro-crate", "audit of the sponsor"),
    ], "the report inside the crate has the same table"
    renamed.write_text(renamed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    outcome = exported.fm("exports", "--file", str(renamed))
    assert (outcome.code, "no recorded export" in outcome.err) == (1, True)


def test_a_home_without_exports_says_so_and_one_without_a_ledger_is_refused(refreshed, tmp_path):
    assert "nothing was exported" in refreshed.fm("exports").out
    assert run_fm("exports", "--home", str(tmp_path)).code == 2


def test_rows_of_people_and_the_report_need_a_reason_and_are_named_as_such(exported, refreshed, tmp_path):
    for flag in ("--with-data", "--with-report"):
        refused = exported.fm("export", "ro-crate", flag, "-o", str(tmp_path / "crate"))
        assert (refused.code, "--reason" in refused.err) == (2, True)
        blank = exported.fm("export", "ro-crate", flag, "--reason", " ", "-o", str(tmp_path / "crate"))
        assert blank.code == 2
    assert not (tmp_path / "crate").exists()
    out = exported.home.parent / "out"
    assert "row-level data" in (out / "full" / "README.md").read_text(encoding="utf-8")
    plain = files_below(out / "crate")
    assert not [
        name for name in plain if name.startswith(("reports/", "sources/")) or name.endswith(".duckdb")
    ]
    subjects = (refreshed.study / "clinical/participants.csv").read_text(encoding="utf-8").splitlines()[1:]
    allowed = (refreshed.study / "study.yaml").read_bytes()
    for subject in {line.split(",")[0].encode() for line in subjects}:
        if subject not in allowed:
            assert not [name for name in plain if subject in (out / "crate" / name).read_bytes()]


def _hold(path: str, ready, done) -> None:
    with hold_lock(Path(path), "a nightly run"):
        ready.set()
        done.wait(60)


def test_while_another_process_holds_the_lock_nothing_leaves(exporting, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(exporting.home / "lock"), ready, done))
    holder.start()
    try:
        assert ready.wait(60)
        outcome = exporting.fm("export", "openlineage", "-o", str(tmp_path / "events"))
    finally:
        done.set()
        holder.join()
    assert (outcome.code, "a nightly run" in outcome.err, "Mend:" in outcome.err) == (3, True, True)
    assert not list(tmp_path.glob("events*"))
    assert exporting.fm("export", "openlineage", "-o", str(tmp_path / "events")).code == 0


def test_a_home_that_cannot_be_written_lets_nothing_out(exporting, tmp_path):
    paths = [exporting.home, *exporting.home.iterdir()]
    for path in paths:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        if os.access(exporting.home, os.W_OK):
            pytest.skip("nothing is read-only to root")
        outcome = exporting.fm("export", "openlineage", "-o", str(tmp_path / "events"))
        listed = exporting.fm("exports")
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    assert (outcome.code, "Mend:" in outcome.err) == (3, True)
    assert (listed.code, "nothing was exported" in listed.out) == (0, True)
    assert not list(tmp_path.glob("events*"))


def test_a_published_file_without_its_ledger_or_altered_lets_nothing_out(exporting, tmp_path):
    with (exporting.home / "warehouse.duckdb").open("ab") as handle:
        handle.write(b"\0")
    outcome = exporting.fm("export", "openlineage", "-o", str(tmp_path / "events"))
    assert (outcome.code, "fm verify" in outcome.err) == (1, True)
    (exporting.home / "work.duckdb").unlink()
    outcome = exporting.fm("export", "openlineage", "-o", str(tmp_path / "events"))
    assert (outcome.code, "no ledger" in outcome.err) == (2, True)
    assert not (exporting.home / "work.duckdb").exists()
    assert not list(tmp_path.glob("events*"))


def test_a_lock_that_cannot_be_had_lets_nothing_out(exporting, tmp_path):
    (exporting.home / "lock").unlink()
    (exporting.home / "lock").mkdir()
    outcome = exporting.fm("export", "tables", "report.top_genes", "-o", str(tmp_path / "out"))
    assert (outcome.code, "Mend:" in outcome.err) == (3, True)
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_records_nothing(exporting, tmp_path):
    before = len(ledger(exporting.home / "work.duckdb"))
    (tmp_path / "file").write_text("mine")
    outcome = exporting.fm("export", "tables", "report.top_genes", "-o", str(tmp_path / "file" / "inside"))
    assert outcome.code == 3
    assert len(ledger(exporting.home / "work.duckdb")) == before
