# ruff: noqa: E501 (a case stands on one line)
"""Row links of literal cases: what each construct contributes, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest

from fm_platform.errors import InputError
from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.links import link_query
from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, SqlModel
from fm_platform.sql.number_types import check_types
from fm_platform.warehouse.records import Marks
from fm_platform_tests.unit.sql.linked import Linked, relation

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


def keyed(model: SqlModel, columns: Collection[str] | None) -> Counter[str]:
    """The rows of a link that gives some of the model's columns: its key and all marks."""
    found = CONNECTION.execute(link_query(model, SCHEMAS, relation, columns=columns).sql)
    names = [entry[0] for entry in found.description]
    wanted = [at for at, name in enumerate(names) if name in model.key or name[0] in "~_"]
    return Counter(repr([values[at] for at in wanted]) for values in found.fetchall())


def traced(model: SqlModel, database: Database) -> Counter[tuple[tuple[object, ...], tuple[str, ...]]]:
    """Output rows with their ids, checked against the plain query's rows."""
    fill(database)
    ids = {
        f"raw.{name}": dict(CONNECTION.execute(f"select rowid, _row_id from raw.{name}").fetchall())
        for name in "abc"
    }
    rows = Linked(model, SCHEMAS).fetch(CONNECTION, ids)
    plain = CONNECTION.execute(model.sql).fetchall()
    assert Counter(entry["row"] for entry in rows) == Counter(plain)
    assert keyed(model, None) == keyed(model, model.key)
    return Counter((entry["row"], tuple(sorted(entry["rows"]))) for entry in rows)


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
        ("select t.k, t.n as x from raw.a as t where t.n = 2 or exists (select * from raw.b where b.k = t.k and b.n = t.n)",
         {("p", 1): "a0 b0", ("p", 2): "a1"}),
        ("select t.k, t.n as x, t.n in (select b.n from raw.b where b.k is not null) as y from raw.a as t",
         {("p", 1, True): "a0 b0", ("p", 2, False): "a1", ("q", 1, True): "a2 b0"}),
        ("select t.k, count(*) as x from raw.a as t group by t.k having count(*) > (select count(b.n) from raw.b where b.n > 1)",
         {("p", 2): "a0 a1 b1"}),
        ("select t.k, count(*) filter (where t.n in (select b.n from raw.b)) as x from raw.a as t group by t.k",
         {("p", 1): "a0 a1 b0 b2", ("q", 1): "a2 b0 b2"}),
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


def test_marks_are_a_list_of_numbers_even_where_nothing_contributes() -> None:
    link = link_query(model_of("select 1 as k"), {}, relation)
    listed = ", ".join(link.marks.sql(name) for name in ("~k", "_decides", "_rows"))
    assert [str(kind) for kind in duckdb.sql(f"select {listed} from ({link.sql}) as q").types] == [
        "BIGINT[]"
    ] * 3


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
    link = link_query(model, SCHEMAS, relation)
    described = CONNECTION.execute(link.sql).description
    assert [column[0] for column in described] == ["Kind", "N_all", "_row0"]
    assert list(link.marks.ones[0]) == ["~Kind", "~N_all", "_decides", "_rows"]


def test_a_link_gives_no_other_columns_than_are_asked_for() -> None:
    model = model_of("select t.k, t.n as x from raw.a as t union all select t.k, t.n from raw.b as t")
    described = CONNECTION.execute(link_query(model, SCHEMAS, relation, columns=("k",)).sql).description
    assert [column[0] for column in described] == ["k", "_arm", "_row0"]


@pytest.mark.parametrize(
    "query",
    [
        "with u as (select t.k, t.n from raw.a as t union all select b.k, b.n from raw.b) select u.k, u.n as x from u",
        "with d as (select t.k, t.n + 1 as m from raw.a as t) select d.k, d.m as x from d where d.m > 1",
        "select t.k, b.n as x from raw.a as t left join raw.b on b.k = t.k",
        "select t.k, t.n as x from raw.a as t union all select b.k, b.n from raw.b",
    ],
)
def test_rows_that_are_read_and_joined_are_given_once_and_not_in_lists(query: str) -> None:
    assert link_query(model_of(query), SCHEMAS, relation).marks.lists == ()


def test_what_collects_rows_is_a_list_beside_them() -> None:
    query = "with e as (select b.k, max(b.n) as m from raw.b group by b.k) select t.k, e.m as x from raw.a as t join e using (k)"
    marks = link_query(model_of(query), SCHEMAS, relation).marks
    assert "~x" in (marks.lists or ())
    assert marks.ones[0]["~k"]
    assert Marks.of_json(marks.as_json()) == marks


