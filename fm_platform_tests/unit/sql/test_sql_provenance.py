# ruff: noqa: E501 (a case stands on one line)
"""Row provenance of literal cases: what each construct contributes, row by row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest

from fm_platform.errors import InputError
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, SqlModel
from fm_platform.sql.provenance import with_row_ids

Database = dict[str, list[tuple[str, str | None, int | None]]]
"""Table (a, b, c) to its rows: row id, k, n."""

COLUMNS = {"_row_id": "VARCHAR", "k": "VARCHAR", "n": "INTEGER"}
SCHEMAS = {f"raw.{table}": COLUMNS for table in "abc"}


def model_of(sql: str) -> SqlModel:
    """A model of one query whose outputs are called k, x and y, as far as it has them."""
    for width in (1, 2, 3):
        names = dict.fromkeys(("k", "x", "y")[:width], "A column.")
        with TemporaryDirectory() as folder:
            try:
                return load_models(Path(folder), [GeneratedModel("marts.m", sql, "A case.", names, ("k",))])[
                    0
                ]
            except InputError as error:
                failed = error
    raise failed


def relation(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


CONNECTION = duckdb.connect()
CONNECTION.execute("create schema raw; set threads = 1")
for name in "abc":
    CONNECTION.execute(f"create table raw.{name} (_row_id varchar, k varchar, n integer)")


def fill(database: Database) -> None:
    for table in "abc":
        rows = ", ".join(
            f"({', '.join('null' if cell is None else repr(cell) for cell in row)})"
            for row in database[table]
        )
        CONNECTION.execute(
            f"truncate raw.{table}" + (f"; insert into raw.{table} values {rows}" if rows else "")
        )


def traced(model: SqlModel, database: Database) -> Counter[tuple[tuple[object, ...], tuple[str, ...]]]:
    """Output rows with their ids, checked against the plain query's rows."""
    fill(database)
    rows = CONNECTION.execute(with_row_ids(model, SCHEMAS, relation)).fetchall()
    plain = CONNECTION.execute(model.compiled(relation)).fetchall()
    assert Counter(row[:-1] for row in rows) == Counter(plain)
    for row in rows:
        assert row[-1] == sorted(set(row[-1]))
    return Counter((row[:-1], tuple(row[-1])) for row in rows)


LITERAL: Database = {
    "a": [("a0", "p", 1), ("a1", "p", 2), ("a2", "q", 1)],
    "b": [("b0", "p", 1), ("b1", "p", 9), ("b2", None, 1)],
    "c": [],
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select t.k, t.n as x from raw.a as t where t.n = 1", {("p", 1): "a0", ("q", 1): "a2"}),
        ("select a.k, b.n as x from raw.a left join raw.b on b.k = a.k and b.n = a.n",
         {("p", 1): "a0 b0", ("p", None): "a1", ("q", None): "a2"}),
        ("select t.k, count(*) as x from raw.a as t group by 1", {("p", 2): "a0 a1", ("q", 1): "a2"}),
        ("select count(*) as k from raw.c", {(0,): ""}),
        ("select max(t.n) as k from raw.a as t where t.n < 2 having max(t.n) > 0", {(1,): "a0 a2"}),
        ("select distinct t.k from raw.a as t order by t.k", {("p",): "a0 a1", ("q",): "a2"}),
        ("select t.k from raw.a as t union select b.k from raw.b",
         {("p",): "a0 a1 b0 b1", ("q",): "a2", (None,): "b2"}),
        ("select t.k from raw.a as t where t.n = 2 union all select b.k from raw.b where b.n = 9 union select 'z' as k",
         {("p",): "a1 b1", ("z",): ""}),
        ("select t.k, t.n as x from raw.a as t where t.n = 1 and t.k in (select b.k from raw.b)",
         {("p", 1): "a0 b0 b1"}),
        ("select t.k from raw.a as t where exists (select 1 from raw.b where b.k = t.k and b.n > t.n) and t.n = 2",
         {("p",): "a1 b1"}),
        ("select t.k from raw.a as t where not exists (select 1 from raw.b where b.k = t.k)", {("q",): "a2"}),
        ("select t.k from raw.a as t where t.k not in (select b.k from raw.b where b.k is not null)", {("q",): "a2"}),
        ("select a.k from raw.a anti join raw.b on b.k = a.k", {("q",): "a2"}),
        ("select a.k from raw.a anti join (select s.k from raw.b as s) as b on b.k = a.k", {("q",): "a2"}),
        ("select t.k, count(*) as x from raw.a as t where exists (select 1 from raw.b where b.k = t.k) group by t.k",
         {("p", 2): "a0 a1 b0 b1"}),
        ("select t.k, t.n as x from raw.a as t qualify row_number() over (partition by t.k order by t.n) = 1",
         {("p", 1): "a0", ("q", 1): "a2"}),
        ("select t.k, t.n as x from raw.a as t qualify ntile(2) over (partition by t.k order by t.n) = 1",
         {("p", 1): "a0 a1", ("q", 1): "a2"}),
        ("select t.k, t.n as x, sum(t.n) over (order by t.n, t.k rows between 2 following and 2 following) as y "
         "from raw.a as t", {("p", 1, 2): "a0 a1 a2", ("q", 1, None): "a1 a2", ("p", 2, None): "a1"}),
        ("select t.k, t.n as x, lag(t.n) over (order by t.n, t.k) as y from raw.a as t",
         {("p", 1, None): "a0", ("q", 1, 1): "a0 a2", ("p", 2, 1): "a1 a2"}),
        ("select t.k, sum(t.n) over (w rows 1 preceding) as x, count(*) over w as y from raw.a as t "
         "window w as (partition by t.k order by t.n)", {("p", 1, 1): "a0", ("p", 3, 2): "a0 a1", ("q", 1, 1): "a2"}),
        ("select t.k, count(*) as x, sum(count(*)) over () as y from raw.a as t group by t.k",
         {("p", 2, 3): "a0 a1 a2", ("q", 1, 3): "a0 a1 a2"}),
        ("select t.k, rank() over w as x from raw.a as t window w as (partition by t.k order by t.n)",
         {("p", 1): "a0", ("p", 2): "a0 a1", ("q", 1): "a2"}),
        ("with d as (select t.k, t.n from raw.a as t), e as (select d.k, max(d.n) as m from d group by d.k) "
         "select d.k, e.m as x from d join e using (k) where d.n = 1", {("p", 2): "a0 a1", ("q", 1): "a2"}),
        ("with d as (select t.k from raw.a as t) (with e as (select b.k from raw.b) select e.k from e where e.k = 'p') "
         "union select d.k from d", {("p",): "a0 a1 b0 b1", ("q",): "a2"}),
        ("select t.k, v.x from raw.a as t join (values (1, 'one'), (7, 'seven')) as v(n, x) on v.n = t.n",
         {("p", "one"): "a0", ("q", "one"): "a2"}),
        ("select t.k, u.x from raw.a as t, unnest([t.n, 5]) as u(x) where u.x = 5 and t.k = 'q'", {("q", 5): "a2"}),
        ("select t.k, case when t.n > 1 then 'x' end as x, t.n + 1 as y from raw.a as t where y > 2",
         {("p", "x", 3): "a1"}),
        ("select t.k, t.n as x, count(*) as y from raw.a as t group by grouping sets ((t.k, t.n), ()) having count(*) > 2",
         {(None, None, 3): "a0 a1 a2"}),
    ],
)  # fmt: skip
def test_literal_cases(query: str, expected: dict[tuple[object, ...], str]) -> None:
    assert {row: " ".join(ids) for row, ids in traced(model_of(query), LITERAL)} == expected


