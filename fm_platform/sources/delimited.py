"""Clinical files and sample sheets as tables of text: cells as delivered, every row with id and line.

Belongs here: the shape of a table (header, equal lengths) and the one type that carries it. Does not belong
here: types of values, missing codes, count matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.sources.files import SourceFile
from fm_platform.sources.margins import r_row_names
from fm_platform.sources.records import Records, read_records
from fm_platform.sources.rowid import row_ids

ROW_NAMES = "row_names"
"""What R's row names are called where the wanted name is taken."""

ROW_ID = "_row_id"
"""The platform's column that holds a raw row's id."""


LINE = "_line"
"""The column in which :func:`with_lines` gives the line that a row begins on."""


@dataclass(frozen=True)
class TextTable:
    """A delivered table.

    Attributes:
        source: The source's name in study.yaml.
        columns: The delivered column names, in file order.
        frame: ``_row_id`` first, then the delivered columns, all String; an empty cell is ``''``, never null.
        lines: The 1-based physical line each row begins on, aligned with ``frame``.
        delimiter: ``,`` ``;`` tab or ``|``; empty for a worksheet.
        encoding: ``utf-8``, ``utf-8-sig``, ``utf-16``, ``cp1252`` or ``xlsx``.
        header_line: The line the header stands on.
        sheet: The worksheet's name, if it is one.
        notes: What stood around the table and was passed over, and what a nameless first column is called.
    """

    source: str
    file: SourceFile
    columns: tuple[str, ...]
    frame: pl.DataFrame
    lines: tuple[int, ...]
    delimiter: str
    encoding: str
    header_line: int = 1
    sheet: str | None = None
    notes: tuple[str, ...] = ()


def read_text_table(
    source: str, path: Path, *, name: str, sheet: str | None = None, row_names: str | None = None
) -> TextTable:
    """Read a clinical file or a sample sheet.

    Delimiter, encoding, byte-order mark and gzip are detected; .xlsx is read, too. Blank lines are no rows; comments
    and titles above the header, and empty columns without a name, are no part of the table.

    Args:
        source: The source's name in study.yaml; part of every row id.
        path: Where the file is.
        name: What to call it in messages and in the ledger.
        sheet: The worksheet of a workbook; needed when several hold data.
        row_names: What to call a first column that R wrote without a name (``write.table`` leaves its heading out,
            ``write.csv`` writes an empty one); None refuses it.

    Raises:
        InputError: The file is no table: missing, empty, header only, binary, a broken quote, a nameless or
        repeated
            column, or a row with more or fewer fields than the header. The message names file, line and mend.
    """
    records = read_records(path, name, sheet)
    header, body, lines = records.rows[0], records.rows[1:], records.lines[1:]
    notes = records.notes
    if row_names is not None and (r_row_names(records.rows) or not header[0].strip()):
        named = header if r_row_names(records.rows) else header[1:]
        called = row_names if row_names not in named else ROW_NAMES
        header = [called, *named]
        notes = (*notes, f"the first column has no name (R's row names): it is called {called!r}")
    check_header(header, name, records.lines[0])
    check_lengths(records, len(header))
    if not body:
        raise InputError(
            "the file has a header but no rows",
            file=name,
            line=records.lines[0],
            mend="put data below the header, or ask for the delivery again",
        )
    data: dict[str, Sequence[str]] = {ROW_ID: row_ids(source, header, body)}
    data.update(zip(header, zip(*body, strict=True), strict=True))
    return TextTable(
        source=source,
        file=records.file,
        columns=tuple(header),
        frame=pl.DataFrame(data, schema=dict.fromkeys(data, pl.String)),
        lines=tuple(lines),
        delimiter=records.delimiter,
        encoding=records.encoding,
        header_line=records.lines[0],
        sheet=records.sheet,
        notes=notes,
    )


def with_lines(table: TextTable) -> pl.DataFrame:
    """The table's frame with the line of each row in ``_line``."""
    return table.frame.with_columns(pl.Series(LINE, table.lines, dtype=pl.Int64))


def require_columns(table: TextTable, needed: Sequence[str]) -> None:
    """Check that a table has the columns that study.yaml relies on.

    Raises:
        InputError: Some are missing; the message names them, what was found, and the nearest match of each.
    """
    missing = [column for column in dict.fromkeys(needed) if column not in table.columns]
    if not missing:
        return
    hints = [hint for hint in (_nearest(column, table.columns) for column in missing) if hint]
    word = "column" if len(missing) == 1 else "columns"
    raise InputError(
        f"{word} {_quoted(missing)} missing; the header has {_quoted(table.columns)}",
        file=table.file.name,
        line=table.header_line,
        mend="; ".join([*hints, f"correct the header, or the names in study.yaml for source {table.source}"]),
    )


def check_header(header: Sequence[str], name: str, line: int, *, matrix: bool = False) -> None:
    """Check that every column has a name of its own (letter case does not tell two columns apart in SQL).

    Args:
        header: The column names.
        name: The file, for messages.
        line: The header's line, for messages.
        matrix: Whether these are sample names, which do not become columns of a table: the gene id's may be
        empty,
            and a sample's may begin with ``_``.

    Raises:
        InputError: A name is empty, repeated, or begins with ``_`` as the platform's own columns do.
    """
    first_seen: dict[str, int] = {}
    for position, column in enumerate(header, start=1):
        if not column.strip() and not (matrix and position == 1):
            of_r = " (R writes row names so; write.csv(..., row.names = FALSE) leaves them out)"
            alone = sum(1 for text in header if text.strip()) == 1
            title = f"if line {line} is a title, remove it; else " if alone else ""
            raise InputError(
                f"column {position} has no name",
                file=name,
                line=line,
                mend=f"{title}name it in the header{of_r if position == 1 else ''}",
            )
        if column.startswith("_") and not matrix:
            raise InputError(
                "names that begin with _ are the platform's own",
                file=name,
                line=line,
                column=column,
                mend="rename it",
            )
        earlier = first_seen.setdefault(column.casefold(), position)
        if earlier != position:
            raise InputError(
                f"columns {earlier} and {position} have the same name",
                file=name,
                line=line,
                column=column,
                mend="rename or remove one of them (upper and lower case count as the same)",
            )


def check_lengths(records: Records, width: int) -> None:
    """Check that every row has as many fields as the header.

    Raises:
        InputError: One has not; a last row that is too short hints at a file that was cut off.
    """
    if r_row_names(records.rows) and width == len(records.rows[0]):
        raise InputError(
            "every row has one field more than the header, as R's write.table writes row names",
            file=records.file.name,
            line=records.lines[0],
            mend="write it with row.names = FALSE or col.names = NA, or name the first column in the header",
        )
    for position in range(1, len(records.rows)):
        found = len(records.rows[position])
        if found == width:
            continue
        cut_off = found < width and position == len(records.rows) - 1
        raise InputError(
            f"{found} fields where the header has {width}"
            + ("; it is the last row, so the file was probably cut off" if cut_off else ""),
            file=records.file.name,
            line=records.lines[position],
            mend="copy the file again, or remove the remark if this is one below the table"
            if cut_off
            else "quote fields that hold the delimiter, or mend the row",
        )


def _nearest(column: str, found: Sequence[str]) -> str | None:
    by_plain_name = {name.strip().casefold(): name for name in found}
    match = get_close_matches(column.strip().casefold(), list(by_plain_name), n=1)
    return f"{by_plain_name[match[0]]!r} may be meant for {column!r}" if match else None


def _quoted(names: Sequence[str], limit: int = 30) -> str:
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
