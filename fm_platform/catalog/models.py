"""SQL models as assets: run as written, links and column lineage from the tree, declared tests as checks.

Belongs here: turning a loaded model into an asset, and running its tests. Does not belong here: parsing SQL (``sql``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import duckdb

from fm_platform.catalog.asset import Asset, Built, Step
from fm_platform.lineage.code import CodeVersion, code_version
from fm_platform.lineage.graph import Half
from fm_platform.sql.cache import Cache
from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.links import link_query
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import ModelTest, SqlModel
from fm_platform.sql.number_types import check_types
from fm_platform.sql.tracing import trace_models
from fm_platform.warehouse.database import Warehouse
from fm_platform.warehouse.ledger import sha256_text
from fm_platform.warehouse.names import identifier, literal, quoted_table, relation
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, ColumnLineage, Link

PACKAGED = Path(__file__).resolve().parents[1] / "_dbt_like_sql"
CHECKOUT = Path(__file__).resolve().parents[2] / "dbt_like_sql"


def models_folder() -> Path:
    """Where the SQL models are: in the checkout, or inside an installed package."""
    return CHECKOUT if CHECKOUT.is_dir() else PACKAGED


def model_cache() -> Cache:
    """What this user's earlier sessions found out about models with the code and libraries of now."""
    read = code_version(load_models)
    return Cache.of_user(sha256_text(read + code_version(trace_models)))


def model_asset(
    model: SqlModel, *, half: Half, group: str, build: Callable[..., Built] | None = None
) -> Asset:
    """The asset of one loaded SQL model; ``build(step, model=...)`` makes it where :func:`build_model` does not."""
    make = build or build_model
    return Asset(
        table=model.name,
        description=model.description,
        group=group,
        kinds=("sql", "duckdb"),
        half=half,
        inputs=model.refs,
        key=model.key,
        columns=tuple(model.columns.values()),
        checks=tuple(
            CheckDeclaration(test_name(test), test.severity == "ERROR", test_text(test))
            for test in _tests(model)
        ),
        code_version=_version_of(model, make),
        model=model,
        build=partial(make, model=model),
    )


def _version_of(model: SqlModel, make: Callable[..., Built]) -> CodeVersion:
    """The version of the model's tree and of what compiles it, under the name of its file."""
    builder = code_version(make)
    file = (
        f"{CHECKOUT.name}/{model.schema}/{model.path.name}"
        if model.path is not None
        else f"the generated model {model.name}"
    )
    return builder.as_part_of(model.code_version + builder, {file: model.code_version})


def build_model(step: Step, model: SqlModel) -> Built:
    """Run a model as its author wrote it; derive its lineage and its link to the rows of its inputs."""
    warehouse = step.warehouse
    if model.path is not None:
        require_read_alike(model, warehouse.connection)
    compiled = _compiled(
        model, tuple((table, tuple(warehouse.schema(table).items())) for table in model.refs)
    )
    return Built(
        rows=model.sql,
        lineage=compiled.lineage,
        links=(compiled.link,),
        checks=_checks_of(model, warehouse),
        metadata={"SQL": f"```sql\n{model.template.strip()}\n```"},
    )


@dataclass(frozen=True)
class _Compiled:
    """What follows from a model and the columns of its tables."""

    lineage: ColumnLineage
    link: Link


@lru_cache(maxsize=256)
def _compiled(model: SqlModel, tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> _Compiled:
    """The same model against the same columns is compiled once a process."""
    schemas = {table: dict(columns) for table, columns in tables}
    check_types(model, schemas)
    derived = link_query(model, schemas, quoted_table, columns=model.key)
    return _Compiled(
        column_lineage(model, schemas), Link(sql=derived.sql, cells=derived.cells, marks=derived.marks)
    )


def require_read_alike(model: SqlModel, connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB, which runs the text as written, sees in it what was checked: one SELECT from the same tables.

    Raises:
        InputError: It sees anything else.
    """
    found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [model.sql]).fetchone()
    seen = json.loads(found[0]) if found else {}
    tables = set(_tables_in(seen))
    if len(seen.get("statements", ())) != 1 or tables != set(model.refs):
        raise model.error(
            f"DuckDB reads it in another way: {seen.get('error_message') or f'tables {sorted(tables)}'}",
            mend="look for comments and quotes that end elsewhere than they seem to",
        )


def _tables_in(node: Any) -> Iterator[str]:
    """The tables with a schema that a statement, as DuckDB serializes it, reads."""
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
            yield f"{node['schema_name']}.{node['table_name']}"
        for value in node.values():
            yield from _tables_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables_in(value)


def test_name(test: ModelTest) -> str:
    """A stable name: the kind and its columns."""
    return "_".join((test.kind, *test.columns))


def test_text(test: ModelTest) -> str:
    """What a declared test says, in words."""
    columns = ", ".join(test.columns)
    if test.kind == "accepted_values":
        return f"{columns} is one of {', '.join(test.arguments['values'])}"
    if test.kind == "relationships":
        return f"{columns} is found in {test.arguments['to']}.{test.arguments['field']}"
    words = {"not_null": "is never null", "unique": "is unique", "unique_combination": "are unique together"}
    return f"{columns} {words[test.kind]}"


def _tests(model: SqlModel) -> list[ModelTest]:
    """Declared tests, less the ones that say what the key check already says."""
    return [
        test
        for test in model.tests
        if not (test.kind.startswith("unique") and set(test.columns) == set(model.key))
    ]


def _checks_of(model: SqlModel, warehouse: Warehouse) -> Callable[[], Sequence[CheckOutcome]]:
    def run() -> list[CheckOutcome]:
        return [_outcome(model, test, warehouse) for test in _tests(model)]

    return run


def _outcome(model: SqlModel, test: ModelTest, warehouse: Warehouse) -> CheckOutcome:
    failing = warehouse.query(_failing_rows(model.name, test)).item()
    return CheckOutcome(
        name=test_name(test),
        passed=failing == 0,
        blocking=test.severity == "ERROR",
        severity=test.severity,
        description=test_text(test),
        metadata={"failing_rows": int(failing), "columns": list(test.columns)},
    )


def _failing_rows(table: str, test: ModelTest) -> str:
    """A SELECT that counts the rows breaking a test; null passes all but ``not_null``."""
    target = relation(table)
    columns = [identifier(column) for column in test.columns]
    if test.kind == "not_null":
        return f"SELECT count(*) FROM {target} WHERE {columns[0]} IS NULL"
    if test.kind == "accepted_values":
        values = ", ".join(literal(value) for value in test.arguments["values"])
        return (
            f"SELECT count(*) FROM {target} "
            f"WHERE {columns[0]} IS NOT NULL AND CAST({columns[0]} AS VARCHAR) NOT IN ({values})"
        )
    if test.kind == "relationships":
        other, field = relation(str(test.arguments["to"])), identifier(str(test.arguments["field"]))
        return (
            f"SELECT count(*) FROM {target} AS child LEFT JOIN {other} AS parent "
            f"ON parent.{field} = child.{columns[0]} WHERE child.{columns[0]} IS NOT NULL AND parent.{field} IS NULL"
        )
    listed = ", ".join(columns)
    return (
        f"SELECT coalesce(sum(n), 0)::BIGINT FROM (SELECT count(*) AS n FROM {target} "
        f"GROUP BY {listed} HAVING count(*) > 1)"
    )
