# ruff: noqa: E501 (a case stands on one line)
"""The loader: references, docs, order, and every refusal with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest

from fm_platform.errors import InputError
from fm_platform.sql.functions import AGGREGATES, SESSION, TIME_AND_CHANCE
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, ModelTest, SqlModel
from fm_platform.sql.number_types import check_types

SCHEMAS = {
    "raw.visits": {
        "id": "VARCHAR", "pain": "DOUBLE", "n": "INTEGER", "d": "DECIMAL(18,6)", "odd": "TIMESTAMP_NS",
        "_row_id": "VARCHAR",
    }
}  # fmt: skip


WriteModels = Callable[[dict[str, str]], Path]


def documented(name: str, columns: list[str]) -> str:
    """A `.yml` that describes one model."""
    lines = "".join(f"\n      - {{name: {column}, description: A column.}}" for column in columns)
    return (
        f"version: 2\nmodels:\n  - name: {name}\n    description: A model.\n    meta: {{key: [{columns[0]}]}}\n"
        f"    columns:{lines}\n"
    )


def load_one(write_models: WriteModels, sql: str, columns: str = "id") -> SqlModel:
    folder = write_models({"marts/m.sql": sql, "marts/m.yml": documented("m", columns.split())})
    return load_models(folder)[0]


def one(sql: str, columns: str = "id") -> SqlModel:
    """A generated model of its own."""
    docs = dict.fromkeys(columns.split(), "A column.")
    return load_generated([GeneratedModel("marts.m", sql, "A model.", docs, (columns.split(maxsplit=1)[0],))])


def load_generated(generated: Sequence[GeneratedModel]) -> SqlModel:
    with TemporaryDirectory() as folder:
        return load_models(Path(folder), generated)[0]


def test_models_come_in_the_order_in_which_they_can_be_built(write_models, staging_models):
    folder = write_models(
        {
            "marts/a.sql": "select b.id from {{ ref('b') }} as b",
            "marts/a.yml": documented("a", ["id"]),
            "staging/b.sql": "select v.subject_id as id from {{ ref('stg_visits') }} as v",
            "staging/b.yml": documented("b", ["id"]),
        }
    )
    models = load_models(folder, staging_models)
    names = [model.name for model in models]
    assert names.index("staging.stg_visits") < names.index("staging.b") < names.index("marts.a")
    assert models[-1].refs == ("staging.b",)


def test_a_models_sql_is_its_text_with_the_tables_named(write_models):
    model = load_one(write_models, "select visits.id from {{ source('raw', 'visits') }} -- all of them\n")
    connection = duckdb.connect()
    connection.execute("create schema raw; create table raw.visits as select 'S1' as id")
    assert connection.execute(model.sql).fetchall() == [("S1",)]
    assert model.sql.rstrip().endswith("-- all of them")


def test_docs_give_description_key_columns_and_tests(write_models):
    yml = """version: 2
models:
  - name: m
    description: One row an id.
    config: {meta: {key: [id]}}
    data_tests:
      - dbt_utils.unique_combination_of_columns:
          arguments: {combination_of_columns: [id, kind]}
    columns:
      - name: kind
        description: What it is.
        data_tests:
          - accepted_values: {values: [a, b], severity: warn}
      - name: id
        description: Who.
        data_tests:
          - not_null
          - relationships: {to: "source('raw', 'visits')", field: id}
"""
    folder = write_models(
        {
            "marts/m.sql": "select v.id, v.kind from {{ source('raw', 'visits') }} as v",
            "marts/m.yml": yml,
        }
    )
    model = load_models(folder)[0]
    assert (model.key, list(model.columns)) == (("id",), ["id", "kind"])
    assert model.columns["kind"].description == "What it is."
    assert model.tests == (
        ModelTest("accepted_values", ("kind",), {"values": ("a", "b")}, "WARN"),
        ModelTest("not_null", ("id",)),
        ModelTest("relationships", ("id",), {"to": "raw.visits", "field": "id"}),
        ModelTest("unique_combination", ("id", "kind")),
    )


REFORMATTED = """
-- the same, written otherwise
SELECT
    V.id   AS id, /* who */
    COUNT( * ) AS n
