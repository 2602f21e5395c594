"""The cells and rows behind a cell, table by table, back to delivered rows.

Belongs here: following links upstream, with the role that each row plays. Does not belong here: the answer to a person
(``explain``), links themselves (``book``).

What is found stands in one temporary table, ``fm_behind`` (tbl, part, row, via, fm_r0 to fm_r5), whose entries are a
row, given by its ``rowid``, and for each role the set of its cells that play it, in the order of ``STRENGTH``. ``via``
is the table whose link named it; tables and columns are numbered (``codes``). A row that decides or belongs to a family
keeps that role however far it is followed. Where every row of an input stands behind a row, that is said once and not
followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any

from fm_platform.lineage.links.book import (
    DECIDES,
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
_NO_MARKS = "NULL"
_ASKED = -1
"""``via`` of what was asked about."""
_PLACES = range(len(STRENGTH))
_DECIDING = STRENGTH.index(DECIDES)
_GIVING = (STRENGTH.index(VALUE), STRENGTH.index(MEMBER))
_KEPT = tuple((place,) for place in _PLACES if place not in _GIVING)
"""Roles that rows keep upstream, each by itself; in the others, the link says the role of its input."""
_SETS = ", ".join(f"fm_r{place}" for place in _PLACES)
_UNITED = ", ".join(f"bit_or(fm_r{place}) AS fm_r{place}" for place in _PLACES)
Roles = tuple[int, ...]


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
        self._alike: Sequence[int] = ()
        self._named = {table}
        self.wholes: list[Whole] = []
        sets = ", ".join(f"fm_r{place} BIGINT" for place in _PLACES)
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fm_behind "
            f"(tbl INTEGER, part INTEGER, row BIGINT, via INTEGER, {sets})"
        )
        schema = book.published.schema(table)
        columns = [column] if column else [name for name in schema if not name.startswith("_")]
        number, asked = self._codes.table(table), self._codes.united(table, columns)
        others = ", 0" * (len(STRENGTH) - 1)
        listed = ", ".join(
            f"({number}, {part}, {int(row)}, {_ASKED}, {bits}{others})"
            for row in rows
            for part, bits in asked.items()
        )
        if listed:
            self._con.execute(f"INSERT INTO fm_behind VALUES {listed}")
        for name in reversed(book.order):
            self._follow(name)

    # -- following ------------------------------------------------------------------------------------------------

    def _follow(self, table: str) -> None:
        links = self._book.links.get(table, ()) if table in self._named else ()
        asked, several = self._asked(table) if links else ({}, False)
        if not asked:
            return
        key = self._book.keys[table]
        listed = ", ".join(f"t.{identifier(name)}" for name in key)
        entries = f"SELECT row, part, {_SETS} FROM fm_behind WHERE tbl = {self._codes.table(table)}"
        if several:
            entries = f"SELECT row, part, {_UNITED} FROM ({entries}) GROUP BY row, part"
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE fm_want AS SELECT b.row AS fm_o, b.part AS fm_part, {_SETS}, {listed} "
            f"FROM ({entries}) AS b JOIN {quoted_table(table)} AS t ON t.rowid = b.row"
        )
        self._alike = self._only_sets()
        wanted = self._wanted(key)
        for link in links:
            if link.derived:
                self._follow_marks(link, asked, wanted)
            else:
                self._follow_rows(link, asked, wanted)
            self._named.update(source for source, _ in link.cells or [(link.input, "")] if source)

    def _asked(self, table: str) -> tuple[dict[Roles, list[str]], bool]:
        """Roles that go the same way upstream to the columns of a table that are reached in any of them.

        And whether several links reached them, so that rows may have several entries.
        """
        found = self._con.execute(
            f"SELECT part, min(via) <> max(via), {_UNITED} FROM fm_behind "
            f"WHERE tbl = {self._codes.table(table)} GROUP BY part"
        ).fetchall()
        asked = {}
        for roles in (_GIVING, *_KEPT):
            bits = [(part, reduce(or_, (sets[place] for place in roles))) for part, _, *sets in found]
            if any(held for _, held in bits):
                asked[roles] = self._codes.names(table, bits)
        return asked, any(several for _, several, *_ in found)

    def _only_sets(self) -> Sequence[int]:
        """Part and sets of the wanted rows where all have the same."""
        found = self._con.execute(f"SELECT DISTINCT fm_part, {_SETS} FROM fm_want LIMIT 2").fetchall()
        return found[0] if len(found) == 1 else ()

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

    def _rows_asked(self, link: StoredLink, wanted: _Wanted) -> str:
        """FROM: the rows of a link's query (q) for the wanted rows, and what is asked of these (b)."""
        said = f", {link.chooses} AS fm_said" if link.chooses else ""
        same = wanted.same if link.derived else "q.fm_o = b.fm_o"
        return (
            f"FROM (SELECT *{said} FROM ({link.numbered}) AS q {wanted.few}) AS q "
            f"JOIN fm_want AS b ON {same or 'true'}"
        )

    def _follow_marks(self, link: StoredLink, asked: Mapping[Roles, Sequence[str]], wanted: _Wanted) -> None:
        """Along a SQL model's link: the lists of marks that are asked for, taken apart and united by row."""
        if not link.cells:
            return
        lists = [
            entry
            for roles, columns in asked.items()
            for entry in self._lists(link, roles, columns)
            if entry.marks != _NO_MARKS
        ]
        if not lists:
            return
        marks = ", ".join(entry.marks for entry in lists)
        self._con.execute(
            f"INSERT INTO fm_behind WITH l AS (SELECT unnest([{', '.join(map(str, range(len(lists))))}]) AS list, "
            f"unnest([{marks}]) AS marks {self._rows_asked(link, wanted)}), "
            f"u AS (SELECT list, unnest(marks) AS mark FROM l), "
            f"cells(list, place, tbl, part, {_SETS}) AS (VALUES {self._cells_marked(link, lists)}) "
            f"SELECT c.tbl, c.part, u.mark & {ROW_MASK} AS fm_row, {self._codes.table(link.table)}, "
            f"{', '.join(f'bit_or(c.fm_r{place})' for place in _PLACES)} FROM u JOIN cells AS c "
            f"ON c.list = u.list AND c.place = u.mark >> {ROWS_BITS} GROUP BY c.tbl, c.part, fm_row"
        )

    def _lists(self, link: StoredLink, roles: Roles, columns: Sequence[str]) -> Iterator[_Marked]:
        """The lists of marks behind what is reached in some roles: what decides, rows, cells."""
        kept = None if roles == _GIVING else roles[0]
        named = [name for name in columns if name]
        if named:
            yield _Marked(
                self._where(self._holds(link.table, named, roles), "q._decides"),
                lambda _: _DECIDING if kept is None else kept,
                whole=True,
            )
        if "" in columns:
            yield _Marked(
                self._where(self._holds(link.table, [""], roles), "q._rows"),
                lambda _: _GIVING[0] if kept is None else kept,
            )
        collected = {name: self._collected(link, name) for name in named}
        for group in dict.fromkeys(collected.values()):
            parts = [
                self._where(self._holds(link.table, [name], roles), f"q.{identifier(f'~{name}')}")
                for name in collected
                if collected[name] == group
            ]
            held = [marks for marks in parts if marks != _NO_MARKS] or [_NO_MARKS]
            yield _Marked(
                f"list_concat({', '.join(held)})" if len(held) > 1 else held[0],
                partial(_gives, group) if kept is None else lambda _: kept,
            )

    def _cells_marked(self, link: StoredLink, lists: Sequence[_Marked]) -> str:
        """VALUES: what a mark's place means in each list: table, part, and its bit in the set of the role it gives."""
        meanings = []
        for number, entry in enumerate(lists):
            for place, (table, column) in enumerate(link.cells):
                part, bit = self._codes.column(table, "" if entry.whole else column)
                role = entry.role(table)
                sets = ", ".join(str(bit if role == other else 0) for other in _PLACES)
                meanings.append(f"({number}, {place}, {self._codes.table(table)}, {part}, {sets})")
        return ", ".join(meanings)

    def _collected(self, link: StoredLink, column: str) -> frozenset[str]:
        """The inputs of which a column collects several rows."""
        sources = {source for source, _ in link.cells}
        return frozenset(source for source in sources if self._book.collects(link.table, column, source))

    def _where(self, held: str, marks: str) -> str:
        """The marks of the entries for which a condition holds."""
        return {"true": marks, "false": _NO_MARKS}.get(held, f"CASE WHEN {held} THEN {marks} END")

    def _holds(self, table: str, columns: Sequence[str], roles: Roles) -> str:
        """Whether an entry (b) has one of some columns in one of some roles; ``true`` or ``false`` where all agree."""
        united = self._codes.united(table, columns)
        if self._alike:
            part, *sets = self._alike
            held = reduce(or_, (sets[place] for place in roles))
            return "true" if held & united.get(part, 0) else "false"
        return " OR ".join(
            f"(b.fm_part = {part} AND {_united(roles)} & {bits} <> 0)" for part, bits in united.items()
        )

    def _follow_rows(self, link: StoredLink, asked: Mapping[Roles, Sequence[str]], wanted: _Wanted) -> None:
        assert link.input is not None
        targets = {
            roles: found
            for roles, columns in asked.items()
            if (found := [target for column in columns for target in self._targets(link, column)])
        }
        if not targets:
            return
        if not link.sql:
            self._every_row(link, targets)
            return
        for part, sets in self._sets(link, targets).items():
            made = ", ".join(f"{sets.get(place, '0')} AS fm_e{place}" for place in _PLACES)
            held = " | ".join(f"fm_e{place}" for place in sets)
            united = ", ".join(f"bit_or(fm_e{place})" if place in sets else "0" for place in _PLACES)
            self._con.execute(
                f"INSERT INTO fm_behind WITH e AS (SELECT q._row, {made} {self._rows_asked(link, wanted)}) "
                f"SELECT {self._codes.table(link.input)}, {part}, _row, {self._codes.table(link.table)}, {united} "
                f"FROM e WHERE {held} <> 0 GROUP BY _row"
            )

    def _sets(
        self, link: StoredLink, targets: Mapping[Roles, Sequence[tuple[str, str, str]]]
    ) -> dict[int, dict[int, str]]:
        """Part to role to the bits of the input's cells that an entry's columns rest on."""
        asking: dict[tuple[int, int, int, Roles], list[str]] = {}
        for roles, found in targets.items():
            for column, target, how in found:
                part, bit = self._codes.column(str(link.input), target)
                role = STRENGTH.index(how) if roles == _GIVING else roles[0]
                asking.setdefault((part, role, bit, roles), []).append(column)
        bits: dict[int, dict[int, list[str]]] = {}
        for (part, role, bit, roles), columns in asking.items():
            held = self._holds(link.table, columns, roles)
            case = f"CASE WHEN {held} THEN {bit} ELSE 0 END"
            bits.setdefault(part, {}).setdefault(role, []).append(case)
        return {
            part: {role: f"({' | '.join(cases)}){self._chosen(link, part)}" for role, cases in of.items()}
            for part, of in bits.items()
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

    def _every_row(self, link: StoredLink, targets: Mapping[Roles, Sequence[tuple[str, str, str]]]) -> None:
        table, roles = str(link.input), next(iter(targets))
        role = targets[roles][0][2] if roles == _GIVING else STRENGTH[roles[0]]
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
        sets = {place: [f"fm_{place}_{part}" for part in range(parts[0] + 1)] for place in _PLACES}
        united = ", ".join(
            f"coalesce(bit_or(fm_r{place}) FILTER (part = {part}), 0) AS {name}"
            for place, names in sets.items()
            for part, name in enumerate(names)
        )
        holds = {place: f"({' | '.join(names)}) <> 0" for place, names in sets.items()}
        role = " ".join(f"WHEN {held} THEN {place}" for place, held in holds.items())
        cols = " ".join(f"WHEN {held} THEN [{', '.join(sets[place])}]" for place, held in holds.items())
        self._con.execute(
            f"INSERT INTO fm_delivered SELECT {literal(table.split('.', 1)[1])}, r.rowid, r._row_id, "
            f"CASE {role} END, CASE {cols} END FROM {quoted_table(table)} AS r "
            f"JOIN (SELECT row, {united} FROM fm_behind WHERE tbl = {number} GROUP BY row) AS b ON b.row = r.rowid"
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
            f"SELECT tbl, part, {_UNITED} FROM fm_behind WHERE via = {self._codes.table(via)} GROUP BY tbl, part"
        ).fetchall()
        return sorted(
            (tables[number], column, STRENGTH[place])
            for number, part, *sets in found
            for place, bits in enumerate(sets)
            for column in self._codes.names(tables[number], [(part, bits)])
            if column
        )

    def rows_named_by(self, via: str, table: str, column: str, role: str) -> str:
        """A SELECT of the ``row`` of each cell that a table's own link named in a role."""
        part, bit = self._codes.column(table, column)
        return (
            f"SELECT DISTINCT row FROM fm_behind WHERE via = {self._codes.table(via)} "
            f"AND tbl = {self._codes.table(table)} AND part = {part} AND fm_r{STRENGTH.index(role)} & {bit} <> 0"
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


@dataclass(frozen=True)
class _Marked:
    """A list of marks of a SQL model's link.

    Attributes:
        marks: Its SQL.
        role: The role that it gives the rows of a table.
        whole: Whether it names rows, whatever cell a mark is of.
    """

    marks: str
    role: Callable[[str], int]
    whole: bool = False


def _united(roles: Roles) -> str:
    """The cells of an entry (b) that play any of some roles."""
    return f"({' | '.join(f'b.fm_r{place}' for place in roles)})" if len(roles) > 1 else f"b.fm_r{roles[0]}"


def _gives(collected: frozenset[str], table: str) -> int:
    """The role that marks give the rows of a table, of which a column may collect several."""
    return STRENGTH.index(MEMBER if table in collected else VALUE)


def rowids_of(published: Published, table: str, key: Mapping[str, Any]) -> list[int]:
    """The ``rowid`` of the row with a key."""
    where = " AND ".join(f"{identifier(name)} IS NOT DISTINCT FROM ?" for name in key) or "true"
    found = published.query(f"SELECT rowid FROM {quoted_table(table)} WHERE {where}", list(key.values()))
    return [int(row) for row in found["rowid"]]


def _same(one: str, other: str, key: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{identifier(k)} IS NOT DISTINCT FROM {other}.{identifier(k)}" for k in key)
