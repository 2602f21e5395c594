"""SQL expressions over lists of marks: the numbers by which a rewritten query names rows of its inputs.

Belongs here: making, uniting and collecting marks, and what a mark says. Does not belong here: where in a query they
go (``links``).

A mark is one BIGINT: the place of an input cell (a table and a column, or a table alone) in a list of them, times
2^40, plus the row's ``rowid``. Marks of the missing side of an outer join are null and mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from fm_platform.sql.model import DIALECT
from fm_platform.warehouse.records import ROWS_BITS

ROWID = "rowid"


@dataclass
class InputCells:
    """The input cells that a query's marks name, as they were met; the column "" is the row as a whole."""

    found: dict[tuple[str, str], int] = field(default_factory=dict)

    def mark(self, table: str, column: str, alias: str) -> exp.Expr:
        """The list of one mark: the row of ``alias`` in this query, as a cell of ``table``."""
        return mark_at(self.found.setdefault((table, column), len(self.found)), ROWID, alias)


def mark_at(place: int, row: str, alias: str) -> exp.Expr:
    """The list of one mark: the row that a column of ``alias`` gives, as the cell at a place."""
    named = exp.column(row, alias, quoted=True)
    return call("list_value", exp.Add(this=exp.Literal.number(place << ROWS_BITS), expression=named))


def of_one_row(marks: exp.Expr) -> tuple[int, exp.Column] | None:
    """Place and row of a list of one mark; None for other lists."""
    if not (isinstance(marks, exp.Anonymous) and marks.name.lower() == "list_value" and marks.expressions):
        return None
    mark = marks.expressions[0]
    return int(mark.this.name) >> ROWS_BITS, mark.expression


def united(marks: Sequence[exp.Expr]) -> exp.Expr:
    """The marks of several lists; a null list counts as empty."""
    distinct = list({item.sql(dialect=DIALECT): item for item in marks}.values())
    if len(distinct) > 1:
        return call("list_concat", *(item.copy() for item in distinct))
    return distinct[0].copy() if distinct else none()


def collected(marks: exp.Expr) -> exp.Expr:
    """The marks of all rows of a group, each once."""
    return call("list_distinct", call("flatten", call("list", marks)))


def gathered(marks: Sequence[exp.Expr]) -> exp.Expr:
    """The marks of several lists over all rows of a group; those of subqueries are the group's already."""
    own = [mark for mark in marks if mark.find(exp.Query) is None]
    found = [mark for mark in marks if mark.find(exp.Query) is not None]
    return united([*([collected(united(own))] if own else []), *found])


def none() -> exp.Expr:
    """No marks."""
    return exp.cast(call("list_value"), "BIGINT[]", dialect="duckdb")


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call written as it stands, whatever sqlglot makes of functions of that name."""
    return exp.Anonymous(this=name, expressions=list(arguments))
