"""How the rows of a table belong to the rows of an input: by key columns, or by raw row ids that both carry.

Belongs here: telling which, from recorded column lineage and from the rows. Does not belong here: handing reasons on
(``rows``).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from fm_platform.lineage.diff.records import Records
from fm_platform.warehouse.names import identifier, relation

ROW_IDS = "_row_ids"


def key_links(records: Records, table: str, key: Sequence[str], upstream: str) -> list[tuple[str, str]]:
    """Key columns with the one column of the input that holds the same thing.

    That is the column they are taken from, or a key column of the input that is taken from where they are. A column of
    the input that two key columns are taken from tells nothing of a single one.
    """
    made = records.of(table)
    found: dict[str, str] = {}
    for name in key:
        taken = {e[1] for e in made.lineage.get(name, ()) if e[0] == upstream and e[2] == "DIRECT"}
        if not taken:
            origin = records.origin(table, name)
            taken = {
                column for column in records.of(upstream).key if records.origin(upstream, column) == origin
            }
        if len(taken) == 1 and not (column := taken.pop()).startswith("_"):
            found[name] = column
    columns = list(found.values())
    return [(name, column) for name, column in found.items() if columns.count(column) == 1]


def draws_on_others(
    connection: duckdb.DuckDBPyConnection, table: str, upstream: str, links: Sequence[tuple[str, str]]
) -> bool:
    """Whether rows of a table carry raw row ids of other rows of an input than that with their key (a self-join)."""
    keys = " AND ".join(f"t.{identifier(k)} IS NOT DISTINCT FROM u.{identifier(c)}" for k, c in links)
    used = ", ".join(dict.fromkeys(identifier(name) for name, _ in links))
    own, other = relation(table, "b"), relation(upstream, "b")
    found = connection.sql(
        f"SELECT 1 FROM (SELECT {used}, unnest({ROW_IDS}) AS id FROM {own}) AS t JOIN {other} AS u ON {keys} "
        f"WHERE NOT list_contains(u.{ROW_IDS}, t.id) AND t.id IN (SELECT unnest({ROW_IDS}) FROM {other}) LIMIT 1"
    ).fetchone()
    return found is not None


def ids_flow(connection: duckdb.DuckDBPyConnection, upstream: str, table: str) -> bool:
    """Whether any raw row id of an input is carried by a table."""
    for side in ("b", "a"):
        try:
            found = connection.sql(
                f"SELECT 1 FROM (SELECT DISTINCT unnest({ROW_IDS}) AS id FROM {relation(upstream, side)}) "
                f"SEMI JOIN (SELECT DISTINCT unnest({ROW_IDS}) AS id FROM {relation(table, side)}) USING (id) LIMIT 1"
            ).fetchone()
        except duckdb.Error:
            continue
        if found:
            return True
    return False
