"""The models of dbt_like_sql/, run in DuckDB on a study of three subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, SqlModel
from fm_platform.sql.number_types import check_types
from fm_platform_tests.unit.sql.linked import create_linked

FOLDER = Path(__file__).resolve().parents[3] / "dbt_like_sql"

STUDY = """
create schema study; create schema staging; create schema marts;
create table study.visits as select *, []::varchar[] as _row_ids from (values
    ('baseline', 'Baseline', 1, 0, true, null, null),
    ('week_4', 'Week 4', 29, 1, false, 15, 56),
    ('week_12', 'Week 12', 85, 2, false, 57, 112)
) as v(visit_id, label, day, position, is_baseline, window_low, window_high);
create table study.outcomes as select *, []::varchar[] as _row_ids from (values
    ('fiqr_total', 'fiqr.total', null), ('twstrs', null, 'visits.twstrs'), ('sss', 'acr2016.sss', null)
) as v(outcome_id, score_id, variable);
create table study.parameters as select *, []::varchar[] as _row_ids from (values
    ('FIQRTOT', 'FIQR total', 1, 'fiqr.total', null), ('FIQR12', 'Pain', 2, 'fiqr.pain', null),
    ('TWSTRS', 'TWSTRS', 3, null, 'visits.twstrs')
) as v(paramcd, param, paramn, score_id, variable);
create table staging.stg_subjects as select * from (values
    ('S1', 'F', 50::decimal(18, 6), 'a', null, 'primary', true, ['p1']),
    ('S2', 'F', null, 'b', null, 'secondary', true, ['p2']),
    ('S3', 'M', 61, 'b', null, null, false, ['p3'])
) as v(subject_id, sex, age, arm, site, stratum, in_population, _row_ids);
create table staging.stg_visits as select * from (values
    ('visits', 'S1', 'baseline', date '2024-01-10', null, ['s1b']),
    ('visits', 'S1', 'week_4', date '2024-02-07', null, ['s1w4']),
    ('visits', 'S1', 'week_12', date '2024-06-30', null, ['s1w12']),
    ('lab', 'S1', 'week_4', null, null, ['l1w4']),
    ('visits', 'S2', 'baseline', date '2024-01-11', null, ['s2b']),
    ('visits', 'S2', 'week_4', null, 'withdrawn', ['s2w4']),
    ('visits', 'S2', 'extra', date '2024-03-01', null, ['s2x'])
) as v(source, subject_id, visit_id, visit_date, missing_reason, _row_ids);
create table staging.stg_instrument_scores as select *, exact / scale as value from (values
    ('S1', 'baseline', 'fiqr.total', 361::bigint, 6::bigint, 1, ['s1b']),
    ('S1', 'week_4', 'fiqr.total', 1001, 20, 3, ['s1w4']),
    ('S1', 'week_12', 'fiqr.total', 200, 6, 5, ['s1w12']),
    ('S2', 'baseline', 'fiqr.total', 300, 6, 1, ['s2b']),
    ('S2', 'week_4', 'fiqr.total', null, null, 3, ['s2w4']),
    ('S2', 'extra', 'fiqr.total', 100, 6, null, ['s2x']),
    ('S1', 'baseline', 'fiqr.pain', 7, 1, 2, ['s1b'])
) as v(subject_id, visit_id, score_id, exact, scale, seq, _row_ids);
alter table staging.stg_instrument_scores rename exact to value_exact;
alter table staging.stg_instrument_scores rename scale to value_scale;
create table staging.stg_measures as select * from (values
    ('S1', 'baseline', 'visits.twstrs', 999999999999.123456::decimal(18, 6), 1, ['s1b']),
    ('S1', 'week_4', 'visits.twstrs', 1.5, 3, ['s1w4']),
    ('S2', 'week_4', 'visits.twstrs', 3, 3, ['s2w4']),
    ('S2', 'baseline', 'fiqr.total.recorded', 50, 2, ['s2b'])
) as v(subject_id, visit_id, variable, value, seq, _row_ids);
"""


def schemas(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    rows = connection.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns"
    )
    for schema, table, column, kind in rows.fetchall():
        found.setdefault(f"{schema}.{table}", {})[column] = kind
    return found


@pytest.fixture
def models(staging_models: list[GeneratedModel]) -> list[SqlModel]:
    return [model for model in load_models(FOLDER, staging_models) if model.path is not None]


@pytest.fixture
def built(models: list[SqlModel]) -> duckdb.DuckDBPyConnection:
    """The study with every shipped model built, in order, with the delivered rows behind each row."""
    connection = duckdb.connect()
    connection.execute(STUDY)
    for model in models:
        known = schemas(connection)
        check_types(model, known)
        plain = connection.execute(model.sql).fetchall()
        create_linked(connection, model, known)
        columns = ", ".join(f'"{name}"' for name in model.columns)
        again = connection.execute(f"select {columns} from {model.name}").fetchall()
        assert sorted(map(repr, plain)) == sorted(map(repr, again))
    return connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def test_participants_count_planned_visits_that_took_place(built: duckdb.DuckDBPyConnection) -> None:
    assert rows(
        built, "select subject_id, stratum, n_visits, _row_ids from marts.participants order by 1"
    ) == [
        ("S1", "primary", 3, ["l1w4", "p1", "s1b", "s1w12", "s1w4"]),
        ("S2", "secondary", 1, ["p2", "s2b"]),
        ("S3", None, 0, ["p3"]),
    ]


def test_scores_are_planned_visits_with_a_value_and_name_only_their_own_rows(
    built: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(
        built,
        "select outcome_id, subject_id, visit_id, value_exact, value_scale, _row_ids"
        " from marts.symptom_scores order by 1, 2, 3",
    )
    assert found == [
        ("fiqr_total", "S1", "baseline", 361, 6, ["s1b"]),
        ("fiqr_total", "S1", "week_12", 200, 6, ["s1w12"]),
        ("fiqr_total", "S1", "week_4", 1001, 20, ["s1w4"]),
        ("fiqr_total", "S2", "baseline", 300, 6, ["s2b"]),
        ("twstrs", "S1", "baseline", 999999999999123456, 1000000, ["s1b"]),
        ("twstrs", "S1", "week_4", 1500000, 1000000, ["s1w4"]),
        ("twstrs", "S2", "week_4", 3000000, 1000000, ["s2w4"]),
    ]
    assert all(value == exact / scale for exact, scale, value in rows(
        built, "select value_exact, value_scale, value from marts.symptom_scores"
    ))  # fmt: skip


def test_change_is_divided_once_and_names_both_visits(built: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        built,
        "select outcome_id, subject_id, visit_id, base, post, change, _row_ids from marts.symptom_change"
        " order by 1, 3",
    )
    assert found == [
        ("fiqr_total", "S1", "week_12", 361 / 6, 200 / 6, -161 / 6, ["s1b", "s1w12"]),
        ("fiqr_total", "S1", "week_4", 361 / 6, 1001 / 20, (1001 * 6 - 361 * 20) / 120, ["s1b", "s1w4"]),
        ("twstrs", "S1", "week_4", 999999999999.123456, 1.5, (1500000 - 999999999999123456) / 1000000,
         ["s1b", "s1w4"]),
    ]  # fmt: skip


def test_adsl_flags_the_population(built: duckdb.DuckDBPyConnection) -> None:
    assert rows(built, "select USUBJID, SEX, STRAT1, POPFL, NVISITS from marts.adsl order by 1") == [
        ("S1", "F", "primary", "Y", 3),
        ("S2", "F", "secondary", "Y", 1),
        ("S3", "M", None, "N", 0),
    ]


def test_adqs_has_every_score_with_baseline_and_change(built: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        built,
        "select USUBJID, PARAMCD, AVISIT, AVISITN, ADY, AVAL, ABLFL, BASE, CHG, PCHG from marts.adqs"
        " where USUBJID = 'S1' and PARAMCD <> 'TWSTRS' order by PARAMCD, AVISITN",
    )
    assert found == [
        ("S1", "FIQR12", "Baseline", 0, 1, 7, "Y", 7, None, None),
        ("S1", "FIQRTOT", "Baseline", 0, 1, 361 / 6, "Y", 361 / 6, None, None),
        ("S1", "FIQRTOT", "Week 4", 1, 29, 1001 / 20, None, 361 / 6, -1214 / 120, 100 * -1214 / 7220),
        ("S1", "FIQRTOT", "Week 12", 2, 173, 200 / 6, None, 361 / 6, -161 / 6, 100 * -161 / 361),
    ]


def test_adqs_without_a_baseline_has_no_change(built: duckdb.DuckDBPyConnection) -> None:
    assert rows(
        built,
        "select AVAL, ABLFL, BASE, CHG, PCHG from marts.adqs where USUBJID = 'S2' and PARAMCD = 'TWSTRS'",
    ) == [(3, None, None, None, None)]


def test_adqs_carries_the_last_value_forward_and_says_so(built: duckdb.DuckDBPyConnection) -> None:
    """S2 has a FIQR total at baseline only; nobody has a TWSTRS at week 12, so none is carried there."""
    found = rows(
        built,
        "select USUBJID, PARAMCD, AVISITN, ADY, AVAL, CHG, ANL01FL, _row_ids from marts.adqs"
        " where DTYPE = 'LOCF' order by 1, 2, 3",
    )
    assert found == [
        ("S2", "FIQRTOT", 1, None, 50, 0, None, ["s2b"]),
        ("S2", "FIQRTOT", 2, None, 50, 0, None, ["s2b"]),
    ]
    observed = rows(
        built, "select count(*) filter (ANL01FL = 'Y'), count(*) from marts.adqs where DTYPE is null"
    )
    assert observed[0][0] == observed[0][1] > 0


def test_adqs_names_the_record_that_each_value_was_read_from(built: duckdb.DuckDBPyConnection) -> None:
    """S2's carried total leads to the baseline record, number 1; the staged record holds the very value."""
    found = rows(
        built,
        "select USUBJID, PARAMCD, AVISITN, SRCDOM, SRCVAR, SRCSEQ from marts.adqs where USUBJID = 'S2' order by 2, 3",
    )
    assert found == [
        ("S2", "FIQRTOT", 0, "staging.stg_instrument_scores", "value", 1),
        ("S2", "FIQRTOT", 1, "staging.stg_instrument_scores", "value", 1),
        ("S2", "FIQRTOT", 2, "staging.stg_instrument_scores", "value", 1),
        ("S2", "TWSTRS", 1, "staging.stg_measures", "value", 3),
    ]


