"""The cells and rows behind a cell, table by table, back to delivered rows.

Belongs here: following links upstream, with the role that each row plays. Does not belong here: the answer to a person
(``explain``), links themselves (``book``).

What is found stands in one temporary table, ``fm_behind`` (tbl, col, row, role, via): a cell, or with col '' a row as a
whole; ``row`` is its ``rowid``, ``via`` the table whose link named it. A row that decides or belongs to a family keeps
that role however far it is followed. Where every row of an input stands behind a row, that is said once and not
followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.lineage.links.book import (
    DECIDES,
    GIVES,
    MEMBER,
    STRENGTH,
    VALUE,
    LinkBook,
    StoredLink,
    texts,
)
from fm_platform.sql.marks import ROW_MASK, ROWS_BITS
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published

_FEW = 50


@dataclass(frozen=True)
class Whole:
    """Every row of an input stands behind the asked row.

    Attributes:
        via: The table whose link says so.
        rows: How many rows the input has.
    """

    table: str
    role: str
    via: str
    rows: int


@dataclass(frozen=True)
class BehindRow:
    """A row of a delivered table that stands behind a cell.

    Attributes:
        role: The strongest of its roles.
        cells: The cells that play it, by column; empty where the row counts as a whole.
    """

    table: str
    row_id: str
    role: str
    cells: Mapping[str, Any]


class Behind:
    """What stands behind some rows of a table, or one of their columns; found when made."""

    def __init__(self, book: LinkBook, table: str, rows: Sequence[int], column: str | None) -> None:
        self._book = book
        self._con = book.published.connection
        self.wholes: list[Whole] = []
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_behind (tbl VARCHAR, col VARCHAR, row BIGINT, role VARCHAR, via VARCHAR)"
        )
        schema = book.published.schema(table)
        columns = [column] if column else [name for name in schema if not name.startswith("_")]
        listed = ", ".join(
            f"({literal(table)}, {literal(name)}, {int(row)}, {literal(VALUE)}, '')"
            for row in rows
            for name in columns
        )
        if listed:
            self._con.execute(f"INSERT INTO fm_behind VALUES {listed}")
        for name in reversed(book.order):
            self._follow(name)

    # -- following ------------------------------------------------------------------------------------------------

    def _follow(self, table: str) -> None:
        links = self._book.links.get(table, ())
        if not links:
            return
        columns = self._columns(table)
        if not columns:
            return
        key = self._book.keys[table]
        listed = ", ".join(f"t.{identifier(name)}" for name in key)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE fm_want AS SELECT t.rowid AS fm_o, {listed} FROM {quoted_table(table)} AS t "
            f"WHERE t.rowid IN (SELECT row FROM fm_behind WHERE tbl = {literal(table)})"
        )
        few = self._few_values(key)
        for link in links:
            if link.derived:
                self._follow_marks(link, columns, key, few)
            else:
                self._follow_rows(link, columns, key, few)

    def _columns(self, table: str) -> list[str]:
        found = self._con.execute(
            f"SELECT DISTINCT col FROM fm_behind WHERE tbl = {literal(table)} ORDER BY col"
        ).fetchall()
        return [row[0] for row in found]

    def _few_values(self, key: Sequence[str]) -> str:
        """A condition on key columns with few wanted values, which DuckDB pushes down into a link's query."""
        conditions = []
        for name in key:
            rows = self._con.execute(
                f"SELECT DISTINCT {identifier(name)} FROM fm_want LIMIT {_FEW + 1}"
            ).fetchall()
            values = [row[0] for row in rows]
            if len(values) <= _FEW and all(isinstance(value, (str, int)) for value in values):
                texts = [literal(value) if isinstance(value, str) else str(int(value)) for value in values]
                conditions.append(f"q.{identifier(name)} IN ({', '.join(texts)})")
        return f"WHERE {' AND '.join(conditions)}" if conditions else ""

    def _follow_marks(self, link: StoredLink, columns: Sequence[str], key: Sequence[str], few: str) -> None:
        named = [column for column in columns if column]
        lists = [(name, f"~{name}") for name in named]
        lists += [("~", "_decides")] if named else []
        lists += [("", "_rows")] if "" in columns else []
        cells = ", ".join(
            f"({place}, {literal(table)}, {literal(column)})"
            for place, (table, column) in enumerate(link.cells)
        )
        if not cells:
            return
        members = [
            f"({literal(name)}, {literal(table)})"
            for name in named
            for table in dict.fromkeys(table for table, _ in link.cells)
            if self._book.collects(link.table, name, table)
        ]
        kept = ", ".join(f"q.{identifier(marks)}" for _, marks in lists)
        self._con.execute(
            f"INSERT INTO fm_behind WITH l AS (SELECT w.fm_o, {kept} FROM (SELECT * FROM ({link.sql}) AS q {few}) AS q "
            f"JOIN fm_want AS w ON {_same('q', 'w', key)}), "
            f"m AS (SELECT fm_o, unnest([{', '.join(literal(name) for name, _ in lists)}]) AS c, "
            f"unnest([{', '.join(identifier(marks) for _, marks in lists)}]) AS marks FROM l), "
            "u AS (SELECT DISTINCT fm_o, c, unnest(marks) AS mark FROM m), "
            f"cells(place, tbl, col) AS (VALUES {cells}), "
            f"members(c, tbl) AS (VALUES {', '.join(members) or '(NULL, NULL)'}) "
            f"SELECT DISTINCT cells.tbl, CASE WHEN u.c = '~' THEN '' ELSE cells.col END, u.mark & {ROW_MASK}, "
            f"CASE WHEN b.role NOT IN {texts(GIVES)} THEN b.role WHEN u.c = '~' THEN {literal(DECIDES)} "
            f"WHEN members.c IS NOT NULL THEN {literal(MEMBER)} ELSE {literal(VALUE)} END, {literal(link.table)} "
            f"FROM u JOIN fm_behind AS b ON b.tbl = {literal(link.table)} AND b.row = u.fm_o "
            "AND (b.col = u.c OR (u.c = '~' AND b.col <> '')) "
            f"JOIN cells ON cells.place = u.mark >> {ROWS_BITS} "
            "LEFT JOIN members ON members.c = u.c AND members.tbl = cells.tbl"
        )

    def _follow_rows(self, link: StoredLink, columns: Sequence[str], key: Sequence[str], few: str) -> None:
        assert link.input is not None
        targets = [target for column in columns for target in self._targets(link, column)]
        if not targets:
            return
        if not link.sql:
            self._every_row(link, targets[0][2])
            return
        listed = ", ".join(f"({literal(c)}, {literal(target)}, {literal(how)})" for c, target, how in targets)
        self._con.execute(
            f"INSERT INTO fm_behind WITH l AS (SELECT DISTINCT w.fm_o, q._row "
            f"FROM (SELECT * FROM ({link.sql}) AS q {few}) AS q JOIN fm_want AS w ON {_same('q', 'w', key)}) "
            f"SELECT DISTINCT {literal(link.input)}, v.target, l._row, "
            f"CASE WHEN b.role IN {texts(GIVES)} THEN v.how ELSE b.role END, {literal(link.table)} "
            f"FROM l JOIN fm_behind AS b ON b.tbl = {literal(link.table)} AND b.row = l.fm_o "
            f"JOIN (VALUES {listed}) AS v(c, target, how) ON v.c = b.col {self._chosen(link)}"
        )

    def _targets(self, link: StoredLink, column: str) -> list[tuple[str, str, str]]:
        """The cells of an input row that a column rests on (column, input column or '', role)."""
        if link.columns and column not in link.columns:
            return []
        if column == "":
            return [("", "", link.role or VALUE)]
        entries = [entry for entry in self._book.lineage(link.table, column) if entry.table == link.input]
        direct = [entry.column for entry in entries if entry.kind == "DIRECT"]
        if link.role:
            return [(column, target, link.role) for target in (*direct, "")]
        if direct:
            how = MEMBER if self._book.collects(link.table, column, str(link.input)) else VALUE
            return [(column, target, how) for target in direct]
        return [(column, entry.column, DECIDES) for entry in entries]

    def _chosen(self, link: StoredLink) -> str:
        """Of the cells of an input row, the one that the row's key names; all of them where it names none."""
        if not link.chooses:
            return ""
        names = self._book.published.schema(str(link.input))
        listed = f"[{', '.join(literal(name) for name in names)}]"
        said = f"(SELECT {link.chooses} FROM fm_want AS w WHERE w.fm_o = l.fm_o)"
        return f"AND (v.target = '' OR v.target = {said} OR NOT list_contains({listed}, {said}))"

    def _every_row(self, link: StoredLink, role: str) -> None:
        table = str(link.input)
        given = self._con.execute(
            f"SELECT DISTINCT role FROM fm_behind WHERE tbl = {literal(link.table)}"
        ).fetchall()
        if not {played for (played,) in given} & set(GIVES):
            role = min((played for (played,) in given), key=STRENGTH.index)
        rows = self._con.execute(f"SELECT count(*) FROM {quoted_table(table)}").fetchone()
        self.wholes.append(Whole(table, role, link.table, int(rows[0]) if rows else 0))

    # -- answers --------------------------------------------------------------------------------------------------

    def delivered(self) -> list[BehindRow]:
        """The delivered rows, each with its strongest role and the cells that play it."""
        found: list[BehindRow] = []
        tables = self._con.execute(
            "SELECT DISTINCT tbl FROM fm_behind WHERE starts_with(tbl, 'raw.') ORDER BY tbl"
        ).fetchall()
        for (table,) in tables:
            if self._book.delivered(table):
                found += self._rows_of(table)
        return found

    def _rows_of(self, table: str) -> list[BehindRow]:
        schema = self._book.published.schema(table)
        columns = [name for name in self._columns(table) if name in schema and not name.startswith("_")]
        cells = "".join(f", any_value(r.{identifier(name)}) AS {identifier(name)}" for name in columns)
        played = "".join(
            f", bool_or(b.col = {literal(name)}) AS {identifier('~' + name)}" for name in columns
        )
        strength = f"list_position([{', '.join(literal(role) for role in STRENGTH)}], b.role)"
        rows = self._con.execute(
            f"SELECT any_value(r._row_id) AS _row_id, min({strength}) AS _strength{cells}{played} "
            f"FROM (SELECT *, rowid AS _row FROM {quoted_table(table)}) AS r "
            f"JOIN (SELECT * FROM fm_behind WHERE tbl = {literal(table)} "
            f"QUALIFY {strength.replace('b.role', 'role')} = min({strength.replace('b.role', 'role')}) "
            "OVER (PARTITION BY row)) AS b ON b.row = r._row GROUP BY r._row ORDER BY r._row"
        ).pl()
        return [
            BehindRow(
                table,
                row["_row_id"],
                STRENGTH[(row["_strength"] or len(STRENGTH)) - 1],
                {name: row[name] for name in columns if row[f"~{name}"]},
            )
            for row in rows.iter_rows(named=True)
        ]

    def named_by(self, via: str) -> list[tuple[str, str, str, list[int]]]:
        """The cells that a table's own link named: table, column, role, rows in order."""
        found = self._con.execute(
            "SELECT tbl, col, role, list(DISTINCT row ORDER BY row) FROM fm_behind "
            f"WHERE via = {literal(via)} AND col <> '' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return [(table, column, role, rows) for table, column, role, rows in found]


def rowids_of(published: Published, table: str, key: Mapping[str, Any]) -> list[int]:
    """The ``rowid`` of the row with a key."""
    where = " AND ".join(f"{identifier(name)} IS NOT DISTINCT FROM ?" for name in key) or "true"
    found = published.query(f"SELECT rowid FROM {quoted_table(table)} WHERE {where}", list(key.values()))
    return [int(row) for row in found["rowid"]]


def _same(one: str, other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{identifier(k)} IS NOT DISTINCT FROM {other}.{identifier(k)}" for k in key)
