"""Column lineage: every ``case.sql`` beside the ``case.lineage.json`` that it must give, and a few
properties.

A new case is two files. In the JSON, each output column lists its inputs as ``KIND TRANSFORMATION
schema.table.column``.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest

from fm_platform.errors import InputError
from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, SqlModel

CASES = Path(__file__).parent / "lineage_cases"
SCHEMAS = json.loads((CASES / "schemas.json").read_text())
NAMES = sorted(path.stem for path in CASES.glob("*.sql"))


def model_of(sql: str, columns: list[str]) -> SqlModel:
    generated = GeneratedModel(
        "cases.case", sql, "A case.", dict.fromkeys(columns, "A column."), (columns[0],)
    )
    with TemporaryDirectory() as folder:
        return load_models(Path(folder), [generated])[0]


def shown(model: SqlModel) -> dict[str, list[str]]:
    return {
        name: [f"{found.kind} {found.transformation} {found.table}.{found.column}" for found in inputs]
        for name, inputs in column_lineage(model, SCHEMAS).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    expected = json.loads((CASES / f"{name}.lineage.json").read_text())
    model = model_of((CASES / f"{name}.sql").read_text(), list(expected))
    found = shown(model)
    assert {column: sorted(inputs) for column, inputs in found.items()} == {
        column: sorted(inputs) for column, inputs in expected.items()
    }
    assert list(found) == list(expected)


@pytest.mark.parametrize("name", NAMES)
def test_case_is_sql_that_duckdb_runs(name: str) -> None:
    connection = duckdb.connect()
    for table, columns in SCHEMAS.items():
        connection.execute(f"create schema if not exists {table.split('.')[0]}")
        described = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        connection.execute(f"create table {table} ({described})")
    expected = json.loads((CASES / f"{name}.lineage.json").read_text())
    described_by_duckdb = connection.execute((CASES / f"{name}.sql").read_text()).description
    assert [column[0] for column in described_by_duckdb] == list(expected)


def test_every_case_has_its_pair() -> None:
    assert sorted(path.name.removesuffix(".lineage.json") for path in CASES.glob("*.lineage.json")) == NAMES
    assert len(NAMES) >= 65


def test_the_model_is_left_as_it_was() -> None:
    model = model_of("select v.subject from raw.visits as v where v.pain <> ''", ["subject"])
    before = model.tree.sql()
    column_lineage(model, SCHEMAS)
    assert model.tree.sql() == before


def test_an_ambiguous_column_is_refused() -> None:
    model = model_of(
        "select v.pain from raw.visits as v\njoin raw.participants as p on subject = 'S1'", ["pain"]
    )
    with pytest.raises(InputError, match=r"generated model cases\.case:2: .*subject"):
        column_lineage(model, SCHEMAS)