def test_downstream_tables_hand_their_ids_on() -> None:
    connection = duckdb.connect()
    connection.execute(
        "create schema staging; create table staging.s as select * from (values ('p', ['r1', 'r2']), ('q', []),"
        " ('q', ['r3'])) as v(k, _row_ids)"
    )
    model = model_of("select s.k, count(*) as x from staging.s group by s.k")
    schemas = {"staging.s": {"k": "VARCHAR", "_row_ids": "VARCHAR[]"}}
    rows = connection.execute(with_row_ids(model, schemas, relation)).fetchall()
    assert sorted(rows) == [("p", 1, ["r1", "r2"]), ("q", 2, ["r3"])]


def test_row_ids_are_a_list_of_text_even_where_nothing_contributes() -> None:
    sql = with_row_ids(model_of("select 1 as k"), {}, relation)
    assert duckdb.sql(sql).types[-1] == "VARCHAR[]"


def test_output_columns_keep_their_spelling() -> None:
    with TemporaryDirectory() as folder:
        generated = GeneratedModel(
            "marts.m",
            "select t.K as Kind, t.n as N_all from raw.a as t",
            "A case.",
            {"Kind": "x", "N_all": "x"},
            ("Kind",),
        )
        model = load_models(Path(folder), [generated])[0]
    fill(LITERAL)
    described = CONNECTION.execute(with_row_ids(model, SCHEMAS, relation)).description
    assert [column[0] for column in described] == ["Kind", "N_all", "_row_ids"]


def test_a_table_without_ids_is_refused() -> None:
    model = model_of("select s.k from staging.s")
    with pytest.raises(InputError, match=r"table staging\.s has neither _row_ids nor _row_id"):
        with_row_ids(model, {"staging.s": {"k": "VARCHAR"}}, relation)


def test_an_unknown_column_names_its_line() -> None:
    model = model_of("select t.k,\n t.nn as x from raw.a as t")
    with pytest.raises(InputError, match=r"generated model marts\.m:2: .*nn"):
        with_row_ids(model, SCHEMAS, relation)


def test_unknown_columns_of_a_table_are_said() -> None:
    with pytest.raises(InputError, match=r"the columns of raw\.a are not known"):
        with_row_ids(model_of("select t.k from raw.a as t"), {}, relation)
