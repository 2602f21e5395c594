"""Row links against brute force, over random queries and databases: what docs/lineage.md promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.sql.loader import load_models
from fm_platform.sql.model import GeneratedModel, SqlModel
from fm_platform_tests.unit.sql.linked import Linked
from fm_platform_tests.unit.sql.random_queries import TABLES, Query, positive, queries

Database = dict[str, list[tuple[str, str | None, int | None]]]
"""Table (a, b, c) to its rows: row id, k, n."""

Rows = Counter[tuple[object, ...]]

FOLDER = TemporaryDirectory()  # without models; removed when the interpreter ends
SCHEMAS = {f"raw.{table}": {"_row_id": "VARCHAR", "k": "VARCHAR", "n": "INTEGER"} for table in TABLES}
CONNECTION = duckdb.connect(config={"threads": 1})
CONNECTION.execute("create schema delivered; create schema raw")
for name in TABLES:
    CONNECTION.execute(f"create table delivered.{name} (_row_id varchar, k varchar, n integer)")
    CONNECTION.execute(
        f"create view raw.{name} as select rowid, * from delivered.{name}"
        " where not list_contains(getvariable('gone')::varchar[], _row_id)"
    )


def model_of(sql: str, *columns: str) -> SqlModel:
    names = dict.fromkeys(columns, "A column.")
    return load_models(Path(FOLDER.name), [GeneratedModel("marts.m", sql, "A case.", names, ("k",))])[0]


class Run:
    """A model, compiled once, run on one database after another: what is there less the rows that are gone."""

    def __init__(self, sql: str, *columns: str) -> None:
        model = model_of(sql, *columns)
        self.plain = model.sql
        self.linked = Linked(model, SCHEMAS)

    def rows(self, gone: Iterable[str] = ()) -> Rows:
        """The plain query's rows."""
        CONNECTION.execute(f"set variable gone = {sorted(gone)}::varchar[]")
        return Counter(CONNECTION.execute(self.plain).fetchall())

    def rows_with_ids(self, gone: Iterable[str] = ()) -> Rows:
        """The rewritten query's rows: those of the plain query, each with a sorted set of ids as its last cell."""
        plain_rows = self.rows(gone)
        found = self.linked.fetch(CONNECTION, rowids())
        assert Counter(entry["row"] for entry in found) == plain_rows
        return Counter((*entry["row"], tuple(sorted(entry["rows"]))) for entry in found)


def rowids() -> dict[str, dict[int, str]]:
    return {
        f"raw.{name}": dict(CONNECTION.execute(f"select rowid, _row_id from delivered.{name}").fetchall())
        for name in TABLES
    }


def deliver(database: Database) -> None:
    statements = []
    for table in TABLES:
        rows = ", ".join(
            f"({', '.join('null' if cell is None else repr(cell) for cell in row)})"
            for row in database[table]
        )
        statements.append(f"truncate delivered.{table}")
        if rows:
            statements.append(f"insert into delivered.{table} values {rows}")
    CONNECTION.execute("; ".join(statements))


def row_ids(database: Database) -> list[str]:
    return [row[0] for rows in database.values() for row in rows]


def databases(most: int) -> st.SearchStrategy[Database]:
    row = st.tuples(st.sampled_from(["p", "q", None]), st.sampled_from([0, 1, 2, None]))

    def named(tables: tuple[list[tuple[str | None, int | None]], ...]) -> Database:
        return {
            table: [(f"{table}{number}", *cells) for number, cells in enumerate(rows)]
            for table, rows in zip(TABLES, tables, strict=True)
        }

    return st.tuples(*(st.lists(row, max_size=most) for _ in TABLES)).map(named)


@settings(max_examples=300)
@given(queries(depth=2), databases(most=3))
def test_removing_a_raw_row_changes_only_rows_that_name_it(query: Query, database: Database) -> None:
    run = Run(query.sql, "k", "x")
    deliver(database)
    before = run.rows_with_ids()
    for gone in row_ids(database):
        if gone[0] in query.blind:
            continue
        kept = Counter({row: count for row, count in before.items() if gone not in row[-1]})
        after = run.rows_with_ids({gone})
        assert kept <= after, (query.sql, gone)
        if gone[0] not in query.gains:
            assert {row[:-1] for row in after} <= {row[:-1] for row in before}, (query.sql, gone)


def decisive(run: Run, database: Database) -> dict[tuple[object, ...], set[str]]:
    """For each output row, the raw rows that decide about it, by brute force.

    A raw row decides about an output row if there is a part of the database in which taking the raw row away changes
    how often the output row occurs.
    """
    everything = frozenset(row_ids(database))
    parts = chain.from_iterable(combinations(sorted(everything), size) for size in range(len(everything) + 1))
    results = {frozenset(part): run.rows(everything - set(part)) for part in parts}
    return {
        row: {
            gone
            for part, rows in results.items()
            for gone in part
            if rows[row] != results[part - {gone}][row]
        }
        for row in results[everything]
    }


def check_exact(sql: str, columns: tuple[str, ...], database: Database) -> None:
    run = Run(sql, *columns)
    deliver(database)
    named: dict[tuple[object, ...], set[str]] = {}
    for row in run.rows_with_ids():
        named.setdefault(row[:-1], set()).update(row[-1])
    assert named == decisive(run, database), sql


SMALL = databases(most=2)


@settings(max_examples=150)
@given(positive(depth=2), SMALL)
def test_select_join_and_union_name_exactly_the_rows_that_brute_force_finds(
    query: Query, database: Database
) -> None:
    check_exact(query.sql, ("k", "x"), database)


@settings(max_examples=150)
@given(positive(depth=1), st.sampled_from(["sum(s.x)", "max(s.x)", "count(s.x)"]), SMALL)
def test_a_group_names_exactly_the_rows_that_brute_force_finds(
    query: Query, call: str, database: Database
) -> None:
    sql = f"select s.k, {call} as x, count(*) as y from ({query.sql}) as s group by s.k"
    check_exact(sql, ("k", "x", "y"), database)


def by_key(run: Run, gone: Iterable[str] = ()) -> dict[object, dict[str, object]]:
    """The plain rows by their first column, which is unique."""
    return {row[0]: dict(zip(("k", "x", "y"), row, strict=True)) for row in run.rows(gone)}


@settings(max_examples=100)
@given(positive(depth=1), SMALL)
def test_a_cell_changes_only_with_rows_that_it_or_its_row_names(query: Query, database: Database) -> None:
    """Two columns from two sides of a left join: each names its own side, and the row what lets it be there."""
    sql = (
        f"with q as ({query.sql}), p as (select t.k, max(t.n) as m from raw.a as t group by t.k) "
        "select s.k, sum(s.x) as x, max(p.m) as y from q as s left join p on p.k = s.k group by s.k"
    )
    run = Run(sql, "k", "x", "y")
    deliver(database)
    before = by_key(run)
    linked = {entry["row"][0]: entry for entry in run.linked.fetch(CONNECTION, rowids())}
    for entry in linked.values():
        assert {table for table, _, _ in entry["cells"]["y"]} <= {"raw.a"} | {
            f"raw.{t}" for t in query.tables
        }
    for gone in row_ids(database):
        after = by_key(run, {gone})
        for key in before.keys() & after.keys():
            entry = linked[key]
            for column in ("x", "y"):
                named = {row_id for _, _, row_id in entry["cells"][column]}
                if before[key][column] != after[key][column]:
                    assert gone in named | entry["decides"], (sql, gone, column)
        for key in before.keys() - after.keys():
            assert gone in linked[key]["rows"], (sql, gone)
