"""The cells and rows behind a cell, table by table, back to delivered rows.

Belongs here: following links upstream, with the role that each row plays. Does not belong here: the answer to a person
(``explain``), links themselves (``book``), what a row and its cells play (``playing``).

What is found stands in one temporary table, ``fm_behind`` (tbl, row, via, played), whose entries are a row, given by
its ``rowid``, and the number of what it plays: which of its cells in which roles. ``via`` is the table whose link named
it. Rows are many and what they play is few: what a link leads to is found once for each of these, and DuckDB joins
numbers. A row that decides or belongs to a family keeps that role however far it is followed. Where every row of an
input stands behind a row, that is said once and not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
)
from fm_platform.lineage.links.marked import Marked
from fm_platform.lineage.links.playing import NOTHING, Played, Plays
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published

_FEW = 50
_ASKED = -1
"""``via`` of what was asked about."""
_WHOLE, _OTHER = "", "*"
"""What a key says of the cell of an input row: that it is none; that it may be any."""


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
        self._plays = Plays()
        self._numbers: dict[str, int] = {}
        self._named = {table}
        self.wholes: list[Whole] = []
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_behind (tbl INTEGER, row BIGINT, via INTEGER, played INTEGER)"
        )
        schema = book.published.schema(table)
        columns = [column] if column else [name for name in schema if not name.startswith("_")]
        asked = self._plays.number({VALUE: frozenset(columns)})
        listed = ", ".join(f"({self._number(table)}, {int(row)}, {_ASKED}, {asked})" for row in rows)
        if listed:
            self._con.execute(f"INSERT INTO fm_behind VALUES {listed}")
        for name in reversed(book.order):
            self._follow(name)

    def _number(self, table: str) -> int:
        return self._numbers.setdefault(table, len(self._numbers))

    # -- following ------------------------------------------------------------------------------------------------

    def _follow(self, table: str) -> None:
        links = self._book.links.get(table, ()) if table in self._named else ()
        entries, numbers = self._entries(table) if links else ("", [])
        if not numbers:
            return
        key = self._book.keys[table]
        listed = ", ".join(f"t.{identifier(name)}" for name in key)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE fm_want AS SELECT b.row AS fm_o, b.played AS fm_played, {listed} "
            f"FROM ({entries}) AS b JOIN {quoted_table(table)} AS t ON t.rowid = b.row"
        )
        asked = {number: self._plays.of(number) for number in numbers}
        wanted = self._wanted(key)
        for link in links:
            if link.derived:
                self._follow_marks(link, asked, wanted)
            else:
                self._follow_rows(link, asked, wanted)
            self._named.update(source for source, _ in link.cells or [(link.input, "")] if source)

    def _entries(self, table: str) -> tuple[str, list[int]]:
        """A SELECT of each reached row of a table and of all that it plays; the numbers of what any of them plays."""
        own = f"FROM fm_behind WHERE tbl = {self._number(table)}"
        found = self._con.execute(
            f"SELECT count(*), count(DISTINCT row), list(DISTINCT played) {own}"
        ).fetchone()
        assert found is not None
        entries, rows, played = found
        if entries == rows or len(played) == 1:
            return f"SELECT {'' if entries == rows else 'DISTINCT '}row, played {own}", sorted(played or ())
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_several AS "
            f"SELECT row, bitstring_agg(played, 0, {self._plays.count}) AS bits {own} GROUP BY row"
        )
        several = self._con.execute("SELECT DISTINCT bits FROM fm_several ORDER BY ALL").fetchall()
        united = {
            bits: self._plays.united(at for at, bit in enumerate(bits) if bit == "1") for (bits,) in several
        }
        listed = ", ".join(f"('{bits}'::BIT, {number})" for bits, number in united.items())
        return (
            "SELECT s.row, u.played FROM fm_several AS s "
            f"JOIN (VALUES {listed}) AS u(bits, played) ON u.bits = s.bits"
        ), sorted(set(united.values()))

    def _wanted(self, key: Sequence[str]) -> _Wanted:
        """How the wanted rows are picked from a link's query: few values of a key column are pushed down into it."""
        conditions, compared = [], []
        for name in key:
            rows = self._con.execute(
                f"SELECT DISTINCT {identifier(name)} FROM fm_want LIMIT {_FEW + 1}"
            ).fetchall()
            values = [row[0] for row in rows]
            few = len(values) <= _FEW and all(isinstance(value, (str, int)) for value in values)
            if few:
                texts = [literal(value) if isinstance(value, str) else str(int(value)) for value in values]
                conditions.append(f"q.{identifier(name)} IN ({', '.join(texts)})")
            if not few or len(values) > 1:
                compared.append(name)
        return _Wanted(f"WHERE {' AND '.join(conditions)}" if conditions else "", _same("q", "b", compared))

    def _rows_asked(self, link: StoredLink, wanted: _Wanted, also: str = "") -> str:
        """FROM: the rows of a link's query (q) for the wanted rows, and what is asked of these (b)."""
        same = wanted.same if link.derived else "q.fm_o = b.fm_o"
        return (
            f"FROM (SELECT *{also} FROM ({link.numbered}) AS q {wanted.few}) AS q "
            f"JOIN fm_want AS b ON {same or 'true'}"
        )

    def _follow_marks(self, link: StoredLink, asked: Mapping[int, Played], wanted: _Wanted) -> None:
        named = Marked(self._book, link, asked, self._plays, self._number).named(
            self._rows_asked(link, wanted)
        )
        if named:
            self._con.execute(
                f"INSERT INTO fm_behind SELECT tbl, row, {self._number(link.table)}, plays FROM ({named})"
            )

    def _follow_rows(self, link: StoredLink, asked: Mapping[int, Played], wanted: _Wanted) -> None:
        assert link.input is not None
        reached = {number: self._targets(link, played) for number, played in asked.items()}
        reached = {number: played for number, played in reached.items() if played}
        if not reached:
            return
        if not link.sql:
            self._every_row(link, reached)
            return
        said, values = self._chosen(link)
        listed = ", ".join(
            f"({number}, {literal(one)}, {self._plays.number(plays)})"
            for number, played in reached.items()
            for one in values
            if (plays := _only(played, one))
        )
        if listed:
            asking = self._rows_asked(link, wanted, f", {said} AS fm_said" if said else "")
            self._con.execute(
                f"INSERT INTO fm_behind SELECT {self._number(link.input)}, row, {self._number(link.table)}, plays "
                f"FROM (SELECT DISTINCT q._row AS row, c.plays {asking} JOIN (VALUES {listed}) "
                f"AS c(played, said, plays) ON c.played = b.fm_played{' AND c.said = q.fm_said' if said else ''})"
            )

    def _targets(self, link: StoredLink, played: Played) -> Played:
        """What an input row plays behind a row that plays something itself."""
        found: dict[str, frozenset[str]] = {}
        for role, columns in played.items():
            for column in columns:
                for target, how in self._target(link, column):
                    kept = how if role in GIVES else role
                    found[kept] = found.get(kept, NOTHING) | {target}
        return found

    def _target(self, link: StoredLink, column: str) -> Iterator[tuple[str, str]]:
        """The cells of an input row that a column rests on, '' for the row, each with its role."""
        if link.columns and column not in link.columns:
            return
        if column == "":
            yield "", link.role or VALUE
            return
        entries = [entry for entry in self._book.lineage(link.table, column) if entry.table == link.input]
        direct = [entry.column for entry in entries if entry.kind == "DIRECT"]
        if link.role:
            yield from ((target, link.role) for target in (*direct, ""))
        elif direct:
            how = MEMBER if self._book.collects(link.table, column, str(link.input)) else VALUE
            yield from ((target, how) for target in direct)
        else:
            yield from ((entry.column, DECIDES) for entry in entries)

    def _chosen(self, link: StoredLink) -> tuple[str, list[str]]:
        """What the key says of the cell of an input row, in SQL; and all that it may say. Empty: nothing."""
        if not link.chooses:
            return "", [_OTHER]
        names = list(self._book.published.schema(str(link.input)))
        known = ", ".join(literal(name) for name in names)
        chooses = f"({link.chooses})"
        said = (
            f"CASE WHEN {chooses} IS NULL THEN {literal(_WHOLE)} WHEN {chooses} IN ({known}) THEN {chooses} "
            f"ELSE {literal(_OTHER)} END"
        )
        return said, [_WHOLE, *names, _OTHER]

    def _every_row(self, link: StoredLink, reached: Mapping[int, Played]) -> None:
        table = str(link.input)
        roles = {role for played in reached.values() for role in played}
        rows = self._con.execute(f"SELECT count(*) FROM {quoted_table(table)}").fetchone()
        self.wholes.append(
            Whole(table, min(roles, key=STRENGTH.index), link.table, int(rows[0]) if rows else 0)
        )

    # -- answers --------------------------------------------------------------------------------------------------

    def delivered(self) -> list[BehindRow]:
        """The delivered rows, each with its strongest role and the cells that play it."""
        self.gather()
        found = self._con.execute(
            "SELECT source, _row_id, row, role FROM fm_delivered ORDER BY source, row"
        ).fetchall()
        cells = self.cells_of("SELECT source, row, played FROM fm_delivered")
        return [
            BehindRow(f"raw.{source}", row_id, STRENGTH[role], cells[source, row])
            for source, row_id, row, role in found
        ]

    def gather(self) -> None:
        """Make ``fm_delivered`` (source, row, _row_id, role, played): each delivered row once.

        Role is the place of its strongest role in ``STRENGTH``.
        """
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_delivered "
            "(source VARCHAR, row BIGINT, _row_id VARCHAR, role TINYINT, played INTEGER)"
        )
        for table in [name for name in self._numbers if self._book.delivered(name)]:
            entries, numbers = self._entries(table)
            if not numbers:
                continue
            roles = ", ".join(
                f"({number}, {STRENGTH.index(self._strongest(number)[0])})" for number in numbers
            )
            self._con.execute(
                f"INSERT INTO fm_delivered SELECT {literal(table.split('.', 1)[1])}, r.rowid, r._row_id, c.role, "
                f"b.played FROM ({entries}) AS b JOIN (VALUES {roles}) AS c(played, role) ON c.played = b.played "
                f"JOIN {quoted_table(table)} AS r ON r.rowid = b.row"
            )

    def _strongest(self, number: int) -> tuple[str, frozenset[str]]:
        """The strongest role of what a row plays, and the cells that play it."""
        played = self._plays.of(number)
        role = min(played, key=STRENGTH.index)
        return role, played[role]

    def cells_of(self, chosen: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The cells of delivered rows that play their role: source and ``rowid`` to column to value.

        Args:
            chosen: A SELECT of source, row and played, as ``fm_delivered`` has them.
        """
        sources = self._con.execute(f"SELECT DISTINCT source FROM ({chosen}) ORDER BY ALL").fetchall()
        return {
            (source, row): values for (source,) in sources for row, values in self._cells_of(source, chosen)
        }

    def _cells_of(self, source: str, chosen: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """``rowid`` of a source's chosen rows, with the cells that play their role."""
        table, mine = (
            f"raw.{source}",
            f"(SELECT row, played FROM ({chosen}) WHERE source = {literal(source)})",
        )
        found = self._con.execute(f"SELECT DISTINCT played FROM {mine}").fetchall()
        named = {number: self._cells_played(table, number) for (number,) in found}
        read = list(dict.fromkeys(name for names in named.values() for name in names))
        listed = "".join(f", r.{identifier(name)}" for name in read)
        rows = self._con.execute(
            f"SELECT c.row, c.played{listed} FROM {mine} AS c JOIN {quoted_table(table)} AS r ON r.rowid = c.row"
        ).fetchall()
        for row, number, *values in rows:
            given = dict(zip(read, values, strict=True))
            yield row, {name: given[name] for name in named[number]}

    def _cells_played(self, table: str, number: int) -> list[str]:
        """The columns of a table whose cells play the strongest role, by name."""
        schema = self._book.published.schema(table)
        return sorted(name for name in self._strongest(number)[1] if name in schema and name[0] != "_")

    def delivered_cells(self) -> dict[str, dict[str, list[int]]]:
        """Make ``fm_delivered``; its tables, and of each column what is ``played`` where its cell plays a role."""
        self.gather()
        found: dict[str, dict[str, list[int]]] = {}
        for source, number in self._con.execute(
            "SELECT DISTINCT source, played FROM fm_delivered ORDER BY ALL"
        ).fetchall():
            columns = found.setdefault(f"raw.{source}", {})
            for name in self._cells_played(f"raw.{source}", number):
                columns.setdefault(name, []).append(number)
        return found

    def named_by(self, via: str) -> list[tuple[str, str, str]]:
        """The cells that a table's own link named: table, column, role."""
        found = self._con.execute(
            f"SELECT DISTINCT tbl, played FROM fm_behind WHERE via = {self._number(via)}"
        ).fetchall()
        tables = {number: table for table, number in self._numbers.items()}
        return sorted(
            {
                (tables[number], column, role)
                for number, played in found
                for role, cells in self._plays.of(played).items()
                for column in cells
                if column
            }
        )

    def rows_named_by(self, via: str, table: str, column: str, role: str) -> str:
        """A SELECT of the ``row`` of each cell that a table's own link named in a role."""
        playing = ", ".join(str(number) for number in self._plays.playing(column, role))
        return (
            f"SELECT DISTINCT row FROM fm_behind WHERE via = {self._number(via)} "
            f"AND tbl = {self._number(table)} AND played IN ({playing or 'NULL'})"
        )


@dataclass(frozen=True)
class _Wanted:
    """How wanted rows are picked from a link's query (q).

    Attributes:
        few: WHERE over columns with few values.
        same: A comparison of what else is key.
    """

    few: str
    same: str


def _only(played: Played, said: str) -> Played:
    """What is played where the key says which cell: that cell and the row as a whole."""
    if said == _OTHER:
        return played
    chosen = {role: cells & {"", said} for role, cells in played.items()}
    return {role: cells for role, cells in chosen.items() if cells}


def rowids_of(published: Published, table: str, key: Mapping[str, Any]) -> list[int]:
    """The ``rowid`` of the row with a key."""
    where = " AND ".join(f"{identifier(name)} IS NOT DISTINCT FROM ?" for name in key) or "true"
    found = published.ask(f"SELECT rowid FROM {quoted_table(table)} WHERE {where}", list(key.values()))
    return [int(row) for row in found["rowid"]]


def _same(one: str, other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{identifier(k)} IS NOT DISTINCT FROM {other}.{identifier(k)}" for k in key)
