"""``fm diff``: after one corrected cell, one edited model, or many things at once, what moved and every reason why.

One home goes through three states beyond the first: a corrected cell; an edited SQL model; then a label of study.yaml,
a subject's stratum and an impossible answer together.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.snapshot import open_snapshots
from fm_platform_tests.e2e.conftest import REPOSITORY, Workspace, run_fm

CORRECTED = ("SYN01", "week_12", "fiqr_q12", "9")
EDITED = "marts/symptom_change.sql"


def with_cell(text: str, subject: str, visit: str, column: str, value: str) -> str:
    """A CSV with one cell changed."""
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows[1:]:
        if row[1] == subject and row[2] == visit:
            row[rows[0].index(column)] = value
    return "".join(",".join(row) + "\n" for row in rows)


def publish(catalog: Catalog, home: Home, run_id: str) -> None:
    """Bring the tables up to date and publish; the report's files stay as they are, which saves the figures."""
    with open_session(catalog, home, run_id) as session:
        for table in session.plan().stale:
            if table != "files.report":
                session.materialize(table)


@pytest.fixture(scope="module")
def history(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small study with four publications."""
    folder = tmp_path_factory.mktemp("history")
    work = Workspace(folder / "study", folder / "home")
    shutil.copytree(refreshed.study, work.study)
    shutil.copytree(refreshed.home, work.home)
    models = folder / "models"
    shutil.copytree(REPOSITORY / "dbt_like_sql", models)
    home = Home(work.home)

    work.edit("clinical/visits.csv", lambda text: with_cell(text, *CORRECTED))
    publish(build_catalog(work.study, models), home, "corrected")

    text = (models / EDITED).read_text(encoding="utf-8")
    wanted = text.rstrip() + "\n    and base.value_exact >= 7 * base.value_scale\n"
    (models / EDITED).write_text(wanted, encoding="utf-8")
    publish(build_catalog(work.study, models), home, "edited")

    work.edit("study.yaml", lambda text: text.replace("label: Pain,", "label: Pain today,"))
    people = ("SYN02,fibromyalgia,primary", "SYN02,fibromyalgia,secondary")
    work.edit("clinical/participants.csv", lambda text: text.replace(*people))
    work.edit("clinical/visits.csv", lambda text: with_cell(text, "SYN05", "week_4", "fiqr_q12", "99"))
    publish(build_catalog(work.study, models), home, "many")
    return work


def compared(work: Workspace, *arguments: str) -> dict:
    outcome = run_fm("diff", *arguments, "--home", str(work.home), "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def table_of(found: dict, name: str) -> dict:
    return next(table for table in found["tables"] if table["table"] == name)


def reasons_of(found: dict, entry: dict) -> list[dict]:
    return [reason for reason in found["reasons"] if reason["id"] in entry["reasons"]]


def test_after_one_corrected_cell_that_cell_is_the_one_reason_for_everything_that_moved(history):
    found = compared(history, "1", "2")
    assert len(found["reasons"]) == 1
    lines = (history.study / "clinical/visits.csv").read_text(encoding="utf-8").splitlines()
    facts = found["reasons"][0]["facts"]
    assert (facts["file"], facts["change"]) == ("clinical/visits.csv", "changed")
    assert facts["cells"] == [{"column": "fiqr_q12", "old": "4", "new": "9"}]
    assert facts["old"]["line"] == facts["new"]["line"]
    assert lines[facts["new"]["line"] - 1].split(",")[1:3] == ["SYN01", "week_12"]
    for table in found["tables"]:
        assert table["reasons"] == [1], table["table"]
        assert all(row["reasons"] == [1] for row in table["rows"])


def test_the_numbers_that_moved_are_those_of_the_two_warehouses(history):
    moved = table_of(compared(history, "1", "2"), "stats.symptom_change")
    query = "SELECT outcome, visit, coalesce(stratum, ''), * FROM stats.symptom_change"
    with open_snapshots(
        a=history.home / "snapshots/000001.duckdb", b=history.home / "snapshots/000002.duckdb"
    ) as both:
        old, new = (
            {row[:3]: row for row in both.sql(query.replace("stats.", f"{side}.stats.")).fetchall()}
            for side in "ab"
        )
        names = [column[0] for column in both.sql(query.replace("stats.", "a.stats.")).description]
    wrong = [
        (key, names[at], old[key][at], new[key][at])
        for key in old
        for at in range(3, len(names))
        if not names[at].startswith("_") and old[key][at] != new[key][at]
    ]
    listed = [
        (tuple(value or "" for value in row["key"].values()), cell["column"], cell["old"], cell["new"])
        for row in moved["rows"]
        for cell in row["cells"]
    ]
    assert sorted(listed, key=str) == sorted(wrong, key=str)
    assert moved["counts"] == {"changed": len({entry[0] for entry in wrong})}


def test_conclusions_that_moved_come_first_and_by_name(history):
    found = compared(history, "1", "2")
    moved = {
        (c["table"], c["column"], *c["key"].values()): (c["old"], c["new"]) for c in found["conclusions"]
    }
    assert moved["stats.symptom_change", "p_value", "pain", "week_12", None] == (0.03125, 0.09375)
    assert moved["stats.responder_status", "responded", "pain30", "SYN01", "week_12"] == (True, False)
    text = run_fm("diff", "1", "2", "--home", str(history.home)).out
    assert text.startswith("SYNTHETIC DATA")
    assert text.index("p_value 0.03125 -> 0.09375") < text.index("reasons") < text.index("tables")
    assert "clinical/visits.csv:4 fiqr_q12: 4 -> 9" in text


def test_after_one_edited_sql_model_that_model_is_the_one_reason(history):
    found = compared(history, "2", "3")
    assert [(r["kind"], r["facts"]) for r in found["reasons"]] == [
        ("code", {"files": ["dbt_like_sql/marts/symptom_change.sql"]})
    ]
    removed = table_of(found, "marts.symptom_change")
    assert removed["counts"] == {"removed": 2}
    assert {row["key"]["subject_id"] for row in removed["rows"]} == {"SYN06"}
    pain = [
        {cell["column"]: (cell["old"], cell["new"]) for cell in row["cells"]}
        for row in table_of(found, "stats.symptom_change")["rows"]
        if row["key"] == {"outcome": "pain", "visit": "week_12", "stratum": None}
    ]
    assert pain[0]["n"] == (6, 5)
    assert all(table["reasons"] == [1] for table in found["tables"])


def test_of_several_causes_each_cell_names_its_own(history):
    found = compared(history, "3", "4")
    by_kind: dict[str, list[dict]] = {}
    for reason in found["reasons"]:
        by_kind.setdefault(reason["kind"], []).append(reason)
    assert [reason["facts"]["key"] for reason in by_kind["study"]] == ["outcomes[pain].label"]
    label = by_kind["study"][0]
    assert label["facts"]["new_line"] == line_of(history.study / "study.yaml", "Pain today")
    cells = {reason["facts"]["file"]: reason["facts"]["cells"] for reason in by_kind["source"]}
    assert cells == {
        "clinical/participants.csv": [{"column": "fm_type", "old": "primary", "new": "secondary"}],
        "clinical/visits.csv": [{"column": "fiqr_q12", "old": "7", "new": "99"}],
    }
    moved = {
        (*row["key"].values(), cell["column"]): {
            reason["kind"] + ":" + reason["text"][:20] for reason in reasons_of(found, cell)
        }
        for row in table_of(found, "report.symptom_change")["rows"]
        for cell in row["cells"]
    }
    visits, people = "source:clinical/visits.csv:", "source:clinical/participant"
    assert {text[:6] for text in moved["pain", "week_12", None, "outcome_label"]} == {"study:"}
    assert {text[: len(visits)] for text in moved["pain", "week_4", None, "n"]} >= {visits}
    assert {text[: len(people)] for text in moved["fiqr_total", "week_12", "primary", "n"]} == {people}
    assert not {text for text in moved["fiqr_total", "week_12", "primary", "n"] if text.startswith("study")}


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_snapshot_against_itself_differs_in_nothing(history):
    assert compared(history, "2", "2")["tables"] == []


def test_locked_names_stand_for_their_snapshots(history):
    outcome = history.fm("lock", "submitted", "--snapshot", "1", "--reason", "Database lock")
    assert outcome.code == 0, outcome.err
    by_name = compared(history, "submitted", "latest", "--table", "stats.symptom_change")
    assert (by_name["a"]["number"], by_name["b"]["number"]) == (1, 4)
    rows = {table["table"] for table in by_name["tables"] if table["rows"]}
    assert rows == {"stats.symptom_change"}
    listed = run_fm("snapshots", "--home", str(history.home)).out
    assert "locked as submitted" in listed
    assert run_fm("diff", "nothing", "--home", str(history.home)).code == 2
    assert run_fm("verify", "--home", str(history.home)).code == 0


def test_the_other_way_round_old_and_new_change_places(history):
    there, back = compared(history, "1", "2"), compared(history, "2", "1")
    assert back["reasons"][0]["facts"]["cells"] == [{"column": "fiqr_q12", "old": "9", "new": "4"}]
    assert [t["table"] for t in there["tables"]] == [t["table"] for t in back["tables"]]
    assert len(there["conclusions"]) == len(back["conclusions"])
