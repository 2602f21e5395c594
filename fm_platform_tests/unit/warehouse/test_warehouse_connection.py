"""Faults of DuckDB: shown on a bare connection, absent on the platform's.

A case that stops failing on a bare connection says so: the newer DuckDB has mended it, and the case goes. When no case
of an optimizer is left, its name goes from ``FAULTY_OPTIMIZERS``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

import fm_platform
from fm_platform.warehouse.bound import bound
from fm_platform.warehouse.connection import FAULTY_OPTIMIZERS, connect
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_file
from fm_platform.warehouse.snapshot import open_snapshots

FAMILIES = """CREATE TABLE t AS SELECT * FROM (VALUES ('a', 'f'), ('b', 'f'), ('c', 'g')) AS v(k, fam)"""
OVER_HITS = "SELECT k, bool_or(hit) OVER (PARTITION BY fam) FROM (SELECT *, k = ? AS hit FROM t) ORDER BY k"
OF_A = [("a", True), ("b", True), ("c", False)]


@dataclass(frozen=True)
class Fault:
    """A statement that DuckDB answers wrongly, with the answer worked out by hand."""

    name: str
    optimizer: str
    setup: str
    sql: str
    right: list[tuple[object, ...]]


FAULTS = [
    Fault(
        "a window over an expression with a parameter",
        "window_self_join",
        f"{FAMILIES}; PREPARE p AS {OVER_HITS}",
        "EXECUTE p('a')",
        OF_A,
    ),
    Fault(
        "two windows, one with a repeated key (duckdb#24780)",
        "window_self_join",
        "CREATE TABLE t(id BIGINT, name VARCHAR, v VARCHAR); INSERT INTO t VALUES (NULL, 'a', ''), (2, 'z', '')",
        "SELECT name, bit_and(id) OVER (PARTITION BY id, v), bit_or(id) OVER (PARTITION BY v, v) FROM t",
        [("a", None, 2), ("z", 2, 2)],
    ),
    Fault(
        "UNION ALL over two filters of one LEFT JOIN (duckdb#24624)",
        "common_subplan",
        "CREATE TABLE f AS SELECT false AS c; CREATE TABLE g AS SELECT 'a' AS s",
        """SELECT count(*) FROM (
          SELECT * FROM f LEFT JOIN g ON true WHERE NOT (NOT c AND substring(s FROM -4294967296) <> s)
          UNION ALL
          SELECT * FROM f LEFT JOIN g ON true WHERE (NOT c AND substring(s FROM -4294967296) <> s) IS NULL)""",
        [(1,)],
    ),
    Fault(
        "the first row in an order that holds only nulls (duckdb#23677)",
        "top_n_window_elimination",
        "CREATE TABLE t AS SELECT * FROM (VALUES ('a', 'n.d.'), ('a', '2'), ('b', 'n.d.')) AS v(g, x)",
        "SELECT g, x FROM t QUALIFY row_number() OVER (PARTITION BY g ORDER BY try_cast(x AS INTEGER)) = 1 ORDER BY g",
        [("a", "2"), ("b", "n.d.")],
    ),
    Fault(
        "the first row of an empty table (duckdb#23675)",
        "top_n_window_elimination",
        "CREATE TABLE t(s INTEGER, p INTEGER)",
        "SELECT p FROM t QUALIFY row_number() OVER (ORDER BY s) <= 1",
        [],
    ),
    Fault(
        "the first rows of a join that repeats one (duckdb#23588)",
        "top_n_window_elimination",
        "CREATE TABLE l AS SELECT 1 AS k, 'x' AS p; CREATE TABLE r AS SELECT * FROM (VALUES (1, 2), (1, 1)) AS v(k, s)",
        "SELECT k, p FROM (SELECT l.k, l.p, r.s FROM l JOIN r USING (k)) QUALIFY row_number() OVER (ORDER BY s) <= 2",
        [(1, "x"), (1, "x")],
    ),
]


def _answer(connection: duckdb.DuckDBPyConnection, fault: Fault) -> list[tuple[object, ...]]:
    with connection:
        connection.execute(fault.setup)
        return sorted(connection.execute(fault.sql).fetchall(), key=repr)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_connection_of_the_platform_is_right_where_a_bare_one_is_wrong(fault: Fault):
    assert _answer(connect(), fault) == fault.right
    if _answer(duckdb.connect(), fault) == fault.right:
        pytest.fail(
            f"DuckDB {duckdb.__version__} no longer has the fault '{fault.name}': take out this case and, if it is the "
            f"last of {fault.optimizer}, the name in FAULTY_OPTIMIZERS of warehouse/connection.py"
        )


def test_no_optimizer_is_off_without_a_fault_that_shows_why():
    assert {fault.optimizer for fault in FAULTS} == set(FAULTY_OPTIMIZERS)


def test_every_way_to_open_a_database_has_the_optimizers_off(warehouse, home: Home, tmp_path: Path):
    path = tmp_path / "some.duckdb"
    with connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS a")
    with open_file(path) as published, open_snapshots(old=path) as snapshots:
        for connection in (warehouse.connection, published.connection, snapshots):
            (off,) = connection.sql(
                "SELECT string_split(current_setting('disabled_optimizers'), ',')"
            ).fetchone()
            assert set(off) == set(FAULTY_OPTIMIZERS)


def test_duckdb_is_opened_in_one_place_only():
    package = Path(fm_platform.__file__).parent
    opening = [
        path.name
        for path in package.rglob("*.py")
        if any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    assert opening == ["connection.py"]


def test_a_bound_value_never_is_a_parameter_under_a_window(warehouse):
    """Right even where the optimizer that fails is on: the plan holds a literal."""
    with duckdb.connect() as bare:
        bare.execute(FAMILIES)
        assert bare.sql(bound(OVER_HITS, ["a"])).fetchall() == OF_A
    warehouse.connection.execute("CREATE TABLE memory.main.t AS SELECT 'a' AS k, 'f' AS fam")
    assert warehouse.query(OVER_HITS.replace("FROM t", "FROM memory.main.t"), ["a"]).rows() == [("a", True)]


def test_a_value_is_what_was_given_and_a_question_mark_in_a_text_stays(warehouse):
    odd = 'it\'s ? $$ -- "x"'
    sql = """SELECT ? AS odd, 'why? it''s' AS "what?", $$ ? $$ AS dollars, /* ? */ ? AS n, ? AS flag, len(?) AS many,
        ? AS nothing -- really?"""
    assert warehouse.query(sql, [odd, 3, True, ["a", "o'b"], None]).rows() == [
        (odd, "why? it's", " ? ", 3, True, 2, None)
    ]


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_as_many_values_as_places_or_an_error(values: list[int]):
    with pytest.raises(ValueError, match=f"2 places for {len(values)} values"):
        bound("SELECT ?, ?", values)
