"""Delivered rows that differ between two snapshots: added, removed, changed with their cells, set aside or let in.

Belongs here: pairing the rows of ``raw.*`` tables and naming file and line. Does not belong here: what follows from it.

A raw row's id is a hash of its content, so a corrected cell is one id gone and another come. The two are one row when
the columns that identify it (by study.yaml, REDCap's own, or the gene) agree, or else when they stand on the same line
of the same file and most of their cells agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from fm_platform.lineage.diff.records import Made, Records
from fm_platform.validation.withdrawals import RULE as WITHDRAWN_RULE
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import identifier, relation

ROW_ID = "_row_id"
MANY = 200
"""More changed rows of one source than this are told together."""
_REDCAP = ("record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")


@dataclass(frozen=True)
class SourceChange:
    """One delivered row that differs, or all of a source where there are many.

    Attributes:
        table: The raw table.
        change: changed, added, removed; set aside, let in, withdrawn for a row that is delivered as before.
        ids: The row ids it is about, of either side; empty where ``many``.
        places: For each side, where the row stands: (file, line, file's SHA-256), if it is there.
        cells: Column, old, new. Empty for added and removed rows.
        many: How many rows are told together.
        text: What the gate says.
    """

    table: str
    change: str
    ids: tuple[str, ...] = ()
    places: tuple[tuple[str, int, str] | None, tuple[str, int, str] | None] = (None, None)
    cells: tuple[tuple[str, Any, Any], ...] = ()
    many: int = 0
    text: str = ""
    row: Mapping[str, Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that differ; empty for all."""
        return tuple(dict.fromkeys(column.partition("[")[0] for column, _, _ in self.cells))


def changed_sources(connection: duckdb.DuckDBPyConnection, records: Records) -> Iterator[SourceChange]:
    """Every delivered row that differs, file by file; then those that the gate treats differently."""
    for table in records.tables:
        if table.startswith("raw.") and records.changed(table) and records.of(table).key == (ROW_ID,):
            yield from _of_table(connection, records, table)
    for table in records.tables:
        if table.startswith("quarantine.") and records.changed(table):
            yield from _of_gate(connection, records, table)


def _of_table(connection: duckdb.DuckDBPyConnection, records: Records, table: str) -> list[SourceChange]:
    sides = [side for side in ("a", "b") if table in records.made[side]]
    if len(sides) < 2:
        return [
            SourceChange(
                table, "added" if sides == ["b"] else "removed", many=_count(connection, table, sides[0])
            )
        ]
    gone, come = (_count_only(connection, table, one, other) for one, other in (("a", "b"), ("b", "a")))
    if max(gone, come) > MANY:
        return [SourceChange(table, "changed", many=max(gone, come))]
    removed, added = (_only(connection, table, one, other) for one, other in (("a", "b"), ("b", "a")))
    changes = []
    for old, new in _pairs(removed, added, _identity(records.of(table), records, table)):
        cells = tuple(_cells(old, new, _names_of_lists(connection, table))) if old and new else ()
        rows = [row for row in (old, new) if row]
        changes.append(
            SourceChange(
                table,
                "changed" if old and new else "added" if new else "removed",
                tuple(row[ROW_ID] for row in rows),
                (_place(old), _place(new)),
                cells,
                row=rows[-1] if len(rows) == 1 else None,
            )
        )
    return changes


def _count(connection: duckdb.DuckDBPyConnection, table: str, side: str) -> int:
    found = connection.sql(f"SELECT count(*) FROM {relation(table, side)}").fetchone()
    return int(found[0]) if found else 0


def _count_only(connection: duckdb.DuckDBPyConnection, table: str, one: str, other: str) -> int:
    found = connection.sql(
        f"SELECT count(*) FROM {relation(table, one)} ANTI JOIN {relation(table, other)} USING ({ROW_ID})"
    ).fetchone()
    return int(found[0]) if found else 0


def _only(connection: duckdb.DuckDBPyConnection, table: str, one: str, other: str) -> list[dict[str, Any]]:
    """Rows of one side that the other does not have, with where they stand."""
    found = connection.sql(
        f"SELECT t.*, s.path AS _path, s.line AS _line, s.file_sha256 AS _sha256 FROM {relation(table, one)} AS t "
        f"LEFT JOIN {one}.audit.source_rows AS s USING ({ROW_ID}) "
        f"ANTI JOIN {relation(table, other)} AS o USING ({ROW_ID}) ORDER BY _path, _line"
    )
    return frame_of(found).to_dicts()


def _identity(made: Made, records: Records, table: str) -> list[tuple[str, ...]]:
    """Sets of columns that may identify a row of a raw table, the best first."""
    columns = {name for name, _ in made.body["columns"]}
    source = table.split(".", 1)[1]
    data = records.study(made).data or {}
    declared = (data.get("clinical") or {}).get(source) or {}
    roles = declared.get("columns") or {}
    named: list[str] = []
    for role in ("subject", "visit", "date"):
        value = roles.get(role, [])
        named += value if isinstance(value, list) else [value]
    samples = ((data.get("expression") or {}).get("samples") or {}).get("id")
    candidates = [
        tuple(named),
        tuple(named[:-1]) if "date" in roles else (),
        tuple(column for column in _REDCAP if column in columns),
        ("sheet", "gene_id"),
        (samples,) if source == "samples" and samples else (),
    ]
    return [chosen for chosen in candidates if chosen and set(chosen) <= columns]


def _pairs(
    removed: Sequence[dict[str, Any]], added: Sequence[dict[str, Any]], identities: Iterable[tuple[str, ...]]
) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Old and new form of each row, None where there is only one."""
    pairs: list[tuple[dict[str, Any] | None, dict[str, Any] | None]] = []
    left, right = list(removed), list(added)
    for columns in [*identities, ("_path", "_line")]:
        by_key = [_unique(rows, columns) for rows in (left, right)]
        for key, old in by_key[0].items():
            new = by_key[1].get(key)
            if new is not None and (columns[0] != "_path" or _mostly_equal(old, new)):
                pairs.append((old, new))
        taken = {id(row) for pair in pairs for row in pair}
        left, right = ([row for row in rows if id(row) not in taken] for rows in (left, right))
    return [*pairs, *((row, None) for row in left), *((None, row) for row in right)]


def _unique(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in columns), []).append(row)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _mostly_equal(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    shared = [name for name in old if name in new and not name.startswith("_")]
    return 2 * sum(old[name] == new[name] for name in shared) > len(shared)


def _cells(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Mapping[int, str]
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if name.startswith("_") or before == after:
            continue
        if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for position, (one, other) in enumerate(zip(before, after, strict=True), 1):
                if one != other:
                    yield f"{name}[{names.get(position, position)}]", one, other
        else:
            yield name, before, after


def _names_of_lists(connection: duckdb.DuckDBPyConnection, table: str) -> dict[int, str]:
    """What the positions of a count row are called in its file."""
    if table != "raw.counts":
        return {}
    rows = connection.sql(
        "SELECT sheet, \"column\" FROM b.raw.count_columns WHERE kind = 'count' ORDER BY sheet, position"
    ).fetchall()
    if len({sheet for sheet, _ in rows}) > 1:
        return {}
    return {position: str(name) for position, (_, name) in enumerate(rows, 1)}


def _place(row: Mapping[str, Any] | None) -> tuple[str, int, str] | None:
    return (row["_path"], row["_line"], row["_sha256"]) if row and row["_path"] is not None else None


def _of_gate(connection: duckdb.DuckDBPyConnection, records: Records, table: str) -> Iterator[SourceChange]:
    """Rows delivered as before whose standing at the gate differs."""
    raw = f"raw.{table.split('.', 1)[1]}"
    if any(name not in records.made[side] for side in ("a", "b") for name in (table, raw)):
        return
    for one, other, change in (("b", "a", "set aside"), ("a", "b", "let in")):
        rows = connection.sql(
            f'SELECT q.{ROW_ID} AS id, q.scope, q."column", q.rule, q.reason, s.path, s.line, s.file_sha256 '
            f"FROM {relation(table, one)} AS q SEMI JOIN {relation(raw, other)} AS d USING ({ROW_ID}) "
            f"LEFT JOIN {one}.audit.source_rows AS s USING ({ROW_ID}) "
            f"ANTI JOIN {relation(table, other)} AS o ON q.{ROW_ID} = o.{ROW_ID} AND q.rule = o.rule "
            f'AND q."column" IS NOT DISTINCT FROM o."column" ORDER BY s.path, s.line, q.rule LIMIT {MANY + 1}'
        ).fetchall()
        if len(rows) > MANY:
            yield SourceChange(raw, change, many=len(rows))
            continue
        for row_id, _, column, rule, reason, path, line, sha256 in rows:
            place = (path, line, sha256) if path is not None else None
            withdrawn = change == "set aside" and rule == WITHDRAWN_RULE
            yield SourceChange(
                raw,
                "withdrawn" if withdrawn else change,
                (row_id,),
                (place, place),
                text=f"{rule}: {reason}" + (f" (column {identifier(column)})" if column else ""),
            )
