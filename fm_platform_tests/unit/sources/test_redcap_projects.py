"""Real REDCap projects, read from the export to typed tables: nothing is lost, and what is refused says where."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import Session, open_session
from fm_platform.errors import InputError
from fm_platform.lineage.links.behind import Behind
from fm_platform.lineage.links.book import LinkBook
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published

ANY_SHARE = "gate: {max_set_aside: 1}"


def study(tmp_path: Path, project: Path, extra: str = "", rest: str = "") -> Path:
    folder = tmp_path / "study"
    shutil.copytree(project, folder)
    dictionary = next(iter(sorted(folder.glob("dict*.csv"))), folder / "dictionary.csv")
    (folder / "study.yaml").write_text(
        f"study: {{id: redcap, title: Project}}\n"
        f"clinical:\n  project: {{path: data.csv, format: redcap, dictionary: {dictionary.name}{extra}}}\n{rest}\n"
    )
    return folder


def refresh(folder: Path, tmp_path: Path) -> dict[str, pl.DataFrame]:
    """Every raw, quarantine and staging table of the study's sources."""
    catalog = build_catalog(folder)
    with open_session(catalog, Home(tmp_path / "home"), "run") as session:
        return _materialized(session, tuple(catalog.study.clinical))


def _materialized(session: Session, sources: Sequence[str]) -> dict[str, pl.DataFrame]:
    tables = {}
    wanted = {f"{schema}.{source}" for source in sources for schema in ("raw", "quarantine", "staging")}
    wanted |= {"report.redcap_quality", "report.data_queries"}
    for asset in session.catalog.in_order():
        if asset.table in wanted:
            result = session.materialize(asset.table)
            assert not result.failed_blocking, result.failed_blocking
            tables[asset.table] = session.warehouse.read(asset.table)
    session.materialize("publish.warehouse")
    return tables


def delivered_behind(tmp_path: Path, source: str, *rows: int) -> set[str]:
    """Ids of the delivered rows behind some staged rows (by their place), or behind all."""
    table = f"staging.{source}"
    with open_published(Home(tmp_path / "home")) as published:
        places = rows or published.query(f"SELECT rowid FROM {table}")["rowid"].to_list()
        behind = Behind(LinkBook(published), table, places, None)
        return {row.row_id for row in behind.delivered() if row.table == f"raw.{source}"}


PROJECTS = {
    # project: (further keys of the source, further keys of study.yaml, rows of each form, rows set aside, cells)
    "checkboxes-1": ("", "", {"form_1": 4, "form_2": 4}, 0),
    "clinical-trial-1": ("", "", {"demographics": 500}, 0),
    "decimal-comma": ("", "", {"demographics": 4}, 0),
    "longitudinal": (
        ", events: event.csv, subject_forms: [demographics, baseline_data]",
        "visits:\n"
        "  - {id: start, baseline: true, values: [enrollment_arm_1, enrollment_arm_2]}\n"
        "  - {id: visit_1, values: [visit_1_arm_1, first_visit_arm_2]}\n"
        "  - {id: visit_2, values: [visit_2_arm_1]}\n"
        "  - {id: final, values: [final_visit_arm_1, final_visit_arm_2]}\n"
        "unscheduled: [dose_1_arm_1, dose_2_arm_1, first_dose_arm_2, deadline_to_opt_ou_arm_2,"
        " deadline_to_return_arm_2]\n",
        {"demographics": 3, "contact_info": 5, "patient_morale_questionnaire": 10, "completion_data": 2},
        0,
    ),
    "potentially-problematic-values": ("", "", {"form_1": 2}, 4),
    "repeating-instruments": (", repeating: {bp: last}", "", {"demographics": 2, "bp": 4}, 0),
    "simple": ("", "", {"demographics": 5, "health": 5, "race_and_ethnicity": 5}, 5),
}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_project_ingests_and_its_rows_reconcile(shared_data: Path, tmp_path: Path, project: str) -> None:
    extra, rest, rows, cells = PROJECTS[project]
    tables = refresh(study(tmp_path, shared_data / "redcap" / project, extra, rest), tmp_path)
    for form, count in rows.items():
        assert tables[f"raw.{form}"].height == count
    for name in [table.removeprefix("raw.") for table in tables if table.startswith("raw.")]:
        findings = tables[f"quarantine.{name}"]
        set_aside = findings.filter(pl.col("scope") == "row")["_row_id"].n_unique()
        assert len(delivered_behind(tmp_path, name)) + set_aside == tables[f"raw.{name}"].height
    refused = [
        frame.filter(pl.col("scope") == "cell").height for name, frame in tables.items() if "quar" in name
    ]
    assert sum(refused) == cells


