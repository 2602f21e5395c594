"""The SELECTs that a query unites, with the marks of their rows, and the ways in which these become columns.

Belongs here: writing marks as lists, or as single rows and what is meant of them. Does not belong here: which marks
stand behind what (``links``), what a mark is (``marks``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from fm_platform.sql.marks import none, of_one_row, united
from fm_platform.sql.model import DIALECT, output_columns
from fm_platform.warehouse.records import ARM, CELL, DECIDES, ROW, ROWS, Marks

MOST_ROWS = 8
"""Of how many input rows a query inside a query carries each in a column of its own."""


@dataclass(frozen=True)
class Arm:
    """A SELECT among those that a query unites, and lists of marks that are its hidden outputs, not yet written.

    They are in the order of :func:`hidden_names`, under the names of the query's columns.
    """

    select: exp.Select
    hidden: Sequence[Sequence[exp.Expr]]

    def as_lists(self, names: Sequence[str]) -> None:
        """Each hidden output is one list of marks."""
        self._write({name: united(marks) for name, marks in zip(names, self.hidden, strict=True)})

    def told(self, names: Sequence[str]) -> Told:
        """The marks, those of one row taken apart from the lists."""
        rows: dict[str, exp.Column] = {}
        ones: dict[str, list[tuple[int, int]]] = {}
        lists: dict[str, exp.Expr] = {}
        for name, marks in zip(names, self.hidden, strict=True):
            collecting = []
            for mark in marks:
                one = of_one_row(mark)
                if one is None:
                    collecting.append(mark)
                    continue
                place, row = one
                text = row.sql(dialect=DIALECT)
                rows.setdefault(text, row)
                entry = (place, list(rows).index(text))
                if entry not in ones.setdefault(name, []):
                    ones[name].append(entry)
            if collecting:
                lists[name] = united(collecting)
        return Told(list(rows.values()), ones, lists)

    def write(
        self, told: Told, lists: Collection[str], *, rows: int, first: int = 0, number: int | None = None
    ) -> None:
        """Give the arm's number, if any, its rows among so many from the first on, and these lists."""
        padded: list[exp.Expr] = [exp.cast(exp.Null(), "BIGINT", dialect=DIALECT) for _ in range(rows)]
        padded[first : first + len(told.rows)] = told.rows
        outputs: dict[str, exp.Expr] = {} if number is None else {ARM: exp.Literal.number(number)}
        outputs |= {f"{ROW}{at}": row.copy() for at, row in enumerate(padded)}
        outputs |= {name: told.lists.get(name) or none() for name in lists}
        self._write(outputs)

    def _write(self, outputs: Mapping[str, exp.Expr]) -> None:
        named = [exp.alias_(marks, name, quoted=True) for name, marks in outputs.items()]
        self.select.set("expressions", [*self.select.expressions, *named])


@dataclass(frozen=True)
class Told:
    """The marks of a SELECT: its rows, of which a hidden output means cells (place, row), and what it has as lists."""

    rows: list[exp.Column]
    ones: dict[str, list[tuple[int, int]]]
    lists: dict[str, exp.Expr]

    def add(self, other: Told) -> None:
        """Add those of another arm, whose rows get columns of their own."""
        for name, entries in other.ones.items():
            self.ones.setdefault(name, []).extend((place, row + len(self.rows)) for place, row in entries)
        self.lists.update(other.lists)
        self.rows.extend(other.rows)


def hidden_names(columns: Sequence[str]) -> list[str]:
    """The names of the hidden outputs of a query with some columns."""
    return [*(CELL + name for name in columns), DECIDES, ROWS]


def as_lists(query: exp.Query, arms: Sequence[Arm]) -> None:
    """All marks become lists: for queries whose rows are collected, or looked through."""
    names = hidden_names(output_columns(query))
    for arm in arms:
        arm.as_lists(names)


def as_rows(query: exp.Query, arms: Sequence[Arm]) -> Told | None:
    """Each arm has its rows in columns of its own, null in the others; all become lists, and None, where they are many.

    For queries of FROM and CTEs: whoever reads them is told what their rows mean.
    """
    names = hidden_names(output_columns(query))
    found = [arm.told(names) for arm in arms]
    rows = sum(len(told.rows) for told in found)
    if rows > MOST_ROWS:
        as_lists(query, arms)
        return None
    carried = Told([], {}, {})
    for told in found:
        carried.add(told)
    first = 0
    for arm, told in zip(arms, found, strict=True):
        arm.write(told, carried.lists, rows=rows, first=first)
        first += len(told.rows)
    return carried


def as_link(query: exp.Query, arms: Sequence[Arm]) -> Marks:
    """Of the outermost query: the same rows and lists in all arms, and the arm's number where there are several."""
    names = hidden_names(output_columns(query))
    found = [arm.told(names) for arm in arms]
    rows = max(len(told.rows) for told in found)
    lists = tuple(dict.fromkeys(name for told in found for name in told.lists))
    for number, (arm, told) in enumerate(zip(arms, found, strict=True)):
        arm.write(told, lists, rows=rows, number=number if len(arms) > 1 else None)
    ones = tuple({name: tuple(entries) for name, entries in told.ones.items()} for told in found)
    return Marks(lists, ones)
