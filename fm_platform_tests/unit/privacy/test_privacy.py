"""Pseudonyms, k-anonymity and privacy tags."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.disclosure.tags import with_privacy
from fm_platform.catalog.graph import build_catalog
from fm_platform.errors import InputError
from fm_platform.instruments.registry import load_instruments
from fm_platform.lineage.history import History
from fm_platform.privacy.k_anonymity import (
    BANDINGS,
    CLASS_SCHEMA,
    SUMMARY_SCHEMA,
    banded,
    equivalence_classes,
    refusal,
    suggested_banding,
    summary,
)
from fm_platform.privacy.pseudonyms import VARIABLE, key_id, pseudonym_key, pseudonyms
from fm_platform.privacy.tags import Tags
from fm_platform.study.loading import load_study
from fm_platform.warehouse.records import ColumnInput
from fm_platform.warehouse.table import direct

KEY = b"a secret of some length"
STUDY = """
study: {{id: private, title: Private}}
clinical:
  people: {{path: p.csv, grain: subject, columns: {{subject: id, sex: sex, age: age, diagnosis: dx}}}}
  visits:
    path: v.csv
    grain: visit
    columns: {{subject: id, visit: visit, date: day, missing_reason: why}}
visits: [{{id: b, baseline: true}}, {{id: w}}]
outcomes: [{{id: pain, column: visits.pain, range: [0, 10]}}]
{privacy}
"""


@pytest.fixture
def make_study(tmp_path: Path):
    def make(privacy: str = "privacy: {quasi_identifiers: [age, diagnosis], k: 2}"):
        (tmp_path / "study.yaml").write_text(STUDY.format(privacy=privacy), encoding="utf-8")
        for name in ("p.csv", "v.csv"):
            (tmp_path / name).write_text("id\n", encoding="utf-8")
        return load_study(tmp_path)

    return make


# -- pseudonyms ---------------------------------------------------------------------------------------------


def test_a_pseudonym_depends_on_key_study_and_subject_only():
    made = pseudonyms(KEY, "one", ["A", "B"])
    assert made == pseudonyms(KEY, "one", ["B", "A"])
    others = [
        pseudonyms(KEY + b"!", "one", ["A"])["A"],
        pseudonyms(KEY, "two", ["A"])["A"],
        made["B"],
    ]
    assert len({made["A"], *others}) == 4
    assert all(name != "A" and len(name) == 18 for name in made.values())


def test_study_and_subject_are_not_run_together():
    assert pseudonyms(KEY, "ab", ["c"])["c"] != pseudonyms(KEY, "a", ["bc"])["bc"]


def test_the_key_comes_from_the_environment_and_is_long_enough(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert key_id() == ""
    with pytest.raises(InputError, match="need a key"):
        pseudonym_key()
    monkeypatch.setenv(VARIABLE, "short")
    with pytest.raises(InputError, match="5 characters"):
        pseudonym_key()
    monkeypatch.setenv(VARIABLE, KEY.decode())
    assert pseudonym_key() == KEY
    first = key_id()
    monkeypatch.setenv(VARIABLE, KEY.decode() + "!")
    assert KEY.decode() not in first
    assert key_id() != first


def test_another_key_makes_the_pseudonymized_tables_anew(make_study, monkeypatch):
    folder = make_study("privacy: {pseudonyms: true}").folder
    versions = []
    for key in (KEY.decode(), KEY.decode(), "another secret of some length"):
        monkeypatch.setenv(VARIABLE, key)
        assets = build_catalog(folder).assets
        versions.append((assets["privacy.subjects"].code_version, assets["privacy.scores"].code_version))
        assert assets["marts.participants"].columns
    assert versions[0] == versions[1]
    assert set(versions[1]).isdisjoint(versions[2])


# -- k-anonymity --------------------------------------------------------------------------------------------


def crowd(*ages):
    return pl.DataFrame(
        {
            "age": list(ages),
            "sex": ["f"] * len(ages),
        },
        schema_overrides={"age": pl.Decimal(18, 6)},
    )


def test_classes_count_people():
    found = equivalence_classes(crowd(31, 31, 34, None), ["age", "sex"], 2)
    assert found.schema == pl.Schema(CLASS_SCHEMA)
    exact = found.filter(pl.col("banding") == "as recorded").select("combination", "n", "below_k")
    assert exact.rows() == [
        ("age=31; sex=f", 2, False),
        ("age=34; sex=f", 1, True),
        ("age=unknown; sex=f", 1, True),
    ]


def test_the_finest_banding_that_passes_is_suggested():
    found = summary(equivalence_classes(crowd(31, 33, 36, 38), ["age"], 2), ["age"], 2)
    assert found.schema == pl.Schema(SUMMARY_SCHEMA)
    assert dict(found.select("banding", "k_achieved").rows()) == {
        "as recorded": 1, "bands of 5": 2, "bands of 10": 4, "bands of 20": 4, "bands of 40": 4,
        "numbers left out": 4,
    }  # fmt: skip
    assert found.filter("suggested")["banding"].to_list() == ["bands of 5"]
    assert suggested_banding(found).width == 5
    assert refusal(found) == (
        "4 of 4 subjects share age with fewer than 1 others; numbers in bands of 5 would do"
    )


def test_a_crowd_is_not_refused_and_one_person_cannot_be_hidden():
    assert refusal(summary(equivalence_classes(crowd(40, 40, 40), ["age"], 3), ["age"], 3)) is None
    lonely = summary(equivalence_classes(crowd(40), ["age"], 3), ["age"], 3)
    assert "leave out a column" in str(refusal(lonely))
    assert suggested_banding(lonely).width == 10


def test_texts_need_no_bands():
    found = equivalence_classes(crowd(40, 41), ["sex"], 2)
    assert found["banding"].unique().to_list() == ["as recorded"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (89.0, ["89", "85-89", "80-89", "80-89", "80-89", "any"]),
        (93.0, ["90+", "90+", "90+", "90+", "90+", "any"]),
    ],
)
def test_the_oldest_are_one_class(value, texts):
    assert [banded(pl.Series("age", [value]), banding)[0] for banding in BANDINGS] == texts
    assert banded(pl.Series("weight", [93.0]), BANDINGS[1])[0] == "90-94"


def test_a_quasi_identifier_that_nobody_has_is_an_error_with_its_line(make_study):
    folder = make_study("privacy: {quasi_identifiers: [shoe_size]}").folder
    with pytest.raises(InputError, match="no subject attribute 'shoe_size'") as error:
        build_catalog(folder)
    assert error.value.line is not None


def test_without_quasi_identifiers_there_are_no_privacy_tables(make_study):
    assets = build_catalog(make_study("").folder).assets
    assert not [table for table in assets if table.startswith("privacy.")]


# -- tags ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "tag"),
    [
        ("raw.people", "id", "identifier"),
        ("raw.people", "age", "quasi_identifier"),
        ("raw.people", "dx", "quasi_identifier"),
        ("raw.people", "sex", None),
        ("raw.people", "remarks", "unclassified"),
        ("raw.visits", "day", "date"),
        ("raw.visits", "why", "unclassified"),
        ("raw.visits", "pain", None),
        ("staging.visits", "visit_date", "date"),
        ("marts.symptom_scores", "subject_id", "identifier"),
        ("marts.adqs", "USUBJID", "identifier"),
        ("marts.participants", "age", "quasi_identifier"),
        ("report.characteristics", "median", None),
        ("report.data_queries", "_row_ids", None),
    ],
)
def test_tags_by_role_and_name(make_study, table, column, tag):
    study = make_study()
    assert Tags(study, load_instruments(study)).of(table, column) == tag


def test_tags_are_on_the_columns_of_the_assets(make_study):
    assets = build_catalog(make_study().folder).assets
    tags = {column.name: column.tags for column in assets["stats.responder_status"].columns}
    assert (tags["subject_id"], tags["responded"]) == (("identifier",), ())


def lineage_of(step: str):
    tables = {
        "report.t": {"who": (ColumnInput("stats.t", "label", "DIRECT", "IDENTITY"),)},
        "stats.t": {"label": (ColumnInput("marts.t", "name", "DIRECT", step),)},
        "marts.t": {"name": (ColumnInput("raw.people", "remarks", "DIRECT", "TRANSFORMATION"),)},
    }
    return lambda table: tables.get(table, {})


def test_a_value_is_traced_through_tables_that_rename_it(make_study):
    tags = Tags(make_study())
    found = tags.identifying_inputs("report.t", "who", lineage_of("TRANSFORMATION"))
    assert found == {("raw.people", "remarks", "unclassified")}


def test_counting_people_is_not_naming_them(make_study):
    assert Tags(make_study()).identifying_inputs("report.t", "who", lineage_of("AGGREGATION")) == set()


@pytest.mark.parametrize(("how", "passed"), [("IDENTITY", False), ("AGGREGATION", True)])
def test_a_report_table_that_prints_subjects_fails_its_check(make_study, how, passed):
    study = make_study()
    table = Asset(
        table="report.listing",
        description="One row a subject.",
        group="report",
        kinds=(),
        key=("who",),
        code_version="1",
        build=lambda step: Built(rows=pl.DataFrame({"who": [], "_row_ids": []})),
        lineage={"who": direct("marts.participants", "subject_id", how=how)},
        columns=columns(who="The subject"),
    )
    (guarded,) = with_privacy(study, (), [table])
    step = Step(study, (), None, History(), {}, print, None)
    (outcome,) = guarded.build(step).checks()
    assert (outcome.passed, outcome.blocking) == (passed, True)
    assert outcome.metadata["columns"] == (
        {} if passed else {"who": ["marts.participants.subject_id (identifier)"]}
    )


def test_every_report_table_declares_the_check_but_the_list_that_the_site_gets(make_study):
    assets = build_catalog(make_study().folder).assets
    reports = [asset for table, asset in assets.items() if table.startswith("report.")]
    reports.remove(assets["report.data_queries"])
    assert reports
    assert all("no_identifying_column" in [check.name for check in asset.checks] for asset in reports)
