"""Constructs that are written out before anything looks at them give what DuckDB gives for the text as it stands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest

from fm_platform.errors import InputError
from fm_platform.sql.links import link_query
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel

SCHEMAS = {"raw.t": {"_row_id": "VARCHAR", "k": "VARCHAR", "a": "INTEGER", "b": "INTEGER"}}
ROWS = [("r0", "p", 1, 5), ("r1", "p", 1, None), ("r2", "q", 2, 7), ("r3", None, None, 7), ("r4", "q", 2, 1)]
QUERIES = [
    "select t.k, t.a from raw.t as t union by name select u.b, u.k from raw.t as u",
    "select t.k, t.a from raw.t as t union all by name select u.a, u.k from raw.t as u where u.b > 1",
    "select distinct on (t.k) t.k, t.b from raw.t as t order by t.k, t.b desc, t._row_id",
    "select distinct on (t.k, t.a) t.b as k from raw.t as t order by t.k, t.a, t.b nulls first, t._row_id",
    "select p.k, p.x, p.y from raw.t as t pivot (sum(b) for a in (1 as x, 2 as y) group by k) as p",
    "select p.k, p.\"1\" as one from raw.t as t pivot (count(*) for a in (1, 3) group by k) as p",
    "select p.k, p.q1 from (select t.k, t.a, t.b from raw.t as t) as s pivot (max(b) for a in (1 as q1)) as p",
    "select u.k, u.n, u.v from (select t.k, t.a, t.b from raw.t as t) as s unpivot (v for n in (a, b)) as u",
    "select u.n as k, u.v as x from (select t.a, t.b from raw.t t) as s unpivot include nulls (v for n in (a, b)) u",
    "select t.k from raw.t as t except select u.k from raw.t as u where u.a = 1",
    "select t.k, t.a from raw.t as t intersect select u.k, u.a from raw.t as u where u.b = 7",
    "select t.a from raw.t as t except select u.b * 1.0 from raw.t as u",
    "with c as (select t.k, t.a from raw.t as t), d as (select * from c) select * from d",
    "select * exclude (a) replace (upper(q.k) as k) rename (b as n) from (select t.k, t.a, t.b from raw.t as t) as q",
    "with c(x, y) as (select t.k, t.a from raw.t as t) select c.*, s.a from c join (select t.k, t.a from raw.t as t) s "
    "on s.k = c.x",
    "with c as (select t.k from raw.t t) select * from (with c as (select t.a, t.b from raw.t as t) select * from c)",
    "select t.k, count(*) as n, sum(t.b) filter (where t.a = 1) as s, upper(t.k) as u from raw.t as t group by all",
    "select * from (select * from (select t.k, t.a, t.b from raw.t as t)) pivot (max(b) for a in (1 as q1, 2 as q2))",
    "with c as (select t.k from raw.t as t where t.a = 2) select * from (select t.k, t.b from raw.t as t) as q "
    "anti join c on c.k = q.k where exists (select * from raw.t as t where t.b = q.b)",
    "with x as (select t.k, t.a from raw.t as t where t.a = 1), y as (select t.k from raw.t as t where t.a = 2), "
    "z as (select t.k, t.b from raw.t as t where t.b = 7) "
    "select k, x.a, z.b from x full join y using (k) full join z using (k)",
]  # fmt: skip


@pytest.mark.parametrize("sql", QUERIES)
def test_rows_and_types_are_those_of_duckdb(sql: str, tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute(
        "create schema raw; create table raw.t (_row_id varchar, k varchar, a integer, b integer)"
    )
    connection.executemany("insert into raw.t values (?, ?, ?, ?)", ROWS)
    native = connection.sql(sql)
    model = load_models(
        tmp_path,
        [GeneratedModel("marts.m", sql, "M.", dict.fromkeys(native.columns, "C."), (native.columns[0],))],
    )[0]
    width = len(native.columns)
    linked = connection.sql(link_query(model, SCHEMAS, lambda name: name).sql)
    assert linked.columns[:width] == native.columns
    assert [str(kind) for kind in linked.types[:width]] == [str(kind) for kind in native.types]
    assert Counter(row[:width] for row in linked.fetchall()) == Counter(native.fetchall())


@pytest.mark.parametrize(
    "sql",
    [
        "with c as (select t.k from raw.t as t) select * from c join raw.t as t on t.k = c.k",
        "with c as (select t.k from raw.t as t), d as (select t.k from raw.t as t) select * from c, d",
        "with c as (select t.k from raw.t as t), d as (select t.k from raw.t as t) select * from c join d using (k)",
        "with c as (select t.k from raw.t as t) select * exclude (a) from c",
        "with d as (select * from c), c as (select t.k from raw.t as t) select c.k from c",
    ],
)
def test_a_star_whose_columns_the_text_does_not_say_is_refused(sql: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"SELECT \* is not allowed"):
        load_models(tmp_path, [GeneratedModel("marts.m", sql, "M.", {"k": "C."}, ("k",))])


@pytest.mark.parametrize(
    "sql",
    [
        "select p.k from raw.t as t pivot (sum(b), max(b) for a in (1, 2) group by k) as p",
        "select p.k from raw.t as t pivot (sum(b) for a in (select t.a from raw.t as t) group by k) as p",
        "select p.k from raw.t as t pivot (sum(b) for a in (1, 2)) as p",
        "select u.k from raw.t as t unpivot (value for name in (a, b)) as u",
    ],
)
def test_what_cannot_be_written_out_is_refused(sql: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PIVOT"):
        load_models(tmp_path, [GeneratedModel("marts.m", sql, "M.", {"k": "C."}, ("k",))])
