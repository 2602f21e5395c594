"""The cells and rows behind a cell, table by table, back to delivered rows.

Belongs here: following links upstream, with the role that each row plays. Does not belong here: the answer to a person
(``explain``), links themselves (``book``).

What is found stands in one temporary table, ``fm_behind`` (tbl, part, cols, row, role, via), whose entries are a row
with the set of its cells that play one role: ``row`` is its ``rowid``, ``role`` the role's place in ``STRENGTH``,
``via`` the table whose link named it; tables and columns are numbered (``codes``). A row that decides or belongs to a
family keeps that role however far it is followed. Where every row of an input stands behind a row, that is said once
and not followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from fm_platform.lineage.links.codes import WHOLE_ROW, Codes
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published
from fm_platform.warehouse.records import ROW_MASK, ROWS_BITS

_FEW = 50
_ASKED = -1
"""``via`` of what was asked about."""
_STRONGEST = STRENGTH.index(VALUE)
_LAST_GIVING = max(STRENGTH.index(role) for role in GIVES)
_DECIDES, _ROWS, _GROUPS = 0, 1, 2
"""Lists of marks: rows that an output row rests on, rows behind it, and from 2 the cells behind groups of columns."""


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
        self._codes = Codes()
        self.wholes: list[Whole] = []
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_behind "
            "(tbl INTEGER, part INTEGER, cols BIGINT, row BIGINT, role TINYINT, via INTEGER)"
        )
        schema = book.published.schema(table)
        columns = [column] if column else [name for name in schema if not name.startswith("_")]
        number, asked = self._codes.table(table), self._codes.united(table, columns)
        listed = ", ".join(
            f"({number}, {part}, {bits}, {int(row)}, {_STRONGEST}, {_ASKED})"
            for row in rows
            for part, bits in asked.items()
        )
        if listed:
            self._con.execute(f"INSERT INTO fm_behind VALUES {listed}")
        for name in reversed(book.order):
            self._follow(name)

    # -- following ------------------------------------------------------------------------------------------------

    def _follow(self, table: str) -> None:
        links = self._book.links.get(table, ())
        columns = self._columns(table) if links else []
        if not columns:
            return
        key = self._book.keys[table]
        listed = ", ".join(f"t.{identifier(name)}" for name in key)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE fm_want AS SELECT t.rowid AS fm_o, {listed} FROM {quoted_table(table)} AS t "
            f"WHERE t.rowid IN (SELECT row FROM fm_behind WHERE tbl = {self._codes.table(table)})"
        )
        few = self._few_values(key)
        for link in links:
            if link.derived:
                self._follow_marks(link, columns, few)
            else:
                self._follow_rows(link, columns, few)

    def _columns(self, table: str) -> list[str]:
        found = self._con.execute(
            f"SELECT part, bit_or(cols) FROM fm_behind WHERE tbl = {self._codes.table(table)} GROUP BY part"
        ).fetchall()
        return self._codes.names(table, found)

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

    def _rows_asked(self, link: StoredLink, few: str) -> str:
        """FROM: the rows of a link's query (q) for the wanted rows (w) and what is asked of these (b)."""
        said = f", {link.chooses} AS fm_said" if link.chooses else ""
        same = _same("q", "w", self._book.keys[link.table])
        return (
            f"FROM (SELECT *{said} FROM ({link.repeating}) AS q {few}) AS q JOIN fm_want AS w ON {same} "
            f"JOIN fm_behind AS b ON b.tbl = {self._codes.table(link.table)} AND b.row = w.fm_o"
        )

    def _follow_marks(self, link: StoredLink, columns: Sequence[str], few: str) -> None:
        """Along a SQL model's link: the lists of marks that are asked for, taken apart and united by row."""
        if not link.cells:
            return
        collected = {name: self._collected(link, name) for name in columns if name}
        groups = list(dict.fromkeys(collected.values()))
        lists = {_DECIDES: f"CASE WHEN b.part > 0 OR b.cols <> {WHOLE_ROW} THEN q._decides END"}
        if "" in columns:
            lists[_ROWS] = self._marks_of(link.table, "", "_rows")
        for number, group in enumerate(groups, start=_GROUPS):
            parts = [self._marks_of(link.table, n, f"~{n}") for n in collected if collected[n] == group]
            lists[number] = f"list_concat({', '.join(parts)})" if len(parts) > 1 else parts[0]
        numbers = ", ".join(str(number) for number in lists)
        self._con.execute(
            f"INSERT INTO fm_behind WITH l AS (SELECT b.role, unnest([{numbers}]) AS list, "
            f"unnest([{', '.join(lists.values())}]) AS marks {self._rows_asked(link, few)}), "
            "u AS (SELECT role, list, unnest(marks) AS mark FROM l), "
            f"cells(list, place, tbl, part, bit, role) AS (VALUES {self._cells_marked(link, lists, groups)}) "
            f"SELECT c.tbl, c.part, bit_or(c.bit), u.mark & {ROW_MASK} AS fm_row, "
            f"CASE WHEN u.role > {_LAST_GIVING} THEN u.role ELSE c.role END AS fm_role, "
            f"{self._codes.table(link.table)} FROM u JOIN cells AS c "
            f"ON c.list = u.list AND c.place = u.mark >> {ROWS_BITS} GROUP BY c.tbl, c.part, fm_row, fm_role"
        )

    def _cells_marked(self, link: StoredLink, lists: Iterable[int], groups: Sequence[frozenset[str]]) -> str:
        """VALUES: what a mark's place means in each list (table, part, bit, role)."""
        meanings = []
        for number in lists:
            for place, (table, column) in enumerate(link.cells):
                part, bit = self._codes.column(table, "" if number == _DECIDES else column)
                role = STRENGTH.index(_gives(number, table, groups))
                meanings.append(f"({number}, {place}, {self._codes.table(table)}, {part}, {bit}, {role})")
        return ", ".join(meanings)

    def _collected(self, link: StoredLink, column: str) -> frozenset[str]:
        """The inputs of which a column collects several rows."""
        return frozenset(t for t, _ in link.cells if self._book.collects(link.table, column, t))

    def _marks_of(self, table: str, column: str, marks: str) -> str:
        return f"CASE WHEN {self._holds(table, [column])} THEN q.{identifier(marks)} END"

    def _holds(self, table: str, columns: Sequence[str]) -> str:
        """Whether an entry (b) has one of some columns."""
        united = self._codes.united(table, columns)
        return " OR ".join(f"(b.part = {part} AND b.cols & {bits} <> 0)" for part, bits in united.items())

    def _follow_rows(self, link: StoredLink, columns: Sequence[str], few: str) -> None:
        assert link.input is not None
        targets = [target for column in columns for target in self._targets(link, column)]
        if not targets:
            return
        if not link.sql:
            self._every_row(link, targets[0][2])
            return
        sets = self._sets(link, targets)
        self._con.execute(
            f"INSERT INTO fm_behind WITH e AS (SELECT q._row, b.role AS given, "
            f"unnest([{', '.join(str(STRENGTH.index(how)) for how, _ in sets)}]) AS how, "
            f"unnest([{', '.join(str(part) for _, part in sets)}]) AS part, "
            f"unnest([{', '.join(sets.values())}]) AS cols {self._rows_asked(link, few)}) "
            f"SELECT {self._codes.table(link.input)}, part, bit_or(cols), _row, "
            f"CASE WHEN given > {_LAST_GIVING} THEN given ELSE how END AS fm_role, {self._codes.table(link.table)} "
            "FROM e WHERE cols <> 0 GROUP BY part, _row, fm_role"
        )

    def _sets(self, link: StoredLink, targets: Sequence[tuple[str, str, str]]) -> dict[tuple[str, int], str]:
        """Role and part to the bits of the input's cells that an entry's columns rest on."""
        asking: dict[tuple[str, int, int], list[str]] = {}
        for column, target, how in targets:
            part, bit = self._codes.column(str(link.input), target)
            asking.setdefault((how, part, bit), []).append(column)
        found: dict[tuple[str, int], list[str]] = {}
        for (how, part, bit), columns in asking.items():
            bits = f"CASE WHEN {self._holds(link.table, columns)} THEN {bit} ELSE 0 END"
            found.setdefault((how, part), []).append(bits)
        return {
            (how, part): f"({' | '.join(bits)}){self._chosen(link, part)}"
            for (how, part), bits in found.items()
        }

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

    def _chosen(self, link: StoredLink, part: int) -> str:
        """Of the cells of an input row, the one that the row's key names; all of them where it names none."""
        if not link.chooses:
            return ""
        whole, bits = WHOLE_ROW if part == 0 else 0, []
        for name in self._book.published.schema(str(link.input)):
            place, bit = self._codes.column(str(link.input), name)
            bits.append(f"WHEN {literal(name)} THEN {whole | (bit if place == part else 0)}")
        return (
            f" & (CASE WHEN fm_said IS NULL THEN {whole} ELSE CASE fm_said {' '.join(bits)} ELSE -1 END END)"
        )

    def _every_row(self, link: StoredLink, role: str) -> None:
        table = str(link.input)
        given = self._con.execute(
            f"SELECT min(role) FROM fm_behind WHERE tbl = {self._codes.table(link.table)}"
        ).fetchone()
        if given and given[0] > _LAST_GIVING:
            role = STRENGTH[given[0]]
        rows = self._con.execute(f"SELECT count(*) FROM {quoted_table(table)}").fetchone()
        self.wholes.append(Whole(table, role, link.table, int(rows[0]) if rows else 0))

    # -- answers --------------------------------------------------------------------------------------------------

    def delivered(self) -> list[BehindRow]:
        """The delivered rows, each with its strongest role and the cells that play it."""
        self.gather()
        found = self._con.execute(
            "SELECT source, _row_id, row, role, cols FROM fm_delivered ORDER BY source, row"
        ).fetchall()
        cells = self.cells_of("SELECT source, row, cols FROM fm_delivered")
        return [
            BehindRow(f"raw.{source}", row_id, STRENGTH[role], cells[source, row])
            for source, row_id, row, role, _ in found
        ]

    def gather(self) -> None:
        """Make ``fm_delivered`` (source, row, _row_id, role, cols): each delivered row once.

        Role is the place of its strongest role in ``STRENGTH``; ``cols`` are the cells that play it, bits by part.
        """
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_delivered "
            "(source VARCHAR, row BIGINT, _row_id VARCHAR, role TINYINT, cols BIGINT[])"
        )
        numbers = [row[0] for row in self._con.execute("SELECT DISTINCT tbl FROM fm_behind").fetchall()]
        for number, table in self._codes.known().items():
            if number in numbers and self._book.delivered(table):
                self._gather(number, table)

    def _gather(self, number: int, table: str) -> None:
        parts = self._con.execute(f"SELECT max(part) FROM fm_behind WHERE tbl = {number}").fetchone()
        assert parts is not None
        bits = [f"coalesce(bit_or(cols) FILTER (part = {part}), 0)" for part in range(parts[0] + 1)]
        self._con.execute(
            f"INSERT INTO fm_delivered SELECT {literal(table.split('.', 1)[1])}, r.rowid, r._row_id, b.role, b.cols "
            f"FROM {quoted_table(table)} AS r JOIN (SELECT row, min(role) AS role, arg_min(cols, role) AS cols FROM "
            f"(SELECT row, role, [{', '.join(bits)}] AS cols FROM fm_behind WHERE tbl = {number} GROUP BY row, role) "
            "GROUP BY row) AS b ON b.row = r.rowid"
        )

    def cells_of(self, chosen: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The cells of delivered rows that play their role: source and ``rowid`` to column to value.

        Args:
            chosen: A SELECT of source, row and cols, as ``fm_delivered`` has them.
        """
        sources = self._con.execute(f"SELECT DISTINCT source FROM ({chosen}) ORDER BY ALL").fetchall()
        return {
            (source, row): values for (source,) in sources for row, values in self._cells_of(source, chosen)
        }

    def _cells_of(self, source: str, chosen: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """``rowid`` of a source's chosen rows, with the cells that play their role."""
        table, mine = f"raw.{source}", f"(SELECT row, cols FROM ({chosen}) WHERE source = {literal(source)})"
        schema, sets = self._book.published.schema(table), {}
        for (cols,) in self._con.execute(f"SELECT DISTINCT cols FROM {mine}").fetchall():
            names = self._codes.names(table, enumerate(cols))
            sets[tuple(cols)] = [name for name in names if name in schema and not name.startswith("_")]
        read = list(dict.fromkeys(name for names in sets.values() for name in names))
        listed = "".join(f", r.{identifier(name)}" for name in read)
        rows = self._con.execute(
            f"SELECT c.row, c.cols{listed} FROM {mine} AS c JOIN {quoted_table(table)} AS r ON r.rowid = c.row"
        ).fetchall()
        for row, cols, *values in rows:
            given = dict(zip(read, values, strict=True))
            yield row, {name: given[name] for name in sets[tuple(cols)]}

    def delivered_cells(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Make ``fm_delivered``; every table that is in it, with part and bit of the columns that play a role."""
        self.gather()
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for source, cols in self._con.execute(
            "SELECT DISTINCT source, cols FROM fm_delivered ORDER BY ALL"
        ).fetchall():
            table = f"raw.{source}"
            schema = self._book.published.schema(table)
            names = [n for n in self._codes.names(table, enumerate(cols)) if n in schema and n[:1] != "_"]
            found.setdefault(table, {}).update({name: self._codes.column(table, name) for name in names})
        return found

    def named_by(self, via: str) -> list[tuple[str, str, str]]:
        """The cells that a table's own link named: table, column, role."""
        tables = self._codes.known()
        found = self._con.execute(
            "SELECT tbl, role, part, bit_or(cols) FROM fm_behind "
            f"WHERE via = {self._codes.table(via)} GROUP BY tbl, role, part"
        ).fetchall()
        return sorted(
            (tables[number], column, STRENGTH[role])
            for number, role, part, bits in found
            for column in self._codes.names(tables[number], [(part, bits)])
            if column
        )

    def rows_named_by(self, via: str, table: str, column: str, role: str) -> str:
        """A SELECT of the ``row`` of each cell that a table's own link named in a role."""
        part, bit = self._codes.column(table, column)
        return (
            f"SELECT DISTINCT row FROM fm_behind WHERE via = {self._codes.table(via)} "
            f"AND tbl = {self._codes.table(table)} AND role = {STRENGTH.index(role)} "
            f"AND part = {part} AND cols & {bit} <> 0"
        )


def _gives(number: int, table: str, groups: Sequence[frozenset[str]]) -> str:
    """The role that marks of a list give the rows of an input."""
    if number == _DECIDES:
        return DECIDES
    return MEMBER if number >= _GROUPS and table in groups[number - _GROUPS] else VALUE


def rowids_of(published: Published, table: str, key: Mapping[str, Any]) -> list[int]:
    """The ``rowid`` of the row with a key."""
    where = " AND ".join(f"{identifier(name)} IS NOT DISTINCT FROM ?" for name in key) or "true"
    found = published.query(f"SELECT rowid FROM {quoted_table(table)} WHERE {where}", list(key.values()))
    return [int(row) for row in found["rowid"]]


def _same(one: str, other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{identifier(k)} IS NOT DISTINCT FROM {other}.{identifier(k)}" for k in key)
