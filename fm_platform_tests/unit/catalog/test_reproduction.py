"""Publications made again from ledger and store: equal where they can be, the cause named where not."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fm_platform.catalog.reproduction import OtherCode, Reproduction, reproduce
from fm_platform.errors import InputError
from fm_platform.lineage.verify import verify
from fm_platform.warehouse.database import open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform_tests.e2e.conftest import REPOSITORY, run_fm
from fm_platform_tests.unit.catalog.changing_study import EDITED, FAKED, PATCHED, ChangingStudy

MODEL = "marts.symptom_change"


@pytest.fixture
def home(changing: ChangingStudy, tmp_path: Path) -> Home:
    """A copy of the home, whose study folder is gone: the ledger and the store are all there is."""
    shutil.copytree(changing.home.path, tmp_path / "home", ignore=shutil.ignore_patterns("dagster"))
    state = json.loads((tmp_path / "home" / "state.json").read_text(encoding="utf-8"))
    state["study"]["folder"] = str(tmp_path / "gone")
    (tmp_path / "home" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return Home(tmp_path / "home")


def causes(found: Reproduction) -> set[str]:
    return {cause for outcome in found.outcomes for cause in outcome.causes}


def test_a_publication_is_equal_though_its_snapshot_and_its_files_are_gone(home, tmp_path):
    assert not (home.snapshots / "000001.duckdb").exists()
    found = reproduce(home, "1", tmp_path / "again", reason="Audit")
    assert found.first is None
    assert causes(found) == set()
    assert len(found.outcomes) > 20
    delivered = (tmp_path / "again/study/visits.csv").read_text(encoding="utf-8")
    assert "T00,week_12,2024-03-25,2" in delivered
    assert (tmp_path / "again/requirements.lock").read_bytes() == (
        REPOSITORY / "requirements.lock"
    ).read_bytes()
    content = (tmp_path / "again/certificate.json").read_bytes()
    assert json.loads(content)["publication"]["number"] == 1
    with open_warehouse(home, "reader", read_only=True) as warehouse:
        recorded = warehouse.records_of("reproduction")[-1].content
    assert (recorded["equal"], recorded["reason"]) == (True, "Audit")
    assert recorded["sha256"] == hashlib.sha256(content).hexdigest()
    assert verify(home).problems == []


def test_a_cell_that_was_corrected_since_is_taken_as_it_was_delivered_then(home, tmp_path):
    found = reproduce(home, "2", tmp_path / "again")
    assert found.first is None
    delivered = (tmp_path / "again/study/visits.csv").read_text(encoding="utf-8")
    assert "T00,week_12,2024-03-25,9" in delivered


def test_a_changed_key_of_study_yaml_is_taken_as_it_was(home, changing, tmp_path):
    found = reproduce(home, "3", tmp_path / "again")
    assert found.first is None
    assert "range: [0, 11]" in (tmp_path / "again/study/study.yaml").read_text(encoding="utf-8")


def test_other_code_is_named_at_the_first_table_that_differs(home):
    outcome = run_fm("reproduce", "4", "--home", str(home.path))
    assert outcome.code == 1, outcome.err
    last = outcome.out.splitlines()[-2]
    assert last.startswith(f"the first that differs is {MODEL}: code dbt_like_sql/{EDITED}")
    assert any(line.split()[:2] == ["equal", "marts.symptom_scores"] for line in outcome.out.splitlines())
    assert len(list((home.path / "reproductions").iterdir())) == 1


def test_another_library_that_changes_no_value_is_told_and_the_tables_are_equal(home, changing):
    found = reproduce(home, "5", models=changing.models)
    assert found.first is None
    told = {cause.split(" -> ")[0] for cause in causes(found)}
    assert told == {"library " + " ".join(FAKED)}
    assert [o.table for o in found.outcomes if o.table == MODEL and o.causes]


def test_other_code_in_python_is_named_where_its_values_begin(home, changing):
    found = reproduce(home, "6", models=changing.models)
    assert found.first is not None
    assert found.first.table == "stats.symptom_change"
    assert f"code fm_platform/{PATCHED}" in found.first.causes
    others = {o.table for o in found.outcomes if not o.equal}
    assert "stats.symptom_change" in others
    for outcome in found.outcomes:
        if outcome.table in others - {"stats.symptom_change"}:
            assert any(cause.startswith("input ") for cause in outcome.causes), outcome


def test_a_checkout_of_the_code_of_then_gives_what_was_published_then(home, changing, tmp_path):
    found = reproduce(home, "6", tmp_path / "again", other=OtherCode(changing.checkout))
    assert found.first is None, found.first
    assert {cause.split(" -> ")[0] for cause in causes(found)} == {"library " + " ".join(FAKED)}
    assert (tmp_path / "again/home/reports/report.html").is_file()


def test_a_file_that_is_missing_from_the_store_is_the_cause(home):
    with open_warehouse(home, "reader", read_only=True) as warehouse:
        delivered = [r.content for r in warehouse.records_of("source") if r.content["source"] == "visits"]
    (home.sources / f"{delivered[0]['sha256']}.gz").unlink()
    found = reproduce(home, "1")
    assert found.first is not None
    assert found.first.table == "raw.visits"
    assert found.first.causes[0] == "source visits.csv is missing in the store"
    assert next(o for o in found.outcomes if o.table == "raw.participants").equal


@pytest.mark.parametrize("which", ["9", "nothing"])
def test_a_publication_that_is_not_there_is_refused(home, which):
    with pytest.raises(InputError, match="no snapshot"):
        reproduce(home, which)


def test_a_folder_in_use_and_code_that_is_none_are_refused(home, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "a").touch()
    with pytest.raises(InputError, match="in use"):
        reproduce(home, "1", tmp_path / "used")
    with pytest.raises(InputError, match="holds no fm_platform"):
        reproduce(home, "1", other=OtherCode(tmp_path / "used"))
