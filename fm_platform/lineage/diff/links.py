"""How the rows of a table belong to the rows of an input: by links, or of what study.yaml declares by key columns.

Belongs here: telling which, from the snapshots' links and from recorded column lineage. Does not belong here: handing
reasons on (``rows``).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from fm_platform.lineage.diff.records import Records
from fm_platform.lineage.links.book import StoredLink, columns_of_links, stored_link
from fm_platform.warehouse.names import identifier, literal, relation
from fm_platform.warehouse.records import ROW_MASK, ROWS, ROWS_BITS


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


class RowPairs:
    """Which rows of its inputs stand behind the changed rows of a table, by the links of either snapshot."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._links: dict[str, list[tuple[str, StoredLink]]] = {}
        for side in ("a", "b"):
            for link in _links_of(connection, side):
                self._links.setdefault(link.table, []).append((side, link))

    def tell(self, table: str, upstream: str) -> bool:
        """Whether a table's links say which rows of an input stand behind its rows."""
        return any(
            link.input == upstream or upstream in {name for name, _ in link.cells}
            for _, link in self._links.get(table, ())
        )

    def make(self, table: str, key: Sequence[str], changed_rows: str, pairs: str) -> None:
        """A temporary table of pairs: side, source (the input), o and i (``rowid`` on that side; i null: every row).

        Args:
            table: The table.
            key: Its key.
            changed_rows: The temporary table of its changed rows.
            pairs: The name of the temporary table to make.
        """
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {pairs} (side VARCHAR, source VARCHAR, o BIGINT, i BIGINT)"
        )
        for side, link in self._links.get(table, ()):
            row = "old" if side == "a" else "new"
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE fm_wanted AS SELECT row_{side} AS fm_o, "
                f"{', '.join(f'{row}.{identifier(name)} AS {identifier(name)}' for name in key)} "
                f"FROM {changed_rows} WHERE row_{side} IS NOT NULL"
            )
            same = " AND ".join(f"q.{identifier(k)} IS NOT DISTINCT FROM w.{identifier(k)}" for k in key)
            self._connection.execute(f"USE {side}")
            try:
                self._connection.execute(_pairs(link, side, same, pairs))
            finally:
                self._connection.execute("USE memory")


def _links_of(connection: duckdb.DuckDBPyConnection, side: str) -> list[StoredLink]:
    try:
        links = connection.sql(f"FROM {relation('audit.links', side)}")
    except duckdb.CatalogException:  # a snapshot of the first version
        return []
    rows = links.project(columns_of_links(links.columns)).fetchall()
    return [stored_link(*row) for row in sorted(rows, key=str)]


def _pairs(link: StoredLink, side: str, same: str, pairs: str) -> str:
    if link.derived:
        places = ", ".join(f"({place}, {literal(table)})" for place, (table, _) in enumerate(link.cells))
        rows = f"unnest({link.marks.sql(ROWS)})"
        return (
            f"INSERT INTO {pairs} WITH m AS (SELECT w.fm_o, {rows} AS mark FROM ({link.sql}) AS q "
            f"JOIN fm_wanted AS w ON {same}) SELECT DISTINCT {literal(side)}, c.tbl, m.fm_o, m.mark & {ROW_MASK} "
            f"FROM m JOIN (VALUES {places or '(NULL, NULL)'}) AS c(place, tbl) ON c.place = m.mark >> {ROWS_BITS}"
        )
    if not link.sql:
        return f"INSERT INTO {pairs} SELECT {literal(side)}, {literal(str(link.input))}, fm_o, NULL FROM fm_wanted"
    return (
        f"INSERT INTO {pairs} SELECT DISTINCT {literal(side)}, {literal(str(link.input))}, w.fm_o, q._row "
        f"FROM ({link.sql}) AS q JOIN fm_wanted AS w ON {same}"
    )
