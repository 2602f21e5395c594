"""New study folders from an export, and a REDCap project that the ingester reads back."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.drafting.exports import draft_study
from fm_platform.drafting.redcap_exports import draft_redcap_study
from fm_platform.drafting.redcap_project import item_columns, write_redcap_project
from fm_platform.errors import InputError
from fm_platform.instruments.registry import load_instrument
from fm_platform.sources.redcap.dictionary import read_dictionary
from fm_platform.study.loading import load_study
from fm_platform.warehouse.home import Home
from fm_platform_tests.e2e.conftest import run_fm

REPOSITORY = Path(__file__).resolve().parents[2]


def tables(folder: Path, home: Path, *wanted: str) -> list[pl.DataFrame]:
    catalog = build_catalog(folder)
    with open_session(catalog, Home(home), "run") as session:
        for asset in catalog.in_order():
            if asset.half == "clinical" and asset.group in ("raw", "quarantine", "staging", "study"):
                assert not session.materialize(asset.table).failed_blocking, asset.table
        return [session.warehouse.read(table) for table in wanted]


def test_the_drafted_demo_can_be_refreshed(tmp_path: Path) -> None:
    draft_study(tmp_path / "new", REPOSITORY / "data" / "demo" / "clinical" / "visits.csv")
    text = (tmp_path / "new" / "study.yaml").read_text()
    study = load_study(tmp_path / "new")
    source = study.clinical["visits"]
    assert (source.role("subject"), source.role("visit"), source.role("date")) == (
        "subject_id",
        "visit",
        "visit_date",
    )
    assert [visit.id for visit in study.visits] == ["baseline", "week_4", "week_12"]
    assert {use.use for use in study.instruments} == {"fiqr", "acr2016"}
    assert text.count("# guess") > 8
    (scores,) = tables(tmp_path / "new", tmp_path / "home", "staging.stg_instrument_scores")
    assert scores.filter(pl.col("score_id") == "fiqr.total")["value"].null_count() == 0


def test_ids_that_repeat_between_sites_are_drafted_as_composite(shared_data: Path, tmp_path: Path) -> None:
    draft_study(tmp_path / "new", shared_data / "medicaldata" / "cdystonia.csv")
    study = load_study(tmp_path / "new")
    assert study.clinical["visits"].columns["subject"] == ("site", "id")
    assert [visit.found_as for visit in study.visits][:3] == [("0",), ("2",), ("4",)]
    (subjects,) = tables(tmp_path / "new", tmp_path / "home", "staging.stg_subjects")
    assert subjects.height == 109


def test_missing_codes_and_date_order_are_guessed(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "patient_id,visit,visit date,score\n1,a,31/01/2024,5\n1,b,01/02/2024,-99\n2,a,,7\n"
    )
    draft_study(tmp_path / "new", tmp_path / "e.csv")
    source = load_study(tmp_path / "new").clinical["visits"]
    assert (source.dates, source.missing) == ("dmy", ("", "-99"))


@pytest.mark.parametrize("project", ["longitudinal", "repeating-instruments", "simple", "clinical-trial-1"])
def test_a_drafted_redcap_study_can_be_refreshed(shared_data: Path, tmp_path: Path, project: str) -> None:
    place = shared_data / "redcap" / project
    events = place / "event.csv"
    draft_redcap_study(
        tmp_path / "new", place / "data.csv", place / "dictionary.csv", events if events.exists() else None
    )
    (subjects,) = tables(tmp_path / "new", tmp_path / "home", "staging.stg_subjects")
    assert subjects.height > 0


def test_events_of_two_arms_are_drafted_as_one_visit_and_those_of_one_arm_as_unscheduled(
    shared_data: Path, tmp_path: Path
) -> None:
    place = shared_data / "redcap" / "longitudinal"
    draft_redcap_study(tmp_path / "new", place / "data.csv", place / "dictionary.csv", place / "event.csv")
    study = load_study(tmp_path / "new")
    assert [(visit.id, visit.found_as, visit.baseline) for visit in study.visits] == [
        ("enrollment", ("enrollment_arm_1", "enrollment_arm_2"), True),
        ("final_visit", ("final_visit_arm_1", "final_visit_arm_2"), False),
    ]
    assert {"dose_1_arm_1", "first_dose_arm_2"} <= set(study.unscheduled)


def test_numbers_of_a_redcap_form_are_drafted_as_outcomes(tmp_path: Path) -> None:
    (tmp_path / "dictionary.csv").write_text(
        "field_name,form_name,field_type,field_label,text_validation_type_or_show_slider_number,text_validation_min,"
        "text_validation_max,identifier\n"
        "rid,start,text,ID,,,,\npain,daily,text,Pain,integer,0,10,\nphone,daily,text,Phone,integer,,,y\n"
        "weight,daily,text,Weight,number_comma_decimal,,,\nsame,daily,text,Same,integer,,,\nnote,daily,notes,Note,,,,\n"
    )
    (tmp_path / "data.csv").write_text(
        "rid,redcap_event_name,pain,phone,weight,same,note\n"
        '1,base_arm_1,7,5551,"61,5",1,a\n1,week_arm_1,3,5551,60,1,b\n2,base_arm_1,8,5552,80,1,\n'
    )
    draft_redcap_study(tmp_path / "new", tmp_path / "data.csv", tmp_path / "dictionary.csv")
    study = load_study(tmp_path / "new")
    assert {outcome.column: outcome.range for outcome in study.outcomes} == {
        "daily.pain": (0, 10),
        "daily.weight": (60, 80),
    }
    assert [visit.id for visit in study.visits] == ["base", "week"]
    (measures,) = tables(tmp_path / "new", tmp_path / "home", "staging.stg_measures")
    assert measures.height == 6


def test_an_export_in_which_nothing_tells_subjects_apart_is_refused(
    shared_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no column tells the subjects apart") as caught:
        draft_study(tmp_path / "new", shared_data / "medicaldata" / "licorice_gargle.csv")
    assert "subject_id" in caught.value.mend
    assert not (tmp_path / "new").exists()


def test_a_column_of_distinct_codes_is_drafted_as_subject(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("preOp_sex,bmi,who,preOp_age\nf,20.1,x1,40\nf,20.2,x2,40\nm,20.3,x3,41\n")
    draft_study(tmp_path / "new", tmp_path / "e.csv")
    columns = load_study(tmp_path / "new").clinical["visits"].columns
    assert columns == {"subject": ("who",), "sex": ("preOp_sex",), "age": ("preOp_age",)}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="not empty"):
        write_redcap_project(tmp_path)


def test_the_redcap_project_round_trips(tmp_path: Path) -> None:
    """Answers entered into the generated project come back as the answers of the study."""
    folder = tmp_path / "study"
    write_redcap_project(folder)
    dictionary = read_dictionary(folder / "redcap" / "dictionary.csv", "dictionary.csv")
    assert dictionary.forms == ("demographics", "fiqr", "acr2016")
    header = ["record_id", "redcap_event_name"]
    header += [column.name for form in dictionary.forms for column in dictionary.columns_of(form)]
    expected: dict[tuple[str, str, str, str], int] = {}
    rows = []
    for record in ("1", "2"):
        for at, visit in enumerate(("baseline", "week_4", "week_12")):
            cells = {"record_id": record, "redcap_event_name": f"{visit}_arm_1"}
            if visit == "baseline":
                cells |= {"study_group": "fibromyalgia", "fm_type": "primary", "sex": "female", "age": "44"}
                cells |= {"concomitant_dx": "none", "first_dose": "2024-01-02", "demographics_complete": "2"}
            for name in ("fiqr", "acr2016"):
                instrument = load_instrument(name)
                cells |= {f"{name}_date": f"2024-0{at + 1}-02", f"{name}_complete": "2"}
                for number, (item, column) in enumerate(item_columns(instrument).items()):
                    answer = (number + at + int(record)) % (instrument.item(item).max + 1)
                    cells[column] = str(answer)
                    expected[record, visit, name, item] = answer
                cells["acr2016_wpi___none"] = "0"
            rows.append([cells.get(column, "") for column in header])
    with (folder / "redcap" / "export_2024-04-01.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    answers, quarantined, subjects = tables(
        folder, tmp_path / "home", "staging.stg_answers", "quarantine.acr2016", "staging.stg_subjects"
    )
    assert {row[:4]: row[4] for row in answers.rows()} == expected
    assert quarantined.is_empty()
    assert subjects.select("sex", "stratum", "in_population").row(0) == ("female", "primary", True)


def test_boxes_that_nobody_saw_leave_the_wpi_open_and_a_complete_form_says_none(tmp_path: Path) -> None:
    """REDCap exports 0 for every box either way; the form's status, or a tick at "none of these", tells them apart."""
    folder = tmp_path / "study"
    write_redcap_project(folder)
    dictionary = read_dictionary(folder / "redcap" / "dictionary.csv", "dictionary.csv")
    fields = [column.name for form in dictionary.forms for column in dictionary.columns_of(form)]

    def row(record: str, none: str, status: str) -> dict[str, str]:
        boxes = {name: "0" for name in fields if "___" in name}
        about = {"study_group": "fibromyalgia", "acr2016_date": "2024-01-02", "demographics_complete": "2"}
        answer = {"acr2016_wpi___none": none, "acr2016_complete": status}
        return {"record_id": record, "redcap_event_name": "baseline_arm_1", **boxes, **about, **answer}

    with (folder / "redcap" / "export_2024-04-01.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["record_id", "redcap_event_name", *fields], restval="")
        writer.writeheader()
        writer.writerows([row("1", "0", "0"), row("2", "0", "2"), row("3", "1", "0")])
    (scores,) = tables(folder, tmp_path / "home", "staging.stg_instrument_scores")
    wpi = scores.filter(pl.col("score_id").str.contains("acr2016.wpi"))
    found = {(row["subject_id"], row["score_id"]): row["value"] for row in wpi.to_dicts()}
    assert [found["1", f"acr2016.{name}"] for name in ("wpi", "wpi_min", "wpi_max")] == [None, 0, 19]
    assert [found[record, "acr2016.wpi"] for record in ("2", "3")] == [0, 0]


def test_the_guesses_are_listed_with_line_and_text_and_items_are_no_outcomes(tmp_path: Path) -> None:
    outcome = run_fm(
        "init", str(tmp_path / "new"), "--from", str(REPOSITORY / "data/demo/clinical/visits.csv")
    )
    lines = (tmp_path / "new" / "study.yaml").read_text(encoding="utf-8").splitlines()
    marked = [at for at, line in enumerate(lines, start=1) if "# guess" in line and not line.startswith("#")]
    assert f"{len(marked)} guesses in " in outcome.out
    listed = re.findall(r"^ *(\d+): (.*)$", outcome.out, re.MULTILINE)
    assert [int(at) for at, _ in listed] == marked
    assert dict(listed)[str(marked[0])] == "grain: visit"
    assert [outcome.id for outcome in load_study(tmp_path / "new").outcomes] == ["fiqr_tot"]
