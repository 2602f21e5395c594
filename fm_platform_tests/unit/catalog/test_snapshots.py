"""Snapshots over time: what is listed, what a lock pins, what the retention rule lets go, and that verify holds."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.locking import lock_snapshot
from fm_platform.errors import CheckFailed, InputError
from fm_platform.lineage.history import from_state
from fm_platform.lineage.snapshots import Snapshot, find_snapshot, snapshots_of
from fm_platform.lineage.verify import verify
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.snapshot import write_report
from fm_platform_tests.unit.catalog.tiny_study import COUNTS, bring_up_to_date, up_to_date


def deliver(folder: Path, home: Home, first_count: int) -> None:
    """Publish once more, with another count in the first cell."""
    (folder / "counts.csv").write_text(COUNTS.replace("g1,1,", f"g1,{first_count},"), encoding="utf-8")
    bring_up_to_date(build_catalog(folder), home, f"run-{first_count}")


def listed(home: Home) -> list[Snapshot]:
    return snapshots_of(from_state(home.state()))


def files(home: Home) -> list[str]:
    return sorted(path.name for path in home.snapshots.iterdir())


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, Home]:
    """A home with three publications, of which two unpinned ones may stay. Tests must not change it."""
    folder = tmp_path_factory.mktemp("three")
    catalog, home = up_to_date(folder / "study", folder / "home")
    study = folder / "study" / "study.yaml"
    study.write_text("keep_snapshots: 2\n" + study.read_text(encoding="utf-8"), encoding="utf-8")
    deliver(folder / "study", home, 7)
    lock_snapshot(catalog, home, "interim", "1", "Interim analysis")
    deliver(folder / "study", home, 8)
    return build_catalog(folder / "study"), home


@pytest.fixture
def copied(three, tmp_path) -> tuple[Catalog, Home]:
    """A copy of study and home that a test may change."""
    shutil.copytree(three[1].path.parent, tmp_path / "copy")
    return build_catalog(tmp_path / "copy" / "study"), Home(tmp_path / "copy" / "home")


def test_snapshots_are_listed_with_their_hash_size_and_lock(three):
    home = three[1]
    found = listed(home)
    assert [snapshot.number for snapshot in found] == [1, 2, 3]
    for snapshot in found:
        content = (home.path / snapshot.file).read_bytes()
        assert (snapshot.bytes, snapshot.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert snapshot.tables == sum(not t.startswith(("files.", "publish.")) for t in three[0].assets)
    assert [(lock.name, lock.reason) for lock in found[0].locks] == [("interim", "Interim analysis")]


@pytest.mark.parametrize(("name", "number"), [("latest", 3), ("2", 2), ("interim", 1)])
def test_a_snapshot_goes_by_number_lock_or_latest(three, name, number):
    assert find_snapshot(name, from_state(three[1].state()), three[1]).number == number


def test_an_unknown_name_is_refused_with_those_there_are(three):
    with pytest.raises(InputError, match="interim, 1, 2, 3, latest"):
        find_snapshot("final", from_state(three[1].state()), three[1])


def test_the_oldest_unpinned_snapshots_are_let_go_and_verify_holds(copied):
    catalog, home = copied
    deliver(catalog.study.folder, home, 9)
    assert files(home) == ["000001.duckdb", "000003.duckdb", "000004.duckdb"]
    assert [snapshot.kept for snapshot in listed(home)] == [True, False, True, True]
    assert verify(home).problems == []
    with pytest.raises(InputError, match="not kept any more"):
        find_snapshot("2", from_state(home.state()), home)


def test_a_pruned_file_that_a_crash_left_is_no_alteration_and_goes_with_the_next_run(copied):
    catalog, home = copied
    kept = (home.snapshots / "000002.duckdb").read_bytes()
    deliver(catalog.study.folder, home, 9)
    (home.snapshots / "000002.duckdb").write_bytes(kept)
    assert verify(home).problems == []
    (home.snapshots / "000002.duckdb").write_bytes(kept + b"x")
    assert "snapshots/000002.duckdb differs" in verify(home).problems[0]
    bring_up_to_date(catalog, home, "after")
    assert files(home) == ["000001.duckdb", "000003.duckdb", "000004.duckdb"]


def test_a_missing_pinned_snapshot_is_an_alteration(copied):
    (copied[1].snapshots / "000001.duckdb").unlink()
    assert verify(copied[1]).problems == ["snapshots/000001.duckdb is missing"]


def test_a_snapshot_holds_the_report_of_its_time(three, tmp_path):
    home = three[1]
    old, new = (write_report(home.path / f"snapshots/00000{n}.duckdb", tmp_path / str(n)) for n in (1, 3))
    assert new[0].read_bytes() == (home.reports / "report.html").read_bytes()
    assert old[0].read_bytes() != new[0].read_bytes()
    assert listed(home)[0].kept


def test_a_lock_names_the_sources_and_the_report_that_belong_to_its_snapshot(copied, tmp_path):
    catalog, home = copied
    body = lock_snapshot(catalog, home, "submitted", "latest", "Database lock")
    delivered = {path.name: path.read_bytes() for path in catalog.study.folder.iterdir()}
    assert {entry["path"]: entry["sha256"] for entry in body["sources"]} == {
        name: hashlib.sha256(delivered[name]).hexdigest() for name in ("counts.csv", "samples.csv")
    }
    report = (home.reports / "report.html").read_bytes()
    assert body["report"] == {"reports/report.html": hashlib.sha256(report).hexdigest()}
    assert verify(home).problems == []
    assert "remark" not in json.dumps(body)


@pytest.mark.parametrize("name", ["latest", "3", "interim", "a b", "", "-x"])
def test_a_name_that_could_mislead_is_refused(copied, name):
    with pytest.raises(InputError):
        lock_snapshot(*copied, name, "latest", "Because")


def test_a_lock_needs_a_reason_and_an_unaltered_snapshot(copied):
    catalog, home = copied
    with pytest.raises(InputError, match="reason"):
        lock_snapshot(catalog, home, "final", "latest", " ")
    path = home.snapshots / "000003.duckdb"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckFailed, match="000003"):
        lock_snapshot(catalog, home, "final", "latest", "Because")
