"""Report tables as CSV text.

Belongs here: the one way a table is written as CSV. Does not belong here: which tables, where the files go.

UTF-8, comma, line feed, a header line. A null is an empty field, an empty text is `""`; floats have 17
significant digits, which read back as the same number. Columns of the platform's own (`_...`) are left out.
`data_origin`, the last column, says of every row whether its data are synthetic.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import polars as pl

ORIGIN = "data_origin"
SYNTHETIC = "synthetic"
REAL = "study files"


def table_csv(table: pl.DataFrame, key: Sequence[str], *, synthetic: bool) -> str:
    """A table as CSV text, its key columns first.

    Args:
        table: The frame, in the row order of the file.
        key: Its key columns.
        synthetic: Whether its data are made up.
    """
    columns = [*key, *(name for name in table.columns if name not in key and not name.startswith("_"))]
    origin = SYNTHETIC if synthetic else REAL
    lines = [",".join(_field(name) for name in [*columns, ORIGIN])]
    for row in table.select(columns).iter_rows():
        lines.append(",".join(_field(value) for value in [*row, origin]))
    return "\n".join(lines) + "\n"


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(value, ".17g")
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if text == "" or any(character in text for character in ',"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text