def test_an_empty_export_is_refused_by_line_and_field(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data.csv:1, column 'record_id': the export is empty"):
        refresh(study(tmp_path, shared_data / "redcap" / "empty-rows"), tmp_path)


def test_an_export_without_its_dictionary_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = study(tmp_path, shared_data / "redcap" / "russian")
    with pytest.raises(InputError, match=r"study.yaml:3.*dictionary.csv does not exist"):
        refresh(folder, tmp_path)
    shutil.copy(shared_data / "redcap" / "simple" / "dictionary.csv", folder)
    with pytest.raises(InputError, match=r"data.csv:1, column '#1': column 1 has no name"):
        refresh(folder, tmp_path)


def test_undeclared_repeats_are_refused_by_line_and_field(shared_data: Path, tmp_path: Path) -> None:
    folder = study(tmp_path, shared_data / "redcap" / "repeating-instruments")
    with pytest.raises(InputError, match=r"data.csv:3, column 'redcap_repeat_instance': form bp repeats"):
        refresh(folder, tmp_path)


def test_undeclared_events_are_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = study(tmp_path, shared_data / "redcap" / "longitudinal")
    with pytest.raises(InputError, match=r"data.csv:1, column 'redcap_event_name'.*add `events:`"):
        refresh(folder, tmp_path)


def test_the_repeated_form_keeps_every_row_and_is_staged_by_its_aggregate(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = study(tmp_path, shared_data / "redcap" / "repeating-instruments", ", repeating: {bp: last}")
    staged = refresh(folder, tmp_path)["staging.bp"].with_row_index().sort("subject_id")
    assert [int(value) for value in staged["bp_systolic"]] == [112, 114]
    assert [len(delivered_behind(tmp_path, "bp", place)) for place in staged["index"]] == [3, 1]


def test_decimal_commas_are_numbers(shared_data: Path, tmp_path: Path) -> None:
    staged = refresh(study(tmp_path, shared_data / "redcap" / "decimal-comma"), tmp_path)[
        "staging.demographics"
    ]
    assert [str(value) for value in staged["weight"]] == ["52.300000", "92.300000", "123.400000", "45.900000"]
    assert "name" not in staged.columns


def test_an_unticked_box_says_no_only_where_the_question_was_answered(
    shared_data: Path, tmp_path: Path
) -> None:
    staged = refresh(study(tmp_path, shared_data / "redcap" / "checkboxes-1"), tmp_path)["staging.form_2"]
    rows = {row["subject_id"]: row for row in staged.to_dicts()}
    # Record 1: the form is complete. Record 2: incomplete, one field ticked. Record 4: nothing ticked, incomplete.
    assert [rows["1"][f"check_one___{n}"] for n in (1, 2, 3, 4)] == [1, 0, 0, 0]
    assert [rows["2"][f"check_one___{n}"] for n in (1, 2, 3, 4)] == [None] * 4
    assert [rows["2"][f"check_two___{code}"] for code in "abcde"] == [0, 1, 0, 1, 0]
    assert [rows["4"][f"check_two___{code}"] for code in "abcde"] == [None] * 5


def test_both_heading_styles_of_the_dictionary_give_the_same_tables(
    shared_data: Path, tmp_path: Path
) -> None:
    made = []
    for name in ("dictionary.csv", "metadata.csv"):
        place = tmp_path / name
        place.mkdir()
        folder = study(place, shared_data / "redcap" / "simple")
        if name == "metadata.csv":
            (folder / "dictionary.csv").write_bytes((folder / name).read_bytes())
        made.append(refresh(folder, place))
    assert made[0]["raw.health"].equals(made[1]["raw.health"])
    assert made[0]["quarantine.demographics"].equals(made[1]["quarantine.demographics"])


def test_identifiers_are_tagged_and_not_staged(shared_data: Path, tmp_path: Path) -> None:
    catalog = build_catalog(study(tmp_path, shared_data / "redcap" / "clinical-trial-1"))
    tagged = [column.name for column in catalog.assets["raw.demographics"].columns if "phi" in column.tags]
    assert tagged == ["name_last", "name_first", "address", "phone", "dob"]
    assert not {*tagged} & set(catalog.assets["staging.demographics"].lineage)


def test_calculated_fields_of_real_projects_are_recomputed(shared_data: Path, tmp_path: Path) -> None:
    checked = {}
    for project in ("simple", "decimal-comma", "longitudinal"):
        extra, rest, _, _ = PROJECTS[project]
        place = tmp_path / project
        place.mkdir()
        quality = refresh(study(place, shared_data / "redcap" / project, extra, rest), place)[
            "report.redcap_quality"
        ]
        calculated = quality.filter((pl.col("redcap_rule") == "H") & (pl.col("n_values") > 0))
        checked |= {(project, row["field"]): row for row in calculated.to_dicts()}
    asked_and_agreed = {
        key: (row["n_queries"], row["n_values"] - row["n_undecided"]) for key, row in checked.items()
    }
    assert asked_and_agreed == {
        ("simple", "bmi"): (0, 5),
        ("decimal-comma", "bmi"): (0, 4),
        ("longitudinal", "bmi"): (0, 3),
        ("longitudinal", "bmi2"): (0, 3),
    }


def test_a_calculation_that_was_edited_in_the_export_is_asked_about(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = study(tmp_path, shared_data / "redcap" / "simple")
    (folder / "data.csv").write_text((folder / "data.csv").read_text().replace(",24.7,", ",42.7,"))
    queries = refresh(folder, tmp_path)["report.data_queries"]
    found = queries.filter(pl.col("rule") == "FM032")
    assert found.select("source", "subject", "item", "value", "expected", "state").rows() == [
        ("health", "3", "bmi", "42.7", "24.7", "open")
    ]