def test_a_link_without_marks_has_lists_alone() -> None:
    assert Marks.of_json(None).sql("~x") == 'q."~x"'


def test_an_unknown_column_names_its_line() -> None:
    model = model_of("select t.k,\n t.nn as x from raw.a as t")
    with pytest.raises(InputError, match=r"generated model marts\.m:2: .*nn"):
        link_query(model, SCHEMAS, relation)


def test_unknown_columns_of_a_table_are_said() -> None:
    with pytest.raises(InputError, match=r"the columns of raw\.a are not known"):
        link_query(model_of("select t.k from raw.a as t"), {}, relation)


CELLS = [
    (
        "select a.k, a.n as x, b.n as y from raw.a left join raw.b on b.k = a.k and b.n = a.n where a.n = 1",
        {
            ("p", 1, 1): {"k": "a.k:a0", "x": "a.n:a0", "y": "a.k:a0 a.n:a0 b.k:b0 b.n:b0 b:b0"},
            ("q", 1, None): {"k": "a.k:a2", "x": "a.n:a2", "y": "a.k:a2 a.n:a2"},
        },
    ),
    (
        "with d as (select t.k, t.n from raw.a as t), e as (select d.k, max(d.n) as m from d group by d.k) "
        "select d.k, d.n as x, e.m as y from d join e on e.k = d.k where d.n = 2",
        {("p", 2, 2): {"k": "a.k:a1", "x": "a.n:a1", "y": "a.n:a0 a.n:a1"}},
    ),
    (
        "select t.k, t.n as x, 'a' as y from raw.a as t where t.n = 2 union all select b.k, b.n, b.k from raw.b where b.n = 9",
        {
            ("p", 2, "a"): {"k": "a.k:a1", "x": "a.n:a1", "y": ""},
            ("p", 9, "p"): {"k": "b.k:b1", "x": "b.n:b1", "y": "b.k:b1"},
        },
    ),
    (
        "select t.k, (select max(b.n) from raw.b where b.k = t.k) as x, 1 as y from raw.a as t where t.n = 2",
        {("p", 9, 1): {"k": "a.k:a1", "x": "b.k:b0 b.k:b1 b.n:b0 b.n:b1 b:b0 b:b1", "y": ""}},
    ),
]


@pytest.mark.parametrize(("query", "expected"), CELLS)
def test_a_cell_names_the_cells_it_is_computed_from(
    query: str, expected: dict[tuple[object, ...], dict[str, str]]
) -> None:
    model = model_of(query)
    fill(LITERAL)
    ids = {
        f"raw.{name}": dict(CONNECTION.execute(f"select rowid, _row_id from raw.{name}").fetchall())
        for name in "abc"
    }
    found = {entry["row"]: entry["cells"] for entry in Linked(model, SCHEMAS).fetch(CONNECTION, ids)}

    def shown(cells: set[tuple[str, str, str]]) -> str:
        named = (f"{table[4:]}.{column}" if column else table[4:] for table, column, _ in sorted(cells))
        return " ".join(
            sorted(f"{name}:{row_id}" for name, (_, _, row_id) in zip(named, sorted(cells), strict=True))
        )

    assert {row: {name: shown(c) for name, c in cells.items()} for row, cells in found.items()} == {
        row: {name: " ".join(sorted(text.split())) for name, text in cells.items()}
        for row, cells in expected.items()
    }


def test_a_row_of_a_query_used_as_a_value_is_refused() -> None:
    for query in (
        "with c as (select t.k, t.n from raw.a as t) select c.k, count(distinct c) as x from c group by c.k",
        "with c as (select t.k from raw.a as t) select c as k from c",
        "with c as (select t.k from raw.a as t) select to_json(c) as k from c",
    ):
        with pytest.raises(InputError, match=r"marts\.m:1: c stands for a whole row as a value"):
            link_query(model_of(query), SCHEMAS, relation)


def test_what_is_derived_from_a_model_does_not_depend_on_what_was_derived_before() -> None:
    model = model_of(
        "select t.k, sum(t.n) as x from raw.a as t left join raw.b as b on b.k = t.k group by t.k"
    )
    link, lineage = link_query(model, SCHEMAS, relation), column_lineage(model, SCHEMAS)
    check_types(model, SCHEMAS)
    assert column_lineage(model, SCHEMAS) == lineage
    assert link_query(model, SCHEMAS, relation) == link
