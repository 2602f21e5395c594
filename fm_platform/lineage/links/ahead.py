"""The cells and rows that rest on delivered rows, table by table, forward through a publication.

Belongs here: following links downstream. Does not belong here: which delivered rows are asked about, and the answer
to a person (``impact``); links themselves (``book``).

What is found stands in one temporary table, ``fm_ahead`` (tbl, col, row, role): a cell that may change, or with col ''
a row that may go, or change in every cell. ``row`` is its ``rowid``. Said is what rests on the delivered rows, not that
it does change: two of three equal values have the median of all three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fm_platform.lineage.links.book import (
    DECIDES,
    GIVES,
    MEMBER,
    STRENGTH,
    VALUE,
    Entry,
    LinkBook,
    StoredLink,
    texts,
)
from fm_platform.lineage.links.marked import in_turn
from fm_platform.warehouse.answers import Answer
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.records import ARM, CELL, ROW, ROWS_BITS
from fm_platform.warehouse.records import DECIDES as DECIDED

_FEW = 1000
_FEW_MARKS = 20
"""DuckDB looks through all of them for each list."""
_GROUPED = "GROUP_BY"


class Ahead:
    """What rests on some delivered rows; found when made.

    Args:
        book: The publication's links.
        start: Cells to begin with: table, column ('' for the row as a whole), a condition on the table's rows.
        within: Table to a condition that its reached rows must meet.
    """

    def __init__(
        self,
        book: LinkBook,
        start: Sequence[tuple[str, str, str]],
        within: Mapping[str, str] | None = None,
    ) -> None:
        self._book = book
        self._con = book.published.connection
        self._within = within or {}
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_ahead (tbl VARCHAR, col VARCHAR, row BIGINT, role VARCHAR)"
        )
        for table, column, condition in start:
            self._con.execute(
                f"INSERT INTO fm_ahead SELECT {literal(table)}, {literal(column)}, t.rowid, {literal(VALUE)} "
                f"FROM {quoted_table(table)} AS t WHERE {condition}"
            )
        for table in book.order:
            for link in book.links.get(table, ()):
                if link.derived:
                    self._follow_marks(link)
                else:
                    self._follow_rows(link)
            if table in self._within:
                self._con.execute(
                    f"DELETE FROM fm_ahead WHERE tbl = {literal(table)} AND row NOT IN "
                    f"(SELECT t.rowid FROM {quoted_table(table)} AS t WHERE {self._within[table]})"
                )

    # -- following ------------------------------------------------------------------------------------------------

    def _reached(self, table: str) -> list[str]:
        """The columns of a table that are reached; '' where rows are."""
        return [
            row[0]
            for row in self._con.execute(
                f"SELECT DISTINCT col FROM fm_ahead WHERE tbl = {literal(table)}"
            ).fetchall()
        ]

    def _follow_marks(self, link: StoredLink) -> None:
        """A cell whose marks name a reached cell; a row that a reached row or cell decides about."""
        inputs = {table for table, _ in link.cells}
        if not any(self._reached(table) for table in inputs):
            return
        schema = self._book.published.schema(link.table)
        hidden = {DECIDED: "", **{CELL + name: name for name in schema if not name.startswith("_")}}
        key = self._book.keys[link.table]
        lists = [name for name in hidden if link.marks.collects(name)]
        singles = self._singles(link, hidden)
        given = [f"q.{ROW}{row}" for row in range(link.marks.rows)] if singles else []
        ways, conditions = [], []
        if singles:
            conditions.append(self._of_few_rows(link))
            rows_in_turn = in_turn(ROW, len(given), "fm_row")
            ways.append(
                f"SELECT {_listed('e', key)}, v.fm_c, a.role FROM (SELECT *, {rows_in_turn} FROM e)"
                f" AS e JOIN (VALUES {', '.join(singles)}) AS v(arm, place, tbl, col, fm_c) "
                "ON v.arm = e.fm_arm AND v.place = e.fm_at JOIN fm_ahead AS a "
                "ON a.tbl = v.tbl AND a.row = e.fm_row AND (a.col = '' OR a.col = v.col)"
            )
        if lists:
            conditions.append(self._of_few_marks(link, lists))
            named = ", ".join(f"({at}, {literal(hidden[name])})" for at, name in enumerate(lists))
            ways.append(
                f"SELECT {_listed('e', key)}, v.fm_c, k.role FROM (SELECT *, unnest(fm_list) AS fm_mark FROM "
                f"(SELECT *, {in_turn('fm_l', len(lists), 'fm_list')} FROM e)) AS e JOIN fm_marks AS k "
                f"ON k.mark = e.fm_mark JOIN (VALUES {named}) AS v(place, fm_c) ON v.place = e.fm_at"
            )
        if not ways:
            return
        arm = f"q.{ARM}" if len(link.marks.ones) > 1 else "0"
        taken = [f"{_listed('q', key)}, {arm} AS fm_arm", *given]
        taken += [f"q.{identifier(name)} AS fm_l{at}" for at, name in enumerate(lists)]
        few = f"WHERE {' OR '.join(conditions)}" if all(conditions) else ""
        self._con.execute(
            f"INSERT INTO fm_ahead WITH e AS {'' if len(ways) > 1 else 'NOT '}MATERIALIZED (SELECT {', '.join(taken)} "
            f"FROM ({link.sql}) AS q {few}) SELECT DISTINCT {literal(link.table)}, n.fm_c, t.rowid, "
            f"CASE WHEN n.role NOT IN {texts(GIVES)} THEN n.role WHEN n.fm_c = '' THEN {literal(DECIDES)} "
            f"ELSE {literal(VALUE)} END FROM ({' UNION ALL '.join(ways)}) AS n "
            f"JOIN {quoted_table(link.table)} AS t ON {_same('n', key)}"
        )

    def _singles(self, link: StoredLink, hidden: Mapping[str, str]) -> list[str]:
        """VALUES: arm and number of a row that a link gives singly, its table and cell, the column that rests on it."""
        return [
            f"({arm}, {row}, {literal(table)}, {literal(column)}, {literal(named)})"
            for arm, ones in enumerate(link.marks.ones)
            for name, named in hidden.items()
            for place, row in ones.get(name, ())
            for table, column in [link.cells[place]]
        ]

    def _of_few_rows(self, link: StoredLink) -> str:
        """A condition on a SQL model's link (q) that spares what names no reached row singly; '' where many are."""
        tables = {
            (row, link.cells[place][0])
            for ones in link.marks.ones
            for marks in ones.values()
            for place, row in marks
        }
        conditions = ["false"]
        for row, table in sorted(tables):
            few = self._few_rows(table)
            if few is None:
                return ""
            if few:
                conditions.append(f"q.{ROW}{row} IN ({few})")
        return " OR ".join(conditions)

    def _of_few_marks(self, link: StoredLink, lists: Sequence[str]) -> str:
        """Make ``fm_marks``; a condition that spares taking apart lists without a reached mark; '' where many are."""
        cells = ", ".join(
            f"({place}, {literal(table)}, {literal(column)})"
            for place, (table, column) in enumerate(link.cells)
        )
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_marks AS SELECT DISTINCT CAST(c.place AS BIGINT) * "
            f"{1 << ROWS_BITS} + a.row AS mark, a.role FROM fm_ahead AS a JOIN (VALUES {cells}) AS c(place, tbl, col) "
            "ON c.tbl = a.tbl AND (a.col = '' OR c.col = a.col)"
        )
        found = self._con.execute(f"SELECT DISTINCT mark FROM fm_marks LIMIT {_FEW_MARKS + 1}").fetchall()
        if len(found) > _FEW_MARKS:
            return ""
        listed = ", ".join(str(mark) for (mark,) in found)
        return " OR ".join(f"list_has_any(q.{identifier(name)}, [{listed}])" for name in lists)

    def _with_few_rows(self, table: str) -> str:
        """A condition on a link's query (q) that DuckDB pushes down into the scan of the input."""
        few = self._few_rows(table)
        return "" if few is None else f"WHERE q._row IN ({few})"

    def _few_rows(self, table: str) -> str | None:
        """The reached rows of a table, in SQL; None where they are many."""
        found = self._con.execute(
            f"SELECT DISTINCT row FROM fm_ahead WHERE tbl = {literal(table)} LIMIT {_FEW + 1}"
        ).fetchall()
        return None if len(found) > _FEW else ", ".join(str(row) for (row,) in found)

    def _follow_rows(self, link: StoredLink) -> None:
        table = str(link.input)
        reached = self._reached(table)
        targets = self._targets(link, reached)
        if not targets:
            return
        listed = ", ".join(f"({literal(a)}, {literal(b)}, {literal(role)})" for a, b, role in targets)
        named = f"(VALUES {listed}) AS v(given, col, role)"
        if not link.sql:
            self._con.execute(
                f"INSERT INTO fm_ahead SELECT DISTINCT {literal(link.table)}, v.col, t.rowid, v.role "
                f"FROM {quoted_table(link.table)} AS t, {named}"
            )
            return
        key = self._book.keys[link.table]
        few = self._with_few_rows(table)
        pairs, chosen = f"(SELECT * FROM ({link.sql}) AS q {few})", ""
        if link.chooses:
            pairs = f"(SELECT *, {link.chooses} AS fm_chosen FROM ({link.sql}) AS q {few})"
            names = ", ".join(literal(name) for name in self._book.published.schema(table))
            chosen = f"AND (a.col IN ('', q.fm_chosen) OR NOT list_contains([{names}], q.fm_chosen))"
        self._con.execute(
            f"INSERT INTO fm_ahead SELECT DISTINCT {literal(link.table)}, v.col, t.rowid, "
            f"CASE WHEN a.role IN {texts(GIVES)} THEN v.role ELSE a.role END "
            f"FROM {pairs} AS q JOIN fm_ahead AS a ON a.tbl = {literal(table)} AND a.row = q._row {chosen} "
            f"JOIN {named} ON v.given = a.col JOIN {quoted_table(link.table)} AS t "
            f"ON {_same('q', key)}"
        )

    def _targets(self, link: StoredLink, reached: Sequence[str]) -> list[tuple[str, str, str]]:
        """Reached column of the input ('' for rows), column of the table that rests on it, role."""
        if not reached:
            return []
        schema = self._book.published.schema(link.table)
        columns = [name for name in link.columns or schema if not name.startswith("_")]
        key = self._book.keys[link.table]
        found: list[tuple[str, str, str]] = []
        for column in columns:
            entries = [e for e in self._book.lineage(link.table, column) if e.table == link.input]
            for given in reached:
                used = entries if given == "" else [e for e in entries if e.column == given]
                if link.role and not entries and given == "":
                    found.append((given, column, link.role))
                elif used:
                    found.append((given, column, link.role or _role(used)))
                    if link.sql and column in key and (link.role == DECIDES or _told_apart(used)):
                        found.append((given, "", link.role or VALUE))
        return found

    # -- answers --------------------------------------------------------------------------------------------------

    def cells(self, table: str) -> dict[int, set[str]]:
        """The reached rows of a table with their reached columns; '' for every column."""
        found: dict[int, set[str]] = {}
        for row, column in self._con.execute(
            f"SELECT row, col FROM fm_ahead WHERE tbl = {literal(table)}"
        ).fetchall():
            found.setdefault(row, set()).add(column)
        return found

    def roles(self, table: str) -> dict[str, int]:
        """The strongest role of the delivered rows to how many reached rows of a table."""
        strength = f"min(list_position([{', '.join(literal(role) for role in STRENGTH)}], role))"
        found = self._con.execute(
            f"SELECT s, count(*) FROM (SELECT row, {strength} AS s FROM fm_ahead WHERE tbl = {literal(table)} "
            "GROUP BY row) GROUP BY s ORDER BY s"
        ).fetchall()
        return {STRENGTH[place - 1]: rows for place, rows in found}

    def counts(self, table: str, columns: Sequence[str], numeric: Sequence[str]) -> tuple[int, int, int]:
        """Reached rows, cells, and cells that hold a number, of a table.

        Args:
            table: The table.
            columns: Its columns.
            numeric: Those of them that hold numbers.
        """
        rows = (
            "(SELECT row, bool_or(col = '') AS whole, list(DISTINCT col) AS cols FROM fm_ahead "
            f"WHERE tbl = {literal(table)} GROUP BY row)"
        )
        named = f"[{', '.join(literal(name) for name in columns)}]"
        per_row = f"CASE WHEN r.whole THEN {len(columns)} ELSE len(list_intersect(r.cols, {named})) END"
        numbers = " + ".join(
            f"count(t.{identifier(name)}) FILTER (r.whole OR list_contains(r.cols, {literal(name)}))"
            for name in numeric
        )
        found = self._con.execute(
            f"SELECT count(*), coalesce(sum({per_row}), 0), {numbers or '0'} FROM {rows} AS r "
            f"JOIN {quoted_table(table)} AS t ON t.rowid = r.row"
        ).fetchone()
        assert found is not None
        return int(found[0]), int(found[1]), int(found[2])

    def first_keys(self, table: str, key: Sequence[str], limit: int) -> list[dict[str, Any]]:
        """The keys of the first reached rows, in key order."""
        listed = ", ".join(identifier(name) for name in key)
        order = ", ".join(f"{identifier(name)} NULLS FIRST" for name in key)
        return Answer.of(
            self._con.sql(
                f"SELECT {listed} FROM {quoted_table(table)} AS t WHERE t.rowid IN (SELECT row FROM fm_ahead "
                f"WHERE tbl = {literal(table)}) ORDER BY {order} LIMIT {int(limit)}"
            )
        ).to_dicts()


def _listed(one: str, key: Sequence[str]) -> str:
    return ", ".join(f"{one}.{identifier(name)}" for name in key)


def _same(other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"t.{identifier(k)} IS NOT DISTINCT FROM {other}.{identifier(k)}" for k in key)


def _role(entries: Sequence[Entry]) -> str:
    direct = [entry for entry in entries if entry.kind == "DIRECT"]
    if not direct:
        return DECIDES
    return MEMBER if any(entry.transformation == "AGGREGATION" for entry in direct) else VALUE


def _told_apart(entries: Sequence[Entry]) -> bool:
    """Whether a key column is computed from an input, not only grouped by: its row goes with the input's cell."""
    return any(entry.kind == "DIRECT" and entry.transformation != _GROUPED for entry in entries)