FROM {{ source( "raw", "visits" ) }} AS V
WHERE V.n > 1 GROUP BY V.id;
"""


def test_code_version_ignores_layout_and_follows_real_edits():
    plain = (
        "select V.id as id, count(*) as n from {{ source('raw', 'visits') }} V where V.n > 1 group by V.id"
    )
    version = one(plain, "id n").code_version
    assert one(REFORMATTED, "id n").code_version == version
    for edited in (
        plain.replace("> 1", "> 2"),
        plain.replace("count(*)", "count(V.n)"),
        plain.replace("raw", "old"),
    ):
        assert one(edited, "id n").code_version != version


REFUSED = {
    "select *": ("select\n  *\nfrom {T}", 2, "SELECT *"),
    "alias star": ("select\n  v.*\nfrom {T} as v", 2, "SELECT *"),
    "star in a cte": ("with c as (\n  select * from {T}\n) select c.id from c", 2, "SELECT *"),
    "columns": ("select\n columns('i.*') from {T}", 2, "COLUMNS()"),
    "now": ("select v.id from {T} as v\nwhere v.at < now()", 2, "not deterministic"),
    "current_date": ("select v.id from {T} as v\n\nwhere v.at < current_date", 3, "not deterministic"),
    "random": ("select v.id from {T} as v\nwhere random() < 0.5", 2, "not deterministic"),
    "nextval": ("select v.id from {T} as v\nwhere nextval('s') > 1", 2, "not deterministic"),
    "age of one date": ("select v.id from {T} as v\nwhere age(v.at) > interval 1 year", 2, "not deterministic"),
    "clock word": ("select v.id from {T} as v\nwhere v.at < 'today'::date", 2, "reads the clock"),
    "session": ("select v.id from {T} as v\nwhere current_setting('x') = 'y'", 2, "reads the session"),
    "any_value": ("select v.k as id,\n any_value(v.id) as x from {T} as v group by v.k", 2, "order of rows"),
    "first": ("select v.k as id,\n first(v.id) as x from {T} as v group by v.k", 2, "order of rows"),
    "arg_min": ("select v.k as id,\n arg_min(v.id, v.n) as x from {T} as v group by v.k", 2, "order of rows"),
    "list": ("select v.k as id,\n list(v.id) as x from {T} as v group by v.k", 2, "order of rows"),
    "stddev": ("select v.k as id,\n stddev(v.n) as x from {T} as v group by v.k", 2, "floating point"),
    "row_number": ("select v.id,\n row_number() over (partition by v.k) as x from {T} as v", 2, "without ORDER BY"),
    "limit": ("select v.id from {T} as v\nlimit 3", 2, "LIMIT"),
    "sample": ("select v.id from {T} as v\nusing sample 10%", None, "SAMPLE"),
    "distinct on": ("select distinct on (v.k)\n v.id from {T} as v", 1, "DISTINCT ON"),
    "value in a join": (
        "select v.id from {T} as v\njoin {T} as u on u.n = (select max(w.n) as m from {T} as w)",
        2,
        "as a value",
    ),
    "value of two columns": ("select (select w.n, w.k from {T} as w) as m from {T} as v", 1, "gives one column"),
    "value in a window": (
        "select v.id, sum((select max(w.n) as m from {T} as w)) over () as n from {T} as v",
        1,
        "inside a window",
    ),
    "exists in a join": (
        "select v.id from {T} as v\njoin {T} as u on exists (select 1 from {T} as w where w.k = v.k)",
        2,
        "only in SELECT, WHERE and HAVING",
    ),
    "in in a window": (
        "select v.id,\n count(*) over (order by v.k in (select w.k from {T} as w)) as x from {T} as v",
        2,
        "inside a window",
    ),
    "any": ("select v.id from {T} as v\nwhere v.n > any (select w.n from {T} as w)", 2, "ANY"),
    "except": ("select v.id from {T} as v\nexcept all\nselect w.id from {T} as w", 3, "EXCEPT ALL"),
    "intersect": ("select v.id from {T} as v\nintersect all\nselect w.id from {T} as w", 3, "INTERSECT ALL"),
    "union by name": ("select v.id from {T} as v union by name select * from {T} as w", 1, "BY NAME"),
    "union widths": ("select v.id from {T} as v\nunion\nselect w.id, w.k from {T} as w", 3, "1 and 2 columns"),
    "natural join": ("select v.id from {T} as v\nnatural join {T} as w", 2, "NATURAL JOIN"),
    "asof join": ("select v.id from {T} as v\nasof join {T} as w on v.n >= w.n", 2, "ASOF JOIN"),
    "semi join": ("select v.id from {T} as v\nsemi join {T} as w on v.n = w.n", 2, "SEMI JOIN"),
    "lateral": ("select v.id from {T} as v,\n lateral (select v.n) as l", 2, "LATERAL"),
    "recursive": ("with recursive c as (select v.id from {T} as v)\nselect c.id from c", 1, "RECURSIVE"),
    "group by all": ("select v.n + count(*) as id from {T} as v\ngroup by all", None, "ALL in a GROUP BY"),
    "in of another width": (
        "select v.id from {T} as v\nwhere (v.n, v.k) in (select w.n from {T} as w)",
        2,
        "other columns",
    ),
    "in of a count": (
        "select v.id from {T} as v group by v.id\nhaving count(*) in (select w.n from {T} as w)",
        2,
        "without naming them",
    ),
    "pivot": ("pivot {T} on k using count(n)", None, "PIVOT"),
    "pivot clause": ("select p.id from {T} as v \n pivot (count(n) for k in ('a')) as p", 2, "PIVOT"),
    "unpivot": ("unpivot {T} on n, k into name a value b", None, "PIVOT"),
    "unpivot clause": ("select p.b as id from {T} as v unpivot (b for a in (n, k)) as p", 1, "UNPIVOT"),
    "read_csv": ("select f.id\nfrom read_csv('f.csv') as f", 2, "table functions"),
    "glob": ("select f.file as id\nfrom glob('*') as f", 2, "table functions"),
    "range": ("select f.range as id\nfrom range(3) as f", 2, "table functions"),
    "file as table": ("select f.id\nfrom 'f.csv' as f", 2, "reads a file"),
    "direct table": ("select v.id\nfrom raw.visits as v", 2, "named directly"),
    "unknown name": ("select v.id\nfrom visits as v", 2, "named directly"),
    "two statements": ("select v.id from {T} as v;\nselect v.id from {T} as v", 2, "more than one statement"),
    "insert": ("insert into x\nselect v.id from {T} as v", 1, "not a query"),
    "create": ("create table x as\nselect v.id from {T} as v", 1, "not a query"),
    "delete": ("delete from {T}", 1, "not a query"),
    "copy": ("copy (select 1) to 'x.csv'", None, "not a query"),
    "parse error": ("select v.id\nfrom {T} as v\nwhere (v.n = 1", 3, "not valid SQL"),
    "unclosed quote": ("select 'v.id from {T}", None, "not valid SQL"),
    "parameter": ("select v.id from {T} as v\nwhere v.n = ?", None, "parameters"),
    "no name": ("select v.id,\n v.n + 1 from {T} as v", 2, "has no name"),
    "twice": ("select v.id,\n v.ID from {T} as v", 2, "appears twice"),
    "own column": ("select v.id,\n v._row_id from {T} as v", 2, "begins with _"),
    "schema in a column": ("select\n raw.visits.id from {T}", 2, "named with its schema"),
    "empty": ("-- nothing\n", 1, "no SQL"),
    "jinja statement": ("select v.id\nfrom {T} as v\n{% if x %}", 3, "is not understood"),
    "jinja expression": ("select {{ var('x') }} as id\nfrom {T} as v", 1, "is not understood"),
    "jinja comment": ("select v.id\n{# note #}\nfrom {T} as v", 2, "is not understood"),
    "undescribed": ("select v.id,\n v.n from {T} as v", 2, "is not described"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_file_line_and_mend(case, write_models):
    sql, line, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        load_one(write_models, sql.replace("{T}", "{{ source('raw', 'visits') }}"))
    error = caught.value
    assert message in error.message
    assert str(error.file).endswith("marts/m.sql")
    assert error.mend
    assert error.line == line or line is None


ALLOWED = {
    "count star": "select v.k as id, count(*) as n from {T} as v group by v.k",
    "ordered list": "select v.k as id, list(v.id order by v.id) as n from {T} as v group by v.k",
    "ordered first": "select v.k as id, first(v.id order by v.n, v.id) as n from {T} as v group by v.k",
    "named window": "select v.id, lag(v.n) over w as n from {T} as v window w as (partition by v.k order by v.n)",
    "age of two": "select v.id, age(v.a, v.b) as n from {T} as v",
    "exists and": "select v.id, v.n from {T} as v where v.n > 1 and (not exists (select 1 from {T} as w where w.id = v.k))",
    "unnest": "select v.id, u.n from {T} as v, unnest(v.l) as u(n)",
    "values": "select v.id, c.n from {T} as v join (values (1), (2)) as c(n) on c.n = v.n",
    "anti join": "select v.id, v.n from {T} as v anti join {T} as w on w.id = v.k",
}


@pytest.mark.parametrize("case", ALLOWED)
def test_accepted(case, write_models):
    sql = ALLOWED[case].replace("{T}", "{{ source('raw', 'visits') }}")
    assert list(load_one(write_models, sql, "id n").columns) == ["id", "n"]


def test_unknown_ref_names_the_nearest_model(write_models, staging_models):
    folder = write_models({"marts/m.sql": "select v.id\nfrom\n  {{ ref('stg_visit') }} as v"})
    with pytest.raises(InputError, match=r"m\.sql:3: ref\('stg_visit'\): no such model.*'stg_visits'"):
        load_models(folder, staging_models)


def test_undeclared_source_names_the_nearest_declared(write_models):
    sources = "version: 2\nsources:\n  - name: study\n    tables: [{name: outcomes}]\n"
    folder = write_models(
        {"marts/m.sql": "select o.id\nfrom {{ source('study', 'outcome') }} as o", "sources.yml": sources}
    )
    with pytest.raises(
        InputError, match=r"m\.sql:2: source\('study', 'outcome'\) is not declared.*study.outcomes"
    ):
        load_models(folder)


def test_source_of_a_model_is_refused(write_models, staging_models):
    folder = write_models({"marts/m.sql": "select v.id from {{ source('staging', 'stg_visits') }} as v"})
    with pytest.raises(InputError, match=r"m\.sql:1: .* is a model\. Mend: write {{ ref\('stg_visits'\) }}"):
        load_models(folder, staging_models)


def test_a_ring_of_models_is_named(write_models):
    files = {}
    for name, reads in (("a", "b"), ("b", "c"), ("c", "a"), ("after", "a")):
        files[f"marts/{name}.sql"] = f"select t.id\nfrom {{{{ ref('{reads}') }}}} as t"
        files[f"marts/{name}.yml"] = documented(name, ["id"])
    with pytest.raises(
        InputError, match=r"a\.sql:2: .* ring: marts\.a -> marts\.b -> marts\.c -> marts\.a\."
    ):
        load_models(write_models(files))


def test_two_models_of_one_name_are_refused(write_models):
    folder = write_models({"marts/m.sql": "select 1 as id", "staging/m.sql": "select 1 as id"})
    with pytest.raises(InputError, match=r"staging/m\.sql: a second model is called m"):
        load_models(folder)


def test_a_file_model_may_share_its_table_name_with_a_generated_one_of_another_schema(write_models):
    generated = GeneratedModel("staging.m", "select r.id from raw.m as r", "Typed.", {"id": "Who."}, ("id",))
    folder = write_models(
        {
            "marts/m.sql": "select r.id from {{ source('raw', 'm') }} as r",
            "marts/m.yml": documented("m", ["id"]),
            "marts/n.sql": "select m.id from {{ ref('m') }} as m",
            "marts/n.yml": documented("n", ["id"]),
        }
    )
    models = {model.name: model.refs for model in load_models(folder, [generated])}
    assert models == {"staging.m": ("raw.m",), "marts.m": ("raw.m",), "marts.n": ("marts.m",)}


def test_a_file_in_the_place_of_a_generated_table_is_refused(write_models, staging_models):
    folder = write_models({"staging/stg_visits.sql": "select 1 as id"})
    with pytest.raises(
        InputError, match=r"stg_visits\.sql: staging\.stg_visits is a table that the platform"
    ):
        load_models(folder, staging_models)


BAD_DOCS = {
    "no such column": ("  - {name: other, description: x}", "has no column 'other'", 8),
    "described twice": ("  - {name: id, description: y}", "described twice", 8),
    "empty description": ("  - {name: other, description: ''}", "description", 8),
    "unknown key": ("  - {name: other, description: x, tests: [unique]}", "unknown key 'models.0.columns.1.tests'", 8),
    "unknown test": ("  - {name: other, description: x, data_tests: [nonnull]}", "unknown data test 'nonnull'", 8),
    "bad arguments": (
        "  - {name: other, description: x, data_tests: [accepted_values: {value: [a]}]}", "takes values", 8,
    ),
    "bad severity": (
        "  - {name: other, description: x, data_tests: [not_null: {severity: fatal}]}", "severity 'fatal'", 8,
    ),
    "bad reference": (
        "  - {name: other, description: x, data_tests: [relationships: {to: m, field: id}]}", "not a reference", 8,
    ),
    "unread reference": (
        "  - {name: other, description: x, data_tests: [relationships: {to: \"source('raw', 'w')\", field: id}]}",
        "does not read raw.w",
        8,
    ),
    "unknown reference": (
        "  - name: other\n        description: x\n        data_tests:\n"
        "          - relationships: {to: ref('mm'), field: id}",
        "no such model",
        11,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DOCS)
def test_docs_errors_name_the_yml_and_its_line(case, write_models):
    entry, message, line = BAD_DOCS[case]
    yml = documented("m", ["id"]) + "    " + entry + "\n"
    folder = write_models(
        {"marts/m.sql": "select v.id from {{ source('raw', 'v') }} as v", "marts/m.yml": yml}
    )
    with pytest.raises(InputError) as caught:
        load_models(folder)
    assert message in caught.value.message
    assert str(caught.value.file).endswith("m.yml")
    assert caught.value.line == line


def test_docs_without_a_model_or_a_key_are_refused(write_models):
    with pytest.raises(InputError, match=r"m\.yml:3: there is no model m\.sql"):
        load_models(write_models({"marts/m.yml": documented("m", ["id"])}))
    keyless = documented("m", ["id"]).replace("    meta: {key: [id]}\n", "")
    with pytest.raises(InputError, match=r"m\.yml:3: model m has no key"):
        load_models(write_models({"marts/m.sql": "select 1 as id", "marts/m.yml": keyless}))


def test_a_model_without_docs_is_refused(write_models):
    with pytest.raises(InputError, match=r"m\.sql:1: model m is not described"):
        load_models(write_models({"marts/m.sql": "select 1 as id"}))


@pytest.mark.parametrize(
    "expression",
    ["sum(v.pain)", "avg(v.pain)", "sum(v.pain * 2)", "sum(v.n / 2)", "sum(v.n) + avg(v.d / v.n)",
     "sum(v.pain) over (partition by v.id)", "sum(case when v.n > 1 then v.pain else 0 end)", "sum(v.odd)",
     "sum(sqrt(v.n))", "sum(distinct v.pain)"],
)  # fmt: skip
def test_sums_that_depend_on_row_order_are_refused(expression):
    grouped = "" if "over" in expression else " group by v.id"
    model = one(f"select v.id,\n {expression} as x from raw.visits as v{grouped}", "id x")
    with pytest.raises(InputError, match=r"marts\.m:2: (SUM|AVG) over .* depends on the order of rows"):
        check_types(model, SCHEMAS)


@pytest.mark.parametrize(
    "expression",
    ["sum(v.n)", "avg(v.n)", "sum(v.d)", "sum(cast(v.pain as decimal(18, 6)))", "sum(v.n * v.d)",
     "sum(case when v.pain > 1 then 1 else 0 end)", "sum(v.n // 2)", "max(v.pain)", "median(v.pain)",
     "sum(cast(v.n / 2 as integer))", "count(v.pain)"],
)  # fmt: skip
def test_exact_sums_are_accepted(expression):
    check_types(one(f"select v.id, {expression} as x from raw.visits as v group by v.id", "id x"), SCHEMAS)


def test_every_unrepeatable_function_of_duckdb_is_known():
    rows = duckdb.sql(
        "select distinct function_name from duckdb_functions() where function_type = 'scalar'"
        " and stability in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"
    ).fetchall()
    names = {name for (name,) in rows}
    assert names - TIME_AND_CHANCE - SESSION == set()
    for name in sorted(names):
        with pytest.raises(InputError):
            one(f"select {name}() as id from raw.visits as v")


def test_every_aggregate_of_duckdb_is_known():
    rows = duckdb.sql(
        "select distinct function_name from duckdb_functions() where function_type = 'aggregate'"
    )
    windows = {
        "row_number", "rank", "dense_rank", "rank_dense", "percent_rank", "cume_dist", "ntile", "lag", "lead",
        "first_value", "last_value", "nth_value", "fill",
    }  # fmt: skip
    assert {name for (name,) in rows.fetchall()} - AGGREGATES - windows == set()
