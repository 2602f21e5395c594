"""The one style in which a column writes its numbers, found by counting its cells.

Belongs here: what the cells say of a decimal mark, and columns of which no cell can be used. Does not belong here: how
a cell is read once the style is known (``expressions``), single bad cells (``cell_findings``), raising errors
(``readings``).

A column with a decimal comma in one cell and a decimal point in another contradicts itself. One in which every mark is
followed by three digits (``1.000``, ``12,500``) may hold thousands, unless its range tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fm_platform.validation import expressions
from fm_platform.validation.cell_findings import number, range_text
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


def number_style(
    con: duckdb.DuckDBPyConnection, source: RawSource, entry: DeclaredColumn
) -> Unreadable | str | None:
    """How the numbers of a column are written, where study.yaml leaves it open.

    Args:
        con: A connection that sees the raw table.
        source: The source.
        entry: The column.

    Returns:
        A sentence for a decimal comma that was taken from the cells; what is wrong; or None.
    """
    if not entry.is_number or entry.kind == "field":
        return None
    cells = f"""(select _row_id, {expressions.text(entry.column)} as cell from {source.table}
where not {expressions.is_missing(entry.column, source.declaration)})"""
    note = None
    if entry.mark == "either":
        found = _mark(con, source, entry, cells)
        if isinstance(found, Unreadable):
            return found
        note = found
    return _used(con, source, entry, cells) or note


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
