"""A session on a study of three genes: what a step records, what it leaves alone, and what readers are left with."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.outlook import outlook
from fm_platform.catalog.places import DEFAULT_STUDY, default_home, home_of, study_folder
from fm_platform.catalog.session import Actor, open_session
from fm_platform.errors import InputError
from fm_platform.warehouse.database import Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import first_break
from fm_platform_tests.unit.catalog.tiny_study import (
    COUNTS,
    IN_ORDER,
    SAMPLES,
    STUDY,
    bring_up_to_date,
    up_to_date,
    write_tiny_study,
)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Catalog, Home]:
    """The tiny study and a home in which everything was made once."""
    return up_to_date(tmp_path / "study", tmp_path / "home")


def head(home: Home) -> tuple[int, str]:
    with open_warehouse(home, "look", read_only=True) as warehouse:
        return warehouse.head()


def materialized(warehouse: Warehouse) -> dict[str, dict]:
    kinds = ("materialization", "publication")
    return {r.content["table"]: r.content for r in warehouse.records() if r.kind in kinds}


def test_every_step_is_recorded_once_in_an_unbroken_chain(made):
    _, home = made
    with open_warehouse(home, "look", read_only=True) as warehouse:
        records = warehouse.records()
        assert first_break(records, warehouse.head()) is None
    bodies = [r.content for r in records if r.kind in ("materialization", "publication")]
    assert [body["table"] for body in bodies] == IN_ORDER
    assert [r.kind for r in records].count("study") == 1
    assert next(r for r in records if r.kind == "study").content["text"] == STUDY


def test_a_second_session_runs_nothing_and_writes_no_record(made):
    catalog, home = made
    before = head(home)
    with open_session(catalog, home, "second") as session:
        assert session.plan().stale == []
        results = [session.materialize(table) for table in IN_ORDER]
    assert {result.status for result in results} == {"fresh"}
    assert head(home) == before


def test_a_forced_step_is_recomputed_and_recorded_with_actor_and_reason(made):
    catalog, home = made
    with open_session(catalog, home, "forced", actor=Actor("the steward", "an audit")) as session:
        before = session.history.materialized["expression.counts"]
        result = session.materialize("expression.counts", force=True)
        assert result.status == "computed"
        assert result.materialized.seq > before.seq
        assert result.materialized.value_digest == before.value_digest
        assert result.materialized.run_id == "forced"
        assert (result.materialized.body["actor"], result.materialized.body["reason"]) == (
            "the steward",
            "an audit",
        )


def test_written_columns_and_recorded_lineage_are_the_same(made):
    _, home = made
    with open_warehouse(home, "look", read_only=True) as warehouse:
        found = materialized(warehouse)
        for table in ("expression.counts", "expression.samples"):
            written = {name for name in warehouse.schema(table) if not name.startswith("_")}
            recorded = found[table]["column_lineage"]
            assert set(recorded) == written
            for column, inputs in recorded.items():
                assert inputs or column in found[table]["constants"], f"{table}.{column}"
                assert all(entry[0].startswith("raw.") for entry in inputs)
                assert all(entry[1] in warehouse.schema(entry[0]) for entry in inputs), (
                    f"{table}.{column}: {inputs}"
                )


def test_the_ledger_holds_no_delivered_value(made):
    _, home = made
    with open_warehouse(home, "look", read_only=True) as warehouse:
        assert (
            warehouse.query("SELECT count(*) FROM fm.raw.samples WHERE remark = 'Zq7-patient-Zq7'").item()
            == 1
        )
        assert not [record.name for record in warehouse.records() if "Zq7" in record.body]
    assert "Zq7" not in home.state_file.read_text()


def test_a_delivery_that_cannot_be_read_leaves_the_table_and_can_be_corrected(made):
    catalog, home = made
    before = head(home)
    counts = catalog.study.folder / "counts.csv"
    counts.write_text(COUNTS.replace("20", "-20"))
    with open_session(catalog, home, "bad") as session:
        with pytest.raises(InputError, match=r"counts\.csv:3"):
            session.materialize("raw.counts")
        assert [table for table, _ in session.errors] == ["raw.counts"]
        assert session.results == []
        assert session.warehouse.read("raw.counts").height == 3
    assert head(home) == before
    counts.write_text(COUNTS.replace("20", "21"))
    assert "raw.counts" in [result.table for result in bring_up_to_date(catalog, home)]


def test_another_study_does_not_get_into_a_home(made, tmp_path):
    _, home = made
    before = (head(home), home.state_file.read_bytes())
    other = tmp_path / "other"
    other.mkdir()
    for path in (tmp_path / "study").iterdir():
        (other / path.name).write_text(path.read_text().replace("id: tiny", "id: other"))
    with (
        pytest.raises(InputError, match="belongs to study 'tiny', not 'other'"),
        open_session(build_catalog(other), home, "wrong"),
    ):
        pass
    assert (head(home), home.state_file.read_bytes()) == before


# -- what readers see without the work database --------------------------------------------------------------------


def test_readers_see_the_same_plan_as_the_holder(made):
    catalog, home = made
    view = outlook(catalog, home)
    assert (view.stale, view.blocked, view.changed_sources) == ([], {}, {})
    assert home.bound_study() == ("tiny", catalog.study.folder.resolve())


def test_a_changed_file_is_seen_with_what_depends_on_it(made):
    catalog, home = made
    counts = catalog.study.folder / "counts.csv"
    counts.write_text(COUNTS.replace("g3,0", "g3,9"))
    view = outlook(catalog, home)
    assert view.changed_sources == {str(counts): hashlib.sha256(counts.read_bytes()).hexdigest()}
    assert set(view.stale) == set(IN_ORDER) - {"raw.samples"}
    with open_session(catalog, home, "look") as session:
        assert session.plan() == view.plan


def test_a_home_that_was_never_used_has_everything_to_do(made, tmp_path):
    catalog, _ = made
    assert outlook(catalog, Home(tmp_path / "new")).stale == IN_ORDER
    assert not (tmp_path / "new").exists()


def test_state_is_left_even_when_a_step_fails(made):
    catalog, home = made
    (catalog.study.folder / "counts.csv").write_text("gene,s1\n")
    home.state_file.unlink()
    with pytest.raises(InputError), open_session(catalog, home, "bad") as session:
        session.materialize("raw.counts")
    assert json.loads(home.state_file.read_text())["study"]["id"] == "tiny"
    assert outlook(catalog, home).plan.entry("raw.counts").reason == "source file changed: counts.csv"


# -- where things are ------------------------------------------------------------------------------------------------


def test_the_study_is_the_option_else_the_environment_else_the_home_s_else_the_demo(
    made, tmp_path, monkeypatch
):
    catalog, home = made
    assert study_folder(None, None) == DEFAULT_STUDY
    assert study_folder(None, home.path) == catalog.study.folder
    assert study_folder(None, tmp_path / "unbound") == DEFAULT_STUDY
    monkeypatch.setenv("FM_HOME", str(home.path))
    assert study_folder(None, None) == catalog.study.folder
    monkeypatch.setenv("FM_STUDY", str(tmp_path / "named"))
    assert study_folder(None, home.path) == tmp_path / "named"
    assert study_folder(tmp_path / "option", home.path) == tmp_path / "option"


def test_the_home_is_the_option_else_the_environment_else_named_after_the_study(made, tmp_path, monkeypatch):
    catalog, _ = made
    assert home_of(catalog.study).path == default_home("tiny")
    assert default_home("tiny").parts[-2:] == ("var", "tiny")
    monkeypatch.setenv("FM_HOME", str(tmp_path / "named"))
    assert home_of(catalog.study).path == tmp_path / "named"
    assert home_of(catalog.study, tmp_path / "option").path == tmp_path / "option"


def test_who_acts_is_named_by_the_environment(monkeypatch):
    monkeypatch.setenv("FM_ACTOR", "Dr. Who")
    assert Actor.from_environment("because") == Actor("Dr. Who", "because")
    monkeypatch.delenv("FM_ACTOR")
    assert Actor.from_environment().name


def test_count_files_are_read_once_in_a_run(tmp_path):
    catalog, home = build_catalog(write_tiny_study(tmp_path / "study")), Home(tmp_path / "home")
    told: list[str] = []
    with open_session(catalog, home, "run", progress=told.append) as session:
        for table in session.plan().stale:
            session.materialize(table)
    assert told.count("reading counts.csv") == 1


def test_a_study_that_moved_keeps_its_home_and_is_told_of_both_folders(tmp_path: Path) -> None:
    catalog, home = up_to_date(tmp_path / "study", tmp_path / "home")
    old = catalog.study.folder
    new = tmp_path / "renamed"
    shutil.copytree(old, new)
    (new / "counts.csv").write_text(COUNTS.replace("40", "41"), encoding="utf-8")
    moved = build_catalog(new)
    said: list[str] = []
    with open_session(moved, home, "after", progress=said.append):
        pass
    assert any(str(old) in text and str(new) in text and "--home" in text for text in said)
    assert home.bound_study() == ("tiny", new.resolve())
    assert outlook(moved, home).moved is None


def test_another_study_of_the_same_id_is_refused_unless_the_first_is_gone(tmp_path: Path) -> None:
    catalog, home = up_to_date(tmp_path / "study", tmp_path / "home")
    before = home.state()
    other = write_tiny_study(tmp_path / "other")
    (other / "counts.csv").write_text(COUNTS.replace("4", "9"), encoding="utf-8")
    (other / "samples.csv").write_text(SAMPLES.replace("b", "c"), encoding="utf-8")
    assert "same id" in str(outlook(build_catalog(other), home).moved)
    (other / "study.yaml").write_text(STUDY.replace("Three genes", "Three others"), encoding="utf-8")
    strange = build_catalog(other)
    for use in (lambda: open_session(strange, home, "run").__enter__(), lambda: outlook(strange, home)):
        with pytest.raises(InputError, match=r"none of the files that the home has read.*--home") as error:
            use()
        assert str(other) in str(error.value)
        assert str(catalog.study.folder) in str(error.value)
    assert home.state() == before
    shutil.rmtree(catalog.study.folder)
    assert "same id" in str(outlook(strange, home).moved)
