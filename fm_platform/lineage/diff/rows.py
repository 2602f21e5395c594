"""The changed rows of every table, and which reasons reach each: SQL over two attached snapshots.

Belongs here: one temporary table of changed rows and one of their reasons for each table that differs, made without
reading a table into Python. Does not belong here: what a reason says, or printing.

For a table ``t`` in graph order, ``rows(t)`` has one row for each key that differs: ``n``, ``status``, ``changed``
(column names), ``old`` and ``new`` (structs), ``row_a`` and ``row_b`` (their ``rowid`` on either side); ``why(t)`` has
(n, reason). A changed row of an input reaches a changed row of ``t``

* where the link of ``t`` names it, on either side;
* of an input that no link names (what study.yaml declares), where the columns that make up the input's key go into the
  key of ``t`` (null only meets null), or as many of them as do.

A row that nothing reaches takes the reasons of all changed inputs: what it was estimated with has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from fm_platform.lineage.diff.links import RowPairs, key_links
from fm_platform.lineage.diff.records import SIDES, Records
from fm_platform.warehouse.names import identifier, literal, relation

ROW_ID = "_row_id"


@dataclass
class Changed:
    """A table whose rows were compared.

    Attributes:
        index: Names its temporary tables.
        columns: Columns with a change in any row; all of them where rows were added or removed.
        only: Columns that only one side has.
        sides: The attached databases that were compared, the earlier one first.
    """

    table: str
    index: int
    key: tuple[str, ...]
    shared: tuple[str, ...]
    counts: Mapping[str, int]
    columns: frozenset[str]
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sides: tuple[str, str] = SIDES

    @property
    def rows(self) -> str:
        """The temporary table of changed rows."""
        return f"fm_rows_{self.index}"

    @property
    def pairs(self) -> str:
        """The temporary table of the input rows behind its changed rows."""
        return f"fm_pairs_{self.index}"

    @property
    def why(self) -> str:
        """The temporary table of their reasons."""
        return f"fm_why_{self.index}"


def compare(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    key: tuple[str, ...],
    index: int,
    sides: tuple[str, str] = SIDES,
) -> Changed:
    """Compare one table that both sides have.

    Args:
        connection: Both sides attached.
        table: The table.
        key: Its key, that of the later side.
        index: Names the temporary tables; what had this number before is replaced.
        sides: The attached databases, the earlier one first.
    """
    kinds = [_schema(connection, table, side) for side in sides]
    shared = tuple(name for name in kinds[1] if name in kinds[0])
    own = tuple(name for name in shared if not name.startswith("_") and name not in key)
    pairs = {name: [_value(side, name, kinds) for side in ("fm_a", "fm_b")] for name in own}
    flags = ", ".join(
        f"CASE WHEN {was} IS DISTINCT FROM {now} THEN {literal(name)} END"
        for name, (was, now) in pairs.items()
    )
    condition = " AND ".join(
        f"fm_a.{identifier(name)} IS NOT DISTINCT FROM fm_b.{identifier(name)}" for name in key
    )
    order = ", ".join(f"coalesce(old.{identifier(name)}, new.{identifier(name)}) NULLS FIRST" for name in key)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE fm_rows_{index} AS
        SELECT row_number() OVER (ORDER BY {order}) AS n, * FROM (
            SELECT fm_a.rowid AS row_a, fm_b.rowid AS row_b,
                CASE WHEN fm_a.rowid IS NULL THEN 'added' WHEN fm_b.rowid IS NULL THEN 'removed'
                    ELSE 'changed' END AS status,
                list_filter([{flags or "NULL"}], x -> x IS NOT NULL)::VARCHAR[] AS changed,
                fm_a AS old, fm_b AS new
            FROM {relation(table, sides[0])} AS fm_a FULL JOIN {relation(table, sides[1])} AS fm_b ON {condition}
        ) WHERE status <> 'changed' OR len(changed) > 0"""
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE fm_why_{index} (n BIGINT, reason INTEGER)")
    counts = dict(connection.sql(f"SELECT status, count(*) FROM fm_rows_{index} GROUP BY ALL").fetchall())
    changed = {
        row[0]
        for row in connection.sql(
            f"SELECT DISTINCT unnest(changed) FROM fm_rows_{index} WHERE status = 'changed'"
        ).fetchall()
    }
    if set(counts) - {"changed"}:
        changed |= {name for name in shared if not name.startswith("_")}
    only = {
        "a": tuple(name for name in kinds[0] if name not in kinds[1]),
        "b": tuple(name for name in kinds[1] if name not in kinds[0]),
    }
    only = {side: names for side, names in only.items() if names}
    return Changed(table, index, key, shared, counts, frozenset(changed), only, sides)


def give_all(connection: duckdb.DuckDBPyConnection, changed: Changed, reasons: Iterable[int]) -> None:
    """Give reasons to every changed row."""
    listed = sorted(set(reasons))
    if listed:
        connection.execute(
            f"INSERT INTO {changed.why} SELECT n, reason FROM {changed.rows}, unnest({listed}) AS r(reason)"
        )