def test_percent_change_from_zero_is_null_and_there_is_no_day_zero(models: list[SqlModel]) -> None:
    connection = duckdb.connect()
    connection.execute(STUDY)
    connection.execute("update staging.stg_instrument_scores set value_exact = 0 where visit_id = 'baseline'")
    connection.execute(
        "update staging.stg_visits set visit_date = date '2024-01-09' where visit_id = 'week_4'"
    )
    for model in models:
        create_linked(connection, model, schemas(connection))
    found = rows(
        connection,
        "select ADY, CHG, PCHG from marts.adqs where USUBJID = 'S1' and PARAMCD = 'FIQRTOT' and AVISITN = 1",
    )
    assert found == [(-1, 1001 / 20, None)]


def test_schedule_gives_study_days_and_windows(built: duckdb.DuckDBPyConnection) -> None:
    assert rows(
        built,
        "select subject_id, visit_id, study_day, in_window from staging.stg_visit_schedule order by 1, 3",
    ) == [
        ("S1", "baseline", 1, None),
        ("S1", "week_4", 29, True),
        ("S1", "week_12", 173, False),
        ("S2", "baseline", 1, None),
    ]


def test_schedule_of_a_study_without_dates_is_null(models: list[SqlModel]) -> None:
    connection = duckdb.connect()
    connection.execute(STUDY)
    connection.execute("update staging.stg_visits set visit_date = null")
    model = next(model for model in models if model.name == "staging.stg_visit_schedule")
    found = connection.execute(model.sql).fetchall()
    assert len(found) == 4
    assert {row[2:6] for row in found} == {(None, None, None, None)}


