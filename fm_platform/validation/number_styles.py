"""The one style in which a column writes its numbers, found by counting its cells.

Belongs here: what the cells say of a decimal mark, and columns of which no cell can be used. Does not belong here: how
a cell is read once the style is known (``expressions``), single bad cells (``cell_findings``), raising errors
(``readings``).

A column with a decimal comma in one cell and a decimal point in another contradicts itself. One in which every mark is
followed by three digits (``1.000``, ``12,500``) may hold thousands, unless its range tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import number, range_text, usual_texts
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.raw_source import RawSource

if TYPE_CHECKING:
    import duckdb

FEWEST = 3
"""Of fewer cells that are all wrong, each is a finding of its own."""

_MARKED = "[+-]?[0-9]*{mark}[0-9]+([eE][+-]?[0-9]+)?"
_PARTED = "[+-]?[0-9]{{1,3}}({parts}[0-9]{{3}})+{mark}[0-9]+"
_THOUSANDS = "[+-]?[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+"


@dataclass(frozen=True)
class Unreadable:
    """A column that cannot be read as it stands: a SELECT of its rows, what is wrong, and the mend."""

    rows: str
    message: str
    mend: str


def number_styles(
    con: duckdb.DuckDBPyConnection, source: RawSource
) -> Iterator[tuple[DeclaredColumn, Unreadable | str]]:
    """How the numbers of a source are written, where study.yaml leaves it open, and columns that cannot be read.

    Args:
        con: A connection that sees the raw table.
        source: The source.

    Yields:
        The column, with a sentence for a decimal comma that was taken from the cells, or with what is wrong.
    """
    entries = [entry for entry in source.own_columns if entry.is_number and entry.kind != "field"]
    doubtful = _doubtful(con, source, entries)
    for entry in entries:
        found = _mark(con, source, entry, _cells(source, entry)) if entry.mark == "either" else None
        if not isinstance(found, Unreadable) and entry in doubtful:
            found = _used(con, source, entry, _cells(source, entry)) or found
        if found is not None:
            yield entry, found


def _cells(source: RawSource, entry: DeclaredColumn) -> str:
    return f"""(select _row_id, {expressions.digits(expressions.text(entry.column))} as cell from {source.table}
where not {expressions.is_missing(entry.column, source.declaration)})"""


def _doubtful(
    con: duckdb.DuckDBPyConnection, source: RawSource, entries: Sequence[DeclaredColumn]
) -> list[DeclaredColumn]:
    """The columns with cells of which none is plainly usable, all in one look at the table."""
    if not entries:
        return []
    looks = []
    for entry in entries:
        cell = expressions.text(entry.column)
        value, plain = number(cell, entry), usual_texts(entry)
        inside = (
            f"{value} between {entry.low} and {entry.high}" if entry.is_bounded else f"{value} is not null"
        )
        usable = f"{cell} in {expressions.texts(plain)}" if plain else inside
        missing = expressions.is_missing(entry.column, source.declaration)
        looks.append(f"count(*) filter (not {missing}), bool_or(not {missing} and {usable})")
    found = con.sql(f"select {', '.join(looks)} from {source.table}").fetchone() or ()
    return [entry for at, entry in enumerate(entries) if found[2 * at] >= FEWEST and not found[2 * at + 1]]


def _mark(
    con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn, cells: str
) -> Unreadable | str | None:
    comma, point = (
        f"regexp_full_match(cell, '{_MARKED.format(mark=mark)}|{_PARTED.format(parts=parts, mark=mark)}')"
        for mark, parts in ((",", "[.]"), ("[.]", ","))
    )
    commas = f"regexp_full_match(cell, '{_THOUSANDS.format(mark=',')}')"
    points = f"regexp_full_match(cell, '{_THOUSANDS.format(mark='[.]')}') and {_may_be_thousands(entry)}"
    counts = con.sql(
        f"""select count(*), count(*) filter ({comma}), count(*) filter ({point}),
count(*) filter ({commas}), count(*) filter ({points}), min(cell) filter ({comma}), min(cell) filter ({point})
from {cells}"""
    ).fetchone()
    total, n_comma, n_point, comma_open, point_open, a_comma, a_point = counts or (0,) * 7
    mend = f"add `decimal: comma` or `decimal: point` to `clinical: {source.name}:` in study.yaml"
    if n_comma and n_point:
        message = f"{n_comma} of {total} numbers of this column have a comma ({a_comma}), {n_point} a point ({a_point})"
        rarer = comma if n_comma <= n_point else point
        return Unreadable(f"select _row_id from {cells} where {rarer}", message, mend)
    for marked, open_, which, rows in (
        (n_comma, comma_open, "comma", commas),
        (n_point, point_open, "point", points),
    ):
        if marked and marked == open_:
            message = (
                f"the {which} in this column's numbers may be a decimal mark or part thousands "
                f"({a_comma or a_point})"
            )
            return Unreadable(f"select _row_id from {cells} where {rows}", message, mend)
    return f"{entry.column} has a decimal comma ({n_comma} of {total} numbers)" if n_comma else None


def _may_be_thousands(entry: DeclaredColumn) -> str:
    """Whether a cell is in its range when its points are taken for thousands."""
    if entry.low is None or entry.high is None:
        return "true"
    read = f"try_cast(replace(cell, '.', '') as double) * {float(entry.factor)!r}"
    return f"{read} between {float(entry.low)!r} and {float(entry.high)!r}"


def _used(
    con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn, cells: str
) -> Unreadable | None:
    """A column of which no cell is an acceptable number: one cause, not so many questions to the site."""
    value = number("cell", entry)
    inside = f"{value} between {entry.low} and {entry.high}" if entry.is_bounded else "true"
    counts = con.sql(
        f"""select count(*), count({value}), count(*) filter ({value} is not null and {inside}), min(cell),
count(*) filter (regexp_full_match(cell, '{_MARKED.format(mark=",")}'))
from {cells}"""
    ).fetchone()
    total, readable, usable, example, commas = counts or (0, 0, 0, "", 0)
    if total < FEWEST or usable:
        return None
    rows = f"select _row_id from {cells}"
    key = f"`clinical: {source.name}:` in study.yaml"
    if not readable:
        if entry.mark == "comma":
            mend = f"take `decimal: comma` out of {key}, or name another column"
        elif commas:
            mend = f"add `decimal: comma` to {key}"
        else:
            mend = f"name another column, or list its texts for no value under `missing:`, in {key}"
        return Unreadable(rows, f"none of the {total} values of this column is a number ({example})", mend)
    if readable < total:
        return None
    mend = f"declare their unit with `units:` under {key}, or correct the range"
    return Unreadable(
        rows, f"all {total} numbers of this column are outside {range_text(entry)} ({example})", mend
    )
