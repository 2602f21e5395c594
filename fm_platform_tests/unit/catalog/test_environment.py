"""What stands beside a number: environment records, causes of publications, and a report that says what records say."""

from __future__ import annotations

import contextlib
import gzip
import platform
import re
import sys
from pathlib import Path

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.outlook import outlook
from fm_platform.lineage.environment import environment_state
from fm_platform.lineage.explain.explanation import explain
from fm_platform.lineage.history import from_state
from fm_platform.lineage.snapshots import snapshots_of
from fm_platform.lineage.verify import verify
from fm_platform.warehouse.database import open_warehouse
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.reader import open_published
from fm_platform.warehouse.snapshot import write_report
from fm_platform_tests.unit.catalog.changing_study import EDITED, FAKED, PATCHED, faked_library
from fm_platform_tests.unit.catalog.tiny_study import bring_up_to_date, up_to_date

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def ledger(changing) -> list[LedgerRecord]:
    """Its whole ledger."""
    with open_warehouse(changing.home, "reader", read_only=True) as warehouse:
        return warehouse.records()


def test_the_environment_is_recorded_once_a_state_with_its_lock_in_the_store(tmp_path):
    catalog, home = up_to_date(tmp_path / "study", tmp_path / "home")
    (tmp_path / "study" / "counts.csv").write_text(
        "gene,s1,s2,s3,s4\ng1,9,2,3,4\ng2,1,2,3,4\n", encoding="utf-8"
    )
    bring_up_to_date(catalog, home, "again")
    with open_warehouse(home, "reader", read_only=True) as warehouse:
        found = [record.content for record in warehouse.records_of("environment")]
    assert len(found) == 1
    assert found[0]["python"] == platform.python_version()
    assert (found[0]["system"], found[0]["machine"]) == (platform.system(), platform.machine())
    kept = gzip.decompress((home.sources / f"{found[0]['lock']['sha256']}.gz").read_bytes())
    assert kept == (ROOT / "requirements.lock").read_bytes()
    assert verify(home).problems == []


def test_a_checkout_says_its_commit():
    import subprocess

    if not (ROOT / ".git").exists():
        pytest.skip("the tests do not run in a git checkout")
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert environment_state()["commit"] == head.stdout.strip()


def test_every_publication_says_who_why_and_what_made_it_differ(changing):
    listed = snapshots_of(from_state(changing.home.state()))
    assert [(s.number, s.actor, s.reason) for s in listed] == [
        (n, "tester", reason)
        for n, reason in enumerate(("begin", "correct", "declare", "edit", "upgrade", "rewrite"), 1)
    ]
    assert [[cause["kind"] for cause in s.causes] for s in listed] == [
        ["first"], ["source"], ["study"], ["code"], ["library"], ["code"],
    ]  # fmt: skip
    assert listed[1].differs_by == "delivered visits.csv"
    assert listed[2].causes[0]["names"] == ["outcomes[pain].range"]
    assert listed[3].causes[0]["names"] == [f"dbt_like_sql/{EDITED}"]
    assert re.fullmatch(r"library sqlglot \S+ -> 99\.0\.0", listed[4].differs_by)
    assert listed[5].causes[0]["names"] == [f"fm_platform/{PATCHED}"]


def test_a_report_names_its_publication_and_what_its_tables_were_made_with(changing, tmp_path):
    texts = {}
    for number in (4, 5):
        snapshot = changing.home.path / f"snapshots/00000{number}.duckdb"
        write_report(snapshot, tmp_path / str(number))
        texts[number] = (tmp_path / str(number) / "report.html").read_text(encoding="utf-8")
        assert f"made for publication {number}," in texts[number]
        assert platform.python_version() in texts[number]
    assert "sqlglot 99.0.0" not in texts[4]
    assert "sqlglot 99.0.0" in texts[5]


def test_after_code_that_changed_no_value_the_report_has_the_code_that_made_its_tables(changing, ledger):
    newest = {r.content["table"]: r for r in ledger if r.kind == "materialization"}
    model = newest["marts.symptom_scores"]
    values = [
        r.content["value_digest"]
        for r in ledger
        if r.kind == "materialization" and r.content["table"] == "marts.symptom_scores"
    ]
    assert values[-1] == values[-2]
    report = (changing.home.reports / "report.html").read_text(encoding="utf-8")
    assert model.content["parts"]["code"] in report
    for table in ("stats.symptom_change", "report.symptom_change"):
        assert newest[table].content["parts"]["code"] in report


def test_an_explanation_has_the_libraries_and_the_environment_of_its_table(changing):
    with open_published(changing.home) as published:
        made = explain(published, "marts.participants", [("subject_id", "T00")], "age").made
    assert made["libraries"]["sqlglot"] == "99.0.0"
    assert made["libraries"]["python"] == ".".join(platform.python_version_tuple()[:2])
    assert platform.machine() in made["environment"]["platform"]


def test_the_plan_names_the_library_or_the_file_that_makes_a_table_stale(changing):
    def reason(table: str, models: Path | None) -> str:
        return outlook(build_catalog(changing.study, models), changing.home).plan.entry(table).reason

    found = reason("staging.visits", changing.models)
    assert re.fullmatch(r"library changed: sqlglot 99\.0\.0 -> \S+", found)
    with faked_library(changing.fakes, *FAKED):
        assert reason("staging.visits", changing.models) == "nothing it depends on changed"
        assert reason("marts.symptom_change", None) == f"code changed: dbt_like_sql/{EDITED}"


@pytest.mark.parametrize("library", ["duckdb", "polars", "python", "sqlglot"])
def test_a_library_of_another_version_makes_stale_what_it_touches_and_nothing_else(
    changing, monkeypatch, library
):
    with faked_library(changing.fakes, *FAKED), contextlib.ExitStack() as faked:
        if library == "python":
            monkeypatch.setattr(sys, "version_info", (3, 99, 0, "final", 0))
        else:
            faked.enter_context(faked_library(changing.fakes / library, library, "100.0.0"))
        catalog = build_catalog(changing.study, changing.models)
        entries = {entry.table: entry for entry in outlook(catalog, changing.home).plan.entries}
    named = {t for t, e in entries.items() if re.search(rf"library changed: .*{library} ", e.reason)}
    first = "staging.visits" if library == "sqlglot" else "raw.visits"
    assert (first in named, entries[first].state) == (True, "stale")
    stale = {table for table, entry in entries.items() if entry.state == "stale"}
    if library == "sqlglot":
        assert not stale & {"raw.visits", "raw.participants", "quarantine.visits", "study.visits"}
        assert {t for t, asset in catalog.assets.items() if asset.model is not None} <= stale
    else:
        assert stale == set(entries)


def test_a_home_with_six_publications_is_consistent(changing):
    assert verify(changing.home).problems == []
