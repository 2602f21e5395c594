"""SELECTs with bound values.

Belongs here: binding. Does not belong here: what is asked.

Values are written into the statement as literals. A parameter that is planned before its value is known makes DuckDB
1.5.5 compute windows over it wrongly; and parameters handed to its Python client make it import pandas, a second that a
command would spend before it answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fm_platform.warehouse.names import literal

Bindable = str | int | float | bool | None | Sequence[str]

_PLACE = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/ | (?P<place>\?)""",
    re.VERBOSE | re.DOTALL,
)
"""A ``?`` that stands for a value, or a stretch of text or comment in which it does not."""


def bound(sql: str, parameters: Sequence[Bindable]) -> str:
    """A statement with its ``?`` replaced by values, in order.

    Raises:
        ValueError: There are not as many values as places.
    """
    values: Iterator[Bindable] = iter(parameters)
    places = 0

    def put(found: re.Match[str]) -> str:
        nonlocal places
        if found["place"] is None:
            return found[0]
        places += 1
        return _value(next(values, None))

    written = _PLACE.sub(put, sql)
    if places != len(parameters):
        raise ValueError(f"the statement has {places} places for {len(parameters)} values")
    return written


def _value(value: Bindable) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(literal(text) for text in value)}]::VARCHAR[]"
    return str(value)