def inherit(
    connection: duckdb.DuckDBPyConnection,
    records: Records,
    pairs: RowPairs,
    changed: Changed,
    upstream: Changed | None,
    table: str,
    relevant: Sequence[int],
) -> None:
    """Give the reasons of an input's changed rows to the rows that they reach.

    Args:
        connection: Both snapshots attached.
        records: The records behind both snapshots.
        pairs: The snapshots' links.
        changed: The table; its pairs are made.
        upstream: Its compared input; None for a raw table, whose rows are in ``fm_events`` (source, id, reason).
        table: The input's name.
        relevant: The reasons that lead to a changed column of the table at all.
    """
    among = f"IN (SELECT unnest({list(relevant)}::INTEGER[]))"
    if not pairs.tell(changed.table, table):
        if upstream is not None:
            _by_key(connection, records, changed, upstream, among)
        return
    for side in ("a", "b"):
        met = f"p.side = {literal(side)} AND p.source = {literal(table)}"
        behind = f"{changed.pairs} AS p JOIN {changed.rows} AS t ON t.row_{side} = p.o"
        if upstream is not None:
            source = (
                f"{behind} JOIN {upstream.rows} AS u ON (p.i IS NULL OR u.row_{side} = p.i) "
                f"JOIN {upstream.why} AS w ON w.n = u.n"
            )
        elif table in records.made[side]:
            source = (
                f"{behind} LEFT JOIN (SELECT rowid AS fm_i, {ROW_ID} AS fm_id FROM {relation(table, side)}) AS r "
                f"ON r.fm_i = p.i JOIN fm_events AS w ON w.source = {literal(table)} "
                "AND (p.i IS NULL OR w.id = r.fm_id)"
            )
        else:
            continue
        connection.execute(
            f"INSERT INTO {changed.why} SELECT DISTINCT t.n, w.reason FROM {source} WHERE {met} AND w.reason {among}"
        )


def _by_key(
    connection: duckdb.DuckDBPyConnection, records: Records, changed: Changed, upstream: Changed, among: str
) -> None:
    links = key_links(records, changed.table, changed.key, upstream.table)
    if not links:
        return
    reasons = f"{upstream.rows} AS u JOIN {upstream.why} AS w ON w.n = u.n AND w.reason {among}"
    if set(upstream.key) <= {column for _, column in links}:
        condition = " AND ".join(
            f"{_either('t', name)} IS NOT DISTINCT FROM {_either('u', column)}"
            for name, column in links
            if column in upstream.key
        )
        connection.execute(
            f"INSERT INTO {changed.why} SELECT DISTINCT t.n, u.reason FROM {changed.rows} AS t "
            f"JOIN (SELECT u.old, u.new, w.reason FROM {reasons}) AS u ON {condition}"
        )
        return
    names = [f"c{position}" for position in range(len(links))]
    sides = ", ".join(_values(side, names, links) for side in ("old", "new"))
    before_and_after = f"SELECT w.reason, unnest([{sides}]) AS c FROM {reasons}"
    chosen = ", ".join(["reason", *(f"c.{c} AS {c}" for c in names)])
    keys = [_either("t", name) for name, _ in links]
    conditions = [f"({key} IS NULL OR {key} = s.{c})" for key, c in zip(keys, names, strict=True)]
    connection.execute(
        f"INSERT INTO {changed.why} SELECT DISTINCT t.n, s.reason FROM {changed.rows} AS t "
        f"JOIN (SELECT DISTINCT {chosen} FROM ({before_and_after})) AS s ON {' AND '.join(conditions)}"
    )


def give(connection: duckdb.DuckDBPyConnection, changed: Changed, rows: Sequence[int], reason: int) -> None:
    """Give one reason to some changed rows."""
    connection.execute(f"INSERT INTO {changed.why} SELECT unnest({list(rows)}::BIGINT[]), {int(reason)}")


def without_reason(connection: duckdb.DuckDBPyConnection, changed: Changed) -> int:
    """How many changed rows nothing has reached yet."""
    found = connection.sql(
        f"SELECT count(*) FROM {changed.rows} ANTI JOIN {changed.why} USING (n)"
    ).fetchone()
    return int(found[0]) if found else 0


def give_rest(connection: duckdb.DuckDBPyConnection, changed: Changed, reasons: Iterable[int]) -> None:
    """Give reasons to the rows that nothing has reached."""
    listed = sorted(set(reasons))
    connection.execute(
        f"INSERT INTO {changed.why} SELECT n, reason FROM (SELECT n FROM {changed.rows} "
        f"ANTI JOIN {changed.why} USING (n)), unnest({listed}::INTEGER[]) AS r(reason)"
    )


def reasons_of(connection: duckdb.DuckDBPyConnection, changed: Changed) -> list[int]:
    """The reasons of all changed rows together."""
    return [
        row[0]
        for row in connection.sql(f"SELECT DISTINCT reason FROM {changed.why} ORDER BY reason").fetchall()
    ]


def _schema(connection: duckdb.DuckDBPyConnection, table: str, side: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.sql(f"DESCRIBE {relation(table, side)}").fetchall()}


def _value(side: str, column: str, kinds: Sequence[Mapping[str, str]]) -> str:
    """A column for comparison; as text where the two sides differ in type."""
    name = f"{side}.{identifier(column)}"
    return name if kinds[0][column] == kinds[1][column] else f"CAST({name} AS VARCHAR)"


def _side(row: str, side: str, column: str) -> str:
    return f"CAST({row}.{side}.{identifier(column)} AS VARCHAR)"


def _values(side: str, names: Sequence[str], links: Sequence[tuple[str, str]]) -> str:
    """One side's values of the linked columns, as a struct."""
    fields = [f"'{name}': {_side('u', side, column)}" for name, (_, column) in zip(names, links, strict=True)]
    return "{" + ", ".join(["'fm': 0", *fields]) + "}"


def _either(row: str, column: str) -> str:
    return f"coalesce({_side(row, 'old', column)}, {_side(row, 'new', column)})"
