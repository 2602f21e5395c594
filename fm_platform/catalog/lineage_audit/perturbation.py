"""Changed copies of a table: one column at a time in one, half or all of its rows, or rows taken away.

Belongs here: what is changed, by type and by what is seen in the column. Does not belong here: computing or comparing
anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

Values = list[Any]


@dataclass(frozen=True, eq=False)
class Change:
    """A changed copy of a table.

    Attributes:
        column: The changed column; None where rows are taken away.
        how: What was done, in words.
        rows: The changed table.
        places: Positions of the changed rows in the unchanged table.
    """

    column: str | None
    how: str
    rows: pl.DataFrame
    places: tuple[int, ...]


def changes_of_column(
    table: pl.DataFrame, key: Sequence[str], column: str, samples: int, seed: str
) -> Iterator[Change]:
    """Changes of one column that leave the table's key unique, the most telling ones first.

    Args:
        table: The table.
        key: Its key.
        column: The column.
        samples: How many rows are changed one at a time, each in every way that its type knows.
        seed: Equal seeds give equal changes.
    """
    chance = random.Random(f"{seed} {column}")
    values = table[column].to_list()
    every = tuple(range(len(values)))
    if not every:
        return
    ways = _ways(values, table[column].dtype, chance)
    half = tuple(sorted(chance.sample(every, max(1, len(every) // 2))))
    planned: list[tuple[str, Sequence[int], Callable[[Values], Values]]] = []
    if column in key:
        planned.append(("levels exchanged", every, lambda old: _exchanged(old, chance)))
    else:
        planned.append(("moved between rows", every, lambda old: _shuffled(old, chance)))
    planned += [(how, places, way) for how, way in ways for places in (every, half)]
    for place in chance.sample(every, min(samples, len(every))):
        planned += [(how, (place,), way) for how, way in ways]
    for how, places, way in planned:
        made = _changed(table, column, values, how, places, way)
        if made is not None and _is_key(table, made.rows, key, column):
            yield made


def changes_of_rows(table: pl.DataFrame, samples: int, seed: str) -> Iterator[Change]:
    """Rows taken away: half of them, then single ones."""
    chance = random.Random(f"{seed} rows")
    every = range(table.height)
    if not table.height:
        return
    chosen: list[tuple[int, ...]] = [tuple(sorted(chance.sample(every, (table.height + 1) // 2)))]
    chosen += [(place,) for place in chance.sample(every, min(samples, table.height))]
    for places in chosen:
        kept = table.with_row_index("_at").filter(~pl.col("_at").is_in(places)).drop("_at")
        yield Change(None, "rows taken away", kept, places)


def _changed(
    table: pl.DataFrame,
    column: str,
    values: Values,
    how: str,
    places: Sequence[int],
    way: Callable[[Values], Values],
) -> Change | None:
    """The table with a column changed at some places; None where nothing is different."""
    new = way([values[place] for place in places])
    moved = [place for place, value in zip(places, new, strict=True) if not _same(values[place], value)]
    if not moved:
        return None
    replaced = list(values)
    for place, value in zip(places, new, strict=True):
        replaced[place] = value
    rows = table.with_columns(pl.Series(column, replaced, dtype=table[column].dtype, strict=False))
    where = "one row" if len(places) == 1 else f"{len(moved)} of {len(values)} rows"
    return Change(column, f"{how}, {where}", rows, tuple(moved))


def _is_key(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str], column: str) -> bool:
    """Whether the key still tells rows apart, and is known where it was."""
    if column not in key:
        return True
    lost = after[column].null_count() > before[column].null_count()
    return not lost and not after.select(key).is_duplicated().any()


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


# -- ways to change values ----------------------------------------------------------------------------------------


def _ways(
    values: Values, dtype: pl.DataType, chance: random.Random
) -> list[tuple[str, Callable[[Values], Values]]]:
    """Ways to change values of a type; those that use other values of the column where it has any."""
    seen = list(dict.fromkeys(repr(value) for value in values if value is not None))
    by_text = {repr(value): value for value in values if value is not None}
    levels = [by_text[text] for text in seen]
    ways: list[tuple[str, Callable[[Values], Values]]] = []
    if isinstance(dtype, pl.List):
        ways += [
            ("elements shifted", lambda old: [_shifted_list(value, chance) for value in old]),
            ("elements turned round", lambda old: [_turned(value) for value in old]),
            ("elements set null", lambda old: [_emptied(value, chance) for value in old]),
        ]
    else:
        ways.append(("shifted", lambda old: [_shifted(value, dtype) for value in old]))
    if len(levels) > 1:
        ways.append(("other values of it", lambda old: [_other(value, levels, chance) for value in old]))
    if dtype.is_numeric():
        ways.append(("made large and negative", lambda old: [_stretched(value) for value in old]))
    ways.append(("set null", lambda old: [None for _ in old]))
    return ways


def _other(value: Any, levels: Sequence[Any], chance: random.Random) -> Any:
    found = chance.choice(levels)
    return found if not _same(found, value) else levels[(levels.index(found) + 1) % len(levels)]


def _shuffled(old: Values, chance: random.Random) -> Values:
    new = list(old)
    chance.shuffle(new)
    return new


def _exchanged(old: Values, chance: random.Random) -> Values:
    """One level for another throughout, so that a key stays one."""
    levels = list(dict.fromkeys(old))
    order = list(range(len(levels)))
    chance.shuffle(order)
    if len(levels) > 1 and order == list(range(len(levels))):
        order = [*order[1:], order[0]]
    to = {levels[at]: levels[place] for at, place in enumerate(order)}
    return [to[value] for value in old]


def _shifted(value: Any, dtype: pl.DataType) -> Any:
    """The next value: one more, a day later, another text; where there is none, one of the type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float | Decimal):
        return value + 1
    if isinstance(value, date | datetime):
        return value + timedelta(days=1)
    if isinstance(value, str):
        return _shifted_text(value)
    if value is None:
        return _invented(dtype)
    return value


def _shifted_text(text: str) -> str:
    """A text that reads as a number or a day stays one."""
    try:
        return str(int(text) + 1)
    except ValueError:
        pass
    try:
        return (date.fromisoformat(text) + timedelta(days=1)).isoformat()
    except ValueError:
        return f"{text}~"


def _invented(dtype: pl.DataType) -> Any:
    if dtype == pl.Boolean:
        return True
    if dtype.is_numeric():
        return 1
    if dtype == pl.String:
        return "invented"
    if dtype == pl.Date:
        return date(2020, 1, 1)
    return None


def _stretched(value: Any) -> Any:
    return None if value is None else -(value * 3 + 2)


def _shifted_list(value: Any, chance: random.Random) -> Any:
    """Some elements changed; the list keeps its length."""
    if value is None:
        return None
    return [
        element
        if element is None or chance.random() < 0.5
        else element * 2 + 5
        if isinstance(element, int | float)
        else f"{element}~"
        for element in value
    ]


def _turned(value: Any) -> Any:
    return None if value is None else list(reversed(value))


def _emptied(value: Any, chance: random.Random) -> Any:
    return None if value is None else [None if chance.random() < 0.2 else element for element in value]
