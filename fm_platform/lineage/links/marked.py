"""What the marks of a SQL model's link mean to rows of which some cells are asked for.

Belongs here: which rows of the inputs the marks name, and what these play, as one query. Does not belong here:
following links over several tables (``behind``), making links (``sql.links``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fm_platform.lineage.links.book import DECIDES, GIVES, MEMBER, VALUE, LinkBook, StoredLink
from fm_platform.lineage.links.playing import NOTHING, Played, Plays
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.records import ARM, CELL, ROW, ROW_MASK, ROWS, ROWS_BITS
from fm_platform.warehouse.records import DECIDES as DECIDED

_Playing = dict[str, dict[str, frozenset[str]]]
"""Table to what its row plays."""


@dataclass(frozen=True)
class _Means:
    """What a hidden output means.

    Attributes:
        role: The role that it gives the rows that it names.
        collected: The tables whose rows it makes members instead.
        whole: Whether it names rows, whatever cell a mark is of.
    """

    role: str
    collected: frozenset[str] = frozenset()
    whole: bool = False

    def add(self, playing: _Playing, table: str, column: str) -> None:
        """Add what a mark of a cell makes its row play."""
        roles = playing.setdefault(table, {})
        role = MEMBER if table in self.collected else self.role
        roles[role] = roles.get(role, NOTHING) | {"" if self.whole else column}


class Marked:
    """A link, and what is asked of its rows.

    Args:
        book: The publication's links.
        link: That of a SQL model.
        asked: What the rows play that are asked for, by number.
        plays: Numbers what rows play.
        number: Numbers tables.
    """

    def __init__(
        self,
        book: LinkBook,
        link: StoredLink,
        asked: Mapping[int, Played],
        plays: Plays,
        number: Callable[[str], int],
    ) -> None:
        self._book, self._link, self._plays, self._number = book, link, plays, number
        self._asked = tuple(asked)
        columns = sorted(
            {name for played in asked.values() for cells in played.values() for name in cells if name}
        )
        means = {
            hidden: tuple(tuple(self._meaning(hidden, played)) for played in asked.values())
            for hidden in (DECIDED, ROWS, *(CELL + name for name in columns))
        }
        self._means = {hidden: of for hidden, of in means.items() if any(of)}

    def named(self, rows: str) -> str:
        """A SELECT of tbl, row and plays: the rows that are named, and the number of what they play; '' for none.

        Args:
            rows: FROM: the link's rows (q), and what is asked of each (b.fm_played).
        """
        singles, lists = self._singles(), self._lists()
        given = [f"q.{ROW}{row}" for row in range(self._link.marks.rows)] if singles else []
        ways = []
        if singles:
            rows_in_turn = in_turn(ROW, len(given), "fm_row")
            ways.append(
                f"SELECT c.tbl, e.fm_row AS row, c.plays FROM (SELECT fm_played, arm, {rows_in_turn} FROM e) "
                f"AS e JOIN (VALUES {', '.join(singles)}) AS c(played, arm, place, tbl, plays) "
                "ON c.played = e.fm_played AND c.arm = e.arm AND c.place = e.fm_at WHERE e.fm_row IS NOT NULL"
            )
        if lists:
            cells = ", ".join(cell for at, (of, _) in enumerate(lists) for cell in self._cells(at, of))
            ways.append(
                f"SELECT c.tbl, e.mark & {ROW_MASK} AS row, c.plays FROM (SELECT fm_played, fm_at, "
                f"unnest(fm_list) AS mark FROM (SELECT fm_played, {in_turn('l', len(lists), 'fm_list')} FROM e)) AS e "
                f"JOIN (VALUES {cells}) AS c(played, list, place, tbl, plays) "
                f"ON c.played = e.fm_played AND c.list = e.fm_at AND c.place = e.mark >> {ROWS_BITS}"
            )
        if not ways:
            return ""
        arm = f"q.{ARM}" if len(self._link.marks.ones) > 1 else "0"
        taken = ", ".join(
            [
                "b.fm_played",
                f"{arm} AS arm",
                *given,
                *(f"{sql} AS l{at}" for at, (_, sql) in enumerate(lists)),
            ]
        )
        once = "MATERIALIZED" if len(ways) > 1 else "NOT MATERIALIZED"
        return f"WITH e AS {once} (SELECT {taken} {rows}) SELECT DISTINCT * FROM ({' UNION ALL '.join(ways)})"

    def _meaning(self, hidden: str, played: Played) -> Iterator[_Means]:
        """What a hidden output means where some cells are asked for: the roles of the rows that it names."""
        name = "" if hidden in (DECIDED, ROWS) else hidden[len(CELL) :]
        giving = False
        for role, cells in played.items():
            if role in GIVES:
                giving = giving or (bool(cells - {""}) if hidden == DECIDED else name in cells)
            elif hidden == DECIDED and cells - {""}:
                yield _Means(role, whole=True)
            elif hidden != DECIDED and name in cells:
                yield _Means(role)
        if giving and hidden == DECIDED:
            yield _Means(DECIDES, whole=True)
        elif giving:
            yield _Means(VALUE, self._collected(name) if name else NOTHING)

    def _collected(self, column: str) -> frozenset[str]:
        """The inputs of which a column collects several rows."""
        sources = {source for source, _ in self._link.cells}
        return frozenset(
            source for source in sources if self._book.collects(self._link.table, column, source)
        )

    def _singles(self) -> list[str]:
        """VALUES: what is asked, arm and number of a row, to its table and what it plays."""
        found = []
        for arm, ones in enumerate(self._link.marks.ones):
            for at, number in enumerate(self._asked):
                playing: dict[int, _Playing] = {}
                for hidden, means in self._means.items():
                    for place, row in ones.get(hidden, ()):
                        for one in means[at]:
                            one.add(playing.setdefault(row, {}), *self._link.cells[place])
                for row, of in playing.items():
                    found += [f"({number}, {arm}, {row}, {entry})" for entry in self._entries(of)]
        return found

    def _lists(self) -> list[tuple[tuple[tuple[_Means, ...], ...], str]]:
        """What lists of marks mean to each that is asked, and these lists in SQL; those that mean the same are one."""
        alike: dict[tuple[tuple[_Means, ...], ...], list[str]] = {}
        for hidden, means in self._means.items():
            if self._link.marks.collects(hidden):
                alike.setdefault(means, []).append(f"q.{identifier(hidden)}")
        return [
            (means, f"list_concat({', '.join(lists)})" if len(lists) > 1 else lists[0])
            for means, lists in alike.items()
        ]

    def _cells(self, at: int, means: Sequence[Sequence[_Means]]) -> Iterator[str]:
        """VALUES: what is asked, list and place of a mark, to its table and what its row plays."""
        for number, of_one in zip(self._asked, means, strict=True):
            for place, cell in enumerate(self._link.cells):
                playing: _Playing = {}
                for one in of_one:
                    one.add(playing, *cell)
                yield from (f"({number}, {at}, {place}, {entry})" for entry in self._entries(playing))

    def _entries(self, playing: _Playing) -> Iterator[str]:
        for table, roles in playing.items():
            yield f"{self._number(table)}, {self._plays.number(roles)}"


def in_turn(name: str, count: int, called: str) -> str:
    """Of so many numbered columns one after the other, and its number as fm_at."""
    if count == 1:
        return f"0 AS fm_at, {name}0 AS {called}"
    places, columns = (", ".join(f"{first}{at}" for at in range(count)) for first in ("", name))
    return f"unnest([{places}]) AS fm_at, unnest([{columns}]) AS {called}"
