"""The digest of a table: it follows the documented encoding, and nothing but content changes it."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_platform.warehouse.database import TableWrite
from fm_platform.warehouse.digest import frame_digest

Encoder = Callable[[Sequence[Any]], bytes]

# -- the documented encoding, written a second time in plain Python --------------------------------------------


def integer(values: Sequence[int | None]) -> bytes:
    return b"".join(struct.pack("<q", int(v or 0)) for v in values)


def unsigned(values: Sequence[int | None]) -> bytes:
    return b"".join(struct.pack("<Q", v or 0) for v in values)


def double(values: Sequence[float | None]) -> bytes:
    quiet_nan = bytes.fromhex("000000000000f87f")
    return b"".join(
        quiet_nan if v is not None and v != v else struct.pack("<d", v or (v if v == 0 else 0.0))
        for v in values
    )


def text(values: Sequence[object]) -> bytes:
    encoded = [b"" if v is None else str(v).encode() for v in values]
    return b"".join(struct.pack("<q", len(v)) for v in encoded) + b"".join(encoded)


def days(values: Sequence[date | None]) -> bytes:
    return integer([None if v is None else v.toordinal() - date(1970, 1, 1).toordinal() for v in values])


def microseconds(values: Sequence[datetime | None]) -> bytes:
    epoch = datetime(1970, 1, 1)
    return integer([None if v is None else round((v - epoch).total_seconds() * 1_000_000) for v in values])


def nanoseconds(values: Sequence[time | None]) -> bytes:
    whole = [
        None if v is None else ((v.hour * 60 + v.minute) * 60 + v.second) * 10**6 + v.microsecond
        for v in values
    ]
    return integer([None if v is None else v * 1000 for v in whole])


def lists(element: Encoder) -> Encoder:
    def encode(values: Sequence[list[Any] | None]) -> bytes:
        elements = [item for value in values for item in value or []]
        return integer([len(value or []) for value in values]) + column(elements, element)

    return encode


def structs(**fields: Encoder) -> Encoder:
    def encode(values: Sequence[dict[str, Any] | None]) -> bytes:
        return b"".join(column([(v or {}).get(name) for v in values], kind) for name, kind in fields.items())

    return encode


def column(values: Sequence[Any], encode: Encoder) -> bytes:
    return bytes(value is not None for value in values) + encode(values) if values else b""


def reference_digest(types: Sequence[tuple[str, str, Encoder]], rows: Sequence[Sequence[Any]]) -> str:
    schema = json.dumps([[name, kind] for name, kind, _ in types], ensure_ascii=False, separators=(",", ":"))
    content = b"fm-digest-1\n" + schema.encode() + b"\n" + struct.pack("<q", len(rows))
    for at, (_, _, encode) in enumerate(types):
        content += column([row[at] for row in rows], encode)
    return hashlib.sha256(content).hexdigest()


TYPES: list[tuple[str, str, Encoder]] = [
    ("key", "BIGINT", integer),
    ("flag", "BOOLEAN", integer),
    ("small", "SMALLINT", integer),
    ("large", "UBIGINT", unsigned),
    ("real", "DOUBLE", double),
    ("single", "FLOAT", double),
    ("exact", "DECIMAL(18,6)", text),
    ("huge", "HUGEINT", text),
    ("words", "VARCHAR", text),
    ("day", "DATE", days),
    ("moment", "TIMESTAMP", microseconds),
    ("clock", "TIME", nanoseconds),
    ("ids", "VARCHAR[]", lists(text)),
    ("matrix", "INTEGER[][]", lists(lists(integer))),
    ("pair", "STRUCT(a INTEGER, b VARCHAR)", structs(a=integer, b=text)),
]
ROWS: list[tuple[Any, ...]] = [
    (-3, True, -32768, 2**64 - 1, 0.1, 1.5, Decimal("-1.500000"), 2**100, "Müller, \"x\"\n", date(1969, 12, 31),
     datetime(2021, 3, 2, 8, 15, 0, 123456), time(23, 59, 59, 1), ["a", "", "bc"], [[1], [2, 3]], {"a": 1, "b": "x"}),
    (1, None, None, None, None, None, None, None, None, None, None, None, None, None, None),
    (2, False, 0, 0, -0.0, float("inf"), Decimal("0.000001"), -1, "", date(1970, 1, 1),
     datetime(1969, 12, 31, 23, 59, 59), time(0), [], [[], [7]], {"a": None, "b": ""}),
    (9, True, 7, 1, float("nan"), float("nan"), Decimal("123456789012.000000"), 0, "日本", date(2400, 2, 29),
     datetime(9999, 1, 1), time(12), ["a", None], [None, [None]], None),
]  # fmt: skip


def test_the_digest_is_that_of_the_documented_encoding(warehouse):
    listed = ", ".join(f'"{name}" {kind}' for name, kind, _ in TYPES)
    warehouse.connection.execute(f"CREATE SCHEMA fm.t; CREATE TABLE fm.t.all_types ({listed})")
    marks = ", ".join("?" for _ in TYPES)
    for row in reversed(ROWS):
        warehouse.connection.execute(f"INSERT INTO fm.t.all_types VALUES ({marks})", list(row))
    digests = warehouse.digests("t.all_types", ["key"])
    assert digests.rows == 4
    assert digests.full == reference_digest(TYPES, ROWS)


@pytest.mark.parametrize("at", range(len(TYPES)), ids=[name for name, _, _ in TYPES])
def test_every_type_alone_is_encoded_as_documented(warehouse, at):
    name, kind, _ = TYPES[at]
    warehouse.connection.execute(
        f'CREATE SCHEMA fm.t; CREATE TABLE fm.t.one (position INTEGER, "{name}" {kind})'
    )
    for position, row in enumerate(ROWS):
        warehouse.connection.execute("INSERT INTO fm.t.one VALUES (?, ?)", [position, row[at]])
    types = [("position", "INTEGER", integer), TYPES[at]]
    rows = [(position, row[at]) for position, row in enumerate(ROWS)]
    assert warehouse.digests("t.one", ["position"]).full == reference_digest(types, rows)


def test_an_empty_table_has_the_digest_of_its_schema(warehouse):
    warehouse.connection.execute("CREATE SCHEMA fm.t; CREATE TABLE fm.t.none (a INTEGER, b VARCHAR[])")
    types = [("a", "INTEGER", integer), ("b", "VARCHAR[]", lists(text))]
    assert warehouse.digests("t.none", ["a"]).full == reference_digest(types, [])


# -- what does not matter, what does ---------------------------------------------------------------------------

SCHEMA = {
    "key": pl.Int64,
    "text": pl.String,
    "real": pl.Float64,
    "ids": pl.List(pl.String),
    "deep": pl.List(pl.List(pl.Int64)),
}
KINDS = [
    ("key", "BIGINT"),
    ("text", "VARCHAR"),
    ("real", "DOUBLE"),
    ("ids", "VARCHAR[]"),
    ("deep", "BIGINT[][]"),
]
LETTERS = st.text(alphabet="ab ,\n\x00ä日", max_size=4)
VALUES = st.tuples(
    st.none() | LETTERS,
    st.none() | st.floats(width=64) | st.sampled_from([0.0, -0.0, float("nan")]),
    st.none() | st.lists(st.none() | LETTERS, max_size=3),
    st.none() | st.lists(st.none() | st.lists(st.none() | st.integers(-2, 2), max_size=2), max_size=3),
)
TABLES = st.lists(VALUES, max_size=6)


def frame_of(values: Sequence[Sequence[Any]]) -> pl.DataFrame:
    rows = [(key, *value) for key, value in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def content_of(values: Sequence[Sequence[Any]]) -> list[Any]:
    """Values in a form in which equality means the same content: NaN is NaN, -0.0 is not 0.0."""
    return [[repr(float(cell)) if isinstance(cell, float) else cell for cell in row] for row in values]


@given(TABLES, TABLES)
def test_two_tables_have_one_digest_exactly_if_their_content_is_the_same(first, second):
    same = content_of(first) == content_of(second)
    assert (frame_digest(frame_of(first), KINDS) == frame_digest(frame_of(second), KINDS)) == same


@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_any_single_changed_value_changes_the_digest(values, data):
    row = data.draw(st.integers(0, len(values) - 1))
    cell = data.draw(st.integers(0, 3))
    other = data.draw(VALUES)[cell]
    changed = [list(entry) for entry in values]
    changed[row][cell] = other
    same = content_of(changed) == content_of(values)
    assert (frame_digest(frame_of(changed), KINDS) == frame_digest(frame_of(values), KINDS)) == same


@given(st.lists(VALUES, min_size=2, max_size=6), st.data())
def test_how_a_frame_is_cut_into_chunks_does_not_matter(values, data):
    at = data.draw(st.integers(1, len(values) - 1))
    whole = frame_of(values)
    pieces = pl.concat([whole.slice(0, at), whole.slice(at)], rechunk=False)
    assert pieces.n_chunks() == 2
    assert frame_digest(pieces, KINDS) == frame_digest(whole, KINDS)


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.none() | LETTERS, st.none() | st.integers(0, 3)), unique=True, max_size=8),
    st.randoms(),
)
def test_the_order_of_rows_does_not_matter(tmp_path_factory, keys, random):
    from fm_platform.warehouse.database import open_warehouse
    from fm_platform.warehouse.home import Home

    home = Home(tmp_path_factory.mktemp("order"))
    home.ensure()
    shuffled = random.sample(keys, len(keys))
    found = []
    with open_warehouse(home, "r") as warehouse:
        for name, rows in (("t.a", keys), ("t.b", shuffled)):
            frame = pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64}, orient="row")
            record, _ = warehouse.write(TableWrite(name, ("k", "n"), frame, {}))
            found.append(record.content["value_digest"])
    assert found[0] == found[1]


def test_storage_order_and_threads_do_not_matter_over_many_row_groups(warehouse):
    columns = "range AS i, 'v' || (range % 1000) AS v, CASE WHEN range % 7 > 0 THEN [range, NULL] END AS l"
    numbers = f"SELECT {columns} FROM range(150000)"
    warehouse.connection.execute(f"CREATE SCHEMA fm.t; CREATE TABLE fm.t.sorted AS {numbers}")
    warehouse.connection.execute("CREATE TABLE fm.t.mixed AS SELECT * FROM fm.t.sorted ORDER BY hash(i)")
    found = set()
    for threads in (1, 4):
        warehouse.connection.execute(f"SET threads = {threads}")
        found |= {warehouse.digests(table, ["i"]).full for table in ("t.sorted", "t.mixed")}
    assert len(found) == 1
    warehouse.connection.execute("UPDATE fm.t.mixed SET v = 'w1' WHERE i = 131071")
    assert warehouse.digests("t.mixed", ["i"]).full not in found


def test_every_nan_is_the_same_nan():
    payloads = np.array(
        [0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001], dtype="<u8"
    )
    assert all(math.isnan(value) for value in payloads.view("<f8"))
    found = {
        frame_digest(pl.DataFrame({"x": payloads[i : i + 1].view("<f8")}), [("x", "DOUBLE")])
        for i in range(4)
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pl.String, [None, "", "0", " ", "NULL"]),
        (pl.Int64, [None, 0, 1, -1]),
        (pl.Float64, [None, 0.0, -0.0, float("nan"), float("inf"), 5e-324]),
        (pl.Boolean, [None, False, True]),
        (pl.List(pl.String), [None, [], [None], [""], ["a", "b"], ["ab"], ["ab", ""]]),
        (
            pl.List(pl.List(pl.String)),
            [[["a"], ["b"]], [["a", "b"]], [["a", "b"], []], [[], ["a", "b"]], [["a"], None, ["b"]]],
        ),
        (pl.Decimal(18, 6), [None, Decimal("0"), Decimal("0.000001"), Decimal("-0.000001")]),
        (pl.Struct({"a": pl.Int64, "b": pl.Int64}), [None, {"a": 1, "b": None}, {"a": None, "b": 1}]),
    ],
    ids=str,
)  # fmt: skip
def test_values_that_look_alike_differ(kind, values):
    found = {
        frame_digest(pl.DataFrame({"x": pl.Series([value], dtype=kind)}), [("x", "T")]) for value in values
    }
    assert len(found) == len(values)


def test_values_do_not_slide_between_rows_or_columns():
    kinds = [("a", "VARCHAR"), ("b", "VARCHAR")]
    tables = [[("ab", "c")], [("a", "bc")], [("abc", "")], [("ab", "c"), ("", "")], [("", "")], []]
    found = {
        frame_digest(pl.DataFrame(t, schema={"a": pl.String, "b": pl.String}, orient="row"), kinds)
        for t in tables
    }
    assert len(found) == len(tables)


def test_names_types_and_the_order_of_columns_are_content():
    frame = pl.DataFrame({"a": [1], "b": [1]})
    schemas = [
        [("a", "BIGINT"), ("b", "BIGINT")],
        [("b", "BIGINT"), ("a", "BIGINT")],
        [("a", "INTEGER"), ("b", "BIGINT")],
    ]
    assert len({frame_digest(frame, schema) for schema in schemas}) == 3


def test_only_the_full_digest_sees_the_platform_s_own_columns(warehouse):
    frame = pl.DataFrame({"k": ["a", "b"], "_row_ids": [["1"], ["2"]]})
    first, _ = warehouse.write(TableWrite("t.x", ("k",), frame, {}))
    moved = frame.with_columns(pl.Series("_row_ids", [["1"], ["3"]]))
    second, _ = warehouse.write(TableWrite("t.x", ("k",), moved, {}))
    assert first.content["value_digest"] == second.content["value_digest"]
    assert first.content["full_digest"] != second.content["full_digest"]