def test_models_run_on_empty_tables(models: list[SqlModel]) -> None:
    connection = duckdb.connect()
    connection.execute(STUDY)
    for table in list(schemas(connection)):
        connection.execute(f"truncate {table}")
    for model in models:
        create_linked(connection, model, schemas(connection))
        assert rows(connection, f"select count(*) from {model.name}") == [(0,)]


def test_declared_keys_and_types_hold(models: list[SqlModel], built: duckdb.DuckDBPyConnection) -> None:
    for model in models:
        key = ", ".join(model.key)
        assert rows(built, f"select {key} from {model.name} group by {key} having count(*) > 1") == []
    types = schemas(built)
    assert types["marts.participants"]["n_visits"] == "INTEGER"
    change = types["marts.symptom_change"]
    assert [change[name] for name in ("base_exact", "post_scale", "post", "change")] == [
        "BIGINT", "BIGINT", "DOUBLE", "DOUBLE",
    ]  # fmt: skip


def test_every_column_has_a_direct_input(models: list[SqlModel], built: duckdb.DuckDBPyConnection) -> None:
    known = schemas(built)
    for model in models:
        for column, inputs in column_lineage(model, known).items():
            written_out = model.columns[column].constant != ""
            assert written_out != any(found.kind == "DIRECT" for found in inputs), (model.name, column)
            assert {found.table for found in inputs} <= set(model.refs)


def test_who_the_subject_is_does_not_enter_the_scores(models: list[SqlModel]) -> None:
    for model in models:
        if model.name in ("marts.symptom_scores", "marts.symptom_change"):
            assert not {"marts.participants", "staging.stg_subjects"} & set(model.refs)
