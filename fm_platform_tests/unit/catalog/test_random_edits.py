"""A thousand random edits of a home, one at a time: verify reports every one, and nothing when there is none.

Files that are recorded by their bytes (stored sources, published warehouse, snapshots, reports) lose, change or repeat
one byte; work tables, the origin of rows and the ledger have one value changed. Every edit is undone before the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.locking import lock_snapshot
from fm_platform.lineage.verify import Verification, verify_open
from fm_platform.warehouse.database import TableWrite, Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier, relation
from fm_platform_tests.unit.catalog.tiny_study import up_to_date

BYTE_EDITS, TABLE_EDITS, ORIGIN_EDITS, LEDGER_EDITS = 450, 250, 50, 250
SEED = 20261122
ALL_TYPES = pl.DataFrame(
    {
        "k": [1, 2, 3],
        "text": ["a", None, ""],
        "flag": [True, False, None],
        "small": pl.Series([1, -2, None], dtype=pl.Int8),
        "number": [0.1, float("nan"), None],
        "exact": pl.Series([Decimal("1.50"), Decimal("-2.25"), None], dtype=pl.Decimal(18, 2)),
        "day": [date(2026, 1, 31), date(1969, 7, 20), None],
        "at": [datetime(2026, 1, 31, 12, 30), datetime(1969, 7, 20), None],
        "texts": [["a", None], [], None],
        "numbers": [[1.0, 2.0], [], None],
        "pair": [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, None],
        "_row_ids": [["r1"], ["r1", "r2"], []],
    }
)


@dataclass(frozen=True)
class Opened:
    """A home whose work database is open."""

    home: Home
    warehouse: Warehouse

    def verified(self, *parts: str) -> Verification:
        return verify_open(self.warehouse, self.home, parts=parts)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A tiny home with a lock, and beside its own tables one with a column of every type."""
    folder = tmp_path_factory.mktemp("edits")
    catalog, home = up_to_date(folder / "study", folder / "home")
    lock_snapshot(catalog, home, "submitted", "latest", "Database lock")
    with open_warehouse(home, "edits") as warehouse:
        warehouse.write(TableWrite("stats.all_types", ("k",), ALL_TYPES, {"fingerprint": "none"}))
        yield Opened(home, warehouse)


def byte_files(home: Home) -> list[Path]:
    folders = (home.sources, home.snapshots, home.reports)
    return [
        home.published,
        *sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()),
    ]


def test_every_changed_byte_is_reported(opened):
    chosen = random.Random(SEED)
    files = byte_files(opened.home)
    assert opened.verified("sources", "published", "reports").problems == []
    for number in range(BYTE_EDITS):
        path = files[number % len(files)]
        content = path.read_bytes()
        at, flip = chosen.randrange(len(content)), chosen.randrange(1, 256)
        how = chosen.choice(("change", "change", "change", "drop", "repeat"))
        middle = {"change": bytes([content[at] ^ flip]), "drop": b"", "repeat": content[at : at + 1] * 2}[how]
        path.write_bytes(content[:at] + middle + content[at + 1 :])
        problems = opened.verified("sources", "published", "reports").problems
        path.write_bytes(content)
        assert [path.name in problem for problem in problems] == [True], (path, at, how, problems)
    assert opened.verified("sources", "published", "reports").problems == []


def other_value(value: object, kind: str, chosen: random.Random) -> object:
    """A value of the same type that differs."""
    if value is not None and chosen.random() < 0.2:
        return None
    if kind == "BOOLEAN":
        return not value
    if kind in ("DOUBLE", "FLOAT"):
        return 0.5 if value is None or value != value else math.nextafter(value, chosen.choice((-1e9, 1e9)))
    if kind.endswith("INT") or kind == "INTEGER":
        return 1 if value is None else value + chosen.choice((-1, 1))
    if kind.startswith("DECIMAL"):
        return Decimal("7.77") if value is None else value + Decimal("0.01")
    if kind in ("DATE", "TIMESTAMP"):
        return date(2000, 2, 29)
    if kind.startswith("STRUCT"):
        return {"a": 99, "b": "z"}
    if kind.endswith("[]"):
        inner = other_value(value[0] if value else None, kind[:-2], chosen)
        return [inner] if not value else chosen.choice(([inner, *value[1:]], value[:-1], [*value, value[0]]))
    text = str(value or "")
    at = chosen.randrange(len(text) + 1)
    return text[:at] + chosen.choice("x0 é") + text[at:] if chosen.random() < 0.5 or not text else text[1:]


def edit_one_value(warehouse: Warehouse, table: str, chosen: random.Random) -> str:
    """Change one value of one row; says which."""
    schema = warehouse.schema(table)
    rows = warehouse.connection.sql(f"SELECT rowid, * FROM {relation(table)}").fetchall()
    row = chosen.choice(rows)
    position = chosen.randrange(len(schema))
    column, kind = list(schema.items())[position]
    new = other_value(row[position + 1], kind, chosen)
    warehouse.connection.execute(
        f"UPDATE {relation(table)} SET {identifier(column)} = CAST(? AS {kind}) WHERE rowid = ?",
        [new, row[0]],
    )
    return f"{table}.{column}: {row[position + 1]!r} -> {new!r}"


def reported(opened: Opened, tables: list[str], chosen: random.Random) -> tuple[str, list[str]]:
    """What verify says after one edit, which is then undone."""
    opened.warehouse.connection.execute("BEGIN TRANSACTION")
    try:
        edit = edit_one_value(opened.warehouse, chosen.choice(tables), chosen)
        return edit, opened.verified("tables").problems
    finally:
        opened.warehouse.connection.execute("ROLLBACK")


def test_every_changed_value_of_a_table_is_reported_under_its_name(opened):
    chosen = random.Random(SEED + 1)
    tables = [table for table in own_tables(opened) if opened.warehouse.read(table).height]
    for _ in range(TABLE_EDITS):
        edit, problems = reported(opened, tables, chosen)
        assert problems, edit
        assert edit.split(".")[1] in problems[0], (edit, problems)
    assert opened.verified().problems == []


def own_tables(opened: Opened) -> list[str]:
    return [table for table in opened.warehouse.tables() if not table.startswith("audit.")]


def test_every_changed_origin_of_a_row_is_reported(opened):
    chosen = random.Random(SEED + 2)
    for _ in range(ORIGIN_EDITS):
        edit, problems = reported(opened, ["audit.source_rows"], chosen)
        assert any("audit.source_rows" in problem for problem in problems), edit


def test_every_changed_value_of_the_ledger_is_reported(opened):
    chosen = random.Random(SEED + 3)
    for _ in range(LEDGER_EDITS):
        edit, problems = reported(opened, ["audit.ledger"] * 9 + ["audit.head"], chosen)
        assert len(problems) == 1, edit
        assert "ledger record" in problems[0] or "audit.head" in problems[0], (edit, problems)


def test_the_home_that_was_edited_and_mended_a_thousand_times_is_consistent(opened):
    assert opened.verified("sources", "tables", "published", "reports").problems == []


def rewrite(warehouse: Warehouse, records: int) -> None:
    """Forge a ledger: its first records with one value changed, hashed anew from there on."""
    from fm_platform.warehouse.ledger import GENESIS, link

    kept = warehouse.records()[:records]
    warehouse.connection.execute("DELETE FROM fm.audit.ledger")
    warehouse.connection.execute("DELETE FROM fm.audit.head")
    previous = (0, GENESIS)
    for record in kept:
        body = {**record.content, "actor": "somebody else"}
        forged = link(previous, record.kind, record.run_id, body)
        warehouse.connection.execute(
            "INSERT INTO fm.audit.ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
            [forged.seq, forged.kind, forged.at, forged.run_id, forged.body, forged.prev_hash, forged.hash],
        )
        previous = (forged.seq, forged.hash)
    warehouse.connection.execute("INSERT INTO fm.audit.head VALUES (?, ?)", list(previous))


@pytest.mark.parametrize("lost", [0, 2])
def test_a_head_from_outside_exposes_a_ledger_that_was_rewritten_or_cut_short_as_a_whole(
    opened, tmp_path, lost
):
    noted = opened.warehouse.head()[1]
    assert verify_open(opened.warehouse, opened.home, noted, parts=()).anchored
    state = opened.home.state_file.read_bytes()
    opened.home.state_file.unlink()
    opened.warehouse.connection.execute("BEGIN TRANSACTION")
    try:
        rewrite(opened.warehouse, len(opened.warehouse.records()) - lost)
        assert not [p for p in opened.verified().problems if "publication" not in p]
        found = verify_open(opened.warehouse, opened.home, noted, parts=())
    finally:
        opened.warehouse.connection.execute("ROLLBACK")
        opened.home.state_file.write_bytes(state)
    assert not found.anchored
    assert any("cut short or rewritten" in problem for problem in found.problems)
